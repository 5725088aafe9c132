"""Access logs on disk, and those that come through a pipe, as sources of hits."""

from __future__ import annotations

import glob
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from attrs import evolve

from msgtrack._borders import shown
from msgtrack._options import switch, zero_or_more
from msgtrack.errors import InvalidOption, SourceError
from msgtrack.io._lines import LogLines, first_lines
from msgtrack.io._parser import BATCH_LINES, Parser, batch_of
from msgtrack.io._paths import path_of
from msgtrack.io._places import Place
from msgtrack.io._rotation import logs_of
from msgtrack.io._streams import DamagedError, plain_stream
from msgtrack.io._turns import Absent, Turns
from msgtrack.logs import formats
from msgtrack.protocols import Batch

__all__ = ["AccessLogFile", "AccessLogStream", "find_logs", "sample_lines"]

_MOST_TURNS = 100
_PEEKED = 1 << 16


class AccessLogFile:
    """One access log, read line by line and on from where it was left, over rotations.

    Files compressed with gzip, bzip2, xz or zstd are read as they are. The position is a JSON object: byte offset and number
    of lines, hashes of the file's start and of the last line read, and what the format needs to go on. By the hashes a log that
    was rotated is noticed: its rest is read from the file that it became, compressed or not (``access.log.1``,
    ``access.log.2.gz``, ``access.log-20261121``, ``access-20261121.log``, a copy), then what followed, then the new file. A
    server may go on writing into the old file: what comes there is read until the next rotation.

    Where no such file is, a rejected line says so: ``rotated-away`` when another file stands there, ``truncated`` when the same
    was cut and begins otherwise. A log that was cut and begins as before is read from its start; what was kept before is known.
    Other reasons for lines that no format ever sees: ``line-too-long`` (over 1 MiB), ``nul-bytes``, ``damaged-file``.

    A last line without its end is left for later; at the end of a compressed file it is one.

    Args:
        path: the log.
        format: a name of ``msgtrack.logs.formats``, a format, or ``auto``: each file's first lines tell it.
        batch_lines: how many lines a batch has at most.
        rotated: begin with the files that the log was rotated into, where nothing was read before.
        finish: nobody writes any more: a last line without its end is a line.
        follow: go on for ever, as ``tail -F`` does, and wait for what is written. Close the iterator to stop.
        pause_seconds: between two looks at a log that is followed.
        sleep: waits so long.
        progress: is told how many more bytes of the disk were read.

    Raises:
        InvalidOption: there is no such format, or a number is out of range.
        InvalidValue: ``path`` is no path.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | formats.LogFormat = "combined",
        batch_lines: int = BATCH_LINES,
        rotated: bool = False,
        finish: bool = False,
        follow: bool = False,
        pause_seconds: float = 1.0,
        sleep: Callable[[float], object] = time.sleep,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.path = path_of("path", path)
        self._parser = Parser(_format(format), _at_least_one("batch_lines", batch_lines), progress)
        self._rotated, self._finish = switch("rotated", rotated), switch("finish", finish)
        self._follows = switch("follow", follow)
        zero_or_more(pause_seconds=pause_seconds)
        self._pause_seconds, self._sleep = pause_seconds, sleep

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the file cannot be read, its compressed bytes are damaged, or the position is not one of ours.
            MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
        """
        turns = self._turns(position, self._parser)
        return self._follow(turns) if self._follows else self._read(turns)

    def read_lines(self, position: str | None) -> Iterator[Batch]:
        """The same batches, but lines in the combined format come unread; see :class:`msgtrack.protocols.LineSource`.

        Raises:
            SourceError: as :meth:`read` does.
            MissingExtra: as :meth:`read` does.
        """
        if self._follows:
            return self.read(position)
        return self._read(self._turns(position, evolve(self._parser, unread=True)))

    def _turns(self, position: str | None, parser: Parser) -> Turns:
        place = Place.of(position) if position else None
        return Turns(self.path, parser, place=place, rotated=self._rotated, finish=self._finish)

    def _read(self, turns: Turns) -> Iterator[Batch]:
        with closing(turns):
            for _ in range(_MOST_TURNS):
                yield from turns.turn()
                if not turns.has_moved:
                    return
        raise SourceError(f"the files of the access log {self.path} are renamed faster than they can be read")

    def _follow(self, turns: Turns) -> Iterator[Batch]:
        with closing(turns):
            while True:
                # As with tail -F, a log may come later.
                with suppress(Absent):
                    yield from turns.turn()
                if not turns.has_moved:
                    self._sleep(self._pause_seconds)


