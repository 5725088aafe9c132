"""Cumulated reports: several deliveries selected by hand, the same indicators over their union."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.events import Click, Event, Open, Transaction
from msgtrack.metrics import Table, catalogue, indicators
from msgtrack.model import Client, Delivery, Message
from msgtrack.storage import open_store
from msgtrack.testing.strategies import World, worlds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

ADDITIVE = [
    "to_deliver",
    "success",
    "complaints",
    "recipient_open",
    "recipient_click",
    "total_recipient_open",
    "total_recipient_click",
    "opt_out",
    "mirror_page",
    "total_web_page",
    "transaction",
    "amount",
    "article",
    "url_clicks",
    "opens_by_os",
    "browser_pages",
]
"""Each message, each event belongs to one delivery, so these add up."""


def without_contradictions(world: World) -> World:
    """One event for each id: two of one id in different deliveries would be settled by what is asked for."""
    kept = {event.id if event.has_own_id else number: event for number, event in enumerate(world.events)}
    return evolve(world, events=tuple(kept.values()))


honest_worlds = worlds().map(without_contradictions)


def over(world: World, ids: Iterable[str], **options: Any) -> Table:
    chosen = [delivery for delivery in world.deliveries if delivery.id in set(ids)]
    return indicators.from_events(chosen, world.messages, world.links, world.events, facts=world.facts, **options)


def ids_of(world: World) -> list[str]:
    return sorted(delivery.id for delivery in world.deliveries)


@given(honest_worlds)
def test_sums_of_messages_and_events_add_up(world: World) -> None:
    ids = ids_of(world)
    if not ids:
        return
    whole = over(world, ids)
    rows = [over(world, [id_]) for id_ in ids]
    for key in ADDITIVE:
        assert whole[key].value == sum((row[key].value_or_zero for row in rows), Decimal(0)), key


@given(honest_worlds)
def test_distinct_persons_are_at_most_the_sum_and_at_least_the_largest(world: World) -> None:
    ids = ids_of(world)
    if not ids:
        return
    whole = int(str(over(world, ids)["person_click"].value))
    rows = [int(str(over(world, [id_])["person_click"].value)) for id_ in ids]
    assert max(rows) <= whole <= sum(rows)
    for key in ("person_click", "browser_visitors"):
        assert over(world, ids)[key].value_or_zero <= sum(over(world, [id_])[key].value_or_zero for id_ in ids)


@given(honest_worlds)
def test_rates_are_made_of_sums_and_never_of_rates(world: World) -> None:
    ids = ids_of(world)
    if not ids:
        return
    whole = over(world, ids)
    rows = [over(world, [id_]) for id_ in ids]
    for key, top, bottom in (
        ("recipient_click_rate", "recipient_click", "success"),
        ("total_click_rate", "total_recipient_click", "success"),
        ("raw_reactivity", "recipient_click", "recipient_open"),
        ("average_transaction_amount", "amount", "transaction"),
    ):
        value = whole[key]
        assert value.numerator == sum((row[top].value_or_zero for row in rows), Decimal(0))
        assert value.denominator == sum(row[bottom].value_or_zero for row in rows)


@given(world=honest_worlds, data=st.data())
def test_the_order_and_repetition_of_ids_change_nothing(world: World, data: st.DataObject) -> None:
    ids = ids_of(world)
    if not ids:
        return
    shuffled = data.draw(st.permutations([*ids, ids[0]]))
    with open_store("memory:") as store:
        store.put(world.records)
        store.ingest(world.events)
        one, other = indicators(store, ids), indicators(store, shuffled)
    assert one == other == over(world, ids)


@given(honest_worlds)
def test_one_id_in_a_list_is_the_report_of_that_delivery(world: World) -> None:
    for id_ in ids_of(world):
        with open_store("memory:") as store:
            store.put(world.records)
            store.ingest(world.events)
            assert indicators(store, [id_]) == indicators(store, id_)


def on(kind: type[Event], delivery: str, message: str, **fields: Any) -> Event:
    return kind(occurred_at=NOON, delivery_id=delivery, message_id=message, **fields)


def table_of(events: list[Event], ids: str = "12", **fields: Any) -> Table:
    messages = [
        Message(id=name, delivery_id=id_, status="sent", recipient_id=name, **fields) for id_ in "12" for name in "ab"
    ]
    return indicators.from_events([Delivery(id=id_) for id_ in ids], messages, [], events)


def test_unique_persons_of_two_deliveries_are_no_sum_of_rows() -> None:
    clicks = [on(Click, id_, "a", source_id="ann") for id_ in "12"]
    each = [table_of(clicks, id_)["person_click"].value for id_ in "12"]
    whole = table_of(clicks)
    assert (each, whole["person_click"].value) == ([1, 1], 1)
    # Messages are another matter: each belongs to one delivery, whoever received both (recurring deliveries, C36).
    assert whole["recipient_click"].value == 2
    assert whole["distinct_clicks"].value == 1 / 4
    assert whole["forward_estimate"].value == -1
    assert "negative" in whole["forward_estimate"].caveats


def test_distinct_recipients_are_fewer_than_distinct_messages() -> None:
    opens = [on(Open, id_, "a") for id_ in "12"]
    whole = table_of(opens)
    assert whole["recipient_open"].value == 2
    assert sum(whole.counts.recipients.values()) == 1


def test_visitors_of_two_deliveries_on_one_day_are_one() -> None:
    client = Client(browser="Firefox", os="Linux")
    clicks = [on(Click, id_, "a", source_id="ann", client=client) for id_ in "12"]
    each = [table_of(clicks, id_)["browser_visitors"].value for id_ in "12"]
    whole = table_of(clicks)
    assert (each, whole["browser_visitors"].value, whole["browser_pages"].value) == ([1, 1], 1, 2)


def test_vector_4_unique_opens_of_days_are_no_sum_either() -> None:
    # P1 opens twice on the first day and three times on the second, P2 once on the first.
    moments = [("a", 0)] * 2 + [("a", 1)] * 3 + [("b", 0)]
    opens: list[Event] = [
        Open(occurred_at=NOON + timedelta(days=day), delivery_id="1", message_id=name) for name, day in moments
    ]
    whole = table_of(opens, "1")
    days = whole.counts.deliveries["1"].groups["day"]
    assert [sum(reached.reach.values()) for reached in days.values()] == [2, 1]
    assert (whole["total_recipient_open"].value, whole["recipient_open"].value) == (6, 2)


def test_estimates_are_made_for_each_delivery_and_then_summed() -> None:
    messages = [
        Message(id=f"{i}", delivery_id=id_, status="sent", format="text" if i == 2 else "html")
        for id_ in "12"
        for i in range(3)
    ]
    opens = [on(Open, id_, "0") for id_ in "12"]
    deliveries = [Delivery(id="1"), Delivery(id="2")]
    each = [indicators.from_events(d, messages, [], opens)["estimated_recipient_open"].value for d in deliveries]
    whole = indicators.from_events(deliveries, messages, [], opens)
    # 1 * 3 / 2 is 1.5, rounded to 2 twice; 2 * 6 / 4 would be 3.
    assert (each, whole["estimated_recipient_open"].value) == ([2, 2], 4)


def test_the_average_of_a_basket_weighs_every_basket_alike() -> None:
    bought = [
        on(Transaction, "1", "a", amount=Decimal(100), article=1),
        on(Transaction, "2", "a", amount=Decimal(10), article=1),
        on(Transaction, "2", "b", amount=Decimal(10), article=1),
    ]
    assert table_of(bought)["average_transaction_amount"].value == Decimal(40)


@pytest.mark.parametrize("ids", [["1", "2"], ("2", "1"), {"1", "2"}])
def test_several_may_be_named_by_any_iterable(ids: Iterable[str]) -> None:
    with open_store("memory:") as store:
        store.put([Delivery(id="1", to_deliver=3), Delivery(id="2", to_deliver=4)])
        assert indicators(store, ids)["to_deliver"].value == 7


CONSOLE = [key for key in catalogue if catalogue[key].report == "Tracking indicators"]


@given(honest_worlds.filter(lambda world: world.deliveries))
@settings(max_examples=25)
def test_tracking_indicators_come_by_delivery_and_each_row_is_the_delivery_alone(world: World) -> None:
    table = over(world, ids_of(world))
    alone = {id_: over(world, [id_]) for id_ in table.counts.deliveries}
    for key in CONSOLE:
        if key.startswith("domain_"):
            assert catalogue[key].groupings == ("domain",)
            continue
        rows = {id_: row.value for id_, row in table.series(key, by="delivery").items()}
        assert rows == {id_: own[key].value for id_, own in alone.items()}, key


@given(honest_worlds.filter(lambda world: world.deliveries))
@settings(max_examples=25)
def test_what_comes_by_domain_comes_by_variant_and_each_row_is_the_variant_alone(world: World) -> None:
    table = over(world, ids_of(world))
    # Deliveries without any variant have no such rows.
    with_variants = [id_ for id_, delivery in table.counts.deliveries.items() if delivery.variants]
    variant_of = {(m.delivery_id, m.id): m.variant for m in world.messages}
    by_variant = [key for key in CONSOLE if "variant" in catalogue[key].groupings]
    assert {"success", "recipient_open", "recipient_click", "opt_out", "raw_reactivity"} < set(by_variant)
    for name in table.series("success", by="variant"):
        alone = indicators.from_events(
            [delivery for delivery in world.deliveries if delivery.id in with_variants],
            [message for message in world.messages if message.variant == name],
            world.links,
            [e for e in world.events if variant_of.get((e.delivery_id or "", e.message_id or ""), "") == name],
        )
        for key in by_variant:
            assert table.series(key, by="variant")[name].value == alone[key].value, (key, name)
