"""The store on ClickHouse: a server, or the same engine inside this process, through clickhouse-connect."""

# ruff: noqa: S608  # statements are put together here: of names that ``quoted`` wrote and values that ``literal`` wrote

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from attrs import evolve
from sqlalchemy import Select, Table, func, select

from msgtrack._borders import MAX_ID_BYTES
from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record, Slots
from msgtrack.storage._asking import events_asked, fits_in_sql
from msgtrack.storage._clickhouse_arrivals import Arrivals
from msgtrack.storage._clickhouse_dialect import (
    ClickHouseOperations,
    column_type,
    literal,
    quoted,
    table_text,
    text_of,
)
from msgtrack.storage._clickhouse_link import Address, Link, Session, address_of, is_name
from msgtrack.storage._clickhouse_making import prepare
from msgtrack.storage._clickhouse_places import placed
from msgtrack.storage._clickhouse_tables import Layout, layout_of
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._core import kept_batches
from msgtrack.storage._counting import counts_of
from msgtrack.storage._counting_slots import slots_of
from msgtrack.storage._event_rows import Commons, EventWriter
from msgtrack.storage._ids import one_id, rebuilt_ids, some_ids
from msgtrack.storage._listing import ListingStore
from msgtrack.storage._rows import (
    READ_COLUMNS,
    SHELVES,
    EventReader,
    Term,
    checkpoint_row,
    fact_row,
    read_checkpoint,
)
from msgtrack.storage._schema import PREFIX, Tables, moment
from msgtrack.storage._types import event_id_text, tagged_ids
from msgtrack.storage.base import EVERYTHING, Spans, record_key

__all__ = ["ClickHouseStore", "open_clickhouse"]

_BATCH_ROWS = 50_000
_Batches = Iterable[tuple[Sequence[str], Sequence[Event]]]
_LARGE = 2000
"""From so many events on, an ingest has slots of its own; those of smaller ones are counted together."""
_CAPABILITIES = Capabilities(
    persistent=True,
    atomic_ingest=False,
    exact_distinct=True,
    concurrent_writers=True,
    native_counts=True,
    native_slots=True,
    revisable=True,
    several_processes=False,
    streaming=True,
)


