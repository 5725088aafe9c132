"""Hit segments: append-only files of JSON lines, one hit a line, written before the answer leaves.

A segment begins with a line that names it. A hit is known by its segment and its place in it, so a segment read
again, under any file name, adds nothing.
"""

from __future__ import annotations

import contextlib
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
        self._max_bytes = max_bytes
        self._sync_seconds = sync_seconds
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._dirty = False
        self._torn = False
        self._size = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._fd = self._begin()
        except OSError as error:
            raise SourceError(f"cannot write segments in {self.folder}: {error.strerror or error}") from error
        self._syncer = threading.Thread(target=self._sync_for_ever, name="msgtrack-segment-sync", daemon=True)
        self._syncer.start()

    def write(self, hit: Hit) -> bool:
        """Append one hit; False when it was lost."""
        line = to_json(hit).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            try:
                if self._size > self._max_bytes:
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
            self._sync()
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> int:
        name = uuid.uuid4().hex
        path = self.folder / f"{name}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o640)
        header = json.dumps({"segment": name, "v": _VERSION}, separators=(",", ":")).encode() + b"\n"
        os.write(fd, header)
        self._size = len(header)
        self._torn = False
        return fd

    def _rotate(self) -> None:
        fresh = self._begin()
        self._sync()
        os.close(self._fd)
        self._fd = fresh

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

    def _sync(self) -> None:
        if self._dirty:
            self._dirty = False
            with contextlib.suppress(OSError):
                getattr(os, "fdatasync", os.fsync)(self._fd)

    def _sync_for_ever(self) -> None:
        while not self._closed.wait(self._sync_seconds):
            if self._dirty:
                with self._lock:
                    fd = os.dup(self._fd)
                    self._dirty = False
                try:
                    with contextlib.suppress(OSError):
                        getattr(os, "fdatasync", os.fsync)(fd)
                finally:
                    os.close(fd)


class SegmentFolder:
    """The segments of a folder as a source: every complete line of every segment, each once.

    Its position is a JSON object of segment names and byte offsets. A last line without its end is left for later:
    it is being written, or its writer died before it answered.
    """

    def __init__(self, folder: str | os.PathLike[str], *, batch_lines: int = 5_000) -> None:
        self.folder = Path(folder)
        self._batch_lines = batch_lines

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the folder is missing, a file cannot be read, or the position is not one of ours.
        """
        offsets = _offsets(position)
        if not self.folder.is_dir():
            raise SourceError(f"there is no folder of segments at {self.folder}")
        seen: set[str] = set()
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                yield from self._read_file(path, offsets, seen)
            except OSError as error:
                raise SourceError(f"cannot read the segment {path}: {error.strerror or error}") from error

    def _read_file(self, path: Path, offsets: dict[str, int], seen: set[str]) -> Iterator[Batch]:
        with path.open("rb") as file:
            header = file.readline(_MAX_HEADER)
            if not header.endswith(b"\n"):
                return
            name = _segment_name(header, path)
            if name in seen:
                return
            seen.add(name)
            offset = max(offsets.get(name, 0), len(header))
            file.seek(offset)
            records: list[Hit | Rejected] = []
            for line_number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break
                if raw.strip():
                    records.append(_record(raw, f"{name}:{offset}", line_number, path.name))
                offset += len(raw)
                offsets[name] = offset
                if len(records) >= self._batch_lines:
                    yield Batch(records=tuple(records), position=json.dumps(offsets, sort_keys=True), scope=name)
                    records = []
            if records:
                yield Batch(records=tuple(records), position=json.dumps(offsets, sort_keys=True), scope=name)


def _record(raw: bytes, request_id: str, line: int, source: str) -> Hit | Rejected:
    text = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
    try:
        return evolve(from_json(text, Hit), request_id=request_id)
    except MsgtrackError as error:
        return Rejected(line=line, reason=error.code, text=text, source=source)


def _segment_name(header: bytes, path: Path) -> str:
    try:
        said = json.loads(header)
        name, version = said["segment"], said["v"]
    except (ValueError, TypeError, KeyError):
        raise SourceError(f"{path} does not begin with the line of a segment") from None
    if version != _VERSION or not isinstance(name, str) or not name:
        raise SourceError(f"{path} is a segment of version {version!r}; this reads version {_VERSION}")
    return name


def _offsets(position: str | None) -> dict[str, int]:
    if not position:
        return {}
    try:
        offsets = json.loads(position)
    except ValueError:
        offsets = None
    if not isinstance(offsets, dict) or not all(isinstance(value, int) for value in offsets.values()):
        raise SourceError(f"not a position in a folder of segments: {position:.80}")
    return offsets
