"""The report "Delivery statistics": rows by domain, and persons who do not add up."""

from __future__ import annotations

from datetime import UTC, datetime

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts
from msgtrack.events import Click, Open, OptOutClick
from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery, Message

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def sent(delivery_id: str, message_id: str, address: str) -> Message:
    return Message(id=message_id, delivery_id=delivery_id, address=address, status="sent")


def clicked(delivery_id: str, message_id: str, source_id: str) -> Click:
    return Click(occurred_at=AT, delivery_id=delivery_id, message_id=message_id, link_id="2", source_id=source_id)


def two_deliveries() -> Table:
    """One person clicked in both deliveries and in both domains; another once."""
    messages = [
        sent("1", "a", "ann@gmail.com"),
        sent("1", "b", "bob@aol.com"),
        sent("2", "c", "ann@gmail.com"),
        sent("2", "d", "dan@gmail.com"),
    ]
    events = [clicked("1", "a", "s"), clicked("1", "b", "s"), clicked("2", "c", "s"), clicked("2", "d", "t")]
    return indicators.from_events([Delivery(id="1"), Delivery(id="2")], messages, [], events)


def test_people_of_several_deliveries_are_told_apart_over_all_of_them() -> None:
    table = two_deliveries()
    rows = table.series("stats_clicks", by="domain")
    assert {name: (value.numerator, value.denominator) for name, value in rows.items()} == {
        "Gmail": (2, 3),
        "AOL": (1, 1),
    }
    assert (table["stats_clicks"].numerator, table["stats_clicks"].denominator) == (2, 4)


def test_rows_of_people_do_not_add_up_and_say_so() -> None:
    table = two_deliveries()
    rows = table.series("stats_clicks", by="domain").values()
    assert sum(row.numerator or 0 for row in rows) == 3 > (table["stats_clicks"].numerator or 0)
    assert all("not-additive" in row.caveats for row in rows)
    assert "not-additive" not in table["stats_clicks"].caveats


def test_people_that_nobody_counted_together_are_undefined() -> None:
    part = DomainCounts(statuses={1: 4}, persons=2)
    one = DeliveryCounts(domains={"AOL": part, "MSN": part}, persons=3)
    other = DeliveryCounts(domains={"AOL": part}, persons=2)
    rows = indicators.from_counts(Counts(deliveries={"1": one, "2": other}, persons=4)).series(
        "stats_clicks", by="domain"
    )
    assert (rows["AOL"].value, "not-additive" in rows["AOL"].caveats) == (None, True)
    assert rows["MSN"].value == 0.5


def test_clicks_are_people_and_opens_are_recipients() -> None:
    messages = [sent("1", "a", "ann@aol.com"), sent("1", "b", "bob@aol.com")]
    events = [
        Open(occurred_at=AT, delivery_id="1", message_id="a"),
        Open(occurred_at=AT, delivery_id="1", message_id="a"),
        clicked("1", "b", "s"),
        clicked("1", "b", "t"),
        clicked("1", "b", "u"),
        OptOutClick(occurred_at=AT, delivery_id="1", message_id="b", link_id="3"),
        OptOutClick(occurred_at=AT, delivery_id="1", message_id="b", link_id="3"),
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], events)
    assert (table["stats_opens"].value, table["stats_clicks"].value, table["stats_unsubscriptions"].value) == (
        1.0,
        1.5,
        1.0,
    )


def test_three_statuses_are_delivered_and_processed_has_prepared_and_failed_beside() -> None:
    statuses = ["sent", "taken_into_account", "received_on_mobile", "prepared", "failed", "sent_to_provider"]
    messages = [Message(id=str(n), delivery_id="1", status=status) for n, status in enumerate(statuses)]
    value = indicators.from_events(Delivery(id="1"), messages, [], [])["delivered"]
    assert (value.numerator, value.denominator) == (3, 5)


def test_healthy_levels_can_be_read_off_a_domain() -> None:
    """More than 2 % of hard bounces, or 10 % of soft ones at one provider, call for a look."""
    ill = DomainCounts(statuses={1: 85, 2: 15}, failures={1: 3, 5: 12})
    rows = indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains={"AOL": ill})}))
    assert rows.series("hard_bounce_rate", by="domain")["AOL"].value == 0.03
    assert rows.series("soft_bounce_rate", by="domain")["AOL"].value == 0.12
