"""Naming visits of tagged pages afterwards: whoever followed a message later was the same browser before (reference 4.6).

In the anonymous modes of web tags, visits of people whom nobody knows are kept with their person key alone. Once such a
browser follows a link of a message, its earlier visits can be told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from attrs import evolve

from msgtrack.errors import NotSupported
from msgtrack.events import Click, Event, PageVisit, Transaction
from msgtrack.protocols import Query, Store
from msgtrack.storage.base import BaseStore

__all__ = ["complete_visits", "completed"]


def completed(visits: Iterable[Event], clicks: Iterable[Event]) -> Iterator[Event]:
    """The visits that can be named, under their own ids, with delivery and message.

    Args:
        visits: events of tagged pages; those that name a message already, or no person, are passed over.
        clicks: clicks in messages; those that name no message or no person are passed over.

    A visit is of the message that its browser followed next, else of the last one before. A visit whose tag said a
    delivery stays of that one, and names the message if it is of the same.
    """
    followed: defaultdict[str, list[tuple[datetime, str, Event]]] = defaultdict(list)
    for click in clicks:
        if click.source_id is not None and click.message_id is not None:
            followed[click.source_id].append((click.occurred_at, click.id, click))
    for of_person in followed.values():
        of_person.sort(key=lambda row: row[:2])
    for visit in visits:
        rows = followed.get(visit.source_id or "")
        if not rows or visit.message_id is not None:
            continue
        place = bisect_left(rows, visit.occurred_at, key=lambda row: row[0])
        click = rows[min(place, len(rows) - 1)][2]
        if visit.delivery_id in (None, click.delivery_id):
            yield evolve(
                visit,
                id=visit.id,
                delivery_id=click.delivery_id,
                message_id=click.message_id,
                is_seed=click.is_seed,
                is_proof=click.is_proof,
            )


def complete_visits(store: Store, *, since: datetime | None = None) -> int:
    """Name the visits in a store that can be named now, and say how many they were.

    Args:
        store: the store; the clicks of all its time are looked at.
        since: visits before this moment are left as they are.

    Raises:
        NotSupported: the store cannot rewrite what it keeps (``revisable``).
        StoreError: the store fails.
    """
    if not isinstance(store, BaseStore):
        raise NotSupported(
            f"{type(store).__name__} has no revise yet", hint="derive it from msgtrack.storage.BaseStore"
        )
    visits = [
        visit
        for visit in store.scan(Query(kinds=(PageVisit, Transaction), since=since))
        if visit.message_id is None and visit.source_id is not None
    ]
    if not visits:
        return 0
    persons = {visit.source_id for visit in visits}
    clicks = [click for click in store.scan(Query(kinds=(Click,))) if click.source_id in persons]
    named = list(completed(visits, clicks))
    if named:
        store.revise(events=named)
        deliveries = {event.delivery_id for event in named if event.delivery_id is not None}
        store.rebuild(sorted(deliveries))
    return len(named)
