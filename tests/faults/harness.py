"""What the tests of faults share: engines with a place each, writers in processes of their own, and what is checked after a fault."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import writer as program
from attrs import frozen

from msgtrack import open_store

ENGINES = ("SQLite", "PostgreSQL", "MariaDB", "DuckDB", "ClickHouse")
"""The engines that keep what they are given; that of ClickHouse is the embedded one."""
SERVERS = ("PostgreSQL", "MariaDB")
_PACKAGES = {"SQLite": "sqlalchemy", "DuckDB": "duckdb", "ClickHouse": "chdb"}
TIMEOUT_SECONDS = 120


class Writer:
    """A process that writes; what it says is read while it runs."""

    def __init__(self, name: str, *arguments: object) -> None:
        path = os.pathsep.join(part for part in sys.path if part)
        self.process = subprocess.Popen(
            [sys.executable, program.__file__, name, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )
        self.lines: list[list[str]] = []
        self._more = threading.Condition()
        self._is_over = False
        self._errors = ""
        self._readers = [threading.Thread(target=read) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.split(maxsplit=1))
                self._more.notify_all()
        with self._more:
            self._is_over = True
            self._more.notify_all()

    def _read_errors(self) -> None:
        self._errors = self.process.stderr.read()

    def said(self, word: str) -> list[str]:
        """The rest of the lines that began with a word."""
        return [line[1].rstrip() if len(line) > 1 else "" for line in self.lines if line[0] == word]

    def wait_for(self, word: str, times: int = 1) -> list[str]:
        """Wait until it has said a word that often."""
        with self._more:
            done = self._more.wait_for(lambda: len(self.said(word)) >= times or self._is_over, TIMEOUT_SECONDS)
        if len(self.said(word)) < times:
            self.kill()
            pytest.fail(f"the writer {'ended' if done else 'hangs'} without {word!r}: {self.lines[-3:]} {self._errors}")
        return self.said(word)

    def go(self, times: int = 1) -> None:
        """Let a writer that waits go on by some batches."""
        self.process.stdin.write("\n" * times)
        self.process.stdin.flush()

    def kill(self) -> None:
        """As ``kill -9`` does."""
        self.process.kill()
        self._end()

    def finish(self, seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait for its good end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the writer hangs: {self.lines[-3:]}")
        self._end()
        assert self.process.returncode == 0, self._errors

    def _end(self) -> None:
        for reader in self._readers:
            reader.join()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    @property
    def confirmed(self) -> int:
        """The last batch that it was told is kept; -1 for none."""
        return max((int(said.split()[0]) for said in self.said("kept")), default=-1)

    @property
    def looks(self) -> list[tuple[int, dict[str, Any]]]:
        """What it found when it looked, each with the last batch that was confirmed by then; on ClickHouse more may be kept later,
        when the engine has made room by merging.
        """
        confirmed, seen = -1, []
        for word, *rest in self.lines:
            if word == "kept":
                confirmed = int(rest[0].split()[0])
            elif word == "found":
                seen.append((confirmed, json.loads(rest[0])))
        return seen

    @property
    def given(self) -> int:
        """How many events it gave, those given again counted again."""
        return sum(int(said.split()[1]) for said in self.said("try"))

    @property
    def is_within(self) -> bool:
        """Whether a batch was begun, and nothing said of its end."""
        return bool(self.lines) and self.lines[-1][0] == "try"


@frozen(kw_only=True)
class Place:
    """Where a store of an engine can be."""

    engine: str
    url: str

    @property
    def is_atomic(self) -> bool:
        """Whether events and checkpoint move together."""
        return self.engine != "ClickHouse"

    def look(self, writers: int = 1) -> dict[str, Any]:
        """What is there. ClickHouse's engine is never loaded into a process of pytest."""
        if self.engine == "ClickHouse":
            looking = Writer("look", self.url, writers)
            looking.finish()
            return json.loads(looking.said("found")[0])
        with open_store(self.url) as store:
            return program.found_in(store, writers)


def check(place: Place, found: dict[str, Any], confirmed: int) -> None:
    """What holds after every fault: nothing confirmed is missing, no checkpoint is ahead, nothing is twice or half."""
    assert found["positions"][0] >= confirmed, found
    assert found["lost"] == 0, found
    assert found["kept"] == found["distinct"], found
    assert found["settled"] is not False, found
    if place.is_atomic:
        assert found["ahead"] == 0, found


def complete(place: Place, found: dict[str, Any]) -> dict[str, Any]:
    """Ingest on until everything that was ever begun is there, and look again."""
    batches = found["positions"][0] + 2
    going_on = Writer("write", place.url, batches)
    going_on.finish()
    after = place.look()
    check(place, after, batches - 1)
    assert after["ahead"] == 0
    assert after["distinct"] == after["checkpoint"] == program.first_of(batches)
    return after


@contextmanager
def place_of(
    engine: str, folder: Path, server: Callable[[str], Any], lacks: Callable[[str, str], Any]
) -> Iterator[Place]:
    """An empty place of an engine."""
    if engine in SERVERS:
        with server(engine).place() as url:
            yield Place(engine=engine, url=url)
        return
    if importlib.util.find_spec(_PACKAGES[engine]) is None:
        lacks(engine, f"the package {_PACKAGES[engine]!r} is not installed")
    urls = {"SQLite": "sqlite:///{}/store.db", "DuckDB": "duckdb:///{}/store.duckdb", "ClickHouse": "chdb:///{}/store"}
    yield Place(engine=engine, url=urls[engine].format(folder))
