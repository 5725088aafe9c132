"""What goes into the redirect and what comes out: a request, a response, and both with the hit to log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import field, frozen

from msgtrack._borders import closed, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.hits import Hit

__all__ = ["Failure", "Outcome", "Request", "Response"]


def _pairs(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    try:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return tuple((as_text(name).lower(), as_text(value)) for name, value in pairs)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"headers must be pairs of name and value, as text: {error}") from None


def _body(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise InvalidValue(f"body must be bytes, not {type(value).__name__}")


@closed
@frozen(kw_only=True, weakref_slot=False)  # so that its layout is that of its fields alone: see _trusted
class Request:
    """One request as a server sees it. ``url`` is absolute, or path and query; ``received_at`` aware; header names
    in any case; ``body`` what was posted, as bytes.
    """

    method: str = field(converter=as_text)
    url: str = field(converter=as_text)
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=_pairs)
    body: bytes = field(default=b"", converter=_body)
    client_ip: str = field(default="", converter=as_text)
    received_at: datetime = field(converter=utc)

    def header(self, name: str) -> str:
        """The first header of this (lower-case) name, or empty text."""
        return next((value for known, value in self.headers if known == name), "")


@frozen(kw_only=True)
class Response:
    """What to answer: status, headers as pairs of lower-case name and value, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@frozen(kw_only=True)
class Failure:
    """That a function or registry which the handler asked raised, or gave what it must not.

    ``where`` is one of ``resolver`` (its registry, ``identify`` of the web tags), ``deliveries``, ``check``, ``mirror``,
    ``preferences``, ``language``, ``new-source-id`` and ``health``. As text a failure says that and the class of the
    error: nothing of the request, no token and no address. ``error`` itself may hold more.
    """

    where: str
    error: Exception = field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.where}: {type(self.error).__name__}"


@frozen(kw_only=True)
class Outcome:
    """What a request came to: the response to send, the hit to log (None: nothing to log), and the reason.

    ``failures`` tells what went wrong on our side; the reader has got a safe answer all the same.
    """

    response: Response
    hit: Hit | None
    reason: str
    failures: tuple[Failure, ...] = ()
