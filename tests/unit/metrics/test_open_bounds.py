"""Opens as an interval: machines out, blocked images in."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption
from msgtrack.events import Click, Event, Open
from msgtrack.metrics import indicators
from msgtrack.metrics._bounds import ASSUMPTIONS, OpenBounds, open_bounds
from msgtrack.model import Audience, Delivery, Message, Verdict
from msgtrack.storage import open_store
from msgtrack.testing.strategies import worlds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sent(number: int, **fields: Any) -> list[Message]:
    return [Message(id=str(i), delivery_id="1", status="sent", **fields) for i in range(number)]


def seen(kind: type[Event], ids: range, audience: str = "human") -> list[Event]:
    return [kind(occurred_at=NOON, delivery_id="1", message_id=str(i), verdict=Verdict(audience=audience)) for i in ids]


def bounds(messages: list[Message], events: list[Event], **options: Any) -> OpenBounds:
    return open_bounds(partial(indicators.from_events, Delivery(id="1"), messages, [], events), **options)


def both(found: OpenBounds) -> tuple[Any, Any]:
    return found.lower.value, found.upper.value


def test_machines_are_out_of_both_and_the_unsure_out_of_the_lower() -> None:
    events = [
        *seen(Open, range(10)),
        *seen(Open, range(10, 15), "proxy"),
        *seen(Open, range(15, 22), "unsure"),
        *seen(Open, range(22, 80), "machine"),
    ]
    found = bounds(sent(100), events, hidden=0)
    assert both(found) == (15, 22)
    assert found.estimate.value == 80
    assert (found.lower_rate.value, found.upper_rate.value) == (0.15, 0.22)


def test_blocked_images_are_in() -> None:
    assert both(bounds(sent(100), seen(Open, range(30)), hidden=0.4)) == (30, 50)
    assert both(bounds(sent(100), seen(Open, range(30)), hidden=0.9)) == (30, 100)


def test_clicks_without_an_open_show_how_many_readers_no_image_sees() -> None:
    # 40 clicked, of whom 30 opened: a quarter is hidden, and at most 40.2 % by the Wilson interval.
    events = [*seen(Open, range(60)), *seen(Click, range(30, 70))]
    found = bounds(sent(200), events)
    assert (found.hidden_rate.numerator, found.hidden_rate.denominator) == (10, 40)
    z = 1.959964
    high = (0.25 + z**2 / 80 + z * (0.25 * 0.75 / 40 + (z / 80) ** 2) ** 0.5) / (1 + z**2 / 40)
    assert both(found) == (70, ceil(60 / (1 - high)))
    wider = bounds(sent(200), events, confidence=0.99)
    assert wider.upper.value is not None
    assert wider.upper.value > (found.upper.value or 0)


def test_where_nobody_clicked_everybody_may_have_read() -> None:
    found = bounds(sent(50), seen(Open, range(5)))
    assert both(found) == (5, 50)
    assert found.hidden_rate.value is None
    assert both(bounds(sent(50), [])) == (0, 50)
    assert both(bounds(sent(50), [], hidden=0)) == (0, 0)


def test_clicks_alone_leave_everything_open() -> None:
    assert both(bounds(sent(50), seen(Click, range(5)))) == (5, 50)
    assert both(bounds(sent(50), seen(Click, range(5)), hidden=0.5)) == (5, 5)


def test_clicks_of_machines_do_not_show_hidden_readers() -> None:
    events = [*seen(Open, range(20)), *seen(Click, range(20)), *seen(Click, range(20, 40), "machine")]
    assert bounds(sent(100), events).hidden_rate.numerator == 0


def test_text_messages_count_as_read_like_the_others() -> None:
    messages = [*sent(50), *(Message(id=f"t{i}", delivery_id="1", status="sent", format="text") for i in range(50))]
    found = bounds(messages, seen(Open, range(10)), hidden=0)
    assert both(found) == (10, 20)
    assert found.estimate.value == 20
    only_text = [message for message in messages if message.id.startswith("t")]
    assert both(bounds(only_text, [], hidden=0)) == (0, 50)


def test_reactions_to_what_was_not_delivered_are_proof_all_the_same() -> None:
    failed = [Message(id=str(i), delivery_id="1", status="failed") for i in range(3)]
    found = bounds(failed, seen(Click, range(3)))
    assert both(found) == (3, 3)
    assert found.upper_rate.value is None
    assert "no-denominator" in found.upper_rate.caveats
    over = bounds([*failed, Message(id="x", delivery_id="1", status="sent")], seen(Click, range(3)))
    assert "above-one" in over.lower_rate.caveats


def test_where_nothing_is_judged_the_lower_bound_is_zero() -> None:
    found = bounds(sent(10), [Open(occurred_at=NOON, delivery_id="1", message_id="1")], hidden=0)
    assert both(found) == (0, 1)


def test_bounds_are_estimates_and_say_what_they_assume() -> None:
    found = bounds(sent(10), seen(Open, range(3)))
    for value in (found.lower, found.upper, found.lower_rate, found.upper_rate):
        assert value.estimated
        assert {"estimate", "image-loads"} <= set(value.caveats)
    assert found.assumptions == ASSUMPTIONS
    assert {assumption.partition(":")[0] for assumption in ASSUMPTIONS} == {"Lower", "Upper"}


@given(
    messages=st.integers(0, 12),
    texts=st.integers(0, 4),
    rows=st.lists(
        st.tuples(st.sampled_from([Open, Click]), st.integers(0, 11), st.sampled_from([a.value for a in Audience])),
        max_size=20,
    ),
    hidden=st.none() | st.floats(0, 0.99),
)
def test_laws(messages: int, texts: int, rows: list[tuple[type[Event], int, str]], hidden: float | None) -> None:
    everything = [
        *sent(messages),
        *(Message(id=f"t{i}", delivery_id="1", status="sent", format="text") for i in range(texts)),
    ]
    events = [event for kind, number, audience in rows for event in seen(kind, range(number, number + 1), audience)]
    found = bounds(everything, events, hidden=hidden)
    lower, upper = int(str(found.lower.value)), int(str(found.upper.value))
    assert 0 <= lower <= upper
    reacted = {e.message_id for e in events if e.verdict.audience is not Audience.MACHINE}
    assert len(reacted) <= upper <= max(messages + texts, len(reacted))
    assert lower == len({e.message_id for e in events if e.verdict.audience.value in ("human", "proxy")})
    published = indicators.from_events(Delivery(id="1"), everything, [], events, audience=("human", "proxy", "unsure"))[
        "estimated_recipient_open"
    ].value
    if published is not None and published <= messages + texts:
        assert upper >= published
    if hidden is not None:
        assert bounds(everything, events, hidden=min(hidden + 0.005, 0.999)).upper.value >= upper  # type: ignore[operator]  # a count


@settings(max_examples=8)  # a database file for each
@given(world=worlds())
def test_every_store_gives_the_same(tmp_path_factory: pytest.TempPathFactory, world: Any) -> None:
    ids = sorted({delivery.id for delivery in world.deliveries})
    if not ids:
        return
    path = Path(tmp_path_factory.mktemp("bounds")) / "s.db"
    for url in ("memory:", f"sqlite:///{path}"):
        with open_store(url) as store:
            store.put(world.records)
            store.ingest(world.events)
            # Events of one id that contradict each other are settled by the store.
            kept = list(store.scan())
            plain = partial(indicators.from_events, world.deliveries, world.messages, world.links, kept)
            assert open_bounds(partial(indicators, store, ids)) == open_bounds(plain)


@pytest.mark.parametrize("hidden", [-0.1, 1, 1.5, True, "0.1", float("nan")])
def test_a_bad_share_of_hidden_readers_is_refused(hidden: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        bounds([], [], hidden=hidden)
    assert caught.value.message == f"hidden={hidden!r} is no share from 0 up to 1"


@pytest.mark.parametrize("confidence", [0, 1, True, None, "x"])
def test_a_bad_confidence_is_refused(confidence: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        bounds([], [], confidence=confidence, hidden=0.5)
    assert caught.value.message == f"confidence={confidence!r} does not lie between 0 and 1"


def test_readers_of_all_domains_and_deliveries_count_together() -> None:
    deliveries = [Delivery(id="1"), Delivery(id="2")]
    messages = [
        Message(id=f"{id_}{n}", delivery_id=id_, status="sent", address=f"a@{host}")
        for id_ in "12"
        for host, numbers in (("gmail.com", range(5)), ("b.example", range(5, 10)))
        for n in numbers
    ]
    events = [
        kind(occurred_at=NOON, delivery_id=id_, message_id=f"{id_}{n}", verdict=Verdict(audience="human"))
        for id_ in "12"
        for kind, numbers in ((Open, (0, 1, 5, 6)), (Click, (0, 5, 7)))
        for n in numbers
    ]
    found = open_bounds(partial(indicators.from_events, deliveries, messages, [], events), hidden=0.2)
    assert (found.hidden_rate.numerator, found.hidden_rate.denominator) == (2, 6)
    assert both(found) == (10, ceil(8 / 0.8))
    assert both(open_bounds(partial(indicators.from_events, deliveries, messages, [], events), hidden=0.5)) == (10, 16)


def test_a_delivery_of_text_alone_among_others_leaves_the_upper_bound_open() -> None:
    html = sent(10)
    text = [Message(id=f"t{i}", delivery_id="2", status="sent", format="text") for i in range(10)]
    of = partial(indicators.from_events, [Delivery(id="1"), Delivery(id="2")], [*html, *text], [], seen(Open, range(3)))
    found = open_bounds(of, hidden=0)
    assert both(found) == (3, 20)
    assert "partly-undefined" in found.estimate.caveats


def test_rates_are_shares_and_all_of_them_is_not_more_than_all() -> None:
    found = bounds(sent(3), [*seen(Open, range(3)), *seen(Click, range(2))], hidden=0)
    for rate in (found.lower_rate, found.upper_rate, found.hidden_rate):
        assert rate.is_share is True
        assert rate.unit == "ratio"
    assert found.lower_rate.value == found.upper_rate.value == 1.0
    assert "above-one" not in (*found.lower_rate.caveats, *found.upper_rate.caveats)
