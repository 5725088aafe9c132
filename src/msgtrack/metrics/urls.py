"""The report "URLs and click streams": clicks per link, and the three rates above them."""

from __future__ import annotations

from functools import partial

from msgtrack.events import Click
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import all_of, partly_estimated, unbrowsed, unnamed

__all__ = ["INDICATORS"]

_LINK_GROUPS = ("link", "label", "url", "category")

_indicator = partial(Indicator, report="URLs and click streams")
_share = partial(_indicator, unit="ratio", is_share=True)

INDICATORS: tuple[Indicator, ...] = (
    _share(
        key="reactivity",
        label="Reactivity",
        field="@reactivity",
        formula="pct(recipient_click, estimated_recipient_open)",
        measure=lambda s: s.recipient_click,
        over=lambda s: s.estimated_recipient_open,
        doubts=all_of(partly_estimated, unnamed(Click.kind)),
        inputs=("recipient_click", "estimated_recipient_open"),
        estimated=True,
        notes="The estimated reactivity of the tracking indicators under its short name.",
        caveats=("image-loads",),
    ),
    _share(
        key="distinct_clicks",
        label="Distinct clicks",
        field="@distinctClicks",
        formula="pct(person_click, success)",
        measure=lambda s: s.person_click,
        over=lambda s: s.success,
        doubts=unbrowsed,
        inputs=("person_click", "success"),
        notes="A rate, although the name says clicks.",
        caveats=("browsers",),
    ),
    _share(
        key="cumulated_clicks",
        label="Cumulated clicks",
        field="@totalClicks",
        formula="pct(total_recipient_click, success)",
        measure=lambda s: s.total_recipient_click,
        over=lambda s: s.success,
        inputs=("total_recipient_click", "success"),
        notes="A rate, although the name says clicks. Opt-out and mirror-page links are not in it.",
    ),
    _indicator(
        key="url_clicks",
        label="Clicks (per link, label or category)",
        field="@_click",
        unit="count",
        formula="sum(S.total_clicks, url_id != 1) group by label | url | category",
        measure=lambda s: s.url_clicks,
        groupings=_LINK_GROUPS,
        inputs=("Event.link_id", "TrackedLink.label", "TrackedLink.url", "TrackedLink.category"),
        notes="Every link but the open, so opt-out and mirror-page links and tagged web pages too, unlike the cumulated clicks.",
    ),
    _share(
        key="url_clicks_percent",
        label="Clicks (in %)",
        formula="pct(url_clicks[g], sum(url_clicks))",
        measure=lambda s: s.url_clicks,
        over=lambda s: s.all_url_clicks,
        groupings=_LINK_GROUPS,
        inputs=("url_clicks",),
        notes="Over the clicks of all links, so that the rows of one grouping add up to 1.",
    ),
)
