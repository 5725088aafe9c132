"""The WSGI application: any WSGI server runs it, gunicorn, granian and waitress among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web._edge import MAX_BODY, Edge, Observer, utc_now
from msgtrack.web._environ import answer

__all__ = ["MAX_BODY", "TrackingApp"]

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class TrackingApp:
    """A redirect server as a WSGI application; one may serve any number of threads.

    Args:
        handler: decides what each request means.
        record: takes each hit before the answer leaves, such as ``SegmentWriter(...).write``; None keeps nothing.
            When it raises, the reader is answered all the same: the hit is lost, and the log ``msgtrack.web`` says so. It is
            no coroutine function, which nobody would await.
            A request with too large a body (over :data:`MAX_BODY`) is refused and not recorded.
        clock: gives the present; another clock lets a test run on a time scale of its own.
        observe: is told of each answer: its reason and the seconds it took, such as ``RequestMetrics(...).observe``.

    WSGI knows no goodbye: close what records by ``atexit`` or the server's own hook. A server that hands on neither
    ``RAW_URI`` nor ``REQUEST_URI`` has decoded the path already; the hit then holds it encoded anew.

    Raises:
        InvalidValue: ``handler`` has no ``handle``.
        InvalidOption: a function is none, or an asynchronous one.
    """

    def __init__(
        self,
        handler: RedirectHandler,
        *,
        record: Callable[[Hit], object] | None = None,
        clock: Callable[[], datetime] = utc_now,
        observe: Observer | None = None,
    ) -> None:
        self._edge = Edge(handler, record=record, clock=clock, observe=observe)

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Serve one request."""
        response, length = answer(self._edge, environ)
        start_response(
            _LINES.get(response.status, f"{response.status} "), [*response.headers, ("content-length", str(length))]
        )
        return [response.body]
