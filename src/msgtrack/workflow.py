"""The Tracking workflow: fetch hits from their sources, make events of them, keep the events and the position
together (reference 5.2).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import takewhile

from attrs import define, evolve, field

from msgtrack._borders import text_id, utc
from msgtrack._collecting import Collecting
from msgtrack.clients import ClientReader
from msgtrack.decide import Reason
from msgtrack.errors import HookError, InvalidValue, NotSupported, SourceError
from msgtrack.events import Event, event_id
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Batch, Checkpoint, Ingested, Resolver, Source, Store, WorkflowRun
from msgtrack.webtags import WebTags

__all__ = ["collect"]

KEPT_REJECTS = 100
"""Rejected lines that a run record keeps in full; the rest are counted."""


def collect(
    sources: Mapping[str, Source | Iterable[Hit | Event | Rejected]],
    store: Store,
    *,
    tracker: Resolver,
    judge: None = None,
    consent: None = None,
    now: datetime | Callable[[], datetime],
    people: PeoplePolicy | None = None,
    tags: WebTags | None = None,
    clients: ClientReader | None = None,
    progress: Callable[[int], None] | None = None,
) -> WorkflowRun:
    """Read every source on from its checkpoint, and keep what happened.

    Args:
        sources: sources by name; the name is the key of the checkpoint and stands in each event made of a hit. Hits or events that
            are at hand will do too (a list, what ``logs.parse`` yields): they are read whole each time.
        store: where events, checkpoints and the run record go.
        tracker: who reads tracked URLs.
        judge: who tells people from machines; not there yet.
        consent: consents withdrawn after sending; not there yet.
        now: the present, aware: a moment, or a function that gives it.
        people: with ``key="hash"``, hits without a person key (those of access logs) get one.
        tags: the web tags that the redirect server answers, the same as there.
        clients: who reads user agents, for the breakdowns by browser, system and device; None leaves them as they are. What is
            kept already stays as it was read.
        progress: called with the number of records read since it was last called.

    Events and checkpoint of a batch move together, so a run may be killed anywhere and run again. Opens of one
    message within one calendar minute count once. A source that cannot be read fails the run, which says so; the
    other sources are read all the same. So does one whose hits ``identify`` of the web tags raises for: it is read no
    further than to the batch before, and that batch again by the next run.

    Returns:
        the record of the run, kept in the store too.

    Raises:
        NotSupported: ``judge`` or ``consent`` is given.
        InvalidValue: a source is none.
        StoreError: the store fails; what was read since its last checkpoint will be read again.
    """
    for name, part in (("judge", judge), ("consent", consent)):
        if part is not None:
            raise NotSupported(f"collect({name}=...) is not there yet", hint=f"leave {name} out")
    collector = Collector(
        store=store, tracker=tracker, people=people, tags=tags, clients=clients, clock=clock_of(now), progress=progress
    )
    return run_of(sources, collector)


def run_of(sources: Mapping[str, Source | Iterable[Hit | Event | Rejected]], collector: Collector) -> WorkflowRun:
    """Have a collector read every source, and keep the record of it.

    Raises:
        InvalidValue: a source is none.
    """
    clock, store = collector.clock, collector.store
    if not isinstance(sources, Mapping):
        raise InvalidValue(f"sources must be a mapping of names to sources, not {type(sources).__name__}")
    readers = {text_id(name): _reader(name, source) for name, source in sources.items()}
    started_at = utc(clock())
    errors = []
    for name, reader in readers.items():
        try:
            collector.read(name, reader)
        except (SourceError, HookError) as error:
            errors.append(f"{name}: {error}")
    same_start = sum(1 for _ in takewhile(lambda run: run.started_at >= started_at, store.runs()))
    record = WorkflowRun(
        id=event_id(started_at, "run", started_at.isoformat(), str(same_start)),
        started_at=started_at,
        ended_at=utc(clock()),
        status="failed" if errors else "finished",
        sources=tuple(sources),
        hits=collector.hits,
        events=collector.events,
        added=collector.added,
        known=collector.known,
        rejected=collector.rejected,
        skipped=dict(sorted(collector.skipped.items())),
        rejects=tuple(collector.rejects),
        error="; ".join(errors),
    )
    store.put([record])
    return record


def clock_of(now: datetime | Callable[[], datetime]) -> Callable[[], datetime]:
    """What gives the present."""
    return now if callable(now) else lambda: now


def _reader(name: str, source: object) -> Source:
    # An open file has a ``read`` too, of another kind.
    if isinstance(source, Source) and not hasattr(source, "readline"):
        return source
    if isinstance(source, str | bytes) or hasattr(source, "readline") or not isinstance(source, Iterable):
        raise InvalidValue(
            f"the source {name!r} has no read(position) and holds no hits: {source!r:.80}",
            hint="give SegmentFolder(...), AccessLogFile(...), or what logs.parse yields",
        )
    return _AtHand(source)


@define
class _AtHand:
    """Records that are at hand, as a source: without a position, so all of them each time."""

    records: Iterable[Hit | Event | Rejected]

    def read(self, position: str | None) -> Iterator[Batch]:
        """One batch of everything."""
        records = tuple(self.records)
        for record in records:
            if not isinstance(record, Hit | Event | Rejected):
                raise InvalidValue(f"a source holds hits, events and rejected lines, not {record!r:.80}")
        yield Batch(records=records, position="")


@define(kw_only=True)
class Collector:
    """Reads sources into a store, and counts what a run record says."""

    store: Store
    tracker: Resolver
    people: PeoplePolicy | None
    tags: WebTags | None
    clock: Callable[[], datetime]
    progress: Callable[[int], None] | None
    clients: ClientReader | None = None
    collecting: Collecting = field(init=False)
    hits: int = 0
    events: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    skipped: Counter[str] = field(factory=Counter)
    rejects: list[Rejected] = field(factory=list)

    @collecting.default
    def _collecting(self) -> Collecting:
        return Collecting(tracker=self.tracker, people=self.people, tags=self.tags, clients=self.clients)

    def read(self, name: str, source: Source) -> None:
        """Read one source on from its checkpoint.

        Raises:
            SourceError: it cannot be read.
            StoreError: the store fails.
        """
        place = self.place(name)
        for batch in source.read(place.position):
            self.take(batch, name, place)

    def place(self, name: str) -> Place:
        """How far a source was read."""
        return Place.read(self.store.checkpoint(name), name)

    def take(self, batch: Batch, name: str, place: Place) -> None:
        """Keep the events of one batch, and the place behind it."""
        events = list(self.events_of(batch, name, place.ordinals(batch.scope)))
        place.position = batch.position
        self.kept(len(events), self.store.ingest(events, self.checkpoint(name, place)))
        self.tell(len(batch.records))

    def checkpoint(self, name: str, place: Place) -> Checkpoint:
        """The checkpoint of a source whose reading came to a place."""
        return Checkpoint(source=name, position=place.text(), moved_at=self.clock())

    def kept(self, given: int, kept: Ingested) -> None:
        """Count what the store did with so many events."""
        self.events += given
        self.added += kept.added
        self.known += kept.known

    def reject(self, rejected: Rejected, name: str) -> None:
        """Count a rejected line; the first ones are kept."""
        self.rejected += 1
        if len(self.rejects) < KEPT_REJECTS:
            self.rejects.append(rejected if rejected.source else evolve(rejected, source=name))

    def tell(self, records: int) -> None:
        """Say that so many records were read."""
        if self.progress is not None:
            self.progress(records)

    def events_of(self, batch: Batch, name: str, ordinals: Ordinals) -> Iterator[Event]:
        """The events of a batch's records, with their ids; counts them."""
        for record in batch.records:
            if isinstance(record, Rejected):
                self.reject(record, name)
                continue
            if isinstance(record, Hit):
                self.hits += 1
            event = self.collecting.event(record, name, ordinals)
            if isinstance(event, Reason):
                self.skipped[event.value] += 1
            else:
                yield event


@define
class Place:
    """A source's own position, and what tells equal events apart when reading goes on in the middle of a file."""

    position: str | None
    scope: str
    counted: Ordinals

    @classmethod
    def read(cls, checkpoint: Checkpoint | None, name: str) -> Place:
        """The place of a checkpoint; the start where there is none.

        Raises:
            SourceError: it is not one that :meth:`text` wrote.
        """
        if checkpoint is None:
            return cls(None, "", Ordinals())
        try:
            said = json.loads(checkpoint.position)
            return cls(said["position"], said["scope"], Ordinals(said["equal"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SourceError(f"the checkpoint of {name!r} is not one that collect wrote") from None

    def ordinals(self, scope: str) -> Ordinals:
        """What counts equal events within a scope; another scope begins anew."""
        if scope != self.scope or not scope:
            self.scope, self.counted = scope, Ordinals()
        return self.counted

    def text(self) -> str:
        """The place, as the position of a checkpoint."""
        return json.dumps({"position": self.position, "scope": self.scope, "equal": self.counted.state()})
