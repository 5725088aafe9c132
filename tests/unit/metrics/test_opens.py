"""Breakdown of opens: by program, all and mobile alone, counted here from the events one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.events import Click, Event, Open
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Client, Delivery, Message, Verdict
from msgtrack.storage import open_store
from msgtrack.testing.strategies import worlds

START = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("os", "device", "browser")
CLIENTS = (
    None,
    Client(user_agent="?"),
    Client(browser="Chrome", browser_version="1", os="Windows", device="PC", is_mobile=False),
    Client(browser="Chrome", browser_version="2", os="Android", is_mobile=True),
    Client(browser="Unknown", os="iOS", device="iPhone"),
    Client(os="iOS", device="iPhone", is_mobile=True),
)


@st.composite
def opened(draw: st.DrawFn) -> tuple[list[Message], list[Event]]:
    messages = [
        Message(id=id_, delivery_id=delivery, is_seed=draw(st.sampled_from([False, False, True])))
        for delivery in "12"
        for id_ in "ab"
    ]
    events = [
        draw(st.sampled_from([Open, Open, Open, Click]))(
            occurred_at=START + timedelta(minutes=draw(st.integers(0, 9))),
            delivery_id=draw(st.sampled_from(["1", "2", "proof"])),
            message_id=draw(st.sampled_from(["a", "b", "nobody", None])),
            client=draw(st.sampled_from(CLIENTS)),
            is_seed=draw(st.sampled_from([False, False, False, True])),
            verdict=Verdict(audience=draw(st.sampled_from(Audience))),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    return messages, events


def table_of(messages: list[Message], events: list[Event], **options: Any) -> Table:
    deliveries = [Delivery(id="1"), Delivery(id="2"), Delivery(id="proof", is_proof=True)]
    return indicators.from_events(deliveries, messages, [], events, **options)


def opens(messages: list[Message], events: list[Event]) -> list[Client]:
    """count(L, url_id == 1): the clients of those rows."""
    seeds = {(m.delivery_id, m.id) for m in messages if m.is_seed}
    return [
        e.client or Client()
        for e in events
        if isinstance(e, Open)
        and not e.is_seed
        and e.delivery_id != "proof"
        and (e.delivery_id, e.message_id) not in seeds
    ]


@pytest.mark.parametrize("name", NAMES)
@given(world=opened())
def test_formulas(name: str, world: tuple[list[Message], list[Event]]) -> None:
    table = table_of(*world)
    rows = opens(*world)
    assert table[f"opens_by_{name}"].value == len(rows)
    for by, chosen in ((name, rows), (f"mobile-{name}", [client for client in rows if client.is_mobile])):
        expected: dict[str, int] = {}
        for client in chosen:
            label = getattr(client, name) or "Unknown"
            expected[label] = expected.get(label, 0) + 1
        series = {row: value.value for row, value in table.series(f"opens_by_{name}", by=by).items()}
        assert series == expected
        assert list(series) == sorted(expected, key=lambda row: (-expected[row], row))


@pytest.mark.parametrize("name", NAMES)
@given(world=opened())
def test_rows_add_up_to_all_opens_and_mobile_is_part_of_it(name: str, world: tuple[list[Message], list[Event]]) -> None:
    table = table_of(*world)
    every = {row: int(str(value.value)) for row, value in table.series(f"opens_by_{name}", by=name).items()}
    mobile = {
        row: int(str(value.value)) for row, value in table.series(f"opens_by_{name}", by=f"mobile-{name}").items()
    }
    assert sum(every.values()) == table["total_recipient_open"].value
    assert all(mobile[row] <= every[row] for row in mobile)


@given(world=opened(), audience=st.sampled_from(Audience))
def test_an_audience_is_the_same_as_filtering_by_hand(
    world: tuple[list[Message], list[Event]], audience: Audience
) -> None:
    messages, events = world
    by_hand = table_of(messages, [event for event in events if event.verdict.audience is audience])
    table = table_of(messages, events, audience=audience)
    for name in NAMES:
        assert dict(table.series(f"opens_by_{name}", by=name)) == dict(by_hand.series(f"opens_by_{name}", by=name))


def test_what_no_user_agent_told_is_a_row_of_its_own() -> None:
    events = [Open(occurred_at=START, delivery_id="1", client=client) for client in (None, CLIENTS[1], CLIENTS[3])]
    table = table_of([], list(events))
    rows = table.series("opens_by_device", by="device")
    assert {name: value.value for name, value in rows.items()} == {"Unknown": 3}
    assert "no-data" in rows["Unknown"].caveats
    by_os = table.series("opens_by_os", by="os")
    assert {name: value.value for name, value in by_os.items()} == {"Unknown": 2, "Android": 1}
    assert list(by_os) == ["Unknown", "Android"]
    assert "no-data" not in by_os["Unknown"].caveats


def test_a_click_with_a_program_says_nothing_about_the_programs_of_opens() -> None:
    events: list[Event] = [
        Open(occurred_at=START, delivery_id="1"),
        Click(occurred_at=START, delivery_id="1", client=CLIENTS[3]),
    ]
    value = table_of([], events)["opens_by_os"]
    assert value.value == 1
    assert {"no-data", "user-agents", "image-loads"} <= set(value.caveats)


def test_an_open_is_an_open_by_its_class_whatever_link_it_names() -> None:
    client = Client(os="iOS")
    events: list[Event] = [
        Open(occurred_at=START, delivery_id="1", link_id="1", client=client),
        Open(occurred_at=START, delivery_id="1", link_id="7", client=client),
        Click(occurred_at=START, delivery_id="1", link_id="1", client=client),
    ]
    assert table_of([], events).series("opens_by_os", by="os")["iOS"].value == 2


@settings(max_examples=8)  # a database file for each
@given(world=worlds(), audience=st.sampled_from(["all", "human"]))
def test_every_store_gives_the_same(tmp_path_factory: pytest.TempPathFactory, world: Any, audience: str) -> None:
    ids = sorted({delivery.id for delivery in world.deliveries})
    if not ids:
        return
    path = Path(tmp_path_factory.mktemp("opens")) / "s.db"
    for url in ("memory:", f"sqlite:///{path}"):
        with open_store(url) as store:
            store.put(world.records)
            store.ingest(world.events)
            # Events of one id that contradict each other are settled by the store.
            kept = [event for event in store.scan() if audience in ("all", event.verdict.audience.value)]
            expected = indicators.from_events(world.deliveries, world.messages, world.links, kept)
            table = indicators(store, ids, audience=audience)
            for name in NAMES:
                key = f"opens_by_{name}"
                for by in (name, f"mobile-{name}"):
                    assert dict(table.series(key, by=by)) == dict(expected.series(key, by=by))
