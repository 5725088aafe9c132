"""What a tally keeps of its closed books changes no number: whatever came between two reports, they say what a fresh tally says."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.events import Bounced, Click, Event, MirrorPageView, Open, Transaction
from msgtrack.facts import AddressState, Exclusion, SharedView, Subscription, Visitor
from msgtrack.model import Client, Delivery, LinkType, Message, MessageStatus, TrackedLink, Verdict
from msgtrack.protocols import Query
from msgtrack.storage import MemoryStore
from msgtrack.tally import Fact, Tally

START = datetime(2026, 3, 1, 22, tzinfo=UTC)

moments = st.integers(0, 5).map(lambda n: START + timedelta(minutes=50 * n))
delivery_ids = st.sampled_from("12")
message_ids = st.sampled_from("abc")
link_ids = st.sampled_from("123")
recipient_ids = st.none() | st.sampled_from(["r", "q"])
verdicts = st.sampled_from(["human", "proxy"]).map(lambda audience: Verdict(audience=audience))


def _events(kind: type[Event], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "id": st.none() | st.sampled_from(["e1", "e2", "e3"]),
        "occurred_at": moments,
        "delivery_id": st.none() | delivery_ids,
        "message_id": st.none() | message_ids,
        "link_id": st.none() | link_ids,
        "source_id": st.none() | st.sampled_from(["s1", "s2"]),
        "client": st.none() | st.sampled_from([Client(browser="Firefox"), Client(browser="Safari")]),
        "is_seed": st.sampled_from([False, False, True]),
        "verdict": verdicts,
        **more,
    }
    return st.builds(kind, **fields)


facts: st.SearchStrategy[Fact] = st.one_of(
    _events(Open),
    _events(Click),
    _events(Click),
    _events(MirrorPageView),
    _events(Bounced),
    _events(Transaction, amount=st.none() | st.decimals(-5, 5, places=1), article=st.none() | st.integers(0, 3)),
    st.builds(
        Delivery,
        id=delivery_ids,
        to_deliver=st.none() | st.integers(0, 5),
        is_proof=st.sampled_from([False, False, True]),
        channel=st.sampled_from(["email", "sms"]),
        state=st.none() | st.integers(0, 2),
    ),
    st.builds(
        Message,
        id=message_ids,
        delivery_id=delivery_ids,
        address=st.sampled_from(["x@gmail.com", "x@corp.example"]),
        status=st.sampled_from(MessageStatus),
        is_seed=st.booleans(),
        is_quarantine=st.booleans(),
        variant=st.sampled_from(["", "A"]),
        recipient_id=recipient_ids,
        event_at=st.none() | moments,
        last_modified_at=st.none() | moments,
    ),
    st.builds(
        TrackedLink,
        delivery_id=delivery_ids,
        id=link_ids,
        url=st.sampled_from(["https://a.example/", "https://b.example/"]),
        label=st.sampled_from(["", "A"]),
        type=st.sampled_from([LinkType.CLICK, LinkType.MOBILE_CLICK, LinkType.OPEN]),
    ),
    st.builds(Exclusion, delivery_id=delivery_ids, id=st.just("x"), is_seed=st.booleans()),
    st.builds(Visitor, delivery_id=delivery_ids, id=st.just("v"), recipient_id=recipient_ids),
    st.builds(
        SharedView, delivery_id=delivery_ids, id=st.just("w"), network=st.sampled_from("fg"), occurred_at=moments
    ),
    st.builds(
        AddressState,
        address=st.just("x@corp.example"),
        status=st.sampled_from(["with_errors", "quarantine"]),
        last_modified_at=st.none() | moments,
        delivery_id=st.none() | delivery_ids,
    ),
    st.builds(Subscription, service_id=st.just("s"), recipient_id=st.sampled_from("rq"), created_at=moments),
)
lots = st.lists(facts, max_size=6)
asked = st.fixed_dictionaries(
    {
        "audience": st.sampled_from([None, "human", ("proxy", "human"), ("human", "proxy"), ()]),
        "zone": st.sampled_from(["UTC", "Pacific/Auckland", "America/New_York"]),
        "delivery_ids": st.sampled_from([None, None, ("1",), ("2", "1"), ("3",), ()]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), facts),
        st.tuples(st.just("extend"), lots),
        st.tuples(st.just("merge"), lots),
        st.tuples(st.just("absorb"), lots),
        st.tuples(st.just("absorb a part"), lots),
        st.tuples(st.just("absorb itself"), st.none()),
        st.tuples(st.just("travel"), st.none()),
        *[st.tuples(st.just("counts"), asked)] * 4,
    ),
    max_size=16,
)


def folded(facts: Iterable[Fact], sketch_above: int | None = None) -> Tally:
    tally = Tally(sketch_above=sketch_above)
    tally.extend(facts)
    return tally


def _without_ids(facts: Iterable[Fact]) -> list[Fact]:
    return [fact for fact in facts if isinstance(fact, Event) and not fact.has_own_id]


def _take(tally: Tally, what: str, given: Any, known: list[Fact]) -> tuple[Tally, list[Fact]]:
    """The tally after one step, and the facts that came with it."""
    match what:
        case "add":
            tally.add(given)
            return tally, [given]
        case "extend":
            tally.extend(given)
            return tally, given
        case "merge":
            return folded(given).merge(tally), given
        case "absorb":
            tally.absorb(folded(given))
            return tally, given
        case "absorb a part":
            # What comes was reported on already, and some of it is known.
            other = folded([*known[::2], *given])
            other.counts()
            tally.absorb(other)
            return tally, [*_without_ids(known[::2]), *given]
        case "absorb itself":
            tally.absorb(tally)
            return tally, _without_ids(known)
        case _:
            assert what == "travel"
            return pickle.loads(pickle.dumps(tally)), []


def _restricted(facts: Iterable[Fact], delivery_ids: tuple[str, ...] | None) -> list[Fact]:
    """What a fold over some deliveries would be given, of events the versions that count."""
    query = Query(delivery_ids=delivery_ids)
    kept: list[Fact] = []
    for fact in facts:
        if isinstance(fact, Delivery):
            passes = delivery_ids is None or fact.id in delivery_ids
        elif isinstance(fact, Message | TrackedLink | Event):
            passes = delivery_ids is None or fact.delivery_id in delivery_ids
        else:
            passes = query.admits_fact(fact)
        if passes:
            kept.append(fact)
    return kept


@settings(max_examples=400)
@given(steps)
def test_reports_in_between_change_no_number(steps: list[tuple[str, Any]]) -> None:
    tally, known = Tally(), list[Fact]()
    for what, given_ in [*steps, ("counts", {})]:
        if what == "counts":
            assert tally.counts(**given_) == folded(known).counts(**given_)
        else:
            tally, came = _take(tally, what, given_, known)
            known += came
    assert tally == folded(known)


@pytest.mark.skipif(find_spec("datasketches") is None, reason="the package datasketches is not installed")
@given(steps, st.integers(0, 1))
def test_reports_in_between_change_no_sketch(steps: list[tuple[str, Any]], sketch_above: int) -> None:
    tally, known = Tally(sketch_above=sketch_above), list[Fact]()
    for what, given_ in [*steps, ("counts", {})]:
        if what == "counts":
            assert tally.counts(**given_) == folded(known, sketch_above).counts(**given_)
        else:
            tally, came = _take(tally, what, given_, known)
            known += came


def _one_version(facts: Iterable[Fact]) -> list[Fact]:
    """Without later versions of one event, and of one address, which could lie in different deliveries."""
    seen: dict[object, Fact] = {}
    for number, fact in enumerate(facts):
        key: object = number
        if isinstance(fact, Event) and fact.has_own_id:
            key = fact.id
        elif isinstance(fact, AddressState):
            key = fact.address
        seen.setdefault(key, fact)
    return list(seen.values())


@given(lots, lots, asked)
def test_some_deliveries_are_those_of_a_fold_over_them(one: list[Fact], two: list[Fact], asked: dict[str, Any]) -> None:
    versions = _one_version([*one, *two])
    tally = folded(versions[: len(one)])
    tally.counts(**asked)
    tally.extend(versions[len(one) :])
    of_some = folded(_restricted(versions, asked["delivery_ids"]))
    assert tally.counts(**asked) == of_some.counts(audience=asked["audience"], zone=asked["zone"])


@settings(max_examples=200)
@given(lots, lots, st.sampled_from(["human", "proxy"]))
def test_an_audience_is_that_of_a_fold_over_its_events(one: list[Fact], two: list[Fact], audience: str) -> None:
    versions = _one_version([*one, *two])
    tally = folded(versions[: len(one)])
    tally.counts(audience=audience)
    tally.extend(versions[len(one) :])
    theirs = [fact for fact in versions if not isinstance(fact, Event) or fact.verdict.audience == audience]
    assert tally.counts(audience=audience) == folded(theirs).counts()


@given(st.lists(st.one_of(st.tuples(st.just("take"), lots), st.tuples(st.just("counts"), asked)), max_size=12))
def test_a_store_in_memory_counts_what_it_gives(steps: list[tuple[str, Any]]) -> None:
    store = MemoryStore()
    for what, given_ in [*steps, ("counts", {})]:
        if what == "take":
            store.put(fact for fact in given_ if not isinstance(fact, Event))
            store.ingest(fact for fact in given_ if isinstance(fact, Event))
        else:
            query = Query(**given_)
            assert store.counts(query) == super(MemoryStore, store).counts(query)
