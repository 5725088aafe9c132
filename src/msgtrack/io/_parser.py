"""From the lines of a log to its records, stretch by stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io._lines import LogLines
from msgtrack.io._streams import DamagedError
from msgtrack.logs import formats

__all__ = ["Parser", "Record"]

_BATCH_BYTES = 4 << 20

Record = Hit | Rejected
"""What a line of a log gives."""


@frozen
class Parser:
    """Makes records of lines, and tells how far it came. Without a format it is told by the lines."""

    format: formats.LogFormat | None
    batch_lines: int
    progress: Callable[[int], object] | None

    def records(self, lines: LogLines, reader: formats.LineReader, told: Callable[[], int]) -> Iterator[list[Record]]:
        """What stands in the lines, stretch by stretch; a stretch may be empty. ``told`` counts the bytes read.

        Raises:
            DamagedError: in the end, where the lines break off so.
        """
        records: list[Record] = []
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
        if self.format is not None:
            return self.format
        found = formats.detect(lines())
        if found.name is None:
            raise SourceError(f"cannot tell the format of {name}: {found.reason}")
        return formats.get(found.name)

    def _tell(self, told: int, was_told: int) -> int:
        if self.progress is not None and told > was_told:
            self.progress(told - was_told)
        return told
