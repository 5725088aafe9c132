"""Counts by the engine: it groups, this puts together what it found, equal to the fold of the same facts.

Deliveries, links and other facts are few and are read; messages and events are only ever grouped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import Protocol

from attrs import evolve

from msgtrack._closing import OfEvents, closed, tracked
from msgtrack._entries import UNREGISTERED, DeliveryEntry, LinkEntry, delivery_entry, link_entry
from msgtrack._platform import Agent, agent_fields, applications_of, services_of
from msgtrack.counts import REACTION_KINDS, Counts, DeliveryCounts, Visits
from msgtrack.events import Transaction
from msgtrack.facts import Fact, delivery_of
from msgtrack.model import Delivery, TrackedLink
from msgtrack.protocols import Query
from msgtrack.storage._conditions import fits
from msgtrack.storage._counting_reach import BaseOf, Reach, SlotRows, pieces_of
from msgtrack.storage._counting_slots import MOST_IDS, all_slots, is_consolidated, narrowed, take_out_seeds
from msgtrack.storage._counting_sql import Statements
from msgtrack.storage._counting_terms import ProfileRows, Terms, amount_of
from msgtrack.storage._operations import Ask, Execute, Operations
from msgtrack.storage._schema import Tables

__all__ = ["Records", "counts_of"]


class Records(Protocol):
    """What is read of a store as it is."""

    def deliveries(self, query: Query = ...) -> Iterator[Delivery]:
        """Deliveries of the query."""
        ...

    def links(self, query: Query = ...) -> Iterator[TrackedLink]:
        """Tracked links of the query's deliveries."""
        ...

    def all_facts(self, query: Query = ...) -> Iterator[Fact]:
        """Facts of all classes."""
        ...


def counts_of(
    records: Records,
    ask: Ask,
    query: Query,
    tables: Tables,
    operations: Operations,
    *,
    execute: Execute | None = None,
) -> Counts | None:
    """The counts of a query, or None where no statement says them: they are to be folded then.

    Args:
        records: the store; what it gives and what ``ask`` gives must be one state, so take a snapshot.
        ask: runs a statement and gives its rows.
        query: what is asked for.
        tables: those of the store.
        operations: those of the engine.
        execute: runs a statement that gives no rows, on the connection of ``ask``; a temporary table is made by it, where the
            engine counts faster with one. None: the connection is not to be written to.
    """
    if query.is_paged or not fits(query, MOST_IDS):
        return None
    with ExitStack() as stack:
        counting = _Counting(records, ask, query, tables, operations)
        return counting.counts(lambda rows: stack.enter_context(operations.base(execute, rows)))


