"""Production: `gunicorn --config python:handlers.gunicorn_conf`.

Reads the same `TRADING_API_` environment and `.env` as `trading-api serve`. Gunicorn restarts a
worker that dies or hangs and reloads on SIGHUP without dropping a request. Every worker is equal;
run as many as there are cores.

Needs the extra `production`: gunicorn, and `uvicorn-worker`, where uvicorn's worker class for it
lives now (`uvicorn.workers` is deprecated).
"""

from __future__ import annotations

from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger
from uvicorn_worker import UvicornWorker

from handlers.logs import formatter
from handlers.server import UVICORN_OPTIONS
from handlers.settings import Settings, refusal_to_bind

_settings = Settings()


class Worker(UvicornWorker):
    """Uvicorn as this application needs it."""

    CONFIG_KWARGS: dict[str, Any] = {"loop": "auto", **UVICORN_OPTIONS}


class Logger(GunicornLogger):
    """Gunicorn's own lines, and uvicorn's under it, in the form of all others."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)  # type: ignore[no-untyped-call]
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter(_settings.log_format))


def on_starting(server: Arbiter) -> None:
    """Refuses to start where anybody could trade; see `refusal_to_bind`."""
    config: Config = server.cfg
    hosts = [address[0] for address in config.address if isinstance(address, tuple)]
    refusal = refusal_to_bind(_settings, hosts)
    if refusal:
        raise SystemExit(refusal)


wsgi_app = "handlers.app:app_from_environment()"
worker_class = Worker
logger_class = Logger
bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
graceful_timeout = _settings.shutdown_seconds
timeout = 30
loglevel = _settings.log_level
accesslog = None  # the application writes its own
