"""The report "Breakdown of opens"."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        key="total_recipient_open",
        label="Total opens",
        field="@totalRecipientOpen",
        report="Breakdown of opens",
        unit="count",
        formula="count(L, url_id == 1)",
        measure=lambda s: s.total_recipient_open,
        groupings=("domain",),
        inputs=("Event.kind",),
        notes="Every open, repeated ones and those of forwarded messages included.",
        caveats=("image-loads",),
    ),
)
