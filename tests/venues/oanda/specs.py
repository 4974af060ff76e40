"""OANDA's specification, which is Swagger 2.0, as OpenAPI 3.0, and made to say what it means.

Three things are wrong with the document, and are put right here:

- `format` holds sentences for people; they are taken out.
- `Order`, `OrderRequest` and `Transaction` are bases without the members of what extends them, and
  nothing says what does: each becomes a choice of those. Which of them a body is, its `type` says,
  whose enum lists the types of all; it is narrowed to the one that the description names.
- What is not listed among the members of such a definition is refused: otherwise, where nothing is
  required, everything would be right.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.venues import contract
from tests.venues.contract import Contract

Document = dict[str, Any]

HOST = "https://api-fxtrade.oanda.com"
PLACES = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
JSON = "application/json"
SCHEMA_WORDS = ("type", "items", "enum", "default", "format")
ITS_TYPE = re.compile(r'set to "([A-Z_]+)"')
BASES = ("Order", "OrderRequest", "Transaction")
COMMON = ("OrderFill", "LimitOrder", "OrderCancel", "MarketOrder", "StopOrder")
"""What a choice is tried with first, since each one that does not fit takes its time."""


@functools.cache
def specification() -> Contract | None:
    """The contract, unless the document is not at hand."""
    path = contract.find("oanda-v20.json")
    return Contract(sharpened(converted(contract.read(path))), HOST) if path else None


# Swagger 2.0 to OpenAPI 3.0


def converted(swagger: Mapping[str, Any]) -> Document:
    """The same document as OpenAPI 3.0.3: definitions, parameters and responses as components."""
    document: Document = copy.deepcopy(dict(swagger))
    return {
        "openapi": "3.0.3",
        "info": document["info"],
        "servers": [{"url": HOST + document["basePath"]}],
        "paths": {
            path: {method: operation(each) for method, each in item.items()}
            for path, item in document["paths"].items()
        },
        "components": {
            "schemas": {name: schema(each) for name, each in document["definitions"].items()},
            "parameters": {name: parameter(each) for name, each in document["parameters"].items()},
            "responses": {name: response(each) for name, each in document["responses"].items()},
        },
    }


def operation(node: Document) -> Document:
    listed = node.get("parameters", [])
    bodies = [each for each in listed if each.get("in") == "body"]
    made = {
        "parameters": [parameter(each) for each in listed if each not in bodies],
        "responses": {status: response(each) for status, each in node["responses"].items()},
    }
    for body in bodies:
        content = {JSON: {"schema": schema(body["schema"])}}
        made["requestBody"] = {"required": body.get("required", False), "content": content}
    return made


def parameter(node: Document) -> Document:
    if "$ref" in node:
        return {"$ref": moved(node["$ref"])}
    made: Document = {"name": node["name"], "in": node["in"]}
    made["required"] = node.get("required", False)
    made["schema"] = schema({word: node[word] for word in SCHEMA_WORDS if word in node})
    if node.get("collectionFormat") == "csv":
        made |= {"style": "form", "explode": False}
    return made


def response(node: Document) -> Document:
    if "$ref" in node:
        return {"$ref": moved(node["$ref"])}
    made: Document = {"description": node["description"]}
    if "schema" in node:
        made["content"] = {JSON: {"schema": schema(node["schema"])}}
    return made


def schema(node: Any) -> Any:
    """A schema, with its references moved, without sentences as a format, and `int` spelled out."""
    if isinstance(node, list):
        return [schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": moved(node["$ref"])}
    prose = isinstance(node.get("format"), str) and " " in node["format"]
    made = {name: schema(each) for name, each in node.items() if not (prose and name == "format")}
    if made.get("type") == "int":  # a type that there is not
        made["type"] = "integer"
    return made


def moved(reference: str) -> str:
    for before, after in PLACES.items():
        if reference.startswith(before):
            return after + reference.removeprefix(before)
    return reference


# What the document means


def sharpened(document: Document) -> Document:
    """See the module."""
    made = copy.deepcopy(document)
    schemas = made["components"]["schemas"]
    for base in BASES:
        family = sorted(extending(base, schemas), key=lambda name: rank(name, base))
        for name in family:
            narrow(schemas[name])
        schemas[base] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in family]}
    return made


def extending(base: str, schemas: Document) -> Iterator[str]:
    """The definitions that have the base's members and say of which type they are."""
    for name, each in schemas.items():
        kind = each.get("properties", {}).get("type", {})
        if name != base and name.endswith(base) and ITS_TYPE.search(kind.get("description", "")):
            yield name


def rank(name: str, base: str) -> tuple[int, str]:
    stem = name if base == "Order" else name.removesuffix(base.removeprefix("Order"))
    return (COMMON.index(stem) if stem in COMMON else len(COMMON), name)


def narrow(definition: Document) -> None:
    kind = definition["properties"]["type"]
    found = ITS_TYPE.search(kind["description"])
    if found is None:
        raise ValueError(f"no type is named in: {kind['description']}")
    kind["enum"] = [found[1]]
    definition["additionalProperties"] = False
    definition["required"] = ["type"]
