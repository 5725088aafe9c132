"""From the lines of a log to its records, stretch by stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from attrs import frozen

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io._lines import LogLines
from msgtrack.io._streams import DamagedError
from msgtrack.logs import combined, formats
from msgtrack.protocols import Batch, UnreadLines

__all__ = ["BATCH_LINES", "Parser", "Record", "batch_of", "format_told"]

T = TypeVar("T")

BATCH_LINES = 5_000
"""How many lines a stretch has at most, unless somebody says otherwise."""

_BATCH_BYTES = 4 << 20

Record = Hit | Rejected | UnreadLines
"""What a line of a log gives, or all lines of a stretch that are left as they are."""


@frozen
class Parser:
    """Makes records of lines, and tells how far it came. Without a format it is told by the lines. With ``unread`` lines in the
    combined format are left as they are.
    """

    format: formats.LogFormat | None
    batch_lines: int = BATCH_LINES
    progress: Callable[[int], object] | None = None
    unread: bool = False

    def records(
        self, lines: LogLines, format: formats.LogFormat, reader: formats.LineReader, told: Callable[[], int]
    ) -> Iterator[list[Record]]:
        """What stands in the lines, stretch by stretch; a stretch may be empty. ``told`` counts the bytes read.

        Raises:
            DamagedError: in the end, where the lines break off so.
        """
        if not self.unread or format is not combined.FORMAT:
            for found in self._stretches(lines, reader, told):
                yield [*found]
            return
        number = lines.number
        for texts in self._stretches(lines, _as_it_is, told):
            yield [UnreadLines(first=number + 1, texts=texts)]
            number = lines.number

    def _stretches(
        self, lines: LogLines, reader: Callable[[str, int], T | Rejected | None], told: Callable[[], int]
    ) -> Iterator[list[T | Rejected]]:
        records: list[T | Rejected] = []
        started, number, was_told = lines.offset, lines.number, told()
        damage = None
        try:
            for text, reason in lines:
                if reason:
                    records.append(Rejected(line=lines.number, reason=reason, text=text))
                elif (record := reader(text, lines.number)) is not None:
                    records.append(record)
                if lines.number - number >= self.batch_lines or lines.offset - started >= _BATCH_BYTES:
                    yield records
                    was_told = self._tell(told(), was_told)
                    records, started, number = [], lines.offset, lines.number
        except DamagedError as error:
            damage = error
        if lines.offset > started:
            yield records
        self._tell(told(), was_told)
        if damage is not None:
            raise damage

    def format_of(self, lines: Callable[[], Iterable[str]], name: str) -> formats.LogFormat:
        """The format asked for, else what the first lines tell.

        Raises:
            SourceError: they tell none.
        """
        return format_told(lines(), name) if self.format is None else self.format

    def _tell(self, told: int, was_told: int) -> int:
        if self.progress is not None and told > was_told:
            self.progress(told - was_told)
        return told


def format_told(lines: Iterable[str], name: str) -> formats.LogFormat:
    """The format that the first lines of a log tell.

    Raises:
        SourceError: they tell none.
    """
    found = formats.detect(lines)
    if found.name is None:
        raise SourceError(f"cannot tell the format of {name}: {found.reason}")
    return formats.get(found.name)


def batch_of(records: list[Record], position: str, scope: str) -> Batch:
    """A stretch as a batch."""
    unread = next((one for one in records if isinstance(one, UnreadLines)), None)
    read = [one for one in records if not isinstance(one, UnreadLines)]
    return Batch(records=read, position=position, scope=scope, lines=unread)


def _as_it_is(text: str, _: int) -> str:
    return text
