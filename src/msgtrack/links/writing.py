"""Writing the tracked URLs of one compilation: what stands around the message part, worked out once per link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgtrack.errors import InvalidOption
from msgtrack.links.formats import UrlFormat
from msgtrack.links.keyring import Keyring
from msgtrack.links.tokens import link_text
from msgtrack.model import OPEN_LINK_ID, LinkType, TrackedLink

__all__ = ["Texts", "UrlWriter", "fill", "spread_of", "texts_of"]

Texts = tuple[str, ...]
"""The fixed texts of a URL, with a gap between each two that every message fills."""


class UrlWriter:
    """Writes the URLs of one delivery and variant: ``open`` holds the fixed texts of the open's URL.

    Raises:
        InvalidId: the format cannot write the delivery's id.
        InvalidOption: the format gave something else than texts with a gap between each two.
    """

    def __init__(
        self,
        url_format: UrlFormat,
        keyring: Keyring,
        realm: str,
        *,
        delivery_id: str,
        variant: str,
        registered: bool,
        conceal: bool,
    ) -> None:
        self._format = url_format
        self._keyring = keyring
        self._realm = realm
        self._registered = registered
        self._conceal = conceal
        opened = TrackedLink(delivery_id=delivery_id, id=OPEN_LINK_ID, url="", type=LinkType.OPEN, variant=variant)
        self.open = texts_of(url_format, opened, OPEN_LINK_ID)

    def link(self, link: TrackedLink) -> Texts:
        """The fixed texts of a link's URL."""
        part = link.key if self._registered else link_text(link, self._keyring, self._realm, conceal=self._conceal)
        texts = texts_of(self._format, link, part)
        if len(texts) != len(self.open):
            raise InvalidOption("url_format must give as many texts for each link as for the open")
        return texts


def texts_of(url_format: UrlFormat, link: TrackedLink, part: str) -> Texts:
    """The fixed texts that a format writes for a link part.

    Raises:
        InvalidId: the format cannot write the delivery's id.
        InvalidOption: it gave something else than texts with a gap between each two.
    """
    own = getattr(url_format, "prepare_link", None)
    texts = tuple(url_format.prepare(part) if own is None else own(link, part))
    if len(texts) < 2 or not all(isinstance(text, str) for text in texts):
        raise InvalidOption("url_format must give at least two texts for a link: before and after the message part")
    return texts


def spread_of(url_format: UrlFormat) -> Callable[[str], Sequence[str]] | None:
    """How a format writes a message part, or None when it stands in the URL as it is."""
    return getattr(url_format, "spread", None)


def fill(pieces: Sequence[str], texts: Sequence[str]) -> str:
    """The pieces with the texts in their gaps, over and over."""
    flat = [""] * (2 * len(pieces) - 1)
    flat[::2] = pieces
    flat[1::2] = list(texts) * ((len(pieces) - 1) // len(texts))
    return "".join(flat)
