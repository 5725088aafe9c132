"""The report "Tracking statistics": opens, clicks and transactions as they add up over time."""

from __future__ import annotations

from functools import partial

from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import untagged

__all__ = ["INDICATORS"]

_cumulated = partial(
    Indicator,
    report="Tracking statistics",
    unit="count",
    groupings=("bin",),
    is_cumulated=True,
    inputs=("Event.kind", "Event.occurred_at"),
)

INDICATORS: tuple[Indicator, ...] = (
    _cumulated(
        key="tracking_statistics_opens",
        label="Open",
        field="@opens",
        formula="sum(S.total_clicks, url_id == 1), cumulated over time",
        measure=lambda s: s.total_recipient_open,
        notes="Each bin holds all that came up to its end; the scalar is the last of them.",
        caveats=("image-loads",),
    ),
    _cumulated(
        key="tracking_statistics_clicks",
        label="Clicks",
        field="@clicks",
        formula="sum(S.total_clicks, url.type == EMAIL_CLICK), cumulated over time",
        measure=lambda s: s.total_recipient_click,
        notes="Each bin holds all that came up to its end; the scalar is the last of them.",
    ),
    _cumulated(
        key="tracking_statistics_transactions",
        label="Transactions",
        field="@transactions",
        formula="sum(S.total_clicks, url.type == TRANSACTION), cumulated over time",
        measure=lambda s: s.transaction,
        doubts=untagged,
        notes="Needs tagged web pages.",
    ),
)
