"""The report "Operating systems": the user-agent statistics by system; visitors and pages are averages per day."""

from __future__ import annotations

from functools import partial

from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._messages import all_of
from msgtrack.metrics._programs import Programs, pages, period_days, splits_days, visitors
from msgtrack.metrics._sums import Sums

__all__ = ["INDICATORS"]

_PROGRAMS = Programs(lambda row: row.os, lambda row: row.os_version)
_BY_OS = {"os": _PROGRAMS.by_family}
_BY_VERSION = {"version": _PROGRAMS.by_version}
_BY_DAY = {"day": _PROGRAMS.by_day, "os-day": _PROGRAMS.by_family_and_day}
_BOTH_PAGES = (METRICS_PAGE, "v8 reporting/global-reports")
_AGENTS = ("user-agents",)


def _split(sums: Sums) -> tuple[str, ...]:
    return ("partial-window",) if splits_days(sums.scope) else ()


_indicator = partial(Indicator, report="Operating systems", unit="ratio")
_average = partial(
    _indicator,
    over=lambda s: s["days"] if s.numbers else period_days(s.scope),
    cuts={**_BY_OS, **_BY_VERSION, **_BY_DAY},
    groupings=("os", "version", "day", "os-day"),
    sources=_BOTH_PAGES,
    caveats=("choice", *_AGENTS),
)
_share = partial(_indicator, is_share=True, caveats=_AGENTS, doubts=_PROGRAMS.unseen)

INDICATORS: tuple[Indicator, ...] = (
    _average(
        key="os_visitors",
        label="Visitors",
        field="@totalVisitors / @days",
        formula="sum(UA.visitors) / days",
        measure=visitors,
        doubts=all_of(_PROGRAMS.unseen, _split),
        inputs=("Event.client", "Client.os", "Event.source_id", "Event.occurred_at"),
        notes="Per day, unlike the visitors by browser. Days are those that the window touches; where it is open, those from "
        "the first visit to the last.",
    ),
    _average(
        key="os_pages",
        label="Pages viewed",
        field="@totalPages / @days",
        formula="sum(UA.pages) / days",
        measure=pages,
        doubts=all_of(_PROGRAMS.unread, _split),
        inputs=("Event.client", "Client.os", "Event.kind", "Event.occurred_at"),
        notes="Per day: clicks on the links of all deliveries asked for, opt-out and mirror-page links too.",
    ),
    _share(
        key="os_usage_rate",
        label="Usage rate",
        formula="pct(os_visitors, sum(os_visitors))",
        measure=visitors,
        over=lambda s: visitors(s) if not s.numbers else s["all_visitors"],
        cuts=_BY_OS,
        groupings=("os",),
        inputs=("os_visitors",),
        notes="The rows add up to 1; the days of the averages cancel out. Those past the first ten stand under Others.",
    ),
    _share(
        key="os_history_rate",
        label="Usage rate (history curve)",
        field="@visitors",
        formula="pct(sum(UA.visitors of the day), max over days(visitors_of_the_day))",
        measure=lambda s: s["visitors"] if s.numbers else None,
        over=lambda s: s["busiest"] if s.numbers else None,
        undefined="not-additive",
        cuts=_BY_DAY,
        groupings=("day", "os-day"),
        inputs=("os_visitors", "Event.occurred_at"),
        notes="Over the visitors of the busiest day, whatever their systems; a curve, so there is none for everything.",
    ),
    _share(
        key="os_version_global_rate",
        label="Global rate",
        formula="pct(visitors[version], visitors of all systems)",
        measure=visitors,
        over=lambda s: visitors(s) if not s.numbers else s["all_visitors"],
        cuts=_BY_VERSION,
        groupings=("version",),
        inputs=("os_visitors", "Client.os_version"),
    ),
    _share(
        key="os_version_relative_rate",
        label="Relative rate",
        formula="pct(visitors[version], visitors of this system)",
        measure=lambda s: s["visitors"] if s.numbers else None,
        over=lambda s: s["family_visitors"] if s.numbers else None,
        undefined="not-additive",
        cuts=_BY_VERSION,
        groupings=("version",),
        inputs=("os_visitors", "Client.os_version"),
        notes="The versions of one system add up to 1; all systems together have none.",
    ),
)
