"""Looks at a log and the files that it was rotated into: what there is to read behind a place, whatever happened to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import define, evolve, field, frozen

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io._lines import LogLines
from msgtrack.io._places import OpenLog, Place, node_of
from msgtrack.io._rotation import Rotated, rotated
from msgtrack.io._streams import DamagedError
from msgtrack.logs import formats
from msgtrack.protocols import Batch

__all__ = ["Absent", "Parser", "Turns"]

_BATCH_BYTES = 4 << 20

Record = Hit | Rejected


class Absent(SourceError):
    """The log is not there, and nothing that it could have become."""


class _MovedError(Exception):
    """A file was renamed while it was looked at: another look helps."""


@frozen
class Parser:
    """Makes records of lines, and tells how far it came."""

    format: formats.LogFormat
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

    def _tell(self, told: int, was_told: int) -> int:
        if self.progress is not None and told > was_told:
            self.progress(told - was_told)
        return told


@define
class Turns:
    """Looks at one log, one after the other, on from a place (None: nothing was read yet).

    After a look ``place`` is behind what was read, and ``has_moved`` says that files were renamed meanwhile, so that another look
    is needed at once.
    """

    path: Path
    parser: Parser
    place: Place | None = field(kw_only=True)
    rotated: bool = field(kw_only=True)
    finish: bool = field(kw_only=True)
    has_moved: bool = False
    _held: OpenLog | None = None
    _opened: list[OpenLog] = field(factory=list)
    _damage: str = ""

    def turn(self) -> Iterator[Batch]:
        """All that is there now.

        Raises:
            Absent: there is no log.
            SourceError: a file cannot be read, or the last one is damaged.
        """
        self.has_moved, self._damage = False, ""
        current = None
        try:
            if self.place is not None and self.place.previous is not None:
                yield from self._late_lines(leaving=False)
            current = self._current()
            yield from self._all(current)
        except (_MovedError, FileNotFoundError):
            self.has_moved = True
        except OSError as error:
            raise SourceError(f"cannot read the access log {self.path}: {error.strerror or error}") from error
        finally:
            # The log stays open: who renames and deletes it between two looks takes nothing from us.
            if current is not None:
                self._held = current
            self._close(but=self._held)
        if self._damage:
            raise SourceError(self._damage)

    def close(self) -> None:
        """Let go of all files."""
        self._held = None
        self._close(but=None)

    def _close(self, *, but: OpenLog | None) -> None:
        for log in self._opened:
            if log is not but:
                log.close()
        self._opened = [log for log in self._opened if log is but]

    def _open(self, path: Path) -> OpenLog:
        log = OpenLog(path)
        self._opened.append(log)
        return log

    def _current(self) -> OpenLog | None:
        try:
            return self._open(self.path)
        except FileNotFoundError:
            return None

    def _still(self, current: OpenLog | None) -> None:
        """Make sure that what was listed beside the log was so while the log was this file."""
        try:
            node = node_of(self.path.stat())
        except FileNotFoundError:
            node = ""
        if node != ("" if current is None else current.node):
            raise _MovedError

    def _others(self) -> list[Rotated]:
        try:
            return rotated(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _all(self, current: OpenLog | None) -> Iterator[Batch]:
        place = self.place
        if place is not None and current is not None and _contains(current, place):
            yield from self._rest(current)
            return
        others = self._others()
        self._still(current)
        if place is None:
            older = [one for one in others if one.is_member] if self.rotated else []
            if current is None and not older:
                raise self._absent()
            yield from self._following(older, current)
        elif (found := self._found(others, place)) is not None:
            log, following = found
            yield from self._rest(log)
            yield from self._following(following, current)
        elif current is not None and (copied := self._copied(others, place, current)) is not None:
            yield from self._following(copied, current)
        elif self._held is not None and _contains(self._held, place):
            yield from self._rest(self._held, finish=True)
            yield from self._following([], current)
        elif current is not None:
            yield from self._anew(place, current)
        else:
            raise self._absent()

    def _absent(self) -> Absent:
        return Absent(f"cannot read the access log {self.path}: there is no such file")

    def _found(self, others: list[Rotated], place: Place) -> tuple[OpenLog, list[Rotated]] | None:
        """The file that holds the place, and those that followed it."""
        for at in reversed(range(len(others))):
            log = self._open(others[at].path)
            if _contains(log, place):
                return log, _following(others, at)
            self._close_last()
        return None

    def _copied(self, others: list[Rotated], place: Place, current: OpenLog) -> list[Rotated] | None:
        """What followed a copy that was made of the log before all was written that we read, where the log was then cut."""
        if current.node != place.node:
            return None
        for at in reversed(range(len(others))):
            log = self._open(others[at].path)
            if _asks(log, lambda log: log.begins(place)):
                return _following(others, at)
            self._close_last()
        return None

    def _close_last(self) -> None:
        self._opened.pop().close()

    def _anew(self, place: Place, current: OpenLog) -> Iterator[Batch]:
        """The log from its start, when what was read of it is gone."""
        self.place = place.anew(current.node)
        # Nothing is lost with a file of which nothing was read, nor where the same lines stand at the start again.
        if place.offset and not current.starts_like(place):
            name = self.path.name
            if current.node == place.node:
                told = Rejected(line=place.lines + 1, reason="truncated", text=f"{name} was cut behind what was read")
            else:
                why = f"{name} is another file now, and the rest of the old one is not here"
                told = Rejected(line=place.lines + 1, reason="rotated-away", text=why)
            yield _batch([told], self.place)
        _contains(current, self.place)
        yield from self._rest(current)

    def _rest(self, log: OpenLog, *, finish: bool = False) -> Iterator[Batch]:
        """What stands behind our place in the file that holds it."""
        for records, place in self._read(log, self.place or Place(node=log.node), finish=finish):
            self.place = place
            yield _batch(records, place)

    def _following(self, files: Iterable[Rotated], current: OpenLog | None) -> Iterator[Batch]:
        """What stands in the files that followed, the log itself last; our place moves on to a file as soon as a line stands there."""
        for one in files:
            log = self._open(one.path)
            if log.node != one.node:
                raise _MovedError
            yield from self._whole(log)
            self._opened.remove(log)
            log.close()
        if current is not None:
            yield from self._whole(current)

    def _whole(self, log: OpenLog) -> Iterator[Batch]:
        start = Place(node=log.node) if self.place is None else self.place.next(log.node)
        _contains(log, start)
        is_first = True
        for records, place in self._read(log, start):
            if is_first and self.place is not None and self.place.previous is not None:
                yield from self._late_lines(leaving=True)
            if is_first and self._damage:
                lines = 0 if place.previous is None else place.previous.lines
                records.insert(0, Rejected(line=lines + 1, reason="damaged-file", text=self._damage))
                self._damage = ""
            is_first, self.place = False, place
            yield _batch(records, place)
        if self.place is None:
            self.place = start

    def _late_lines(self, *, leaving: bool) -> Iterator[Batch]:
        """What a server wrote into the file before ours since we left it; packed files are done, and so are those two rotations ago."""
        place = self.place or Place()
        before = place.previous or Place()
        others = self._others()
        if not leaving and any(one.node == before.node and one.size == before.offset for one in others):
            return
        found = self._found(others, before)
        if found is not None:
            log, _ = found
            is_done = leaving or bool(log.compression)
            was, self._damage = self._damage, ""
            for records, moved in self._read(log, before, finish=is_done):
                self.place = evolve(place, previous=moved)
                yield _batch(records, self.place)
            if self._damage:
                told = Rejected(line=before.lines + 1, reason="damaged-file", text=self._damage)
                yield _batch([told], evolve(place, previous=None))
            self._damage = was
            self._close_last()
            if not is_done:
                return
        self.place = evolve(place, previous=None)

    def _read(self, log: OpenLog, place: Place, *, finish: bool = False) -> Iterator[tuple[list[Record], Place]]:
        lines = LogLines(
            log.stream,
            offset=place.offset,
            number=place.lines,
            head=log.head,
            encoding=place.encoding,
            finish=finish or self.finish or bool(log.compression),
        )
        reader = self.parser.format.reader(place.state)
        try:
            for records in self.parser.records(lines, reader, lambda: log.told):
                yield self._named(records, log), place.behind(lines, reader.state, log.node)
        except DamagedError as error:
            self._damage = f"{log.path} is damaged behind line {lines.number}, or ends too early: {error}"

    def _named(self, records: list[Record], log: OpenLog) -> list[Record]:
        if log.path == self.path:
            return records
        return [evolve(one, source=log.path.name) if isinstance(one, Rejected) else one for one in records]


def _batch(records: list[Record], place: Place) -> Batch:
    # A log begun anew is counted anew: its equal lines are told apart from its own start.
    return Batch(records=records, position=place.text(), scope=f"log:{place.begun}")


def _contains(log: OpenLog, place: Place) -> bool:
    return _asks(log, lambda log: log.contains(place))


def _asks(log: OpenLog, question: Callable[[OpenLog], bool]) -> bool:
    """The answer of a file, no where it is too damaged to give one."""
    try:
        return question(log)
    except DamagedError:
        return False


def _following(others: list[Rotated], at: int) -> list[Rotated]:
    one = others[at]
    if one.is_member:
        return others[at + 1 :]
    return [other for other in others if other.is_member and other.written_ns > one.written_ns]
