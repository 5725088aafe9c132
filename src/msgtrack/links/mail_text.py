"""The text of one body part: out of its transfer encoding and charset, and back into the same ones.

Nothing is guessed that could damage a letter: a text is taken for decoded only if encoding it again gives the very
bytes that were there. What tracking writes is ASCII, so whatever a charset holds beside it comes back as it was.
"""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from functools import cache

from attrs import frozen

from msgtrack.links.findings import LINE_LIMIT

__all__ = ["BodyText", "Written", "read_text"]

# The two with a hyphen are misspelt, and nobody reads them otherwise.
_AS_IT_IS = ("", "7bit", "8bit", "binary", "7-bit", "8-bit")
_LINE_LENGTH = 57  # octets that make a line of 76 characters in base64 (RFC 2045, section 6.8)
_QUOTED_LINE = 76  # and of a line of quoted-printable (section 6.7)
# Text encodings of Python that are no charsets of mail.
_NO_CHARSETS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
# Printable ASCII, line ends, and the sequences by which stateful charsets leave ASCII.
_ASCII = bytes(range(0x20, 0x7F)) + b"\t\r\n\x1b$B!!\x0e!"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_WHITE = re.compile(rb"[ \t\r\n]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


@frozen(kw_only=True)
class Written:
    """A text as it stands in a message: the payload, and its transfer encoding where that had to change."""

    payload: str
    transfer_encoding: str | None = None


@frozen(kw_only=True)
class BodyText:
    """A decoded text, and how it was encoded.

    ``charset`` is the codec's name, ``exact`` whether it knew every byte; the bytes it did not know stand in the text
    as lone surrogates, and go back as they were. ``transfer_encoding`` is in lower case, empty where none was named.
    """

    text: str
    charset: str
    exact: bool
    transfer_encoding: str
    newline: bytes
    ends_with_newline: bool

    def write(self, text: str) -> Written:
        """Another text, encoded as this one was; quoted-printable where a line would be over 998 octets."""
        data = text.encode(self.charset, "strict" if self.exact else "surrogateescape")
        encoding = self.transfer_encoding
        if encoding == "base64":
            return Written(payload=self._base64(data))
        if encoding == "quoted-printable":
            return Written(payload=_quoted_printable(data, self.newline))
        if encoding == "binary" or _fits(data):
            return Written(payload=data.decode("ascii", "surrogateescape"))
        if _holds_ascii(self.charset):
            return Written(
                payload=_quoted_printable(data, self.newline),
                transfer_encoding="quoted-printable",
            )
        return Written(payload=self._base64(data), transfer_encoding="base64")

    def _base64(self, data: bytes) -> str:
        starts = range(0, len(data), _LINE_LENGTH)
        lines = [binascii.b2a_base64(data[at : at + _LINE_LENGTH], newline=False) for at in starts]
        return (self.newline.join(lines) + (self.newline if self.ends_with_newline else b"")).decode()


def read_text(payload: bytes, *, charset: str, transfer_encoding: str, newline: bytes) -> BodyText | None:
    """The text of a payload, or None when it cannot be read without loss.

    Args:
        payload: the octets of the body part, as they stand in the message.
        charset: its name by the header, in any case; empty where there is none.
        transfer_encoding: by the header, empty where there is none.
        newline: how lines end where the payload does not tell.
    """
    encoding = re.split(rb"[\s;(]", transfer_encoding.strip().lower().encode("ascii", "replace"), maxsplit=1)[
        0
    ].decode()
    data = _decoded(payload, encoding)
    read = None if data is None else _read(data, charset.strip().strip("\"'").lower())
    if read is None:
        return None
    ends, broken = payload.count(b"\n"), payload.count(b"\r\n")
    return BodyText(
        text=read[0],
        charset=read[1],
        exact=read[2],
        transfer_encoding=encoding,
        newline=(b"\r\n" if 2 * broken > ends else b"\n") if ends else newline,
        ends_with_newline=payload.endswith(b"\n"),
    )


def _decoded(payload: bytes, encoding: str) -> bytes | None:
    if encoding in _AS_IT_IS:
        return payload
    if encoding == "quoted-printable":
        return quopri.decodestring(payload)
    if encoding != "base64":
        return None
    # A footer behind it, or letters lost on the way: readers differ on what that says, so it is nobody's to rewrite.
    packed = _WHITE.sub(b"", payload)
    if not _BASE64.fullmatch(packed):
        return None
    bare = packed.rstrip(b"=")
    return None if len(bare) % 4 == 1 else binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))


def _read(data: bytes, charset: str) -> tuple[str, str, bool] | None:
    """Text, codec and whether the codec knew every byte."""
    codec = _codec(charset)
    tries = [(codec or "ascii", True)]
    if codec in (None, "ascii"):
        tries.append(("utf-8", True))
    if codec is None or _holds_ascii(codec):
        tries.append((codec or "ascii", False))
    if codec is not None and _holds_ascii(codec):
        tries.append(("iso8859-1", True))
    for name, exact in tries:
        errors = "strict" if exact else "surrogateescape"
        try:
            text = data.decode(name, errors)
            if text.encode(name, errors) == data:
                return text, name, exact and (name != "iso8859-1" or codec == name)
        except UnicodeError:
            continue
    return None


@cache
def _codec(charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    try:
        b"a".decode(name)
    except LookupError:
        return None
    except UnicodeError:
        pass  # a letter of this one is longer
    return None if name.replace("_", "-") in _NO_CHARSETS else name


@cache
def _holds_ascii(codec: str) -> bool:
    """Whether a byte below 128 is always the letter of ASCII."""
    try:
        return _ASCII.decode(codec) == _ASCII.decode("ascii")
    except UnicodeError:
        return False


def _fits(data: bytes) -> bool:
    # Nearly every text fits at the first look.
    return max(map(len, data.split(b"\n"))) <= LINE_LIMIT or max(map(len, _LINE_END.split(data))) <= LINE_LIMIT


def _quoted_printable(data: bytes, newline: bytes) -> str:
    """Quoted-printable whose line ends are those of the message; any other CR or LF is written as a character."""
    lines = b"\n".join(binascii.b2a_qp(line, istext=False) for line in data.split(newline)).split(b"\n")
    return newline.join(_no_boundary(line, newline) if line.startswith(b"--") else line for line in lines).decode()


def _no_boundary(line: bytes, newline: bytes) -> bytes:
    """A line that begins with two hyphens, written so that nobody takes it for a boundary between parts."""
    if len(line) <= _QUOTED_LINE - 2:
        return b"=2D" + line[1:]
    rest = line[1:]
    return b"=2D=" + newline + (_no_boundary(rest, newline) if rest.startswith(b"--") else rest)
