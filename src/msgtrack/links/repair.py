"""What mail gateways do to links, undone before a token is looked at.

Tokens are text of ``[a-z0-9./-]``, so most damage can be seen for what it is. Each repair has a name, kept in
``Resolution.repairs``. Nothing is
guessed: after the repairs the signature must hold as ever.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["canonical_path"]

_CLEAN = re.compile(r"[a-z0-9./-]*[a-z0-9/]")
_WHITE = re.compile(r"\s+")
_QUOTED_PRINTABLE = re.compile(r"=\r?\n")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_TRAILING = "()[]{}<>\"'.,;:!*_=-"
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
MAX_LENGTH = 16_384


def canonical_path(url: str) -> tuple[str, tuple[str, ...]]:
    """The path of a URL with known damage undone, and the names of the repairs, in the order they were made.

    Scheme and host go unnamed: where a request arrived is the server's business. Text past 16,384 characters is cut.
    """
    text = url[:MAX_LENGTH]
    path = _without_host(text)
    if _CLEAN.fullmatch(path):
        return path, ()
    repairs: list[str] = []

    def step(name: str, changed: str) -> None:
        nonlocal text
        if changed != text:
            repairs.append(name)
            text = changed

    step("soft-line-break", _QUOTED_PRINTABLE.sub("", text))
    for _ in range(3):
        step("percent-encoding", unquote(text))
    step("white-space", _WHITE.sub("", text))
    text = _without_host(text)
    step("appended-parameters", re.split(r"[?#&]", text, maxsplit=1)[0])
    step("trailing-punctuation", text.rstrip(_TRAILING))
    step("case-folding", text.translate(_ASCII_LOWER))
    return text, tuple(dict.fromkeys(repairs))


def _without_host(text: str) -> str:
    place = _SCHEME.match(text)
    return text[place.end() :] if place else text
