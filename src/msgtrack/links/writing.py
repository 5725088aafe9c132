"""Writing the tracked URLs of one compilation: what stands around the message part, worked out once per link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgtrack.errors import InvalidOption
from msgtrack.links.drafts import Draft, LinkDraft
from msgtrack.links.formats import UrlFormat
from msgtrack.links.tokens import LinkTexts
from msgtrack.model import OPEN_LINK_ID, LinkType, TrackedLink

__all__ = [
    "PIXEL_END",
    "PIXEL_START",
    "Texts",
    "UrlWriter",
    "fill",
    "fill_mixed",
    "open_texts",
    "spread_of",
    "texts_of",
]

Texts = tuple[str, ...]
"""The fixed texts of a URL, with a gap between each two that every message fills."""


PIXEL_START = '<img src="'
PIXEL_END = '" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'
"""What stands around the open's URL in HTML."""

_TEXT = frozenset((str,))


def open_texts(url_format: UrlFormat, *, delivery_id: str, variant: str) -> Texts:
    """The fixed texts of the open's URL, of one delivery and variant.

    Raises:
        InvalidId: the format cannot write the delivery's id.
        InvalidOption: the format gave something else than texts with a gap between each two.
    """
    opened = TrackedLink(delivery_id=delivery_id, id=OPEN_LINK_ID, url="", type=LinkType.OPEN, variant=variant)
    return texts_of(url_format, opened, OPEN_LINK_ID)


def texts_of(url_format: UrlFormat, link: TrackedLink, part: str) -> Texts:
    """The fixed texts that a format writes for a link part.

    Raises:
        InvalidId: the format cannot write the delivery's or the link's id.
        InvalidOption: it gave something else than texts with a gap between each two.
    """
    own = getattr(url_format, "prepare_link", None)
    return _checked(url_format.prepare(part) if own is None else own(link, part))


class UrlWriter:
    """Writes the URLs of one compilation's links; ``opened`` holds the fixed texts of the open's URL."""

    def __init__(self, url_format: UrlFormat, opened: Texts, draft: Draft, stateless: LinkTexts | None) -> None:
        self.opened = opened
        self._prepare = url_format.prepare
        self._prepare_link = getattr(url_format, "prepare_link", None)
        self._draft = draft
        self._stateless = stateless

    def part(self, link: LinkDraft) -> str:
        """The link part of a link."""
        signed = self._stateless
        return self._draft.key(link) if signed is None else signed.text(link.part, link.id, link.url, link.type)

    def link(self, link: LinkDraft) -> Texts:
        """The fixed texts of a link's URL.

        Raises:
            InvalidId: the format cannot write the link's id.
            InvalidOption: the format gave something else than as many texts as for the open.
        """
        part = self.part(link)
        own = self._prepare_link
        texts = _checked(self._prepare(part) if own is None else own(self._draft.value(link), part))
        if len(texts) != len(self.opened):
            raise InvalidOption("url_format must give as many texts for each link as for the open")
        return texts


def _checked(given: Sequence[str]) -> Texts:
    texts = tuple(given)
    if len(texts) < 2 or not _TEXT.issuperset(map(type, texts)):
        raise InvalidOption("url_format must give at least two texts for a link: before and after the message part")
    return texts


def spread_of(url_format: UrlFormat) -> Callable[[str], Sequence[str]] | None:
    """How a format writes a message part, or None when it stands in the URL as it is."""
    return getattr(url_format, "spread", None)


def fill_mixed(pieces: Sequence[str], fills: Sequence[int], texts: Sequence[str], urls: Sequence[str]) -> str:
    """The pieces with a text (by its place) or a URL (by the complement of its place) in each gap."""
    flat = [""] * (2 * len(pieces) - 1)
    flat[::2] = pieces
    flat[1::2] = [texts[place] if place >= 0 else urls[~place] for place in fills]
    return "".join(flat)


def fill(pieces: Sequence[str], texts: Sequence[str]) -> str:
    """The pieces with the texts in their gaps, over and over."""
    flat = [""] * (2 * len(pieces) - 1)
    flat[::2] = pieces
    flat[1::2] = list(texts) * ((len(pieces) - 1) // len(texts))
    return "".join(flat)
