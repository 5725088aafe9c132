"""An access log on disk as a source of hits."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import asdict, evolve, frozen

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.logs import formats
from msgtrack.protocols import Batch

__all__ = ["AccessLogFile"]

_MAX_LINE = 1 << 20


class AccessLogFile:
    """One access log, read line by line and on from where it was left, over rotations.

    Its position is a JSON object: byte offset, number of lines, a hash of the first line, and how often the log was begun
    anew. By the hash a log that was rotated is noticed: its rest is read from the sibling file that begins so
    (``access.log.1``, ``access.log-20261121``), then what followed, then the new file. Where no such sibling is, a
    rejected line says so. A log that was cut is read from its start; what was kept before is known. A last line
    without its end is left for later.

    Args:
        path: the log.
        format: a name of ``msgtrack.logs.formats``.

    Raises:
        InvalidOption: there is no such format.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, format: str | formats.LogFormat = "combined", batch_lines: int = 5_000
    ) -> None:
        self.path = Path(path)
        self._format = formats.get(format)
        self._batch_lines = batch_lines

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the file cannot be read, or the position is not one of ours.
        """
        place = _Place.of(position)
        try:
            head = _head(self.path)
            if place.head and head != place.head:
                older = self._since(place.head)
                if not older:
                    yield place.lost(f"{self.path.name} is another file now, and the rest of the old one is not here")
                for path in older:
                    # The first of them goes on where it was left, those that followed are new.
                    place = place if _head(path) == place.head else place.anew(_head(path))
                    yield from self._read_file(path, place)
                place = place.anew(head)
            elif place.offset > self.path.stat().st_size:
                place = place.anew(head)
            yield from self._read_file(self.path, evolve(place, head=head))
        except OSError as error:
            raise SourceError(f"cannot read the access log {self.path}: {error.strerror or error}") from error

    def _since(self, head: str) -> list[Path]:
        """The rotated files from the one that begins so to the latest, the oldest first; none when it is not there."""
        others = [path for path in self.path.parent.glob(f"{glob.escape(self.path.name)}?*") if path.is_file()]
        ordered = sorted(others, key=lambda path: path.stat().st_mtime_ns)
        heads = [_head(path) for path in ordered]
        return ordered[heads.index(head) :] if head in heads else []

    def _read_file(self, path: Path, place: _Place) -> Iterator[Batch]:
        offset, number = place.offset, place.lines
        records: list[Hit | Rejected] = []
        with path.open("rb") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                offset += len(raw)
                number += 1
                record = self._format.parse_line(raw.decode("utf-8", "backslashreplace").rstrip("\r\n"), number)
                if record is not None:
                    records.append(record)
                if len(records) >= self._batch_lines:
                    yield evolve(place, offset=offset, lines=number).batch(records)
                    records = []
        if records:
            yield evolve(place, offset=offset, lines=number).batch(records)


@frozen(kw_only=True)
class _Place:
    offset: int = 0
    lines: int = 0
    head: str = ""
    begun: int = 0

    @classmethod
    def of(cls, position: str | None) -> _Place:
        if not position:
            return cls()
        try:
            said = json.loads(position)
            return cls(
                offset=int(said["offset"]), lines=int(said["lines"]), head=str(said["head"]), begun=int(said["begun"])
            )
        except (ValueError, TypeError, KeyError):
            raise SourceError(f"not a position in an access log: {position:.80}") from None

    def anew(self, head: str) -> _Place:
        """The start of another file, or of this one again."""
        return _Place(head=head, begun=self.begun + 1)

    def batch(self, records: Iterable[Hit | Rejected]) -> Batch:
        """Records that end here."""
        # A log begun anew is counted anew: its equal lines are told apart from its own start.
        return Batch(records=records, position=json.dumps(asdict(self)), scope=f"{self.head}:{self.begun}")

    def lost(self, why: str) -> Batch:
        """That lines behind this place are lost, as a rejected line."""
        return self.batch([Rejected(line=self.lines + 1, reason="rotated-away", text=why)])


def _head(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(_MAX_LINE)
    return hashlib.sha256(first).hexdigest()[:16] if first.endswith(b"\n") or len(first) == _MAX_LINE else ""
