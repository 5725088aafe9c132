"""The one alphabet of our tokens: base32 in lower-case letters and digits without the look-alikes i, l, o and u.

Nothing in it needs escaping in a URL, in HTML or in quoted-printable, and folding its case changes nothing that
folding it back cannot mend.
"""

from __future__ import annotations

__all__ = [
    "ALPHABET",
    "LOW_BITS",
    "TO_PYTHON",
    "decode_bytes",
    "decode_int",
    "digest_text",
    "encode_bytes",
    "encode_int",
    "is_token_text",
    "mix_letter",
]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

_PYTHON_DIGITS = "0123456789abcdefghijklmnopqrstuv"
TO_PYTHON = b"".join(
    dict(zip(ALPHABET, _PYTHON_DIGITS, strict=True)).get(chr(byte), "!").encode() for byte in range(256)
)
"""A table for ``bytes.translate``: each letter becomes the digit that Python has for it, and what is none of ours a sign that is no
digit at all.
"""

_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
LOW_BITS = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))
"""A table for ``bytes.translate``: each byte becomes the letter of its low five bits."""

_LETTERS = frozenset(ALPHABET)
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def is_token_text(text: str) -> bool:
    """Whether every character is one of the alphabet (empty text included)."""
    return _LETTERS.issuperset(text)


def encode_int(number: int) -> str:
    """A whole number of at least zero, without leading zeros."""
    text = ""
    while number > 31:
        text = _PAIRS[number & 1023] + text
        number >>= 10
    if number or not text:
        return ALPHABET[number] + text
    return text[1:] if text[0] == "0" else text


def decode_int(text: str) -> int:
    """The number that :func:`encode_int` wrote; text outside the alphabet raises ValueError."""
    return int(text.encode("ascii").translate(TO_PYTHON), 32)


_BLOCK_BYTES = 40
_BLOCK_LETTERS = 64


def _masks(letters: int) -> tuple[int, int, int]:
    """For one step of :func:`_spread`: how far the upper halves move, where lower halves stay, where upper ones arrive."""
    half = (1 << 5 * letters) - 1
    lower = sum(half << place for place in range(0, 8 * _BLOCK_LETTERS, 16 * letters))
    return 3 * letters, lower, lower << 8 * letters


(
    (_BY1, _LOW1, _UP1),
    (_BY2, _LOW2, _UP2),
    (_BY3, _LOW3, _UP3),
    (_BY4, _LOW4, _UP4),
    (_BY5, _LOW5, _UP5),
    (_BY6, _LOW6, _UP6),
) = (_masks(letters) for letters in (32, 16, 8, 4, 2, 1))


def _spread(block: bytes) -> bytes:
    """At most 40 bytes as 64 bytes that hold five bits each."""
    # Halves move apart six times over; whole-number arithmetic does for all letters at once what a loop would do for each.
    number = int.from_bytes(block.ljust(_BLOCK_BYTES, b"\0"), "big")
    number = number & _LOW1 | number << _BY1 & _UP1
    number = number & _LOW2 | number << _BY2 & _UP2
    number = number & _LOW3 | number << _BY3 & _UP3
    number = number & _LOW4 | number << _BY4 & _UP4
    number = number & _LOW5 | number << _BY5 & _UP5
    number = number & _LOW6 | number << _BY6 & _UP6
    return number.to_bytes(_BLOCK_LETTERS, "big")


def encode_bytes(data: bytes) -> str:
    """Bytes, five bits a character, without padding."""
    size = len(data)
    if size <= _BLOCK_BYTES:
        spread = _spread(data)
    else:
        spread = b"".join([_spread(data[at : at + _BLOCK_BYTES]) for at in range(0, size, _BLOCK_BYTES)])
    return spread[: -(-8 * size // 5)].translate(LOW_BITS).decode()


def decode_bytes(text: str) -> bytes:
    """The bytes that :func:`encode_bytes` wrote; anything it would not write so raises ValueError."""
    if not text:
        return b""
    size, spare = divmod(len(text) * 5, 8)
    number = decode_int(text)
    # What is left over is less than a character, and zero: so bytes have one spelling.
    if spare > 4 or number & (1 << spare) - 1:
        raise ValueError(text)
    return (number >> spare).to_bytes(size, "big")


def digest_text(digest: bytes, length: int) -> str:
    """``length`` characters straight from a digest, the low five bits of a byte each."""
    return digest[:length].translate(LOW_BITS).decode()


def mix_letter(letter: str, byte: int) -> str:
    """A letter XORed with the low five bits of a byte; what is outside the alphabet stays as it is."""
    value = _VALUES.get(letter)
    return letter if value is None else ALPHABET[value ^ byte & 31]
