"""Writing segments when the disk, the folder, the clock or the process does what it should not."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import (
    AccessLogFile,
    ManifestRegistry,
    RejectWriter,
    SegmentFolder,
    SegmentHealth,
    SegmentWriter,
    _segment_files,
    compress_segments,
)

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
POSIX = pytest.mark.skipif(os.name != "posix", reason="open files cannot be removed or moved on this system")


def hit(number: int = 0, **fields: object) -> Hit:
    return Hit(method="GET", url=f"/a/{number}", received_at=AT, **fields)  # type: ignore[arg-type]


def read(folder: Path) -> list[Hit | Rejected]:
    return [record for batch in SegmentFolder(folder).read(None) for record in batch.records]  # type: ignore[misc]


def numbers(folder: Path) -> list[int]:
    """The numbers of the hits that are there, in order; every line is one."""
    records = read(folder)
    assert not [record for record in records if isinstance(record, Rejected)]
    return sorted(int(record.url.removeprefix("/a/")) for record in records if isinstance(record, Hit))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.hits.jsonl"))


class Clock:
    """Seconds as a test wants them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Disk:
    """A disk with so many bytes left; what does not fit is written in part, as systems do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 40
        self.error = errno.ENOSPC
        self._write, self._truncate, self._close = os.write, os.ftruncate, os.close
        monkeypatch.setattr(os, "write", self._written)
        monkeypatch.setattr(os, "close", self._closed)
        monkeypatch.setattr(_segment_files, "write", self._written)
        monkeypatch.setattr(os, "ftruncate", self._truncated)

    def _written(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        done = self._write(fd, data[: self.room])
        self.room -= done
        return done

    def _truncated(self, fd: int, size: int) -> None:
        self.room += max(0, os.fstat(fd).st_size - size)
        self._truncate(fd, size)

    def _closed(self, fd: int) -> None:
        state = os.fstat(fd)
        if not state.st_nlink:
            self.room += state.st_size
        self._close(fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# A full disk -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_loses_counts_alarms_and_goes_on_where_it_was(tmp_path: Path, disk: Disk) -> None:
    with SegmentWriter(tmp_path) as writer:
        assert writer.write(hit(0))
        disk.room = 50
        assert not any(writer.write(hit(number)) for number in range(1, 6))
        health = writer.health()
        assert (health.written, health.lost, health.error) == (1, 5, os.strerror(errno.ENOSPC))
        disk.room = 1 << 20
        assert writer.write(hit(6))
        health = writer.health()
        assert (health.written, health.lost, health.error) == (2, 5, "")
    assert numbers(tmp_path) == [0, 6]
    assert len(segments(tmp_path)) == 1


@settings(max_examples=40)
@given(rooms=st.lists(st.integers(0, 400), max_size=12), max_bytes=st.sampled_from([100, 300, 1 << 20]))
def test_what_is_answered_is_what_is_there_however_the_disk_fills(
    tmp_path_factory: pytest.TempPathFactory, rooms: list[int], max_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("hits")
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        kept, given_up = [], 0
        with SegmentWriter(folder, max_bytes=max_bytes) as writer:
            for number, room in enumerate(rooms):
                disk.room = room
                for again in range(3):
                    if writer.write(hit(10 * number + again)):
                        kept.append(10 * number + again)
                    else:
                        given_up += 1
            assert (writer.written, writer.lost) == (len(kept), given_up)
    assert numbers(folder) == kept


def test_half_a_line_that_cannot_be_taken_back_spoils_no_later_one(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with SegmentWriter(tmp_path) as writer:
        assert writer.write(hit(0))
        monkeypatch.setattr(os, "ftruncate", refused)
        disk.room = 20
        assert not writer.write(hit(1))
        disk.room = 1 << 20
        assert writer.write(hit(2))
    assert numbers(tmp_path) == [0, 2]
    assert len(segments(tmp_path)) == 2


@pytest.mark.parametrize("error", [errno.EIO, errno.EFBIG])
def test_a_file_that_takes_no_more_is_followed_by_another(tmp_path: Path, disk: Disk, error: int) -> None:
    first: list[int] = []
    bare = disk._write

    def ailing(fd: int, data: bytes) -> int:
        first.append(fd)
        if fd == first[0] and len(first) > 2:
            raise OSError(error, os.strerror(error))
        return bare(fd, data)

    disk._write = ailing  # type: ignore[method-assign]
    with SegmentWriter(tmp_path) as writer:
        assert all(writer.write(hit(number)) for number in range(4))
    assert numbers(tmp_path) == [0, 1, 2, 3]
    assert len(segments(tmp_path)) == 2


def test_a_disk_that_takes_no_hit_at_all_makes_no_heap_of_segments(tmp_path: Path, disk: Disk) -> None:
    with SegmentWriter(tmp_path) as writer:
        disk.room, disk.error = 0, errno.EIO
        assert not any(writer.write(hit(number)) for number in range(20))
        assert len(segments(tmp_path)) == 1
    assert writer.lost == 20
    assert segments(tmp_path) == []


def test_a_disk_that_takes_first_lines_only_makes_no_heap_of_segments(tmp_path: Path, disk: Disk) -> None:
    bare = disk._write

    def ailing(fd: int, data: bytes) -> int:
        if b"segment" not in data:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bare(fd, data)

    disk._write = ailing  # type: ignore[method-assign]
    with SegmentWriter(tmp_path) as writer:
        assert not any(writer.write(hit(number)) for number in range(20))
        assert len(segments(tmp_path)) == 1
    assert segments(tmp_path) == []


def test_a_hit_that_no_reader_would_take_is_lost(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        assert not writer.write(hit(1, user_agent="x" * (1 << 20)))
        assert "too long" in writer.health().error
        assert writer.write(hit(2))
    assert (writer.lost, numbers(tmp_path)) == (1, [2])


@POSIX
@pytest.mark.parametrize("check_hits", [1, 4, 6])
@pytest.mark.parametrize("looks", [False, True])
def test_a_full_disk_has_room_when_the_segment_that_filled_it_is_removed(
    tmp_path: Path, disk: Disk, check_hits: int, looks: bool
) -> None:
    with SegmentWriter(tmp_path, sync_seconds=600, check_hits=check_hits) as writer:
        disk.room = 2_000
        kept = 0
        while writer.write(hit(kept)):
            kept += 1
        segments(tmp_path)[0].unlink()
        # What nobody had looked at goes to the next one.
        again = kept % check_hits
        if looks:
            health = writer.health()
            assert (health.written, health.removed, health.lost) == (kept, kept - again, 1)
            assert len(segments(tmp_path)) == 1
        assert writer.write(hit(1_000))
        health = writer.health()
        assert (health.written, health.removed, health.lost, health.error) == (kept + 1, kept - again, 1, "")
    assert numbers(tmp_path) == [*range(kept - again, kept), 1_000]


@POSIX
def test_a_segment_is_removed_from_a_full_disk_while_it_is_synced(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor is the thread's until then, and so is its room."""
    begun, go = threading.Event(), threading.Event()

    def slow(fd: int) -> None:
        if not begun.is_set():
            place = os.fstat(fd).st_ino
            begun.set()
            assert go.wait(30)
            assert os.fstat(fd).st_ino == place

    monkeypatch.setattr(os, "fdatasync", slow, raising=False)
    with SegmentWriter(tmp_path, sync_seconds=0.001, check_hits=100) as writer:
        disk.room = 1_000
        assert writer.write(hit(0))
        assert begun.wait(30)
        kept = 1
        while writer.write(hit(kept)):
            kept += 1
        segments(tmp_path)[0].unlink()
        assert not any(writer.write(hit(number)) for number in range(100, 110))
        health = writer.health()
        # Lines that nobody had looked at had no place to go to.
        assert (health.written, health.removed, health.lost) == (0, 0, kept + 11)
        go.set()
        wait_until(lambda: writer.write(hit(200)))
    health = writer.health()
    assert (health.written, health.removed, health.in_doubt) == (1, 0, 0)
    assert numbers(tmp_path) == [200]


