"""What the logs of Amazon's load balancers and of S3 have in common: values with blanks between, some in quotes."""

from __future__ import annotations

from msgtrack.logs import _texts, _times
from msgtrack.logs._template import MOMENT, QUOTED, WORD, Slot

__all__ = ["columns", "iso_moment", "quoted", "with_port", "word"]


def word(name: str, becomes: str = "") -> Slot:
    """A value without blanks."""
    return Slot(name=name, becomes=becomes, pattern=WORD)


def quoted(name: str, becomes: str = "") -> list[str | Slot]:
    """A value in quotes."""
    return ['"', Slot(name=name, becomes=becomes, pattern=QUOTED, read=_texts.escaped), '"']


def iso_moment(name: str) -> Slot:
    """A moment as in ISO 8601."""
    return Slot(name=name, becomes=MOMENT, pattern=r"[0-9T:.+Z-]{19,40}", moment=_times.iso)


def with_port(name: str, becomes: str = "") -> Slot:
    """An address and its port; the address is read."""
    return Slot(name=name, becomes=becomes, pattern=WORD, read=_address)


def _address(text: str) -> str:
    # The port is always there, and an address of version 6 may have no brackets.
    address, colon, port = text.rpartition(":")
    return address.strip("[]") if colon and port.isdigit() else text


def columns(*columns: Slot | list[str | Slot]) -> list[str | Slot]:
    """Values with a blank between each two."""
    pieces: list[str | Slot] = []
    for column in columns:
        pieces += [" "] if pieces else []
        pieces += [column] if isinstance(column, Slot) else column
    return pieces
