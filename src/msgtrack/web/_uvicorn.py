"""Uvicorn's HTTP, with limits on what it waits for: it has one for idle connections only."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

__all__ = ["MAX_HEAD", "impatient"]

MAX_HEAD = 65_536
"""Bytes of a request before its body; more is answered with 431. What browsers send has some thousand."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 27\r\nconnection: close\r\n\r\nThere is too much of this.\n"
)
# What is not read by then waits for a client that is gone.
_LINGER_SECONDS = 30.0


def impatient(request_seconds: float) -> type[HttpToolsProtocol]:
    """The protocol for ``uvicorn.Config(http=...)``: a connection that has not sent a whole request in time is closed.

    The time runs from its first byte, or from the connection; a head of more than :data:`MAX_HEAD` bytes is refused.
    A client that does not read its answer is left after half a minute.
    """

    class Impatient(HttpToolsProtocol):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self._patience: asyncio.TimerHandle | None = None
            self._is_open = False
            """Whether something came after the last whole request."""
            self._done = self.cycle
            """The last request that came whole; another one is there as soon as its head is."""
            self._head = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            self._wait(request_seconds)

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait(None)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._is_open = True
            if self.cycle is self._done:
                self._head += len(data)
            super().data_received(data)
            # Nearly always the request is here, and nothing is to be done.
            if self._is_open or self._patience is not None:
                self._look_after()

        def on_message_complete(self) -> None:
            self._is_open = False
            self._done = self.cycle
            self._head = 0
            super().on_message_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.transport.is_closing():
                self._wait(_LINGER_SECONDS)
            elif not self._is_open:
                # Uvicorn's own limit for idle connections holds from here.
                self._wait(None)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._wait(_LINGER_SECONDS)

        def _look_after(self) -> None:
            if self.transport.is_closing():
                self._wait(_LINGER_SECONDS)
            elif not self._is_open:
                self._wait(None)
            elif self.cycle is self._done and self._head > MAX_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                self._wait(_LINGER_SECONDS)
            elif self._patience is None:
                # Empty lines between requests are no request, and time is up for them too.
                self._wait(request_seconds)

        def _wait(self, seconds: float | None) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None
            if seconds is not None:
                self._patience = self.loop.call_later(seconds, self._leave)

        def _leave(self) -> None:
            self._patience = None
            self.transport.abort()

    return Impatient
