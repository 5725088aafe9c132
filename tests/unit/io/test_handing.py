"""Bytes are handed to the system as ``os.write`` does it, and no other thread comes in between."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.io import _handing

Write = Callable[[int, bytes], int]


@given(st.lists(st.binary(max_size=300)))
def test_it_writes_what_it_is_given_nulls_included(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("handing") / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        assert [_handing.write(fd, part) for part in parts] == [len(part) for part in parts]
    finally:
        os.close(fd)
    assert path.read_bytes() == b"".join(parts)


def test_trouble_is_told_as_python_tells_it(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_RDONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)) as caught:
            _handing.write(fd, b"x")
    finally:
        os.close(fd)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("failing", [ImportError, OSError, AttributeError])
def test_without_the_library_it_is_the_interpreters_own(
    failing: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise failing

    monkeypatch.setattr("ctypes.PyDLL", fail)
    assert _handing._write_of_the_library() is None
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    try:
        assert _handing._letting_go(fd, b"four", 4) == 4
    finally:
        os.close(fd)


@contextmanager
def _busy_thread() -> Iterator[list[int]]:
    """How often another thread had its turn, which it wants all the time."""
    turns, stop = [0], threading.Event()

    def run() -> None:
        while not stop.is_set():
            turns[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=run)
    interval = sys.getswitchinterval()
    # Nobody is made to give way while this lasts.
    sys.setswitchinterval(60)
    thread.start()
    try:
        yield turns
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()


def _others_come_in(write: Write, path: Path) -> bool:
    """Whether another thread has a turn within many writes."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        with _busy_thread() as turns:
            while not turns[0]:
                time.sleep(0.001)
            before = turns[0]
            return any(write(fd, b"a line\n") and turns[0] > before for _ in range(100_000))
    finally:
        os.close(fd)


@pytest.mark.skipif(not _handing.holds_on, reason="this interpreter or system has no other way to write")
def test_no_other_thread_has_its_turn_meanwhile(tmp_path: Path) -> None:
    assert _others_come_in(os.write, tmp_path / "giving way")
    # A thread of the tests' own may have asked for its turn before, and lets in whoever waits.
    assert not all(_others_come_in(_handing.write, tmp_path / f"holding on {number}") for number in range(3))
