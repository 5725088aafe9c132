"""Rejected lines kept in a file: JSON lines, each with the number of the line, the reason, and the text as found."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from msgtrack.errors import MsgtrackError, SourceError
from msgtrack.hits import Rejected
from msgtrack.io._lines import LogLines
from msgtrack.io._paths import path_of
from msgtrack.records import from_json, to_json

__all__ = ["RejectWriter", "read_rejects"]


class RejectWriter:
    """Appends rejected lines to a file, and counts them by reason in ``reasons``.

    Where nothing is rejected no file is made; what is written after ``close`` opens it again. Use it in a ``with`` block, or close it.

    Raises:
        SourceError: the file cannot be written; ``write`` and ``close`` too.
        InvalidValue: ``path`` is no path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path_of("path", path)
        self.reasons: Counter[str] = Counter()
        self._file: BinaryIO | None = None
        if not self.path.parent.is_dir():
            # Told now, and not after an hour of reading.
            raise SourceError(f"cannot write the rejected lines {self.path}: there is no such folder")

    def write(self, rejected: Rejected | Iterable[Rejected]) -> None:
        """Append one line, or several."""
        several = [rejected] if isinstance(rejected, Rejected) else list(rejected)
        if not several:
            return
        try:
            if self._file is None:
                self._file = self.path.open("ab")
            self._file.write(b"".join(to_json(one).encode() + b"\n" for one in several))
        except OSError as error:
            raise self._failed(error) from error
        self.reasons.update(one.reason for one in several)

    def close(self) -> None:
        """Write what is held back, and close; may be called again."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _failed(self, error: OSError) -> SourceError:
        return SourceError(f"cannot write the rejected lines {self.path}: {error.strerror or error}")


def read_rejects(path: str | os.PathLike[str]) -> Iterator[Rejected]:
    """The rejected lines of a file that :class:`RejectWriter` wrote, one by one.

    A line of it that cannot be read comes out as a rejected line itself, with the reason ``not-a-reject``; a last line without its end, of
    a writer that was killed, too.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            lines = LogLines(file, finish=True)
            for text, reason in lines:
                if text or reason:
                    yield _rejected(text, reason, lines.number)
    except OSError as error:
        raise SourceError(f"cannot read the rejected lines {path}: {error.strerror or error}") from error


def _rejected(text: str, reason: str, number: int) -> Rejected:
    if not reason:
        try:
            return from_json(text, Rejected)
        except MsgtrackError:
            reason = "not-a-reject"
    return Rejected(line=number, reason=reason, text=text)
