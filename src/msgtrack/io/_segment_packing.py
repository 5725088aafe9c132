"""Compressing segments that nobody writes any more, in place: each becomes a gzip file of the same lines."""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path

from msgtrack.errors import SourceError
from msgtrack.io._paths import path_of
from msgtrack.io._segment_files import MAX_HEADER, PACKED, SUFFIX, segment_name, sync_folder, take_lock

__all__ = ["Packer", "compress_segments", "unpacked_bytes"]

_PART = ".part"
_CHUNK = 1 << 20
_LEVEL = 6
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def compress_segments(folder: str | os.PathLike[str]) -> list[Path]:
    """Compress the segments of a folder that nobody writes, and say which files came of it.

    A segment is being written as long as its writer lives: it holds a lock. What a killed process left behind is
    compressed too, with the half line at its end; a segment without a hit is removed. A segment is replaced only
    when its compressed file is durable, and reading goes on in that one from where it was. Processes may do this at
    once: each segment is compressed by one of them.

    Raises:
        SourceError: the folder is missing, a file cannot be read or written, or the file system knows no locks.
        InvalidValue: ``folder`` is no path.
    """
    return _compress(path_of("folder", folder), lambda: False)


def unpacked_bytes(path: Path) -> int:
    """How many bytes a gzip file of one member says it holds, modulo 2 ** 32 (RFC 1952, ISIZE).

    Raises:
        OSError: the file cannot be read, or is shorter than that.
    """
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


class Packer:
    """A thread that compresses the segments of a folder when it is told that there may be some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, name="msgtrack-segment-packer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be more to compress."""
        self._wanted.set()

    def stop(self) -> None:
        """Leave what is under way, and wait for the thread to end."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopped.is_set():
                return
            # On a full disk nothing is replaced; the next segment that is closed brings another try.
            with contextlib.suppress(SourceError):
                _compress(self._folder, self._stopped.is_set)


def _compress(folder: Path, is_over: Callable[[], bool]) -> list[Path]:
    if not folder.is_dir():
        raise SourceError(f"there is no folder of segments at {folder}")
    made = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if is_over():
            break
        try:
            packed = _pack(path, is_over)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SourceError(f"cannot compress the segment {path}: {error.strerror or error}") from error
        if packed is not None:
            made.append(packed)
    return made


def _pack(path: Path, is_over: Callable[[], bool]) -> Path | None:
    # Open for writing, which locks over a network ask for.
    with path.open("r+b", buffering=0) as file:
        header = file.read(MAX_HEADER).partition(b"\n")
        if not header[1] or segment_name(header[0]) is None or not take_lock(file.fileno()):
            return None
        size = os.fstat(file.fileno()).st_size
        if size == len(header[0]) + 1:
            packed = None
        else:
            packed = path.with_name(path.name.removesuffix(SUFFIX) + PACKED)
            try:
                there = unpacked_bytes(packed)
            except OSError:
                there = 0
            if there > size:
                # This is a part of what is compressed already; whoever put it here knows why.
                return None
            if there < size and not _copy(path, packed, is_over):
                return None
    # Systems that know no removal of open files want it closed first.
    path.unlink()
    sync_folder(path.parent)
    return packed


def _copy(path: Path, packed: Path, is_over: Callable[[], bool]) -> bool:
    """Make the compressed file whole and durable under its name; False when there was no time for that."""
    part = packed.with_name(packed.name + _PART)
    try:
        # What a killed process left of its try.
        part.unlink(missing_ok=True)
        with path.open("rb") as source, os.fdopen(os.open(part, _NEW, 0o640), "wb") as target:
            with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=_LEVEL, mtime=0) as compressing:
                while chunk := source.read(_CHUNK):
                    if is_over():
                        break
                    compressing.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if is_over():
            part.unlink()
            return False
        part.replace(packed)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(packed.parent)
    return True
