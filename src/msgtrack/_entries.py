"""Facts as short tuples, as a tally keeps them, and the rule by which two versions of one fact meet.

Tuples compare by their fields in order; of deliveries, messages and links the greater is kept, of events the lesser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from attrs import fields

from msgtrack._borders import microseconds, optional_id, text_id
from msgtrack.columns import EventColumns
from msgtrack.counts import SLOT_SECONDS
from msgtrack.events import Event, Transaction
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.model import Client, Delivery, Message, MessageStatus, Part, TrackedLink

__all__ = [
    "NEVER",
    "NO_AGENT",
    "NO_SLOT",
    "PROGRESS",
    "UNREGISTERED",
    "DeliveryEntry",
    "EventEntry",
    "LinkEntry",
    "MessageEntry",
    "agent_of",
    "column_entries",
    "delivery_entry",
    "event_entry",
    "keep_all_greater",
    "keep_fact",
    "keep_greater",
    "link_entry",
    "message_entry",
    "slot_of",
]


class DeliveryEntry(NamedTuple):
    """A delivery; -1 where it says nothing."""

    state: int
    is_proof: bool
    is_template: bool
    to_deliver: int
    text: int
    contact_at: datetime
    channel: str
    typology: str
    total_target: int
    reject: int


class MessageEntry(NamedTuple):
    """A message; -1 where it says nothing."""

    last_modified_at: datetime
    progress: int
    is_seed: bool
    failure_reason: int
    is_text: bool
    domain: str
    failure_type: int
    is_quarantine: bool
    address: str
    variant: str
    recipient_id: str
    handled: int
    size_bytes: int


class LinkEntry(NamedTuple):
    """A tracked link."""

    label: str
    url: str
    category: str
    type: int


EventEntry = tuple[Any, ...]
"""(slot, kind, delivery, message, link, source id, audience, agent), of a transaction also (amount, article); empty when
left out. An agent is (browser, version, system, version, device, mobile: -1 when unknown)."""

_T = TypeVar("_T", DeliveryEntry, MessageEntry, LinkEntry)

FactShelf = dict[tuple[str, ...], Fact]

_LEFT_OUT: EventEntry = ()
NEVER = datetime.min.replace(tzinfo=UTC)
NO_SLOT = -(2**62)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86400
_SLOT_US = SLOT_SECONDS * 1_000_000

_UNDER_WAY = "PENDING PREPARED SENT_TO_PROVIDER TAKEN_INTO_ACCOUNT SENT RECEIVED_ON_MOBILE"
_AT_REST = "NOT_APPLICABLE IGNORED CANCELLED FAILED"
PROGRESS = {MessageStatus[name]: rank for rank, name in enumerate(f"{_UNDER_WAY} {_AT_REST}".split())}


def _said(number: int | None) -> int:
    return -1 if number is None else int(number)


def delivery_entry(delivery: Delivery) -> DeliveryEntry:
    """What counts of a delivery."""
    return DeliveryEntry(
        state=_said(delivery.state),
        is_proof=delivery.is_proof,
        is_template=delivery.is_template,
        to_deliver=_said(delivery.to_deliver),
        text=_said(delivery.text),
        contact_at=delivery.contact_at or NEVER,
        channel=delivery.channel,
        typology=delivery.typology,
        total_target=_said(delivery.total_target),
        reject=_said(delivery.reject),
    )


UNREGISTERED = delivery_entry(Delivery(id="unregistered"))


def message_entry(message: Message) -> MessageEntry:
    """What counts of a message."""
    return MessageEntry(
        last_modified_at=message.last_modified_at or NEVER,
        progress=PROGRESS[message.status],
        is_seed=message.is_seed,
        failure_reason=int(message.failure_reason),
        is_text=message.format is Part.TEXT,
        domain=message.domain,
        failure_type=int(message.failure_type),
        is_quarantine=message.is_quarantine,
        address=message.address if message.is_quarantine else "",
        variant=message.variant,
        recipient_id=message.recipient_id or "",
        handled=NO_SLOT if message.event_at is None else slot_of(message.event_at),
        size_bytes=_said(message.size_bytes),
    )


def link_entry(link: TrackedLink) -> LinkEntry:
    """What counts of a tracked link."""
    return LinkEntry(
        label=link.label.strip(), url=link.url.strip(), category=link.category.strip(), type=int(link.type)
    )


def slot_of(at: datetime) -> int:
    """The start of the slot that a moment (in UTC) falls into, in Unix seconds."""
    return (at.toordinal() - _EPOCH_DAY) * _DAY_SECONDS + at.hour * 3600 + at.minute // 5 * SLOT_SECONDS


@lru_cache(maxsize=4096)
def agent_of(client: Client) -> tuple[str, str, str, str, str, int]:
    """The program behind a client, as counts tell programs apart."""
    mobile = _said(client.is_mobile)
    return (client.browser, client.browser_version, client.os, client.os_version, client.device, mobile)


NO_AGENT = agent_of(Client())


def event_entry(event: Event) -> EventEntry:
    """What counts of an event."""
    if event.is_seed or event.is_proof:
        return _LEFT_OUT
    fact = (
        slot_of(event.occurred_at),
        event.kind,
        event.delivery_id or "",
        event.message_id or "",
        event.link_id or "",
        event.source_id or "",
        event.verdict.audience.value,
        NO_AGENT if event.client is None else agent_of(event.client),
    )
    if isinstance(event, Transaction):
        return (*fact, event.amount or Decimal(0), event.article or 0)
    return fact


def column_entries(columns: EventColumns) -> Iterator[tuple[str, EventEntry]]:
    """The id of each event in columns, and what counts of it, as :func:`event_entry` has it of the event itself.

    Raises:
        InvalidId: what stands in a column of ids is none.
    """
    entries = [event_entry(example) for example in columns.examples]
    rows = zip(columns.example, columns.ids, columns.occurred_us, columns.message_ids, columns.source_ids, strict=True)
    for place, event_id, us, message_id, source_id in rows:
        entry = entries[place]
        if entry:
            _, kind, delivery_id, _, link_id, _, *rest = entry
            slot = us // _SLOT_US * SLOT_SECONDS
            message, person = optional_id(message_id) or "", optional_id(source_id) or ""
            entry = (slot, kind, delivery_id, message, link_id, person, *rest)
        yield text_id(event_id), entry


def keep_greater(kept: dict[str, _T], key: str, fact: _T) -> bool:
    """Keep the greater of what is there and what comes; whether that changes anything."""
    known = kept.get(key)
    if known is None or known < fact:
        kept[key] = fact
        return True
    return False


def keep_all_greater(kept: dict[str, _T], facts: Mapping[str, _T]) -> bool:
    """Keep the greater of what is there and what comes, by key; whether that changes anything."""
    if kept.keys().isdisjoint(facts):
        kept.update(facts)
        return bool(facts)
    changed = False
    for key, fact in facts.items():
        changed |= keep_greater(kept, key, fact)
    return changed


def keep_fact(kept: FactShelf, key: tuple[str, ...], fact: Fact) -> None:
    """Keep the later modified, and of equals the greater by its fields as text, a value before none."""
    known = kept.setdefault(key, fact)
    if known != fact and _rank(known) < _rank(fact):
        kept[key] = fact


def _rank(fact: Fact) -> tuple[int, tuple[str, ...]]:
    modified: datetime = getattr(fact, "last_modified_at", None) or NEVER
    return microseconds(modified), tuple(_text(getattr(fact, name)) for name in _FIELDS[type(fact)])


def _text(value: object) -> str:
    return "" if value is None else str(value)


_FIELDS = {kind: tuple(attribute.name for attribute in fields(kind)) for kind in FACT_KEYS}
