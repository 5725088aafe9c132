"""A store against the one in memory, step by step: Hypothesis looks for a sequence of calls after which they differ."""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msgtrack.errors import EventsPurged
from msgtrack.facts import FACT_KEYS
from msgtrack.protocols import AuditEntry, Checkpoint, Query, Record, WorkflowRun
from msgtrack.storage import BaseStore, MemoryStore, subject_digest
from msgtrack.testing import strategies
from msgtrack.testing._cases import Broken, breaking

__all__ = ["StoreAgreement"]

_worlds = strategies.worlds(max_events=8)
_runs = st.none() | strategies.runs(id=st.sampled_from(["1", "2", "3"]))
_checkpoints = st.none() | strategies.checkpoints(source=st.sampled_from(["web", "WEB", "log"]))
# Worlds live on the first of March, for two hours.
_START = datetime(2026, 3, 1, tzinfo=UTC)
_moments = st.integers(0, 150).map(lambda minutes: _START + timedelta(minutes=minutes))
_cutoffs = _moments | st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("events", "messages", "visitors", "rejects", "audits", "strays"), _moments)
)


class StoreAgreement(RuleBasedStateMachine):
    """Compares a store with :class:`msgtrack.storage.MemoryStore` after every step.

    - **Must override**: ``place``.
    - **May override**: ``crash``, which drops a handle as a crash would, and ``discard``, which is called when the steps are over.
    - **Never touch**: the rules. What a store does not promise (``persistent``, ``concurrent_writers``, ``revisable``) is not tried.

    ::

        class MyAgreement(StoreAgreement):
            def place(self):
                folder = Path(tempfile.mkdtemp())
                return lambda: MyStore(folder)

        TestMyAgreement = MyAgreement.TestCase
        TestMyAgreement.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
    """

    def __init__(self) -> None:
        super().__init__()
        self._open = self.place()
        self.store = self._open()
        self.others: list[BaseStore] = []
        self.model = MemoryStore()
        self._erased = 0

    def place(self) -> Callable[[], BaseStore]:
        """Must override: a function that opens one new, empty place, the same at each call."""
        raise TypeError(f"{type(self).__name__} must override place()")

    def crash(self) -> None:
        """May override: lose ``self.store`` without closing it; here the handle is forgotten, for others to collect."""
        del self.store
        gc.collect()

    def discard(self) -> None:
        """May override: clear away the place; the store is closed already."""

    def teardown(self) -> None:
        """Close what is open."""
        for store in (self.store, *self.others):
            store.close()
        self.model.close()
        self.discard()

    @initialize(world=_worlds, checkpoint=_checkpoints)
    def begin(self, world: strategies.World, checkpoint: Checkpoint | None) -> None:
        """Something is there from the start, or else most steps would have nothing to work on."""
        self._happens(world, checkpoint)

    @rule(world=_worlds, checkpoint=_checkpoints, run=_runs)
    def happens(self, world: strategies.World, checkpoint: Checkpoint | None, run: WorkflowRun | None) -> None:
        """Records and events, some of them known, some twice."""
        self._happens(world, checkpoint)
        if run is not None:
            self._put(run)

    def _happens(self, world: strategies.World, checkpoint: Checkpoint | None) -> None:
        events = [*world.events, *world.events[:2]]
        self._put(*world.records)
        assert self.store.ingest(iter(events), checkpoint) == self.model.ingest(events, checkpoint)

    def _put(self, *records: Record) -> None:
        self.store.put(iter(records))
        self.model.put(records)

    @rule(world=_worlds, checkpoint=_checkpoints)
    def breaks(self, world: strategies.World, checkpoint: Checkpoint | None) -> None:
        """A put that fails after the last record, and an ingest that fails after the last event."""
        for store in (self.store, self.model):
            _must_break(store.put, world.records)
            if self.store.capabilities.atomic_ingest:
                _must_break(store.ingest, world.events, checkpoint)

    @rule()
    def ingest_all_again(self) -> None:
        """What is there already, without ids of its own where they are derived."""
        events = list(self.model.scan())
        stripped = [evolve(event, id=None) if event.id == event.derived_id() else event for event in events]
        assert self.store.ingest(stripped) == self.model.ingest(stripped)

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """The same questions to both."""
        for query in data.draw(st.lists(strategies.queries(self._there()), min_size=1, max_size=4)):
            assert _answers(self.store, query) == _answers(self.model, query)
            assert _counted(self.store, query) == _counted(self.model, query)
        # Those seldom are pages that find something.
        events = list(self.model.scan())
        for last in data.draw(st.lists(st.sampled_from(events), min_size=1, max_size=2)) if events else ():
            for newest_first in (False, True):
                page = Query(limit=3, after=(last.occurred_at, last.id), newest_first=newest_first)
                assert list(self.store.scan(page)) == list(self.model.scan(page))

    def _there(self) -> strategies.World:
        return strategies.World(
            deliveries=tuple(self.model.deliveries()),
            messages=tuple(self.model.messages()),
            links=tuple(self.model.links()),
            events=tuple(self.model.scan()),
            facts=tuple(fact for kind in FACT_KEYS for fact in self.model.facts(kind)),
        )

    @rule()
    def rebuild(self) -> None:
        """Nothing changes by it."""
        self.store.rebuild()

    @precondition(lambda self: self.store.capabilities.revisable)
    @rule(data=st.data(), keep=st.booleans())
    def take_out(self, data: st.DataObject, keep: bool) -> None:  # drawn by name
        """Some events go, others are rewritten, and so are records."""
        events, messages = list(self.model.scan()), list(self.model.messages())
        gone = data.draw(st.lists(st.sampled_from([event.id for event in events] or ["none"]), max_size=3))
        kept = data.draw(st.lists(st.sampled_from(events), max_size=3, unique_by=lambda e: e.id)) if events else []
        removed = data.draw(st.lists(st.sampled_from(messages), max_size=2)) if messages else []
        for store in (self.store, self.model):
            store.revise(
                records=removed if keep else [],
                events=[evolve(event, source_id="new", request_id="\0") for event in kept],
                remove=iter(removed),
                remove_events=iter(gone),
            )
            store.rebuild()

    @precondition(lambda self: self.store.capabilities.revisable)
    @rule(recipient_id=st.sampled_from(["r1", "r2", "R1", "none"]), anonymise=st.booleans())
    def erase(self, recipient_id: str, anonymise: bool) -> None:  # drawn by name
        """Both take up a work that broke off, so that they make the same pseudonyms."""
        self._erased += 1
        self._put(
            AuditEntry(
                id=f"erasure-{self._erased}",
                action="erase",
                started_at=_START,
                subject=subject_digest(recipient_id),
                secret=f"secret-{self._erased}",
            )
        )
        entries = [store.erase(recipient_id, now=_START, anonymise=anonymise) for store in (self.store, self.model)]
        assert entries[0] == entries[1]

    @precondition(lambda self: self.store.capabilities.revisable)
    @rule(before=_cutoffs, now=_moments)
    def purge(self, before: datetime | dict[str, datetime], now: datetime) -> None:
        """What is old goes, and counts stay."""
        zones = ("UTC", "Asia/Kathmandu")
        entries = [store.purge(before, now=now, zones=zones) for store in (self.store, self.model)]
        assert entries[0] == entries[1]

    @precondition(lambda self: self.store.capabilities.persistent)
    @rule()
    def close_and_open(self) -> None:
        """The store must come back as it was."""
        self.store.close()
        self.store = self._open()

    @precondition(lambda self: self.store.capabilities.persistent)
    @rule()
    def crash_and_open(self) -> None:
        """What a call has returned from is kept, even if nobody closes."""
        self.crash()
        self.store = self._open()

    @precondition(lambda self: self.store.capabilities.concurrent_writers)
    @rule()
    def use_another_handle(self) -> None:
        """What one handle wrote the other one sees, whichever goes on."""
        if not self.others:
            self.others.append(self._open())
        self.others.append(self.store)
        self.store = self.others.pop(0)

    @invariant()
    def they_agree(self) -> None:
        """Everything is the same in both."""
        assert _answers(self.store, Query()) == _answers(self.model, Query())
        assert _counted(self.store, Query()) == _counted(self.model, Query())
        assert list(self.store.audits()) == list(self.model.audits())
        for source in ("web", "WEB", "log"):
            assert self.store.checkpoint(source) == self.model.checkpoint(source)


def _must_break(call: Callable[..., object], values: Iterable[object], *rest: object) -> None:
    try:
        call(breaking(values), *rest)
    except Broken:
        return
    raise AssertionError("the store swallowed the error of an iterable")


def _counted(store: BaseStore, query: Query) -> dict[str, object]:
    """Counts and slots, or that the events were purged which could give them."""
    found: dict[str, object] = {}
    for name, ask in (("counts", store.counts), ("slots", store.slots)):
        try:
            found[name] = ask(query)
        except EventsPurged as error:
            found[name] = error.message
    return found


def _answers(store: BaseStore, query: Query) -> dict[str, list[object]]:
    """Every answer, by its question: so a difference says which one it is."""
    return {
        "deliveries": list(store.deliveries(query)),
        "messages": list(store.messages(query)),
        "links": list(store.links(query)),
        "runs": list(store.runs()),
        **{f"facts({kind.__name__})": list(store.facts(kind, query)) for kind in FACT_KEYS},
        "frozen": list(store.frozen(query)),
        "scan": list(store.scan(query)),
    }
