"""Caveats of zeros that nobody measured, and of numbers below zero, wherever they appear."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from msgtrack.events import Open
from msgtrack.facts import Service, SubscriptionChange
from msgtrack.metrics import indicators
from msgtrack.metrics.sharing import SHARE_NETWORKS
from msgtrack.model import Delivery, Message

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "twin"),
    [
        ("to_deliver", "summary_to_deliver"),
        ("success", "summary_success"),
        ("sends", "summary_success"),
        ("sharing_success", "summary_success"),
        ("complaints", "error"),
        ("tracking_statistics_transactions", "user_activities_transactions"),
        *((f"share_{network}", "share_count") for network in SHARE_NETWORKS),
    ],
)
def test_a_zero_that_nobody_measured_is_doubted_alike_in_all_reports(key: str, twin: str) -> None:
    table = indicators.from_events(Delivery(id="1"), [], [], [])
    assert table[key].value == table[twin].value == 0
    assert table[twin].caveats
    assert set(table[twin].caveats) <= set(table[key].caveats)


def test_a_denominator_below_zero_is_doubted_whatever_the_quotient() -> None:
    """More text messages than there are to deliver, and more who left than there were: inputs that contradict."""
    message = Message(id="7", delivery_id="1", status="sent")
    opened = Open(occurred_at=AT, delivery_id="1", message_id="7")
    rate = indicators.from_events(Delivery(id="1", to_deliver=2, text=5), [message], [], [opened])[
        "estimated_reactivity"
    ]
    assert (rate.numerator, rate.denominator, rate.value) == (0, -1, 0)
    assert math.copysign(1, float(rate.value or 0)) == 1
    assert "negative" in rate.caveats
    left = [SubscriptionChange(service_id="n", id=str(i), action="unsubscribe", changed_at=AT) for i in range(3)]
    table = indicators.from_events(Delivery(id="1"), [], [], [], facts=[Service(id="n"), *left], now=AT)
    assert (table["loyalty"].numerator, table["loyalty"].denominator) == (-6, -3)
    assert "negative" in table["loyalty"].caveats