@POSIX
@settings(max_examples=60)
@given(
    steps=st.lists(st.sampled_from(["write", "write", "write", "fill", "remove", "move", "look", "age"]), max_size=25),
    room=st.integers(60, 1_500),
    options=st.fixed_dictionaries(
        {
            "sync_seconds": st.sampled_from([0, 600]),
            "check_hits": st.sampled_from([1, 3, 100]),
            "max_bytes": st.sampled_from([300, 1 << 20]),
        }
    ),
)
def test_counts_are_exact_whatever_is_taken_from_a_full_disk(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], room: int, options: dict[str, float]
) -> None:
    folder, away, clock = tmp_path_factory.mktemp("hits"), tmp_path_factory.mktemp("away"), Clock()
    with pytest.MonkeyPatch.context() as patch:
        disk, tried = Disk(patch), 0
        with SegmentWriter(folder, max_age_seconds=100, clock=clock, **options) as writer:  # type: ignore[arg-type]
            disk.room = room
            for step in [*steps, "look"]:
                if step == "write":
                    writer.write(hit(tried))
                    tried += 1
                elif step == "fill":
                    while tried < 200 and writer.write(hit(tried)):
                        tried += 1
                elif step == "look":
                    writer.health()
                elif step == "age":
                    clock.now += 100
                elif found := segments(folder):
                    path = found[tried % len(found)]
                    # The closed ones would have to be counted by whoever removes them.
                    if writer._segment is not None and path == writer._segment.path:
                        path.unlink() if step == "remove" else path.rename(away / path.name)
            assert writer.written + writer.lost >= tried
    found = numbers(folder) + numbers(away)
    health = writer.health()
    assert len(found) == len(set(found)) == health.written - health.removed


