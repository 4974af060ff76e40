"""Connexion's routing of openapi.yaml, remembered, with three corrections.

Connexion matches a request against each route in turn, which takes longer than all the rest of a
short request. Where a method and path lead never changes, so each answer is kept and reused.

The corrections:

- 405 lists every method of the path in `Allow`; Starlette lists those of one route.
- A path with a slash too many is unknown; Starlette redirects it, to a host the client named.
- A line break in a path matches nothing; in a pattern `$` would let a trailing one through.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from connexion.exceptions import ResolverError
from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.errors import MethodNotAllowed, PathNotFound

MOST_REMEMBERED = 4096
"""Routing decisions kept; a busy server sees the same few paths again and again."""
LONGEST_REMEMBERED = 256
"""Characters of a path worth keeping: no honest one is longer."""

HTTP_METHODS = frozenset({"get", "put", "post", "delete", "patch"})


class Found(NamedTuple):
    """Connexion's decision for a method and path: which operation, with which path parameters."""

    context: dict[str, Any]
    path_params: dict[str, str]


class Routing(RoutingMiddleware):
    """Names the operation of each request in its scope, for `fastpath` to run."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(self._remember)
        self._next = app
        self._allowed: dict[str, set[str]] = {}
        self._routes: dict[tuple[str, str, str], Found] = {}

    def add_api(
        self,
        specification: Specification,
        base_path: str | None = None,
        arguments: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().add_api(specification, base_path, arguments, **options)
        self.router.redirect_slashes = False
        for mount in self.router.routes:
            if isinstance(mount, Mount):
                mount.app.redirect_slashes = False  # type: ignore[attr-defined]  # a Router
                self._note_methods(mount)

    def _note_methods(self, mount: Mount) -> None:
        for route in mount.routes:
            if isinstance(route, Route):
                self._allowed.setdefault(route.path, set()).update(route.methods or ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._next(scope, receive, send)
            return
        found = self._routes.get((scope["method"], scope["path"], scope.get("root_path", "")))
        if found is None:
            await self._route(scope, receive, send)
            return
        scope["path_params"] = found.path_params
        scope["extensions"] = {**scope.get("extensions", {}), ROUTING_CONTEXT: found.context}
        await self._next(scope, receive, send)

    async def _remember(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Notes where Connexion sent a request, for the next one of the same method and path."""
        context = scope["extensions"][ROUTING_CONTEXT]
        path = scope["path"]
        if context["operation_id"] is not None and len(path) <= LONGEST_REMEMBERED:
            if len(self._routes) >= MOST_REMEMBERED:
                self._routes.clear()
            key = (scope["method"], path, scope.get("root_path", ""))
            self._routes[key] = Found(context, scope["path_params"])
        await self._next(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\n" in scope["path"] or "\r" in scope["path"]:
            raise PathNotFound(scope["path"])
        try:
            await super().__call__(scope, receive, send)
        except HTTPException as error:
            if error.status_code != 405:
                raise
            raise self.method_not_allowed(scope) from None

    def method_not_allowed(self, scope: Scope) -> MethodNotAllowed:
        """`scope` has the route that Starlette found for the path and not for the method."""
        return MethodNotAllowed(scope["method"], sorted(self._allowed[scope["route"].path]))


class TagResolver(Resolver):
    """Finds an operation's function in the module named after its tag.

    `Market Data` with operationId `get_quote` is `handlers.market_data.get_quote`.
    """

    def __init__(self, spec: Mapping[str, Any], package: str) -> None:
        super().__init__()
        self._modules = {
            operation["operationId"]: f"{package}.{module_name(operation['tags'][0])}"
            for path in spec["paths"].values()
            for method, operation in path.items()
            if method in HTTP_METHODS
        }

    def resolve_operation_id(self, operation: AbstractOperation) -> str:
        return f"{self._modules[operation.operation_id]}.{operation.operation_id}"

    def resolve_function_from_operation_id(self, operation_id: str) -> Any:
        """Raises ResolverError, which stops the start, when the spec names what is not there."""
        module, _, function = operation_id.rpartition(".")
        try:
            return getattr(import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise ResolverError(f"No handler for {operation_id}: {error}") from error


def module_name(tag: str) -> str:
    return tag.lower().replace(" ", "_")
