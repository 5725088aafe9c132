"""How long a text is as a short message: the alphabet that phones share, and the segments that a network charges.

The alphabet is the GSM 7 bit default alphabet with its extension table (3GPP TS 23.038, sections 6.2.1 and 6.2.1.1).
A text in it takes a unit for each character, and two for each of the extension. One character outside of it, and the
whole text is sent as UCS-2: a unit for each character, and two for those past U+FFFF, which phones take as UTF-16.

A short message has room for 160 or 70 units. A longer text is sent in segments of 153 or 67, because each carries a
header that says where it belongs (3GPP TS 23.040, section 9.2.3.24.1); what takes two units is not split over two
segments. The national tables of the standard are left out: few networks use them, and a message may fall back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from msgtrack.errors import InvalidValue

__all__ = ["BASIC", "EXTENSION", "MAX_SEGMENTS", "SmsCharacter", "SmsLength", "sms_length"]

# By their codes, eight to a row; what stands at 1B leads into the extension table and is no character.
_ROWS = (
    "@£$¥èéùì",
    "òÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨ",
    "ΣΘΞ\x1bÆæßÉ",
    " !\"#¤%&'",
    "()",
    "*+,-./",
    "01234567",
    "89:;<=>?",
    "¡ABCDEFG",
    "HIJKLMNO",
    "PQRSTUVW",
    "XYZÄÖÑÜ§",
    "¿abcdefg",
    "hijklmno",
    "pqrstuvw",
    "xyzäöñüà",
)
BASIC = "".join(_ROWS)
"""The 128 places of the default alphabet, by code; the one at 27 is the escape into :data:`EXTENSION`."""

EXTENSION: Mapping[str, int] = MappingProxyType(
    {
        "\f": 0x0A,
        "^": 0x14,
        "{": 0x28,
        "}": 0x29,
        "\\": 0x2F,
        "[": 0x3C,
        "~": 0x3D,
        "]": 0x3E,
        "|": 0x40,
        "€": 0x65,
    }
)
"""The characters of the extension table, with their codes behind the escape."""

MAX_SEGMENTS = 255
"""Segments that a text may have: they are counted in one octet. Many networks take ten or fewer."""

_ESCAPE = "\x1b"
_UNITS = {**dict.fromkeys(BASIC.replace(_ESCAPE, ""), 1), **dict.fromkeys(EXTENSION, 2)}
_ROOM = {"gsm-7": (160, 153), "ucs-2": (70, 67)}
_LAST_OF_ONE_UNIT = "\uffff"


@frozen
class SmsCharacter:
    """A character that the alphabet does not have, and its place in the text, counted in characters from 0."""

    offset: int
    character: str

    def __str__(self) -> str:
        """The character as a finding may show it: ``’ (U+2019, right single quotation mark)``."""
        name = unicodedata.name(self.character, "").lower()
        shown = self.character if self.character.isprintable() else "?"
        return f"{shown} (U+{ord(self.character):04X}{', ' if name else ''}{name})"


@frozen(kw_only=True)
class SmsLength:
    """How long a text is as a short message.

    ``encoding`` is ``gsm-7`` or ``ucs-2``. ``units`` counts septets of the one, 16-bit units of the other; ``segments``
    are the messages that the network sends and charges, at least 1. ``units_left`` have room in the last of them.
    ``not_in_gsm7`` holds the characters that are to blame for UCS-2, in order, each as often as it is there.
    """

    encoding: str
    units: int
    segments: int
    units_left: int
    not_in_gsm7: tuple[SmsCharacter, ...] = ()

    @property
    def units_of_one_segment(self) -> int:
        """Units that a message of a single segment has room for: 160 or 70."""
        return _ROOM[self.encoding][0]


def sms_length(text: str) -> SmsLength:
    r"""How long a text is as a short message. Any text has a length, over :data:`MAX_SEGMENTS` too.

    Line ends count as they are: ``\r\n`` is two units. An empty text takes one segment.

    >>> sms_length("Spring sale: 5 € off")
    SmsLength(encoding='gsm-7', units=21, segments=1, units_left=139, not_in_gsm7=())
    >>> sms_length("Spring’s here").not_in_gsm7
    (SmsCharacter(offset=6, character='’'),)

    Raises:
        InvalidValue: it is no text.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"a short message must be text, not {type(text).__name__}")
    foreign = tuple(SmsCharacter(offset, character) for offset, character in enumerate(text) if character not in _UNITS)
    if foreign:
        encoding = "ucs-2"
        sizes = [1 if character <= _LAST_OF_ONE_UNIT else 2 for character in text]
    else:
        encoding = "gsm-7"
        sizes = [_UNITS[character] for character in text]
    single, room = _ROOM[encoding]
    units = sum(sizes)
    segments, left = 1, single - units
    if left < 0:
        left = room
        for size in sizes:
            if size > left:
                segments += 1
                left = room
            left -= size
    return SmsLength(encoding=encoding, units=units, segments=segments, units_left=left, not_in_gsm7=foreign)
