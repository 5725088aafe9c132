"""How the facts of a tally travel from one process to another: by columns.

Tuples cost more to write and read one by one than they took to be made. By columns a value is written once, and rows name
it by its number; ids, of which no two are alike, are one long text.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate, islice, repeat
from typing import Any, NamedTuple

from msgtrack._entries import EVENT_WIDTH, EventEntry, MessageEntry

__all__ = [
    "PackedEvents",
    "PackedMessages",
    "Texts",
    "pack_events",
    "pack_messages",
    "pack_texts",
    "unpack_events",
    "unpack_messages",
    "unpack_texts",
]

_OWN_TEXTS = (3, 5)
_OWN_FIELDS = (MessageEntry._fields.index("recipient_id"),)
"""Texts of which most rows have their own: message and person of an event, recipient of a message."""


class Texts(NamedTuple):
    """Texts in a row, and where each ends."""

    joined: str
    ends: array[int]


class _Column(NamedTuple):
    """The distinct values of a column, and for each row the number of its value; no numbers where all are alike."""

    values: list[Any]
    numbers: array[int] | None


class PackedEvents(NamedTuple):
    """Events with a key each: first those left out, then by width; ``extras`` is what the last ones have beyond columns."""

    keys: Texts | array[int]
    left_out: int
    columns: list[_Column | Texts]
    extras: list[EventEntry]


class PackedMessages(NamedTuple):
    """Messages: how many each delivery has, their ids, and the columns of their entries."""

    sizes: dict[str, int]
    ids: Texts
    columns: list[_Column | Texts]


def pack_texts(texts: Iterable[str]) -> Texts:
    """Texts as one."""
    texts = list(texts)
    return Texts("".join(texts), array("Q", accumulate(map(len, texts))))


def unpack_texts(texts: Texts) -> list[str]:
    """The texts that were packed."""
    joined, start, found = texts.joined, 0, []
    for end in texts.ends:
        found.append(joined[start:end])
        start = end
    return found


def _column(values: list[Any]) -> _Column:
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    if len(numbers) == 1:
        return _Column(values[:1], None)
    return _Column(list(numbers), array("I", map(numbers.__getitem__, values)))


def _columns(entries: Iterable[tuple[Any, ...]], places: Iterable[int], texts: Container[int]) -> list[_Column | Texts]:
    entries = list(entries)
    columns = ([entry[place] for entry in entries] for place in places)
    return [(pack_texts if place in texts else _column)(column) for place, column in zip(places, columns, strict=True)]


def _values(column: _Column | Texts) -> Iterable[Any]:
    if isinstance(column, Texts):
        return unpack_texts(column)
    if column.numbers is None:
        return repeat(column.values[0])
    return map(column.values.__getitem__, column.numbers)


def pack_events(keys: Iterable[str] | Iterable[int], entries: Iterable[EventEntry]) -> PackedEvents:
    """Events by columns, with their ids or with how often they came."""
    names: list[Any] = list(keys)
    rows = list(entries)
    left_out = 0
    extras: list[EventEntry] = []
    if set(map(len, rows)) != {EVENT_WIDTH}:
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        names, rows = [names[place] for place in order], [rows[place] for place in order]
        left_out = sum(not row for row in rows)
        # Equal amounts may differ in their zeros, so none may stand for another.
        extras = [row[EVENT_WIDTH:] for row in rows if len(row) > EVENT_WIDTH]
    return PackedEvents(
        keys=array("Q", names) if names and isinstance(names[0], int) else pack_texts(names),
        left_out=left_out,
        columns=_columns(rows[left_out:], range(EVENT_WIDTH), _OWN_TEXTS),
        extras=extras,
    )


def unpack_events(packed: PackedEvents) -> Iterator[tuple[Any, EventEntry]]:
    """The events that were packed, each after its key."""
    entries: list[EventEntry] = [()] * packed.left_out
    entries += zip(*map(_values, packed.columns), strict=False)
    first = len(entries) - len(packed.extras)
    if packed.extras:
        entries[first:] = [entry + extra for entry, extra in zip(entries[first:], packed.extras, strict=True)]
    return zip(unpack_texts(packed.keys) if isinstance(packed.keys, Texts) else packed.keys, entries, strict=True)


def pack_messages(messages: Mapping[str, Mapping[str, MessageEntry]]) -> PackedMessages:
    """Messages of all deliveries by columns."""
    entries = [entry for of_delivery in messages.values() for entry in of_delivery.values()]
    return PackedMessages(
        sizes={delivery_id: len(of_delivery) for delivery_id, of_delivery in messages.items()},
        ids=pack_texts(message_id for of_delivery in messages.values() for message_id in of_delivery),
        columns=_columns(entries, range(len(MessageEntry._fields)), _OWN_FIELDS),
    )


def unpack_messages(packed: PackedMessages) -> dict[str, dict[str, MessageEntry]]:
    """The messages that were packed."""
    if not packed.ids.ends:
        return {delivery_id: {} for delivery_id in packed.sizes}
    entries = map(partial(tuple.__new__, MessageEntry), zip(*map(_values, packed.columns), strict=False))
    messages = zip(unpack_texts(packed.ids), entries, strict=True)
    return {delivery_id: dict(islice(messages, size)) for delivery_id, size in packed.sizes.items()}
