"""Clause S41: what an adapter answers anew is what ``BaseStore`` would answer."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from attrs import evolve

from msgtrack.facts import AddressState, Exclusion, Fact, SharedView, StepView, Visitor, fact_key
from msgtrack.model import Delivery, Message
from msgtrack.protocols import FrozenCounts, Ingested, Query, Record
from msgtrack.storage import BaseStore
from msgtrack.testing._cases import NOON, click, opened

__all__ = ["DerivedClauses"]

_SECOND = timedelta(seconds=1)
_RECIPIENTS = ("r", "q", "new", "none")
_BROWSERS = (("b",), ("b", "c"), ("c",), ("none",), ())


def _after(seconds: float) -> dict[str, Any]:
    return {"occurred_at": NOON + seconds * _SECOND}


_MESSAGES = (
    Message(delivery_id="1", id="7", recipient_id="r", address="shared@a.example"),
    Message(delivery_id="1", id="8", recipient_id="q", address="shared@a.example"),
    Message(delivery_id="2", id="7", recipient_id="r"),
    Message(delivery_id="no recipient", id="9"),
    Message(delivery_id="given up", id="1", recipient_id="r"),
)
_EVENTS = (
    # One browser: of two recipients, with a message and without, with a delivery and without.
    click(id="b1", source_id="b", **_after(0.750001)),
    click(id="b2", source_id="b", message_id="8", **_after(0.000001)),
    opened(id="B3", source_id="b", message_id=None, **_after(0.5)),
    opened(id="a4", source_id="b", message_id=None, delivery_id=None, **_after(0.5)),
    opened(id="f" * 32, source_id="b", delivery_id="2", **_after(-59.999999)),
    # Another, and what nobody did; a delivery of one event, and one of no message.
    click(id="c1", source_id="c", **_after(0.2)),
    click(id="n1", delivery_id=None, message_id=None, **_after(3.123457)),
    click(id="n2", delivery_id="events alone", message_id="7", **_after(0.000009)),
)
_MET = Visitor(delivery_id="met", id="v")
_SHOWN = SharedView(delivery_id="shown", id="s", network="email", occurred_at=NOON, visitor_id="v")
_EXCLUDED = Exclusion(delivery_id="excluded", id="x", recipient_id="r", address="shared@a.example")
_FACTS: tuple[Fact, ...] = (
    *(_MET, _SHOWN, _EXCLUDED, Visitor(delivery_id="1", id="v", recipient_id="r")),
    # These two belong to no delivery, though one of them names one.
    AddressState(address="shared@a.example", delivery_id="led to it"),
    StepView(application_id="a", source_id="b", step="s", occurred_at=NOON),
)
_FROZEN = tuple(
    FrozenCounts(delivery_id=delivery_id, audience=audience, zone=zone, body="{}")
    for delivery_id in ("1", "frozen")
    for audience in ("all", "human")
    for zone in ("Europe/Paris", "UTC")
)


class DerivedClauses:
    """What ``BaseStore`` derives from ``find`` and ``scan``, and an adapter may write anew."""

    def test_S41_what_is_answered_faster_is_what_follows_from_the_rest(self, store: BaseStore) -> None:
        """S41: of shared browsers, events and messages that belong to nobody, moments within one second; also once put again."""
        _agrees(store, "a store that nothing was put into")
        _fill(store)
        _agrees(store, "what was put once")
        moved = [evolve(_MESSAGES[0], recipient_id="q", address=""), evolve(_MESSAGES[2], recipient_id=None)]
        store.put([*moved, evolve(_MET, recipient_id="q"), evolve(_SHOWN, visitor_id=None)])
        again = [evolve(_EVENTS[0], source_id="c", occurred_at=NOON - 900 * _SECOND, delivery_id="2")]
        assert store.ingest(again) == Ingested(added=0, known=1)
        _agrees(store, "what came again and said otherwise")

    def test_S41_it_is_so_after_a_revision(self, revisable: BaseStore) -> None:
        """S41, where ``revisable`` holds: what was taken out or rewritten is in no answer any more."""
        _fill(revisable)
        _agrees(revisable, "what was put once")
        revisable.revise(
            records=[evolve(_MESSAGES[0], recipient_id="new", address="")],
            remove=[_MESSAGES[4], _EXCLUDED, _MET, *_FROZEN[4:]],
            events=[evolve(_EVENTS[1], source_id="c"), evolve(_EVENTS[0], source_id=None, delivery_id="2")],
            remove_events=["n1", "n2", "c1"],
        )
        revisable.rebuild()
        _agrees(revisable, "what was rewritten and taken out")


def _fill(store: BaseStore) -> None:
    store.put([Delivery(id="1"), Delivery(id="registered alone"), *_MESSAGES, *_FACTS, *_FROZEN])
    store.ingest(reversed(_EVENTS))


def _agrees(store: BaseStore, what: str) -> None:
    """Whether each method says what the one that it may replace says."""
    for method, found, derived in _answers(store):
        assert found == derived, f"{method} is not what BaseStore says from find and scan, of {what}"


def _answers(store: BaseStore) -> Iterator[tuple[str, object, object]]:
    derived = BaseStore
    yield "spans()", dict(store.spans()), dict(derived.spans(store))
    for recipient_id in _RECIPIENTS:
        asked = f"messages_of({recipient_id!r})"
        yield asked, set(store.messages_of(recipient_id)), derived.messages_of(store, recipient_id)
    for names in _BROWSERS:
        browsers = frozenset(names)
        asked = f"events_by({{{', '.join(map(repr, names))}}})"
        yield asked, list(store.events_by(browsers)), list(derived.events_by(store, browsers))
    yield "deliveries_of_messages()", set(store.deliveries_of_messages()), derived.deliveries_of_messages(store)
    yield "deliveries_of_facts()", set(store.deliveries_of_facts()), derived.deliveries_of_facts(store)
    having: tuple[tuple[type[Record], str, set[str]], ...] = (
        (Message, "address", {"shared@a.example", "none"}),
        (Exclusion, "address", {"shared@a.example"}),
        (AddressState, "address", {"shared@a.example"}),
        (SharedView, "visitor_id", {"v"}),
        (StepView, "source_id", {"b", "c"}),
        (Message, "address", set()),
    )
    for kind, name, values in having:
        asked = f"find_having({kind.__name__}, {name!r}, {sorted(values)})"
        yield asked, list(store.find_having(kind, name, values)), list(derived.find_having(store, kind, name, values))
    for query in (Query(), Query(delivery_ids=("1", "none"))):
        yield "all_facts()", _by_key(store.all_facts(query)), _by_key(derived.all_facts(store, query))
        yield "frozen_deliveries()", set(store.frozen_deliveries(query)), derived.frozen_deliveries(store, query)
        kept = list(store.frozen_for(query, ("human",), "UTC"))
        yield "frozen_for(…, ('human',), 'UTC')", kept, list(derived.frozen_for(store, query, ("human",), "UTC"))


def _by_key(facts: Iterable[Fact]) -> dict[tuple[str, ...], Fact]:
    return {(type(fact).__name__, *fact_key(fact)): fact for fact in facts}
