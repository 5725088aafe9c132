"""What a segment is on disk: how it is called, how it begins, who holds it, and what makes it durable."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import uuid
from pathlib import Path

from attrs import define, field

from msgtrack.io._handing import write

__all__ = [
    "FULL",
    "MAX_HEADER",
    "MAX_LINE",
    "PACKED",
    "SUFFIX",
    "UNWELL",
    "OpenSegment",
    "begin_segment",
    "segment_name",
    "sync_folder",
    "take_lock",
]

SUFFIX = ".hits.jsonl"
PACKED = SUFFIX + ".gz"
MAX_HEADER = 256
MAX_LINE = 1 << 20
"""Bytes of the longest line that is written, and read: a hit of the redirect has at most a fifth of it."""

FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""What systems say of a disk without room."""
UNWELL = FULL | {errno.EROFS, errno.EIO, errno.EFBIG}
"""What they say of one that may be well again later, as nobody's mistake in naming a folder is."""

_VERSION = 1
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# What systems say of a folder that cannot be synced, or is gone.
_NO_SYNC = frozenset({errno.EINVAL, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOENT, errno.EBADF, errno.ENOTSUP})

if sys.platform == "win32":
    import msvcrt

    # A locked byte cannot be read by others there, so it is one that no file has.
    _FAR = 1 << 62

    def _lock(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def take_lock(fd: int) -> bool:
    """Take an open segment for this process, until it is closed; False when another one has it.

    Raises:
        OSError: the file system knows no locks.
    """
    try:
        _lock(fd)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


@define(eq=False, kw_only=True)
class OpenSegment:
    """A segment that is being written: what was counted of it since it was begun."""

    path: Path
    fd: int
    size: int
    """Bytes of whole lines, its first one included."""
    is_watched: bool
    """Whether the file system tells the number of a file's names, and its size, as it should."""
    hits: int = 0
    unsynced: int = 0
    first_at: float | None = None
    """When its first hit came, by the writer's clock."""
    unsynced_folders: list[Path]
    """Those that a lost machine may forget new names of: its own, and those that others were made in for it."""
    is_spoilt: bool = False
    """Nothing more may be written to it."""
    unchecked: list[bytes] = field(factory=list)
    """Lines written since it was last seen to be whole; none of one that is not watched."""

    def append(self, line: bytes) -> None:
        """Hand a whole line to the system.

        Raises:
            OSError: it was not taken; what was written of it is taken back.
        """
        done = write(self.fd, line)
        if done != len(line):
            self._append_rest(line, done)
        self.size += len(line)

    def append_again(self, lines: list[bytes], at: float) -> None:
        """Begin it with lines that another one did not keep.

        Raises:
            OSError: none of them was taken.
        """
        self.append(b"".join(lines))
        self.first_at, self.unchecked = at, lines
        self.hits = self.unsynced = len(lines)

    def _append_rest(self, line: bytes, done: int) -> None:
        try:
            while done < len(line):
                written = os.write(self.fd, line[done:])
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += written
        except OSError:
            # A reader would take half a line and the next one for a single bad one.
            try:
                os.ftruncate(self.fd, self.size)
            except OSError:
                self.is_spoilt = True
            raise

    def is_whole(self) -> bool:
        """Whether a watched segment has a name still, and all of its lines; if so, all of them are checked."""
        try:
            state = os.fstat(self.fd)
        except OSError:
            # As of a file on a disk that is gone.
            self.is_spoilt = True
            return False
        is_kept = state.st_nlink > 0 and state.st_size >= self.size
        # To one that is longer somebody else wrote. Our lines are in; the next ones go to a file of our own.
        self.is_spoilt = self.is_spoilt or not is_kept or state.st_size > self.size
        if is_kept:
            self.unchecked.clear()
        return is_kept

    def is_in_place(self) -> bool:
        """Whether its path leads to it still."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.path.stat())
        except OSError:
            return False

    def is_gone(self) -> bool:
        """Whether somebody took a watched one away: what room it takes is free when it is closed, and not before."""
        return self.is_watched and not self.is_in_place()

    def take_unkept(self) -> tuple[list[bytes], int]:
        """The lines that it did not keep, as far as they are remembered, to be written elsewhere: here they stand no more;
        and the number of the others.
        """
        if not self.is_watched or self.is_whole():
            return [], 0
        lines, self.unchecked = self.unchecked, []
        with contextlib.suppress(OSError):
            state = os.fstat(self.fd)
            if lines and state.st_nlink:
                # It was cut, and may hold the last of them behind what was left of it.
                os.ftruncate(self.fd, max(0, state.st_size - sum(map(len, lines))))
        others, self.hits, self.unsynced = self.hits - len(lines), 0, 0
        return lines, others

    def sync(self) -> str:
        """Make it durable; gives why it could not be, empty when it was."""
        try:
            getattr(os, "fdatasync", os.fsync)(self.fd)
            self.sync_names()
        except OSError as error:
            # What a system forgets after an error, no later sync brings back: the next hits go to another file.
            self.is_spoilt = True
            return error.strerror or str(error)
        return ""

    def sync_names(self) -> None:
        """Make durable that it is there, and the folders that were made for it.

        Raises:
            OSError: the disk is in trouble; those that are left are tried again.
        """
        for folder in tuple(self.unsynced_folders):
            sync_folder(folder)
            # The thread and a writer may be at it at the same time.
            with contextlib.suppress(ValueError):
                self.unsynced_folders.remove(folder)

    def close(self) -> None:
        """Close one that nobody else has in hand; whoever asks later finds it gone, and not what opens under its number."""
        os.close(self.fd)
        self.fd = -1

    def discard(self) -> None:
        """Close one without a hit, and leave no file of it."""
        # Systems that know no removal of open files want it closed first.
        os.close(self.fd)
        with contextlib.suppress(OSError):
            self.path.unlink()


def begin_segment(folder: Path) -> OpenSegment:
    """A new segment with its first line, locked, in a folder that is made where it is missing.

    Raises:
        OSError: it cannot be made; nothing is left of it.
    """
    try:
        return _begun(folder)
    except FileNotFoundError:
        within = _made(folder)
    segment = _begun(folder)
    segment.unsynced_folders += within
    return segment


def _made(folder: Path) -> list[Path]:
    """Make a folder, and those above it; gives the ones in which there is a new name now."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # Those that were made would be found at the next try, and nobody would know that their names are to be synced.
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
    return [path.parent for path in missing]


def _begun(folder: Path) -> OpenSegment:
    name = uuid.uuid4().hex
    path = folder / f"{name}{SUFFIX}"
    header = json.dumps({"segment": name, "v": _VERSION}, separators=(",", ":")).encode() + b"\n"
    fd = os.open(path, _FLAGS, 0o640)
    try:
        # Before its first line, because others look for the lock of what begins like a segment. Where there are no
        # locks its name is still its own.
        with contextlib.suppress(OSError):
            take_lock(fd)
        if os.write(fd, header) != len(header):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        state = os.fstat(fd)
    except OSError:
        os.close(fd)
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    is_watched = state.st_nlink == 1 and state.st_size == len(header)
    return OpenSegment(path=path, fd=fd, size=len(header), is_watched=is_watched, unsynced_folders=[folder])


def segment_name(header: bytes) -> str | None:
    """The name in a segment's first line; None when it is no segment's."""
    try:
        said = json.loads(header)
        name, version = said["segment"], said["v"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return name if version == _VERSION and isinstance(name, str) and name else None


def sync_folder(folder: Path) -> None:
    """Make the names of a folder durable, where the system can.

    Raises:
        OSError: the disk is in trouble.
    """
    if sys.platform != "win32":
        try:
            fd = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
