"""The ASGI application: any ASGI server runs it, uvicorn and granian among them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler, Request

__all__ = ["TrackingApp", "utc_now"]

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
        on_shutdown: called when the server says goodbye, such as ``SegmentWriter(...).close``.
        clock: gives the present; another clock lets a test or a demonstration run on a time scale of its own.
    """

    def __init__(
        self,
        handler: RedirectHandler,
        *,
        record: Callable[[Hit], object] | None = None,
        on_shutdown: Callable[[], object] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._handler = handler
        self._record = record
        self._on_shutdown = on_shutdown
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, send)

    async def _http(self, scope: Scope, send: Send) -> None:
        outcome = self._handler.handle(_request(scope, self._clock()))
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


def _request(scope: Scope, received_at: datetime) -> Request:
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    url = raw.decode("latin-1")
    if scope.get("query_string"):
        url += "?" + scope["query_string"].decode("latin-1")
    client = scope.get("client")
    return Request(
        method=scope["method"],
        url=url,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        client_ip=client[0] if client else "",
        received_at=received_at,
    )
