"""The ``campaign`` format: ``<base>r/?id=h617791,71ffa3,71ffa8&s=…``, the shape that campaign tools are known for.

``id`` holds a letter for the content (``h`` or ``t``, or that of a page of our own server: ``u``, ``m``, ``p``) and
three ids in hex: message, delivery and link. ``s`` holds
the link's key and all of the compact message part but its two ids, so both formats say the same under the same
signature. The clauses: ``docs/spec/tokens.md``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from msgtrack._options import base_of
from msgtrack.errors import InvalidId, InvalidOption
from msgtrack.links.alphabet import decode_int, encode_bytes, encode_int
from msgtrack.links.formats import ParsedUrl
from msgtrack.links.hosted import HOSTED_LINK_ID, PAGES
from msgtrack.links.keyring import MAC_LENGTH
from msgtrack.links.repair import MAX_LENGTH
from msgtrack.links.tokens import HEAD_LENGTH, KEY_LENGTH, decode_id
from msgtrack.model import OPEN_LINK_ID, Part, TrackedLink

__all__ = ["CampaignFormat"]

_MAX_ID = 2**64 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
_HEX = re.compile(r"0|[1-9a-f][0-9a-f]{0,15}")
_PARTS = {"h": Part.HTML, "t": Part.TEXT}
_LETTERS = {part: letter for letter, part in _PARTS.items()}

_CLEAN = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?(?:/[A-Za-z0-9._~-]+)*?/?r/\?id=[a-z][0-9a-f,]+"
    r"(?:&p[0-9]+=[A-Za-z0-9._~%-]*)*&s=[0-9a-z.-]*[0-9a-z]"
)
_PLACE = re.compile(r"(?:\A|/)r/*\?id=(=?(?:3d)?[a-z][0-9a-f,=]*)")
_IDS = re.compile(r"(?:3d)?([a-z])([0-9a-f]{1,16}),([0-9a-f]{1,16}),([0-9a-f]{1,16})")
_SIGNATURE = re.compile(r"[&;]=?s=([0-9a-z.=-]*)")
_SHOWN = re.compile(r"[&;]p[0-9]{1,3}=")
_ONLY_VALUES = re.compile(r"(?:&p[0-9]{1,3}=[^&]*)*")
_VALUE = re.compile(r"[?&;]p([0-9]{1,3})=([^&;#\"'<>]*)")
_QUOTED_SIGN = re.compile("=3[Dd]")
# What damage puts into values: nothing; line breaks, the signs before them and soft hyphens; spaces. A reading that takes
# away what was the author's fails at the signature.
_ADDED = tuple(map(re.compile, ("(?!)", "=?(?:%0[Dd])?%0[Aa]|=|%[Cc]2%[Aa][Dd]", "%20")))
_BREAKS = tuple(map(re.compile, ("(?:%0[Dd])?%0[Aa]", "=(?:%0[Dd])?%0[Aa]")))
_MOST_WRAPPED = 3
_DASHES = re.compile(r"[?&]u=(https?-3a_{1,2}[^&#]*)", re.IGNORECASE)
# The sign before a line break belongs to the break, unless a parameter begins with it.
_SOFT_BREAK = re.compile(r"(?<![?&;]id)(?<![&;]s)=[ \t]*[\r\n]+", re.IGNORECASE)
# Punctuation as quoted-printable writes it; behind the name of a parameter the two digits are its value.
_QUOTED = re.compile(r"(?<![?&;]id)(?<![&;]s)(?<![&;]S)=(26|2C|2D|2E|2F|3A|3F|5F)")
_ENTITY = re.compile(r"&(?:amp;|#x?26;|#38;)+|&(?:#([0-9]{2,3})|#x([0-9a-f]{2}));", re.IGNORECASE)
_WHITE = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_LEADING = re.compile(r"(?:3d(?=[\"']))?[\"'`<(\[{\u00ab\u2018\u201c\u201e\u2039]")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class CampaignFormat:
    """Ids in hex where everybody can read them; whole numbers of at most 64 bits only, and registered links only.

    Raises:
        InvalidOption: the base URL is unfit.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_of(base_url)

    def prepare(self, link: str) -> tuple[str, ...]:
        """Never asked, because :meth:`prepare_link` is there: a link part alone does not say its ids.

        Raises:
            InvalidOption: always.
        """
        raise InvalidOption("the campaign format writes whole links: use prepare_link(link, part)")

    def prepare_link(self, link: TrackedLink, part: str) -> tuple[str, ...]:
        """What stands before the message's id, between it and the signature, and after.

        Raises:
            InvalidId: the delivery's or the link's id is no whole number of at most 64 bits.
            InvalidOption: the link is stateless.
        """
        key = "" if part == OPEN_LINK_ID or part in PAGES else part
        if len(key) > KEY_LENGTH:
            raise InvalidOption(
                "url_format='campaign' holds no destinations", hint="use link_style='registered' and a registry"
            )
        delivery, link_id = _number("delivery_id", link.delivery_id), _number("link_id", link.id)
        letter = part if part in PAGES else _LETTERS[link.part]
        return f"{self._base}r/?id={letter}", f",{delivery:x},{link_id:x}&s={key}", ""

    def spread(self, message: str) -> tuple[str, ...]:
        """The message's id in hex, and the rest of the message part: head, expiry and variant, signature.

        Raises:
            InvalidId: the message's id is no whole number of at most 64 bits.
        """
        _, name, *tail = message[HEAD_LENGTH:-MAC_LENGTH].split("-", 2)
        number = -1 if name.startswith(".") else decode_int(name)
        if not 0 <= number <= _MAX_ID:
            raise _no_number("message_id", decode_id(name))
        end = f"-{tail[0]}" if tail else ""
        return f"{number:x}", f"{message[:HEAD_LENGTH]}{end}{message[-MAC_LENGTH:]}"

    def with_values(
        self, texts: Sequence[str], message_texts: Sequence[str], values: Sequence[str], signature: str
    ) -> str:
        """The URL of a personalised link: ``p1`` and so on behind the ids, the signature over them at the end of ``s``."""
        start, middle, end = texts
        number, rest = message_texts
        ids, mark, key = middle.partition("&s=")
        shown = "".join([f"&p{place}={quote(value, safe='')}" for place, value in enumerate(values, start=1)])
        return f"{start}{number}{ids}{shown}{mark}{key}{rest}{signature}{end}"

    def parse(self, url: str) -> ParsedUrl | None:
        """See ``UrlFormat``. ``r/?id=`` is looked for anywhere, so a base path may be there or not."""
        text, repairs = _repaired(url)
        found = _found(text)
        if found is None:
            return None
        place, (letter, message, delivery, link) = found
        said, more = _signature(text, place)
        values: tuple[str, ...] = ()
        if _SHOWN.match(text, place.end()) and len(said) > MAC_LENGTH:
            said, signature = said[:-MAC_LENGTH], said[-MAC_LENGTH:]
            values = tuple(fields + signature for fields in _values(url if repairs else text))
        is_open, is_hosted = link == OPEN_LINK_ID, letter in PAGES
        length = 0 if is_open or is_hosted else KEY_LENGTH
        whole = _whole(said, length)
        if whole is None and said.startswith("3d") and (whole := _whole(said[2:], length)) is not None:
            more.append("quoted-printable")
        key, head, tail, mac = whole or (said[:length], "", "", "")
        part = _PARTS.get(letter)
        token = ""
        # One spelling each: a leading zero, or a letter that is not ours, is no damage that mail does.
        is_known = link == HOSTED_LINK_ID if is_hosted else part is not None
        if whole is not None and all(map(_HEX.fullmatch, (message, delivery, link))) and is_known:
            token = f"{head}{encode_int(int(delivery, 16))}-{encode_int(int(message, 16))}{tail}{mac}"
        if is_open and part is not Part.HTML:
            token = ""
        if is_hosted:
            return ParsedUrl(link=letter, message=token, repairs=tuple(dict.fromkeys(repairs + more)))
        return ParsedUrl(
            link=OPEN_LINK_ID if is_open else key,
            message=token,
            repairs=tuple(dict.fromkeys(repairs + more)),
            link_id=str(int(link, 16)),
            part=part,
            values=values,
        )


