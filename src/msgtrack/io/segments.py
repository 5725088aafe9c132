"""Hit segments: append-only files of JSON lines, one hit a line, written before the answer leaves.

A segment begins with a line that names it. A hit is known by its segment and its place in it, so a segment read
again, under any file name, compressed or not, adds nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Self

from msgtrack._options import above_zero, functions, switch, zero_or_more
from msgtrack.errors import SourceError
from msgtrack.hits import Hit
from msgtrack.io._forks import call_when_forked
from msgtrack.io._paths import path_of
from msgtrack.io._segment_files import FULL, MAX_LINE, UNWELL, OpenSegment, begin_segment
from msgtrack.io._segment_health import SegmentCounts, SegmentHealth
from msgtrack.io._segment_packing import Packer, compress_segments
from msgtrack.io._segment_reading import SegmentFolder
from msgtrack.records import to_json

__all__ = ["SegmentFolder", "SegmentHealth", "SegmentWriter", "compress_segments"]

_TRIES = 3
# The thread closes segments. When they are begun faster than it can, writers do it.
_MAX_RETIRED = 4
# A wait longer than this is cut into several: systems have limits of their own.
_LONGEST_WAIT_SECONDS = 3_600.0


class SegmentWriter(SegmentCounts):
    """Appends hits to a segment of its own in a folder, and starts a new one when it has grown or aged.

    ``write`` hands the line to the operating system before it returns: a killed process loses nothing that was answered. A
    thread makes files durable, all hits of a stretch of time at once: a lost machine loses at most ``sync_seconds`` (and what
    the disk takes to sync). When the disk is full the hit is lost, counted in ``lost``, and nothing is raised: the reader's
    answer matters more. Half a line is taken back. A writer that begins on a disk which is full, read-only or broken says so
    in ``health()``, and each hit tries anew.

    A segment that was removed, renamed with its folder, or cut under our hands is left alone and the next one is begun in the
    folder, which is made again. Somebody looks after ``check_hits``, with each sync, and when the disk is full, whose room
    comes back so; what was written since the last look goes to the next segment.

    Args:
        folder: where segments live; made if missing.
        max_bytes: size from which a new segment is begun.
        max_age_seconds: the same of the time since its first hit.
        sync_seconds: how long a hit may wait for its sync; 0 syncs every hit before ``write`` returns.
        sync_hits: so many that wait are synced at once.
        check_hits: after so many, or each with ``sync_seconds=0``, it is looked whether the segment is there and whole.
        compress: gzip segments that nobody writes any more, those that a killed process left among them.
        clock: gives seconds that tell the age of a segment. One that goes back makes segments live longer, no more.

    Raises:
        SourceError: the folder cannot be made or written, and its disk is not the reason.
        InvalidOption: a size, a time or a number is not above zero, or another option is not what it must be.
        InvalidValue: ``folder`` is no path.

    One writer may be used from many threads; all those of the process wait while the disk takes a line. A process that is
    forked goes on with a segment of its own, and counts anew.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int = 64 << 20,
        max_age_seconds: float = 86_400.0,
        sync_seconds: float = 0.05,
        sync_hits: int = 1_000,
        check_hits: int = 16,
        compress: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        above_zero(max_bytes=max_bytes, max_age_seconds=max_age_seconds, sync_hits=sync_hits, check_hits=check_hits)
        zero_or_more(sync_seconds=sync_seconds)
        functions(clock=clock)
        self.folder = path_of("folder", folder)
        self._rotate_past = self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._sync_seconds = sync_seconds
        self._sync_hits = sync_hits
        self._check_hits = check_hits if sync_seconds else 1
        self._compress = switch("compress", compress)
        self._clock = clock
        self._closed = False
        self._segment: OpenSegment | None = None
        self._begin_anew()
        try:
            first = self._begin_first()
            # Others may write into a folder that was made here, long before a hit comes to us.
            with contextlib.suppress(OSError):
                first.sync_names()
        except OSError as error:
            if error.errno not in UNWELL:
                raise SourceError(f"cannot write segments in {self.folder}: {error.strerror or error}") from error
        self._start_threads()
        call_when_forked(self, SegmentWriter._forked)

    def _begin_anew(self) -> None:
        self._begin_counting()
        self._keeper: threading.Thread | None = None
        self._syncing: OpenSegment | None = None
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._retired: list[OpenSegment] = []
        self._sync_by: float | None = None

    def _start_threads(self) -> None:
        self._packer = Packer(self.folder) if self._compress else None
        self._keeper = threading.Thread(target=self._keep, name="msgtrack-segment-sync", daemon=True)
        self._keeper.start()

    def write(self, hit: Hit) -> bool:
        """Append one hit; False when it was lost, as it is after ``close``."""
        line = to_json(hit).encode() + b"\n"
        with self._lock:
            self.written += 1
            try:
                segment = self._put(line)
            except OSError as error:
                self._lose([line], error)
                return False
            segment.hits += 1
            segment.unsynced += 1
            if segment.is_watched:
                segment.unchecked.append(line)
                if len(segment.unchecked) >= self._check_hits and not self._look_at(segment):
                    return False
            self._write_error = ""
            if self._sync_seconds == 0:
                # It may be another one by now.
                segment = self._segment or segment
                self._note(segment.unsynced, segment.sync())
                segment.unsynced = 0
            elif self._sync_by is None:
                self._sync_by = time.monotonic() + self._sync_seconds
                self._ready.notify()
            elif segment.unsynced == self._sync_hits:
                self._sync_by = time.monotonic()
                self._ready.notify()
            return True

    def health(self) -> SegmentHealth:
        """What was counted up to now, and whether the last write and the last sync went well."""
        with self._lock:
            self._look_after()
            segments = [*self._retired, self._segment]
            return self._health(sum(segment.unsynced for segment in segments if segment is not None))

    def close(self) -> None:
        """Sync and close; may be called again. A segment without a hit leaves no file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._ready.notify()
        if self._keeper is not None:
            self._keeper.join()
        if self._packer is not None:
            self._packer.stop()
        with self._lock:
            self._look_after()
            segment, self._segment = self._segment, None
        if segment is not None:
            self._retire(segment)
        self._sync_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, line: bytes) -> OpenSegment:
        """The segment that now holds the line."""
        if self._closed:
            raise OSError(errno.EBADF, "the writer is closed")
        if len(line) > MAX_LINE:
            raise OSError(errno.EMSGSIZE, f"a hit of {len(line):,} bytes is too long")
        segment, now = self._segment, self._clock()
        # Nearly always the one that there is goes on.
        if (
            segment is None
            or segment.first_at is None
            or segment.is_spoilt
            or not segment.first_at <= now < segment.first_at + self._max_age_seconds
            or segment.size >= self._rotate_past
        ):
            segment = self._current(now)
        try:
            segment.append(line)
        except OSError as error:
            # What ails this file need not ail another; but no file has room on a full disk, unless we hold what fills it.
            if error.errno not in FULL:
                segment = self._renew()
            elif segment.is_gone():
                segment = self._replace(segment)
            else:
                raise
            segment.append(line)
        return segment

    def _current(self, now: float) -> OpenSegment:
        """The segment for the next line: the one that there is, or a new one."""
        segment = self._segment
        if segment is None:
            # A forked process at its first hit, or one whose disk has not been well yet.
            segment = self._begin_first()
            if self._keeper is None:
                self._start_threads()
        if segment.first_at is None or now < segment.first_at:
            segment.first_at = now
        is_old = segment.hits and now - segment.first_at >= self._max_age_seconds
        if segment.is_spoilt:
            segment = self._renew()
            segment.first_at = now
        elif is_old or segment.size >= self._rotate_past:
            try:
                segment = self._renew()
            except OSError:
                if self._segment is None:
                    raise
                # The old segment may still take what a new one cannot; another try comes when it has grown, or aged,
                # as much again.
                self._rotate_past = segment.size + self._max_bytes
            segment.first_at = now
        return segment

    def _look_at(self, segment: OpenSegment) -> bool:
        """Look whether a segment is whole, and write its unchecked lines elsewhere if not; False when they are lost."""
        error = OSError(errno.ENOENT, "segments are removed as fast as they are begun")
        for _ in range(_TRIES):
            if segment.is_whole():
                return True
            lost = self.lost
            try:
                segment = self._renew()
            except OSError as trouble:
                error = trouble
                break
            if self.lost > lost:
                return False
        self._lose(self._unkept(segment), error)
        return False

    def _unkept(self, segment: OpenSegment) -> list[bytes]:
        """The lines that a segment did not keep, as far as they are remembered; the others are counted."""
        lines, others = segment.take_unkept()
        self.removed += others
        return lines

    def _renew(self) -> OpenSegment:
        """A new segment in place of the one that is written; that one is left to the thread."""
        old = self._segment
        try:
            segment = self._segment = begin_segment(self.folder)
        except OSError as error:
            if error.errno in FULL and old is not None and old.is_gone():
                return self._replace(old)
            raise
        if old is not None and self._retire(old) and (lines := self._unkept(old)):
            self._write_again(segment, lines)
        if len(self._retired) > _MAX_RETIRED:
            # The thread may be syncing the one that was retired first, and closes it itself then.
            oldest = self._retired.pop(1 if self._retired[0] is self._syncing else 0)
            if oldest.unsynced:
                self._note(oldest.unsynced, oldest.sync())
            os.close(oldest.fd)
        self._rotate_past = self._max_bytes
        self._ready.notify()
        return segment

    def _replace(self, gone: OpenSegment) -> OpenSegment:
        """A new segment in place of one that was taken away, and is let go of first: nobody else can free its room."""
        lines, self._segment = self._unkept(gone), None
        if gone.unsynced or gone is self._syncing:
            # The thread has its descriptor in hand, or what was only moved is to be synced: it closes it soon.
            self._retired.append(gone)
            self._ready.notify()
        else:
            gone.close()
        try:
            segment = self._begin_first()
        except OSError as error:
            self._lose(lines, error)
            raise
        if lines:
            self._write_again(segment, lines)
        return segment

    def _write_again(self, segment: OpenSegment, lines: list[bytes]) -> None:
        try:
            segment.append_again(lines, self._clock())
        except OSError as error:
            self._lose(lines, error)
            return
        if self._sync_by is None:
            self._sync_by = time.monotonic() + self._sync_seconds

    def _retire(self, segment: OpenSegment) -> bool:
        """Leave a segment to the thread, which closes it; False for one that nobody will miss."""
        if not segment.hits and not segment.is_spoilt:
            segment.discard()
            return False
        self._retired.append(segment)
        return True

    def _begin_first(self) -> OpenSegment:
        self._rotate_past = self._max_bytes
        try:
            segment = self._segment = begin_segment(self.folder)
        except OSError as error:
            self._write_error = error.strerror or str(error)
            raise
        self._write_error = ""
        return segment

    def _keep(self) -> None:
        """The thread: sync what waits, close what is full, and begin anew what is old."""
        while True:
            with self._lock:
                while not self._closed and (pause := self._pause()) > 0:
                    self._ready.wait(min(pause, _LONGEST_WAIT_SECONDS))
                if self._closed:
                    return
            self._sync_all()
            with self._lock:
                self._look_after()

    def _pause(self) -> float:
        """Seconds until there is something to do."""
        if self._retired:
            return 0.0
        segment = self._segment
        pause = _LONGEST_WAIT_SECONDS if self._sync_by is None else self._sync_by - time.monotonic()
        if segment is not None and segment.hits and segment.first_at is not None:
            pause = min(pause, segment.first_at + self._max_age_seconds - self._clock())
        return pause

    def _sync_all(self) -> None:
        """Sync what was written, and close what was retired; syncing takes long, so writers go on meanwhile."""
        with self._lock:
            retired, self._retired = self._retired, []
            self._sync_by, self._syncing = None, self._segment
            work = [(it, it.unsynced) for it in (*retired, self._segment) if it is not None and it.unsynced]
            for segment, _ in work:
                segment.unsynced = 0
        for segment, hits in work:
            error = segment.sync()
            with self._lock:
                self._note(hits, error)
        self._syncing = None
        for segment in retired:
            os.close(segment.fd)
        if retired and self._packer is not None:
            self._packer.wake()

    def _look_after(self) -> None:
        """Notice what happened to the segment while nobody wrote: it aged, or it was removed or moved away."""
        segment = self._segment
        if segment is None and self._keeper is not None and not self._closed:
            with contextlib.suppress(OSError):
                self._begin_first()
        if segment is None or not segment.hits:
            return
        if segment.is_watched and not segment.is_spoilt:
            if not segment.is_whole():
                if segment.unchecked:
                    self._look_at(segment)
                elif self._closed or not segment.is_gone():
                    self._unkept(segment)
                else:
                    with contextlib.suppress(OSError):
                        self._replace(segment)
                return
            segment.is_spoilt = segment.is_spoilt or not segment.is_in_place()
        if segment.first_at is not None and self._clock() - segment.first_at >= self._max_age_seconds:
            try:
                self._renew()
            except OSError:
                segment.first_at = self._clock()

    def _forked(self) -> None:
        """In a process that was forked: the open segment is that of another one, and so are its counts."""
        if self._closed:
            return
        for segment in (*self._retired, self._segment):
            if segment is not None:
                os.close(segment.fd)
        self._segment = None
        self._packer = None
        self._begin_anew()
