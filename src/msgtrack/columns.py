"""Events by column: what most of them have in common is said once, in an example, and the rest lies in columns of plain values.

Whole log files go into a store this way (:mod:`msgtrack.bulk`), where an object for each line would be most of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen

from msgtrack._borders import closed
from msgtrack.errors import InvalidValue
from msgtrack.events import EVENT_KINDS, Event

__all__ = ["EventColumns"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _events(values: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(values)


def _numbers(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _optional_texts(values: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(values)


@closed
@frozen(kw_only=True)
class EventColumns:
    """Events, each like one of ``examples`` but for its id, its moment, its message and its person.

    All columns have one value for each event, in order. ``example`` says which of the examples it is like, from 0;
    ``occurred_us`` is its moment in whole microseconds since 1970 (UTC). Every event has an id of its own.

    Raises (the class, when called):
        InvalidValue: the columns are not of one length, an example is no event of a known kind, or ``example`` names one that is not there.
    """

    examples: tuple[Event, ...] = field(converter=_events)
    example: tuple[int, ...] = field(converter=_numbers)
    ids: tuple[str, ...] = field(converter=_texts)
    occurred_us: tuple[int, ...] = field(converter=_numbers)
    message_ids: tuple[str | None, ...] = field(converter=_optional_texts)
    source_ids: tuple[str | None, ...] = field(converter=_optional_texts)

    def __attrs_post_init__(self) -> None:
        columns: tuple[tuple[Any, ...], ...] = (self.ids, self.occurred_us, self.message_ids, self.source_ids)
        if any(len(column) != len(self.example) for column in columns):
            lengths = ", ".join(str(len(column)) for column in (self.example, *columns))
            raise InvalidValue(f"columns of events must be of one length, these are of {lengths}")
        for event in self.examples:
            if not isinstance(event, Event) or EVENT_KINDS.get(event.kind) is not type(event):
                raise InvalidValue(f"an example must be an event of a known kind, not {event!r:.80}")
        if self.example and not (0 <= min(self.example) <= max(self.example) < len(self.examples)):
            raise InvalidValue(f"example names one of {len(self.examples)} events, from 0 on")

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.example)

    def events(self) -> Iterator[Event]:
        """The events themselves, in order.

        Raises:
            InvalidValue: a value in a column is none of its kind.
        """
        columns = zip(self.example, self.ids, self.occurred_us, self.message_ids, self.source_ids, strict=True)
        for place, event_id, us, message_id, source_id in columns:
            yield evolve(
                self.examples[place],
                id=event_id,
                occurred_at=_EPOCH + us * _MICROSECOND,
                message_id=message_id,
                source_id=source_id,
            )
