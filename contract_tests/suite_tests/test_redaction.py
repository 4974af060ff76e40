"""No secret that a run was given, or got, is in anything that it leaves behind."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from contract_tests.laboratory.fakes import HEALTHY, Asked, exit_code, fake_server
from contract_tests.laboratory.fleet import SessionLab
from contract_tests.reports import KINDS
from contract_tests.wire.redaction import STRUCK, Secrets

KEY = "very-secret/key+1"
PASSWORD = 'pass\u00e4"word'
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


def everything(directory: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """All that was printed and written."""
    printed = capsys.readouterr()
    files = [path.read_text("utf-8") for path in sorted(directory.iterdir())]
    assert len(files) == len(KINDS)
    return "\n".join([printed.out, printed.err, *files])


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: Bearer {KEY}",
        f"X-API-Key: {KEY}",
        f"Cookie: a=1; sid={KEY}",
        f"My-Token: {KEY}",
    ],
    ids=lambda header: header.partition(":")[0],
)
def test_server_that_tells_secrets(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    header: str,
) -> None:
    """Echoed in bodies, in bytes and in what a failure shows, the key is struck out everywhere."""
    monkeypatch.chdir(tmp_path)
    value = header.partition(": ")[2]

    def echo(asked: Asked) -> object:
        return 200, json.dumps(
            {"ready": value, "spelt": [quote(KEY, safe=""), dict(asked.headers)]}
        )

    def raw(_: Asked) -> object:
        return 200, b"\xff" + value.encode()

    with fake_server({**HEALTHY, "/ready": echo, "/health": raw}) as fake:
        only = ("--only", "SYS-002", "--only", "SYS-003", "--only", "GEN-001")
        words = ("--report", ",".join(KINDS), "-H", header, *only)
        assert exit_code("run", fake.url, *words) == 1
        name = header.partition(":")[0].lower()
        assert {one.headers[name] for one in fake.asked} == {value}
    text = everything(tmp_path, capsys)
    decoded = [
        base64.b64decode(one["body_base64"]) for one in _exchanges(tmp_path) if "body_base64" in one
    ]
    assert decoded
    for secret in (KEY, quote(KEY, safe="")):
        assert secret not in text
        assert secret.encode() not in b"".join(decoded)
    assert STRUCK in text
    assert exit_code("verify", KINDS["json"].file) == 0


def _exchanges(directory: Path) -> list[dict[str, str]]:
    document = json.loads((directory / KINDS["json"].file).read_text("utf-8"))
    checks = [check for one in document["requirements"] for check in one["checks"]]
    return [exchange for check in checks for exchange in check["exchanges"]]


def test_password_in_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Name and password of a URL are sent as a header and told nowhere."""
    monkeypatch.chdir(tmp_path)
    with fake_server() as fake:
        url = fake.url.replace("//", f"//me:{quote(PASSWORD)}@")
        words = ("--only", "SYS-002", "--report", ",".join(KINDS))
        assert exit_code("run", url, *words) == 0
        assert {one.headers["authorization"] for one in fake.asked} == {f"Basic {BASIC}"}
    text = everything(tmp_path, capsys)
    for secret in (PASSWORD, quote(PASSWORD), BASIC, json.dumps(PASSWORD)[1:-1]):
        assert secret not in text


def test_keys_of_a_server_that_asks_for_them(
    lab: SessionLab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a key the checks of keys run, and what they found can be verified without it."""
    monkeypatch.chdir(tmp_path)
    keyed = lab.keyed()
    only = [word for one in ("AUT-001", "AUT-002", "AUT-003") for word in ("--only", one)]
    words = ("-H", f"Authorization: Bearer {keyed.key}", "--report", ",".join(KINDS))
    assert exit_code("run", keyed.api.client.base_url, *only, *words) == 0
    assert keyed.key not in everything(tmp_path, capsys)
    assert exit_code("verify", KINDS["json"].file) == 0
    document = json.loads(Path(KINDS["json"].file).read_text("utf-8"))
    assert document["totals"]["MUST"]["passed"] + document["totals"]["SHOULD"].get("passed", 0) == 3


def test_session_of_the_server() -> None:
    """What a server gives out as a cookie is its secret, wherever it shows up later."""
    secrets = Secrets()
    assert secrets.header("Set-Cookie", "sid=from-the-server; Path=/") == STRUCK
    assert secrets.text("sid is from-the-server") == f"sid is {STRUCK}"


def test_short_values_spoil_no_words() -> None:
    """A value of a few characters is struck out of its header alone."""
    secrets = Secrets([("X-API-Key", "ok")])
    assert secrets.header("x-api-key", "ok") == STRUCK
    assert secrets.text('{"status": "ok"}') == '{"status": "ok"}'


def test_harmless_headers_stay() -> None:
    """What is no secret by its name is shown."""
    secrets = Secrets([("Accept-Language", "german")])
    assert secrets.header("accept-language", "german") == "german"
    assert secrets.text("german") == "german"
