"""The composition root: the spec, a provider, keys and limits become one ASGI application."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from connexion import ConnexionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers import logs, no_provider
from handlers.auth import Keyring
from handlers.fastpath import FastPath, Services
from handlers.gateway import Gateway
from handlers.routing import Routing, TagResolver
from handlers.settings import PREFIX, Settings
from handlers.site import Site, load_spec
from handlers.stream import Stream
from handlers.stream_connection import Patience
from handlers.stream_spec import StreamSpec
from providers import registry
from providers.base import Provider

SPEC_FILE = Path(__file__).with_name("openapi.yaml")
STREAM_SPEC_FILE = Path(__file__).with_name("asyncapi.yaml")
BASE_PATHS = ("", "/v1")
"""The seed's paths, and the same under the prefix that published clients use."""

log = logging.getLogger("trading_api")


def create_app(settings: Settings, provider: Provider | None = None) -> ASGIApp:
    """The whole server, but for the sockets.

    `provider` is what the settings name unless one is given. It is started and stopped by the
    ASGI lifespan. Raises when the spec is invalid or names a function that does not exist.
    """
    venue = provider if provider is not None else create_provider(settings)
    services = Services(venue, Keyring(settings.api_keys), settings.max_body_bytes)
    if services.keyring.open:
        log.warning("No API keys: everybody on this machine may trade. See %sAPI_KEYS.", PREFIX)
    spec = load_spec(SPEC_FILE)
    requests = access_log(settings)
    stream = Stream(
        venue,
        services.keyring,
        StreamSpec(load_spec(STREAM_SPEC_FILE), spec),
        BASE_PATHS,
        Patience(settings.heartbeat_seconds, settings.stream_send_seconds),
        requests,
    )
    middlewares: list[Any] = [Routing, partial(FastPath, services=services), LifespanMiddleware]
    app = ConnexionMiddleware(
        Site(SPEC_FILE, BASE_PATHS, STREAM_SPEC_FILE, stream.paths),
        import_name=__name__,
        lifespan=partial(running, venue),
        middlewares=middlewares,
        resolver=TagResolver(spec, package="handlers"),
    )
    for base_path in BASE_PATHS:
        app.add_api(spec, base_path=base_path, name=base_path.strip("/") or None)
    return by_protocol(Gateway(app, requests), stream)


def by_protocol(api: ASGIApp, stream: ASGIApp) -> ASGIApp:
    """WebSockets go to the event stream, all else to the API."""

    async def split(scope: Scope, receive: Receive, send: Send) -> None:
        await (stream if scope["type"] == "websocket" else api)(scope, receive, send)

    return split


def access_log(settings: Settings) -> logs.AccessLog | None:
    """Requests are events of level INFO."""
    return logs.AccessLog(settings.log_format) if settings.log_level in ("debug", "info") else None


def create_provider(settings: Settings) -> Provider:
    if settings.provider == no_provider.NAME:
        return no_provider.NoProvider()
    return registry.create(
        settings.provider,
        database_url=settings.database_url,
        options=settings.provider_options,
    )


@asynccontextmanager
async def running(provider: Provider, _: object) -> AsyncIterator[None]:
    """The lifespan of the application: the provider runs in it.

    What has been made by now (spec, validators, modules) lives as long as the process. Freezing it
    spares the garbage collector to walk it again and again: a pause of 50 ms each time.
    """
    await provider.start()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        await provider.stop()


def app_from_environment() -> ASGIApp:
    """For servers that import the application: uvicorn with several workers, and gunicorn."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format)
    return create_app(settings)
