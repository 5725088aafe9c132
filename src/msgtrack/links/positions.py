"""Lines and columns of offsets in a text, for many offsets of one text."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import Protocol

__all__ = ["LineIndex", "Positions"]

_LINE_END = re.compile(r"\r\n|\n|\r")


class Positions(Protocol):
    """Knows where in the author's text an offset stands."""

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        ...


class LineIndex:
    """Where the lines of a text begin; lines end with LF, CRLF or CR."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._questions = 0

    @cached_property
    def _starts(self) -> list[int]:
        # Only compiled messages that somebody looks into are asked for positions.
        text = self._text
        if text.count("\r") == text.count("\r\n"):
            return [0, *accumulate(len(line) + 1 for line in text.split("\n"))][:-1]
        return [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        self._questions += 1
        # One or two answers come cheaper by counting than by an index.
        if self._questions < 3 and "\r" not in self._text:
            before = self._text.count("\n", 0, offset)
            return before + 1, offset - self._text.rfind("\n", 0, offset)
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
