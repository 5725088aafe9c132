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
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Self

from attrs import frozen

from msgtrack.errors import InvalidOption, SourceError
from msgtrack.hits import Hit
from msgtrack.io._segment_files import MAX_LINE, OpenSegment, begin_segment
from msgtrack.io._segment_packing import Packer, compress_segments
from msgtrack.io._segment_reading import SegmentFolder
from msgtrack.records import to_json

__all__ = ["SegmentFolder", "SegmentHealth", "SegmentWriter", "compress_segments"]

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_TRIES = 3
# The thread closes segments. When they are begun faster than it can, writers do it.
_MAX_RETIRED = 4
# A wait longer than this is cut into several: systems have limits of their own.
_LONGEST_WAIT_SECONDS = 3_600.0


@frozen(kw_only=True)
class SegmentHealth:
    """What a :class:`SegmentWriter` counted since it began, and whether it is well now.

    ``written`` hits are in files, ``lost`` ones were answered and could not be written. ``removed`` stood in a
    segment that somebody took away or cut while it was written; what a collector had read of them is not lost.
    ``in_doubt`` were written, but the disk said that it could not keep them. ``unsynced`` wait for the next sync.
    ``error`` says why the last write or sync failed; it is empty when both went well.
    """

    written: int
    lost: int
    removed: int
    in_doubt: int
    unsynced: int
    error: str

    @property
    def alarm(self) -> str:
        """What somebody should know: answered hits that are not in files any more, for as long as the writer lives, and
        the trouble of this moment; empty text for nothing.
        """
        counts = {
            "answered hits lost": self.lost,
            "written hits removed": self.removed,
            "written hits in doubt": self.in_doubt,
        }
        said = [f"{count} {what}" for what, count in counts.items() if count]
        return "; ".join([*said, self.error] if self.error else said)


