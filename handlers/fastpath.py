"""Runs an operation: key, parameters, body, handler, reply.

This is a Connexion middleware like its own: a `RoutedAPI` builds one `Operation` per operation of
the spec when the server starts, and the `RoutedMiddleware` around it picks the one that routing
named. It stands where Connexion's security, validation and decorators stand by default. They
compile a validator for each request; here everything is compiled once, and a request only runs it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.auth import OPEN_ACCOUNT, Keyring
from handlers.bodies import BodyReader
from handlers.errors import MethodNotAllowed
from handlers.gateway import HEADERS
from handlers.parameters import ParameterReader
from handlers.replies import JSON, Call, Reply, send_json
from handlers.routing import HTTP_METHODS
from providers.base import Provider

Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Services:
    """What operations need besides the request; made once by `create_app`."""

    provider: Provider
    keyring: Keyring
    max_body_bytes: int


class Operation:
    """One operation of the spec at one base path, as an ASGI application."""

    def __init__(
        self,
        operation: AbstractOperation,
        services: Services,
        base_path: str,
        shadows: Mapping[str, list[str]],
    ) -> None:
        self._provider = services.provider
        self._keyring = services.keyring if needs_key(operation.security) else None
        self._base_path = base_path
        self._parameters = ParameterReader(unique(operation.parameters))
        self._body = body_reader(operation, services.max_body_bytes)
        self._handler: Handler = operation.function
        self._shadows = shadows
        check_signature(operation, self._parameters, has_body=self._body is not None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._shadows:
            self._refuse_shadowed(scope)
        headers = scope[HEADERS]
        account = self._keyring.account(headers) if self._keyring else OPEN_ACCOUNT
        arguments = self._parameters.read(scope["path_params"], scope["query_string"])
        if self._body:
            arguments["body"] = await self._body.read(headers, receive)
        call = Call(account, self._provider, scope.get("root_path", "") + self._base_path)
        answer = await self._handler(call, **arguments)
        reply = answer if type(answer) is Reply else Reply(answer)
        await send_json(scope, send, reply)

    def _refuse_shadowed(self, scope: Scope) -> None:
        """`DELETE /orders/history` is not the cancellation of an order called history.

        A concrete path of the spec wins over a template (OpenAPI 3.0, Paths Object), also for
        the methods that only the template has.
        """
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        allowed = self._shadows.get(path)
        if allowed:
            raise MethodNotAllowed(scope["method"], allowed)


class OperationAPI(RoutedAPI[Operation]):
    """All operations of the spec at one base path."""

    def __init__(self, specification: Specification, *, services: Services, **options: Any) -> None:
        super().__init__(specification, **options)
        self._services = services
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Operation:
        shadows = shadowing_paths(self.specification["paths"], operation.path, operation.method)
        here = {self.base_path + path: allowed for path, allowed in shadows.items()}
        return Operation(operation, self._services, self.base_path, here)


class FastPath(RoutedMiddleware[OperationAPI]):
    """Hands each request to the operation that routing named; what has none goes on."""

    api_cls = OperationAPI

    def __init__(self, app: ASGIApp, services: Services) -> None:
        super().__init__(app)
        self._services = services

    def add_api(self, specification: Specification, **options: Any) -> OperationAPI:
        return super().add_api(specification, services=self._services, **options)


def needs_key(security: list[Mapping[str, Any]] | None) -> bool:
    """Whether the spec's `security` leaves no way in without a key."""
    return bool(security) and all(security or ())


def unique(definitions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Connexion adds a path's shared parameters anew each time it reads an operation."""
    return list({(d["in"], d["name"]): d for d in definitions}.values())


def body_reader(operation: AbstractOperation, limit: int) -> BodyReader | None:
    body = operation.request_body
    if not body:
        return None
    schema = body["content"][JSON.decode()]["schema"]
    return BodyReader(schema, required=body.get("required", False), limit=limit)


def check_signature(
    operation: AbstractOperation, parameters: ParameterReader, *, has_body: bool
) -> None:
    """Fails the start, not the first request, when a handler lacks a parameter of the spec."""
    names = [*(p.name for p in parameters.path), *parameters.query, *(["body"] * has_body)]
    try:
        inspect.signature(operation.function).bind(None, **dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"{operation.operation_id} does not fit openapi.yaml: {error}") from None


def shadowing_paths(
    paths: Mapping[str, Mapping[str, Any]], template: str, method: str
) -> dict[str, list[str]]:
    """Concrete paths that `template` matches and that lack `method`, with their methods."""
    if "{" not in template:
        return {}
    pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", template))
    return {
        path: allowed_methods(operations)
        for path, operations in paths.items()
        if "{" not in path and method not in operations and pattern.fullmatch(path)
    }


def allowed_methods(operations: Iterable[str]) -> list[str]:
    methods = {method.upper() for method in operations if method in HTTP_METHODS}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