def _values(url: str) -> list[str]:
    """What the values in a URL may have been, in our alphabet: as many readings as damage leaves open."""
    readings: dict[str, None] = {}
    texts = [_WHITE.sub("", _SOFT_BREAK.sub("", url[:MAX_LENGTH]))]
    for text in texts:
        layer = text
        for _ in range(3):
            wrapped = _DASHES.search(layer)
            if wrapped is not None and len(texts) < _MOST_WRAPPED:
                texts.append(_without_dashes(wrapped))
            plain = _ENTITY.sub(_character, _ENTITY.sub(_character, layer))
            layer = unquote(layer)
            unquoted = _QUOTED.sub(lambda sign: chr(int(sign[1], 16)), _QUOTED_SIGN.sub("=", plain))
            joined = (pattern.sub("", plain) for pattern in _BREAKS)
            for shown in (plain, _QUOTED_SIGN.sub("=", plain), unquoted, *joined):
                found = {int(number): value for number, value in _VALUE.findall(shown)}
                if not found or sorted(found) != list(range(1, len(found) + 1)):
                    continue
                for added in _ADDED:
                    values = [unquote(added.sub("", found[number])) for number in sorted(found)]
                    fields = [encode_bytes(value.encode("utf-8", "surrogatepass")) for value in values]
                    readings["-".join(fields)] = None
    return list(readings)


