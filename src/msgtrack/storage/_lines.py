"""All that a store holds as one file of JSON lines: written beside the old one, and put in its place when it is whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgtrack.errors import MsgtrackError, UnreadableInput
from msgtrack.events import Event
from msgtrack.protocols import Checkpoint, Record
from msgtrack.records import from_dict, to_dict
from msgtrack.storage._core import RECORD_KINDS

__all__ = ["Kept", "Place", "read_lines", "write_lines"]

Place = str | os.PathLike[str]
"""Where a file is."""

Kept = Record | Event | Checkpoint
"""What a line holds."""

_HEAD = {"msgtrack": "store", "version": 1}
_KINDS: dict[str, type[Kept]] = {kind.__name__: kind for kind in (*RECORD_KINDS, Checkpoint, Event)}


def write_lines(path: Place, values: Iterable[Kept]) -> None:
    """Write values to a file, which is there whole or not at all; an older one stays until then.

    Raises:
        UnreadableInput: the folder or the file cannot be written.
    """
    place = Path(path)
    try:
        # In the same folder, as only within one file system a file takes the place of another at once.
        number, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(number, "w", encoding="ascii", newline="\n") as file:
                file.write(json.dumps(_HEAD) + "\n")
                for value in values:
                    kind = "Event" if isinstance(value, Event) else type(value).__name__
                    file.write(json.dumps({kind: to_dict(value)}, separators=(",", ":")) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnreadableInput(f"{place}: the store cannot be saved: {error.strerror or error}") from error


def read_lines(path: Place) -> Iterator[Kept]:
    """The values of a file that :func:`write_lines` wrote.

    Raises:
        UnreadableInput: there is no such file, or a line is not one of ours; the message names the line.
    """
    place = Path(path)
    try:
        with place.open(encoding="ascii", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                try:
                    found = json.loads(line)
                    if number > 1:
                        yield _value(found)
                    elif found != _HEAD:
                        raise UnreadableInput(f"{place}: not a store saved by this version: {line!r:.80}")
                except (RecursionError, ValueError, MsgtrackError) as error:
                    if isinstance(error, UnreadableInput):
                        raise
                    raise UnreadableInput(f"{place}, line {number}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnreadableInput):
            raise
        raise UnreadableInput(f"{place}: the saved store cannot be read: {error}") from error


def _value(found: object) -> Kept:
    if not isinstance(found, dict) or len(found) != 1:
        raise ValueError(f"expected an object of one kind, got {found!r:.80}")
    ((name, mapping),) = found.items()
    if name not in _KINDS:
        raise ValueError(f"a store keeps nothing of the kind {name!r:.40}")
    return from_dict(mapping, _KINDS[name])
