"""Caveats of zeros that nobody measured, and of numbers below zero, wherever they appear."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from msgtrack.events import Open
from msgtrack.facts import Service, SubscriptionChange
from msgtrack.metrics import catalogue, indicators
from msgtrack.metrics.sharing import SHARE_NETWORKS
from msgtrack.model import Delivery, Message, TrackedLink

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


REACTIONS = (
    "recipient_open",
    "total_recipient_open",
    "opt_out",
    "mirror_page",
    "recipient_click",
    "person_click",
    "total_recipient_click",
)
DYNAMIC_REACTIONS = (
    "dr_clicks",
    "dr_opens",
    "dr_mirror_page",
    "dr_unsubscribes",
    "dr_unique_clicks",
    "dr_unique_opens",
    "dr_unique_unsubscribes",
    "dr_offer_clicks",
)
DYNAMIC_COUNTS = tuple(key for key in catalogue if key.startswith("dr_") and catalogue[key].unit == "count")


@pytest.mark.parametrize("key", [*REACTIONS, *DYNAMIC_COUNTS])
def test_a_zero_of_an_empty_delivery_is_doubted_and_one_of_a_delivery_that_was_sent_is_not(key: str) -> None:
    empty = indicators.from_events(Delivery(id="1"), [], [], [])[key]
    assert empty.value == 0
    assert "no-data" in empty.caveats
    offer = TrackedLink(delivery_id="1", id="2", url="https://a.example/", type="offer_click")
    sent = indicators.from_events(Delivery(id="1"), [Message(id="7", delivery_id="1")], [offer], [])[key]
    assert sent.value == 0
    assert "no-data" not in sent.caveats


@pytest.mark.parametrize("key", [*REACTIONS, *DYNAMIC_REACTIONS])
def test_a_reaction_to_messages_that_nobody_registered_is_a_measurement(key: str) -> None:
    opened = Open(occurred_at=AT, delivery_id="1", message_id="7")
    offer = TrackedLink(delivery_id="1", id="2", url="https://a.example/", type="offer_click")
    assert "no-data" not in indicators.from_events(Delivery(id="1"), [], [offer], [opened])[key].caveats


def test_the_doubts_name_every_count_of_the_dynamic_family_that_goes_by_reactions() -> None:
    assert {key for key in DYNAMIC_COUNTS if "Event.kind" in catalogue[key].inputs} == set(DYNAMIC_REACTIONS)
