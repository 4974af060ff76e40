"""One client of the event stream, from the end of the handshake to the close.

Four tasks share it: one tells the provider's frames, one hears the client, one sends heartbeats,
one watches that what is sent is taken. Whichever ends first decides how the connection ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from starlette.types import Message, Receive, Send

from handlers.replies import dumps
from handlers.stream_spec import StreamSpec
from providers.base import FrameType, Provider, SlowReader
from providers.errors import InvalidRequest, TradingError

SHUTDOWN = "trading_api.shutdown"
"""Type of a message that the server puts among the client's when it is about to stop."""

LAST_WORDS = "trading_api.last_words"
"""Key of a message to send without waiting for a client that does not read; nothing follows it but
the close."""

TOO_SLOW = (
    "Frames were taken too slowly; connect again with after=<event_id of the last event seen>"
)

log = logging.getLogger("trading_api")


class Patience(NamedTuple):
    """Seconds between heartbeats, and for which a frame may stay untaken."""

    heartbeat: float
    send: float


class Ending(Exception):
    """The connection ends: with this close code, after these last words if there are any."""

    def __init__(self, code: int, reason: str = "", words: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.words = words


class Gone(Ending):
    """The client has closed, with this code, or is gone: nobody is left to be told."""


class Connection:
    """See the module. `receive` and `send` are those of ASGI, the connection accepted."""

    def __init__(
        self,
        provider: Provider,
        account: str,
        spec: StreamSpec,
        patience: Patience,
        receive: Receive,
        send: Send,
    ) -> None:
        self._provider = provider
        self._account = account
        self._spec = spec
        self._patience = patience
        self._receive = receive
        self._send = send
        self._time = asyncio.get_running_loop().time
        self._untaken_since: float | None = None

    async def run(self, frames: AsyncIterator[str]) -> int:
        """Serve the client until either side ends it; returns the close code."""
        tasks = [
            asyncio.create_task(work)
            for work in (self._hear(), self._tell(frames), self._beat(), self._watch())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task.exception() for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _close(frames)
        return await self._part(self._ending(ended[0]))

    # The tasks; each ends by raising

    async def _tell(self, frames: AsyncIterator[str]) -> NoReturn:
        async for text in frames:
            await self._say(text)
        raise Ending(1000)

    async def _beat(self) -> NoReturn:
        while True:
            await asyncio.sleep(self._patience.heartbeat)
            await self._say(self._frame(FrameType.PING))

    async def _hear(self) -> NoReturn:
        while True:
            message = await self._receive()
            match message["type"]:
                case "websocket.receive":
                    await self._answer(message)
                case "websocket.disconnect":
                    raise Gone(message.get("code", 1005))
                case type_ if type_ == SHUTDOWN:
                    raise Ending(1001, "The server is shutting down", self._disconnecting())

    async def _answer(self, received: Message) -> None:
        try:
            message = self._spec.message(received)
        except InvalidRequest as error:
            await self._say(self._error("INVALID_MESSAGE", error.message, error.details))
            return
        if message["type"] == "event_ack" and message["events_processed"]:
            await self._provider.acknowledge(self._account, message["events_processed"])

    async def _watch(self) -> NoReturn:
        """Raises SlowReader. One timer now and then costs less than one around every frame."""
        while True:
            await asyncio.sleep(self._patience.send / 4)
            since = self._untaken_since
            if since is not None and self._time() - since > self._patience.send:
                raise SlowReader

    async def _say(self, text: str) -> None:
        """Send a frame, which takes as long as the client does not read. Raises Gone."""
        if self._untaken_since is None:
            self._untaken_since = self._time()
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError:  # says ASGI
            raise Gone(1006) from None
        self._untaken_since = None

    # The end

    def _ending(self, cause: BaseException | None) -> Ending:
        """What becomes of the connection for what ended a task."""
        if isinstance(cause, Ending):
            return cause
        if isinstance(cause, SlowReader):
            return Ending(1013, "Frames were taken too slowly", self._disconnecting(error=TOO_SLOW))
        if isinstance(cause, TradingError):
            log.warning("The event stream broke off: %s: %s", cause.code, cause.message)
        else:
            log.error("Unhandled error in the event stream", exc_info=cause)
        error = self._error("INTERNAL_ERROR", "The event stream broke off; connect again", None)
        return Ending(1011, "Internal error", error)

    async def _part(self, ending: Ending) -> int:
        if not isinstance(ending, Gone):
            with suppress(OSError):  # it went meanwhile
                if ending.words is not None:
                    await self._send(
                        {"type": "websocket.send", "text": ending.words, LAST_WORDS: True}
                    )
                close = {"type": "websocket.close", "code": ending.code, "reason": ending.reason}
                await self._send(close)
        return ending.code

    # Frames of our own

    def _frame(self, type_: FrameType, **members: Any) -> str:
        return dumps({"type": type_, "timestamp": self._provider.now(), **members}).decode()

    def _disconnecting(self, **members: str) -> str:
        broker = self._provider.name
        return self._frame(FrameType.CONNECTION, event="DISCONNECTING", broker=broker, **members)

    def _error(self, code: str, message: str, details: Mapping[str, Any] | None) -> str:
        return self._frame(FrameType.ERROR, code=code, message=message, details=details)


async def _close(frames: AsyncIterator[str]) -> None:
    """End a subscription; that of a provider without generators ends by itself."""
    if isinstance(frames, AsyncGenerator):
        await frames.aclose()
