"""The report "Web UI home KPIs": channels, services, and the contradiction about unsubscriptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, ServiceCounts
from msgtrack.events import Click, MirrorPageView, Open, OptOutClick
from msgtrack.facts import Fact, Service, SubscriptionChange
from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery, Message

NOW = datetime(2026, 3, 8, 10, tzinfo=UTC)
WEEK = timedelta(days=7)


def change(number: int, action: str, *, days_ago: float, service_id: str = "news") -> SubscriptionChange:
    return SubscriptionChange(
        service_id=service_id, id=str(number), action=action, changed_at=NOW - timedelta(days=days_ago)
    )


def table_of(
    *facts: Fact, channel: str = "email", since: datetime | None = None, until: datetime | None = None
) -> Table:
    messages = [Message(id=str(n), delivery_id="1", status="sent") for n in range(4)]
    events = [OptOutClick(occurred_at=NOW - WEEK / 2, delivery_id="1", message_id="0", link_id="3")] * 2
    delivery = Delivery(id="1", channel=channel)
    return indicators.from_events(delivery, messages, [], events, facts=facts, since=since, until=until)


NEWS, ALERTS = Service(id="news", channel="email"), Service(id="alerts", channel="sms")


def test_unsubscriptions_are_those_of_services_and_not_clicks() -> None:
    table = table_of(NEWS, change(1, "unsubscribe", days_ago=1))
    assert (table["kpi_unsubscriptions"].value, table["opt_out"].value) == (1, 2)
    assert (table["kpi_unsubscription_rate"].value, table["stats_unsubscriptions"].value) == (0.25, 0.5)
    assert "reading" in table["kpi_unsubscriptions"].caveats


def test_changes_are_those_of_the_channel() -> None:
    facts = (NEWS, ALERTS, change(1, "subscribe", days_ago=1), change(2, "subscribe", days_ago=1, service_id="alerts"))
    assert table_of(*facts)["kpi_subscriptions"].value == 1
    assert table_of(*facts, channel="sms")["kpi_subscriptions"].value == 1
    assert table_of(*facts, channel="push")["kpi_subscriptions"].caveats == ("no-data",)


def test_the_last_seven_days_are_a_window_of_the_table() -> None:
    facts = (NEWS, *(change(n, "subscribe", days_ago=n) for n in range(10)))
    table = table_of(*facts, since=NOW - WEEK, until=NOW)
    assert table["kpi_subscriptions"].value == 7
    assert table_of(*facts)["kpi_subscriptions"].value == 10
    assert table_of(*facts, since=NOW)["kpi_subscriptions"].value == 1
    assert table_of(*facts, until=NOW - WEEK)["kpi_subscriptions"].value == 2


def test_a_window_that_ends_before_it_begins_holds_nothing() -> None:
    facts = (NEWS, *(change(n, "subscribe", days_ago=n) for n in range(10)))
    assert table_of(*facts, since=NOW, until=NOW - WEEK)["kpi_subscriptions"].value == 0


def test_a_history_without_changes_in_the_window_is_a_zero_that_was_measured() -> None:
    table = table_of(NEWS, change(1, "subscribe", days_ago=30), since=NOW - WEEK)
    assert (table["kpi_subscriptions"].value, table["kpi_subscriptions"].caveats) == (0, ())
    assert table_of(NEWS)["kpi_subscriptions"].caveats == ("no-data",)


def test_clicks_are_people_who_followed_an_ordinary_link() -> None:
    messages = [Message(id="0", delivery_id="1", status="sent"), Message(id="1", delivery_id="1", status="failed")]
    events = [
        Open(occurred_at=NOW, delivery_id="1", message_id="0"),
        Open(occurred_at=NOW, delivery_id="1", message_id="0"),
        Click(occurred_at=NOW, delivery_id="1", message_id="0", link_id="2", source_id="s"),
        Click(occurred_at=NOW, delivery_id="1", message_id="0", link_id="3", source_id="s"),
        MirrorPageView(occurred_at=NOW, delivery_id="1", message_id="0", link_id="4", source_id="t"),
        OptOutClick(occurred_at=NOW, delivery_id="1", message_id="0", link_id="5", source_id="u"),
    ]
    table = indicators.from_events(Delivery(id="1", to_deliver=4), messages, [], events)
    assert (table["kpi_clicks"].value, table["kpi_click_rate"].value) == (1, 1.0)
    assert (table["kpi_opens"].value, table["kpi_open_rate"].value) == (2, 2.0)
    assert "above-one" in table["kpi_open_rate"].caveats
    assert (table["kpi_delivered_rate"].value, table["kpi_error_rate"].value) == (0.5, 0.25)
    assert "choice" in table["kpi_delivered_rate"].caveats


def test_a_channel_that_shows_no_opens_says_so() -> None:
    assert "no-data" in table_of(channel="sms")["kpi_opens"].caveats
    assert "no-data" not in table_of()["kpi_opens"].caveats


def test_letters_are_those_of_direct_mail() -> None:
    table = table_of(channel="direct_mail")
    assert (table["kpi_sent_direct_mail"].value, table["kpi_sent_direct_mail"].caveats) == (4, ())
    assert (table_of()["kpi_sent_direct_mail"].value, table_of()["kpi_sent_direct_mail"].caveats) == (0, ("no-data",))


def test_letters_that_were_not_sent_do_not_count() -> None:
    parts = {"a": DomainCounts(statuses={2: 3}), "b": DomainCounts(statuses={1: 2, 2: 1})}
    counts = Counts(deliveries={"1": DeliveryCounts(channel="direct_mail", domains=parts)})
    assert indicators.from_counts(counts)["kpi_sent_direct_mail"].value == 2


def test_people_that_nobody_counted_together_are_undefined() -> None:
    one = DeliveryCounts(channel="email", persons=2)
    counts = Counts(
        deliveries={"1": one, "2": one, "3": DeliveryCounts(channel="sms", persons=1)},
        persons=3,
        services={"news": ServiceCounts(joined=(1, 2))},
    )
    table = indicators.from_counts(counts)
    rows = table.series("kpi_clicks", by="channel")
    assert (rows["email"].value, rows["sms"].value, table["kpi_clicks"].value) == (None, 1, 3)
    assert "not-additive" in rows["email"].caveats
    together = Counts(
        deliveries=counts.deliveries,
        persons=3,
        services=counts.services,
        persons_by={"channel": {"email": 2, "sms": 1}},
    )
    assert indicators.from_counts(together).series("kpi_clicks", by="channel")["email"].value == 2
    assert table.series("kpi_subscriptions", by="channel")["email"].value == 2
