"""URL formats: how a tracked URL looks. ``compact`` is here, ``campaign`` beside it; the protocol is small, so others
can be written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from attrs import frozen

from msgtrack._options import base_of
from msgtrack._trusted import trusted
from msgtrack.links.repair import MAX_LENGTH, canonical_path
from msgtrack.model import OPEN_LINK_ID, Part

__all__ = ["CompactFormat", "ParsedUrl", "UrlFormat"]


@frozen(kw_only=True, weakref_slot=False)
class ParsedUrl:
    """The parts of a URL that may be one of ours: link part, message part (empty where there is none), repairs made.

    The open has the link part ``1``, the pages of our own server ``u`` (opt-out), ``m`` (mirror) and ``p``
    (preferences).

    A format that also writes the link's id or content part in plain says them in ``link_id`` and ``part``: a URL
    that says otherwise than the link itself names nobody.

    Values of a personalised link stand at the end of the message part, as they came. A format that writes them in a way
    of its own says in ``values`` what they may have been: each reading is the values in our alphabet, parted by ``-``,
    with the signature right behind the last.
    """

    link: str
    message: str
    repairs: tuple[str, ...] = ()
    link_id: str | None = None
    part: Part | None = None
    values: tuple[str, ...] = ()


@runtime_checkable
class UrlFormat(Protocol):
    """How tracked URLs are written and read.

    A URL is ``before + message part + after``; what stands around the message part is made once per link.

    A format may have methods more, and with them write ids in a way of its own:

    - ``prepare_link(link: TrackedLink, part: str)`` is asked instead of ``prepare``: it is given the whole link too,
      and may give any number of texts, with a gap between each two.
    - ``spread(message: str)`` turns a message part into the texts for those gaps; ``parse`` must put the very same
      message part together again. It raises ``InvalidId`` for ids that it cannot write.

    The values of a personalised link stand at the end of its message part, behind the first ``.-`` of it, and no format need
    know what they are: one that spreads message parts passes them on at the end of its last text. One that wants to show
    them has a third, ``with_values(texts, message_texts, values, signature)``: the whole URL from a link's texts,
    those of the message part, the values and the signature over them; see ``ParsedUrl.values``.
    """

    def prepare(self, link: str) -> tuple[str, ...]:
        """What stands before and after the message part in the URL of a link part (for the open ``1``, for the pages of
        our own server ``u``, ``m`` and ``p``).

        All of it must be fit for an HTML attribute in either quotes, and for plain text.
        """
        ...

    def parse(self, url: str) -> ParsedUrl | None:
        """The parts of a URL, known gateway damage undone; None when it cannot be one of ours. Nothing is believed
        yet.
        """
        ...


_parsed = trusted(ParsedUrl)


def _undamaged(path: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    """What matches a whole URL of two segments, behind the path of the base or without it."""
    base = "/".join(map(re.escape, path))
    start = f"(?:/{base}/|/(?!{base}(?:/|\\Z)))" if base else "/"
    return re.compile(rf"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?{start}([a-z0-9.-]+)/([a-z0-9.-]*[a-z0-9])").fullmatch


class CompactFormat:
    """``<base>/<link part>/<message part>``: nothing that mail could hurt. The open has the link part ``1``, the pages
    of our own server ``u``, ``m`` and ``p``.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_of(base_url)
        self._path = [segment.lower() for segment in urlsplit(self._base).path.split("/") if segment]
        self._undamaged = _undamaged(self._path)

    def prepare(self, link: str) -> tuple[str, ...]:
        """See :class:`UrlFormat`."""
        return f"{self._base}{link}/", ""

    def parse(self, url: str) -> ParsedUrl | None:
        """See :class:`UrlFormat`. The path of the base may be there or have been taken off by a proxy."""
        # Nearly all come as they were sent; one expression tells, and says the same as the long way round.
        clean = self._undamaged(url) if len(url) <= MAX_LENGTH else None
        if clean is not None:
            return _parsed(*clean.groups())
        path, repairs = canonical_path(url)
        segments = [segment for segment in path.split("/") if segment]
        depth = len(self._path)
        if depth and [segment.lower() for segment in segments[:depth]] == self._path:
            segments = segments[depth:]
        if len(segments) == 1 and segments[0] != OPEN_LINK_ID:
            return ParsedUrl(link=segments[0], message="", repairs=repairs)
        if len(segments) != 2:
            return None
        return ParsedUrl(link=segments[0], message=segments[1], repairs=repairs)
