"""The report "Delivery (indicators node)": what a delivery itself keeps, beside the numbers of its reports."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import channel_of
from msgtrack.metrics._sums import Sums
from msgtrack.model import MessageStatus

__all__ = ["INDICATORS"]

_SMS = "sms"
_HANDED_OVER = (
    MessageStatus.SENT,
    MessageStatus.SENT_TO_PROVIDER,
    MessageStatus.TAKEN_INTO_ACCOUNT,
    MessageStatus.RECEIVED_ON_MOBILE,
)


def _sent(s: Sums) -> int:
    return sum(
        part.statuses.get(status, 0)
        for delivery in s.counts.deliveries.values()
        if channel_of(delivery) == _SMS
        for part in delivery.domains.values()
        for status in _HANDED_OVER
    )


def _no_sms(s: Sums) -> tuple[str, ...]:
    return () if any(channel_of(delivery) == _SMS for delivery in s.counts.deliveries.values()) else ("no-data",)


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        key="sent_sms",
        label="Sent",
        field="indicators/@sent",
        report="Delivery (indicators node)",
        unit="count",
        formula="count of SMS handed to the provider",
        measure=_sent,
        doubts=_no_sms,
        groupings=("delivery",),
        inputs=("Delivery.channel", "Message.status"),
        notes="Messages of channel `sms` that are sent, with the provider, on their way there, or received; failed ones apart.",
        caveats=("choice",),
    ),
)
