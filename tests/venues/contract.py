"""A venue's published specification, and whether a request or an answer is what it says.

The specifications are not part of this project. They are looked for in the folder that
TRADING_API_UPSTREAM_SPECS names, beside the checkout, and, for Alpaca, in its own MCP server, which
ships them; without them an emulator serves all the same, and tests of the traffic skip.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

ROOT = Path(__file__).resolve().parents[2]
ALPACAS = {
    "alpaca-trading.json": "trading-api.json",
    "alpaca-marketdata.json": "market-data-api.json",
}


def find(name: str) -> Path | None:
    """The file of a specification, such as `oanda-v20.json`; None where it is not at hand."""
    folders = [ROOT.parent / "shared" / "upstream-specs"]
    if "TRADING_API_UPSTREAM_SPECS" in os.environ:
        folders.insert(0, Path(os.environ["TRADING_API_UPSTREAM_SPECS"]))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    package = find_spec("alpaca_mcp_server") if name in ALPACAS else None
    for place in (package.submodule_search_locations or []) if package else []:
        shipped = Path(place) / "specs" / ALPACAS[name]
        if shipped.is_file():
            return shipped
    return None


@dataclass
class Request:
    """A request as openapi-core looks at it."""

    method: str
    path: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str
    host_url: str


@dataclass
class Response:
    status_code: int
    data: bytes
    content_type: str = "application/json"
    headers: Headers = field(default_factory=Headers)


class Contract:
    """One document. `server` is the base URL, as the document has it, that paths hang on."""

    def __init__(self, document: Mapping[str, Any], server: str) -> None:
        self._document = document
        self._server = server
        # The documents are the venues' own: what they leave to be desired is not ours to refuse.
        self._openapi = OpenAPI.from_dict(
            document,
            config=Config(spec_validator_cls=None),
        )

    def request_violations(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> list[str]:
        """What the document does not allow about a request, also unknown names in it."""
        request = self._request(method, path, query, headers, body)
        try:
            self._openapi.validate_request(request)
        except OpenAPIError as error:
            return [f"{method} {path}: {message}" for message in messages(error)]
        operation, item = self._operation(request)
        unknown = {name for name, _ in query} - self._parameters("query", operation, item)
        wrong = [f"{method} {path}: unknown query parameter {name}" for name in sorted(unknown)]
        return wrong + [f"{method} {path}: {each}" for each in self._strangers(operation, body)]

    def response_violations(
        self, method: str, path: str, status: int, body: bytes, content_type: str
    ) -> list[str]:
        """What the document does not allow about an answer."""
        request = self._request(method, path, [], {}, None)
        response = Response(status, body, content_type.partition(";")[0])
        try:
            self._openapi.validate_response(request, response)
        except OpenAPIError as error:
            return [f"{method} {path} -> {status}: {message}" for message in messages(error)]
        return []

    def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Request:
        parameters = RequestParameters(
            query=ImmutableMultiDict(query), header=Headers(list(headers.items()))
        )
        content_type = headers.get("content-type", "application/json").partition(";")[0]
        return Request(method.lower(), path, parameters, body or None, content_type, self._server)

    def _operation(self, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self._openapi.request_validator._find_path(request)  # type: ignore[attr-defined]
        item = (
            found.path.read_value() if hasattr(found.path, "read_value") else found.path.contents()
        )
        return item[request.method], item

    def _parameters(self, place: str, *holders: dict[str, Any]) -> set[str]:
        listed = (self._resolve(one) for holder in holders for one in holder.get("parameters", ()))
        return {one["name"] for one in listed if one["in"] == place}

    def _strangers(self, operation: dict[str, Any], body: bytes | None) -> Iterator[str]:
        """The members of a JSON body that its schema, which lists some, does not list."""
        content = self._resolve(operation.get("requestBody", {})).get("content", {})
        if not body or "application/json" not in content:
            return
        known = self._properties(content["application/json"].get("schema", {}))
        for name in json.loads(body):
            if known and name not in known:
                yield f"unknown member {name} of the body"

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        schema = self._resolve(schema)
        known = set(schema.get("properties", {}))
        for key in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(key, ()):
                known |= self._properties(part)
        return known

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node


def messages(error: BaseException) -> list[str]:
    """The sentences of an error, with what it was caused by."""
    causes = list(getattr(error, "schema_errors", ())) or [error.__cause__ or error]
    inner = [each for cause in causes for each in getattr(cause, "schema_errors", [cause])]
    return [type(error).__name__ + ": " + str(getattr(each, "message", each)) for each in inner]


@functools.cache
def load(name: str, server: str) -> Contract | None:
    """The contract of a file, unless that is not at hand."""
    path = find(name)
    return None if path is None else Contract(read(path), server)


def read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = json.loads(text) if path.suffix == ".json" else yaml.load(text, loader)  # noqa: S506
    return dict(document)
