"""Hypothesis strategies for the values of msgtrack: all of a kind, the odd ones included.

Every function gives a strategy; those with arguments take strategies or values that narrow it. :func:`worlds` gives deliveries, messages,
links and events that belong together.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from msgtrack._borders import MAX_COUNT
from msgtrack.events import EVENT_KINDS, Event, Transaction, Unknown
from msgtrack.hits import Hit, Rejected
from msgtrack.model import (
    UNJUDGED,
    Audience,
    Client,
    Consent,
    Delivery,
    FailureReason,
    FailureType,
    HostedPage,
    LinkType,
    Message,
    MessageStatus,
    Part,
    PeoplePolicy,
    Policy,
    Resolution,
    ResolutionOutcome,
    TrackedLink,
    TrackingMode,
    Verdict,
)
from msgtrack.protocols import Batch, Checkpoint, Query, WorkflowRun
from msgtrack.testing._basics import ids, maybe, members, moments, rarely, seldom, texts
from msgtrack.testing._facts import facts
from msgtrack.testing._upkeep import audits, capabilities, counts, frozen_counts, ingested, retentions
from msgtrack.testing._worlds import World, worlds

__all__ = [
    "World",
    "audits",
    "batches",
    "capabilities",
    "checkpoints",
    "clients",
    "counts",
    "deliveries",
    "events",
    "facts",
    "frozen_counts",
    "hits",
    "ids",
    "ingested",
    "links",
    "messages",
    "moments",
    "people_policies",
    "policies",
    "queries",
    "rejects",
    "resolutions",
    "retentions",
    "runs",
    "texts",
    "verdicts",
    "worlds",
]


def policies() -> SearchStrategy[Policy]:
    """Policies."""
    return st.builds(Policy, opens=members(Consent), clicks=members(Consent))


def people_policies() -> SearchStrategy[PeoplePolicy]:
    """Policies of telling persons apart."""
    token = st.text("abcXYZ019._-", min_size=1, max_size=12)
    return st.builds(
        PeoplePolicy,
        key=st.sampled_from(["cookie", "hash", "none"]),
        cookie_name=token,
        cookie_days=st.integers(1, 395),
        cookie_domain=st.just("") | token,
    )


def resolutions() -> SearchStrategy[Resolution]:
    """What tracked URLs resolve to."""
    return st.builds(
        Resolution,
        outcome=members(ResolutionOutcome),
        destination=maybe(st.just("https://shop.example/?a=1&b=%C3%A9") | texts()),
        delivery_id=maybe(ids()),
        message_id=maybe(ids()),
        link_id=maybe(ids()),
        link_type=members(LinkType),
        part=members(Part),
        variant=texts(max_size=20),
        policy=policies(),
        is_seed=st.booleans(),
        is_proof=st.booleans(),
        expires_at=maybe(moments()),
        pseudonym=maybe(texts(max_size=20)),
        repairs=st.lists(texts(max_size=20), max_size=2).map(tuple),
        hosted=maybe(members(HostedPage)),
    )


def verdicts() -> SearchStrategy[Verdict]:
    """Verdicts, that of an event which no judge saw among them."""
    return st.just(UNJUDGED) | st.builds(
        Verdict,
        audience=members(Audience),
        reasons=st.lists(texts(max_size=20), max_size=3).map(tuple),
        rules_version=texts(max_size=10),
    )


def clients() -> SearchStrategy[Client]:
    """Clients."""
    words = texts(max_size=20)
    return st.builds(
        Client,
        user_agent=texts(),
        browser=words,
        browser_version=words,
        os=words,
        os_version=words,
        device=words,
        is_mobile=maybe(st.booleans()),
    )


def deliveries(*, id: SearchStrategy[str] | None = None) -> SearchStrategy[Delivery]:  # noqa: A002  # the field's name
    """Deliveries."""
    count = maybe(st.integers(0, 2**40))
    moment = maybe(moments())
    return st.builds(
        Delivery,
        id=ids() if id is None else id,
        internal_name=texts(),
        label=texts(),
        channel=st.just("email") | texts(max_size=20),
        state=count,
        is_template=st.booleans(),
        is_proof=st.booleans(),
        typology=texts(max_size=20),
        contact_at=moment,
        validity_end_at=moment,
        web_validity_end_at=moment,
        tracking_validity_end_at=moment,
        expired_url=texts(),
        tracking_enabled=st.booleans(),
        open_tracking_enabled=st.booleans(),
        total_target=count,
        reject=count,
        to_deliver=count,
        text=count,
        service_id=maybe(ids()),
        email_type=texts(max_size=20),
    )


def messages(
    *,
    id: SearchStrategy[str] | None = None,  # noqa: A002  # the field's name
    delivery_id: SearchStrategy[str] | None = None,
    recipient_id: SearchStrategy[str | None] | None = None,
) -> SearchStrategy[Message]:
    """Messages; the domain class is read off the address, or any text."""
    address = texts() | st.sampled_from(["ann@gmail.com", "bob@corp.example", "c@YAHOO.fr", ""])
    fields: dict[str, SearchStrategy[Any]] = {
        "id": ids() if id is None else id,
        "delivery_id": ids() if delivery_id is None else delivery_id,
        "recipient_id": maybe(ids()) if recipient_id is None else recipient_id,
        "address": address,
        "status": members(MessageStatus),
        "failure_type": members(FailureType),
        "failure_reason": members(FailureReason),
        "format": members(Part),
        "is_seed": st.booleans(),
        "is_quarantine": st.booleans(),
        "variant": texts(max_size=20),
        "service_id": maybe(ids()),
        "event_at": maybe(moments()),
        "last_modified_at": maybe(moments()),
        "size_bytes": maybe(st.integers(0, 2**40)),
    }
    return st.builds(Message, **fields) | st.builds(Message, domain=texts(max_size=20), **fields)


def links(
    *,
    id: SearchStrategy[str] | None = None,  # noqa: A002  # the field's name
    delivery_id: SearchStrategy[str] | None = None,
) -> SearchStrategy[TrackedLink]:
    """Tracked links."""
    return st.builds(
        TrackedLink,
        id=ids() if id is None else id,
        delivery_id=ids() if delivery_id is None else delivery_id,
        url=st.just("https://shop.example/?a=1&b=%C3%A9") | texts(),
        key=texts(max_size=20),
        label=texts(),
        category=texts(max_size=20),
        type=members(LinkType),
        mode=members(TrackingMode),
        part=members(Part),
        variant=texts(max_size=20),
        expires_at=maybe(moments()),
        target_url=st.just("") | texts(),
    )


def events(
    *kinds: type[Event],
    id: SearchStrategy[str | None] | None = None,  # noqa: A002  # the field's name
    occurred_at: SearchStrategy[datetime] | None = None,
    delivery_id: SearchStrategy[str | None] | None = None,
    message_id: SearchStrategy[str | None] | None = None,
    link_id: SearchStrategy[str | None] | None = None,
) -> SearchStrategy[Event]:
    """Events of the given classes, of all classes when none is given; with an id of their own or without."""
    shared: dict[str, SearchStrategy[Any]] = {
        "id": maybe(ids()) if id is None else id,
        "occurred_at": moments() if occurred_at is None else occurred_at,
        "delivery_id": maybe(ids()) if delivery_id is None else delivery_id,
        "message_id": maybe(ids()) if message_id is None else message_id,
        "link_id": maybe(ids()) if link_id is None else link_id,
        "part": maybe(members(Part)),
        "source_id": maybe(ids()),
        "client": maybe(clients()),
        "verdict": verdicts(),
        "is_seed": st.booleans(),
        "is_proof": st.booleans(),
        "source": texts(max_size=20),
        "request_id": texts(max_size=20),
    }
    return st.one_of([st.builds(cls, **shared, **_own_fields(cls)) for cls in kinds or EVENT_KINDS.values()])


def _own_fields(cls: type[Event]) -> dict[str, SearchStrategy[Any]]:
    if issubclass(cls, Transaction):
        amounts = st.decimals(-(10**20), 10**20, places=2) | st.just(Decimal("1E+3"))
        return {"amount": maybe(amounts), "article": maybe(st.integers(0, MAX_COUNT))}
    if issubclass(cls, Unknown):
        return {"name": texts(max_size=20)}
    if hasattr(cls, "diagnostic"):
        return {
            "failure_type": members(FailureType),
            "failure_reason": members(FailureReason),
            "diagnostic": texts(),
        }
    if hasattr(cls, "service_id"):
        return {"service_id": maybe(ids())}
    return {}


def hits() -> SearchStrategy[Hit]:
    """Hits: likely ones, and any text where a request could hold any."""
    return st.builds(
        Hit,
        method=st.sampled_from(["GET", "HEAD", "POST", "get", ""]) | texts(max_size=10),
        url=st.just("https://t.example.com/r/?id=h1,2,3") | texts(),
        received_at=moments(),
        user_agent=texts(),
        referrer=texts(),
        purpose=st.sampled_from(["", "prefetch"]),
        client_ip=st.just("") | st.ip_addresses().map(str),
        source_id=maybe(ids()),
        status=maybe(st.integers(100, 599)),
        request_id=texts(max_size=30),
    )


def rejects() -> SearchStrategy[Rejected]:
    """Rejected lines."""
    return st.builds(
        Rejected, line=st.integers(0, 2**40), reason=texts(max_size=20), text=texts(), source=texts(max_size=20)
    )


def batches() -> SearchStrategy[Batch]:
    """Stretches of a source: hits, ready events and rejected lines."""
    records = st.lists(st.one_of(hits(), events(), rejects()), max_size=3).map(tuple)
    return st.builds(Batch, records=records, position=texts(), scope=texts(max_size=20))


def checkpoints(*, source: SearchStrategy[str] | None = None) -> SearchStrategy[Checkpoint]:
    """Checkpoints."""
    return st.builds(
        Checkpoint, source=ids() if source is None else source, position=texts(), moved_at=maybe(moments())
    )


def runs(*, id: SearchStrategy[str] | None = None) -> SearchStrategy[WorkflowRun]:  # noqa: A002  # the field's name
    """Run records."""
    count = st.integers(0, 2**40)
    return st.builds(
        WorkflowRun,
        id=ids() if id is None else id,
        started_at=moments(),
        ended_at=maybe(moments()),
        status=st.sampled_from(["finished", "failed"]),
        sources=st.lists(texts(max_size=20), max_size=3).map(tuple),
        hits=count,
        events=count,
        added=count,
        known=count,
        rejected=count,
        skipped=st.dictionaries(texts(max_size=20), count, max_size=3),
        rejects=st.lists(rejects(), max_size=2).map(tuple),
        error=texts(),
    )


def queries(world: World | None = None) -> SearchStrategy[Query]:
    """Queries; about the ids and moments of ``world`` when one is given, so that they find something."""
    there = World(deliveries=(), messages=(), links=(), events=()) if world is None else world
    some_id = st.sampled_from([*there.ids, "none"]) if there.ids else ids()
    moment = st.sampled_from([event.occurred_at for event in there.events]) if there.events else moments()
    recipients = sorted({message.recipient_id for message in there.messages if message.recipient_id is not None})
    words = [*(link.label.strip() or link.url.strip() for link in there.links), ""]
    categories = [*(link.category.strip() for link in there.links), ""]
    link_ids = sorted({event.link_id for event in there.events if event.link_id is not None})
    position = st.sampled_from([(event.occurred_at, event.id) for event in there.events]) if there.events else None
    return st.builds(
        Query,
        delivery_ids=rarely(st.lists(some_id, max_size=2)),
        except_delivery_ids=rarely(st.lists(some_id, max_size=2)),
        message_ids=rarely(st.lists(some_id, max_size=2)),
        recipient_id=rarely(st.sampled_from(recipients) if recipients else ids()),
        kinds=rarely(st.lists(st.sampled_from(list(EVENT_KINDS.values())), max_size=6)),
        link_ids=seldom(st.lists(st.sampled_from(link_ids) if link_ids else ids(), max_size=2)),
        labels=seldom(st.lists(st.sampled_from(words), max_size=2)),
        categories=seldom(st.lists(st.sampled_from(categories), max_size=2)),
        domains=seldom(st.lists(st.sampled_from([*(m.domain for m in there.messages), "Gmail"]), max_size=2)),
        audience=rarely(st.just("all") | st.lists(members(Audience), max_size=3)),
        since=rarely(moment),
        until=rarely(moment),
        limit=seldom(st.integers(0, 4)),
        after=seldom(st.tuples(moments(), ids()) if position is None else position),
        newest_first=st.sampled_from([False, False, True]),
        zone=st.sampled_from(["UTC", "UTC", "Europe/Paris", "Asia/Kathmandu"]),
    )
