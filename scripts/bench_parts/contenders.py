"""The same two operations, built four ways. All check the key, the body and the model.

Ours serves the whole of openapi.yaml under both base paths; the others only the two operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import orjson
from connexion import AsyncApp
from connexion.resolver import Resolver
from connexion.spec import Specification
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from handlers.app import SPEC_FILE, create_app
from handlers.auth import ApiKey, Keyring
from handlers.replies import dumps
from handlers.schemas import CompiledSchema
from handlers.settings import Settings
from handlers.site import load_spec
from providers.base import Provider
from providers.errors import Unauthorized
from providers.models import OrderHandle, OrderRequest, Quote
from scripts.bench_parts.subject import API_KEYS, KEY, ConstantProvider

PROVIDER = ConstantProvider()
KEYRING = Keyring([ApiKey.parse(API_KEYS)])


def ours() -> ASGIApp:
    """This project's server."""
    settings = Settings(_env_file=None, api_keys=API_KEYS, log_level="warning")  # type: ignore[arg-type]
    return create_app(settings, cast(Provider, PROVIDER))


def starlette() -> ASGIApp:
    """Starlette by hand: the same compiled validator, the same models, orjson."""
    spec = Specification.from_dict(load_spec(SPEC_FILE))  # type: ignore[no-untyped-call]
    schema = CompiledSchema(spec["components"]["schemas"]["OrderRequest"], "body")

    async def submit_order(request: Request) -> Response:
        account = KEYRING.account(dict(request.scope["headers"]))
        body = schema.accept(orjson.loads(await request.body()))
        submission = await PROVIDER.submit_order(account, OrderRequest.model_validate(body))
        return Response(dumps(submission.handle), 201, media_type="application/json")

    async def get_quote(request: Request) -> Response:
        KEYRING.account(dict(request.scope["headers"]))
        quote = await PROVIDER.get_quote(request.path_params["symbol"])
        return Response(dumps(quote), media_type="application/json")

    return Starlette(
        routes=[
            Route("/orders", submit_order, methods=["POST"]),
            Route("/quotes/{symbol:path}", get_quote),
        ]
    )


async def fastapi_account(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    try:
        return KEYRING.account({b"x-api-key": credentials.credentials.encode()})
    except Unauthorized as error:
        raise HTTPException(401) from error


def fastapi() -> ASGIApp:
    """FastAPI as its tutorial has it: pydantic models in and out, a dependency for the key."""
    app = FastAPI()

    @app.post("/orders", status_code=201)
    async def submit_order(
        order: OrderRequest, account: Annotated[str, Depends(fastapi_account)]
    ) -> OrderHandle:
        return (await PROVIDER.submit_order(account, order)).handle

    @app.get("/quotes/{symbol:path}", dependencies=[Depends(fastapi_account)])
    async def get_quote(symbol: str) -> Quote:
        return await PROVIDER.get_quote(symbol)

    return app


def connexion() -> ASGIApp:
    """Connexion as it comes, with strict validation and its own key handlers."""
    spec = load_spec(SPEC_FILE)
    spec["paths"] = {
        "/orders": {"post": spec["paths"]["/orders"]["post"]},
        "/quotes/{symbol}": spec["paths"]["/quotes/{symbol}"],
    }
    here = "scripts.bench_parts.contenders"
    schemes = spec["components"]["securitySchemes"]
    schemes["BearerAuth"]["x-bearerInfoFunc"] = f"{here}.bearer_info"
    schemes["ApiKeyAuth"]["x-apikeyInfoFunc"] = f"{here}.key_info"
    app = AsyncApp(__name__, resolver=Resolver(CONNEXION_HANDLERS.__getitem__))
    app.add_api(spec, strict_validation=True)
    return cast(ASGIApp, app)


async def _connexion_submit_order(body: dict[str, Any], user: str) -> tuple[dict[str, Any], int]:
    submission = await PROVIDER.submit_order(user, OrderRequest.model_validate(body))
    return submission.handle.model_dump(mode="json"), 201


async def _connexion_get_quote(symbol: str) -> dict[str, Any]:
    return (await PROVIDER.get_quote(symbol)).model_dump(mode="json")


CONNEXION_HANDLERS: Mapping[str, Callable[..., Any]] = {
    "submit_order": _connexion_submit_order,
    "get_quote": _connexion_get_quote,
}


def bearer_info(token: str) -> dict[str, str] | None:
    return {"sub": "bench"} if token == KEY else None


def key_info(apikey: str, required_scopes: object) -> dict[str, str] | None:  # noqa: ARG001
    return bearer_info(apikey)


CONTENDERS: Mapping[str, Callable[[], ASGIApp]] = {
    "ours": ours,
    "starlette": starlette,
    "fastapi": fastapi,
    "connexion": connexion,
}
