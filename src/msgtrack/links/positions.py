"""Lines and columns of offsets in a text, for many offsets of one text."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

__all__ = ["LineIndex"]

_LINE_END = re.compile(r"\r\n|\n|\r")


class LineIndex:
    """Where the lines of a text begin; lines end with LF, CRLF or CR."""

    def __init__(self, text: str) -> None:
        if text.count("\r") == text.count("\r\n"):
            self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))][:-1]
        else:
            self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
