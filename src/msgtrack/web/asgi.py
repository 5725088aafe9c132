"""The ASGI application: any ASGI server runs it, uvicorn and granian among them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgtrack._options import above_zero, optional_functions
from msgtrack.hits import Hit
from msgtrack.redirect import Headers, RedirectHandler, Response
from msgtrack.web._edge import GONE, MAX_BODY, TOO_MUCH, TOO_SLOW, Edge, Observer, made_request, promised, utc_now

__all__ = ["MAX_BODY", "TrackingApp", "utc_now"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TrackingApp:
    """A redirect server as an ASGI application.

    Args:
        handler: decides what each request means.
        record: takes each hit before the answer leaves, such as ``SegmentWriter(...).write``; None keeps nothing.
            When it raises, the reader is answered all the same: the hit is lost, and the log ``msgtrack.web`` says so. It is
            no coroutine function, which nobody would await.
            A request with too large a body (over :data:`MAX_BODY`) is refused and not recorded.
        on_shutdown: called when the server says goodbye, such as ``SegmentWriter(...).close``.
        body_seconds: how long a posted body may take to come; then the answer is 408, and the request is not recorded.
            It holds on servers that run on asyncio, as all but a few do.
        clock: gives the present; another clock lets a test or a demonstration run on a time scale of its own.
        observe: is told of each answer: its reason and the seconds it took, such as ``RequestMetrics(...).observe``.

    Raises:
        InvalidValue: ``handler`` has no ``handle``.
        InvalidOption: a function is none, or an asynchronous one; ``body_seconds`` is not above zero.
    """

    def __init__(
        self,
        handler: RedirectHandler,
        *,
        record: Callable[[Hit], object] | None = None,
        on_shutdown: Callable[[], object] | None = None,
        body_seconds: float = 10.0,
        clock: Callable[[], datetime] = utc_now,
        observe: Observer | None = None,
    ) -> None:
        self._edge = Edge(handler, record=record, clock=clock, observe=observe)
        optional_functions(on_shutdown=on_shutdown)
        above_zero(body_seconds=body_seconds)
        self._on_shutdown = on_shutdown
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        if scope["type"] != "http":
            return
        # The moment of the request is when it came, however slowly its body follows.
        received_at = self._edge.now()
        url, headers = _url(scope), _ScopeHeaders(scope["headers"])
        short = self._edge.short(scope["method"], url, headers, received_at)
        if short is None:
            await self._http(scope, receive, send, url, headers, received_at)
            return
        # Sent from here, because each coroutine in between is felt.
        settled, cookie = short
        raw = list(settled.raw_headers)
        if cookie:
            raw.append((b"set-cookie", cookie.encode()))
        await send({"type": "http.response.start", "status": settled.response.status, "headers": raw})
        await send({"type": "http.response.body", "body": settled.response.body})

    async def _http(
        self, scope: Scope, receive: Receive, send: Send, url: str, headers: Headers, received_at: datetime
    ) -> None:
        body: bytes | None = b""
        if scope["method"] == "POST":
            try:
                async with _at_most(self._body_seconds):
                    body = await _body(scope, receive)
            except ConnectionError:
                # A client may have closed its half alone and still listen; where none does, some servers raise.
                with suppress(OSError):
                    await _refuse(send, GONE)
                return
            except TimeoutError:
                await _refuse(send, self._edge.refuse(TOO_SLOW))
                return
        if body is None:
            await _refuse(send, self._edge.refuse(TOO_MUCH))
            return
        client = scope.get("client")
        address = client[0] if client else ""
        response, length = self._edge.answer(made_request(scope["method"], url, headers, body, address, received_at))
        await _send(send, response, length)

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
    length = promised(said)
    if length is not None and length > MAX_BODY:
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
            if length is not None and len(body) < length:
                raise ConnectionError
            return body


def _at_most(seconds: float) -> AbstractAsyncContextManager[object]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return nullcontext()
    return asyncio.timeout(seconds)


async def _send(send: Send, response: Response, length: int, *more: tuple[bytes, bytes]) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    headers += [(b"content-length", b"%d" % length), *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _refuse(send: Send, response: Response) -> None:
    # What is left of the body is not read, so the connection cannot serve another request.
    await _send(send, response, len(response.body), (b"connection", b"close"))


def _url(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    if scope.get("query_string"):
        raw += b"?" + scope["query_string"]
    return raw.decode("latin-1")


class _ScopeHeaders(Headers):
    """Headers whose values stay bytes until they are asked for: a browser sends a dozen, and few matter."""

    __slots__ = ("_raw", "_values")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = raw if isinstance(raw, list) else list(raw)
        self._values = dict(reversed(self._raw))
        # Names are in lower case, says ASGI; not every server has read that.
        if not b"".join(self._values).islower():
            self._raw = [(name.lower(), value) for name, value in self._raw]
            self._values = dict(reversed(self._raw))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw])

    def first(self, name: str) -> str:
        value = self._values.get(name.encode())
        return "" if value is None else value.decode("latin-1")

    def every(self, name: str) -> list[str]:
        key = name.encode()
        if key not in self._values:
            return []
        return [value.decode("latin-1") for known, value in self._raw if known == key]

    def has_any(self, names: frozenset[str]) -> bool:
        return not self._values.keys().isdisjoint(_as_bytes(names))


@lru_cache(maxsize=16)
def _as_bytes(names: frozenset[str]) -> frozenset[bytes]:
    return frozenset([name.encode() for name in names])