class ClickHouseStore(ListingStore):
    """A store on ClickHouse.

    Args:
        address: where it is; :func:`open_clickhouse` reads it from a URL.
        prefix: what the names of the tables begin with.
        cluster: the name of a cluster as the server's configuration has it: tables are replicated and distributed over it.

    Raises:
        StoreError: it cannot be reached, or another process has the folder.
        SchemaMismatch: its tables are of a newer version, or are not ours.
    """

    def __init__(self, address: Address, *, prefix: str = PREFIX, cluster: str = "") -> None:
        _check_name(prefix, "a prefix")
        if cluster:
            _check_name(cluster, "a cluster")
        self._layout: Layout = layout_of(database=address.database, prefix=prefix, cluster=cluster)
        self._tables = self._layout.tables
        self._link = Link(address, cluster=bool(cluster))
        self._arrivals = Arrivals(self._link, self._layout)
        self._commons = Commons()
        try:
            if not prepare(self._link, self._layout):
                self._arrivals.repair()
        except BaseException:
            self._link.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent and exact; several handles may write; events come first and the checkpoint after."""
        return evolve(_CAPABILITIES, several_processes=self._link.address.folder is None)

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        rows: dict[Table, list[tuple[Any, ...]]] = {}
        terms: list[Term] = []
        for record in records:
            record_key(record)
            if isinstance(record, Fact):
                rows.setdefault(self._tables.facts, []).append(fact_row(record))
            else:
                shelf = SHELVES[type(record)]
                rows.setdefault(shelf.table(self._tables), []).append(shelf.row(record))
                terms += shelf.terms(record)
        self._insert_terms(terms)
        for table, of_table in rows.items():
            self._insert(table, of_table)

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and then the checkpoint.

        What is given lies in a table of its own until the iterable is at its end; of an iterable that fails nothing is kept.
        """
        self.check_open()
        batches = kept_batches(events, _BATCH_ROWS)
        held = [*islice(batches, 2)]
        given, added = len(held[0][0]) if held else 0, None
        if len(held) == 1:
            added = self._bring(*held[0])
        if held and added is None:
            token = self._arrivals.token(is_large=given >= _LARGE)
            given = self._take(chain(held, batches), token)
            added = self._arrivals.settle(token, given)
        added = added or 0
        if checkpoint is not None:
            self._insert(self._tables.checkpoints, [checkpoint_row(checkpoint)])
        return Ingested(added=added, known=given - added)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        return self._scan(query)

    def _scan(self, query: Query) -> Iterator[Event]:
        if fits_in_sql(query):
            return self._placed(query)
        statement = self._events_asked(events_asked(self._tables, query))
        return islice(filter(self.admission(query), self._read(statement)), query.limit)

    def _placed(self, query: Query) -> Iterator[Event]:
        count = 0
        for statement in placed(self._link.rows, self._tables, query):
            # Each is read to its end: to give up what the engine still sends takes longer.
            for event in self._read(self._events_asked(statement.limit(query.limit and query.limit - count))):
                yield event
                count += 1
            if count == query.limit:
                return

    def _events_asked(self, statement: Select[Any]) -> Select[Any]:
        columns = self._tables.events.c
        return statement.with_only_columns(event_id_text(columns.id), *(columns[name] for name in READ_COLUMNS[1:]))

    def _read(self, statement: Select[Any]) -> Iterator[Event]:
        reader = EventReader()
        for row in self._rows(statement):
            yield reader.event(row)

    def events_by(self, source_ids: frozenset[str]) -> Iterator[Event]:
        """Events of these persons, in the order of a scan."""
        self.check_open()
        if len(source_ids) > MAX_IN:
            return super().events_by(source_ids)
        statement = events_asked(self._tables, EVERYTHING).where(
            self._tables.events.c.source_id.in_(sorted(source_ids))
        )
        return self._read(self._events_asked(statement))

    def deliveries_of_messages(self) -> set[str]:
        """The ids of all deliveries that messages name."""
        self.check_open()
        return {name for (name,) in self._rows(select(self._tables.messages.c.delivery_id).distinct())}

    def spans(self) -> Spans:
        """By delivery the moments of its first and last event."""
        self.check_open()
        columns = self._tables.events.c
        spans = select(columns.delivery_id, func.min(columns.occurred_at), func.max(columns.occurred_at))
        return {
            delivery_id: (moment(first), moment(last))
            for delivery_id, first, last in self._rows(spans.group_by(columns.delivery_id))
        }

    def live_counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of the query's deliveries, grouped by the engine."""
        self.check_open()
        try:
            with self._link.session() as session:
                operations = ClickHouseOperations(session.run)
                counts = counts_of(self, _asked(session), query, self._settled(), operations)
        except KeyError:
            # There are no snapshots: a row came between two statements that nothing before it spoke of.
            counts = None
        return super().live_counts(query) if counts is None else counts

    def live_slots(self, query: Query = EVERYTHING) -> Slots:
        """The slots of those, from the consolidated ones where they answer."""
        self.check_open()
        with self._link.session() as session:
            slots = slots_of(_asked(session), query, self._settled(), ClickHouseOperations(session.run))
        return super().live_slots(query) if slots is None else slots

    def _settled(self) -> Tables:
        """The tables to count from; slots that an ingest under way may have left behind are counted from the events."""
        if not self._link.rows(f"SELECT 1 FROM {table_text(self._layout.incoming)} LIMIT 1"):
            return self._tables
        return self._arrivals.settled(self._tables)

    def rebuild(self, delivery_ids: Iterable[str] | None = None) -> None:
        """Count slots and days of programs anew from the events, of these deliveries or of all."""
        self.check_open()
        names = rebuilt_ids(delivery_ids)
        if names != ():
            self._arrivals.rebuild(names)

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """Take out and rewrite. First what is new is written, then what is old is deleted; the same call again completes it."""
        self.check_open()
        records, gone_events = [*records], {*some_ids(remove_events)}
        gone: dict[type[Record], dict[tuple[str, ...], None]] = {}
        for record in remove:
            gone.setdefault(type(record), {})[record_key(record)] = None
        for record in records:
            gone.get(type(record), {}).pop(record_key(record), None)
        token = self._arrivals.token()
        given = self._take(_without(kept_batches(events, _BATCH_ROWS), gone_events), token)
        self.put(records)
        if given:
            self._arrivals.replace(token)
        self._arrivals.remove(sorted(gone_events))
        for kind, keys in gone.items():
            self._delete(kind, [*keys])

    def _delete(self, kind: type[Record], keys: Sequence[tuple[str, ...]]) -> None:
        if kind in FACT_KEYS:
            table, keys = self._tables.facts, [(kind.__name__, *key, *[""] * (3 - len(key))) for key in keys]
        else:
            table = SHELVES[kind].table(self._tables)
        names = ", ".join(quoted(column.name) for column in table.primary_key.columns)
        for start in range(0, len(keys), MAX_IN):
            values = ", ".join(f"({', '.join(map(literal, key))})" for key in keys[start : start + MAX_IN])
            self._link.run(f"DELETE FROM {self._layout.on_disk(table)} WHERE ({names}) IN ({values})")

    def compact(self) -> None:
        """Have the engine write all tables anew, so that nothing that was replaced or deleted is left on its disk.

        It does so by itself, sooner or later; after ``erase`` it may have to be now. That takes time and, while it lasts, twice the space.
        """
        self.check_open()
        for table in self._layout.kept:
            self._link.run(f"OPTIMIZE TABLE {self._layout.on_disk(table)} FINAL")

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        columns = self._tables.checkpoints.c
        rows = self._link.rows(text_of(select(columns.body).where(columns.source == one_id(source))))
        return next((read_checkpoint(body) for (body,) in rows), None)

    def close(self) -> None:
        """Let go of ClickHouse; iterators that are still open raise ``StoreClosed`` at their next step."""
        if not self._closed:
            super().close()
            self._link.close()

    def _bring(self, ids: Sequence[str], events: Sequence[Event]) -> int | None:
        """Keep events that are all new or all known; how many were new, or None where nothing was done."""
        writer = EventWriter(self._commons)
        packed, *columns = writer.columns(ids, events)
        self._insert_terms(writer.terms())
        token = self._arrivals.token(is_large=len(events) >= _LARGE)
        return self._arrivals.bring(token, [tagged_ids(packed), *columns])

    def _take(self, batches: _Batches, token: int) -> int:
        """Write events into the table of incoming ones; how many there were."""
        writer, given = EventWriter(self._commons), 0
        try:
            for ids, batch in batches:
                packed, *columns = writer.columns(ids, batch)
                places = range(given, given + len(batch))
                self._insert_terms(writer.terms())
                self._insert_columns(
                    self._layout.incoming, [[token] * len(batch), places, tagged_ids(packed), *columns]
                )
                given += len(batch)
        except BaseException:
            if given:
                self._arrivals.forget(token)
            raise
        return given

    def _insert_terms(self, terms: Iterable[Term]) -> None:
        """Insert the terms that are not there. What a handle inserted before says nothing: the tables may have been made anew since."""
        wanted = dict(terms)
        if wanted:
            table = self._tables.terms
            known = self._link.rows(f"SELECT key FROM {table_text(table)} WHERE key IN ({', '.join(map(str, wanted))})")
            for (key,) in known:
                wanted.pop(int(key), None)
            self._insert(table, [*wanted.items()])

    def _insert(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows that have a value for each column of the table that is not the engine's own."""
        if rows:
            self._insert_columns(table, [*zip(*rows, strict=True)])

    def _insert_columns(self, table: Table, columns: Sequence[Sequence[Any]]) -> None:
        self._link.insert(
            table_text(table), [column.name for column in table.columns], [*map(column_type, table.columns)], columns
        )

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        for row in self._link.stream(text_of(statement)):
            self.check_open()
            yield row


def _asked(session: Session) -> Callable[[Select[Any]], list[Sequence[Any]]]:
    return lambda statement: session.rows(text_of(statement))


def _without(batches: _Batches, gone: set[str]) -> _Batches:
    """The batches without the events of these ids."""
    for batch in batches:
        if kept := [one for one in zip(*batch, strict=True) if one[0] not in gone]:
            yield [event_id for event_id, _ in kept], [event for _, event in kept]


def _check_name(name: str, what: str) -> None:
    if not isinstance(name, str) or not is_name(name, MAX_ID_BYTES):
        raise InvalidValue(f"{what} is text of at most {MAX_ID_BYTES} bytes without NUL, not {name!r:.80}")


def open_clickhouse(url: str, *, prefix: str = PREFIX, cluster: str = "") -> ClickHouseStore:
    """The store at ``clickhouse://host:port/database``, or in the folder of ``chdb:///folder``; see :class:`ClickHouseStore`."""
    return ClickHouseStore(address_of(url), prefix=prefix, cluster=cluster)
