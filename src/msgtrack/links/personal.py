"""Personalised links: what a message fills into one, how it travels, and how it is believed when it comes back.

The values of a link go behind the message part, parted from it by ``.-``: each as UTF-8 in our alphabet, parted by
``-``, and a signature over message part, link part and values. A message part never holds ``.-`` by itself, so every URL
format carries them without knowing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from msgtrack.errors import InvalidValue, MissingValue
from msgtrack.links.alphabet import decode_bytes, encode_bytes
from msgtrack.links.formats import ParsedUrl
from msgtrack.links.instructions import Expression
from msgtrack.links.keyring import MAC_LENGTH, SigningKey
from msgtrack.links.syntaxes import checked_value, expand

__all__ = [
    "PARTING",
    "Evaluators",
    "PersonalLink",
    "Values",
    "carried",
    "evaluators",
    "expanded",
    "parted",
    "read_values",
    "signed_fields",
]

PARTING = ".-"
"""What stands between a message part and values."""

_SAME = object()
_DOTS = frozenset((".", "..", ""))
Values = Mapping[str, object]
Evaluators = tuple[Callable[[Values], object], ...]
"""What works out the values of one link."""


@frozen(kw_only=True)
class PersonalLink:
    """A link with placeholders, as every message needs it.

    ``texts`` are the fixed texts of its URL; ``part`` is its link part; ``pieces`` are those of its destination, and
    ``names`` stand for what goes between them. ``is_script``: the names are expressions of the campaign syntax.
    """

    texts: tuple[str, ...]
    part: str
    pieces: tuple[str, ...]
    names: tuple[str, ...]
    is_script: bool

    def filled(self, values: Values, evaluate: Evaluators) -> list[str]:
        """The texts of this link's values for one message.

        Raises:
            MissingValue: a placeholder has no value.
            InvalidValue: a value is unfit for a link.
            RenderError: an expression cannot be worked out.
        """
        texts = [checked_value(name, each(values)) for name, each in zip(self.names, evaluate, strict=True)]
        # Only values without a letter can make a step of a path segment; the whole link is looked at then.
        if any(text in _DOTS or set(text) == {"."} for text in texts):
            expand(self.pieces, texts)
        return texts


def evaluators(link: PersonalLink) -> Evaluators:
    """What works out the values of a link."""
    if link.is_script:
        return tuple(Expression.parse(name).evaluate for name in link.names)
    return tuple(_looked_up(name) for name in link.names)


def _looked_up(name: str) -> Callable[[Values], object]:
    steps = name.split(".")

    def look_up(values: Values) -> object:
        found: Any = values.get(name, _SAME)
        if found is not _SAME:
            return found
        found = values
        for step in steps:
            found = found.get(step, _SAME) if isinstance(found, Mapping) else _SAME
            if found is _SAME:
                raise MissingValue(
                    f"the placeholder {name!r:.80} has no value", hint=f"render(..., values={{{name!r:.80}: ...}})"
                )
        return found

    return look_up


def signed_fields(key: SigningKey, message: str, link: str, values: Sequence[str]) -> tuple[str, str]:
    """Values in our alphabet, and the signature over them, the message part and the link part."""
    fields = "-".join([encode_bytes(value.encode()) for value in values])
    return fields, key.sign(_signed(message, link, fields))


def carried(message: str, fields: str, signature: str) -> str:
    """A message part that carries values."""
    return f"{message}{PARTING}{fields}{signature}"


def parted(parsed: ParsedUrl) -> tuple[str, tuple[str, ...]]:
    """The message part of a URL without values, and what may be its values."""
    message, parting, tail = parsed.message.partition(PARTING)
    return message, (tail,) if parting else parsed.values


def read_values(text: str, key: SigningKey, message: str, link: str, count: int) -> list[str] | None:
    """The values that :func:`signed_fields` wrote, ``text`` being fields and signature; None if they are none of ours."""
    fields, signature = text[:-MAC_LENGTH], text[-MAC_LENGTH:]
    if not text.isascii() or len(signature) < MAC_LENGTH or not key.verify(_signed(message, link, fields), signature):
        return None
    try:
        values = [decode_bytes(field).decode() for field in fields.split("-")]
    except ValueError:
        return None
    return values if len(values) == count else None


def _signed(message: str, link: str, fields: str) -> str:
    return f"{message}/{link}/{fields}"


def expanded(pieces: Sequence[str], values: Sequence[str]) -> str | None:
    """The destination with the values, or None when they would make steps of path segments."""
    try:
        return expand(pieces, values)
    except InvalidValue:
        return None
