"""Access logs in parts that can be read each by itself: stretches of plain files, and compressed files as a whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from msgtrack.errors import SourceError
from msgtrack.hits import Rejected
from msgtrack.io._lines import LogLines, encoding_of, first_lines
from msgtrack.io._parser import Parser, Record, format_told
from msgtrack.io._places import node_of
from msgtrack.io._rotation import rotated
from msgtrack.io._streams import DamagedError, compression_of, plain_stream
from msgtrack.logs import formats

__all__ = ["LogPart", "PartReader", "files_of", "parts_of"]

_CHUNK = 1 << 16
_PEEKED = 16


@frozen(kw_only=True)
class LogPart:
    """A stretch of a log file that begins and ends between two lines; without an ``end`` the whole of it.

    ``format`` is a name, or a format that has none of ours; ``state`` is what its reader probably knows where the part begins.
    """

    path: str
    format: str | formats.LogFormat
    start: int = 0
    end: int | None = None
    state: str = ""

    @property
    def is_first(self) -> bool:
        """Whether a file begins with it."""
        return self.start == 0


def files_of(path: str | os.PathLike[str], *, with_rotated: bool) -> list[str]:
    """A log, behind the files that it was rotated into, the oldest first; the log itself may be gone.

    Raises:
        SourceError: there is none of them, or the folder cannot be read.
    """
    log = Path(path)
    try:
        node = node_of(log.stat()) if log.exists() else ""
        older = [one for one in rotated(log) if one.is_member and one.node != node] if with_rotated else []
    except OSError as error:
        raise _unreadable(log, error) from error
    if not node and not older:
        raise SourceError(f"cannot read the access log {log}: there is no such file")
    return [*(str(one.path) for one in older), *([str(log)] if node else [])]


def parts_of(path: str, *, format: str | formats.LogFormat, part_bytes: int) -> list[LogPart]:
    """A file cut between lines into parts of about ``part_bytes``; an empty file has none.

    Compressed files stay whole, as nothing can be read from their middle, and so do those in UTF-16.

    Args:
        path: the file.
        format: its format, or ``auto``: its first lines tell it.
        part_bytes: how long a part is; longer where a line ends later.

    Raises:
        SourceError: the file cannot be read, or its lines tell no format.
        MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
    """
    try:
        with Path(path).open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            if not size:
                return []
            start = raw.peek(_PEEKED)[:_PEEKED]
            is_whole = bool(compression_of(start)) or encoding_of(start) != "utf-8"
            ends = [size] if is_whole else list(_ends(raw, size, part_bytes))
            raw.seek(0)
            read = _format(raw, path, format)
            known = read if isinstance(read, formats.LogFormat) else formats.get(read)
            state = _state_behind(raw, known) if len(ends) > 1 and known.begin is not None else ""
    except DamagedError as error:
        raise SourceError(f"{path} is damaged, or ends too early: {error}") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if is_whole:
        return [LogPart(path=path, format=read)]
    return [
        LogPart(path=path, format=read, start=begin, end=end, state=state if begin else "")
        for begin, end in zip([0, *ends], ends, strict=False)
    ]


class PartReader:
    """Reads the lines of a part, once; ``lines`` are counted within it, and ``state`` is what the format's reader knows.

    With ``unread`` lines in the combined format are left as they are.

    Raises:
        InvalidOption: there is no such format.
    """

    def __init__(self, part: LogPart, *, state: str, unread: bool = False) -> None:
        self._part, self._unread = part, unread
        self._format = part.format if isinstance(part.format, formats.LogFormat) else formats.get(part.format)
        self.lines, self.state = 0, state

    def records(self) -> Iterator[list[Record]]:
        """What stands in the lines, stretch by stretch. Rejected lines are numbered within the part.

        Where a compressed file is damaged a last rejected line says so.

        Raises:
            SourceError: the file cannot be read, or is shorter than it was.
            MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
        """
        part, path = self._part, Path(self._part.path)
        try:
            with path.open("rb") as raw:
                if part.end is None:
                    stream, _ = plain_stream(raw, name=path.name)
                    lines = LogLines(stream, finish=True)
                else:
                    raw.seek(part.start)
                    lines = LogLines(_Stretch(raw, part.end - part.start), encoding="utf-8", finish=True)
                yield from self._read(lines)
        except OSError as error:
            raise _unreadable(path, error) from error
        if part.end is not None and lines.offset < part.end - part.start:
            raise SourceError(f"{path} was cut while it was read: it ends before byte {part.end}")

    def _read(self, lines: LogLines) -> Iterator[list[Record]]:
        reader = self._format.reader(self.state)
        parser = Parser(self._format, unread=self._unread)
        try:
            yield from parser.records(lines, self._format, reader, lambda: 0)
        except DamagedError as error:
            text = f"{self._part.path} is damaged behind line {lines.number}, or ends too early: {error}"
            yield [Rejected(line=lines.number + 1, reason="damaged-file", text=text)]
        self.lines, self.state = lines.number, reader.state


class _Stretch:
    """The next bytes of a file, and no more than so many."""

    def __init__(self, raw: io.BufferedReader, size: int) -> None:
        self._raw, self._left = raw, size

    def read1(self, size: int = -1, /) -> bytes:
        data = self._raw.read1(self._left if size < 0 else min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data

    def peek(self, size: int, /) -> bytes:
        return self._raw.peek(size)[: self._left]

    def seek(self, offset: int, /) -> int:
        raise io.UnsupportedOperation(f"a stretch of a file is read from its start, not from {offset}")

    def close(self) -> None:
        self._raw.close()


def _ends(raw: io.BufferedReader, size: int, part_bytes: int) -> Iterator[int]:
    end = 0
    while end + part_bytes < size:
        end = _end_of_line(raw, end + part_bytes - 1, size)
        yield end
    if end < size:
        yield size


def _end_of_line(raw: io.BufferedReader, at: int, size: int) -> int:
    """Where the line ends that a byte is in."""
    raw.seek(at)
    while chunk := raw.read(_CHUNK):
        found = chunk.find(b"\n")
        if found >= 0:
            return min(at + found + 1, size)
        at += len(chunk)
    return size


def _format(raw: io.BufferedReader, path: str, format: str | formats.LogFormat) -> str | formats.LogFormat:
    """The format by its name, where it has one: a name travels to other processes, and what it stands for does not."""
    if format == "auto":
        name = Path(path).name
        return format_told(first_lines(plain_stream(raw, name=name)[0]), name).name
    known = formats.get(format)
    return known.name if formats.FORMATS.get(known.name) is known else known


def _state_behind(raw: io.BufferedReader, format: formats.LogFormat) -> str:
    raw.seek(0)
    reader = format.reader()
    for number, line in enumerate(first_lines(raw), 1):
        reader(line, number)
    return reader.state


def _unreadable(path: object, error: OSError) -> SourceError:
    return SourceError(f"cannot read the access log {path}: {error.strerror or error}")
