"""URL formats: how a tracked URL looks. ``compact`` is here, ``campaign`` beside it; the protocol is small, so others
can be written.
"""

from __future__ import annotations

import re
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from attrs import frozen

from msgtrack.errors import InvalidOption
from msgtrack.links.repair import canonical_path
from msgtrack.model import OPEN_LINK_ID, Part

__all__ = ["CompactFormat", "ParsedUrl", "UrlFormat", "base_of"]

_SAFE_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")


@frozen(kw_only=True)
class ParsedUrl:
    """The parts of a URL that may be one of ours: link part, message part (empty where there is none), repairs made.

    A format that also writes the link's id or content part in plain says them in ``link_id`` and ``part``: a URL
    that says otherwise than the link itself names nobody.
    """

    link: str
    message: str
    repairs: tuple[str, ...] = ()
    link_id: str | None = None
    part: Part | None = None


@runtime_checkable
class UrlFormat(Protocol):
    """How tracked URLs are written and read.

    A URL is ``before + message part + after``; what stands around the message part is made once per link.

    A format may have two methods more, and with them write ids in a way of its own:

    - ``prepare_link(link: TrackedLink, part: str)`` is asked instead of ``prepare``: it is given the whole link too,
      and may give any number of texts, with a gap between each two.
    - ``spread(message: str)`` turns a message part into the texts for those gaps; ``parse`` must put the very same
      message part together again. It raises ``InvalidId`` for ids that it cannot write.
    """

    def prepare(self, link: str) -> tuple[str, ...]:
        """What stands before and after the message part in the URL of a link part (for the open, the link id ``1``).

        All of it must be fit for an HTML attribute in either quotes, and for plain text.
        """
        ...

    def parse(self, url: str) -> ParsedUrl | None:
        """The parts of a URL, known gateway damage undone; None when it cannot be one of ours. Nothing is believed
        yet.
        """
        ...


def base_of(base_url: str) -> str:
    """A base URL fit to stand in any quoting: http(s), a host, a path of safe characters, one slash at the end.

    Raises:
        InvalidOption: it is none; the message says why.
    """

    def refuse(why: str) -> InvalidOption:
        return InvalidOption(f"base_url={base_url!r:.120} {why}", hint="such as https://t.example.com")

    if not isinstance(base_url, str):
        raise refuse("is no text")
    try:
        parts = urlsplit(base_url)
    except ValueError:
        raise refuse("is no URL") from None
    if parts.scheme not in ("http", "https"):
        raise refuse("must begin with https:// or http://")
    if not _HOST.fullmatch(parts.netloc):
        raise refuse("needs a plain host name, perhaps with a port")
    if parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise refuse("must not have a query or a fragment")
    path = parts.path.rstrip("/")
    if not _SAFE_PATH.fullmatch(path):
        raise refuse("has characters in its path that need escaping")
    return f"{parts.scheme}://{parts.netloc}{path}/"


class CompactFormat:
    """``<base>/<link part>/<message part>``, and ``<base>/1/<message part>`` for the open: nothing that mail could
    hurt.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_of(base_url)
        self._path = [segment.lower() for segment in urlsplit(self._base).path.split("/") if segment]

    def prepare(self, link: str) -> tuple[str, ...]:
        """See :class:`UrlFormat`."""
        return f"{self._base}{link}/", ""

    def parse(self, url: str) -> ParsedUrl | None:
        """See :class:`UrlFormat`. The path of the base may be there or have been taken off by a proxy."""
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
