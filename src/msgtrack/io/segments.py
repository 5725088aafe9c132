"""Hit segments: append-only files of JSON lines, one hit a line, written before the answer leaves.

A segment begins with a line that names it. A hit is known by its segment and its place in it, so a segment read
again, under any file name, adds nothing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from attrs import evolve

from msgtrack.errors import MsgtrackError, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.protocols import Batch
from msgtrack.records import from_json, to_json

__all__ = ["SegmentFolder", "SegmentWriter"]

_SUFFIX = ".hits.jsonl"
_VERSION = 1
_MAX_HEADER = 256


class SegmentWriter:
    """Appends hits to a segment of its own in a folder, and starts a new one when it has grown.

    ``write`` hands the line to the operating system before it returns: a killed process loses nothing that was
    answered. A thread makes the file durable every ``sync_seconds``: a lost machine loses at most that much. When
    the disk is full the hit is lost, counted in ``lost``, and nothing is raised: the reader's answer matters more.

    Args:
        folder: where segments live; made if missing.
        max_bytes: size past which a new segment is begun.
        sync_seconds: pause between two syncs to disk.

    Raises:
        SourceError: the folder cannot be made or written.

    One writer may be used from many threads.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, max_bytes: int = 64 << 20, sync_seconds: float = 0.05
    ) -> None:
        self.folder = Path(folder)
        self.written = 0
        self.lost = 0
        self._max_bytes = self._rotate_past = max_bytes
        self._sync_seconds = sync_seconds
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._dirty = False
        self._torn = False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._fd, self._size = self._begin()
        except OSError as error:
            raise SourceError(f"cannot write segments in {self.folder}: {error.strerror or error}") from error
        self._syncer = threading.Thread(target=self._sync_for_ever, name="msgtrack-segment-sync", daemon=True)
        self._syncer.start()

    def write(self, hit: Hit) -> bool:
        """Append one hit; False when it was lost, as it is after ``close``."""
        line = to_json(hit).encode() + b"\n"
        with self._lock:
            try:
                if self._size > self._rotate_past:
                    self._rotate()
                self._append(b"\n" + line if self._torn else line)
            except OSError:
                self.lost += 1
                return False
            self._torn = False
            self._dirty = True
            self.written += 1
            return True

    def close(self) -> None:
        """Sync and close; may be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._syncer.join()
        with self._lock:
            self._sync(self._fd)
            os.close(self._fd)
            # Numbers of closed files are given out again: nothing may be written by the old one.
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> tuple[int, int]:
        """A new segment with its first line: the open file and its size."""
        name = uuid.uuid4().hex
        path = self.folder / f"{name}{_SUFFIX}"
        header = json.dumps({"segment": name, "v": _VERSION}, separators=(",", ":")).encode() + b"\n"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o640)
        try:
            if os.write(fd, header) != len(header):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        return fd, len(header)

    def _rotate(self) -> None:
        try:
            fd, size = self._begin()
        except OSError:
            # The old segment may still take what a new one cannot; another try comes when it has grown as much again.
            self._rotate_past = self._size + self._max_bytes
            return
        self._sync(self._fd)
        os.close(self._fd)
        self._fd, self._size, self._torn, self._rotate_past = fd, size, False, self._max_bytes

    def _append(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                written = os.write(self._fd, rest)
                self._size += written
                rest = rest[written:]
        except OSError:
            # Half a line may stand in the file now; the next one starts on a line of its own.
            self._torn = self._torn or len(rest) < len(line)
            raise

    def _sync(self, fd: int) -> None:
        try:
            getattr(os, "fdatasync", os.fsync)(fd)
        except OSError:
            self._dirty = True

    def _sync_for_ever(self) -> None:
        while not self._closed.wait(self._sync_seconds):
            if not self._dirty:
                continue
            # Syncing takes long, so it goes on beside the writers, by a number of its own.
            try:
                with self._lock:
                    fd = os.dup(self._fd)
                    self._dirty = False
            except OSError:
                continue
            try:
                self._sync(fd)
            finally:
                os.close(fd)


class SegmentFolder:
    """The segments of a folder as a source: every complete line of every segment, each once.

    Its position is a JSON object: of each segment the bytes and lines read. A last line without its end is left for
    later: it is being written, or its writer died before it answered. A file that is no segment is one rejected line.
    """

    def __init__(self, folder: str | os.PathLike[str], *, batch_lines: int = 5_000) -> None:
        self.folder = Path(folder)
        self._batch_lines = batch_lines

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the folder is missing, a file cannot be read, or the position is not one of ours.
        """
        known = _places(position)
        if not self.folder.is_dir():
            raise SourceError(f"there is no folder of segments at {self.folder}")
        segments = []
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            with _reading(path), path.open("rb") as file:
                header = file.readline(_MAX_HEADER)
            if header.endswith(b"\n") or len(header) == _MAX_HEADER:
                segments.append((path, header, _segment_name(header) or f"not a segment: {path.name}"))
        # What is gone from the folder is forgotten, or the position would grow for ever.
        there = {name for _, _, name in segments}
        places = {name: place for name, place in known.items() if name in there}
        for path, header, name in segments:
            if _segment_name(header) is None:
                if name not in places:
                    places[name] = (0, 0)
                    rejected = Rejected(line=1, reason="not-a-segment", text=_text(header), source=path.name)
                    yield Batch(records=(rejected,), position=_position(places), scope=name)
                continue
            with _reading(path):
                yield from self._read_file(path, name, len(header), places)

    def _read_file(self, path: Path, name: str, header: int, places: dict[str, tuple[int, int]]) -> Iterator[Batch]:
        offset, line = max(places.get(name, (0, 0)), (header, 1))
        records: list[Hit | Rejected] = []
        with path.open("rb") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                line += 1
                if raw.strip():
                    records.append(_record(raw, f"{name}:{offset}", line, path.name))
                offset += len(raw)
                places[name] = (offset, line)
                if len(records) >= self._batch_lines:
                    yield Batch(records=records, position=_position(places), scope=name)
                    records = []
        if records:
            yield Batch(records=records, position=_position(places), scope=name)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"cannot read the segment {path}: {error.strerror or error}") from error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _record(raw: bytes, request_id: str, line: int, source: str) -> Hit | Rejected:
    text = _text(raw)
    try:
        return evolve(from_json(text, Hit), request_id=request_id)
    except MsgtrackError as error:
        return Rejected(line=line, reason=error.code, text=text, source=source)


def _segment_name(header: bytes) -> str | None:
    try:
        said = json.loads(header)
        name, version = said["segment"], said["v"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return name if version == _VERSION and isinstance(name, str) and name else None


def _position(places: dict[str, tuple[int, int]]) -> str:
    return json.dumps(places, sort_keys=True)


def _places(position: str | None) -> dict[str, tuple[int, int]]:
    if not position:
        return {}
    try:
        return {name: (int(offset), int(line)) for name, (offset, line) in json.loads(position).items()}
    except (ValueError, TypeError, AttributeError):
        raise SourceError(f"not a position in a folder of segments: {position:.80}") from None
