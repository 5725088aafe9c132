"""A tally takes columns for the events that they stand for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack._borders import microseconds
from msgtrack.columns import EventColumns
from msgtrack.errors import InvalidId
from msgtrack.events import Click, Event
from msgtrack.tally import Tally
from msgtrack.testing import strategies

ids = st.sampled_from([f"{number:032x}" for number in range(4)]) | st.just(7)
people = st.sampled_from([None, "1", "b", 7])
columns = st.lists(strategies.events(), min_size=1, max_size=5).flatmap(
    lambda examples: st.lists(
        st.tuples(
            st.integers(0, len(examples) - 1),
            ids,
            st.datetimes(timezones=st.just(UTC)).map(microseconds),
            people,
            people,
        ),
        max_size=12,
    ).map(lambda rows: columns_of(examples, rows))
)


def columns_of(examples: list[Event], rows: list[tuple[Any, ...]]) -> EventColumns:
    example, event_ids, moments, message_ids, source_ids = zip(*rows, strict=True) if rows else [()] * 5
    return EventColumns(
        examples=examples,
        example=example,
        ids=event_ids,
        occurred_us=moments,
        message_ids=message_ids,
        source_ids=source_ids,
    )


@given(st.lists(columns, max_size=3), st.booleans())
def test_columns_are_taken_for_their_events(stretches: list[EventColumns], is_reported_on: bool) -> None:
    by_columns, by_events = Tally(), Tally()
    for stretch in stretches:
        by_columns.extend_columns(stretch)
        by_events.extend(stretch.events())
        if is_reported_on:
            assert by_columns.counts() == by_events.counts()
    assert by_columns == by_events
    assert by_columns.counts() == by_events.counts()


@pytest.mark.parametrize(
    "wrong", [{"ids": ("a", "")}, {"ids": ("a", None)}, {"message_ids": ("1", b"1")}, {"source_ids": ("b", "x" * 65)}]
)
def test_what_is_no_id_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "examples": [Click(occurred_at=datetime(2026, 3, 2, tzinfo=UTC), delivery_id="spring", link_id="2")],
        "example": (0, 0),
        "ids": ("a", "b"),
        "occurred_us": (0, 1),
        "message_ids": ("1", None),
        "source_ids": (None, "b"),
    }
    tally = Tally()
    tally.extend_columns(EventColumns(**right))
    assert repr(tally) == "<Tally: 0 deliveries, 0 messages, 2 events>"
    tally = Tally()
    with pytest.raises(InvalidId):
        tally.extend_columns(EventColumns(**{**right, **wrong}))
    assert repr(tally) == "<Tally: 0 deliveries, 0 messages, 1 events>", "those before it are in"
