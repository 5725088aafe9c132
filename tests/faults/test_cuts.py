"""Connections that break, and statements that fail, at every step of every call in turn: before it is done and after."""

from __future__ import annotations

import gc
import itertools
from datetime import timedelta

import pytest
import writer as program
from cuts import DuckErrors, Proxy, SqliteErrors

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Click
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Checkpoint, Query

pytestmark = [
    pytest.mark.faults,
    # SQLAlchemy cannot close the cursor of a connection that is gone.
    pytest.mark.filterwarnings("ignore:.*ServerCursor.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*ServerCursor.*:ResourceWarning"),
]

ENGINES = ("SQLite", "PostgreSQL", "MariaDB", "DuckDB")
MOST_STEPS = 400
AT = program.NOON


@pytest.fixture
def cuts(place):
    kinds = {"SQLite": SqliteErrors, "DuckDB": DuckErrors}
    made = kinds.get(place.engine, Proxy)(place.url)
    yield made
    made.close()
    gc.collect()


class Calls:
    """Calls that write, each with a check of what it left: all of it or nothing. ``number`` makes each call another one."""

    def __init__(self, store, seen):
        self.store, self.seen = store, seen

    def events(self, number, count):
        return [
            Click(
                occurred_at=AT + timedelta(seconds=n),
                delivery_id=f"{number}",
                message_id=str(n % 97),
                id=f"{number}-{n}",
            )
            for n in range(count)
        ]

    def ingest(self, number, count=40):
        self.store.ingest(iter(self.events(number, count)), Checkpoint(source="web", position=str(number)))

    def ingest_long(self, number):
        self.ingest(number, 5200)

    def after_ingest(self, number, count=40):
        mark = self.seen.checkpoint("web")
        of_call = Query(delivery_ids=f"{number}")
        there = sum(1 for _ in self.seen.scan(of_call))
        is_done = mark is not None and mark.position == str(number)
        assert there == (count if is_done else 0)
        assert program.is_settled(self.seen, of_call)
        return is_done

    def after_ingest_long(self, number):
        return self.after_ingest(number, 5200)

    def put(self, number, count=3):
        self.store.put(
            [
                Delivery(id="spring", label=str(number)),
                *(Message(delivery_id="spring", id=f"m{n}", domain=str(number)) for n in range(count)),
            ]
        )

    def put_long(self, number):
        self.put(number, 5200)

    def after_put(self, number, count=3):
        labels = {d.label for d in self.seen.deliveries(Query(delivery_ids="spring"))}
        some = Query(delivery_ids="spring", message_ids=("m0", f"m{count // 2}", f"m{count - 1}"))
        domains = {message.domain for message in self.seen.messages(some)}
        assert domains <= labels
        assert len(labels) == 1
        return labels == {str(number)}

    def after_put_long(self, number):
        return self.after_put(number, 5200)

    def revise(self, number):
        first, second = (f"keep-{n}" for n in range(2))
        self.store.revise(
            records=[Delivery(id="revised", label=str(number))],
            events=[Click(occurred_at=AT, delivery_id="revised", message_id=str(number), id=second)],
            remove_events=[first],
        )

    def before_revise(self, number):
        self.store.ingest([Click(occurred_at=AT, delivery_id="revised", id=f"keep-{n}") for n in range(2)])

    def after_revise(self, number):
        there = {event.id: event.message_id for event in self.seen.scan(Query(delivery_ids="revised"))}
        label = next((d.label for d in self.seen.deliveries(Query(delivery_ids="revised"))), None)
        is_done = label == str(number)
        assert ("keep-0" not in there) == is_done
        assert (there["keep-1"] == str(number)) == is_done
        return is_done

    def rebuild(self, number):
        self.store.rebuild()

    def after_rebuild(self, number):
        assert program.is_settled(self.seen)
        return False

    def before_erase(self, number):
        name, message_id = f"who-{number}", f"e-{number}"
        self.store.put(
            [Message(delivery_id="spring", id=message_id, recipient_id=name, address=f"{name}@corp.example")]
        )
        self.store.ingest(
            [Click(occurred_at=AT, delivery_id="spring", message_id=message_id, source_id=name, id=f"erased-{number}")]
        )
        self.counts = self.seen.counts()

    def erase(self, number):
        self.store.erase(f"who-{number}", now=AT)

    def after_erase(self, number):
        assert self.seen.counts().deliveries["spring"].slots == self.counts.deliveries["spring"].slots
        return False

    def complete_erase(self, number):
        assert self.seen.counts() == self.counts
        kept = [*self.seen.messages(), *self.seen.scan()]
        assert f"who-{number}'" not in repr(kept)

    def before_purge(self, number):
        name = f"old-{number}"
        self.store.put([Delivery(id=name), Message(delivery_id=name, id="1", event_at=AT - timedelta(days=900))])
        self.store.ingest(
            [
                Click(occurred_at=AT - timedelta(days=900), delivery_id=name, message_id="1", id=f"{name}-{n}")
                for n in "12"
            ]
        )
        self.counts = self.seen.counts(Query(delivery_ids=name)).deliveries[name]

    def purge(self, number):
        self.store.purge(AT - timedelta(days=800), now=AT)

    def after_purge(self, number):
        name = f"old-{number}"
        assert self.seen.counts(Query(delivery_ids=name)).deliveries[name].slots == self.counts.slots
        return False

    def complete_purge(self, number):
        name = f"old-{number}"
        assert list(self.seen.scan(Query(delivery_ids=name))) == []
        self.after_purge(number)
        # Or else each purge would have more to look at than the one before.
        self.seen.revise(remove=[Delivery(id=name), *self.seen.frozen(), *self.seen.audits()])
        self.seen.rebuild([name])


