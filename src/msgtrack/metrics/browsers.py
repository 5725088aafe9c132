"""The report "Browsers": the user-agent statistics by browser, over all deliveries asked for together."""

from __future__ import annotations

from functools import partial

from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._programs import Programs, pages, visitors

__all__ = ["INDICATORS"]

_PROGRAMS = Programs(lambda row: row.browser, lambda row: row.browser_version)
_BY_BROWSER = {"browser": _PROGRAMS.by_family}
_BY_VERSION = {"version": _PROGRAMS.by_version}
_BY_DAY = {"day": _PROGRAMS.by_day, "browser-day": _PROGRAMS.by_family_and_day}
_BOTH_PAGES = (METRICS_PAGE, "v8 reporting/global-reports")

_indicator = partial(Indicator, report="Browsers", caveats=("user-agents",), doubts=_PROGRAMS.unseen)
_count = partial(_indicator, unit="count", sources=_BOTH_PAGES)
_share = partial(_indicator, unit="ratio", is_share=True)

INDICATORS: tuple[Indicator, ...] = (
    _count(
        key="browser_visitors",
        label="Visitors",
        field="@totalVisitors",
        formula="sum(UA.visitors)",
        measure=visitors,
        cuts={**_BY_BROWSER, **_BY_VERSION, **_BY_DAY},
        groupings=("browser", "version", "day", "browser-day"),
        inputs=("Event.client", "Client.browser", "Event.source_id", "Event.occurred_at"),
        notes="Persons who clicked, by day and program: who came on two days, or with two programs, is there twice.",
    ),
    _count(
        key="browser_pages",
        label="Pages viewed",
        field="@totalPages",
        formula="sum(UA.pages)",
        measure=pages,
        doubts=_PROGRAMS.unread,
        cuts={**_BY_BROWSER, **_BY_VERSION, **_BY_DAY},
        groupings=("browser", "version", "day", "browser-day"),
        inputs=("Event.client", "Client.browser", "Event.kind"),
        notes="Clicks on the links of all deliveries asked for, opt-out and mirror-page links too.",
    ),
    _share(
        key="browser_usage_rate",
        label="Usage rate",
        formula="pct(browser_visitors, sum(browser_visitors))",
        measure=visitors,
        over=lambda s: visitors(s) if not s.numbers else s["all_visitors"],
        cuts=_BY_BROWSER,
        groupings=("browser",),
        inputs=("browser_visitors",),
        notes="The rows add up to 1. Those past the first ten stand together under Others.",
    ),
    _share(
        key="browser_history_rate",
        label="Usage rate (history curve)",
        field="@visitors",
        formula="pct(sum(UA.visitors of the day), max over days(visitors_of_the_day))",
        measure=lambda s: s["visitors"] if s.numbers else None,
        over=lambda s: s["busiest"] if s.numbers else None,
        undefined="not-additive",
        cuts=_BY_DAY,
        groupings=("day", "browser-day"),
        inputs=("browser_visitors", "Event.occurred_at"),
        notes="Over the visitors of the busiest day, whatever their browsers; a curve, so there is none for everything.",
    ),
    _share(
        key="browser_version_global_rate",
        label="Global rate",
        formula="pct(visitors[version], visitors of all browsers)",
        measure=visitors,
        over=lambda s: visitors(s) if not s.numbers else s["all_visitors"],
        cuts=_BY_VERSION,
        groupings=("version",),
        inputs=("browser_visitors", "Client.browser_version"),
    ),
    _share(
        key="browser_version_relative_rate",
        label="Relative rate / Relative weight",
        formula="pct(visitors[version], visitors of this browser)",
        measure=lambda s: s["visitors"] if s.numbers else None,
        over=lambda s: s["family_visitors"] if s.numbers else None,
        undefined="not-additive",
        cuts=_BY_VERSION,
        groupings=("version",),
        inputs=("browser_visitors", "Client.browser_version"),
        notes="The versions of one browser add up to 1; all browsers together have none.",
    ),
)
