"""Where a link leads, and whether it can be tracked at all."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from msgtrack.links.decisions import LinkReason

__all__ = ["OwnBase", "destination", "is_url_text"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# A plain host and printable ASCII behind it: nothing that a closer look could refuse.
_PLAIN = re.compile(r"[Hh][Tt]{2}[Pp][Ss]?://[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,9}(?:[/?#][!-~]*)?")
_LONGEST_BASE = 2_000
_URL_TEXT = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


class OwnBase:
    """The base URL of our own server: knows what lies under it, scheme and host compared without regard to case."""

    def __init__(self, base_url: str) -> None:
        self.is_https = base_url.startswith("https:")
        self._end = base_url.index("/", base_url.index("//") + 2)
        self._host = base_url[: self._end].lower()
        self._path = base_url[self._end :]

    def holds(self, url: str) -> bool:
        """Whether a URL leads to our own server."""
        end = self._end
        return url[:end].lower() == self._host and (url[end:] + "/").startswith(self._path)


def destination(url: str, *, base: str, own: OwnBase | None = None) -> tuple[str, LinkReason]:
    """The whole destination of a link as written, and ``tracked`` or the reason why it cannot be.

    Args:
        url: the link's value, entities decoded, white space around it taken off.
        base: the page's ``<base href>``, or empty; one of over 2,000 characters counts as none.
        own: our own server; None where it does not matter.

    ``//host`` becomes https; a relative link is joined to the base; everything else stays as written.
    """
    if _PLAIN.fullmatch(url):
        return url, LinkReason.ALREADY_TRACKED if own is not None and own.holds(url) else LinkReason.TRACKED
    if not url:
        return url, LinkReason.EMPTY
    if url.startswith("#"):
        return url, LinkReason.FRAGMENT
    whole = url
    scheme = _SCHEME.match(url)
    if scheme is None and url.startswith("//"):
        whole = "https:" + url
    elif scheme is None:
        # No browser follows so long an address, and each link under it would be as long.
        if not base or len(base) > _LONGEST_BASE:
            return url, LinkReason.RELATIVE
        try:
            whole = urljoin("https:" + base if base.startswith("//") else base, url)
        except ValueError:
            return url, LinkReason.INVALID_URL
        if _SCHEME.match(whole) is None:
            return url, LinkReason.RELATIVE
    if not whole[:8].lower().startswith(("http://", "https://")):
        return url, LinkReason.INVALID_URL if whole[:5].lower() in ("http:", "https") else LinkReason.SCHEME
    if own is not None and own.holds(whole):
        return whole, LinkReason.ALREADY_TRACKED
    return (whole, LinkReason.TRACKED) if _followable(whole) else (url, LinkReason.INVALID_URL)


def _followable(url: str) -> bool:
    if _PLAIN.fullmatch(url):
        return True
    if _CONTROL.search(url):
        return False
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) and not re.search(r"[\s<>\"\\^`{|}]", parts.netloc) and port != 0


def is_url_text(text: str) -> bool:
    """Whether the visible text of a link is itself a URL (reference 2.6)."""
    return _URL_TEXT.fullmatch(text.strip()) is not None
