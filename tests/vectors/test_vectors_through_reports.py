"""The official worked examples as reports show them (reference 7.8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, ServiceCounts
from msgtrack.events import Click, Event, Open
from msgtrack.metrics import Block, Row, indicator_report, indicators
from msgtrack.model import Delivery, Message
from msgtrack.reports.formats import printed

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def shown(block: Block, row: Row) -> dict[str, str]:
    return {key: printed(value, is_share=block.column(key).is_share) for key, value in row.values().items()}


def event(kind: type[Event], message_id: str, source_id: str | None = None, *, minutes: int = 0) -> Event:
    at = AT + timedelta(minutes=minutes)
    return kind(occurred_at=at, delivery_id="1", message_id=message_id, link_id="2", source_id=source_id)


def test_vector_1_in_the_tracking_indicators() -> None:
    messages = [Message(id=name, delivery_id="1", status="sent") for name in ("john", "marie", "florian", "henry")]
    events = [
        event(Open, "marie"),
        event(Open, "florian"),
        *(event(Click, "florian", "florian", minutes=n) for n in range(9)),
        event(Open, "florian"),
        *(event(Click, "florian", "friend", minutes=n) for n in range(2)),
        event(Open, "henry", "h0"),
        *(event(Click, "henry", f"h{n}") for n in range(1, 5)),
    ]
    report = indicator_report.from_events("tracking-indicators", Delivery(id="1"), messages, [], events)
    found = {key: text for b in report.blocks if not b.by for row in b.rows for key, text in shown(b, row).items()}
    assert (
        found.items()
        >= {
            "to_deliver": "4",
            "success": "4",
            "estimated_recipient_open": "≈ 3",
            "distinct_open_rate": "≈ 75.00 %",
            "estimated_total_recipient_open": "≈ 4",
            "person_click": "6",
            "person_click_rate": "150.00 %",
            "total_recipient_click": "15",
            "total_click_rate": "375.00 %",
            "recipient_click": "2",
            "forward_estimate": "≈ 4",
            "forward_rate": "≈ 100.00 %",
            "estimated_reactivity": "≈ 66.67 %",
            "opt_out": "0",
            "mirror_page": "0",
        }.items()
    )
    total = report["domains"].total
    assert total is not None
    assert total["recipient_open"].value == 3
    assert shown(report["domains"], total)["raw_reactivity"] == "66.67 %"


def test_vector_2_the_row_of_aol() -> None:
    delivery = DeliveryCounts(
        to_deliver=10_186_024,
        domains={
            "Others": DomainCounts(statuses={1: 10_186_024 - 822}, reacted=1_475_660 - 66, clicked=83_012 - 8),
            "AOL": DomainCounts(statuses={1: 822}, reacted=66, clicked=8),
        },
        persons=93_107,
    )
    table = indicators.from_counts(Counts(deliveries={"DM1": delivery}, persons=93_107))
    report = indicator_report.from_table("tracking-indicators", table)
    block = report["domains"]
    assert [row.name for row in block.rows] == ["AOL", "Others", "Total"]
    assert shown(block, block["AOL"]) == {
        "sends": "822",
        "complaints": "0",
        "domain_complaint_rate": "0.00 %",
        "recipient_open": "66",
        "domain_open_rate": "8.03 %",
        "recipient_click": "8",
        "domain_click_rate": "0.97 %",
        "raw_reactivity": "12.12 %",
    }
    assert shown(report["opens"], report["opens"].rows[0])["distinct_open_rate"] == "≈ 14.49 %"
    assert shown(report["clicks"], report["clicks"]["Recipient clicks"])["recipient_click_rate"] == "0.81 %"
    assert shown(report["clicks"], report["clicks"].rows[-1]) == {"estimated_reactivity": "≈ 5.63 %"}


def test_vector_3_in_the_report_of_errors() -> None:
    errors = {1: 4_662, 2: 429, 3: 30_113, 4: 193, 5: 2_126, 6: 0, 20: 1_287}
    part = DomainCounts(statuses={1: 689_131 - 38_810, 2: 38_810}, failures=errors)
    table = indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains={"Others": part})}))
    block = indicator_report.from_table("non-deliverables", table)["types"]
    assert [(row.name, row["error_value"].value) for row in block.rows] == [
        ("unknown_user", 4_662),
        ("invalid_domain", 429),
        ("unreachable", 30_113),
        ("disabled", 193),
        ("mailbox_full", 2_126),
        ("not_connected", 0),
        ("refused", 1_287),
        ("Total", 38_810),
    ]
    assert shown(block, block["unknown_user"]) == {
        "error_value": "4,662",
        "error_contribution": "12.01 %",
        "error_breakdown": "0.68 %",
    }


def test_vector_4_the_total_is_no_sum_of_days() -> None:
    day = 24 * 60
    events = [event(Open, "P1")] * 2 + [event(Open, "P1", minutes=day)] * 3 + [event(Open, "P2")]
    messages = [Message(id=name, delivery_id="1", status="sent") for name in ("P1", "P2")]
    block = indicator_report.from_events("dynamic-reporting", Delivery(id="1"), messages, [], events)["days"]
    assert [(row.name, row["dr_opens"].value, row["dr_unique_opens"].value) for row in block.rows] == [
        ("2026-03-01", 3, 2),
        ("2026-03-02", 3, 1),
        ("Total", 6, 2),
    ]
    assert block.total is not None
    assert "not-additive" in block.total["dr_unique_opens"].caveats


@pytest.mark.parametrize("block", ["periods", "services-24h"])
def test_vector_5_in_subscription_tracking(block: str) -> None:
    today = int(AT.timestamp() - 3600) * 1_000_000
    service = ServiceCounts(created=(0,) * 215_608, joined=(today,) * 29_019, left=(today,) * 1_581)
    table = indicators.from_counts(Counts(services={"news": service}), now=AT)
    report = indicator_report.from_table("subscriptions", table)
    row = report[block].rows[0]
    assert shown(report[block], row) == {
        "subscriber": "215,608",
        "subscription": "29,019",
        "unsubscription": "1,581",
        "evolution": "27,438",
        "evolution_rate": "0.13",
        "loyalty": "99.35 %",
    }
    assert f"{row['evolution_rate'].value:.2%}" == "12.73%"
