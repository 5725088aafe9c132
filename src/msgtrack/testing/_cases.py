"""What the clauses of the store suite are tried on, and how a test says that a store does not promise something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings

from msgtrack.events import Click, Event, Open
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import CAPABILITIES, Capabilities, Query, Store
from msgtrack.storage import BaseStore

__all__ = [
    "NOON",
    "NO_IDS",
    "Broken",
    "StoreFactory",
    "breaking",
    "click",
    "few_examples",
    "listed",
    "needs",
    "opened",
    "with_id",
]

StoreFactory = Callable[[], BaseStore]
"""Opens one place, the same each time; every test has a place of its own, empty at first."""

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

NO_IDS: tuple[Any, ...] = ("\ud800", "é\ud800", "x" * 65, "", 5.0, True, None, b"a")
"""What is no id: not writable as UTF-8, too long, empty, or neither text nor an integer."""

few_examples = settings(
    max_examples=15,
    deadline=None,
    # The store of a test lives through all its examples; each looks up only what it put itself.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)


def needs(capabilities: Capabilities, name: str) -> None:
    """Skip the test, unless the store has the capability; the reason is the sentence of that capability."""
    if not getattr(capabilities, name):
        pytest.skip(f"this store does not say {name}: {CAPABILITIES[name]}")


def click(minutes: float = 0, **fields: Any) -> Click:
    """A click some minutes past noon."""
    given: dict[str, Any] = {"occurred_at": NOON + timedelta(minutes=minutes), "delivery_id": "1", "message_id": "7"}
    return Click(**given | fields)


def opened(minutes: float = 0, **fields: Any) -> Open:
    """An open some minutes past noon."""
    given: dict[str, Any] = {"occurred_at": NOON + timedelta(minutes=minutes), "delivery_id": "1", "message_id": "7"}
    return Open(**given | fields)


def with_id(event: Event) -> Event:
    """The event as a store must give it back: the same, with its id set."""
    return evolve(event, id=event.id)


def listed(store: Store, record: Delivery | Message | TrackedLink) -> list[Any]:
    """What the store lists under the key of a record."""
    if isinstance(record, Delivery):
        return list(store.deliveries(Query(delivery_ids=(record.id,))))
    query = Query(delivery_ids=(record.delivery_id,))
    if isinstance(record, Message):
        return list(store.messages(evolve(query, message_ids=(record.id,))))
    return [link for link in store.links(query) if link.id == record.id]


class Broken(RuntimeError):  # what happened, not a kind of error
    """What the iterables of these tests raise in the middle."""


def breaking(values: Iterable[Any]) -> Iterator[Any]:
    """The values, and then :class:`Broken`."""
    yield from values
    raise Broken
