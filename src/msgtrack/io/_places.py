"""Places in logs: how far a log was read, and by what its file is known again when it was renamed, compressed or cut."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from attrs import evolve, frozen

from msgtrack.errors import SourceError
from msgtrack.io._lines import MARK_BYTES, LogLines, fingerprint, first_line, first_lines
from msgtrack.io._streams import plain_stream

__all__ = ["OpenLog", "Place", "node_of"]

_TELLING_BYTES = 32
_NUMBERS = ("offset", "lines", "tail_size", "begun")
_TEXTS = ("head", "first", "tail", "state", "encoding", "node")


@frozen(kw_only=True)
class Place:
    """How far one file of a log was read.

    ``offset`` counts bytes, those of the text where the file is compressed, and ``lines`` the lines before it. The file is
    known again by what it says: ``head`` stands for its start, ``first`` for its first line, ``tail`` for the last line
    before ``offset``. ``node`` is the file's number on its disk. ``state`` is what the format needs to go on in the middle.
    Where nothing was read, ``head`` and ``tail_size`` are of the unfinished line that stands there, if any.
    ``begun`` counts how often the log was begun anew, and ``previous`` is the place in the file before this one, into
    which a server may still write for a while.
    """

    offset: int = 0
    lines: int = 0
    head: str = ""
    first: str = ""
    tail: str = ""
    tail_size: int = 0
    state: str = ""
    encoding: str = ""
    node: str = ""
    begun: int = 0
    previous: Place | None = None

    @classmethod
    def of(cls, position: str) -> Self:
        """The place of a written position.

        Raises:
            SourceError: it is none.
        """
        try:
            return cls._read(json.loads(position))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise SourceError(f"not a position in an access log: {position:.80}") from None

    @classmethod
    def _read(cls, said: Mapping[str, object], *, is_previous: bool = False) -> Self:
        before = said.get("previous")
        if before is not None and (is_previous or not isinstance(before, Mapping)):
            raise ValueError
        numbers = {name: said[name] for name in _NUMBERS}
        texts = {name: said[name] for name in _TEXTS}
        if not all(type(number) is int and number >= 0 for number in numbers.values()):
            raise ValueError
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError
        previous = None if before is None else cls._read(before, is_previous=True)
        return cls(**numbers, **texts, previous=previous)  # type: ignore[arg-type]  # looked at above

    def text(self) -> str:
        """The written position."""
        return json.dumps(self._said())

    def _said(self) -> dict[str, object]:
        said: dict[str, object] = {name: getattr(self, name) for name in (*_NUMBERS, *_TEXTS)}
        return said if self.previous is None else said | {"previous": self.previous._said()}

    def behind(self, lines: LogLines, state: str, node: str) -> Place:
        """The place that reading has come to in the same file."""
        head, first, tail_size, tail = lines.marks()
        return evolve(
            self,
            offset=lines.offset,
            lines=lines.number,
            head=head,
            first=first,
            tail=tail,
            tail_size=tail_size,
            state=state,
            encoding=lines.encoding,
            node=node,
        )

    def next(self, node: str) -> Place:
        """The start of the file that follows."""
        return Place(begun=self.begun, node=node, previous=evolve(self, previous=None))

    def with_a_start(self, start: bytes) -> Place:
        """The place in a file of which there is the start of a first line and no more."""
        return evolve(self, head=fingerprint(start), tail_size=len(start))

    def anew(self, node: str) -> Place:
        """The start of a file that has nothing to do with what was read before."""
        return Place(begun=self.begun + 1, node=node)


class OpenLog:
    """A file of a log, open, and what it was compressed with.

    Raises:
        OSError: it cannot be opened.
        MissingExtra: it is compressed, and nothing that reads it is installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: io.BufferedReader = path.open("rb")
        try:
            self.node = node_of(os.fstat(self._raw.fileno()))
            self.stream, self.compression = plain_stream(self._raw, name=path.name)
        except BaseException:
            self._raw.close()
            raise
        self.head = b""

    @property
    def size(self) -> int:
        """Bytes on the disk, now."""
        return os.fstat(self._raw.fileno()).st_size

    @property
    def told(self) -> int:
        """Bytes of the disk that were read."""
        return self._raw.tell()

    def contains(self, place: Place) -> bool:
        """Whether this is the file that the place is in; if so, reading goes on from there."""
        if not place.offset:
            begun = self._at(0, place.tail_size)
            self.head = b""
            self.stream.seek(0)
            if not place.tail_size or place.node == self.node:
                return place.node in ("", self.node) and (not place.tail_size or fingerprint(begun) == place.head)
            # A few bytes may begin any file; numbers of files that are gone are given out again.
            return bool(self.compression) and place.tail_size >= _TELLING_BYTES and fingerprint(begun) == place.head
        if not self.compression and self.size < place.offset:
            return False
        self.head = self._at(0, min(MARK_BYTES, place.offset))
        if fingerprint(self.head) != place.head:
            return False
        return fingerprint(self._at(place.offset - place.tail_size, place.tail_size)) == place.tail

    def begins(self, place: Place) -> bool:
        """Whether this file ends before the place, and has the same first line: a copy made before all was written."""
        if not place.first or (not self.compression and self.size >= place.offset):
            return False
        start = self._at(0, min(MARK_BYTES, place.offset))
        if fingerprint(first_line(start)) != place.first:
            return False
        return not self.compression or self.stream.seek(place.offset) < place.offset

    def starts_like(self, place: Place) -> bool:
        """Whether this file has the same first line as that of the place."""
        return fingerprint(first_line(self._at(0, MARK_BYTES))) == place.first

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it, now."""
        return self.size == 0

    def sample(self, offset: int) -> list[str]:
        """The first lines; reading goes on at ``offset`` then."""
        self.stream.seek(0)
        found = first_lines(self.stream)
        self.stream.seek(offset)
        return found

    def close(self) -> None:
        """Let go of the file."""
        self.stream.close()
        self._raw.close()

    def _at(self, offset: int, size: int) -> bytes:
        if self.stream.seek(offset) < offset:
            return b""
        found = b""
        while len(found) < size and (piece := self.stream.read1(size - len(found))):
            found += piece
        return found


def node_of(stat: os.stat_result) -> str:
    """What tells a file from others on its machine, whatever its name."""
    return f"{stat.st_dev:x}:{stat.st_ino:x}"
