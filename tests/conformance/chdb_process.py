"""Stores of ClickHouse's embedded engine, in a process of their own, for tests that run in another.

The engine has one folder in a process, hangs in a forked child and keeps hundreds of megabytes, so no process of pytest may load
it. ``Engine`` starts this very file as a program; what it opens there is used through it, call by call: iterables go over as they
are drawn, errors and values come back as they are. Drawing may call into the other process again while it waits for values.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from attrs import frozen

from msgtrack import open_store
from msgtrack.protocols import Capabilities
from msgtrack.storage import BaseStore

AT_ONCE = 500
"""Values that go over together."""


@frozen
class Drawn:
    """Stands for an iterable that stays on the other side."""

    number: int


@frozen
class Thing:
    """Stands for a store or an iterator that stays on the other side."""

    number: int
    is_store: bool


class OtherSideError(Exception):
    """An iterable of the other side raised the error of this number."""


class Engine:
    """The other process, seen from here."""

    def __init__(self, **environment: str) -> None:
        memory = Path("/dev/shm")
        self.folder = Path(
            tempfile.mkdtemp(prefix="msgtrack-chdb-", dir=memory if os.access(memory, os.W_OK) else None)
        )
        self._here, there = Pipe()
        self._iterators: dict[int, Iterator[Any]] = {}
        self._errors: dict[int, BaseException] = {}
        self._numbers = itertools.count()
        path = os.pathsep.join([part for part in sys.path if part])
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(there.fileno())],
            pass_fds=[there.fileno()],
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
        there.close()

    def open(self, url: str, **options: Any) -> RemoteStore:
        """What ``open_store`` gives over there."""
        return self.call(None, "open_store", (url,), options)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement for the engine itself, in the folder of the tests; needs an open store there."""
        return self.call(None, "run", (str(self.folder), statement), {})

    def call(self, number: int | None, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Call a method of a thing over there, or a function of this file."""
        options = {key: self._sent(value) for key, value in options.items()}
        self._here.send((number, name, tuple(map(self._sent, args)), options))
        while True:
            said, value = self._here.recv()
            if said == "draw":
                self._here.send(self._draw(value))
            elif said == "raised":
                raise self._errors.pop(value)
            elif said == "failed":
                raise value
            else:
                if not isinstance(value, Thing):
                    return value
                return RemoteStore(self, value) if value.is_store else RemoteIterator(self, value)

    def stop(self) -> None:
        """Let the other process go, and its folder."""
        with suppress(OSError):
            self._here.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sent(self, value: Any) -> Any:
        if not hasattr(value, "__next__"):
            return value
        number = next(self._numbers)
        self._iterators[number] = value
        return Drawn(number)

    def _draw(self, number: int) -> tuple[list[Any], int | None, bool]:
        values: list[Any] = []
        try:
            values.extend(itertools.islice(self._iterators[number], AT_ONCE))
        except BaseException as error:  # noqa: BLE001  # raised again once the other side has given up
            self._errors[number] = error
            return values, number, True
        if len(values) < AT_ONCE:
            del self._iterators[number]
        return values, None, len(values) < AT_ONCE


class RemoteIterator:
    """An iterator over there."""

    def __init__(self, engine: Engine, thing: Thing) -> None:
        self._engine, self._thing = engine, thing
        self._values: Iterator[Any] = iter(())

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        for value in self._values:
            return value
        self._values = iter(self._engine.call(self._thing.number, "some", (), {}))
        return next(self._values)


def _forwarded(name: str) -> Any:
    def method(self: RemoteStore, *args: Any, **options: Any) -> Any:
        return self.engine.call(self.thing.number, name, args, options)

    return method


class RemoteStore(BaseStore):
    """A store over there: what an adapter writes is asked of it, what ``BaseStore`` makes of that is made here."""

    def __init__(self, engine: Engine, thing: Thing) -> None:
        self.engine, self.thing = engine, thing

    @property
    def capabilities(self) -> Capabilities:
        return self.engine.call(self.thing.number, "capabilities", (), {})

    def close(self) -> None:
        super().close()
        self.engine.call(self.thing.number, "close", (), {})

    put = _forwarded("put")
    find = _forwarded("find")
    ingest = _forwarded("ingest")
    scan = _forwarded("scan")
    checkpoint = _forwarded("checkpoint")
    revise = _forwarded("revise")
    rebuild = _forwarded("rebuild")
    live_counts = _forwarded("live_counts")
    live_slots = _forwarded("live_slots")
    spans = _forwarded("spans")
    events_by = _forwarded("events_by")
    frozen_deliveries = _forwarded("frozen_deliveries")
    frozen_for = _forwarded("frozen_for")
    deliveries_of_messages = _forwarded("deliveries_of_messages")
    deliveries_of_facts = _forwarded("deliveries_of_facts")
    all_facts = _forwarded("all_facts")
    find_having = _forwarded("find_having")
    compact = _forwarded("compact")


class Server:
    """The other process, seen from inside."""

    def __init__(self, there: Connection) -> None:
        self.there = there
        self.things: dict[int, Any] = {}

    def serve(self) -> None:
        """Answer until nobody asks any more."""
        while True:
            try:
                self.answer(self.there.recv())
            except EOFError:
                return

    def answer(self, asked: tuple[int | None, str, tuple[Any, ...], dict[str, Any]]) -> None:
        """Answer one call."""
        number, name, args, options = asked
        try:
            args = tuple(map(self.received, args))
            options = {key: self.received(value) for key, value in options.items()}
            value = self.value_of(number, name, args, options)
        except OtherSideError as error:
            self.there.send(("raised", error.args[0]))
        except Exception as error:  # noqa: BLE001  # raised again on the other side
            self.there.send(("failed", carried(error)))
        else:
            self.there.send(("done", value))

    def value_of(self, number: int | None, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if number is None:
            return self.kept({"open_store": open_store, "run": run}[name](*args, **options))
        thing = self.things[number]
        if name == "some":
            return list(itertools.islice(thing, AT_ONCE))
        value = getattr(thing, name)
        return self.kept(value(*args, **options) if callable(value) else value)

    def kept(self, value: Any) -> Any:
        if not isinstance(value, BaseStore) and not hasattr(value, "__next__"):
            return value
        number = len(self.things)
        self.things[number] = value
        return Thing(number, isinstance(value, BaseStore))

    def received(self, value: Any) -> Any:
        return self.drawn(value.number) if isinstance(value, Drawn) else value

    def drawn(self, number: int) -> Iterator[Any]:
        while True:
            self.there.send(("draw", number))
            while len(told := self.there.recv()) != 3:
                # Drawing over there made a call here.
                self.answer(told)
            values, error, over = told
            yield from values
            if error is not None:
                raise OtherSideError(error)
            if over:
                return


def carried(error: Exception) -> Exception:
    """The error, or what can be sent of it."""
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  # whatever pickling says of it
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def run(folder: str, statement: str) -> list[tuple[Any, ...]]:
    import clickhouse_connect

    with clickhouse_connect.get_client(interface="chdb", path=folder) as client:
        if statement.startswith("SELECT"):
            return [tuple(row) for row in client.query(statement).result_rows]
        client.command(statement)
        return []


@cache
def engine() -> Engine:
    """One engine for all tests of this process, begun by the first that needs it."""
    started = Engine()
    atexit.register(started.stop)
    return started


if __name__ == "__main__":
    # Classes go over by the name of their module, which is not that of a program.
    import chdb_process

    chdb_process.Server(Connection(int(sys.argv[1]))).serve()
