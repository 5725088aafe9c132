"""Looks at a log and the files that it was rotated into: what there is to read behind a place, whatever happened to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import define, evolve, field

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io._lines import LogLines
from msgtrack.io._parser import Parser, Record, batch_of
from msgtrack.io._places import OpenLog, Place, node_of
from msgtrack.io._rotation import Rotated, rotated
from msgtrack.io._streams import DamagedError
from msgtrack.protocols import Batch

__all__ = ["Absent", "Turns"]


class Absent(SourceError):
    """The log is not there, and nothing that it could have become."""


class _MovedError(Exception):
    """A file was renamed while it was looked at: another look helps."""


@define
class Turns:
    """Looks at one log, one after the other, on from a place (None: nothing was read yet).

    After a look ``place`` is behind what was read, and ``has_moved`` says that files were renamed meanwhile, so that another look
    is needed at once.

    One thing is not seen: lines written into a file that was empty when it was rotated, where it is packed before the next look and a line
    of the file behind it was read already.
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
    _start: bytes | None = None
    _others: list[Rotated] = field(factory=list)

    def turn(self) -> Iterator[Batch]:
        """All that is there now.

        Raises:
            Absent: there is no log.
            SourceError: a file cannot be read, or the last one is damaged.
        """
        self.has_moved, self._damage = False, ""
        current = None
        try:
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
        """Make sure that the log is still this file."""
        try:
            node = node_of(self.path.stat())
        except FileNotFoundError:
            node = ""
        if node != ("" if current is None else current.node):
            raise _MovedError

    def _list(self, current: OpenLog | None) -> None:
        """What stands beside the log, at the moment when the log is this file."""
        try:
            found = rotated(self.path)
        except FileNotFoundError:
            if self.path.parent.is_dir():
                raise
            found = []
        # A log that is a link to the latest of its files is there twice.
        self._others = [one for one in found if current is None or one.node != current.node]
        self._still(current)

    def _all(self, current: OpenLog | None) -> Iterator[Batch]:
        place = self.place
        if place is not None and current is not None and _contains(current, place):
            if place.previous is not None:
                self._list(current)
                yield from self._late_lines(len(self._others), leaving=False)
                _contains(current, self.place or place)
            yield from self._rest(current)
            return
        self._list(current)
        if place is None:
            older = [at for at, one in enumerate(self._others) if one.is_member and self.rotated]
            if current is None and not older:
                raise self._absent()
            yield from self._following(older, current)
        elif (found := self._found(place, len(self._others))) is not None:
            log, at = found
            yield from self._late_lines(at, leaving=False)
            yield from self._rest(log)
            yield from self._following(self._behind(at), current, at)
        elif not place.offset and place.previous is not None:
            # Nothing tells an empty file from others once it was packed; it comes behind the one before it.
            self.place = place.previous
            yield from self._all(current)
        elif current is not None and (copied := self._copied(place, current)) is not None:
            yield from self._late_lines(copied, leaving=True)
            yield from self._following(self._behind(copied), current, copied)
        elif self._held is not None and _contains(self._held, place):
            yield from self._rest(self._held, finish=True)
            yield from self._following([], current)
        elif current is not None:
            yield from self._anew(place, current)
        else:
            raise self._absent()

    def _absent(self) -> Absent:
        return Absent(f"cannot read the access log {self.path}: there is no such file")

    def _found(self, place: Place, end: int) -> tuple[OpenLog, int] | None:
        """The file that holds the place, and which it is among those before ``end``; the latest first."""
        for at in reversed(range(end)):
            log = self._open(self._others[at].path)
            # The number of an empty file that was packed may be given to another packed one.
            if _contains(log, place) and not (log.compression and not place.offset and not place.tail_size):
                return log, at
            self._close_last()
        return None

    def _copied(self, place: Place, current: OpenLog) -> int | None:
        """Which file is a copy that was made of the log before all was written that we read, where the log was then cut."""
        if current.node != place.node:
            return None
        for at in reversed(range(len(self._others))):
            log = self._open(self._others[at].path)
            is_copy = _asks(log, lambda log: log.begins(place))
            self._close_last()
            if is_copy:
                return at
        return None

    def _behind(self, at: int) -> list[int]:
        """Which files followed one."""
        one, numbered = self._others[at], range(len(self._others))
        if one.is_member:
            return list(numbered[at + 1 :])
        return [n for n in numbered if self._others[n].is_member and self._others[n].written_ns > one.written_ns]

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

    def _following(self, files: Iterable[int], current: OpenLog | None, at: int | None = None) -> Iterator[Batch]:
        """What stands in the files that followed ours (which is ``at``), the log itself last; our place moves on to the log as
        soon as a line stands there.
        """
        for following in files:
            one = self._others[following]
            log = self._open(one.path)
            if log.node != one.node:
                raise _MovedError
            yield from self._whole(log, at)
            if not log.compression and self._start is not None:
                # Somebody may still be writing its first line, and will not be seen from the next file.
                start = self._next(log).with_a_start(self._start)
                yield from self._late_lines(at, leaving=True)
                self.place = start
            at = following
            self._close_last()
        if current is not None:
            yield from self._whole(current, at)

    def _next(self, log: OpenLog) -> Place:
        return Place(node=log.node) if self.place is None else self.place.next(log.node)

    def _whole(self, log: OpenLog, at: int | None) -> Iterator[Batch]:
        """All of a file that follows ours."""
        start = self._next(log)
        _contains(log, start)
        is_first, behind_damage = True, False
        for records, place in self._read(log, start):
            if is_first:
                yield from self._late_lines(at, leaving=True)
                if self._damage:
                    lines = 0 if place.previous is None else place.previous.lines
                    records.insert(0, Rejected(line=lines + 1, reason="damaged-file", text=self._damage))
                    self._damage, behind_damage = "", True
            # Nothing more comes of a damaged file.
            is_first, self.place = False, evolve(place, previous=None) if behind_damage else place
            yield _batch(records, self.place)

    def _late_lines(self, at: int | None, *, leaving: bool) -> Iterator[Batch]:
        """What a server wrote into the file before ours (which is ``at``) since we left it. Packed files are done, and so are
        those two rotations ago.
        """
        place = self.place
        if place is None or place.previous is None or at is None:
            return
        before = place.previous
        if not leaving and any(one.node == before.node and one.size == before.offset for one in self._others[:at]):
            return
        found = self._found(before, at)
        is_done = True
        if found is not None:
            log, _ = found
            is_done = leaving or bool(log.compression)
            start, damage, self._damage = self._start, self._damage, ""
            for records, moved in self._read(log, before, finish=is_done):
                self.place = evolve(place, previous=moved)
                yield _batch(records, self.place)
            if self._damage:
                told = Rejected(line=before.lines + 1, reason="damaged-file", text=self._damage)
                yield _batch([told], evolve(place, previous=None))
            self._start, self._damage = start, damage
            self._opened.remove(log)
            log.close()
        if is_done:
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
        self._start = None
        try:
            if log.is_empty:
                self._start = b""
                return
            format = self.parser.format_of(lambda: log.sample(place.offset), log.path.name)
            reader = format.reader(place.state)
            for records in self.parser.records(lines, format, reader, lambda: log.told):
                yield self._named(records, log), place.behind(lines, reader.state, log.node)
            if not lines.offset:
                self._start = lines.unfinished
        except DamagedError as error:
            self._damage = f"{log.path} is damaged behind line {lines.number}, or ends too early: {error}"

    def _named(self, records: list[Record], log: OpenLog) -> list[Record]:
        if log.path == self.path:
            return records
        return [one if isinstance(one, Hit) else evolve(one, source=log.path.name) for one in records]


def _batch(records: list[Record], place: Place) -> Batch:
    # A log begun anew is counted anew: its equal lines are told apart from its own start.
    return batch_of(records, place.text(), f"log:{place.begun}")


def _contains(log: OpenLog, place: Place) -> bool:
    return _asks(log, lambda log: log.contains(place))


def _asks(log: OpenLog, question: Callable[[OpenLog], bool]) -> bool:
    """The answer of a file, no where it is too damaged to give one."""
    try:
        return question(log)
    except DamagedError:
        return False
