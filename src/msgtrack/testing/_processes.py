"""Clause S39: several processes write to one place."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import BrokenBarrierError
from typing import Any, Protocol

import pytest

from msgtrack.events import Click
from msgtrack.model import Message
from msgtrack.protocols import Checkpoint, Query
from msgtrack.testing._cases import StoreFactory, click, needs
from msgtrack.testing._sizes import counted_by_folding

__all__ = ["ProcessClauses"]

_SECONDS = 120
"""So long a process may take, to open the store and to write to it."""

_NUMBERS = range(1000)
_SHARED = range(200, 800)
_PARTS = {
    # Both begin with what both bring, cut otherwise, so that they bring the same at the same time.
    "one": (85, [*_SHARED, *range(_SHARED.start)]),
    "other": (65, [*_SHARED, *range(_SHARED.stop, _NUMBERS.stop)]),
}


class ProcessClauses:
    """What holds where two processes write at once."""

    def test_S39_what_two_processes_bring_is_kept_once(self, store_factory: StoreFactory) -> None:
        """S39, where ``several_processes`` and ``concurrent_writers`` hold: all of it, and counts are those of the fold."""
        with closing(store_factory()) as store:
            needs(store.capabilities, "several_processes")
            needs(store.capabilities, "concurrent_writers")
            told = _bring_at_once(_carried(store_factory))
            assert sorted(event.id for event in store.scan()) == sorted(_event(number).id for number in _NUMBERS)
            added = sum(added for added, _ in told.values())
            assert sum(map(sum, told.values())) == sum(len(numbers) for _, numbers in _PARTS.values())
            # Who brings one id at the same moment as another may call it new, where nothing is written in one step.
            assert added == len(_NUMBERS) if store.capabilities.atomic_ingest else added >= len(_NUMBERS)
            assert {(int(message.id), message.variant) for message in store.messages()} == {(n, "v") for n in _NUMBERS}
            assert store.counts() == counted_by_folding(store, Query())
            assert store.slots() == {name: of.slots for name, of in store.counts().deliveries.items() if of.slots}
            assert {name: store.checkpoint(name) for name in _PARTS} == {
                name: Checkpoint(source=name, position=str(len(numbers))) for name, (_, numbers) in _PARTS.items()
            }


class _Barrier(Protocol):
    def wait(self, timeout: float) -> Any: ...

    def abort(self) -> None: ...


def _event(number: int) -> Click:
    return click(
        number % 7 + number / 10_000,
        id=None if number % 2 else f"e{number}",
        delivery_id=str(number % 3),
        message_id=str(number % 500),
        link_id=str(number % 5),
        source_id=f"b{number % 40}",
        verdict=("human", "machine")[number % 4 == 0],
    )


def _carried(opener: StoreFactory) -> bytes:
    """What another process opens the place with."""
    try:
        return pickle.dumps(opener)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        pytest.skip(
            "what store_factory gives cannot be sent to another process; a function of a module can, "
            f"or functools.partial of one: {error}"
        )


def _bring_at_once(opener: bytes) -> dict[str, tuple[int, int]]:
    """What each of the two processes said: how many events were added, and how many were known."""
    context = get_context("spawn")
    start = context.Barrier(len(_PARTS))
    processes, ends = {}, {}
    for name in _PARTS:
        ends[name], there = context.Pipe(duplex=False)
        processes[name] = context.Process(target=_bring, args=(opener, name, start, there), daemon=True)
        processes[name].start()
        # Open in one process alone, so that its end is noticed.
        there.close()
    try:
        said = {name: _said(end) for name, end in ends.items()}
        for process in processes.values():
            process.join(_SECONDS)
    finally:
        for name, process in processes.items():
            process.kill()
            process.join()
            ends[name].close()
    assert not any(isinstance(value, str) for value in said.values()), said
    assert {process.exitcode for process in processes.values()} == {0}
    return {name: value for name, value in said.items() if not isinstance(value, str)}


def _said(end: Connection) -> tuple[int, int] | str:
    try:
        return end.recv() if end.poll(_SECONDS) else f"nothing in {_SECONDS} seconds"
    except EOFError:
        return "ended before it said anything"


def _bring(opener: bytes, name: str, start: _Barrier, there: Connection) -> None:
    """What one of the processes does."""
    size, numbers = _PARTS[name]
    done: Counter[str] = Counter()
    try:
        with closing(pickle.loads(opener)()) as store:  # noqa: S301  # of the process that started this one
            start.wait(_SECONDS)
            for first in range(0, len(numbers), size):
                part = numbers[first : first + size]
                store.put(Message(delivery_id=str(n % 3), id=str(n), variant="v", recipient_id=f"r{n}") for n in part)
                position = Checkpoint(source=name, position=str(first + len(part)))
                told = store.ingest(map(_event, part), position)
                done.update(added=told.added, known=told.known)
    except BrokenBarrierError:
        there.send("the other process did not come so far as to open the store")
    except Exception as error:  # noqa: BLE001  # told where it is asserted
        start.abort()
        there.send(f"{type(error).__name__}: {error}")
    else:
        there.send((done["added"], done["known"]))
