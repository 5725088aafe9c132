"""What mail gateways do to links, undone before a token is looked at.

Tokens are text of ``[a-z0-9./-]``, so most damage can be seen for what it is. Each repair has a name, kept in
``Resolution.repairs``; ``docs/spec/gateway-damage.md`` lists them with examples and reasons. Nothing is guessed:
there is one reading of a URL, and after the repairs the signature must hold as ever. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

__all__ = ["MAX_LENGTH", "REPAIRS", "canonical_path"]

MAX_LENGTH = 16_384
"""Characters of a URL that are looked at; the rest is cut."""

REPAIRS = {
    "soft-line-break": "Quoted-printable marks a break inside a line with `=`, which is no character of ours.",
    "quoted-printable": "Quoted-printable writes a character as `=` and two digits; ours need none of it.",
    "percent-encoding": "Our characters never need percent-encoding, so whatever is encoded was encoded on the way.",
    "entities": "Escaping for HTML makes entities; a URL of ours holds no `&`.",
    "white-space": "White space and invisible characters come from wrapped lines; a URL of ours holds none.",
    "leading-punctuation": "Brackets and quotes around a link are read as a part of it.",
    "unwrapped-dashes": "A service that checks links puts the original in its parameter `u`, with `-` for `%` and `_` for `/`.",
    "unwrapped": "Others put it behind an address of their own, whole; what looks like a path of ours after a scheme is it.",
    "appended-parameters": "A path of ours ends before any `?`, `#` or `&`; what follows was added.",
    "trailing-punctuation": "Brackets, quotes and full stops after a link are read as a part of it; a token ends in none.",
    "doubled-slashes": "Proxies that join paths carelessly double slashes; between two of ours there is always a token.",
    "case-folding": "Our characters have no upper case, so folding loses nothing.",
}
"""Every repair by name, with its reason, in the order they are tried."""

_CLEAN = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(?=/))?([a-z0-9./-]*[a-z0-9/])")
_SLASHES = re.compile("/{2,}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:/{1,2}[^/?#&]*")
_WHITE = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_SOFT_BREAK = re.compile(r"=[ \t]*[\r\n]+")
_SOFT_REST = re.compile(r"(?<=[0-9A-Za-z./-])=(?=[0-9A-Za-z./-])")
# Only punctuation, and only as the encoding writes it, so that the two digits cannot be of the token itself.
_QUOTED = re.compile(r"=(2D|2E|2F|3A|3D|3F|5F)")
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|AMP|sol|period|colon|hyphen|dash|quest|num));?")
_NAMED = {
    "amp": "&", "AMP": "&", "sol": "/", "period": ".", "colon": ":", "hyphen": "-", "dash": "-", "quest": "?", "num": "#",
}  # fmt: skip
_DASHES = re.compile(r"[?&][uU]=([Hh][Tt]{2}[Pp][Ss]?-3[Aa]_{1,2}[^&#]*)")
_INNER = re.compile(r"[Hh][Tt]{2}[Pp][Ss]?:/{1,2}[^/?#&\s]+((?:/[A-Za-z0-9.-]+)+)")
_TRAILING = (
    "()[]{}<>\"'`.,;:!?*_=-\\|~^$\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u2026\u2039\u203a\u3001\u3002\uff0c\uff09"
)
_LEADING = re.compile(r"(?:3[Dd](?=[\"']))?[\"'`<(\[{\u00ab\u2018\u201c\u201e\u2039]+")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

# The shortest message part is three characters of head, two ids with a hyphen, and a signature of 16.
_OURS = re.compile(r"(?:.*/)?(?:[0-9A-Za-z.-]{22,}|[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{8})")


def canonical_path(url: str) -> tuple[str, tuple[str, ...]]:
    """The path of a URL with known damage undone, and the names of the repairs, in the order they were made.

    Scheme and host go unnamed: where a request arrived is the server's business. Text past 16,384 characters is cut.
    """
    clean = _CLEAN.fullmatch(url) if len(url) <= MAX_LENGTH else None
    if clean is not None and "//" not in clean[1]:
        return clean[1], ()
    text = url[:MAX_LENGTH]
    repairs: list[str] = []

    def step(name: str, change: Callable[[str], str]) -> None:
        nonlocal text
        changed = change(text)
        if changed != text:
            repairs.append(name)
            text = changed

    # What a gateway escaped once, another may escape again, so the layers take turns.
    for _ in range(3):
        before = text
        step("soft-line-break", _without_soft_breaks)
        step("quoted-printable", _without_quoted_printable)
        step("percent-encoding", unquote)
        step("entities", _without_entities)
        if text == before:
            break
    step("white-space", _without_white_space)
    step("leading-punctuation", _without_leading_punctuation)
    if not _looks_ours(text):
        for _ in range(3):
            step("unwrapped-dashes", _without_dashes)
        step("unwrapped", _inner)
    text = _without_host(text)
    step("appended-parameters", _without_parameters)
    step("trailing-punctuation", _without_trailing_punctuation)
    step("soft-line-break", _without_soft_rest)
    step("doubled-slashes", _without_doubled_slashes)
    step("case-folding", _lower)
    return text, tuple(dict.fromkeys(repairs))


def _without_doubled_slashes(text: str) -> str:
    return _SLASHES.sub("/", text)


def _without_soft_breaks(text: str) -> str:
    return _SOFT_BREAK.sub("", text)


def _without_soft_rest(text: str) -> str:
    # Browsers take line breaks out of an address, and leave the sign that stood before one.
    return _SOFT_REST.sub("", text)


def _without_quoted_printable(text: str) -> str:
    return _QUOTED.sub(lambda found: chr(int(found[1], 16)), text)


def _without_entities(text: str) -> str:
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name is not None:
        return _NAMED[name]
    number = int(decimal) if decimal is not None else int(hexadecimal, 16)
    return chr(number) if 32 <= number < 127 else entity[0]


def _without_white_space(text: str) -> str:
    return _WHITE.sub("", text)


def _without_leading_punctuation(text: str) -> str:
    place = _LEADING.match(text)
    return text[place.end() :] if place else text


def _without_dashes(text: str) -> str:
    place = _DASHES.search(text)
    return unquote(place[1].replace("_", "/").replace("-", "%")) if place else text


def _inner(text: str) -> str:
    """The first URL inside this one whose path looks like ours, from its scheme to the end of its path."""
    for place in _INNER.finditer(text, 1):
        if _OURS.fullmatch(place[1]):
            return place[0]
    return text


def _looks_ours(text: str) -> bool:
    path = _without_trailing_punctuation(_without_parameters(_without_host(text)))
    return _OURS.fullmatch(path.rstrip("/")) is not None and ":/" not in path


def _without_host(text: str) -> str:
    place = _SCHEME.match(text)
    return text[place.end() :] if place else text


def _without_parameters(text: str) -> str:
    return re.split(r"[?#&]", text, maxsplit=1)[0]


def _without_trailing_punctuation(text: str) -> str:
    return text.rstrip(_TRAILING)


def _lower(text: str) -> str:
    return text.translate(_ASCII_LOWER)