# A disk that is not well when a writer begins ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG], ids=os.strerror)
def test_a_writer_begins_on_a_disk_that_is_not_well_and_writes_when_it_is(
    tmp_path: Path, disk: Disk, error: int
) -> None:
    disk.room, disk.error = 0, error
    with SegmentWriter(tmp_path / "hits", compress=True) as writer:
        assert writer.health().alarm == os.strerror(error)
        assert not any(writer.write(hit(number)) for number in range(5))
        assert segments(tmp_path / "hits") == []
        assert writer.health().alarm == f"5 answered hits lost; {os.strerror(error)}"
        disk.room = 1 << 20
        assert writer.write(hit(5))
        assert writer.health().alarm == "5 answered hits lost"
        assert (writer.written, writer.lost) == (1, 5)
    assert numbers(tmp_path / "hits") == [5]


def test_an_alarm_of_the_start_goes_when_somebody_looks_and_the_disk_is_well(tmp_path: Path, disk: Disk) -> None:
    disk.room = 0
    with SegmentWriter(tmp_path) as writer:
        assert writer.health().alarm
        disk.room = 1 << 20
        assert writer.health().alarm == ""
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_never_found_its_disk_well_ends_in_peace(tmp_path: Path, disk: Disk) -> None:
    disk.room = 0
    with SegmentWriter(tmp_path / "hits") as writer:
        assert not writer.write(hit())
    assert (writer.health().written, writer.health().lost) == (0, 1)
    assert list((tmp_path / "hits").iterdir()) == []


def test_a_folder_that_no_disk_has_room_for_is_made_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deep" / "hits"
    made = os.mkdir

    def full(path: Path, mode: int = 0o777) -> None:
        if Path(path).name == "hits":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        made(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", full)
        writer = SegmentWriter(folder)
        assert not writer.write(hit(0))
        # Nor is half a way left.
        assert list(tmp_path.iterdir()) == []
    with writer:
        assert writer.write(hit(1))
    assert (writer.lost, numbers(folder)) == (1, [1])


@POSIX
@pytest.mark.parametrize("path", ["file", "file/hits", "nowhere/" + "x" * 300, "round"])
def test_what_no_disk_is_to_blame_for_is_an_error_at_the_start(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(SourceError, match="cannot write segments in"):
        SegmentWriter(tmp_path / path)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM])
