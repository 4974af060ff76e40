"""The suite as a client of the event stream: its waits end, and it forgets nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from contract_tests.laboratory.fakes import exit_code
from contract_tests.laboratory.servers import Server
from contract_tests.mutants.proxy import proxied
from contract_tests.mutants.streams import dropped, of
from contract_tests.running import report
from contract_tests.running.checks import Watcher
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client, NoAnswer
from contract_tests.toolkit.expect import Failure, NotExercised, Overdue
from contract_tests.toolkit.frames import FRAME_RULES
from contract_tests.toolkit.stream import Stream
from contract_tests.wire.clock import Steps
from contract_tests.wire.redaction import Secrets
from contract_tests.wire.traffic import Exchange, Message
from contract_tests.wire.written import exchange_entry

Document = dict[str, Any]
Talk = Callable[[ServerConnection], None]

AT = "2026-01-15T10:30:00Z"
CONNECTED = {"type": "connection", "timestamp": AT, "event": "CONNECTED", "last_event_id": "0"}
PING = {"type": "ping", "timestamp": AT}
JUDGED = ("WS-005", "WS-010", "WS-032", "WS-040", "WS-071", "WS-072", "WS-009")


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """A server that does one thing on every connection; its URL."""
    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def listening(talk: Talk, watcher: Watcher | None = None) -> Iterator[Stream]:
    """A stream from such a server, on a clock of steps."""
    watch = watcher or Watcher()
    with talking(talk) as url, Client(url, watch=watch, clock=Steps(), timeout=5) as client:
        client.clock.begin()
        with Api(client).listen() as stream:
            yield stream


def saying(*frames: object) -> Talk:
    """Says frames, then listens until the client closes."""

    def talk(connection: ServerConnection) -> None:
        for frame in frames:
            connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))
        for _ in connection:
            pass

    return talk


# -- hearing ---


def test_frames_come_in_order_until_one_satisfies() -> None:
    """What was taken is kept, with the times of the check's own clock."""
    with listening(saying(CONNECTED, PING, CONNECTED)) as stream:
        found = stream.until(lambda one: one.type == "ping", "a ping")
        assert [one.type for one in found] == ["connection", "ping"]
        assert stream.take("another").event == "CONNECTED"
        times = [one.at for one in stream.seen]
        assert times == sorted(times)
        assert stream.clock.monotonic() == times[-1]
        assert [one.sent for one in stream.exchange.messages or ()] == [False] * 3


def test_waiting_ends_and_the_clock_shows_it() -> None:
    """Nobody waits longer than was said, and what was waited for in vain is waited for less."""
    with listening(saying(CONNECTED)) as stream:
        begin = stream.clock.monotonic()
        with pytest.raises(Overdue, match="a ping"):
            stream.until(lambda one: one.type == "ping", "a ping", within=0.1)
        assert stream.clock.monotonic() == pytest.approx(begin + 0.1)
        assert stream.endurance.seconds("a ping") < stream.endurance.seconds("another")


def test_close_is_a_failure_where_frames_were_expected() -> None:
    """The close code is told, also to who asks again; what is said then is lost."""
    with listening(lambda connection: connection.close(1013, "slow")) as stream:
        for _ in range(2):
            with pytest.raises(Failure, match="a frame") as caught:
                stream.take("a frame")
            assert caught.value.actual == "closed with 1013"
        stream.say({"type": "pong"})
        assert stream.rest("the end", within=1) == 1013


def test_connection_that_breaks_off_has_a_code_too() -> None:
    """An end without a close frame is 1006."""
    with listening(lambda connection: connection.socket.shutdown(SHUT_RDWR)) as stream:
        assert stream.rest("the end", within=5) == 1006


def test_never_ending_stream_is_overdue() -> None:
    """Who waits for the end hears of it, or not at all in time."""
    with listening(saying(CONNECTED)) as stream, pytest.raises(Overdue, match="the end"):
        stream.rest("the end", within=0.1)


