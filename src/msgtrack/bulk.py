"""Whole log files into a store: what :func:`msgtrack.workflow.collect` does, by columns instead of an event for each line.

Lines in the combined format are read many at a time into columns (:class:`msgtrack.columns.EventColumns`), which a store on DuckDB takes as
they are (``pip install "msgtrack[bulk]"``), in a thread of its own while the next lines are read. Other stores get events made of
them. What has another format, and sources that are no log files, go the way of ``collect``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self

from attrs import define, field

from msgtrack._by_columns import FastColumns, columns_of
from msgtrack.clients import ClientReader
from msgtrack.columns import EventColumns
from msgtrack.errors import SourceError
from msgtrack.events import Event
from msgtrack.hits import Hit, Rejected
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import (
    Batch,
    Checkpoint,
    ColumnStore,
    Ingested,
    LineSource,
    Resolver,
    Source,
    Store,
    WorkflowRun,
)
from msgtrack.webtags import WebTags
from msgtrack.workflow import Collector, Place, clock_of, run_of

__all__ = ["collect_logs"]

_LINES_AT_ONCE = 50_000


def collect_logs(
    sources: Mapping[str, Source | Iterable[Hit | Event | Rejected]],
    store: Store,
    *,
    tracker: Resolver,
    now: datetime | Callable[[], datetime],
    people: PeoplePolicy | None = None,
    tags: WebTags | None = None,
    clients: ClientReader | None = None,
    progress: Callable[[int], None] | None = None,
) -> WorkflowRun:
    """Read every log on from its checkpoint, and keep what happened; for logs of many lines.

    The events, their ids, the rejected lines, the counts and the checkpoint are those of :func:`msgtrack.workflow.collect`, so the two may
    take turns over one log. Events and checkpoint move together for some fifty thousand lines at a time: a run may be killed
    anywhere and run again. It is quick for a ``Tracker`` with the URL format ``compact`` and without ``tags``.

    Args:
        sources: sources by name, as for ``collect``; it is for ``AccessLogFile`` that this is made. One that follows its log is read as
            ``collect`` reads it.
        store: where events, checkpoints and the run record go.
        tracker: who reads tracked URLs.
        now: the present, aware: a moment, or a function that gives it.
        people: with ``key="hash"``, hits get a person key.
        tags: the web tags that the redirect server answers; with them every line is read the long way.
        clients: who reads user agents, for the breakdowns by browser, system and device; None leaves them as they are.
        progress: called with the number of records read since it was last called. It must leave the store alone, which another thread
            may be writing to.

    Returns:
        the record of the run, kept in the store too.

    Raises:
        InvalidValue: a source is none.
        MissingExtra: the store takes columns, but what it needs for that is not installed.
        StoreError: the store fails; what was read since its last checkpoint will be read again.
    """
    collector = _BulkCollector(
        store=store,
        tracker=tracker,
        people=people,
        tags=tags,
        clients=clients,
        clock=clock_of(now),
        progress=progress,
    )
    return run_of(sources, collector)


@define(kw_only=True)
class _BulkCollector(Collector):
    def read(self, name: str, source: Source) -> None:
        columns = columns_of(self.collecting, name)
        if columns is None or not isinstance(source, LineSource):
            super().read(name, source)
            return
        place = self.place(name)
        try:
            with _Keeper(self, name, columns, place) as keeper:
                self._read_lines(source, keeper)
        finally:
            self.hits += columns.hits
            self.skipped += columns.skipped

    def _read_lines(self, source: LineSource, keeper: _Keeper) -> None:
        try:
            for batch in source.read_lines(keeper.place.position):
                if batch.lines is None:
                    keeper.keep_rest()
                    self.take(batch, keeper.name, keeper.place)
                    continue
                self._take_lines(batch, keeper)
                keeper.has_read(len(batch.lines.texts))
        except SourceError:
            # What was read before is good.
            keeper.keep_rest()
            raise
        keeper.keep_rest()

    def _take_lines(self, batch: Batch, keeper: _Keeper) -> None:
        place, columns = keeper.place, keeper.columns
        ordinals = place.ordinals(batch.scope)
        for event in self.events_of(batch, keeper.name, ordinals):
            columns.add(event)
        hits = columns.hits
        rejected = [] if batch.lines is None else columns.read(batch.lines, ordinals)
        for one in rejected:
            self.reject(one, keeper.name)
        # As reading batch by batch forgets, which writes down a place behind each.
        ordinals.forget()
        place.position = batch.position
        self.tell(len(batch.records) + columns.hits - hits + len(rejected))


@define
class _Keeper:
    """Hands columns to the store: one stretch at a time, and in another thread where the store takes columns."""

    collector: Collector
    name: str
    columns: FastColumns
    place: Place
    _waiting: int = field(default=0, init=False)
    _pool: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(1, "msgtrack-bulk"), init=False)
    _under_way: tuple[int, Future[Ingested]] | None = field(default=None, init=False)

    def has_read(self, lines: int) -> None:
        """So many lines more went into the columns; hand over what they gave once they are many."""
        self._waiting += lines
        if self._waiting >= _LINES_AT_ONCE:
            self._keep()

    def keep_rest(self) -> None:
        """Hand over what was not yet, and wait until everything is kept."""
        if self._waiting:
            self._keep()
        self._wait()

    def _keep(self) -> None:
        """Keep events, and the place behind them, once what was given before is kept."""
        self._wait()
        self._waiting = 0
        columns = self.columns.take()
        store, checkpoint = self.collector.store, self.collector.checkpoint(self.name, self.place)
        if isinstance(store, ColumnStore):
            self._under_way = len(columns), self._pool.submit(_ingest_columns, store, columns, checkpoint)
        else:
            self.collector.kept(len(columns), store.ingest(columns.events(), checkpoint))

    def _wait(self) -> None:
        if self._under_way is not None:
            given, future = self._under_way
            self._under_way = None
            self.collector.kept(given, future.result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._pool.shutdown()


def _ingest_columns(store: ColumnStore, columns: EventColumns, checkpoint: Checkpoint) -> Ingested:
    return store.ingest_columns(columns, checkpoint)
