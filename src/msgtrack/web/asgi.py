"""The ASGI application: any ASGI server runs it, uvicorn and granian among them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler, Request

__all__ = ["MAX_BODY", "TrackingApp", "utc_now"]

MAX_BODY = 65_536
"""Bytes of a posted body that are taken; more is answered with 413."""

_TOO_MUCH = b"There is too much of this.\n"
_TOO_SLOW = b"This took too long.\n"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def utc_now() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


class TrackingApp:
    """A redirect server as an ASGI application.

    Args:
        handler: decides what each request means.
        record: takes each hit before the answer leaves, such as ``SegmentWriter(...).write``; None keeps nothing.
            It must not raise for trouble of its own: the reader's answer does not wait for it to be well.
            A request with too large a body (over :data:`MAX_BODY`) is refused and not recorded.
        on_shutdown: called when the server says goodbye, such as ``SegmentWriter(...).close``.
        body_seconds: how long a posted body may take to come; then the answer is 408, and the request is not recorded.
            It holds on servers that run on asyncio, as all but a few do.
        clock: gives the present; another clock lets a test or a demonstration run on a time scale of its own.
    """

    def __init__(
        self,
        handler: RedirectHandler,
        *,
        record: Callable[[Hit], object] | None = None,
        on_shutdown: Callable[[], object] | None = None,
        body_seconds: float = 10.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._handler = handler
        self._record = record
        self._on_shutdown = on_shutdown
        self._body_seconds = body_seconds
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The moment of the request is when it came, however slowly its body follows.
        received_at = self._clock()
        body: bytes | None = b""
        if scope["method"] == "POST":
            try:
                async with _at_most(self._body_seconds):
                    body = await _body(scope, receive)
            except ConnectionError:
                return
            except TimeoutError:
                await _refuse(send, 408, _TOO_SLOW)
                return
        if body is None:
            await _refuse(send, 413, _TOO_MUCH)
            return
        outcome = self._handler.handle(_request(scope, received_at, body))
        if outcome.hit is not None and self._record is not None:
            self._record(outcome.hit)
        response = outcome.response
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        body = b"" if scope["method"] == "HEAD" else response.body
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._on_shutdown is not None:
                    self._on_shutdown()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None when there is too much of it.

    Raises:
        ConnectionError: the client left before it had said everything.
    """
    said = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    if said.isdigit() and (len(said) > 9 or int(said) > MAX_BODY):
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _at_most(seconds: float) -> AbstractAsyncContextManager[object]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return nullcontext()
    return asyncio.timeout(seconds)


async def _refuse(send: Send, status: int, text: bytes) -> None:
    # What is left of the body is not read, so the connection cannot serve another request.
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _request(scope: Scope, received_at: datetime, body: bytes) -> Request:
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    url = raw.decode("latin-1")
    if scope.get("query_string"):
        url += "?" + scope["query_string"].decode("latin-1")
    client = scope.get("client")
    return Request(
        method=scope["method"],
        url=url,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
        client_ip=client[0] if client else "",
        received_at=received_at,
    )
