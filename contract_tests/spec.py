"""The packaged openapi.yaml and asyncapi.yaml: requirements, operations, and validators of answers.

The suite judges by these copies, never by what the target serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import yaml

SPEC_FILE: Final = Path(__file__).with_name("openapi.yaml")
STREAM_FILE: Final = Path(__file__).with_name("asyncapi.yaml")
SPEC_FILES: Final = (SPEC_FILE, STREAM_FILE)
VERSION_PREFIX: Final = "/v1"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_SCHEMA_REF: Final = "#/components/schemas/"
_BESIDE: Final = "./openapi.yaml"
"""How asyncapi.yaml names the other document."""

STREAM: Final = "stream"
LONGEST_FRAME: Final = 256 * 1024
OPEN_LISTS: Final = frozenset({"ErrorCode", "RejectReason", "Feature", "AssetClass"})
"""Enums to which a server may add values of its own without breaking a MUST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One sentence of the spec's x-requirements.

    `level` is MUST, SHOULD or MAY; `profile` core or full; `feature` is set where only servers
    that declare it are judged; `where` is the operationId it stands on, "document", or "stream"
    for all of asyncapi.yaml.
    """

    id: str
    level: str
    profile: str
    feature: str | None
    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: its path as a template, and the statuses it documents.

    `public` operations never need a key. All others need the provider. Every conformant server
    has the `core` operations: those with a requirement of that profile.
    """

    id: str
    method: str
    path: str
    statuses: frozenset[int]
    public: bool
    core: bool
    pattern: re.Pattern[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def document() -> dict[str, Any]:
    """openapi.yaml as plain data."""
    return _loaded(SPEC_FILE)


@cache
def stream_document() -> dict[str, Any]:
    """asyncapi.yaml as plain data."""
    return _loaded(STREAM_FILE)


def _loaded(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506
    return loaded


@cache
def requirements() -> Mapping[str, Requirement]:
    """Every requirement by id, in the order of the documents."""
    return {found.id: found for found in _requirements()}


def _requirements() -> Iterator[Requirement]:
    for raw in document()["x-requirements"]:
        yield _requirement(raw, "document")
    for _, _, node in _operation_nodes():
        for raw in node.get("x-requirements", ()):
            yield _requirement(raw, node["operationId"])
    streamed = [raw for node in _stream_nodes() for raw in node.get("x-requirements", ())]
    for raw in sorted(streamed, key=lambda raw: str(raw["id"])):
        yield _requirement(raw, STREAM)


def _stream_nodes() -> Iterator[dict[str, Any]]:
    yield from stream_document()["channels"].values()
    yield from stream_document()["operations"].values()


def _requirement(raw: dict[str, str], where: str) -> Requirement:
    return Requirement(
        id=raw["id"],
        level=raw["level"],
        profile=raw["profile"],
        feature=raw.get("feature"),
        text=raw["text"],
        where=where,
    )


def _operation_nodes() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation by operationId; paths without parameters come first."""
    found = [_operation(*entry) for entry in _operation_nodes()]
    return {one.id: one for one in sorted(found, key=lambda one: "{" in one.path)}


def _operation(path: str, method: str, node: dict[str, Any]) -> Operation:
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        statuses=frozenset(map(int, node["responses"])),
        public=node.get("security") == [],
        core=any(raw["profile"] == "core" for raw in node.get("x-requirements", ())),
        pattern=_path_pattern(path),
    )


def _path_pattern(path: str) -> re.Pattern[str]:
    """A symbol may hold a slash, raw or as %2F; ids may not."""
    escaped = re.escape(path).replace(r"\{symbol\}", ".+")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", escaped))


def operation_of(method: str, path: str) -> Operation | None:
    """The operation that a request addresses; `path` may carry the version prefix."""
    bare = path.removeprefix(VERSION_PREFIX) if path.startswith(VERSION_PREFIX + "/") else path
    for operation in operations().values():
        if operation.method == method.upper() and operation.pattern.fullmatch(bare):
            return operation
    return None


def documented_methods(path: str) -> set[str]:
    """The methods that the spec gives to a path template."""
    return {operation.method for operation in operations().values() if operation.path == path}


def response_errors(operation: Operation, status: int, body: object) -> list[str]:
    """Where an answer's body departs from the spec; empty when it conforms."""
    return _errors(_response_validator(operation.id, status, closed=False), body)


def strange_values(operation: Operation, status: int, body: object) -> list[str]:
    """Where an answer's body has values of OPEN_LISTS that the spec does not have."""
    known = set(response_errors(operation, status, body))
    closed = _errors(_response_validator(operation.id, status, closed=True), body)
    return [error for error in closed if error not in known]


def _errors(validator: jsonschema_rs.Validator | None, body: object) -> list[str]:
    if validator is None:
        return []
    try:
        return [
            f"{'/'.join(map(str, error.instance_path)) or 'body'}: {error.message}"
            for error in validator.iter_errors(body)
        ]
    except ValueError as error:  # nested deeper than it goes
        return [f"body: {error}"]


def schema_errors(name: str, body: object) -> list[str]:
    """Where a value departs from a component schema; empty when it conforms."""
    validator = _validator({"$ref": _SCHEMA_REF + name}, closed=False)
    return _errors(validator, body)


@cache
def _response_validator(
    operation_id: str, status: int, *, closed: bool
) -> jsonschema_rs.Validator | None:
    operation = operations()[operation_id]
    node = document()["paths"][operation.path][operation.method.lower()]
    response = node["responses"].get(str(status))
    if response is None:
        return None
    if "$ref" in response:
        response = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return _validator(response["content"]["application/json"]["schema"], closed=closed)


@cache
def frame_types() -> frozenset[str]:
    """The types of the frames that a server sends."""
    return frozenset(stream_document()["components"]["schemas"]["FrameType"]["enum"])


def frame_errors(frame: object) -> list[str]:
    """Where a frame departs from the schema of its type; empty when it conforms."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    if kind not in frame_types():
        return [f"type: {kind!r} is none of the document's"]
    return _errors(_frame_validator(str(kind)), frame)


@cache
def _frame_validator(kind: str) -> jsonschema_rs.Validator:
    schema = stream_document()["components"]["messages"][kind]["payload"]["schema"]
    return _validator(schema, closed=False)


def _validator(schema: dict[str, Any], *, closed: bool) -> jsonschema_rs.Validator:
    schemas = _json_schemas() if closed else _json_schemas() | _opened()
    whole = {"allOf": [_json_schema(schema)], "components": {"schemas": schemas}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@cache
def _json_schemas() -> dict[str, Any]:
    schemas = document()["components"]["schemas"]
    return {name: _json_schema(schema) for name, schema in schemas.items()}


def _opened() -> dict[str, Any]:
    return {name: {"type": "string"} for name in OPEN_LISTS}


def _json_schema(node: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: `nullable` becomes one more alternative."""
    if isinstance(node, list):
        return [_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    bare = {key: _json_schema(value) for key, value in node.items() if key not in _NOT_JSON_SCHEMA}
    if isinstance(bare.get("$ref"), str):
        bare["$ref"] = bare["$ref"].removeprefix(_BESIDE)
    return {"anyOf": [bare, {"type": "null"}]} if node.get("nullable") is True else bare


_NOT_JSON_SCHEMA: Final = {"nullable", "example", "discriminator", "xml", "externalDocs"}


@cache
def decimal_fields() -> frozenset[str]:
    """Names of all properties that hold decimals, in requests and answers."""
    return frozenset(_decimal_fields())


def _decimal_fields() -> Iterator[str]:
    names = ("Decimal", "NullableDecimal", "PositiveDecimal", "NullablePositiveDecimal")
    decimals = {_SCHEMA_REF + name for name in names}
    for schema in document()["components"]["schemas"].values():
        for name, node in schema.get("properties", {}).items():
            refs = {part.get("$ref") for part in node.get("allOf", ())}
            if refs & decimals:
                yield name


def enum(name: str) -> tuple[str, ...]:
    """The values of an enum schema."""
    return tuple(document()["components"]["schemas"][name]["enum"])
