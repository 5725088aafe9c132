"""Official vector 1 through stores: events without ids, many of them alike, ingested at once and then again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from msgtrack import Delivery, Message, TrackedLink, open_store
from msgtrack.events import Click, Event, Open
from msgtrack.metrics import indicators

AT = datetime(2012, 4, 2, 9, tzinfo=UTC)

EXPECTED = {
    "to_deliver": 4,
    "success": 4,
    "recipient_open": 3,
    "total_recipient_open": 4,
    "estimated_recipient_open": 3,
    "estimated_total_recipient_open": 4,
    "distinct_open_rate": 0.75,
    "recipient_click": 2,
    "person_click": 6,
    "person_click_rate": 1.5,
    "total_recipient_click": 15,
    "total_click_rate": 3.75,
    "forward_estimate": 4,
    "forward_rate": 1.0,
    "raw_reactivity": 2 / 3,
    "estimated_reactivity": 2 / 3,
    "opt_out": 0,
    "mirror_page": 0,
}


def click(message_id: str, source_id: str) -> Click:
    return Click(occurred_at=AT, delivery_id="1", message_id=message_id, link_id="2", source_id=source_id)


def opened(message_id: str, source_id: str | None = None) -> Open:
    return Open(occurred_at=AT, delivery_id="1", message_id=message_id, source_id=source_id)


EVENTS: list[Event] = [
    opened("marie"),
    opened("florian"),
    *[click("florian", "florian")] * 9,
    opened("florian"),
    *[click("florian", "friend")] * 2,
    opened("henry", "henry-0"),
    *(click("henry", f"henry-{number}") for number in range(1, 5)),
]


@pytest.mark.parametrize("address", ["memory:", "sqlite:///{folder}/vector.db"])
def test_vector_1_through_a_store(address: str, tmp_path: Path) -> None:
    with open_store(address.format(folder=tmp_path)) as store:
        store.put([Delivery(id="1", contact_at=AT), TrackedLink(delivery_id="1", id="2", url="https://shop.example/")])
        store.put(
            Message(id=name, delivery_id="1", address=f"{name}@a.example", status="sent")
            for name in ("john", "marie", "florian", "henry")
        )
        for _ in range(2):
            store.ingest(EVENTS)
            table = indicators(store, delivery_id="1")
            assert {key: table[key].value for key in EXPECTED} == EXPECTED
        facts = list(store.deliveries()), list(store.messages()), list(store.links()), list(store.scan())
        assert dict(indicators.from_events(*facts)) == dict(table)
