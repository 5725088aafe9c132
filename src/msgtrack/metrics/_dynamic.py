"""The numbers of dynamic reporting, each with its definition there (reference 7.3), which is not that of the console."""

from __future__ import annotations

from collections.abc import Callable

from msgtrack.counts import Failures
from msgtrack.events import Click, MirrorPageView, Open, OptOutClick
from msgtrack.metrics._sums import Sums
from msgtrack.model import FailureReason, FailureType, MessageStatus

__all__ = [
    "REACHED",
    "bounces",
    "clicks",
    "delivered",
    "denylisted",
    "hard",
    "of_reason",
    "opens",
    "quarantined",
    "rejected",
    "sent",
    "soft",
    "unique_clicks",
    "unique_opens",
]

REACHED = (Open.kind, Click.kind, OptOutClick.kind, MirrorPageView.kind)
"""The link types 1, 2, 3, 6, 10 and 11: the click of an offer is a ``Click`` on a link of its type. So is that of a
notification (type 100), which is not among them and is told apart."""


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


def denylisted(sums: Sums) -> int:
    """Messages reported as spam, for good."""
    return _DENYLISTED(sums)


def hard(sums: Sums) -> int:
    """Messages that failed for good, those reported as spam apart (reference 7.9, C15)."""
    return _HARD(sums)


def rejected(sums: Sums) -> int:
    """Messages that were refused for good."""
    return _REJECTED(sums)


def soft(sums: Sums) -> int:
    """Messages whose failure is a soft one."""
    return _SOFT(sums)


_DENYLISTED = _with(lambda row: _is_hard(row) and row.failure_reason == FailureReason.DENYLISTED)
_HARD = _with(lambda row: _is_hard(row) and row.failure_reason != FailureReason.DENYLISTED)
_REJECTED = _with(lambda row: _is_hard(row) and row.failure_reason == FailureReason.REFUSED)
_SOFT = _with(lambda row: row.failure_type == FailureType.SOFT)


def unique_opens(sums: Sums) -> int:
    """Distinct messages with an open, a click, an opt-out or a mirror page."""
    return sums.distinct(*REACHED, mobile=False)


def opens(sums: Sums) -> int:
    """Opens, and one more for each message that reacted and shows none."""
    return sums.total_recipient_open + unique_opens(sums) - sums.distinct(Open.kind)


def clicks(sums: Sums) -> int:
    """Clicks, those on notifications apart (reference 7.9, C20)."""
    return sums.rows.get(Click.kind, 0)


def unique_clicks(sums: Sums) -> int:
    """Distinct messages with a click, those on notifications apart."""
    return sums.distinct(Click.kind, mobile=False)