def test_a_folder_that_is_not_ours_is_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refused(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(SourceError, match=os.strerror(error)):
        SegmentWriter(tmp_path)


def test_a_file_that_ails_before_its_first_hit_is_followed_by_another(tmp_path: Path, disk: Disk) -> None:
    """As one on a disk that went away and came back: the open file never heals."""
    first: list[int] = []
    bare = disk._write

    def ailing(fd: int, data: bytes) -> int:
        first.append(os.fstat(fd).st_ino)
        if len(first) > 1 and first[-1] == first[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bare(fd, data)

    disk._write = ailing  # type: ignore[method-assign]
    with SegmentWriter(tmp_path) as writer:
        assert all(writer.write(hit(number)) for number in range(3))
        assert len(segments(tmp_path)) == 1
    assert (writer.lost, numbers(tmp_path)) == (0, [0, 1, 2])


# Syncing ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How large files were when they were synced."""
    sizes: list[int] = []

    def sync(fd: int) -> None:
        sizes.append(os.fstat(fd).st_size)

    monkeypatch.setattr(os, "fdatasync", sync, raising=False)
    return sizes


def test_without_an_interval_every_hit_is_synced_before_its_answer(tmp_path: Path, synced: list[int]) -> None:
    with SegmentWriter(tmp_path, sync_seconds=0) as writer:
        for number in range(5):
            writer.write(hit(number))
            assert synced[-1] == segments(tmp_path)[0].stat().st_size
        assert writer.health().unsynced == 0
        assert len(synced) == 5


def test_so_many_hits_are_synced_before_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: done.set(), raising=False)
    with SegmentWriter(tmp_path, sync_seconds=3_000, sync_hits=10) as writer:
        for number in range(9):
            writer.write(hit(number))
        assert not done.wait(0.1)
        assert writer.health().unsynced == 9
        writer.write(hit(9))
        assert done.wait(10)


def test_what_comes_while_the_disk_syncs_is_synced_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, go_on, again = threading.Event(), threading.Event(), threading.Event()
    sizes: list[int] = []

    def slow(fd: int) -> None:
        sizes.append(os.fstat(fd).st_size)
        at_work.set()
        assert go_on.wait(20)
        if len(sizes) == 2:
            again.set()

    monkeypatch.setattr(os, "fdatasync", slow, raising=False)
    with SegmentWriter(tmp_path, sync_seconds=0.01) as writer:
        writer.write(hit(0))
        assert at_work.wait(20)
        # Nobody waits for it.
        assert writer.write(hit(1))
        go_on.set()
        assert again.wait(20)
        assert sizes[1] == segments(tmp_path)[0].stat().st_size
        assert writer.health().unsynced == 0


def test_closing_syncs_what_waits(tmp_path: Path, synced: list[int]) -> None:
    with SegmentWriter(tmp_path, sync_seconds=3_000) as writer:
        writer.write(hit())
        assert synced == []
    assert synced == [segments(tmp_path)[0].stat().st_size]
    assert writer.health().unsynced == 0


@POSIX
def test_the_name_of_a_segment_is_made_durable_with_its_first_hits_at_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: folders.append(os.fstat(fd).st_ino))
    with SegmentWriter(tmp_path, sync_seconds=0) as writer:
        writer.write(hit(0))
        assert folders == [tmp_path.stat().st_ino]
        writer.write(hit(1))
    assert len(folders) == 1