class _Counting:
    """One question, on its way."""

    def __init__(self, records: Records, ask: Ask, query: Query, tables: Tables, operations: Operations) -> None:
        self._records = records
        self._ask = ask
        self._named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        self._deliveries: dict[str, DeliveryEntry] = {}
        apart = set()
        for delivery in records.deliveries(self._named):
            if delivery.is_proof or delivery.is_template:
                apart.add(delivery.id)
            else:
                self._deliveries[delivery.id] = delivery_entry(delivery)
        self._apart = apart
        self._tables = tables
        self._scope = narrowed(query, apart)
        self._query = self._scope.query
        self._say = Statements(tables, operations, self._scope)
        self._terms = Terms(ask, self._say)
        self._operations = operations

    def counts(self, base_of: BaseOf) -> Counts | None:
        """The numbers; ``base_of`` gives what to read rows from."""
        profiles = ProfileRows(self._ask, self._say, self._terms)
        if profiles.is_oversized:
            return None
        slots = all_slots(self._ask, self._tables, self._operations, self._scope)
        # Events of seeds alone make a delivery known, too.
        names = {*self._deliveries, *profiles.deliveries, *slots}
        facts: defaultdict[str, list[Fact]] = defaultdict(list)
        of_platform = []
        for fact in self._facts():
            delivery_id = delivery_of(fact)
            if delivery_id is None:
                of_platform.append(fact)
            elif delivery_id not in self._apart:
                facts[delivery_id].append(fact)
        names.update(facts)
        if profiles.has_seeds:
            take_out_seeds(self._ask, self._say, slots)
        links: defaultdict[str, dict[str, LinkEntry]] = defaultdict(dict)
        for link in self._records.links(self._named):
            if link.delivery_id in names:
                links[link.delivery_id][link.id] = link_entry(link)
        tracked_links = {name: tracked(links[name]) for name in sorted(names)}
        pieces = pieces_of(slots, self._query.zone)
        if pieces is None:
            return None
        reach = Reach(self._ask, self._say, self._terms, slots, tracked_links, pieces, base_of)
        agents = self._agents(reach, has_seeds=profiles.has_seeds)
        amounts, articles = self._amounts(slots)
        found: dict[str, DeliveryCounts] = {}
        for name in sorted(names):
            entry = self._deliveries.get(name, UNREGISTERED)
            of_events = OfEvents(
                rows=slots.get(name, {}),
                reactions=reach.rows_by_class[name],
                reach=reach.reach_by_class[name],
                persons=reach.persons[name],
                persons_by_domain=reach.persons_by_domain[name],
                persons_by_variant=reach.persons_by_variant[name],
                agents=agents[name],
                groups=reach.groups(name),
                amounts=amounts[name],
                article=articles[name],
            )
            found[name] = closed(entry, tracked_links[name], facts[name], profiles.of(name), of_events)
        channels = {name: counts.channel for name, counts in found.items()}
        return Counts(
            deliveries=found,
            persons=reach.persons_of_all(channels),
            recipients=reach.recipients(),
            persons_by={"domain": reach.persons_by_domain_of_all(), "channel": reach.persons_by_channel(channels)},
            visits=self._visits(reach),
            services=services_of(of_platform),
            applications=applications_of(of_platform),
            zone=self._query.zone,
        )

    def _facts(self) -> Iterator[Fact]:
        window = evolve(self._named, since=self._query.since, until=self._query.until)
        return self._records.all_facts(window)

    def _agents(self, reach: Reach, *, has_seeds: bool) -> Mapping[str, Counter[tuple[Agent, str]]]:
        """Reactions by delivery, program and kind."""
        rows: defaultdict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
        if not (self._operations.keeps_slots and is_consolidated(self._query, days=True)):
            rows = reach.rows_by_agent()
        else:
            for delivery_id, key, kind, times in self._ask(self._say.kept_agents()):
                rows[delivery_id or ""][int(key), kind] += int(times)
            for delivery_id, key, kind, times in self._ask(self._say.agents_of_seeds()) if has_seeds else ():
                rows[delivery_id or ""][int(key or 0), kind] -= int(times)
        agents = self._terms.agents({key for of_delivery in rows.values() for key, _ in of_delivery})
        found: defaultdict[str, Counter[tuple[Agent, str]]] = defaultdict(Counter)
        for name, of_delivery in rows.items():
            for (key, kind), times in of_delivery.items():
                if times and kind in REACTION_KINDS:
                    found[name][agents[key], kind] += times
        return found

    def _amounts(self, slots: SlotRows) -> tuple[Mapping[str, list[Decimal]], Mapping[str, int]]:
        """Amounts and numbers of articles by delivery."""
        amounts: defaultdict[str, list[Decimal]] = defaultdict(list)
        articles: Counter[str] = Counter()
        if any(kind == Transaction.kind for of_delivery in slots.values() for kind, _ in of_delivery):
            for delivery_id, body, times in self._ask(self._say.transactions(Transaction.kind)):
                amount, article = amount_of(body)
                amounts[delivery_id or ""] += [amount] * int(times)
                articles[delivery_id or ""] += article * int(times)
        return amounts, articles

    def _visits(self, reach: Reach) -> Iterator[Visits]:
        rows = reach.visits()
        agents = self._terms.agents({key for _, key, _, _ in rows})
        for day, agent, visitors, pages in sorted(
            (day, agents[key], visitors, pages) for day, key, visitors, pages in rows
        ):
            yield Visits(day=day, **agent_fields(agent), visitors=visitors, pages=pages)
