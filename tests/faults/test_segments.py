"""Writers of segments that are killed, disks that become full, and folders that go away under them, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import segment_writer as program
from test_full_disks import small_disk

from msgtrack.hits import Rejected
from msgtrack.io import SegmentFolder, compress_segments

THREADS = 4
TIMEOUT_SECONDS = 60


class Writing:
    """The program, and what it said up to now."""

    def __init__(self, folder, first=0, limit=0):
        path = os.pathsep.join(part for part in sys.path if part)
        self.process = subprocess.Popen(
            [sys.executable, program.__file__, str(folder), str(first), str(THREADS), str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )
        self.said = {"answered": [], "lost": [], "health": [], "end": []}
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            with self._more:
                if line.endswith("\n"):
                    self.said[word].append(rest if word in ("health", "end") else int(rest))
                self._more.notify_all()

    def wait_for(self, word, more):
        """Wait until it has said a word so many times more."""
        self.wait_until(word, self.count(word) + more)

    def count(self, word):
        """How often it has said a word."""
        return len(self.said[word])

    def wait_until(self, word, times):
        """Wait until it has said a word so many times in all."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.said[word]) >= times, TIMEOUT_SECONDS), self.said["end"]

    def health(self):
        # It may have answered before anybody waits.
        wanted = len(self.said["health"]) + 1
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.wait_until("health", wanted)
        return self.said["health"][-1]

    def kill(self):
        self.process.kill()
        self._end()

    def finish(self):
        """Its last words: written, lost, removed and the trouble of the moment."""
        self._end()
        assert self.process.returncode == 0
        written, lost, removed, error = self.said["end"][0].split(" ", 3)
        return int(written), int(lost), int(removed), error

    def _end(self):
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(TIMEOUT_SECONDS)
        self._reader.join()
        self.process.stdout.close()


def read(folder, position=None):
    """The numbers of the hits behind a position, the rejected lines, and the position behind them."""
    numbers, rejected = [], []
    for batch in SegmentFolder(folder, batch_lines=97).read(position):
        for record in batch.records:
            if isinstance(record, Rejected):
                rejected.append(record)
            else:
                numbers.append(int(record.url.removeprefix("/a/")))
        position = batch.position
    return numbers, rejected, position


@pytest.mark.faults
def test_writers_killed_ten_times_lose_nothing_that_was_answered(tmp_path, figures):
    folder = tmp_path / "hits"
    answered, collected, torn, position = [], [], [], None
    for life in range(10):
        writing = Writing(folder, life * 10_000_000)
        writing.wait_for("answered", 200 + 150 * life)
        writing.kill()
        answered += writing.said["answered"]
        assert not writing.said["lost"]
        if life % 3 == 2:
            numbers, rejected, position = read(folder, position)
            collected += numbers
            torn += rejected
    compress_segments(folder)
    numbers, rejected, position = read(folder, position)
    collected += numbers
    torn += rejected
    # A writer may have died before its segment had a first line.
    assert not [path for path in folder.glob("*.hits.jsonl") if b"\n" in path.read_bytes()]
    assert set(answered) <= set(collected)
    assert len(collected) == len(set(collected))
    # Beyond those, what was written and not said any more.
    assert len(collected) <= len(answered) + 10 * THREADS
    assert len(torn) <= 10
    assert {line.reason for line in torn} <= {"torn-line"}
    assert read(folder, position) == ([], [], position)
    figures("kills of a writer of segments", kills=10, answered=len(answered), collected=len(collected))


@pytest.mark.faults
def test_a_full_disk_is_counted_exactly_and_left_behind(tmp_path, figures):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "200k") as disk:
        writing = Writing(folder / "hits")
        writing.wait_for("lost", 500)
        lost, _, error = writing.health().split(" ", 2)
        assert int(lost) > 0
        assert error == "No space left on device"
        disk.grow()
        writing.wait_for("answered", 500)
        assert writing.health().split(" ", 2)[2] == ""
        written, lost, removed, error = writing.finish()
        assert (removed, error) == (0, "")
        numbers, rejected, _ = read(folder / "hits")
        assert not rejected
        assert sorted(numbers) == sorted(writing.said["answered"])
        assert len(numbers) == written
        assert len(writing.said["lost"]) == lost
        figures("a full disk under segments", written=written, lost=lost)


@pytest.mark.faults
def test_a_disk_that_segments_filled_has_room_when_they_are_removed(tmp_path, figures):
    """As by somebody who helps with ``rm``: the system keeps the room of an open file until its writer lets go of it."""
    folder, rounds = tmp_path / "disk", 10
    folder.mkdir()
    with small_disk(folder, "16k"):
        writing = Writing(folder / "hits")
        for again in range(rounds):
            writing.wait_for("lost", 100)
            answered = writing.count("answered")
            for path in (folder / "hits").iterdir():
                path.unlink(missing_ok=True)
            if again % 2:
                writing.health()
            # Not so many more from now on: the disk may be full again by now.
            writing.wait_until("answered", answered + 20)
        written, lost, removed, _ = writing.finish()
        numbers, rejected, _ = read(folder / "hits")
        assert not rejected
        assert len(numbers) == len(set(numbers))
        assert set(numbers) <= set(writing.said["answered"])
        # Closed ones are nobody's to count, and the first removal of each round may find some.
        assert len(numbers) <= written - removed
        figures("segments removed from a full disk", rounds=rounds, written=written, lost=lost, removed=removed)


def test_files_that_may_not_grow_lose_nothing(tmp_path):
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    writing = Writing(tmp_path, limit=5_000)
    writing.wait_for("answered", 300)
    written, lost, _, error = writing.finish()
    assert (lost, error) == (0, "")
    numbers, rejected, _ = read(tmp_path)
    assert not rejected
    assert sorted(numbers) == sorted(writing.said["answered"])
    assert len(numbers) == written
    assert len(list(tmp_path.iterdir())) > 5


def test_files_too_short_for_a_hit_lose_all_of_them_and_count(tmp_path):
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    writing = Writing(tmp_path, limit=100)
    writing.wait_for("lost", 50)
    written, lost, _, error = writing.finish()
    assert (written, lost) == (0, len(writing.said["lost"]))
    assert error == "File too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.faults
def test_folders_removed_under_way_take_nothing_else_with_them(tmp_path, figures):
    """What stood in the folder is gone; what is answered later is there."""
    folder = tmp_path / "hits"
    writing = Writing(folder)
    for _ in range(5):
        writing.wait_for("answered", 300)
        shutil.rmtree(folder, ignore_errors=True)
        after = writing.said["answered"][-1]
    # Some were under way in other threads when the folder went.
    writing.wait_for("answered", 300)
    _, lost, removed, _ = writing.finish()
    assert lost == 0
    assert removed > 0
    numbers, rejected, _ = read(folder)
    assert not rejected
    later = {number for number in writing.said["answered"] if number > after + 1_000}
    assert later <= set(numbers)
    figures("folders of segments removed", times=5, removed=removed, answered=len(writing.said["answered"]))


@pytest.mark.faults
def test_two_writers_with_a_packer_each_share_a_folder(tmp_path):
    folder = tmp_path / "hits"
    both = [Writing(folder, first) for first in (0, 10_000_000)]
    for writing in both:
        writing.wait_for("answered", 1)
    position, collected = None, []
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        numbers, rejected, position = read(folder, position)
        assert not rejected
        collected += numbers
    for writing in both:
        writing.finish()
    numbers, _, position = read(folder, position)
    collected += numbers
    assert sorted(collected) == sorted(number for writing in both for number in writing.said["answered"])
    assert list(folder.glob("*.gz"))