class SegmentWriter:
    """Appends hits to a segment of its own in a folder, and starts a new one when it has grown or aged.

    ``write`` hands the line to the operating system before it returns: a killed process loses nothing that was
    answered. A thread makes files durable, all hits of a stretch of time at once: a lost machine loses at most
    ``sync_seconds`` (and what the disk takes to sync). When the disk is full the hit is lost, counted in ``lost``,
    and nothing is raised: the reader's answer matters more. Half a line is taken back.

    A segment that was removed, renamed with its folder, or cut under our hands is left alone and the next one is
    begun in the folder, which is made again.

    Args:
        folder: where segments live; made if missing.
        max_bytes: size from which a new segment is begun.
        max_age_seconds: the same of the time since its first hit.
        sync_seconds: how long a hit may wait for its sync; 0 syncs every hit before ``write`` returns.
        sync_hits: so many that wait are synced at once.
        compress: gzip segments that nobody writes any more, those that a killed process left among them.
        clock: gives seconds that tell the age of a segment. One that goes back makes segments live longer, no more.

    Raises:
        SourceError: the folder cannot be made or written.
        InvalidOption: a size, a time or a number is not above zero.

    One writer may be used from many threads. A process that is forked goes on with a segment of its own, and counts
    anew.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int = 64 << 20,
        max_age_seconds: float = 86_400.0,
        sync_seconds: float = 0.05,
        sync_hits: int = 1_000,
        compress: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        sizes = {"max_bytes": max_bytes, "max_age_seconds": max_age_seconds, "sync_hits": sync_hits}
        for name, value in sizes.items():
            if not value > 0:
                raise InvalidOption(f"{name} must be above zero, not {value!r:.40}")
        if not sync_seconds >= 0:
            raise InvalidOption(f"sync_seconds must be zero or more, not {sync_seconds!r:.40}")
        self.folder = Path(folder)
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._sync_seconds = sync_seconds
        self._sync_hits = sync_hits
        self._compress = compress
        self._clock = clock
        self._closed = False
        self._begin_counting()
        try:
            self._segment: OpenSegment | None = self._begin()
        except OSError as error:
            raise SourceError(f"cannot write segments in {self.folder}: {error.strerror or error}") from error
        self._start_threads()
        _WRITERS.add(self)

    def _begin_counting(self) -> None:
        self.written = 0
        self.lost = 0
        self._removed = 0
        self._in_doubt = 0
        self._write_error = ""
        self._sync_error = ""
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._retired: list[OpenSegment] = []
        self._sync_by: float | None = None
        self._rotate_past = self._max_bytes

    def _start_threads(self) -> None:
        self._packer = Packer(self.folder) if self._compress else None
        self._keeper = threading.Thread(target=self._keep, name="msgtrack-segment-sync", daemon=True)
        self._keeper.start()

    def write(self, hit: Hit) -> bool:
        """Append one hit; False when it was lost, as it is after ``close``."""
        line = to_json(hit).encode() + b"\n"
        with self._lock:
            try:
                segment = self._put(line)
            except OSError as error:
                self.lost += 1
                self._write_error = error.strerror or str(error)
                return False
            self._write_error = ""
            self.written += 1
            segment.hits += 1
            segment.unsynced += 1
            if self._sync_seconds == 0:
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
            return SegmentHealth(
                written=self.written,
                lost=self.lost,
                removed=self._removed,
                in_doubt=self._in_doubt,
                unsynced=sum(segment.unsynced for segment in segments if segment is not None),
                error=self._write_error or self._sync_error,
            )

    def close(self) -> None:
        """Sync and close; may be called again. A segment without a hit leaves no file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._ready.notify()
        if self._keeper.is_alive():
            self._keeper.join()
        if self._packer is not None:
            self._packer.stop()
        with self._lock:
            self._look_after()
            segment, self._segment = self._segment, None
        if segment is not None:
            self._retired.append(segment)
        self._sync_all()
        if segment is not None and not segment.hits and not segment.is_spoilt:
            with contextlib.suppress(OSError):
                segment.path.unlink()
        _WRITERS.discard(self)

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
        for _ in range(_TRIES):
            try:
                segment.append(line)
            except OSError as error:
                # What ails this file need not ail another; but no file has room on a full disk.
                if error.errno in _FULL or not segment.hits:
                    raise
                segment = self._renew()
                continue
            if not segment.is_watched:
                return segment
            state = os.fstat(segment.fd)
            if (state.st_nlink and state.st_size == segment.size) or self._is_kept(segment, line, state):
                return segment
            segment = self._renew()
        raise OSError(errno.ENOENT, "segments are removed as fast as they are begun")

    def _current(self, now: float) -> OpenSegment:
        """The segment for the next line: the one that there is, or a new one."""
        segment = self._segment
        if segment is None:
            # A forked process, at its first hit.
            segment = self._segment = self._begin()
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
                # The old segment may still take what a new one cannot; another try comes when it has grown, or aged,
                # as much again.
                self._rotate_past = segment.size + self._max_bytes
            segment.first_at = now
        return segment

    def _is_kept(self, segment: OpenSegment, line: bytes, state: os.stat_result) -> bool:
        """Whether the line stands in a file that has a name, though it is not of the size that we know."""
        segment.is_spoilt = True
        if state.st_nlink and state.st_size > segment.size:
            # Somebody else wrote to it. The line is in; the next one goes to a file of our own.
            return True
        self._removed += segment.hits
        segment.hits = segment.unsynced = 0
        if state.st_nlink:
            # It was cut. The line goes to another file, and must not stand in two.
            os.ftruncate(segment.fd, max(0, state.st_size - len(line)))
        return False

    def _renew(self) -> OpenSegment:
        """A new segment in place of the one that is written; that one is left to the thread."""
        segment = self._begin()
        if self._segment is not None:
            self._retired.append(self._segment)
        if len(self._retired) > _MAX_RETIRED:
            self._settle(self._retired.pop(0))
        self._segment = segment
        self._rotate_past = self._max_bytes
        self._ready.notify()
        return segment

    def _begin(self) -> OpenSegment:
        try:
            return begin_segment(self.folder)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            return begin_segment(self.folder)

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
        pause = _LONGEST_WAIT_SECONDS
        if self._sync_by is not None:
            pause = self._sync_by - time.monotonic()
        if segment is not None and segment.hits and segment.first_at is not None:
            pause = min(pause, segment.first_at + self._max_age_seconds - self._clock())
        return pause

    def _sync_all(self) -> None:
        """Sync what was written, and close what was retired; syncing takes long, so writers go on meanwhile."""
        with self._lock:
            retired, self._retired = self._retired, []
            self._sync_by = None
            work = [(segment, segment.unsynced) for segment in (*retired, self._segment) if segment is not None]
            for segment, _ in work:
                segment.unsynced = 0
        for segment, hits in work:
            error = segment.sync() if hits else ""
            if hits:
                with self._lock:
                    self._note(hits, error)
        for segment in retired:
            os.close(segment.fd)
        if retired and self._packer is not None:
            self._packer.wake()

    def _settle(self, segment: OpenSegment) -> None:
        """Sync and close a segment that the thread has not come to."""
        if segment.unsynced:
            self._note(segment.unsynced, segment.sync())
        os.close(segment.fd)

    def _note(self, hits: int, sync_error: str) -> None:
        self._sync_error = sync_error
        if sync_error:
            self._in_doubt += hits

    def _look_after(self) -> None:
        """Notice what happened to the segment while nobody wrote: it aged, or it was removed or moved away."""
        segment = self._segment
        if segment is None or not segment.hits:
            return
        if segment.is_watched and not segment.is_spoilt:
            state = os.fstat(segment.fd)
            if not state.st_nlink:
                segment.is_spoilt = True
                self._removed += segment.hits
                segment.hits = segment.unsynced = 0
                return
            try:
                segment.is_spoilt = not os.path.samestat(state, segment.path.stat())
            except OSError:
                segment.is_spoilt = True
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
        self._begin_counting()


_WRITERS: weakref.WeakSet[SegmentWriter] = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_WRITERS):
        writer._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
