"""The numbers of dynamic reporting, each with its definition there (reference 7.3), which is not that of the console."""

from __future__ import annotations

from collections.abc import Callable

from msgtrack.counts import Failures
from msgtrack.events import Click, MirrorPageView, Open, OptOutClick
from msgtrack.metrics._sums import Sums
from msgtrack.model import FailureReason, FailureType, LinkType, MessageStatus

__all__ = [
    "bounces",
    "delivered",
    "denylisted",
    "hard",
    "mobile",
    "of_reason",
    "opens",
    "quarantined",
    "rejected",
    "sent",
    "soft",
    "unique_clicks",
    "unique_opens",
]

_REACHED = (Open.kind, Click.kind, OptOutClick.kind, MirrorPageView.kind)
"""The link types 1, 2, 3, 6, 10 and 11: the click of an offer is a ``Click`` on a link of its type."""


def _with(test: Callable[[Failures], bool]) -> Callable[[Sums], int]:
    """Counts messages by the failure they bear, whatever their status."""

    def measure(sums: Sums) -> int:
        return sum(row.messages for part in sums.parts for row in part.outcomes if test(row))

    return measure


def of_reason(reason: FailureReason) -> Callable[[Sums], int]:
    """Counts messages that bear this reason of failure, whatever their status."""
    return _with(lambda row: row.failure_reason == reason)


def delivered(sums: Sums) -> int:
    """Messages of the status ``SENT`` alone."""
    return sum(part.statuses.get(MessageStatus.SENT, 0) for part in sums.parts)


def bounces(sums: Sums) -> int:
    """Messages of the status ``FAILED``."""
    return sum(part.failed for part in sums.parts)


def sent(sums: Sums) -> int:
    """Delivered and failed messages."""
    return delivered(sums) + bounces(sums)


def quarantined(sums: Sums) -> int:
    """Messages whose error put their address in quarantine."""
    return sum(part.quarantined for part in sums.parts)


def _is_hard(row: Failures) -> bool:
    return row.failure_type == FailureType.HARD


denylisted = _with(lambda row: _is_hard(row) and row.failure_reason == FailureReason.DENYLISTED)
hard = _with(lambda row: _is_hard(row) and row.failure_reason != FailureReason.DENYLISTED)
rejected = _with(lambda row: _is_hard(row) and row.failure_reason == FailureReason.REFUSED)
soft = _with(lambda row: row.failure_type == FailureType.SOFT)


def unique_opens(sums: Sums) -> int:
    """Distinct messages with an open, a click, an opt-out or a mirror page."""
    return sums.distinct(*_REACHED)


def opens(sums: Sums) -> int:
    """Opens, and one more for each message that reacted and shows none."""
    return sums.total_recipient_open + unique_opens(sums) - sums.distinct(Open.kind)


def unique_clicks(sums: Sums) -> int:
    """Distinct messages with a click."""
    return sums.distinct(Click.kind)


def mobile(sums: Sums) -> tuple[str, ...]:
    """Clicks on notifications are in, as the events tell no such class apart; who meets one is told."""
    has_any = any(
        link.type is LinkType.MOBILE_CLICK and delivery.slots.get(Click.kind, {}).get(link_id)
        for delivery in sums.counts.deliveries.values()
        for link_id, link in delivery.links.items()
    )
    return ("choice",) if has_any else ()
