"""Destinations as a ``Location`` header may hold them."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

__all__ = ["location"]

# IDNA 2003, which Python knows, maps these to others; the rules of today keep them.
_DEVIATING = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")


def location(url: str) -> str | None:
    """A destination fit for a Location header: ASCII, percent-encoded where it must be, IDN as punycode; None if it
    is not http(s).
    """
    # Looked at before it is parsed: a parser passes over blanks and breaks that a header would keep, escaped.
    if not url[:8].lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
        if not host:
            return None
        if not host.isascii():
            url = url.replace(parts.netloc, _with_ascii_host(parts.netloc), 1)
        return quote(url, safe="/%:=&?~#+!$,;'@()*[]")
    except ValueError:  # UnicodeError is one
        return None


def _with_ascii_host(netloc: str) -> str:
    """The authority with its host in punycode; as it is where Python's rules and those of browsers differ.

    Browsers read a percent-encoded host, so nothing is lost by leaving the work to them (URL standard, host parser).
    """
    user, at, place = netloc.rpartition("@")
    host, colon, port = place.partition(":")
    if _DEVIATING.search(host):
        return netloc
    try:
        return f"{user}{at}{host.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        return netloc