@POSIX
def test_a_folder_that_is_made_is_durable_in_those_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and before anybody writes into it; when it was removed under way, with the next sync."""
    folders: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda fd: folders.append(Path(f"/proc/self/fd/{fd}").readlink()))
    if not Path("/proc/self/fd").exists():
        pytest.skip("nobody says which file an open one is here")
    folder = tmp_path / "deep" / "hits"
    made = {tmp_path, tmp_path / "deep", folder}
    with SegmentWriter(folder, sync_seconds=600) as writer:
        assert (set(folders), len(folders)) == (made, 3)
        assert all(writer.write(hit(number)) for number in range(20))
        shutil.rmtree(tmp_path / "deep")
        folders.clear()
        assert all(writer.write(hit(number)) for number in range(20, 40))
        # A click does not wait for that.
        assert folders == []
    assert (set(folders), len(folders)) == (made, 3)


def test_hits_that_the_disk_could_not_keep_are_counted_and_the_next_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with SegmentWriter(tmp_path, sync_seconds=0) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", broken, raising=False)
            patch.setattr(os, "fsync", broken)
            assert writer.write(hit(0))
        assert (writer.health().in_doubt, writer.health().error) == (1, os.strerror(errno.EIO))
        assert writer.write(hit(1))
        assert (writer.health().in_doubt, writer.health().error) == (1, "")
    assert len(segments(tmp_path)) == 2
    assert numbers(tmp_path) == [0, 1]


# Age, and clocks -------------------------------------------------------------------------------------------------------


def test_segments_are_rotated_by_age_from_their_first_hit(tmp_path: Path, clock: Clock) -> None:
    with SegmentWriter(tmp_path, max_age_seconds=100, clock=clock) as writer:
        clock.now += 5_000
        writer.write(hit(0))
        clock.now += 99
        writer.write(hit(1))
        assert len(segments(tmp_path)) == 1
        clock.now += 1
        writer.write(hit(2))
        assert len(segments(tmp_path)) == 2
    assert numbers(tmp_path) == [0, 1, 2]


def test_an_old_segment_is_closed_though_nobody_writes(tmp_path: Path, clock: Clock) -> None:
    with SegmentWriter(tmp_path, max_age_seconds=100, clock=clock) as writer:
        writer.write(hit(0))
        clock.now += 100
        writer.health()
        assert len(segments(tmp_path)) == 2
        clock.now += 100
        writer.health()
        assert len(segments(tmp_path)) == 2
    assert len(segments(tmp_path)) == 1


def test_the_thread_closes_an_old_segment_by_itself(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, max_age_seconds=0.05, sync_seconds=0.01) as writer:
        writer.write(hit(0))
        waiting = threading.Event()
        for _ in range(500):
            if len(segments(tmp_path)) == 2:
                break
            waiting.wait(0.02)
        assert len(segments(tmp_path)) == 2


@settings(max_examples=30)
@given(steps=st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_a_clock_that_jumps_loses_nothing(tmp_path_factory: pytest.TempPathFactory, steps: list[float]) -> None:
    folder, clock = tmp_path_factory.mktemp("hits"), Clock()
    with SegmentWriter(folder, max_age_seconds=100, clock=clock) as writer:
        for number, step in enumerate(steps):
            clock.now += step
            assert writer.write(hit(number))
    assert numbers(folder) == list(range(len(steps)))
    assert len(segments(folder)) <= 1 + sum(step > 0 for step in steps)


def test_a_clock_that_goes_back_lets_a_segment_live_longer(tmp_path: Path, clock: Clock) -> None:
    with SegmentWriter(tmp_path, max_age_seconds=100, clock=clock) as writer:
        writer.write(hit(0))
        clock.now -= 10_000
        writer.write(hit(1))
        clock.now += 99
        writer.write(hit(2))
        assert len(segments(tmp_path)) == 1
        clock.now += 1
        writer.write(hit(3))
        assert len(segments(tmp_path)) == 2


# A folder that others touch --------------------------------------------------------------------------------------------


@POSIX
def test_a_folder_that_is_removed_is_made_again_and_what_went_with_it_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "hits"
    with SegmentWriter(folder, check_hits=1) as writer:
        for number in range(3):
            writer.write(hit(number))
        shutil.rmtree(tmp_path / "deep")
        assert all(writer.write(hit(number)) for number in range(3, 6))
        assert writer.health().removed == 3
        shutil.rmtree(tmp_path / "deep")
        assert writer.health().removed == 6
        assert writer.write(hit(6))
    assert numbers(folder) == [6]
    health = writer.health()
    assert (health.written, health.removed, health.lost) == (7, 6, 0)


@POSIX
def test_a_folder_that_cannot_be_made_again_loses_and_counts(tmp_path: Path) -> None:
    folder = tmp_path / "hits"
    with SegmentWriter(folder, check_hits=1) as writer:
        writer.write(hit(0))
        shutil.rmtree(folder)
        folder.write_text("a file in its place")
        assert not writer.write(hit(1))
        assert not writer.write(hit(2))
        assert writer.health().error
        folder.unlink()
        assert writer.write(hit(3))
    health = writer.health()
    assert (health.written, health.removed, health.lost, health.error) == (2, 1, 2, "")
    assert numbers(folder) == [3]


@POSIX
def test_a_folder_that_is_moved_away_keeps_its_hits_and_a_new_one_takes_the_next(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path / "hits") as writer:
        writer.write(hit(0))
        (tmp_path / "hits").rename(tmp_path / "old")
        assert writer.health().removed == 0
        writer.write(hit(1))
    assert numbers(tmp_path / "old") == [0]
    assert numbers(tmp_path / "hits") == [1]


@pytest.mark.parametrize("lines", [0, 1, 2])
@pytest.mark.parametrize("more", [0, 1, 30])
def test_a_segment_that_is_cut_is_left_and_no_hit_stands_in_two(tmp_path: Path, lines: int, more: int) -> None:
    with SegmentWriter(tmp_path, check_hits=1) as writer:
        writer.write(hit(0))
        writer.write(hit(1))
        (path,) = segments(tmp_path)
        os.truncate(path, len(b"".join(path.read_bytes().splitlines(keepends=True)[:lines])) + more)
        assert writer.write(hit(2))
        assert writer.write(hit(3))
        assert writer.health().removed == 2
    urls = [record.url for record in read(tmp_path) if isinstance(record, Hit)]
    assert [url for url in urls if url in ("/a/2", "/a/3")] == ["/a/2", "/a/3"]


def test_a_segment_that_somebody_else_writes_to_is_left_to_them(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, check_hits=1) as writer:
        writer.write(hit(0))
        with segments(tmp_path)[0].open("ab") as other:
            other.write(b'{"v":1,"method":"GET","url":"/a/7","received_at":"2026-11-21T10:00:00Z"}\n')
        writer.write(hit(1))
        writer.write(hit(2))
        assert len(segments(tmp_path)) == 2
        assert writer.health().removed == 0
    assert numbers(tmp_path) == [0, 1, 2, 7]


@POSIX
@pytest.mark.parametrize("taken", ["removed", "cut"])
@pytest.mark.parametrize("how", ["more hits", "a look", "the end", "the thread", "its age"])
def test_what_was_written_since_the_last_look_goes_to_the_next_segment(
    tmp_path: Path, clock: Clock, taken: str, how: str
) -> None:
    folder = tmp_path / "hits"
    sync_seconds = 0.01 if how == "the thread" else 600
    with SegmentWriter(folder, check_hits=4, sync_seconds=sync_seconds, max_age_seconds=100, clock=clock) as writer:
        for number in range(6):
            writer.write(hit(number))
        if how == "the thread":
            # What was synced was looked at.
            wait_until(lambda: writer._segment is not None and not writer._segment.unchecked)
            taken_since = 6
        else:
            taken_since = 4
        if taken == "removed":
            shutil.rmtree(folder)
        else:
            os.truncate(segments(folder)[0], 100)
        writer.write(hit(6))
        if how == "more hits":
            assert all(writer.write(hit(number)) for number in (7, 8))
        elif how == "the thread":
            wait_until(lambda: writer._segment is not None and not writer._segment.unchecked)
        elif how == "its age":
            clock.now += 100
            assert writer.write(hit(7))
        elif how == "a look":
            assert writer.health().removed == 4
    last = {"more hits": 8, "its age": 7}.get(how, 6)
    found = [record.url for record in read(folder) if isinstance(record, Hit)]
    wanted = [f"/a/{number}" for number in range(taken_since, last + 1)]
    # What was cut may have left some of the first.
    assert sorted(url for url in found if url not in {f"/a/{number}" for number in range(taken_since)}) == wanted
    health = writer.health()
    assert (health.written, health.removed, health.lost) == (last + 1, taken_since, 0)


@POSIX
def test_a_folder_that_is_removed_between_two_looks_takes_nothing_with_it(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "hits"
    with SegmentWriter(folder, check_hits=10, sync_seconds=600, max_age_seconds=100, clock=clock) as writer:
        for number in range(9):
            assert writer.write(hit(number))
            # Else the thread may find the segment old when it was written anew: what is closed may be removed, and is not counted.
            while not writer._ready._waiters:  # type: ignore[attr-defined]  # nobody else says who waits
                time.sleep(0.001)
            shutil.rmtree(folder)
            clock.now += 100
    health = writer.health()
    # What the thread had looked at by then is gone with its folder, and counted.
    found = numbers(folder) if folder.exists() else []
    assert found == [*range(health.removed, 9)]
    assert (health.written, health.lost) == (9, 0)


@POSIX
def test_what_cannot_be_written_again_is_lost_and_counted(tmp_path: Path, disk: Disk) -> None:
    folder = tmp_path / "hits"
    with SegmentWriter(folder, check_hits=3, sync_seconds=600) as writer:
        for number in range(5):
            assert writer.write(hit(number))
        shutil.rmtree(folder)
        disk.room = 250
        assert not writer.write(hit(5))
        health = writer.health()
        assert (health.written, health.removed, health.lost, health.error) == (3, 3, 3, os.strerror(errno.ENOSPC))
        disk.room = 1 << 20
        assert writer.write(hit(6))
    assert numbers(folder) == [6]


def test_a_writer_without_a_hit_leaves_no_file(tmp_path: Path) -> None:
    SegmentWriter(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


# Processes -------------------------------------------------------------------------------------------------------------

FORKED = """
import os, sys
from datetime import UTC, datetime
from msgtrack.hits import Hit
from msgtrack.io import SegmentWriter

