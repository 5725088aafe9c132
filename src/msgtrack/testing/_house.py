"""What the clauses about keeping house are tried on: deliveries and recipients with all that may go, and a way to break work off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from msgtrack.counts import Counts
from msgtrack.events import Bounced, Event, PageVisit
from msgtrack.facts import (
    FACT_KEYS,
    Exclusion,
    SharedView,
    StepView,
    Visitor,
)
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.protocols import Query, Store
from msgtrack.records import to_json
from msgtrack.testing._cases import NOON, Broken, click

__all__ = [
    "DAY",
    "LATER",
    "broken_after",
    "events_of",
    "everything",
    "fill",
    "named",
    "put_recipients",
    "sent",
    "thawed",
]

DAY = timedelta(days=1)
LATER = NOON + 400 * DAY


def sent(delivery_id: str, id: str, **fields: Any) -> Message:  # noqa: A002  # the field's name
    """A message that was sent at noon."""
    given: dict[str, Any] = {"status": "sent", "event_at": NOON, "last_modified_at": NOON}
    return Message(delivery_id=delivery_id, id=id, **given | fields)


def fill(store: Store, delivery_id: str, *, at: datetime = NOON) -> None:
    """A delivery with all that may go: messages, events of two audiences, exclusions, visitors, views."""
    store.put(
        [
            Delivery(id=delivery_id, contact_at=at, label="Spring"),
            TrackedLink(delivery_id=delivery_id, id="2", url="https://a.example/"),
            *(sent(delivery_id, str(n), recipient_id=f"r{n}", address=f"{n}@gmail.com", event_at=at) for n in range(4)),
            Exclusion(delivery_id=delivery_id, id="x", recipient_id="r9", address="r9@a.example"),
            Visitor(delivery_id=delivery_id, id="v", created_at=at),
            Visitor(delivery_id=delivery_id, id="w", recipient_id="r1", created_at=at),
            SharedView(delivery_id=delivery_id, id="s", network="facebook", occurred_at=at + timedelta(minutes=3)),
        ]
    )
    minute = timedelta(minutes=1)
    store.ingest(
        click(
            occurred_at=at + n * 7 * minute,
            delivery_id=delivery_id,
            message_id=str(n % 4),
            link_id="2",
            source_id=f"b{n % 3}",
            verdict="human" if n % 2 else "machine",
            client=Client(user_agent="Mozilla", browser="Firefox"),
        )
        for n in range(10)
    )


def named(delivery_id: str, **fields: Any) -> Query:
    """A query about one delivery."""
    return Query(delivery_ids=delivery_id, **fields)


def thawed(counts: Counts) -> Counts:
    """The counts without the note that they are frozen."""
    return evolve(counts, frozen=())


@contextmanager
def broken_after(store: Store, writes: int) -> Iterator[None]:
    """Lets so many writing calls of a store through, and breaks the next one off before it does anything."""
    left = writes
    kept: dict[str, Callable[..., Any]] = {name: getattr(store, name) for name in ("put", "revise")}

    def stopping(name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Broken
            left -= bool(args or named)
            return kept[name](*args, **named)

        return call

    for name in kept:
        setattr(store, name, stopping(name))
    try:
        with suppress(Broken):
            yield
    finally:
        for name in kept:
            delattr(store, name)


def events_of(number: int) -> list[Event]:
    """What a recipient did: clicks, a bounce, and a click and a visit of his browser that name no message."""
    shared: dict[str, Any] = {
        "source_id": f"b{number}!",
        "client": Client(user_agent=f"Mozilla/{number}", browser="Firefox"),
        "request_id": f"request-{number}",
    }
    return [
        click(number, message_id=str(number), **shared),
        click(number, message_id=str(number), delivery_id="2", **shared),
        click(number, message_id=None, **shared),
        Bounced(occurred_at=NOON, delivery_id="1", message_id=str(number), diagnostic=f"550 <r{number}@mail.example>"),
        PageVisit(occurred_at=NOON, source_id=f"b{number}!"),
    ]


def put_recipients(store: Store, numbers: range) -> None:
    """Recipients with two messages each, events, and steps of a web application."""
    for number in numbers:
        name = {"recipient_id": f"r{number}", "address": f"r{number}@mail.example", "is_quarantine": True}
        store.put([sent(delivery_id, str(number), **name) for delivery_id in "12"])
        store.put([StepView(application_id="app", source_id=f"b{number}!", step="one", occurred_at=NOON)])
        store.ingest(events_of(number))


def everything(store: Store) -> str:
    """All that a store holds, written."""
    facts = [fact for kind in FACT_KEYS for fact in store.facts(kind)]
    records = [*store.deliveries(), *store.messages(), *store.links(), *store.runs(), *store.frozen(), *store.audits()]
    return "\n".join(map(to_json, [*records, *facts, *store.scan()]))
