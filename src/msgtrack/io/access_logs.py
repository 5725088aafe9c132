"""An access log on disk as a source of hits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.logs import formats
from msgtrack.protocols import Batch

__all__ = ["AccessLogFile"]


class AccessLogFile:
    """One access log, read line by line and on from where it was left.

    Its position is a JSON object: byte offset, number of lines, and a hash of the first line, by which a file that
    was replaced under the same name is noticed and read from its start. A last line without its end is left for
    later.

    Args:
        path: the log.
        format: a name of ``msgtrack.logs.formats``.

    Raises:
        InvalidOption: there is no such format.
    """

    def __init__(self, path: str | os.PathLike[str], *, format: str = "combined", batch_lines: int = 5_000) -> None:
        self.path = Path(path)
        self._format = formats.get(format)
        self._batch_lines = batch_lines

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position``; see :class:`msgtrack.protocols.Source`.

        Raises:
            SourceError: the file cannot be read, or the position is not one of ours.
        """
        offset, number, head = _position(position)
        try:
            with self.path.open("rb") as file:
                first = file.readline()
                identity = hashlib.sha256(first).hexdigest()[:16]
                if identity != head or offset > os.fstat(file.fileno()).st_size:
                    offset, number = 0, 0
                file.seek(offset)
                records: list[Hit | Rejected] = []
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    number += 1
                    offset += len(raw)
                    line = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
                    record = self._format.parse_line(line, number)
                    if record is not None:
                        records.append(record)
                    if len(records) >= self._batch_lines:
                        yield _batch(records, offset, number, identity)
                        records = []
                if records:
                    yield _batch(records, offset, number, identity)
        except OSError as error:
            raise SourceError(f"cannot read the access log {self.path}: {error.strerror or error}") from error


def _batch(records: list[Hit | Rejected], offset: int, number: int, identity: str) -> Batch:
    position = json.dumps({"offset": offset, "lines": number, "head": identity})
    return Batch(records=tuple(records), position=position, scope=identity)


def _position(position: str | None) -> tuple[int, int, str]:
    if not position:
        return 0, 0, ""
    try:
        said = json.loads(position)
        return int(said["offset"]), int(said["lines"]), str(said["head"])
    except (ValueError, TypeError, KeyError):
        raise SourceError(f"not a position in an access log: {position:.80}") from None
