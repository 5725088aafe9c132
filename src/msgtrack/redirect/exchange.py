"""What goes into the redirect and what comes out: a request, a response, and both with the hit to log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import overload

from attrs import field, frozen

from msgtrack._borders import closed, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.hits import Hit

__all__ = ["Failure", "Headers", "Outcome", "Request", "Response"]


class Headers(Sequence[tuple[str, str]]):
    """The headers of a request: pairs of lower-case name and value, in the order in which they came.

    Equal to a tuple of the same pairs. An edge has a subclass of its own, that reads no more of them than is asked for: it
    has other ``pairs``, ``first``, ``every`` and ``has_any``, which say the same.
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._first = dict(reversed(self._pairs))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All of them."""
        return self._pairs

    def first(self, name: str) -> str:
        """The first value of a (lower-case) name, or empty text."""
        return self._first.get(name, "")

    def first_of(self, names: tuple[str, ...]) -> str:
        """The first value of the first of these names where it is not empty; or empty text."""
        for name in names:
            if value := self.first(name):
                return value
        return ""

    def every(self, name: str) -> list[str]:
        """All values of a (lower-case) name."""
        return [value for known, value in self._pairs if known == name] if name in self._first else []

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether there is one of these (lower-case) names, whatever it says."""
        return any(self.every(name) for name in names)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs())

    def __len__(self) -> int:
        return len(self.pairs())

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[str, str], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | tuple[tuple[str, str], ...]:
        return self.pairs()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self.pairs() == other.pairs()
        return self.pairs() == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pairs())

    def __repr__(self) -> str:
        return repr(self.pairs())


def _headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    if isinstance(headers, Headers):
        return headers
    try:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return Headers((as_text(name).lower(), as_text(value)) for name, value in pairs)
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
    headers: Headers = field(default=Headers(), converter=_headers)
    body: bytes = field(default=b"", converter=_body)
    client_ip: str = field(default="", converter=as_text)
    received_at: datetime = field(converter=utc)

    def header(self, name: str) -> str:
        """The first header of this (lower-case) name, or empty text."""
        return self.headers.first(name)


@frozen(kw_only=True, weakref_slot=False)  # see Request
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


@frozen(kw_only=True, weakref_slot=False)  # see Request
class Outcome:
    """What a request came to: the response to send, the hit to log (None: nothing to log), and the reason.

    ``failures`` tells what went wrong on our side; the reader has got a safe answer all the same.
    """

    response: Response
    hit: Hit | None
    reason: str
    failures: tuple[Failure, ...] = ()
