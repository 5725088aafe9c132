"""Layouts of the reports on sending: what was prepared, delivered, refused, and how fast."""

from __future__ import annotations

from msgtrack.metrics._layout import Layout
from msgtrack.metrics._layout import LineLayout as Line
from msgtrack.metrics._layout import LinesLayout as Lines
from msgtrack.metrics._layout import RowsLayout as Rows

__all__ = ["LAYOUTS"]

_UNITS = ("Messages per hour", "Bits per second")
_RATES = ("throughput_messages_per_hour", "throughput_bits_per_second")

_SUMMARY = Layout(
    name="delivery-summary",
    title="Delivery summary",
    blocks=(
        Lines(
            name="population",
            title="Population",
            lines=(Line(keys=("total_target",)), Line(keys=("reject", "reject_rate"))),
        ),
        Rows(
            name="causes",
            title="Causes of exclusion",
            by="cause",
            columns=("exclusion_by_cause",),
            titles=("Excluded",),
            has_total=True,
        ),
        Rows(
            name="reasons",
            title="Reasons of exclusion",
            by="reason",
            columns=("exclusion_by_cause",),
            titles=("Excluded",),
            has_total=True,
        ),
        Lines(
            name="sending",
            title="Sending",
            lines=(
                Line(keys=("summary_to_deliver",)),
                Line(keys=("summary_success", "summary_success_rate")),
                Line(keys=("error", "error_rate")),
                Line(keys=("new_quarantine", "new_quarantine_rate")),
            ),
        ),
    ),
)

_STATISTICS = Layout(
    name="delivery-statistics",
    title="Delivery statistics",
    blocks=(
        Rows(
            name="domains",
            title="By Internet domain",
            by="domain",
            columns=(
                "processed",
                "delivered",
                "hard_bounce",
                "hard_bounce_rate",
                "soft_bounce",
                "soft_bounce_rate",
                "stats_opens",
                "stats_clicks",
                "stats_unsubscriptions",
            ),
            titles=("Processed", "Delivered", "Hard", "%", "Soft", "%", "Opens", "Clicks", "Opt-outs"),
            has_total=True,
        ),
    ),
)

_BOUNCES = Layout(
    name="non-deliverables",
    title="Non-deliverables and bounces",
    blocks=(
        Rows(
            name="types",
            title="By type of error",
            by="reason",
            columns=("error_value", "error_contribution", "error_breakdown"),
            titles=("Errors", "Contribution", "Breakdown"),
            has_total=True,
        ),
        Rows(
            name="domains",
            title="By Internet domain",
            by="domain",
            columns=("domain_error_value", "domain_error_contribution", "domain_error_breakdown"),
            titles=("Errors", "Contribution", "Breakdown"),
            has_total=True,
        ),
        Rows(
            name="types-by-domain",
            title="Types of error by Internet domain",
            by="domain",
            columns=(
                "total_processed",
                "unknown_user",
                "invalid_domain",
                "unreachable",
                "disabled",
                "mailbox_full",
                "not_connected",
                "refused",
                "total_errors",
            ),
            titles=(
                "Processed",
                "Unknown",
                "Domain",
                "Unreachable",
                "Disabled",
                "Full",
                "Not connected",
                "Refused",
                "Errors",
            ),
            has_total=True,
        ),
    ),
)

_THROUGHPUT = Layout(
    name="delivery-throughput",
    title="Delivery throughput",
    blocks=(
        Rows(name="all", title="Over time", by="bin", columns=_RATES, titles=_UNITS),
        Rows(name="success", title="Over time, successes", by="bin-success", columns=_RATES, titles=_UNITS),
        Rows(name="error", title="Over time, errors", by="bin-error", columns=_RATES, titles=_UNITS),
        Rows(
            name="outcomes",
            title="From the first to the last",
            by="outcome",
            columns=_RATES,
            titles=_UNITS,
            has_total=True,
        ),
    ),
)

_CUMULATED = Layout(
    name="cumulated",
    title="Several deliveries together",
    blocks=(
        Rows(
            name="deliveries",
            title="By delivery",
            by="delivery",
            columns=(
                "summary_to_deliver",
                "processed",
                "summary_success",
                "summary_success_rate",
                "error",
                "error_rate",
                "stats_opens",
                "stats_clicks",
                "stats_unsubscriptions",
            ),
            has_total=True,
        ),
    ),
)

_CHANNELS = Layout(
    name="channels",
    title="Channels other than email",
    blocks=(
        Lines(
            name="sms",
            title="SMS",
            lines=(Line(keys=("sent_sms",)), Line(keys=("sms_click_rate",))),
        ),
        Lines(name="push", title="Push notifications", lines=(Line(keys=("push_clicks",)),)),
        Lines(name="mail", title="Direct mail", lines=(Line(keys=("kpi_sent_direct_mail",)),)),
    ),
)

LAYOUTS: tuple[Layout, ...] = (_SUMMARY, _STATISTICS, _BOUNCES, _THROUGHPUT, _CUMULATED, _CHANNELS)
"""In the order of the reference."""
