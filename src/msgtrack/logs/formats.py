"""The table of log formats. A format is one file of this folder with one ``FORMAT`` in it, and one row here."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from msgtrack._borders import closed, shown
from msgtrack.errors import InvalidOption
from msgtrack.hits import Hit, Rejected
from msgtrack.logs import combined

__all__ = ["FORMATS", "LogFormat", "get", "names"]


@closed
@frozen(kw_only=True)
class LogFormat:
    """One format: its name, a sentence, and the function that reads a line.

    ``parse_line(line, number)`` gives the hit of a line without its end, a :class:`~msgtrack.hits.Rejected` with a
    reason, or None for a line that holds nothing (blank, a comment). It raises nothing, whatever the line.
    """

    name: str
    description: str
    parse_line: Callable[[str, int], Hit | Rejected | None]


FORMATS: dict[str, LogFormat] = {
    "combined": LogFormat(
        name="combined",
        description="Apache's and nginx's combined log: address, user, time, request, status, size, referrer, agent",
        parse_line=combined.parse_line,
    ),
}


def names() -> tuple[str, ...]:
    """All formats there are, sorted."""
    return tuple(sorted(FORMATS))


def get(name: str) -> LogFormat:
    """The format of a name.

    Raises:
        InvalidOption: there is none; the message lists those there are.
    """
    wanted: object = name
    found = FORMATS.get(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise InvalidOption(f"format={shown(wanted)} is not one of: {', '.join(names())}")
    return found