class AccessLogStream:
    """An access log that comes through a pipe, or from any file of bytes: read once, to its end.

    There is no going back in a pipe, so its position only counts how often one was read, and each is read from where it stands.
    A last line without its end is a line.

    Args:
        file: open for bytes, such as ``sys.stdin.buffer``; compressed or not.
        format: a name of ``msgtrack.logs.formats``, a format, or ``auto``: each file's first lines tell it.
        batch_lines: how many lines a batch has at most.
        progress: is told how many more bytes of the text were read.

    Raises:
        InvalidOption: there is no such format, or a number is out of range.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        format: str | formats.LogFormat = "combined",
        batch_lines: int = BATCH_LINES,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._raw = _buffered(file)
        self._parser = Parser(_format(format), _at_least_one("batch_lines", batch_lines), progress)

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches of all that is still to come; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: it cannot be read, its compressed bytes are damaged, or the position is not one of ours.
            MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
        """
        if position and not (position.isascii() and position.isdigit() and len(position) < 19):
            raise SourceError(f"not a position in a stream: {position:.80}")
        turn = str(int(position or 0) + 1)
        try:
            stream, _ = plain_stream(self._raw, name="the stream")
            start = stream.peek(_PEEKED)
            if not start:
                return
            format = self._parser.format_of(lambda: _complete(start), "the stream")
            lines = LogLines(stream, finish=True)
            for records in self._parser.records(lines, format, format.reader(), lambda: lines.offset):
                yield batch_of(records, turn, f"stream:{turn}")
        except DamagedError as error:
            raise SourceError(f"the compressed stream is damaged, or ends too early: {error}") from error
        except OSError as error:
            raise SourceError(f"cannot read the stream: {error.strerror or error}") from error


def sample_lines(file: str | os.PathLike[str] | BinaryIO, *, most: int = 200) -> tuple[str, ...]:
    """The first lines of a log, compressed or not, to show to ``msgtrack.logs.formats.detect``.

    A file of bytes is read from where it stands, and is somewhere behind those lines then.

    Raises:
        SourceError: it cannot be read.
        MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
    """
    name = os.fspath(file) if isinstance(file, str | os.PathLike) else "the stream"
    try:
        if not isinstance(file, str | os.PathLike):
            return tuple(first_lines(plain_stream(_buffered(file), name=name)[0], most))
        with Path(file).open("rb") as raw:
            return tuple(first_lines(plain_stream(raw, name=name)[0], most))
    except DamagedError as error:
        raise SourceError(f"{name} is damaged, or ends too early: {error}") from error
    except OSError as error:
        raise SourceError(f"cannot read the access log {name}: {error.strerror or error}") from error


def find_logs(pattern: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The logs that a pattern such as ``/var/log/*/access.log*`` means, sorted; each once, whatever it was rotated into.

    Read them with ``AccessLogFile(path, rotated=True)``. A path without ``*``, ``?`` and ``[``, or that is there as it stands, means
    itself.

    Raises:
        SourceError: the pattern means no file.
    """
    wanted = os.fspath(pattern)
    if not glob.has_magic(wanted) or Path(wanted).exists():
        return (Path(wanted),)
    # Path.glob takes no pattern that begins at the root.
    found = [path for path in map(Path, glob.glob(wanted, recursive=True)) if path.is_file()]  # noqa: PTH207
    if not found:
        raise SourceError(f"no file is like {wanted}")
    return tuple(logs_of(found))


class _Raw(io.RawIOBase):
    """A file of bytes that has ``read`` and no more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as io.RawIOBase calls it
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _buffered(file: BinaryIO) -> io.BufferedReader:
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(_Raw(file))


def _complete(start: bytes) -> list[str]:
    """The lines of some bytes; the last one, which may be cut, only where it is all there is."""
    lines = first_lines(io.BufferedReader(io.BytesIO(start)))
    return lines[:-1] or lines


def _format(format: object) -> formats.LogFormat | None:
    return None if format == "auto" else formats.get(format)  # type: ignore[arg-type]  # says itself what is wrong


def _at_least_one(option: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{option}={shown(value)} must be a whole number from 1 on")
    return value
