"""Character references: ``&amp;``, ``&copy``, ``&#38;``, ``&#x26;`` and what stands for them.

After the HTML standard, section 13.2.5.72 and following. The table of names is the standard library's (2,231 names of
the standard, 106 of them also without a semicolon). Attribute values and text differ in one rule: in a value, a name
without a semicolon stands for itself when ``=`` or a letter or digit follows, so that ``?a=1&copy=2`` stays an
address.

Time is linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from html.entities import html5

__all__ = ["decode_attribute", "decode_text"]

_REFERENCE = re.compile(
    r"&(?:#(?:[xX](?P<hex>[0-9a-fA-F]++)|(?P<decimal>[0-9]++));?+|(?P<name>[a-zA-Z][a-zA-Z0-9]*+)(?P<end>;?+))"
)
_NAMES = {name[:-1]: characters for name, characters in html5.items() if name.endswith(";")}
_LEGACY = {name: characters for name, characters in html5.items() if not name.endswith(";")}
_LEGACY_LENGTHS = range(max(map(len, _LEGACY)), min(map(len, _LEGACY)) - 1, -1)

_REPLACEMENT = "\ufffd"
_LAST_CODE_POINT = 0x10FFFF
# The standard reads these code points as what windows-1252 has there; the five that it leaves open stay controls.
_WINDOWS_1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def decode_attribute(value: str) -> str:
    """The value of an attribute with its character references resolved, as a parser of the standard reads it.

    >>> decode_attribute("https://e.example/?a=1&copy=2&amp;b=&#x33;")
    'https://e.example/?a=1&copy=2&b=3'
    """
    if "\0" in value:
        value = value.replace("\0", _REPLACEMENT)
    ampersands = value.count("&")
    if not ampersands:
        return value
    # Most addresses hold no other reference.
    if ampersands == value.count("&amp;"):
        return value.replace("&amp;", "&")
    return _REFERENCE.sub(_in_attribute, value)


def decode_text(text: str) -> str:
    """Text between tags with its character references resolved; names without a semicolon count here.

    >>> decode_text("Fish &amp chips &copy2026")
    'Fish & chips ©2026'
    """
    return _REFERENCE.sub(_in_text, text) if "&" in text else text


def _in_attribute(match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return _numeric(match)
    if match["end"]:
        return _NAMES.get(name, match[0])
    # The name ends where letters and digits end, so of what may not follow only the equals sign is left to look for.
    if match.string.startswith("=", match.end()):
        return match[0]
    return _LEGACY.get(name, match[0])


def _in_text(match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return _numeric(match)
    if match["end"] and name in _NAMES:
        return _NAMES[name]
    for length in _LEGACY_LENGTHS:
        characters = _LEGACY.get(name[:length])
        if characters is not None:
            return characters + name[length:] + match["end"]
    return match[0]


def _numeric(match: re.Match[str]) -> str:
    digits, base, most = (match["hex"], 16, 6) if match["hex"] else (match["decimal"], 10, 7)
    digits = digits.lstrip("0")
    # More digits than the last code point has need not be read, and a million of them must not be.
    code = int(digits, base) if 0 < len(digits) <= most else (_LAST_CODE_POINT + 1 if digits else 0)
    if code == 0 or code > _LAST_CODE_POINT or 0xD800 <= code <= 0xDFFF:
        return _REPLACEMENT
    return _WINDOWS_1252.get(code) or chr(code)