def _number(what: str, value: str) -> int:
    if not _DECIMAL.fullmatch(value) or int(value) > _MAX_ID:
        raise _no_number(what, value)
    return int(value)


def _no_number(what: str, value: str) -> InvalidId:
    return InvalidId(
        f"{what}={value!r:.80} cannot be written in hex: url_format='campaign' takes whole numbers of at most 64 bits",
        hint="use numbers, or url_format='compact'",
    )


def _whole(said: str, key_length: int) -> tuple[str, str, str, str] | None:
    """Link key, head, tail and signature, if ``said`` holds them all."""
    start, end = key_length + HEAD_LENGTH, len(said) - MAC_LENGTH
    tail = said[start:end]
    if end < start or (tail and not tail.startswith("-")):
        return None
    return said[:key_length], said[key_length:start], tail, said[end:]


def _repaired(url: str) -> tuple[str, list[str]]:
    text = url[:MAX_LENGTH]
    if _CLEAN.fullmatch(text):
        return text, []
    repairs: list[str] = []

    def step(name: str, changed: str) -> None:
        nonlocal text
        if changed != text:
            repairs.append(name)
            text = changed

    # What a gateway escaped once, another may escape again, so the layers take turns.
    for _ in range(3):
        before = text
        step("soft-line-break", _SOFT_BREAK.sub("", text))
        step("quoted-printable", _QUOTED.sub(lambda sign: chr(int(sign[1], 16)), text))
        step("percent-encoding", unquote(text))
        step("entities", _ENTITY.sub(_character, text))
        wrapped = _DASHES.search(text)
        if wrapped is not None and _found(text.translate(_ASCII_LOWER)) is None:
            step("unwrapped-dashes", _without_dashes(wrapped))
        if text == before:
            break
    step("white-space", _WHITE.sub("", text))
    if _LEADING.match(text):
        repairs.append("leading-punctuation")
    folded = text.translate(_ASCII_LOWER)
    found = _found(folded)
    if found is not None:
        start = found[0].start()
        end = start + len(_until_end(folded, found[0]))
        # Scheme, host and base path may be in any case; what is ours begins with the "r" of the path.
        if text[start:end] != folded[start:end]:
            repairs.append("case-folding")
        if re.search(r"[?#]|.:/.*:/", text[:start]):
            repairs.append("unwrapped")
    return folded, repairs


def _without_dashes(wrapped: re.Match[str]) -> str:
    return unquote(wrapped[1].replace("_", "/").replace("-", "%"))


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal = entity.groups()
    if decimal is None and hexadecimal is None:
        return "&"
    number = int(decimal) if decimal is not None else int(hexadecimal, 16)
    return chr(number) if 32 <= number < 127 else entity[0]


def _found(text: str) -> tuple[re.Match[str], tuple[str, ...]] | None:
    """The first place that holds three ids, and what it says."""
    for place in _PLACE.finditer(text):
        # Browsers take line breaks out of an address, and leave the sign that stood before one.
        ids = _IDS.fullmatch(place[1].replace("=", ""))
        if ids is not None:
            return place, ids.groups()
    return None


def _until_end(text: str, place: re.Match[str]) -> str:
    signed = _signed(text, place.end())
    return text[place.start() : signed.end() if signed else place.end()]


def _signed(text: str, pos: int) -> re.Match[str] | None:
    """The parameter ``s``: the first that could hold one of ours, for a value may show one too once it is decoded."""
    first = None
    for found in _SIGNATURE.finditer(text, pos):
        first = first or found
        if len(found[1]) >= HEAD_LENGTH + MAC_LENGTH:
            return found
    return first


def _signature(text: str, place: re.Match[str]) -> tuple[str, list[str]]:
    """The value of ``s``, without what does not belong to it, and the names of the repairs."""
    repairs = []
    if place[1].replace("=", "").startswith("3d"):
        repairs.append("quoted-printable")
    signed = _signed(text, place.end())
    if signed is None:
        return "", repairs
    if not _ONLY_VALUES.fullmatch(text, place.end(), signed.start()):
        repairs.append("appended-parameters")
    said = re.sub(r"[.=-]+(?:3d)?\Z", "", signed[1]) if "=" in signed[1] else signed[1].rstrip(".-")
    after = text[signed.start(1) + len(said) :]
    if after.startswith("=3d"):
        repairs.append("quoted-printable")
    if "=" in said + signed[0][:2] + place[1]:
        repairs.append("soft-line-break")
    if after and after[0] not in "?#&":
        repairs.append("trailing-punctuation")
    if re.search(r"[?#&]", after):
        repairs.append("appended-parameters")
    return said.replace("=", ""), repairs
