"""A line as its server was told to write it: literal text with slots between, made into one regular expression.

Where a slot says nothing about its shape, it reaches to the first place where the literal behind it stands. There is no
way back from there, so that a line takes linear time whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import pairwise

from attrs import field, frozen

from msgtrack.errors import InvalidValue
from msgtrack.hits import Hit, Rejected
from msgtrack.logs._heads import behind_head
from msgtrack.logs._lines import ParseLine, Reads, hit_of
from msgtrack.logs._times import moment_of_parts, whole_moment

__all__ = ["MOMENT", "PARTS", "QUOTED", "WORD", "Slot", "line_parser", "reads_of"]

MOMENT, PARTS = "at", "at-parts"
"""What slots become that tell when: a moment by itself, or one of several parts of it."""

QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
"""What stands between two quotes where a quote is written with a backslash before it."""

WORD = r'[^\s"]*'
"""A value without blanks, up to the first place where the literal behind it stands."""

_IGNORED = ""
_LETTER = re.compile(r"\(\?P<(\w)>")


@frozen(kw_only=True)
class Slot:
    """A place for a value: what the log calls it, what of a hit it becomes (see :data:`msgtrack.logs._lines.FIELDS`; "" for none),
    how it looks ("" for any text up to the literal behind), and how its text is read.

    ``moment`` reads that of :data:`MOMENT`. A pattern of :data:`PARTS` has groups named by the letters of ``strftime``.
    """

    name: str
    becomes: str = _IGNORED
    pattern: str = ""
    read: Callable[[str], str] = str
    moment: Callable[[str], datetime | None] | None = field(default=None)


def reads_of(pieces: Sequence[str | Slot]) -> tuple[Reads, ...]:
    """The fields that a line's slots become, for the reference."""
    slots = [piece for piece in pieces if isinstance(piece, Slot) and piece.becomes]
    return tuple(
        Reads(field=slot.name, becomes="received_at" if slot.becomes in (MOMENT, PARTS) else slot.becomes)
        for slot in slots
    )


def line_parser(name: str, pieces: Sequence[str | Slot], *, zone: tzinfo = UTC, may_go_on: bool = False) -> ParseLine:
    """The function that reads lines of these pieces.

    Args:
        name: of the format; a line of another shape is rejected as ``not-`` and this name.
        pieces: literal texts and slots in turn.
        zone: of times that name none.
        may_go_on: whether more may follow, behind a blank.

    Raises:
        InvalidValue: two slots stand next to each other and neither says where it ends; no slot tells when, or what was asked for.
    """
    pieces = _checked(pieces)
    expression, slots = _expression(pieces)
    compiled = re.compile(expression + (r"(?: .*)?" if may_go_on else ""), re.DOTALL)
    reason = f"not-{name}"
    moments = [(place, slot.moment) for place, slot in slots if slot.moment is not None]
    has_parts = any(slot.becomes == PARTS for _, slot in slots)
    fields = [(place, slot.becomes, slot.read) for place, slot in slots if slot.becomes not in (MOMENT, PARTS)]

    def parse_line(line: str, number: int) -> Hit | Rejected | None:
        # Whatever stands first might take a head for its own.
        rest = behind_head(line)
        match = (compiled.fullmatch(rest) if rest else None) or compiled.fullmatch(line)
        if match is None:
            return None if not line or line.isspace() else Rejected(line=number, reason=reason, text=line)
        at = next((found for place, read in moments if (found := read(match[place])) is not None), None)
        if at is None and has_parts:
            at = moment_of_parts(_parts(match), zone)
        values: dict[str, str] = {}
        for place, becomes, read in fields:
            text = match[place]
            # The first that says something counts: of several headers of one meaning, most are not there.
            if text is not None and text != "-" and not values.get(becomes):
                values[becomes] = read(text)
        return hit_of(values, at, line, number)

    return parse_line


def _checked(pieces: Sequence[str | Slot]) -> list[str | Slot]:
    told = {piece.becomes for piece in pieces if isinstance(piece, Slot)}
    if not told & {MOMENT, PARTS}:
        raise InvalidValue("this format does not say when a request came")
    letters = {letter for piece in pieces if isinstance(piece, Slot) for letter in _LETTER.findall(piece.pattern)}
    if MOMENT not in told and not whole_moment(letters):
        raise InvalidValue(
            "this format does not say when a request came: it needs year, month, day, or seconds since 1970"
        )
    if not ("request" in told or ("method" in told and told & {"url", "path"})):
        raise InvalidValue("this format does not say what was asked for: the request line, or the method and the URL")
    joined: list[str | Slot] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece != "":
            joined.append(piece)
    for piece, behind in pairwise(joined):
        if isinstance(piece, Slot) and isinstance(behind, Slot) and not piece.pattern:
            raise InvalidValue(f"nothing stands between {piece.name} and {behind.name}: where one ends cannot be told")
    return joined


def _expression(pieces: Sequence[str | Slot]) -> tuple[str, list[tuple[str, Slot]]]:
    expression, slots = "", []
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            expression += re.escape(piece)
            continue
        group = f"v{number}_"
        behind = pieces[number + 1] if number + 1 < len(pieces) else None
        if piece.pattern == WORD and isinstance(behind, str):
            pattern = f"(?>{WORD}?(?={re.escape(behind)}{_port(pieces[number + 2 : number + 4])}))"
        elif piece.pattern:
            pattern = piece.pattern.replace("(?P<", f"(?P<{group}") if piece.becomes == PARTS else piece.pattern
        else:
            pattern = ".*" if not isinstance(behind, str) else f"(?>.*?(?={re.escape(behind)}))"
        expression += f"(?P<{group}>{pattern})"
        if piece.becomes != _IGNORED:
            slots.append((group, piece))
    return expression, slots


def _port(pieces: Sequence[str | Slot]) -> str:
    """How a number goes on that stands behind a word: a host may have colons of its own before that of its port."""
    if not pieces or not isinstance(pieces[0], Slot) or not pieces[0].pattern.startswith(r"\d"):
        return ""
    end = re.escape(pieces[1]) if len(pieces) > 1 and isinstance(pieces[1], str) else "$"
    return f"(?:{pieces[0].pattern}){end}"


def _parts(match: re.Match[str]) -> dict[str, str]:
    return {
        group.partition("_")[2]: text
        for group, text in match.groupdict().items()
        if text is not None and not group.endswith("_")
    }
