"""A store against the one in memory, step by step: Hypothesis looks for a sequence of calls after which they differ."""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Checkpoint, Query, Store, WorkflowRun
from msgtrack.storage import MemoryStore
from msgtrack.testing import strategies
from msgtrack.testing._cases import Broken, breaking

__all__ = ["StoreAgreement"]

_worlds = strategies.worlds(max_events=8)
_runs = st.none() | strategies.runs(id=st.sampled_from(["1", "2", "3"]))
_checkpoints = st.none() | strategies.checkpoints(source=st.sampled_from(["web", "WEB", "log"]))


class StoreAgreement(RuleBasedStateMachine):
    """Compares a store with :class:`msgtrack.storage.MemoryStore` after every step.

    - **Must override**: ``place``.
    - **May override**: ``discard``, which is called when the steps are over.
    - **Never touch**: the rules. Closing and opening again is one of them, for stores that are persistent.

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
        self.model = MemoryStore()

    def place(self) -> Callable[[], Store]:
        """Must override: a function that opens one new, empty place, the same at each call."""
        raise TypeError(f"{type(self).__name__} must override place()")

    def discard(self) -> None:
        """May override: clear away the place; the store is closed already."""

    def teardown(self) -> None:
        """Close what is open."""
        self.store.close()
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
            self.store.put([run])
            self.model.put([run])

    def _happens(self, world: strategies.World, checkpoint: Checkpoint | None) -> None:
        events = [*world.events, *world.events[:2]]
        self.store.put(world.records)
        self.model.put(world.records)
        assert self.store.ingest(iter(events), checkpoint) == self.model.ingest(events, checkpoint)

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
        there = strategies.World(
            deliveries=tuple(self.model.deliveries()),
            messages=tuple(self.model.messages()),
            links=tuple(self.model.links()),
            events=tuple(self.model.scan()),
            facts=tuple(fact for kind in FACT_KEYS for fact in self.model.facts(kind)),
        )
        for query in data.draw(st.lists(strategies.queries(there), min_size=1, max_size=4)):
            assert _answers(self.store, query) == _answers(self.model, query)
            assert self.store.counts(query) == self.model.counts(query)

    @precondition(lambda self: self.store.capabilities.persistent)
    @rule()
    def close_and_open(self) -> None:
        """The store must come back as it was."""
        self.store.close()
        self.store = self._open()

    @invariant()
    def they_agree(self) -> None:
        """Everything is the same in both."""
        assert _answers(self.store, Query()) == _answers(self.model, Query())
        assert self.store.counts() == self.model.counts()
        for source in ("web", "WEB", "log"):
            assert self.store.checkpoint(source) == self.model.checkpoint(source)


def _must_break(call: Callable[..., object], values: Iterable[object], *rest: object) -> None:
    try:
        call(breaking(values), *rest)
    except Broken:
        return
    raise AssertionError("the store swallowed the error of an iterable")


_Answers = tuple[list[Delivery], list[Message], list[TrackedLink], list[WorkflowRun], list[Fact], list[Event]]


def _answers(store: Store, query: Query) -> _Answers:
    return (
        list(store.deliveries(query)),
        list(store.messages(query)),
        list(store.links(query)),
        list(store.runs()),
        [fact for kind in FACT_KEYS for fact in store.facts(kind, query)],
        list(store.scan(query)),
    )
