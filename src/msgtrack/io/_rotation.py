"""The files that a log was rotated into: which they are, and in which order they were written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from msgtrack.io._places import node_of

__all__ = ["Rotated", "logs_of", "rotated"]

_PACKED = r"(?P<packed>\.(?:gz|bz2|zst|zstd|xz))?"
_DATE = r"\d{8}(?:[T_.-]?\d{2,10}Z?)?|\d{4}-\d\d-\d\d(?:[T_.-]\d\d[-:.]?\d\d(?:[-:.]?\d\d)?Z?)?|\d{10}"
_ENDING = rf"(?:\.(?P<number>\d{{1,4}})|[._-](?P<date>{_DATE}))(?P<again>\.\d{{1,3}})?"
_NAME = re.compile(rf"(?P<stem>.+?){_ENDING}(?P<suffix>\.(?!gz|zst|xz)[a-z]{{1,8}})?{_PACKED}")


@frozen(kw_only=True)
class Rotated:
    """A file beside a log that seems to have been it.

    ``number`` or ``date`` is what its name says; one whose name says neither (``access.log.old``) is no part of the set, but may
    hold the rest of what was read.
    """

    path: Path
    node: str
    size: int
    written_ns: int
    number: int | None = None
    date: str = ""
    again: int = 0
    is_packed: bool = False

    @property
    def is_member(self) -> bool:
        """Whether its name says when it was written."""
        return self.number is not None or bool(self.date)


def rotated(log: Path) -> list[Rotated]:
    """The files that a log may have been rotated into, the oldest first; of one that is there twice, packed and not, the latter.

    By their numbers (``.2`` is older than ``.1``) or their dates, where all names have the same; else by the time they were written.
    Those whose names say neither come first.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    with os.scandir(log.parent) as entries:
        for entry in entries:
            if entry.name != log.name and (entry.name.startswith((log.name, log.stem))) and entry.is_file():
                member = _member(log, entry)
                if member is not None:
                    found.append(member)
    strangers = sorted((one for one in found if not one.is_member), key=_by_time)
    members: dict[object, Rotated] = {}
    for one in sorted(found, key=lambda one: not one.is_packed):
        if one.is_member:
            # Packing goes on beside the file, which is whole for as long as it is there.
            members[one.number, one.date, one.again] = one
    return strangers + _in_order(members.values())


def logs_of(paths: Iterable[Path]) -> list[Path]:
    """The logs among some files, each once, and in its place those that it was rotated into.

    Where files with dates in their names are all there is (``access-20261121.log``), the log is what they would be without
    (``access.log``), there or not. A number says something only beside the log itself.
    """
    given = {*paths}
    logs = set()
    for path in given:
        match = _NAME.fullmatch(path.name)
        log = path if match is None else path.with_name(match["stem"] + (match["suffix"] or ""))
        is_rotated = match is not None and (match["date"] or log in given or log.exists())
        logs.add(log if is_rotated else path)
    return sorted(logs)


def _member(log: Path, entry: os.DirEntry[str]) -> Rotated | None:
    stat = entry.stat()
    path = log.with_name(entry.name)
    match = _NAME.fullmatch(entry.name)
    if match is not None and match["stem"] + (match["suffix"] or "") == log.name:
        return Rotated(
            path=path,
            node=node_of(stat),
            size=stat.st_size,
            written_ns=stat.st_mtime_ns,
            number=None if match["number"] is None else int(match["number"]),
            date=re.sub(r"\D", "", match["date"] or ""),
            again=int((match["again"] or ".0")[1:]),
            is_packed=match["packed"] is not None,
        )
    if not entry.name.startswith(log.name):
        return None
    return Rotated(path=path, node=node_of(stat), size=stat.st_size, written_ns=stat.st_mtime_ns)


def _by_time(one: Rotated) -> tuple[int, str]:
    return one.written_ns, one.path.name


def _in_order(members: Iterable[Rotated]) -> list[Rotated]:
    found = list(members)
    if all(one.number is not None for one in found):
        return sorted(found, key=lambda one: (-(one.number or 0), -one.again))
    if all(one.date for one in found):
        return sorted(found, key=lambda one: (one.date, one.again))
    return sorted(found, key=_by_time)
