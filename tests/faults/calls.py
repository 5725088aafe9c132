"""Calls of a store, and what must hold when one is broken: used by tests of connections that break, and by programs that they start."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import writer as program

from msgtrack.errors import StoreError
from msgtrack.events import Click
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Checkpoint, Query

MOST_STEPS = 500
MANY_STEPS = 25
_ASKS = re.compile(r"\b(SELECT|DECLARE|FETCH|CLOSE|BEGIN|ROLLBACK)\b")
_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|COMMIT)\b")
LONG = 1_040
"""How many a long call brings: more than stores treat as few once their limits are lowered."""
MESSAGES = 10
"""How many messages each delivery has: every count reads them all, and calls differ by none."""
AT = program.NOON
SOME = 400
"""How many a call brings that is neither short nor long: PostgreSQL is sent so many straight into their table."""
WRITING = ("ingest", "ingest_some", "ingest_long", "put", "put_long", "revise", "rebuild", "erase", "purge")


class Calls:
    """Calls that write, each with a check of what it left. ``number`` makes each call another one.

    Where the store says ``atomic_ingest``, all of a call is there or nothing. Elsewhere the checkpoint is not ahead of its events, each
    class of records is there or not, what was to stay is there, and counts are those of what is there.
    """

    def __init__(self, store, seen):
        self.store, self.seen = store, seen
        self.is_atomic = store.capabilities.atomic_ingest

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

    def ingest_some(self, number):
        self.ingest(number, SOME)

    def after_ingest_some(self, number):
        return self.after_ingest(number, SOME)

    def ingest_long(self, number):
        self.ingest(number, LONG)

    def after_ingest(self, number, count=40):
        mark = self.seen.checkpoint("web")
        of_call = Query(delivery_ids=f"{number}")
        there = [event.id for event in self.seen.scan(of_call)]
        is_done = mark is not None and mark.position == str(number)
        assert len(there) == len({*there})
        assert len(there) == count if is_done else not there or (not self.is_atomic and len(there) <= count)
        assert program.is_settled(self.seen, of_call)
        return is_done

    def after_ingest_long(self, number):
        return self.after_ingest(number, LONG)

    def put(self, number, count=3):
        self.store.put(
            [
                Delivery(id="spring", label=str(number)),
                *(Message(delivery_id="spring", id=f"m{n}", domain=str(number)) for n in range(count)),
            ]
        )

    def put_long(self, number):
        self.put(number, LONG)

    def after_put(self, number, count=3):
        labels = {d.label for d in self.seen.deliveries(Query(delivery_ids="spring"))}
        some = Query(delivery_ids="spring", message_ids=("m0", f"m{count // 2}", f"m{count - 1}"))
        domains = {message.domain for message in self.seen.messages(some)}
        assert len(labels) == len(domains or {""}) == 1
        if self.is_atomic:
            assert domains <= labels
        return labels == domains == {str(number)}

    def after_put_long(self, number):
        return self.after_put(number, LONG)

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
        steps = [label == str(number), there["keep-1"] == str(number), "keep-0" not in there]
        assert len(there) == 2 - steps[2]
        if self.is_atomic:
            assert len({*steps}) == 1
        return all(steps)

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
        assert self.seen.slots()["spring"] == self.counts.deliveries["spring"].slots
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
        self.slots = self.seen.slots(Query(delivery_ids=name))
        assert sum(self.slots[name]["click"][""].values()) == 2

    def purge(self, number):
        self.store.purge(AT - timedelta(days=800), now=AT)

    def after_purge(self, number):
        name = f"old-{number}"
        assert self.seen.slots(Query(delivery_ids=name)) == self.slots
        return False

    def complete_purge(self, number):
        name = f"old-{number}"
        assert list(self.seen.scan(Query(delivery_ids=name))) == []
        self.after_purge(number)
        # Or else each purge would have more to look at than the one before.
        self.seen.revise(remove=[Delivery(id=name), *self.seen.frozen(), *self.seen.audits()])
        self.seen.rebuild([name])


def lower_limits(put):
    """Let stores treat a thousand rows as many; ``put`` is ``setattr``, or that of pytest, which takes it back."""
    from msgtrack.storage import _writing, sql

    put(sql, "EVENTS_AT_ONCE", 1_000)
    put(_writing, "_HELD_ROWS", 1_000)
    put(_writing, "_RECORDS_AT_ONCE", 200)
    program.lower_limit_of_postgres(put)


def lower_limits_of_clickhouse(put):
    """The same for a store that only a process of its own may load."""
    from msgtrack.storage import clickhouse

    put(clickhouse, "_LARGE", 1_000)


def steps_of(said, *, is_after):
    """The steps to break: each a number, and the text that is counted, or "" for any.

    All steps, and some more that are there another time. Of many, those that say something else: of what changes something the first and
    the last that say the same; of what only asks the first, and that not after it is done: calls that read are broken there.
    """
    if len(said) <= MANY_STEPS:
        return [(step, "") for step in range(1, 2 * len(said) + 10)]
    steps = []
    for text, times in Counter(said).items():
        changes = _CHANGES.search(text) or not _ASKS.search(text)
        if changes or not is_after:
            steps += [(time, text) for time in sorted({1, times if changes else 1})]
    return steps


def break_every_step(calls, name, cuts):
    """Figures of a call that was broken at each of its steps, until it had no such step; of one with many, at each that says something
    else.
    """
    broken = survived = kept = missed = 0
    numbers = itertools.count()
    nothing = lambda number: None  # noqa: E731
    call, before, after, complete = (
        getattr(calls, f"{when}{name}", nothing) for when in ("", "before_", "after_", "complete_")
    )
    # What is said depends on what a connection was asked before; when this is noted it is as old as each that is broken later.
    number = next(numbers)
    before(number)
    cuts.arm(1, is_after=False)
    with suppress(StoreError):
        call(number)
    cuts.disarm()
    call(number)
    complete(number)
    number = next(numbers)
    before(number)
    cuts.watch()
    call(number)
    said = cuts.watched()
    complete(number)
    for is_after in (False, True):
        for step, text in steps_of(said, is_after=is_after):
            number = next(numbers)
            before(number)
            cuts.arm(step, is_after=is_after, text=text)
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
            missed += not is_there and bool(_ASKS.search(text) or _CHANGES.search(text))
            if not is_there and not text:
                break
        else:
            assert text, f"{name} has more steps than it had"
    # Rows that are sent come in other pieces another time; statements come again, but for a few that are prepared earlier or later.
    assert missed <= max(2, (broken + survived) // 10)
    return {
        "steps": len(said),
        "steps broken": broken + survived,
        "errors of ours": broken,
        "done all the same": survived,
        "kept though": kept,
    }


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


def break_every_read(store, name, cuts):
    """Figures of a call that reads, broken at each of its steps: what it gives is all or an error, never a part."""
    call = READING[name]
    whole, broken, survived = call(store), 0, 0
    for is_after in (False, True):
        for step in range(1, MOST_STEPS):
            cuts.arm(step, is_after=is_after)
            try:
                assert call(store) == whole
            except StoreError:
                broken += 1
                assert cuts.was_cut
            else:
                survived += cuts.was_cut
                if not cuts.was_cut:
                    break
            finally:
                cuts.disarm()
            assert call(store) == whole
        else:
            raise AssertionError(f"{name} has more than {MOST_STEPS} steps")
    return {"steps broken": broken + survived, "errors of ours": broken, "done all the same": survived}
