"""What every edge does with a request once it has it: decide, record, then answer. One place, so that no two differ.

What failed behind the handler, or in ``record`` and ``observe``, is told to the log ``msgtrack.web``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve

from msgtrack._borders import shown, utc
from msgtrack._options import functions, optional_functions
from msgtrack._trusted import trusted
from msgtrack.errors import InvalidValue
from msgtrack.hits import Hit
from msgtrack.redirect import Failure, Headers, RedirectHandler, Request, Response
from msgtrack.redirect.guarding import tried
from msgtrack.redirect.shortcut import Settled

__all__ = ["GONE", "MAX_BODY", "NO_LENGTH", "TOO_MUCH", "TOO_SLOW", "Edge", "Observer", "promised", "utc_now"]

MAX_BODY = 65_536
"""Bytes of a posted body that are taken; more is answered with 413."""

_PLAIN = (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"))
TOO_MUCH = Response(status=413, headers=_PLAIN, body=b"There is too much of this.\n")
"""The answer to a body of more than :data:`MAX_BODY` bytes."""

TOO_SLOW = Response(status=408, headers=_PLAIN, body=b"This took too long.\n")
"""The answer to a body that did not come in time."""

GONE = Response(status=400, headers=_PLAIN, body=b"The end of this is missing.\n")
"""The answer to a client that left before the end of its body, if it still listens."""

NO_LENGTH = Response(status=411, headers=_PLAIN, body=b"The length of this is not said.\n")
"""The answer to a body in chunks, of a server that cannot read them."""

_LOG = logging.getLogger("msgtrack.web")
_SAID = {
    "record": "a reader was answered, and the hit is lost because of %s",
    "observe": "an answer was not counted because of %s",
}

made_request = trusted(Request, received_at=None)
"""A request of fields that hold already: text, header names in lower case, a moment in UTC."""

Observer = Callable[[str, float], object]
"""Is told of each answer: its reason (``too-large`` and ``too-slow`` for refused bodies), and the seconds that it took to make."""


def utc_now() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


def promised(content_length: bytes | str) -> int | None:
    """The bytes that a ``Content-Length`` promises, or one more than :data:`MAX_BODY` if it is more; None if it is no number."""
    if not (content_length.isdigit() and content_length.isascii()):
        return None
    return MAX_BODY + 1 if len(content_length) > 9 else min(int(content_length), MAX_BODY + 1)


class Edge:
    """From request to answer.

    Args:
        handler: decides what each request means.
        record: takes each hit before the answer leaves; None keeps nothing.
        clock: gives the present.
        observe: is told of each answer; see :data:`Observer`.

    What ``record`` or ``observe`` raises (an ``Exception``) keeps no reader from the answer: the log says where, and the class
    of the error, and the hit that ``record`` raised for is lost.

    Raises:
        InvalidValue: ``handler`` has no ``handle``.
        InvalidOption: ``record``, ``clock`` or ``observe`` is no function, or an asynchronous one.
    """

    __slots__ = ("_clock", "_find", "_handle", "_observe", "_record")

    def __init__(
        self,
        handler: RedirectHandler,
        *,
        record: Callable[[Hit], object] | None = None,
        clock: Callable[[], datetime] = utc_now,
        observe: Observer | None = None,
    ) -> None:
        if isinstance(handler, type) or not callable(getattr(handler, "handle", None)):
            raise InvalidValue(f"handler must be a RedirectHandler, not {shown(handler)}")
        functions(**{"handler.handle": handler.handle, "clock": clock})
        optional_functions(record=record, observe=observe)
        self._handle = handler.handle
        # Whoever answers in a way of their own is asked about each request.
        shortcut = handler.shortcut if type(handler) is RedirectHandler else None
        self._find = None if shortcut is None else shortcut.find
        self._record = record
        self._observe = observe
        self._clock = clock

    def now(self) -> datetime:
        """The present in UTC, of whatever zone the clock is."""
        at = self._clock()
        return at if at.tzinfo is UTC else utc(at)

    def short(self, method: str, url: str, headers: Headers, received_at: datetime) -> tuple[Settled, str] | None:
        """What a request without a body comes to where others like it were answered, its hit being recorded, and a cookie to set
        where that is not empty; None where :meth:`answer` has to be asked.
        """
        if self._find is None:
            return None
        began = 0.0 if self._observe is None else time.perf_counter()
        found = self._find(method, url, headers, received_at)
        if found is None:
            return None
        settled, hit, cookie = found
        failures: tuple[Failure, ...] = ()
        # Not by tried(): another call is felt here.
        if self._record is not None:
            try:
                self._record(hit)
            except Exception as error:  # noqa: BLE001  # see tried()
                failures = (Failure(where="record", error=error),)
        if self._observe is not None:
            try:
                self._observe(settled.reason, time.perf_counter() - began)
            except Exception as error:  # noqa: BLE001  # see tried()
                failures += (Failure(where="observe", error=error),)
        if failures:
            _tell(failures)
        return settled, cookie

    def answer(self, request: Request) -> tuple[Response, int]:
        """The answer, its hit being recorded, and the number for its ``Content-Length``."""
        began = 0.0 if self._observe is None else time.perf_counter()
        outcome = self._handle(request)
        response = outcome.response
        length = len(response.body)
        if request.method == "HEAD":
            # RFC 9110 8.6: the length is that of the body which GET would have brought.
            length = len(self._handle(evolve(request, method="GET")).response.body)
            if response.body:
                response = evolve(response, body=b"")
        failures = outcome.failures
        if outcome.hit is not None and self._record is not None:
            kept = tried("record", self._record, outcome.hit)
            failures += (kept,) if isinstance(kept, Failure) else ()
        _tell(failures + self._observed(outcome.reason, time.perf_counter() - began))
        return response, length

    def refuse(self, response: Response) -> Response:
        """The answer to a body that is too large or too slow; nothing is recorded."""
        _tell(self._observed("too-large" if response.status == 413 else "too-slow", 0.0))
        return response

    def _observed(self, reason: str, seconds: float) -> tuple[Failure, ...]:
        """Tell the observer of an answer, if there is one; gives how it failed."""
        done = None if self._observe is None else tried("observe", self._observe, reason, seconds)
        return (done,) if isinstance(done, Failure) else ()


def _tell(failures: tuple[Failure, ...]) -> None:
    # What a failure says names neither a token nor an address; its error might, and so might a traceback.
    for failure in failures:
        _LOG.error(_SAID.get(failure.where, "a reader was answered without the help of %s"), str(failure))
