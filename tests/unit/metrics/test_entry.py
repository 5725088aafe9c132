"""The way in: through a store, through plain facts, and what is said to those who ask wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest

from msgtrack.counts import Counts
from msgtrack.errors import InvalidOption, InvalidValue, NaiveDatetime
from msgtrack.events import Click, Event, Open
from msgtrack.facts import FACT_KEYS
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Query, Store
from msgtrack.storage import open_store
from msgtrack.tally import fold

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


class Facts:
    """As much of a store as indicators ask for."""

    def __init__(self, deliveries: list[Delivery], messages: list[Message], events: list[Event]) -> None:
        self._deliveries, self._messages, self._events = deliveries, messages, events
        self.asked: list[Query] = []

    def deliveries(self, query: Query) -> Iterator[Delivery]:
        return (d for d in self._deliveries if d.id in (query.delivery_ids or ()))

    def counts(self, query: Query) -> Counts:
        self.asked.append(query)
        ids = query.delivery_ids or ()
        return fold(
            self.deliveries(query),
            (m for m in self._messages if m.delivery_id in ids),
            [],
            (e for e in self._events if query.admits(e)),
        ).counts()


def message(delivery_id: str = "1", **fields: Any) -> Message:
    return Message(**{"id": "7", "delivery_id": delivery_id, "status": "sent", **fields})


def opened(delivery_id: str = "1", **fields: Any) -> Open:
    return Open(**{"occurred_at": AT, "delivery_id": delivery_id, "message_id": "7", **fields})


DELIVERIES = [Delivery(id="1"), Delivery(id="2"), Delivery(id="proof", is_proof=True)]
MESSAGES = [message("1"), message("2"), message("proof")]
EVENTS: list[Event] = [
    opened("1", verdict=Verdict(audience="human")),
    opened("1", verdict=Verdict(audience="machine"), occurred_at=AT + timedelta(hours=1)),
    opened("2"),
    opened("proof"),
    opened("unregistered"),
]


@pytest.fixture
def facts() -> Facts:
    return Facts(DELIVERIES, MESSAGES, EVENTS)


def store_of(facts: Facts) -> Store:
    return cast(Store, facts)


def test_a_store_and_plain_facts_give_the_same_table(facts: Facts) -> None:
    table = indicators(store_of(facts), delivery_id="1")
    assert table == indicators.from_events(DELIVERIES[0], MESSAGES, [], EVENTS)
    assert table["total_recipient_open"].value == 2
    assert table.counts == facts.counts(Query(delivery_ids="1"))
    assert table.delivery_ids == ("1",)


def test_several_deliveries_are_one_table(facts: Facts) -> None:
    table = indicators(store_of(facts), delivery_id=["2", 1, "2"])
    assert table.delivery_ids == ("2", "1")
    assert table["success"].value == 2
    assert table == indicators.from_events(DELIVERIES[:2], MESSAGES, [], EVENTS)


def test_an_integer_is_an_id(facts: Facts) -> None:
    assert indicators(store_of(facts), delivery_id=1).delivery_ids == ("1",)


def test_facts_of_other_deliveries_are_passed_over() -> None:
    table = indicators.from_events(Delivery(id="1"), MESSAGES, [TrackedLink(delivery_id="2", id="2", url="")], EVENTS)
    assert list(table.counts.deliveries) == ["1"]
    assert table["to_deliver"].value == 1


COPIES = {
    "another delivery": (opened("2", id="e"), opened("1", id="e")),
    "outside the window": (opened(id="e", occurred_at=AT - timedelta(hours=1)), opened(id="e")),
    "another audience": (
        opened(id="e", verdict=Verdict(audience="machine")),
        opened(id="e", verdict=Verdict(audience="human")),
    ),
    "another kind": (opened(id="e"), Click(id="e", occurred_at=AT, delivery_id="1", message_id="7", link_id="2")),
    "a seed": (opened(id="e", is_seed=True), opened(id="e")),
    "alike": (opened(id="e"), opened(id="e")),
}


@pytest.mark.parametrize("way", ["as given", "reversed"])
@pytest.mark.parametrize("copies", COPIES.values(), ids=COPIES)
def test_of_events_with_one_id_the_first_counts_before_anything_is_filtered(
    copies: tuple[Event, ...], way: str
) -> None:
    events = copies if way == "as given" else copies[::-1]
    options: dict[str, Any] = {"since": AT, "audience": ("human", "unsure")}
    store = open_store("memory:")
    store.put((*DELIVERIES, *MESSAGES))
    store.ingest(events)
    kept = indicators(store, "1", **options)
    assert indicators.from_events(DELIVERIES[0], MESSAGES, [], events, **options) == kept
    first = events[0]
    counts = first.delivery_id == "1" and first.occurred_at >= AT and first.verdict.audience != "machine"
    assert kept["recipient_open"].value == int(counts and not first.is_seed)


def test_what_comes_after_a_copy_counts_all_the_same() -> None:
    events = [opened(id=id_) for id_ in ("e", "e", "f", "e", "f")]
    events += [opened(message_id=None), opened(message_id=None), opened(id="g")]
    table = indicators.from_events(DELIVERIES[0], MESSAGES, [], events)
    assert table["total_recipient_open"].value == 5


def test_streams_will_do() -> None:
    assert indicators.from_events(Delivery(id="1"), iter(MESSAGES), iter([]), iter(EVENTS))["success"].value == 1


@pytest.mark.parametrize(
    ("audience", "opens", "words"),
    [
        ("all", 2, "all"),
        ("human", 1, "human"),
        (Audience.MACHINE, 1, "machine"),
        (["machine", "human"], 2, "machine, human"),
        ("proxy", 0, "proxy"),
    ],
)
def test_an_audience_narrows_events_and_not_messages(facts: Facts, audience: Any, opens: int, words: str) -> None:
    for table in (
        indicators(store_of(facts), delivery_id="1", audience=audience),
        indicators.from_events(DELIVERIES[0], MESSAGES, [], EVENTS, audience=audience),
    ):
        assert table["total_recipient_open"].value == opens
        assert (table["to_deliver"].value, table["success"].value) == (1, 1)
        assert table.audience == words


def test_a_window_is_half_open(facts: Facts) -> None:
    hour = timedelta(hours=1)
    for since, until, opens in ((None, AT + hour, 1), (AT, None, 2), (AT + hour, AT + 2 * hour, 1), (AT, AT, 0)):
        for table in (
            indicators(store_of(facts), delivery_id="1", since=since, until=until),
            indicators.from_events(DELIVERIES[0], MESSAGES, [], EVENTS, since=since, until=until),
        ):
            assert table["total_recipient_open"].value == opens
            assert (table.since, table.until) == (since, until)


def test_a_store_that_knows_nothing_of_a_delivery_is_told_on_by_name(facts: Facts) -> None:
    with pytest.raises(InvalidValue, match="no delivery 'nowhere'"):
        indicators(store_of(facts), delivery_id=["1", "nowhere"])


def test_events_alone_make_a_delivery_known(facts: Facts) -> None:
    assert indicators(store_of(facts), delivery_id="unregistered")["total_recipient_open"].value == 1


def test_a_proof_gives_nothing_and_says_why(facts: Facts) -> None:
    for table in (
        indicators(store_of(facts), delivery_id="proof"),
        indicators.from_events(DELIVERIES[2], MESSAGES, [], EVENTS),
    ):
        assert table["success"].value == 0
        assert all("left-out" in value.caveats for value in table.values())
    assert "left-out" not in indicators(store_of(facts), delivery_id=["1", "proof"])["success"].caveats


@pytest.mark.parametrize("delivery_id", [[], (), None])
def test_no_delivery_is_refused(facts: Facts, delivery_id: Any) -> None:
    with pytest.raises(InvalidValue, match="no id was given"):
        indicators(store_of(facts), delivery_id=delivery_id)


def test_no_delivery_is_refused_of_plain_facts_too() -> None:
    with pytest.raises(InvalidValue, match="no id was given"):
        indicators.from_events([], [], [], [])


@pytest.mark.parametrize("audience", ["humans", "", [], ["human", "robot"]])
def test_an_audience_nobody_knows_is_refused(facts: Facts, audience: Any) -> None:
    with pytest.raises(InvalidOption):
        indicators(store_of(facts), delivery_id="1", audience=audience)
    assert facts.asked == []


def test_a_bad_zone_is_refused_before_the_store_is_asked(facts: Facts) -> None:
    with pytest.raises(InvalidOption, match="zone"):
        indicators(store_of(facts), delivery_id="1", zone="Europe/Nowhere")
    assert facts.asked == []


@pytest.mark.parametrize("option", ["since", "until", "now"])
def test_a_naive_moment_is_refused(facts: Facts, option: str) -> None:
    naive: dict[str, Any] = {option: datetime(2026, 3, 1)}
    with pytest.raises(NaiveDatetime):
        indicators(store_of(facts), delivery_id="1", **naive)
    with pytest.raises(NaiveDatetime):
        indicators.from_events(Delivery(id="1"), [], [], [], **naive)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("1", [], [], []), "Delivery"),
        ((5, [], [], []), "Delivery"),
        ((["1"], [], [], []), "Delivery, not str"),
        ((Delivery(id="1"), [opened()], [], []), "Message, not Open"),
        ((Delivery(id="1"), [], [message()], []), "TrackedLink, not Message"),
        ((Delivery(id="1"), [], [], [message()]), "Event, not Message"),
        ((Delivery(id="1"), [], [], None), "iterable of Event"),
    ],
)
def test_something_else_among_the_facts_is_refused_by_name(arguments: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        indicators.from_events(*arguments)


def test_the_moment_of_the_report_is_kept() -> None:
    table = indicators.from_events(Delivery(id="1"), [], [], [], now=AT.astimezone(timezone(timedelta(hours=2))))
    assert table.now == AT
    assert table.now is not None
    assert table.now.tzinfo is UTC


def test_clipping_shows_forwards_below_zero_as_zero_when_asked() -> None:
    messages = [message(id="7"), message(id="8")]
    shared = [
        Click(occurred_at=AT, delivery_id="1", message_id=message_id, link_id="2", source_id="family-computer")
        for message_id in ("7", "8")
    ]
    plain = indicators.from_events(Delivery(id="1"), messages, [], shared)
    assert plain["forward_estimate"].value == -1
    assert plain["forward_rate"].value == -0.5
    assert "negative" in plain["forward_estimate"].caveats
    clipped = indicators.from_events(Delivery(id="1"), messages, [], shared, clip=True)
    assert clipped["forward_estimate"].value == clipped["forward_rate"].value == 0
    assert "clipped" in clipped["forward_estimate"].caveats
    assert "clipped" not in plain["forward_estimate"].caveats


def test_counts_that_somebody_made_are_read_as_they_are(facts: Facts) -> None:
    counts = facts.counts(Query(delivery_ids=["2", "1"]))
    table = indicators.from_counts(counts)
    assert table.counts is counts
    assert set(table.delivery_ids) == {"1", "2"}
    assert (table.zone, table.now, table.clip, table.peers, table.audience) == ("UTC", None, False, None, "all")
    assert (table.since, table.until, table.is_left_out) == (None, None, False)
    moment = AT.astimezone(timezone(timedelta(hours=2)))
    other = indicators.from_counts(counts, zone="Asia/Tokyo", now=moment, clip=True, peers=counts)
    assert (other.zone, other.now, other.clip, other.peers) == ("Asia/Tokyo", AT, True, counts)
    with pytest.raises(NaiveDatetime):
        indicators.from_counts(counts, now=datetime(2026, 3, 1))
    with pytest.raises(InvalidOption):
        indicators.from_counts(counts, zone="Europe/Nowhere")


def test_what_is_asked_for_stands_in_the_table(facts: Facts) -> None:
    ways: list[Callable[..., Table]] = [
        lambda **options: indicators(store_of(facts), ["1", "2"], **options),
        lambda **options: indicators.from_events(DELIVERIES[:2], MESSAGES, [], EVENTS, **options),
    ]
    for make in ways:
        plain = make()
        assert (plain.zone, plain.now, plain.clip, plain.peers, plain.audiences) == ("UTC", None, False, None, None)
        assert (plain.since, plain.until, plain.is_left_out) == (None, None, False)
        hour = timedelta(hours=1)
        table = make(zone="Asia/Tokyo", now=AT, clip=True, since=AT - hour, until=AT + hour, audience="human")
        assert (table.zone, table.now, table.clip, table.audiences) == ("Asia/Tokyo", AT, True, (Audience.HUMAN,))
        assert (table.since, table.until, table.delivery_ids) == (AT - hour, AT + hour, ("1", "2"))
    assert table.counts.zone == "Asia/Tokyo", "days of plain facts are those of the zone"


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        ((5, [], [], []), (), "expected an iterable of Delivery, not int: 5"),
        (([5], [], [], []), (), "expected a Delivery, not int: 5"),
        ((Delivery(id="1"), [10**5000], [], []), (), "expected a Message, not int: a int too long to show"),
        ((Delivery(id="1"), [], [], []), 5, "expected an iterable of facts, not int: 5"),
        (([], [], [], []), (), "indicators need a delivery: no id was given"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(arguments: Any, more: Any, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        indicators.from_events(*arguments, facts=more)
    assert caught.value.message == said


def test_what_is_no_fact_is_told_which_ones_there_are() -> None:
    with pytest.raises(InvalidValue) as caught:
        indicators.from_events(Delivery(id="1"), [], [], [], facts=[Delivery(id="1")])  # type: ignore[list-item]
    names = ", ".join(kind.__name__ for kind in FACT_KEYS)
    assert caught.value.message.startswith(f"expected one of {names}; not Delivery: Delivery(id='1'")


def test_an_audience_of_nobody_is_told_what_to_do(facts: Facts) -> None:
    with pytest.raises(InvalidOption) as caught:
        indicators(store_of(facts), "1", audience=())
    assert caught.value.message == "audience=() asks for nobody; use 'all' or name at least one audience"
    with pytest.raises(InvalidValue) as unknown:
        indicators(store_of(facts), ["1", "nowhere"])
    assert unknown.value.message == "the store knows no delivery 'nowhere'"


@pytest.mark.parametrize("store", [Delivery(id="1"), "sqlite:///x.db", None])
def test_what_is_no_store_is_refused_by_name(store: Any) -> None:
    with pytest.raises(InvalidValue, match=r"expected a store, got .*from_events\(\.\.\.\) needs none"):
        indicators(store, "1")