def break_every_step(calls, name, cuts):
    """Figures of a call that was broken at each of its steps, until it had no such step."""
    broken = survived = kept = 0
    numbers = itertools.count()
    nothing = lambda number: None  # noqa: E731
    call, before, after, complete = (
        getattr(calls, f"{when}{name}", nothing) for when in ("", "before_", "after_", "complete_")
    )
    for is_after in (False, True):
        for step in range(1, MOST_STEPS):
            number = next(numbers)
            before(number)
            cuts.arm(step, is_after=is_after)
            try:
                call(number)
            except StoreError:
                broken += 1
                is_done = after(number)
                kept += bool(is_done)
                assert cuts.was_cut
                cuts.disarm()
                call(number)
                is_there = True
            else:
                cuts.disarm()
                survived += cuts.was_cut
                is_there = cuts.was_cut
            assert after(number) is not False or name in ("rebuild", "erase", "purge")
            complete(number)
            if not is_there:
                break
        else:
            pytest.fail(f"{name} has more than {MOST_STEPS} steps")
    return {
        "steps broken": broken + survived,
        "errors of ours": broken,
        "done all the same": survived,
        "kept though": kept,
    }


WRITING = ("ingest", "ingest_long", "put", "put_long", "revise", "rebuild", "erase", "purge")


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_call_that_writes_is_broken(place, cuts, name, figures):
    with open_store(cuts.url) as store, open_store(place.url) as seen:
        cuts.attach(store)
        store.put(program.records())
        figures(
            "broken at every step", engine=place.engine, call=name, **break_every_step(Calls(store, seen), name, cuts)
        )


READING = {
    "scan": lambda store: list(store.scan()),
    "page": lambda store: list(store.scan(Query(recipient_id="r7", newest_first=True, limit=10))),
    "messages": lambda store: list(store.messages()),
    "counts": lambda store: store.counts(),
    "slots": lambda store: store.slots(),
    "checkpoint": lambda store: store.checkpoint(program.source_of(0)),
    "spans": lambda store: store.spans(),
    "events_by": lambda store: list(store.events_by(frozenset({"p1"}))),
    "export": lambda store: list(store.export("r7")),
}


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_call_that_reads_is_broken(place, cuts, figures):
    """What it gives is all or an error, never a part."""
    with open_store(cuts.url) as store:
        store.put(program.records())
        program.bring(store, 0, 3)
        cuts.attach(store)
        for name, call in READING.items():
            whole, broken, survived = call(store), 0, 0
            for is_after in (False, True):
                for step in range(1, MOST_STEPS):
                    cuts.arm(step, is_after=is_after)
                    try:
                        assert call(store) == whole
                    except StoreError:
                        broken += 1
                    else:
                        survived += cuts.was_cut
                        if not cuts.was_cut:
                            break
                    finally:
                        cuts.disarm()
                    assert call(store) == whole
            figures(
                "broken at every step",
                engine=place.engine,
                call=name,
                **{"steps broken": broken + survived, "errors of ours": broken, "done all the same": survived},
            )


@pytest.mark.parametrize("place", ["PostgreSQL", "MariaDB"], indirect=True)
def test_opening_is_broken(place, cuts, figures):
    """Each time with other tables, which are made, or gone on with, by whoever opens next."""
    broken = survived = 0
    for is_after in (False, True):
        for step in range(1, MOST_STEPS):
            prefix = f"t{int(is_after)}_{step}_"
            cuts.arm(step, is_after=is_after)
            try:
                open_store(cuts.url, prefix=prefix).close()
            except StoreError:
                broken += 1
            else:
                survived += cuts.was_cut
            finally:
                was_cut = cuts.was_cut
                cuts.disarm()
            with open_store(place.url, prefix=prefix) as store:
                program.bring(store, 0, 1)
                assert len(list(store.scan())) == program.SIZES[0]
            if not was_cut:
                break
    figures(
        "broken at every step",
        engine=place.engine,
        call="open_store",
        **{"steps broken": broken + survived, "errors of ours": broken, "done all the same": survived},
    )
