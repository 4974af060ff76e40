"""The documentation and the spec, served beside the API and offline."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
import yaml

from handlers.site import load_spec

SPEC = Path(__file__).resolve().parents[2] / "openapi.yaml"


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_the_spec_is_served_as_written(api: httpx.AsyncClient, base: str) -> None:
    """/openapi.yaml is the file, byte for byte; /openapi.json says the same."""
    text = await api.get(f"{base}/openapi.yaml")
    assert text.content == SPEC.read_bytes()
    assert text.headers["content-type"] == "application/yaml"
    data = await api.get(f"{base}/openapi.json")
    assert data.headers["content-type"] == "application/json"
    assert data.json() == load_spec(SPEC)


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_the_spec_of_the_stream_is_served_as_written(
    api: httpx.AsyncClient, base: str
) -> None:
    """/asyncapi.yaml is the file, where its references to ./openapi.yaml lead to that file."""
    text = await api.get(f"{base}/asyncapi.yaml")
    assert text.content == SPEC.with_name("asyncapi.yaml").read_bytes()
    assert text.headers["content-type"] == "application/yaml"


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_the_documentation_is_complete(api: httpx.AsyncClient, base: str) -> None:
    """Everything the page and its script ask for is served from here."""
    page = await api.get(f"{base}/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) == 4
    for part in parts:
        found = await api.get(f"{base}/{part}")
        assert (found.status_code, bool(found.content)) == (200, True)


async def test_nothing_is_fetched_from_elsewhere(api: httpx.AsyncClient) -> None:
    """Page and script name no other host."""
    for path in ("/docs", "/docs/start.js"):
        assert "//" not in re.sub(r"(?m)^\s*//.*$|[;,] //.*$", "", (await api.get(path)).text)


@pytest.mark.parametrize(
    ("path", "target"),
    [("/", "/docs"), ("/v1", "/v1/docs"), ("/v1/", "/v1/docs"), ("/docs/", "/docs")],
)
async def test_a_reader_is_led_to_the_documentation(
    api: httpx.AsyncClient, path: str, target: str
) -> None:
    """Whoever opens the root in a browser arrives at /docs."""
    response = await api.get(path)
    assert (response.status_code, response.headers["location"]) == (307, target)


def test_dates_of_the_spec_stay_text(tmp_path: Path) -> None:
    """An unquoted date in an example is not turned into another notation."""
    file = tmp_path / "spec.yaml"
    file.write_text("a: 2025-01-15T10:30:00Z\nb: 2025-01-15\nc: 1\n")
    assert load_spec(file) == {"a": "2025-01-15T10:30:00Z", "b": "2025-01-15", "c": 1}
    assert yaml.safe_load("2025-01-15") != "2025-01-15"
