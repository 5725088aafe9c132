"""Layouts of the reports on reactions: opens, clicks, links and how they came over time."""

from __future__ import annotations

from msgtrack.metrics._layout import IntervalLayout as Interval
from msgtrack.metrics._layout import Layout
from msgtrack.metrics._layout import LineLayout as Line
from msgtrack.metrics._layout import LinesLayout as Lines
from msgtrack.metrics._layout import RowsLayout as Rows

__all__ = ["LAYOUTS"]

_HOUR = 3600
_CURVES = ("tracking_statistics_opens", "tracking_statistics_clicks", "tracking_statistics_transactions")
_ACTIVITIES = ("user_activities_opens", "user_activities_clicks", "user_activities_transactions")
_CLICKS = ("url_clicks", "url_clicks_percent")

_INDICATORS = Layout(
    name="tracking-indicators",
    title="Tracking indicators",
    blocks=(
        Lines(
            name="delivery",
            title="Delivery statistics",
            lines=(Line(keys=("to_deliver",)), Line(keys=("success",))),
        ),
        Lines(
            name="opens",
            title="Opens and clicks of the population reached",
            lines=(
                Line(keys=("estimated_recipient_open", "distinct_open_rate")),
                Line(keys=("estimated_total_recipient_open", "total_open_rate")),
                Line(keys=("opt_out", "opt_out_rate")),
                Line(keys=("mirror_page", "mirror_page_rate")),
                Line(keys=("forward_estimate", "forward_rate")),
            ),
        ),
        Rows(
            name="domains",
            title="By Internet domain",
            by="domain",
            columns=(
                "sends",
                "complaints",
                "domain_complaint_rate",
                "recipient_open",
                "domain_open_rate",
                "recipient_click",
                "domain_click_rate",
                "raw_reactivity",
            ),
            titles=("Sent", "Complaints", "%", "Opens", "%", "Clicks", "%", "Raw reactivity"),
            has_total=True,
        ),
        Lines(
            name="clicks",
            title="Clicks",
            lines=(
                Line(keys=("person_click", "person_click_rate")),
                Line(keys=("total_recipient_click", "total_click_rate")),
                Line(keys=("recipient_click", "recipient_click_rate"), title="Recipient clicks"),
                Line(keys=("estimated_reactivity",)),
            ),
        ),
        Lines(
            name="web",
            title="Web pages and transactions",
            lines=(
                Line(keys=("total_web_page",)),
                Line(keys=("transaction",)),
                Line(keys=("amount",)),
                Line(keys=("average_transaction_amount",)),
                Line(keys=("article",), title="Items"),
                Line(keys=("average_article_per_transaction",)),
                Line(keys=("average_amount_per_message",)),
            ),
        ),
    ),
)

_STATISTICS = Layout(
    name="tracking-statistics",
    title="Tracking statistics",
    blocks=(
        Rows(name="curve", title="Cumulated over time", by="bin", columns=_CURVES),
        *(
            Rows(
                name=f"curve-{hours}h",
                title=f"Cumulated, bins of {hours} h",
                by="bin",
                columns=_CURVES,
                bin_seconds=hours * _HOUR,
            )
            for hours in (1, 3, 24)
        ),
        Rows(
            name="pareto",
            title="Time to reach a share of all reactions",
            by="share",
            columns=("pareto_opens", "pareto_clicks", "pareto_transactions"),
            titles=("Opens", "Clicks", "Transactions"),
        ),
    ),
)

_URLS = Layout(
    name="urls-and-click-streams",
    title="URLs and click streams",
    blocks=(
        Lines(
            name="rates",
            title="Rates, and the average of the platform over six months",
            lines=(
                Line(keys=("reactivity", "platform_average_reactivity")),
                Line(keys=("distinct_clicks", "platform_average_distinct_clicks")),
                Line(keys=("cumulated_clicks", "platform_average_cumulated_clicks")),
            ),
        ),
        *(
            Rows(
                name=f"by-{by}",
                title=f"Clicks by {shown}",
                by=by,
                columns=_CLICKS,
                titles=("Clicks", "%"),
                has_total=True,
                others="url_clicks_others",
            )
            for by, shown in (("label", "label"), ("url", "URL"), ("category", "category"))
        ),
        Rows(
            name="days",
            title="Clicks by day",
            by="day",
            columns=("clicks_per_day",),
            titles=("Clicks",),
            has_total=True,
        ),
        *(
            Rows(
                name=f"days-by-{by}",
                title=f"Clicks by day and {shown}",
                by=f"day/{by}",
                columns=("clicks_per_day",),
                titles=("Clicks",),
            )
            for by, shown in (("label", "label"), ("url", "URL"), ("category", "category"))
        ),
    ),
)

_HOT_CLICKS = Layout(
    name="hot-clicks",
    title="Hot clicks",
    blocks=(
        Lines(
            name="offers",
            title="Offers",
            lines=(Line(keys=("hot_click_offer_percent",)),),
        ),
        Rows(name="links", title="By link", by="link", columns=("hot_click_percent",)),
        Rows(name="places", title="By place in the message", by="place", columns=("hot_click_percent",)),
    ),
)

_ACTIVITY = Layout(
    name="user-activities",
    title="User activities",
    blocks=(
        Rows(name="half-hours", title="By half-hour", by="bin", columns=_ACTIVITIES, has_total=True, bin_seconds=1800),
        Rows(name="hours", title="By hour", by="bin", columns=_ACTIVITIES, has_total=True, bin_seconds=_HOUR),
        Rows(name="days", title="By day", by="bin", columns=_ACTIVITIES, has_total=True, bin_seconds=24 * _HOUR),
        Rows(name="times", title="By time of day", by="time", columns=_ACTIVITIES, has_total=True),
        Rows(name="weekdays", title="By day of the week", by="weekday", columns=_ACTIVITIES, has_total=True),
    ),
)

_OPENS = Layout(
    name="breakdown-of-opens",
    title="Breakdown of opens",
    blocks=(
        Lines(name="opens", title="Opens", lines=(Line(keys=("total_recipient_open",)),)),
        *(
            Rows(
                name=f"{mobile}{by}",
                title=title,
                by=f"{mobile}{by}",
                columns=(f"opens_by_{by}",),
                titles=("Opens",),
                has_total=not mobile,
            )
            for by, shown in (("device", "device"), ("os", "operating system"), ("browser", "browser"))
            for mobile, title in (("", f"By {shown}"), ("mobile-", f"By {shown}, mobile alone"))
        ),
        Rows(
            name="domains",
            title="By Internet domain",
            by="domain",
            columns=("total_recipient_open",),
            has_total=True,
        ),
    ),
)

_INTERVAL = Layout(
    name="opens-interval",
    title="Messages read, at least and at most",
    blocks=(Interval(name="bounds", title="Messages read"),),
)

LAYOUTS: tuple[Layout, ...] = (_INDICATORS, _STATISTICS, _URLS, _HOT_CLICKS, _ACTIVITY, _OPENS, _INTERVAL)
"""In the order of the reference."""
