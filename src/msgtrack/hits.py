"""A hit: one request for one of our URLs, live or read from a log; and what is left of a line nobody could read."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from msgtrack._borders import closed, count, one_of, optional_count, optional_id, utc
from msgtrack._borders import text as as_text

__all__ = ["MAX_HEADER", "PURPOSE_HEADERS", "Hit", "Rejected", "header_text", "prefetch_purpose", "wants_privacy"]

MAX_HEADER = 512
"""How many characters of a header's value are kept."""


def header_text(raw: bytes | str) -> str:
    r"""The value of a header as a hit keeps it, so that a live request and its line in a log say the same.

    Bytes are read as UTF-8; those that are none become ``\xhh``. Text is taken to be what servers hand on, each
    character a byte (Latin-1); text beyond Latin-1 was read as UTF-8 already and stays. Cut to :data:`MAX_HEADER`
    characters.
    """
    if isinstance(raw, str):
        if raw.isascii():
            return raw[:MAX_HEADER]
        return _bytes(raw).decode("utf-8", "backslashreplace")[:MAX_HEADER]
    return raw.decode("utf-8", "backslashreplace")[:MAX_HEADER]


PURPOSE_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""The headers by which clients say that nobody looks yet, the standard's first."""

_PREFETCHING = ("prefetch", "prerender", "preview")


def prefetch_purpose(value: str) -> str:
    """``prefetch`` for a value of one of :data:`PURPOSE_HEADERS` that says so, else the empty text."""
    lowered = value.lower()
    return "prefetch" if any(word in lowered for word in _PREFETCHING) else ""


def wants_privacy(value: str) -> bool:
    """Whether a value of the header ``Sec-GPC`` is the signal."""
    return value.strip() == "1"


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


_wish = one_of("privacy", ("", "no-key", "aggregate"))


def _privacy(value: object) -> str:
    return "" if value == "" else _wish(value)


@closed
@frozen(kw_only=True, weakref_slot=False)  # so that its layout is that of its fields alone: see _trusted
class Hit:
    """One request, wherever it came from; a live request and its line in a log become the same value.

    ``url`` is what was asked for: an absolute URL, or path and query. ``purpose`` is empty for a reader's request
    and ``prefetch`` when the client said that nobody looks yet. ``status`` is what a foreign server answered; None
    when the answer was ours, unless we refused a page of our own. ``client_ip`` is empty unless a policy keeps it.
    ``request_id`` is the server's own name of the request, if it gave one.

    ``privacy`` is what the browser's ``Sec-GPC`` signal came to under the policy of the server: ``no-key`` tells nobody
    from another, ``aggregate`` names no message either; empty where there was none. In an access log the signal is
    ``no-key``. ``session`` and ``earlier`` are
    kept with visits of tagged pages alone: the signed tokens of the message whose link this browser followed, in the
    session that still lasts and at any time before.
    """

    method: str = field(converter=as_text)
    url: str = field(converter=as_text)
    received_at: datetime = field(converter=utc)
    user_agent: str = field(default="", converter=as_text)
    referrer: str = field(default="", converter=as_text)
    purpose: str = field(default="", converter=as_text)
    client_ip: str = field(default="", converter=as_text)
    source_id: str | None = field(default=None, converter=optional_id)
    status: int | None = field(default=None, converter=optional_count)
    request_id: str = field(default="", converter=as_text)
    privacy: str = field(default="", converter=_privacy)
    session: str = field(default="", converter=as_text)
    earlier: str = field(default="", converter=as_text)


def _shortened(value: object) -> str:
    return as_text(value)[:2_000]


@closed
@frozen(kw_only=True)
class Rejected:
    """A line that is no hit and no event: kept with its reason, never an exception.

    ``line`` counts from 1; ``reason`` is a short code; ``text`` is the line as found, shortened past 2,000 characters.
    """

    line: int = field(converter=count)
    reason: str = field(converter=as_text)
    text: str = field(converter=_shortened)
    source: str = field(default="", converter=as_text)
