"""Caveats of zeros that nobody measured, and of numbers below zero, wherever they appear."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from attrs import evolve

from msgtrack.counts import Counts, DeliveryCounts
from msgtrack.events import Click, Event, Open, OptOutClick
from msgtrack.facts import Service, SubscriptionChange
from msgtrack.metrics import Table, catalogue, indicators
from msgtrack.metrics.sharing import SHARE_NETWORKS
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.tally import fold

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


@pytest.mark.parametrize(
    ("category", "is_doubted"), [("facebook", False), ("email", False), ("Facebook", True), ("shop", True), ("", True)]
)
def test_shares_are_counted_where_a_link_shares_and_doubted_where_none_does(category: str, is_doubted: bool) -> None:
    links = [
        TrackedLink(delivery_id="1", id="2", url="https://a.example/", category=category),
        TrackedLink(delivery_id="1", id="3", url="https://a.example/", category="other"),
    ]
    clicks = [Click(occurred_at=AT, delivery_id="1", message_id="7", link_id="2")] * 2
    table = indicators.from_events(Delivery(id="1"), [], links, clicks)
    for network in SHARE_NETWORKS:
        value = table[f"share_{network}"]
        assert value.value == (2 if network == category else 0)
        assert value.caveats == (("no-data",) if is_doubted else ())


@pytest.mark.parametrize("key", ["reactivity", "estimated_reactivity", "estimated_recipient_open"])
def test_a_sum_of_estimates_of_which_one_is_missing_is_doubted(key: str) -> None:
    deliveries = [Delivery(id="1"), Delivery(id="2", text=1)]
    messages = [Message(id="7", delivery_id=id_, status="sent") for id_ in "12"]
    opened = [Open(occurred_at=AT, delivery_id="1", message_id="7")]
    both = indicators.from_events(deliveries, messages, [], opened)[key]
    alone = indicators.from_events(deliveries[0], messages, [], opened)[key]
    assert "partly-undefined" in both.caveats
    assert "partly-undefined" not in alone.caveats


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


@pytest.mark.parametrize("key", ["forward_estimate", "forward_rate"])
@pytest.mark.parametrize(
    ("browsers", "clip", "is_clipped"),
    [("aa", True, True), ("aa", False, False), ("ab", True, False), ("abc", True, False)],
)
def test_forwards_are_clipped_where_they_were_below_zero_and_that_was_asked_for(
    key: str, browsers: str, clip: bool, is_clipped: bool
) -> None:
    clicks = [
        Click(occurred_at=AT, delivery_id="1", message_id=str(n % 2), link_id="2", source_id=browser)
        for n, browser in enumerate(browsers)
    ]
    table = indicators.from_events(Delivery(id="1"), [], [], clicks, clip=clip)
    assert ("clipped" in table[key].caveats) is is_clipped


PERSONS = (
    *("person_click", "person_click_rate", "distinct_clicks", "forward_estimate", "forward_rate"),
    *("stats_clicks", "kpi_clicks", "kpi_click_rate", "platform_average_distinct_clicks"),
)
OPENERS = (
    "recipient_open",
    "estimated_recipient_open",
    "distinct_open_rate",
    "domain_open_rate",
    "stats_opens",
    "dr_unique_opens",
)
CLICKERS = (
    *("recipient_click", "recipient_click_rate", "domain_click_rate", "dr_unique_clicks", "dr_click_through_rate"),
    *("raw_reactivity", "estimated_reactivity", "reactivity", "platform_average_reactivity", "sms_click_rate"),
)


def reacted(*events: Event, channel: str = "email") -> Table:
    """One message delivered and these events, in a delivery that is a peer of its own."""
    delivery = Delivery(id="1", channel=channel, contact_at=AT)
    message = Message(id="7", delivery_id="1", status="sent")
    return indicators.from_events(delivery, [message], [], events, peers=[delivery], now=AT)


@pytest.mark.parametrize("key", PERSONS)
def test_persons_are_doubted_where_clicks_name_no_browser(key: str) -> None:
    click = Click(occurred_at=AT, delivery_id="1", message_id="7", link_id="2")
    nobody, somebody = reacted(click)[key], reacted(click, evolve(click, source_id="s"))[key]
    assert "no-data" in nobody.caveats
    assert "no-data" not in somebody.caveats
    assert "no-data" not in reacted(Open(occurred_at=AT, delivery_id="1", message_id="7"))[key].caveats


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *((key, Open) for key in OPENERS),
        *((key, Click) for key in CLICKERS),
        ("push_clicks", Click),
        ("dr_unique_unsubscribes", OptOutClick),
    ],
)
def test_recipients_are_doubted_where_reactions_name_no_message(key: str, kind: type[Event]) -> None:
    channel = {"sms_click_rate": "sms", "push_clicks": "push"}.get(key, "email")
    told = kind(occurred_at=AT, delivery_id="1", message_id="7")
    nobody, somebody = (reacted(*events, channel=channel)[key] for events in ([evolve(told, message_id=None)], [told]))
    assert not nobody.value
    assert "no-data" in nobody.caveats
    assert somebody.value
    assert "no-data" not in somebody.caveats
    assert "no-data" not in reacted(channel=channel)[key].caveats


@pytest.mark.parametrize(("key", "pages"), [("browser_visitors", "browser_pages"), ("os_visitors", "os_pages")])
def test_visitors_are_doubted_where_clicks_name_neither_browser_nor_message(key: str, pages: str) -> None:
    click = Click(occurred_at=AT, delivery_id="1", client=Client(browser="Firefox", os="Linux"))
    table = reacted(click)
    assert (table[key].value, table[pages].value) == (0, 1)
    assert "no-data" in table[key].caveats
    assert "no-data" not in table[pages].caveats
    assert "no-data" not in reacted(evolve(click, source_id="s"))[key].caveats


def test_people_of_several_deliveries_are_doubted_where_only_numbers_are_left_of_one() -> None:
    deliveries = [Delivery(id=name) for name in "12"]
    messages = [Message(id="7", delivery_id=name, recipient_id="ann") for name in "12"]
    client = Client(browser="Firefox", os="Linux")
    clicks = [Click(occurred_at=AT, delivery_id=name, message_id="7", source_id="s", client=client) for name in "12"]
    counts = fold(deliveries, messages, [], clicks).counts()
    live, frozen = (indicators.from_counts(found) for found in (counts, evolve(counts, frozen=("1",))))
    for key in ("person_click", "forward_estimate", "stats_clicks", "kpi_clicks", "browser_visitors", "os_visitors"):
        assert frozen[key] == evolve(live[key], caveats=(*live[key].caveats, "frozen")), key
    assert "frozen" in frozen.series("dr_unique_clicks", by="recipient")["recipients"].caveats
    assert "frozen" in frozen.series("stats_clicks", by="domain")["Others"].caveats
    of_each = frozen.series("person_click", by="delivery")
    assert not [value for value in (*of_each.values(), frozen["dr_unique_clicks"]) if "frozen" in value.caveats]
    alone = evolve(counts, deliveries={"1": counts.deliveries["1"]}, frozen=("1",))
    assert "frozen" not in indicators.from_counts(alone)["person_click"].caveats


@pytest.mark.parametrize("channel", ["sms", "SMS", " Sms "])
def test_a_channel_is_the_same_in_all_reports_however_it_is_written(channel: str) -> None:
    table = reacted(Click(occurred_at=AT, delivery_id="1", message_id="7"), channel=channel)
    assert (table["sent_sms"].value, table["sms_click_rate"].value) == (1, 1.0)
    assert "no-data" not in table["sent_sms"].caveats
    assert "no-data" in table["kpi_opens"].caveats


@pytest.mark.parametrize(("channel", "key"), [("Email", "kpi_opens"), ("Direct_Mail", "kpi_sent_direct_mail")])
def test_the_channel_of_a_start_page_may_begin_with_a_capital(channel: str, key: str) -> None:
    assert "no-data" not in reacted(channel=channel)[key].caveats


def test_clicks_on_notifications_are_named_or_not_as_reports_take_them_for_clicks() -> None:
    links = [TrackedLink(delivery_id="1", id="2", url="https://a.example/", type="mobile_click")]

    def clicked(message_id: str | None) -> Table:
        click = Click(occurred_at=AT, delivery_id="1", message_id=message_id, link_id="2")
        return indicators.from_events(Delivery(id="1"), [], links, [click])

    assert "no-data" in clicked(None)["recipient_click"].caveats
    assert "no-data" not in clicked("7")["recipient_click"].caveats
    # To dynamic reports they are no clicks, so that none lacks its message.
    assert [clicked(name)["dr_unique_clicks"].caveats for name in (None, "7")] == [("not-additive",)] * 2
    both = [
        Click(occurred_at=AT, delivery_id="1", message_id=name, link_id=link)
        for name, link in ((None, "3"), ("7", "2"))
    ]
    table = indicators.from_events(Delivery(id="1"), [], links, both)
    assert (table["recipient_click"].value, table["recipient_click"].caveats) == (1, ())
    assert (table["dr_unique_clicks"].value, "no-data" in table["dr_unique_clicks"].caveats) == (0, True)


def test_what_is_frozen_elsewhere_doubts_nobody_here() -> None:
    deliveries = {name: DeliveryCounts(persons=1) for name in "12"}
    found = [indicators.from_counts(Counts(deliveries=deliveries, persons=2, frozen=(name,))) for name in "23"]
    assert ["frozen" in table["person_click"].caveats for table in found] == [True, False]
