"""Small worlds: values that name each other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from msgtrack.events import EVENT_KINDS, Event, Transaction
from msgtrack.facts import Fact, fact_key
from msgtrack.model import (
    UNJUDGED,
    Audience,
    Client,
    Delivery,
    FailureReason,
    LinkType,
    Message,
    MessageStatus,
    Part,
    TrackedLink,
    Verdict,
)
from msgtrack.testing._basics import maybe, members, moments
from msgtrack.testing._facts import facts

__all__ = ["World", "worlds"]

T = TypeVar("T")


@frozen(kw_only=True)
class World:
    """Values that belong together; a few events name a message or a link that nobody registered, as happens."""

    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    links: tuple[TrackedLink, ...]
    events: tuple[Event, ...]
    facts: tuple[Fact, ...] = ()

    @property
    def records(self) -> tuple[Delivery | Message | TrackedLink | Fact, ...]:
        """All that a store keeps by key."""
        return (*self.deliveries, *self.messages, *self.links, *self.facts)

    @property
    def ids(self) -> list[str]:
        """The ids of its deliveries and messages, those that events alone name included."""
        named: set[str | None] = {delivery.id for delivery in self.deliveries}
        named |= {id_ for message in self.messages for id_ in (message.delivery_id, message.id)}
        named |= {link.delivery_id for link in self.links}
        named |= {id_ for event in self.events for id_ in (event.delivery_id, event.message_id)}
        return sorted(id_ for id_ in named if id_ is not None)


_START = datetime(2026, 3, 1, tzinfo=UTC)
_SMALL_IDS = st.sampled_from(["1", "2", "10", "é"])
_RECIPIENTS = st.sampled_from(["r1", "r2", "R1"])


def _few(strategy: SearchStrategy[T], key: Callable[[T], object], *, max_size: int) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=max_size, unique_by=key).map(tuple)


# Of a world only what things have to do with each other varies: odd texts and moments are left to the strategies above, and
# what little there is to draw leaves Hypothesis room for many of them. Built once, because building takes longer than drawing.
_count = st.none() | st.integers(0, 9)
_label = st.sampled_from(["", "Shop", " Shop", "\0"])
_span = moments(_START, _START + timedelta(hours=2)) | st.sampled_from(
    [_START + timedelta(minutes=minutes) for minutes in (0, 5, 60)]
)
_deliveries = _few(
    st.builds(
        Delivery,
        id=_SMALL_IDS,
        label=_label,
        is_proof=st.sampled_from([False, False, False, True]),
        to_deliver=_count,
        text=_count,
        contact_at=maybe(_span),
    ),
    lambda delivery: delivery.id,
    max_size=4,
)
_messages = _few(
    st.builds(
        Message,
        id=_SMALL_IDS,
        delivery_id=_SMALL_IDS,
        recipient_id=maybe(_RECIPIENTS),
        address=st.sampled_from(["ann@gmail.com", "bob@corp.example", ""]),
        status=members(MessageStatus),
        failure_reason=members(FailureReason),
        format=members(Part),
        is_seed=st.sampled_from([False, False, False, True]),
        is_quarantine=st.sampled_from([False, False, True]),
        variant=st.sampled_from(["", "A", "B"]),
        event_at=maybe(_span),
        last_modified_at=maybe(_span),
        size_bytes=st.sampled_from([None, 0, 1000]),
    ),
    lambda message: (message.delivery_id, message.id),
    max_size=6,
)
_links = _few(
    st.builds(
        TrackedLink,
        id=_SMALL_IDS,
        delivery_id=_SMALL_IDS,
        url=st.sampled_from(["https://a.example/", "https://b.example/"]),
        label=_label,
        category=_label,
        type=members(LinkType),
    ),
    lambda link: (link.delivery_id, link.id),
    max_size=4,
)
_facts = _few(
    facts(
        id=_SMALL_IDS,
        delivery_id=_SMALL_IDS,
        recipient_id=_RECIPIENTS,
        at=_span,
        text=st.sampled_from(["", "facebook", "1", "2"]),
    ),
    lambda fact: (type(fact), fact_key(fact)),
    max_size=6,
)
_shared = {
    "id": maybe(st.sampled_from(["e1", "e2", "a" * 32, "A" * 32])),
    "occurred_at": _span,
    "delivery_id": maybe(_SMALL_IDS),
    "message_id": maybe(_SMALL_IDS),
    "link_id": maybe(_SMALL_IDS),
    "source_id": st.sampled_from([None, "b1", "b2"]),
    "client": st.sampled_from(
        [None, Client(user_agent="Mozilla/5.0", browser="Firefox", os="Linux"), Client(user_agent="\0", is_mobile=True)]
    ),
    "verdict": st.sampled_from([UNJUDGED, *(Verdict(audience=audience, reasons=("x",)) for audience in Audience)]),
    "is_seed": st.sampled_from([False, False, False, True]),
    "request_id": st.sampled_from(["", "q1", "\0"]),
}
_events = st.sampled_from(list(EVENT_KINDS.values())).flatmap(
    lambda cls: (
        st.builds(cls, **_shared, amount=st.sampled_from([None, Decimal("1.5"), Decimal("1.50")]), article=_count)
        if cls is Transaction
        else st.builds(cls, **_shared)
    )
)


@st.composite
def worlds(draw: st.DrawFn, *, max_events: int = 25) -> World:
    """Deliveries, messages, links and events over a handful of ids, within two hours, so that most name each other and much coincides."""
    return World(
        deliveries=draw(_deliveries),
        messages=draw(_messages),
        links=draw(_links),
        events=tuple(draw(st.lists(_events, max_size=max_events))),
        facts=draw(_facts),
    )
