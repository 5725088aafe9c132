"""The conformance suite of stores: the clauses of ``docs/spec/stores.md``, each as tests that name it.

Joining takes a fixture::

    from msgtrack.testing import StoreSuite

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store_factory(self, tmp_path):
            return lambda: MyStore(tmp_path / "data")
"""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from msgtrack.errors import StoreClosed
from msgtrack.events import Event
from msgtrack.facts import Service
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Checkpoint, Ingested, Query, Store, WorkflowRun
from msgtrack.storage import BaseStore
from msgtrack.testing._cases import NOON, StoreFactory, click, needs, opened, with_id
from msgtrack.testing._derived_clauses import DerivedClauses
from msgtrack.testing._erasing_clauses import ErasingClauses
from msgtrack.testing._event_clauses import EventClauses
from msgtrack.testing._page_clauses import PageClauses
from msgtrack.testing._processes import ProcessClauses
from msgtrack.testing._record_clauses import RecordClauses
from msgtrack.testing._size_clauses import SizeClauses
from msgtrack.testing._size_upkeep import SizeUpkeepClauses
from msgtrack.testing._upkeep_clauses import UpkeepClauses

__all__ = ["StoreSuite"]


class StoreSuite(
    RecordClauses,
    EventClauses,
    PageClauses,
    UpkeepClauses,
    ErasingClauses,
    DerivedClauses,
    SizeClauses,
    SizeUpkeepClauses,
    ProcessClauses,
):
    """Every clause of the contract, on a store of yours.

    - **Must override**: the fixture ``store_factory``.
    - **May override**: the fixture ``store``, to do something before or after each test; and ``events_at_once``, where a
      store with ``streaming`` has more events of a call in memory at once than 10,000.
    - **Never touch**: the tests. What a store does not promise it says in its ``capabilities``;
      the tests that need it skip and say why.
    """

    @pytest.fixture
    def store_factory(self) -> StoreFactory:
        """Must override: a function that opens one place, the same at each call; empty at first, and another for each test.

        Where several processes may write (S39) it is best one that ``pickle`` can write: they open the place with it.
        """
        pytest.fail(f"{type(self).__name__} must override the fixture store_factory")

    @pytest.fixture
    def store(self, store_factory: StoreFactory) -> Iterator[Store]:
        """May override: a store on that place, closed after the test."""
        with closing(store_factory()) as store:
            yield store

    @pytest.fixture
    def revisable(self, store: BaseStore) -> BaseStore:
        """Never touch: the store, where it can take out what it keeps."""
        needs(store.capabilities, "revisable")
        return store

    def test_S18_what_was_kept_is_there_after_close_and_open(self, store_factory: StoreFactory) -> None:
        """S18, where ``persistent`` holds: records, events, checkpoints and runs alike."""
        delivery, message = Delivery(id="1", label="é\0"), Message(delivery_id="1", id="7", recipient_id="r")
        link, run = TrackedLink(delivery_id="1", id="2", url="https://a.example/"), WorkflowRun(id="r", started_at=NOON)
        with closing(store_factory()) as store:
            needs(store.capabilities, "persistent")
            store.put([delivery, message, link, run])
            store.ingest([click(0), opened(1, id="e")], Checkpoint(source="web", position="9", moved_at=NOON))
            counts = store.counts()
        with closing(store_factory()) as store:
            assert [*store.deliveries(), *store.messages(), *store.links(), *store.runs()] == [
                delivery,
                message,
                link,
                run,
            ]
            assert list(store.scan()) == [with_id(click(0)), opened(1, id="e")]
            assert store.checkpoint("web") == Checkpoint(source="web", position="9", moved_at=NOON)
            assert store.counts() == counts
            assert store.ingest([click(0), opened(5, id="e")]) == Ingested(added=0, known=2)

    def test_S19_a_closed_store_refuses_everything(self, store: BaseStore) -> None:
        """S19: every method raises ``StoreClosed``, at the call or at the first step of what it returns."""
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7", recipient_id="r")])
        store.ingest([click(0)], Checkpoint(source="web", position="1"))
        store.close()

        def look() -> None:
            with store.snapshot():
                pass

        for use in (
            lambda: store.put([Delivery(id="2")]),
            lambda: store.put([]),
            lambda: list(store.deliveries()),
            lambda: list(store.messages(Query(recipient_id="r"))),
            lambda: list(store.links()),
            lambda: list(store.runs()),
            lambda: list(store.facts(Service)),
            lambda: store.ingest([]),
            lambda: store.ingest([click(1)], Checkpoint(source="web", position="2")),
            lambda: list(store.scan()),
            lambda: list(store.scan(Query(recipient_id="r"))),
            lambda: store.checkpoint("web"),
            store.counts,
            lambda: list(store.frozen()),
            lambda: list(store.audits()),
            store.slots,
            store.rebuild,
            look,
            lambda: list(store.export("r")),
            lambda: store.erase("r", now=NOON),
            lambda: store.purge(NOON, now=NOON),
        ):
            with pytest.raises(StoreClosed):
                use()

    def test_S19_closing_again_does_nothing(self, store: Store) -> None:
        """S19: ``close`` may be called again."""
        store.close()
        store.close()

    def test_S20_another_handle_sees_what_was_written(self, store_factory: StoreFactory) -> None:
        """S20, where ``concurrent_writers`` holds: as soon as a call has returned, in either direction."""
        with closing(store_factory()) as one:
            needs(one.capabilities, "concurrent_writers")
            with closing(store_factory()) as other:
                assert one.ingest([click(0)], Checkpoint(source="web", position="1")) == Ingested(added=1, known=0)
                assert other.checkpoint("web") == Checkpoint(source="web", position="1")
                assert other.ingest([click(0), click(1)]) == Ingested(added=1, known=1)
                other.put([Delivery(id="1")])
                assert list(one.scan()) == list(other.scan()) == [with_id(click(0)), with_id(click(1))]
                assert list(one.deliveries()) == [Delivery(id="1")]
                # Nor does the first one write over what it did not see coming.
                assert one.ingest([click(1), click(2)]) == Ingested(added=1, known=1)
                assert list(one.scan()) == list(other.scan()) == [with_id(click(number)) for number in range(3)]

    def test_S20_a_reader_is_not_held_up_by_a_writer(self, store_factory: StoreFactory) -> None:
        """S20, where ``concurrent_writers`` holds: while an ingest is under way, others read what was there before it."""
        with closing(store_factory()) as one:
            needs(one.capabilities, "concurrent_writers")
            one.ingest([click(0)])
            with closing(store_factory()) as other:
                seen: list[Event] = []

                def slow() -> Iterator[Event]:
                    yield from map(click, range(2500))
                    seen.extend(other.scan())
                    yield opened(0)

                one.ingest(slow())
                assert seen == [with_id(click(0))]
                assert len(list(other.scan())) == 2501

    def test_S22_writing_while_reading_is_allowed(self, store: Store) -> None:
        """S22: an iterator gives what was there at its first step, each once; what comes meanwhile it may give or not."""
        store.put(Delivery(id=str(number)) for number in range(10, 20))
        store.ingest(click(number, id=f"e{number:04}") for number in range(2500))
        seen = []
        for number, event in enumerate(store.scan()):
            seen.append(event.id)
            if number % 500 == 0:
                store.ingest([click(-number - 1, id=f"x{number}"), click(3000 + number, id=f"y{number}")])
                store.put([Delivery(id="10", label=str(number))])
            assert number < 3000
        assert [id_ for id_ in seen if id_.startswith("e")] == [f"e{number:04}" for number in range(2500)]
        assert len(seen) == len({*seen})
        assert len(list(store.scan(Query(until=NOON)))) == 5
        assert list(store.scan(Query(since=NOON + timedelta(minutes=5000)))) == [click(5000, id="y2000")]
