"""Many log files at once: each is cut into parts, the parts are folded wherever there is room, and their tallies merged.

The result is that of one process that reads all files from their start to their end. A part is read as if nothing stood before it;
where that would have mattered (an event equal to one of the same second in the part before, a head of columns in the middle of a
file), it is read again, on from where the part before it ended. So a part may be read anywhere, in any order, and as often as
somebody likes.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from importlib import import_module
from os import PathLike
from typing import Protocol, runtime_checkable

from attrs import define, evolve, field, frozen

from msgtrack._borders import closed, count, flag, shown, text_id
from msgtrack._by_columns import columns_of
from msgtrack._collecting import Collecting
from msgtrack.clients import ClientReader
from msgtrack.decide import Reason
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, PartOrdinals
from msgtrack.io._parts import LogPart, PartReader, files_of, parts_of
from msgtrack.logs.formats import LogFormat
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Resolver
from msgtrack.tally import Tally
from msgtrack.webtags import WebTags
from msgtrack.workflow import KEPT_REJECTS

__all__ = ["DaskClient", "LogTally", "tally_logs"]

PART_BYTES = 64 << 20

Files = str | PathLike[str] | Iterable[str | PathLike[str]]
"""A log: one file, or several, the oldest first."""


@runtime_checkable
class DaskClient(Protocol):
    """What is asked of a ``dask.distributed.Client``."""

    def get_executor(self, *, pure: bool) -> Executor:
        """The client as an executor of the standard library."""
        ...


@closed
@frozen(kw_only=True)
class LogTally:
    """What stands in some logs.

    ``tally`` holds the events; of ``lines`` read there were ``hits``, of which came ``events`` (those with one id count each time
    here), and ``skipped`` counts the other hits by reason. ``rejected`` counts lines that could not be read, by reason; ``rejects`` are the
    first hundred of them, each with its file as ``source``. ``parts`` were folded, ``again`` of them twice.
    """

    tally: Tally
    lines: int = field(default=0, converter=count)
    hits: int = field(default=0, converter=count)
    events: int = field(default=0, converter=count)
    skipped: Mapping[str, int] = field(factory=dict)
    rejected: Mapping[str, int] = field(factory=dict)
    rejects: tuple[Rejected, ...] = ()
    parts: int = field(default=0, converter=count)
    again: int = field(default=0, converter=count)


def tally_logs(
    logs: Mapping[str, Files],
    *,
    tracker: Resolver,
    format: str | LogFormat = "combined",
    people: PeoplePolicy | None = None,
    tags: WebTags | None = None,
    clients: ClientReader | None = None,
    executor: Executor | DaskClient | None = None,
    rotated: bool = False,
    part_bytes: int = PART_BYTES,
    rejected: Callable[[Rejected], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> LogTally:
    """The tally of all events in some access logs, the same wherever their parts are folded.

    The events are those of :func:`msgtrack.collect` over the same sources: the same ids, and opens of one message within one
    minute are one. Nobody writes into the files any more: a last line without its end is a line. A compressed file that is
    damaged gives what stands before the damage, and a rejected line that says so.

    Args:
        logs: the files of each log by the log's name, which stands in each event and tells equal events of two logs apart. Several
            files of one log are read one behind the other, the oldest first.
        tracker: who reads tracked URLs. It travels to where parts are folded, with its secrets.
        format: as of :class:`msgtrack.io.AccessLogFile`.
        people: as of ``collect``.
        tags: as of ``collect``.
        clients: as of ``collect``.
        executor: who folds the parts: an executor of ``concurrent.futures``, or a ``dask.distributed.Client`` (``pip install
            "msgtrack[dask]"``), whose workers see the files under the same names. None: this process, one after the other.
        rotated: with each file those that it was rotated into, the oldest first.
        part_bytes: how long a part of a file is. Compressed files are one part each.
        rejected: is given each line that could not be read, in order; such as ``RejectWriter(...).write``.
        progress: is told how many more parts were folded and merged.

    Returns:
        the tally, to which messages, links and deliveries may be added, and numbers of what was read.

    Raises:
        SourceError: a file cannot be read, was cut meanwhile, or its lines tell no format.
        InvalidOption: there is no such format, a number is out of range, or what the workers need cannot be sent to them.
        InvalidValue: a log names no file, or something else is not what it should be.
        MissingExtra: a file is compressed with zstd, and nothing that reads it is installed.
    """
    collecting = Collecting(tracker=tracker, people=people, tags=tags, clients=clients)
    if isinstance(part_bytes, bool) or not isinstance(part_bytes, int) or part_bytes < 1:
        raise InvalidOption(f"part_bytes={shown(part_bytes)} must be a whole number from 1 on")
    steps = list(_steps(logs, format, with_rotated=flag(rotated), part_bytes=part_bytes))
    merger = _Merger(collecting, _executor(executor, collecting, steps), rejected, progress)
    return merger.all(steps)


@frozen
class _Step:
    """A part to fold, and of which log."""

    log: str
    part: LogPart
    begins_log: bool


@frozen
class _Start:
    """What stands before a part, as far as it matters."""

    ordinals: Ordinals
    state: str


@frozen(kw_only=True)
class _Folded:
    """What a part holds."""

    tally: Tally
    ordinals: Ordinals
    state: str
    lines: int
    hits: int
    events: int
    skipped: Counter[str]
    rejects: list[Rejected]


def _fold(collecting: Collecting, step: _Step, start: _Start | None) -> _Folded:
    """Fold a part on from where it starts; None: as if nothing stood before it."""
    ordinals = PartOrdinals() if start is None else Ordinals(start.ordinals.state())
    columns = columns_of(collecting, step.log)
    state = step.part.state if start is None else start.state
    reader = PartReader(step.part, state=state, unread=columns is not None)
    tally, skipped, rejects = Tally(), Counter[str](), list[Rejected]()
    hits = events = 0
    for records in reader.records():
        kept = []
        for record in records:
            if isinstance(record, Rejected):
                rejects.append(record)
            elif isinstance(record, Hit):
                hits += 1
                event = collecting.event(record, step.log, ordinals)
                if isinstance(event, Reason):
                    skipped[event.value] += 1
                else:
                    kept.append(event)
            elif columns is not None:
                rejects += columns.read(record, ordinals)
        tally.extend(kept)
        events += len(kept)
        if columns is not None:
            taken = columns.take()
            tally.extend_columns(taken)
            events += len(taken)
    if columns is not None:
        hits += columns.hits
        skipped += columns.skipped
    return _Folded(
        tally=tally,
        ordinals=ordinals,
        state=reader.state,
        lines=reader.lines,
        hits=hits,
        events=events,
        skipped=skipped,
        rejects=rejects,
    )


@define
class _Merger:
    """Merges what parts hold, in the order of the logs, and has those folded again that did not know enough."""

    collecting: Collecting
    executor: Executor | None
    rejected: Callable[[Rejected], object] | None
    progress: Callable[[int], object] | None
    tally: Tally = field(factory=Tally, init=False)
    lines: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)
    events: int = field(default=0, init=False)
    again: int = field(default=0, init=False)
    skipped: Counter[str] = field(factory=Counter, init=False)
    reasons: Counter[str] = field(factory=Counter, init=False)
    rejects: list[Rejected] = field(factory=list, init=False)

    def all(self, steps: list[_Step]) -> LogTally:
        """Fold and merge all of them."""
        waiting: list[Future[_Folded]] = []
        try:
            if self.executor is not None:
                waiting += [self.executor.submit(_fold, self.collecting, step, None) for step in steps]
            start, lines = _Start(Ordinals(), ""), 0
            # What was merged is let go of: a tally is about as large as what it was made of.
            waiting.reverse()
            for step in steps:
                if step.part.is_first:
                    start, lines = _Start(Ordinals() if step.begins_log else start.ordinals, ""), 0
                found, ordinals = self._behind(start, step, waiting.pop() if waiting else None)
                self._take(found, step.part.path, lines)
                start, lines = _Start(ordinals, found.state), lines + found.lines
        finally:
            for future in waiting:
                future.cancel()
        return LogTally(
            tally=self.tally,
            lines=self.lines,
            hits=self.hits,
            events=self.events,
            skipped=dict(sorted(self.skipped.items())),
            rejected=dict(sorted(self.reasons.items())),
            rejects=tuple(self.rejects),
            parts=len(steps),
            again=self.again,
        )

    def _behind(self, start: _Start, step: _Step, alone: Future[_Folded] | None) -> tuple[_Folded, Ordinals]:
        """What a part holds behind what stands before it, and the ordinals behind both."""
        if self.executor is None or alone is None:
            found = _fold(self.collecting, step, start)
            return found, found.ordinals
        found = alone.result()
        if step.part.state == start.state and isinstance(found.ordinals, PartOrdinals):
            ordinals = found.ordinals.behind(start.ordinals)
            if ordinals is not None:
                return found, ordinals
        self.again += 1
        found = self.executor.submit(_fold, self.collecting, step, start).result()
        return found, found.ordinals

    def _take(self, found: _Folded, path: str, lines: int) -> None:
        self.tally.absorb(found.tally)
        self.lines += found.lines
        self.hits += found.hits
        self.events += found.events
        self.skipped += found.skipped
        for one in found.rejects:
            told = evolve(one, line=lines + one.line, source=path)
            self.reasons[told.reason] += 1
            if len(self.rejects) < KEPT_REJECTS:
                self.rejects.append(told)
            if self.rejected is not None:
                self.rejected(told)
        if self.progress is not None:
            self.progress(1)


def _steps(
    logs: Mapping[str, Files], format: str | LogFormat, *, with_rotated: bool, part_bytes: int
) -> Iterator[_Step]:
    given: object = logs
    if not isinstance(given, Mapping):
        raise InvalidValue(f"logs must be a mapping of names to files, not {shown(given)}")
    for name, files in logs.items():
        log, begins_log = text_id(name), True
        for path in _files(log, files):
            for one in files_of(path, with_rotated=with_rotated):
                for part in parts_of(one, format=format, part_bytes=part_bytes):
                    yield _Step(log, part, begins_log)
                    begins_log = False


def _files(log: str, files: Files) -> list[str | PathLike[str]]:
    given: object = files
    found = [given] if isinstance(given, str | PathLike) else list(given) if isinstance(given, Iterable) else []
    if not found or not all(isinstance(one, str | PathLike) for one in found):
        raise InvalidValue(f"the log {log!r} must be a file or several, not {shown(given)}")
    return found


def _executor(executor: object, collecting: Collecting, steps: list[_Step]) -> Executor | None:
    if isinstance(executor, DaskClient):
        _check_travel(collecting, steps, import_module("cloudpickle").dumps)
        # A part that was folded once may have changed since, so what is remembered of it is not asked for.
        return executor.get_executor(pure=False)
    if executor is not None and not isinstance(executor, Executor):
        raise InvalidOption(
            f"executor={shown(executor)} folds no parts",
            hint="give an executor of concurrent.futures, or a dask.distributed.Client",
        )
    if isinstance(executor, ProcessPoolExecutor):
        _check_travel(collecting, steps, pickle.dumps)
    return executor


def _check_travel(collecting: Collecting, steps: list[_Step], dumps: Callable[[object], bytes]) -> None:
    """Make sure that what parts need can be sent to other processes, before anything is."""
    formats = {id(step.part.format): step.part.format for step in steps}
    try:
        dumps((collecting, *formats.values()))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidOption(
            f"what a part needs cannot be sent to other processes: {error}",
            hint="formats of your own travel with Dask, registries on a store do not; threads need no travelling",
        ) from error
