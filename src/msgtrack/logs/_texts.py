r"""What servers do to the texts of their logs, undone: the bytes that a client sent come back, read as a live request's are.

Apache and nginx write ``\"``, ``\\``, ``\xhh``; CDNs write percent signs; IIS writes a plus for a blank.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

__all__ = ["address", "escaped", "escaped_bytes", "percent", "plain", "plus"]

_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f", b"a": b"\a"}


def _raw(text: str) -> bytes:
    try:
        # Undoes what errors="surrogateescape" did when the log was opened.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def escaped_bytes(text: str) -> bytes:
    """The bytes that the client sent: raw and escaped ones are the same again."""
    raw = _raw(text)
    return _ESCAPE.sub(_unescape, raw) if b"\\" in raw else raw


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else _LETTERS.get(match[2], match[2])


def _read(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def escaped(text: str) -> str:
    r"""What a log of Apache, nginx and their like says; bytes that are no UTF-8 as ``\xhh``."""
    return _read(escaped_bytes(text))


def plain(text: str) -> str:
    """What was written as it came."""
    return _read(_raw(text))


def percent(text: str) -> str:
    """What has its odd bytes as ``%hh``."""
    return _read(unquote_to_bytes(_raw(text)))


def plus(text: str) -> str:
    """What has a plus for each blank, as IIS writes it; real ones cannot be told from blanks."""
    return plain(text.replace("+", " "))


def address(text: str) -> str:
    """The address of ``1.2.3.4:5678``, ``[2001:db8::1]:80``, or of an address alone; of a list the first."""
    first = text.partition(",")[0].strip()
    if first.startswith("["):
        return first[1:].partition("]")[0]
    host, colon, port = first.partition(":")
    return host if colon and port.isdigit() else first
