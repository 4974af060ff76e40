"""What is served beside the API: its documentation, which works offline, and the spec as written.

These are the paths that routing leaves over, so they cost an API request nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml
from starlette.types import Receive, Scope, Send

from handlers.errors import MethodNotAllowed, PathNotFound, UpgradeRequired
from handlers.replies import JSON, send_bytes

_TYPES: Mapping[str, bytes] = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".png": b"image/png",
}
_SWAGGER_UI = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_READ = ["GET", "HEAD"]


class Page(NamedTuple):
    """A file to serve, or a place to send the reader on to."""

    content: bytes | Path
    content_type: bytes = b""
    location: str | None = None


class Site:
    """The ASGI application behind the API. Raises PathNotFound for what it does not have.

    `streams` are the paths of the event stream, which are no pages.
    """

    def __init__(
        self,
        spec_file: Path,
        base_paths: Iterable[str],
        stream_spec_file: Path,
        streams: Collection[str],
    ) -> None:
        self._pages = site_pages(spec_file, base_paths, stream_spec_file)
        self._streams = streams

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root)
        page = self._pages.get(path)
        if page is None and path in self._streams:
            raise UpgradeRequired
        if page is None:
            raise PathNotFound(scope["path"])
        if scope["method"] not in _READ:
            raise MethodNotAllowed(scope["method"], _READ)
        await _send_page(scope, send, page, root)


def site_pages(
    spec_file: Path, base_paths: Iterable[str], stream_spec_file: Path
) -> dict[str, Page]:
    """Every page by its path, once under each base path of the API."""
    documents = {
        "/openapi.yaml": Page(spec_file, b"application/yaml"),
        "/openapi.json": Page(orjson.dumps(load_spec(spec_file)), JSON),
        "/asyncapi.yaml": Page(stream_spec_file, b"application/yaml"),
        **_documentation(),
    }
    pages = {base + path: page for base in base_paths for path, page in documents.items()}
    for base in base_paths:
        for path in (base or "/", f"{base}/", f"{base}/docs/"):
            pages[path] = Page(b"", location=f"{base}/docs")
    return pages


def load_spec(spec_file: Path) -> dict[str, Any]:
    """openapi.yaml as plain JSON values; unquoted dates in it stay the text they are."""
    with spec_file.open("rb") as stream:
        spec: dict[str, Any] = yaml.load(stream, _SpecLoader)  # noqa: S506  # a safe loader
    return spec


class _SpecLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without its timestamps; in C where PyYAML was built so, which is ten times faster."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _documentation() -> dict[str, Page]:
    own = Path(__file__).with_name("docs")
    swagger_ui = swagger_ui_folder()
    files = {
        "/docs": own / "index.html",
        "/docs/start.js": own / "start.js",
        **{f"/docs/{name}": swagger_ui / name for name in _SWAGGER_UI},
    }
    return {path: Page(file, _TYPES[file.suffix]) for path, file in files.items()}


def swagger_ui_folder() -> Path:
    """Swagger UI as the package `flask-swagger-ui` ships it, the one on PyPI that keeps up with
    its releases. Only its files are used: the package, and with it Flask, is never imported.
    """
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package flask-swagger-ui is not installed")
    return Path(spec.submodule_search_locations[0]) / "dist"


async def _send_page(scope: Scope, send: Send, page: Page, root: str) -> None:
    if page.location is not None:
        target = (b"location", (root + page.location).encode())
        await send_bytes(scope, send, 307, b"", [target])
        return
    body = page.content if isinstance(page.content, bytes) else page.content.read_bytes()
    headers = [(b"content-type", page.content_type), (b"cache-control", b"no-cache")]
    await send_bytes(scope, send, 200, body, headers)
