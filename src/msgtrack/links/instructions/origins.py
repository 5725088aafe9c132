"""Where the characters of an expanded text come from: the author's lines, and the texts that were included."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from attrs import frozen

from msgtrack.errors import CompileError, InvalidValue
from msgtrack.links.instructions.problems import problem
from msgtrack.links.positions import LineIndex

__all__ = ["Expanded", "Frame", "Origin"]


class Frame:
    """One text at one place: the author's own, or one that was included there."""

    __slots__ = ("_lines", "key", "label", "offset", "parent", "text")

    def __init__(
        self,
        text: str,
        label: str,
        *,
        key: tuple[str, str] | None = None,
        parent: Frame | None = None,
        offset: int = 0,
    ) -> None:
        self.text = text
        self.label = label
        self.key = key
        self.parent = parent
        self.offset = offset
        self._lines: LineIndex | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column in this text, both from 1."""
        if self._lines is None:
            self._lines = LineIndex(self.text)
        return self._lines.position(offset)

    def is_inside(self, key: tuple[str, str]) -> bool:
        """Whether this is the text of that kind and name, or was included by it, at however many hands."""
        frame: Frame | None = self
        while frame is not None:
            if frame.key == key:
                return True
            frame = frame.parent
        return False

    def chain(self) -> tuple[str, ...]:
        """The texts from the author's own to this one, each with the place where the next is included."""
        names = [self.label]
        frame = self
        while frame.parent is not None:
            line, column = frame.parent.place(frame.offset)
            frame = frame.parent
            names.append(f"{frame.label} (line {line}, column {column})")
        return tuple(reversed(names))

    def complain(self, offset: int, code: str, message: str, *, hint: str = "") -> CompileError:
        """The error for what is wrong at an offset of this text."""
        return problem(code, f"{' > '.join(self.chain())}: {message}", self.place(offset), hint=hint)


@frozen(kw_only=True)
class Origin:
    """Where a character comes from.

    Attributes:
        line: in the text where it was written, from 1.
        column: likewise.
        chain: that text, last, after those that include it; the first is the author's own.
    """

    line: int
    column: int
    chain: tuple[str, ...]


class Expanded:
    """A text in which every instruction is carried out, and where each of its characters comes from.

    Attributes:
        text: the text.
    """

    __slots__ = ("_frames", "_offsets", "_root", "_starts", "text")

    def __init__(
        self, text: str, root: Frame, starts: Sequence[int], frames: Sequence[Frame], offsets: Sequence[int]
    ) -> None:
        self.text = text
        self._root = root
        self._starts = starts
        self._frames = frames
        self._offsets = offsets

    def __repr__(self) -> str:
        return f"Expanded({len(self.text)} characters)"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column in the author's own text, both from 1, for an offset in the expanded one.

        What was put in by an instruction stands where that instruction does.

        Raises:
            InvalidValue: the offset lies outside the text.
        """
        frame, inside = self._found(offset)
        while frame.parent is not None:
            frame, inside = frame.parent, frame.offset
        return frame.place(inside)

    def origin(self, offset: int) -> Origin:
        """Where a character was written, be it in an included text.

        Raises:
            InvalidValue: the offset lies outside the text.
        """
        frame, inside = self._found(offset)
        line, column = frame.place(inside)
        return Origin(line=line, column=column, chain=frame.chain())

    def _found(self, offset: int) -> tuple[Frame, int]:
        if not 0 <= offset <= len(self.text):
            raise InvalidValue(f"there is no offset {offset} in a text of {len(self.text)} characters")
        if offset == len(self.text):
            return self._root, len(self._root.text)
        at = bisect_right(self._starts, offset) - 1
        start = self._offsets[at]
        return self._frames[at], ~start if start < 0 else start + offset - self._starts[at]
