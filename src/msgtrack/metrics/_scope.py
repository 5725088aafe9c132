"""What a table was asked for: the counts, the moment and window of the report, and how rows are to be cut."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from attrs import field, frozen

from msgtrack.counts import Counts

__all__ = ["TOP", "Scope"]

TOP = 10
"""How many rows a ranking has before "Others", when nobody says (reference 7.3)."""


@frozen(kw_only=True)
class Scope:
    """What an indicator may know.

    - ``counts``: the numbers of the deliveries asked for; ``peers``: those of the deliveries that a platform average is
      taken over, themselves included, or None when nobody gave any;
    - ``now``: the moment of the report, or None; ``since`` and ``until``: the window of its events;
    - ``zone``: the time zone of bins and days; ``bin_seconds``: the width of bins, None to follow the time since launch;
    - ``top``: rows of a ranking before the others; ``is_several``: link ids need their delivery's id before them;
    - ``clip``: forwards below zero are shown as 0.
    """

    counts: Counts = field(factory=Counts)
    peers: Counts | None = None
    now: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    zone: tzinfo = UTC
    bin_seconds: int | None = None
    top: int = TOP
    is_several: bool = False
    clip: bool = False
