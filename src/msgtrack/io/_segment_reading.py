"""A folder of segments as a source: those that are being written, those that are closed, and compressed ones."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from attrs import evolve, frozen

from msgtrack._borders import shown
from msgtrack._options import above_zero
from msgtrack.errors import MsgtrackError, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io._paths import path_of
from msgtrack.io._segment_files import MAX_HEADER, MAX_LINE, PACKED, SUFFIX, segment_name
from msgtrack.io._segment_packing import unpacked_bytes
from msgtrack.protocols import Batch
from msgtrack.records import from_json

__all__ = ["SegmentFolder"]

_Places = dict[str, tuple[int, int]]
_LEAST = 18
"""Bytes of the head and the tail of a gzip file (RFC 1952)."""
# What gzip says of a file that is not what it should be.
_BROKEN = (gzip.BadGzipFile, zlib.error)


class SegmentFolder:
    """The segments of a folder as a source: every complete line of every segment, each once.

    Its position is a JSON object: of each segment the bytes and lines read. Compressed segments (``.gz``) are read as
    the same lines at the same places, so reading goes on in one where it stopped in the other. A last line without
    its end is left for later: it is being written, or its writer died before it answered; of a compressed segment,
    which nobody writes any more, it is one rejected line. So are a line of more than a megabyte, a file that is no
    segment, and the end of one that cannot be decompressed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, batch_lines: int = 5_000) -> None:
        self.folder = path_of("folder", folder)
        above_zero(batch_lines=batch_lines)
        self._batch_lines = batch_lines

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the folder is missing, a file cannot be read, or the position is not one of ours.
        """
        known = _places(position)
        if not self.folder.is_dir():
            raise SourceError(f"there is no folder of segments at {self.folder}")
        files = list(self._files())
        # What is gone from the folder is forgotten, or the position would grow for ever.
        there = {key for file in files for key in (file.name, file.broken)}
        places = {name: place for name, place in known.items() if name in there}
        for file in files:
            if segment_name(file.header) is not None:
                yield from self._read_file(file, places)
            elif file.name not in places:
                places[file.name] = (0, 0)
                yield _rejected(file, 1, "not-a-segment", _text(file.header), places)

    def _files(self) -> Iterator[_File]:
        # The folder is looked through again for compressed ones, and only then: what is compressed meanwhile would be
        # missed else, and forgotten.
        for ending in (SUFFIX, PACKED):
            for path in sorted(self.folder.glob(f"*{ending}")):
                found = _looked_at(path)
                if found is not None:
                    yield found

    def _read_file(self, file: _File, places: _Places) -> Iterator[Batch]:
        offset, number = max(places.get(file.name, (0, 0)), (len(file.header), 1))
        if _is_done(file, offset, places):
            return
        records: list[Hit | Rejected] = []
        trouble = ""
        lines = _lines(file, offset)
        while True:
            try:
                raw, length = next(lines, (b"", 0))
            except _BROKEN as error:
                trouble = str(error)
                break
            if not length:
                break
            number += 1
            if raw.strip():
                records.append(_record(raw, f"{file.name}:{offset}", number, file.path.name))
            offset += length
            places[file.name] = (offset, number)
            if len(records) >= self._batch_lines:
                yield Batch(records=records, position=_position(places), scope=file.name)
                records = []
        if records:
            yield Batch(records=records, position=_position(places), scope=file.name)
        if trouble:
            places[file.broken] = (file.size, 0)
            yield _rejected(file, number + 1, "broken-compression", trouble, places)


@frozen(kw_only=True)
class _File:
    """A file of the folder, as it was found."""

    path: Path
    header: bytes
    size: int

    @property
    def is_packed(self) -> bool:
        return self.path.name.endswith(PACKED)

    @property
    def name(self) -> str:
        """The segment's name, or what stands for it in positions where there is none."""
        return segment_name(self.header) or f"not a segment: {self.path.name}"

    @property
    def broken(self) -> str:
        """What stands in positions for a file that was told to be broken."""
        return f"broken: {self.path.name}"

    def open(self) -> IO[bytes]:
        if self.is_packed:
            return cast("IO[bytes]", gzip.open(self.path, "rb"))
        return self.path.open("rb")


def _looked_at(path: Path) -> _File | None:
    """The file with its first line; None when it is gone, or has no whole first line yet."""
    with _reading(path):
        try:
            file = _File(path=path, header=b"", size=path.stat().st_size)
            if file.is_packed and file.size < _LEAST:
                return None
            with file.open() as opened:
                header = opened.readline(MAX_HEADER)
        except (FileNotFoundError, EOFError):
            # What ends too early is being copied here.
            return None
        except _BROKEN as error:
            return evolve(file, header=f"{error}"[:MAX_HEADER].encode())
    is_whole = header.endswith(b"\n") or len(header) == MAX_HEADER
    return evolve(file, header=header) if is_whole else None


def _is_done(file: _File, offset: int, places: _Places) -> bool:
    """Whether a compressed file was read to its end; else each run would decompress all of them."""
    if not file.is_packed:
        return False
    if file.broken in places:
        return places[file.broken][0] == file.size
    with contextlib.suppress(OSError):
        return unpacked_bytes(file.path) == offset % 2**32
    return False


def _lines(file: _File, offset: int) -> Iterator[tuple[bytes, int]]:
    """The lines from ``offset`` on, with their ends, and their lengths; of compressed files also what stands behind the
    last end. Of a line that is too long only the beginning is given.
    """
    path = file.path
    with _reading(path), contextlib.suppress(EOFError), contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(file.open())
        except FileNotFoundError:
            # Compressed or removed since it was looked at.
            path = path.with_name(path.name.removesuffix(SUFFIX) + PACKED)
            if file.is_packed or not path.exists():
                return
            file = evolve(file, path=path)
            opened = stack.enter_context(file.open())
        opened.seek(offset)
        while raw := opened.readline(MAX_LINE + 1):
            length, end = len(raw), raw[-1:]
            while end != b"\n" and (more := opened.readline(MAX_LINE)):
                length, end = length + len(more), more[-1:]
            if end != b"\n" and not file.is_packed:
                return
            yield raw, length


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN:
        raise
    except OSError as error:
        raise SourceError(f"cannot read the segment {path}: {error.strerror or error}") from error


def _rejected(file: _File, line: int, reason: str, text: str, places: _Places) -> Batch:
    record = Rejected(line=line, reason=reason, text=text, source=file.path.name)
    return Batch(records=(record,), position=_position(places), scope=file.name)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _record(raw: bytes, request_id: str, line: int, source: str) -> Hit | Rejected:
    text = _text(raw)
    if len(raw) > MAX_LINE:
        return Rejected(line=line, reason="line-too-long", text=text, source=source)
    if not raw.endswith(b"\n"):
        return Rejected(line=line, reason="torn-line", text=text, source=source)
    try:
        return evolve(from_json(text, Hit), request_id=request_id)
    except MsgtrackError as error:
        return Rejected(line=line, reason=error.code, text=text, source=source)


def _position(places: _Places) -> str:
    return json.dumps(places, sort_keys=True)


def _places(position: str | None) -> _Places:
    if position is None or position == "":
        return {}
    try:
        if not isinstance(position, str):
            raise TypeError
        return {name: (int(offset), int(line)) for name, (offset, line) in json.loads(position).items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise SourceError(f"not a position in a folder of segments: {shown(position)}") from None
