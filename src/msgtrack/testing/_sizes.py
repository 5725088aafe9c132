"""What the clauses about size are tried on: crowds of events, an order that nobody expects, and counting what is alive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from math import gcd
from typing import TypeVar

from attrs import evolve

from msgtrack.counts import Counts
from msgtrack.events import EVENT_KINDS, Click, Event
from msgtrack.facts import FACT_KEYS
from msgtrack.protocols import Query, Store
from msgtrack.tally import fold
from msgtrack.testing._cases import click

__all__ = ["BATCHES", "MANY", "Living", "counted_by_folding", "crowd", "made_alive", "strewn"]

BATCHES = 1100
"""More than a batch, a page or a list of parameters commonly holds: five hundred or a thousand."""

MANY = 5100
"""More than the largest batches hold."""

_MOMENTS = 11
_T = TypeVar("_T")


def crowd(number: int) -> list[Click]:
    """So many clicks within eleven minutes, in the order of a scan: of three deliveries, with ids of both sorts."""
    audiences = ("human", "machine", "human", "unsure")
    return [
        click(
            minute,
            id=id_,
            delivery_id=str(n % 3),
            message_id=str(n % (BATCHES + 100)),
            link_id=str(n % (BATCHES + 50)) if n % 4 else None,
            source_id=f"b{n % 1300}",
            verdict=audiences[n % 4],
        )
        for n, (minute, id_) in enumerate(sorted((n % _MOMENTS, _id(n)) for n in range(number)))
    ]


def _id(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=16).hexdigest() if number % 2 else str(number)


def strewn(values: Sequence[_T]) -> list[_T]:
    """The same values in an order of no meaning, the same each time."""
    # Neither a divisor of the length nor near one, so neighbours lie far apart.
    step = next(step for step in range(len(values) * 5 // 13, len(values)) if gcd(step, len(values)) == 1)
    return [values[place * step % len(values)] for place in range(len(values))]


def counted_by_folding(store: Store, query: Query) -> Counts:
    """What clause S16 says that ``store.counts(query)`` is."""
    named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
    views = evolve(named, since=query.since, until=query.until)
    facts = [fact for kind in FACT_KEYS for fact in store.facts(kind, views)]
    tally = fold(store.deliveries(named), store.messages(named), store.links(named), store.scan(query), facts)
    return tally.counts(zone=query.zone)


class Living:
    """How many of the events that came by are alive at once."""

    def __init__(self) -> None:
        self.most = 0
        # By identity: to hash a reference is to hash the event.
        self._references: dict[int, weakref.ref[Event]] = {}

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events, one by one; ``most`` says how many of them were alive when one more came."""
        for event in events:
            reference = weakref.ref(event, self._gone)
            self._references[id(reference)] = reference
            self.most = max(self.most, len(self._references))
            yield event

    def _gone(self, reference: weakref.ref[Event]) -> None:
        del self._references[id(reference)]


def made_alive() -> int:
    """How many events there are in this process."""
    kinds = {*EVENT_KINDS.values()}
    return sum(type(thing) in kinds for thing in gc.get_objects())