def test_messages_reach_the_server() -> None:
    """Objects as JSON, text and bytes as they are; all are kept."""
    heard: list[str | bytes] = []

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            heard.append(message)
            connection.send(json.dumps(PING))

    with listening(talk) as stream:
        for message in ({"type": "pong"}, "no JSON", b"\x00"):
            stream.say(message)
            stream.take("an answer")
    assert heard == ['{"type": "pong"}', "no JSON", b"\x00"]
    assert [one.data for one in stream.exchange.messages or () if one.sent] == heard


def test_slow_client_leaves_frames_with_the_server() -> None:
    """On a thin line a server is soon held up, and goes on once the client reads."""
    done = threading.Event()

    def talk(connection: ServerConnection) -> None:
        for _ in range(2000):
            connection.send(json.dumps(PING | {"padding": "x" * 1000}))
        done.set()
        connection.close()

    with talking(talk) as url, Client(url, timeout=5) as client:
        with Api(client).listen(slow=True) as stream:
            stream.take("the first")
            assert not done.wait(0.5)
            assert stream.rest("the end", within=30) == 1000
        assert done.is_set()
        assert len(stream.seen) == 2000


@pytest.mark.parametrize("status", [401, 404, 200])
def test_refused_handshake(status: int) -> None:
    """Its status is there to be judged; a check that wants to listen is not exercised."""

    def refuse(connection: ServerConnection, _: object) -> Any:
        return connection.respond(status, "no")

    with serve(saying(), "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        with Client(url, timeout=5) as client:
            answer = Api(client).handshake({"after": 17})
            assert (answer.status, answer.exchange.body) == (status, b"no")
            assert answer.exchange.url == f"{url}/ws?after=17"
            with pytest.raises(NotExercised, match=str(status)):
                Api(client).listen()
        server.shutdown()
        thread.join()


def test_nobody_there() -> None:
    """A server that does not answer at all fails a check as any request does."""
    with Client("http://127.0.0.1:9", timeout=1) as client, pytest.raises(NoAnswer):
        Api(client).handshake()


# -- what holds of every frame ---

LIMITS: list[tuple[str, object]] = [
    ("WS-020", "no JSON"),
    ("WS-020", b'{"type": "ping"}'),
    ("WS-020", {"type": "ping"}),
    ("WS-020", {"type": "weather", "timestamp": AT}),
    ("WS-020", [PING]),
    ("WS-021", PING | {"padding": "x" * 256 * 1024}),
    ("WS-022", PING | {"event_id": 17}),
]


@pytest.mark.parametrize(("requirement", "frame"), LIMITS)
def test_every_frame_is_looked_at(requirement: str, frame: object) -> None:
    """Whatever a check listens for, a wrong frame is found when it closes."""
    watcher = Watcher()
    with listening(saying(CONNECTED, frame), watcher) as stream:
        stream.take("the first")
        stream.take("the second")
    assert [one.requirement for one in watcher.take()] == [requirement]


def test_ids_must_grow() -> None:
    """An id that was told before is found, and one that is missing."""
    rules = dict(FRAME_RULES)
    order = {"type": "order", "timestamp": AT, "event": "ORDER_CREATED", "order": {}}
    for events in ([17, 17], [18, 17], [None]):
        ids = [{} if one is None else {"event_id": str(one)} for one in events]
        with pytest.raises(Failure, match="event_id"):
            rules["WS-022"](heard(*(order | one for one in ids)))
    rules["WS-022"](heard(PING, order | {"event_id": "17"}, order | {"event_id": "40"}))


def heard(*frames: Document) -> Exchange:
    """A connection that told these frames."""
    return Exchange(
        method="GET",
        url="http://fake/ws",
        operation=None,
        sent_headers={},
        sent_body=b"",
        status=101,
        headers={},
        body=b"",
        seconds=0.0,
        messages=[Message(at=0.0, sent=False, data=json.dumps(one)) for one in frames],
    )


# -- the report ---


@pytest.fixture(scope="module")
def recorded(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The report of a run over the stream."""
    path = tmp_path_factory.mktemp("stream") / "report.json"
    chosen = [word for one in JUDGED for word in ("--only", one)]
    words = ("--allow-fills", "--report", f"json={path}")
    assert exit_code("run", server.url, *chosen, *words) == 0
    document: Document = json.loads(path.read_text("utf-8"))
    assert report.errors(document) == []
    return document


def streams(document: Document) -> Iterator[Document]:
    """The connections of a report that were accepted."""
    for one in document["requirements"]:
        for check in one["checks"]:
            yield from (each for each in check["exchanges"] if each.get("messages"))


def verified(document: Document, path: Path) -> bool:
    """Whether a report, with a digest made anew, follows from its traffic."""
    document["digest"] = report.digest(document)
    path.write_text(json.dumps(document), "utf-8")
    return exit_code("verify", str(path)) == 0


def test_streams_are_played(recorded: Document, tmp_path: Path) -> None:
    """A report over the stream is verified from its messages."""
    sent = [one["from"] for each in streams(recorded) for one in each["messages"]]
    assert {"client", "server"} == set(sent)
    assert verified(recorded, tmp_path / "report.json")


@pytest.mark.parametrize("forgery", ["dropped", "changed", "unsaid", "added"])
def test_forged_streams_are_refused(recorded: Document, tmp_path: Path, forgery: str) -> None:
    """A message that is missing, changed or made up is found."""
    document = deepcopy(recorded)
    told = [one for one in streams(document) if "ORDER_CANCELLED" in json.dumps(one["messages"])]
    messages = told[-1]["messages"]
    place = next(n for n, one in enumerate(messages) if "ORDER_CANCELLED" in one["text"])
    if forgery == "dropped":
        del messages[place]
    elif forgery == "changed":
        messages[place]["text"] = messages[place]["text"].replace("ORDER_CANCELLED", "ORDER_FILLED")
    elif forgery == "unsaid":
        for one in streams(document):
            one["messages"] = [each for each in one["messages"] if each["from"] == "server"]
    else:
        messages.append(messages[place])
    assert not verified(document, tmp_path / "report.json")


def test_failure_shows_the_connection(server: Server, tmp_path: Path) -> None:
    """Where a server does not tell, the report shows what it told, as page and as script."""
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html")}
    words = [word for kind, path in paths.items() for word in ("--report", f"{kind}={path}")]
    with proxied(server.url) as proxy:
        proxy.mutation = dropped(of("ORDER_CANCELLED"))
        assert exit_code("run", proxy.url, "--only", "WS-032", *words) == 1
    page = paths["html"].read_text("utf-8")
    assert 'class="from-server"' in page
    assert "ORDER_CREATED" in page
    assert "other frames" not in page or "CONNECTED" in page
    assert exit_code("replay", f"{paths['json']}#WS-032", "--against", server.url) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_script_listens(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The script opens the stream beside the requests of the check, and shows what it told."""
    path = tmp_path / "report.json"
    with proxied(server.url) as proxy:
        proxy.mutation = dropped(of("ORDER_CANCELLED"))
        chosen = ("--only", "WS-032", "--report", f"json={path}")
        assert exit_code("run", proxy.url, *chosen) == 1
    capsys.readouterr()
    assert exit_code("replay", f"{path}#WS-032", "--curl") == 0
    script = capsys.readouterr().out
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "BASE": server.url},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    assert "ORDER_CANCELLED" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]


def test_secrets_are_struck_out_of_messages() -> None:
    """What a server tells may hold the key; no report does."""
    secrets = Secrets([("X-API-Key", "secret-of-the-run")])
    exchange = heard(PING | {"echo": "secret-of-the-run"})
    assert exchange.messages is not None
    exchange.messages.append(Message(at=0.0, sent=True, data=b"\x00secret-of-the-run"))
    entry = exchange_entry(exchange, secrets)
    assert "secret-of-the-run" not in json.dumps(entry)
    assert "c2VjcmV0" not in json.dumps(entry)