writer = SegmentWriter(sys.argv[1])
def write(first):
    return all(writer.write(Hit(method="GET", url=f"/a/{n}", received_at=datetime.now(UTC))) for n in range(first, first + 50))
assert write(0)
children = []
for child in range(1, 4):
    pid = os.fork()
    if not pid:
        done = writer.written == 0 and write(100 * child) and writer.written == 50
        if child == 3:
            os._exit(0 if done else 1)  # as one that is killed
        writer.close()
        os._exit(0 if done else 1)
    children.append(pid)
assert write(50)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
writer.close()
print(writer.written, writer.lost)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked on this system")
def test_forked_processes_write_segments_of_their_own(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (said.stdout, said.stderr) == ("100 0\n", "")
    assert len(segments(tmp_path)) == 4
    assert numbers(tmp_path) == [*range(150), *range(200, 250), *range(300, 350)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_bytes", 0),
        ("sync_seconds", -1),
        *itertools.product(
            ["max_bytes", "max_age_seconds", "sync_seconds", "sync_hits", "check_hits"],
            [float("nan"), -1, None, "1h", [], True],
        ),
        *itertools.product(["max_age_seconds", "sync_hits", "check_hits"], [0]),
        ("clock", 5),
        ("clock", None),
        ("compress", "x"),
        ("compress", None),
    ],
    ids=str,
)
def test_bad_options_are_named(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(InvalidOption, match=name):
        SegmentWriter(tmp_path / "hits", **{name: value})  # type: ignore[arg-type]
    assert not (tmp_path / "hits").exists()


@pytest.mark.parametrize("folder", [None, 5, b"hits", [], "hits\0here", Path("hits\0here")], ids=repr)
@pytest.mark.parametrize(
    "user",
    [SegmentWriter, SegmentFolder, compress_segments, ManifestRegistry, AccessLogFile, RejectWriter],
    ids=lambda user: user.__name__,
)
def test_what_is_no_folder_or_file_is_named(user: Callable[[Any], object], folder: object) -> None:
    with pytest.raises(InvalidValue, match=r"^(folder|path)=.* is no path$"):
        user(folder)


def test_health_counts_from_the_start(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        assert writer.health() == SegmentHealth(written=0, lost=0, removed=0, in_doubt=0, unsynced=0, error="")
        assert writer.health().alarm == ""


def test_an_alarm_says_what_is_gone_for_ever_and_what_is_wrong_now() -> None:
    counts = {"written": 9, "lost": 3, "removed": 0, "in_doubt": 2, "unsynced": 1}
    gone = "3 answered hits lost; 2 written hits in doubt"
    assert SegmentHealth(**counts, error="").alarm == gone
    assert SegmentHealth(**counts, error="No space left on device").alarm == gone + "; No space left on device"
    assert SegmentHealth(written=1, lost=0, removed=0, in_doubt=0, unsynced=1, error="").alarm == ""


def test_a_segment_that_is_being_synced_is_not_closed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a writer that begins one segment after another, while a slow disk syncs what was the current one."""
    begun, go = threading.Event(), threading.Event()
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    sync = getattr(os, name)

    def slow(fd: int) -> None:
        if not begun.is_set() and threading.current_thread() is not threading.main_thread():
            place = os.fstat(fd).st_ino
            begun.set()
            assert go.wait(30)
            assert os.fstat(fd).st_ino == place
        sync(fd)

    monkeypatch.setattr(os, name, slow)
    with SegmentWriter(tmp_path, max_bytes=200, sync_seconds=0.001) as writer:
        writer.write(hit(0))
        assert begun.wait(30)
        for number in range(1, 40):
            writer.write(hit(number))
        go.set()
    assert (writer.health().in_doubt, writer.lost) == (0, 0)
    assert sorted(numbers(tmp_path)) == [*range(40)]


def test_nothing_is_left_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("open files cannot be counted here")

    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    with SegmentWriter(tmp_path, max_bytes=200, compress=True) as writer:
        for number in range(200):
            writer.write(hit(number))
            assert opened() < before + 20
    assert opened() == before
