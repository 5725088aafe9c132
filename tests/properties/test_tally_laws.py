"""The laws of the tally: a commutative monoid that knows no order, lateness or repetition of identified events."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from msgtrack.events import (
    Bounced,
    Click,
    Delivered,
    Event,
    MirrorPageView,
    Open,
    OptOutClick,
    PageVisit,
    Transaction,
)
from msgtrack.model import Delivery, LinkType, Message, MessageStatus, TrackedLink
from msgtrack.tally import Fact, Tally, fold

START = datetime(2026, 3, 1, tzinfo=UTC)

moments = st.integers(0, 40).map(lambda n: START + timedelta(minutes=2 * n))
delivery_ids = st.sampled_from(["1", "2"])
message_ids = st.sampled_from(["a", "b", "c"])
link_ids = st.sampled_from(["1", "2", "3"])

deliveries = st.builds(
    Delivery,
    id=delivery_ids,
    state=st.none() | st.integers(0, 2),
    to_deliver=st.none() | st.integers(0, 5),
    text=st.none() | st.integers(0, 5),
    is_proof=st.booleans(),
    is_template=st.booleans(),
    contact_at=st.none() | moments,
    channel=st.sampled_from(["email", "sms"]),
)
messages = st.builds(
    Message,
    id=message_ids,
    delivery_id=delivery_ids,
    address=st.sampled_from(["x@gmail.com", "x@aol.com", "x@corp.example"]),
    status=st.sampled_from(MessageStatus),
    failure_reason=st.sampled_from([0, 1, 8]),
    format=st.sampled_from(["html", "text"]),
    is_seed=st.booleans(),
    last_modified_at=st.none() | moments,
)
links = st.builds(
    TrackedLink,
    delivery_id=delivery_ids,
    id=link_ids,
    url=st.sampled_from(["https://a.example/", "https://b.example/"]),
    label=st.sampled_from(["", "A", "B"]),
    category=st.sampled_from(["", "facebook"]),
    type=st.sampled_from([LinkType.CLICK, LinkType.OPT_OUT, LinkType.OPEN]),
)


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields: dict[str, st.SearchStrategy[object]] = {
        "id": st.none() | st.sampled_from(["e1", "e2", "e3"]),
        "occurred_at": moments,
        "delivery_id": st.none() | delivery_ids,
        "message_id": st.none() | message_ids,
        "link_id": st.none() | link_ids,
        "source_id": st.none() | st.sampled_from(["s1", "s2"]),
        "is_seed": st.booleans(),
        "is_proof": st.booleans(),
    }
    if kind is Transaction:
        fields["amount"] = st.none() | st.decimals(-5, 5, places=1)
        fields["article"] = st.none() | st.integers(0, 3)
    return st.builds(kind, **fields)


events = st.one_of(
    [events_of(kind) for kind in (Open, Click, MirrorPageView, OptOutClick, PageVisit, Transaction, Delivered, Bounced)]
)
facts = st.lists(st.one_of(deliveries, messages, links, events), max_size=12)


def tally_of(items: list[Fact]) -> Tally:
    tally = Tally()
    for item in items:
        tally.add(item)
    return tally


@given(facts, facts, facts)
def test_merge_is_associative(one: list[Fact], two: list[Fact], three: list[Fact]) -> None:
    a, b, c = tally_of(one), tally_of(two), tally_of(three)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


@given(facts, facts)
def test_merge_is_commutative_and_changes_neither_side(one: list[Fact], two: list[Fact]) -> None:
    a, b = tally_of(one), tally_of(two)
    merged = a.merge(b)
    assert merged == b.merge(a)
    assert merged.counts() == b.merge(a).counts()
    assert (a, b) == (tally_of(one), tally_of(two))
    merged.add(Message(id="new", delivery_id="1"))
    merged.add(TrackedLink(delivery_id="1", id="new", url=""))
    assert (a, b) == (tally_of(one), tally_of(two))


@given(facts)
def test_the_empty_tally_is_the_zero(items: list[Fact]) -> None:
    tally = tally_of(items)
    assert tally.merge(Tally()) == tally == Tally().merge(tally)
    assert tally.merge(Tally()) is not tally


@given(facts, facts)
def test_folding_together_is_merging_what_was_folded_apart(one: list[Fact], two: list[Fact]) -> None:
    assert tally_of(one + two) == tally_of(one).merge(tally_of(two))


@given(facts.flatmap(lambda items: st.tuples(st.just(items), st.permutations(items))))
def test_order_changes_nothing(pair: tuple[list[Fact], list[Fact]]) -> None:
    one, other = pair
    assert tally_of(one) == tally_of(other)
    assert tally_of(one).counts() == tally_of(other).counts()


@given(facts)
def test_the_four_streams_may_come_in_any_interleaving(items: list[Fact]) -> None:
    by_kind = [[item for item in items if isinstance(item, kind)] for kind in (Delivery, Message, TrackedLink, Event)]
    assert fold(*by_kind) == tally_of(items)  # type: ignore[arg-type]  # sorted by kind just above


@given(facts)
def test_identified_events_and_records_may_come_again(items: list[Fact]) -> None:
    again = [item for item in items if not isinstance(item, Event) or item.has_own_id]
    assert tally_of(items + again) == tally_of(items)


@given(facts, events)
def test_an_event_without_an_id_counts_every_time(items: list[Fact], event: Event) -> None:
    if event.has_own_id or event.is_seed or event.is_proof:
        return
    once, twice = tally_of([*items, event]), tally_of([*items, event, event])
    assert once != twice
    assert twice == tally_of(items).merge(tally_of([event])).merge(tally_of([event]))


@given(facts)
def test_counting_is_no_end(items: list[Fact]) -> None:
    whole = tally_of(items)
    tally = Tally()
    for item in items:
        tally.add(item)
        tally.counts()
    assert tally == whole
    assert tally.counts() == whole.counts()


@given(facts)
def test_a_tally_travels_between_processes(items: list[Fact]) -> None:
    tally = tally_of(items)
    assert pickle.loads(pickle.dumps(tally)) == tally


@given(facts)
def test_parts_sum_to_wholes(items: list[Fact]) -> None:
    for delivery in tally_of(items).counts().deliveries.values():
        for kind in ("open", "click", "mirror-page-view", "opt-out-click", "page-visit", "transaction"):
            by_domain = sum(domain.reactions.get(kind, 0) for domain in delivery.domains.values())
            assert by_domain == delivery.rows(kind)
        for domain in delivery.domains.values():
            assert domain.clicked <= domain.reacted <= sum(domain.reactions.values())
            assert sum(domain.failures.values()) == domain.failed
            assert domain.success + domain.failed + domain.prepared <= domain.to_deliver
            assert domain.text <= domain.to_deliver
        assert delivery.persons <= delivery.rows("click")
        assert sum(delivery.clicks_by_link().values()) == sum(
            sum(domain.reactions.values()) for domain in delivery.domains.values()
        ) - delivery.rows("open")


@given(facts)
def test_persons_over_all_are_no_more_than_the_sum_and_no_less_than_any(items: list[Fact]) -> None:
    counts = tally_of(items).counts()
    persons = [delivery.persons for delivery in counts.deliveries.values()]
    assert max(persons, default=0) <= counts.persons <= sum(persons)
