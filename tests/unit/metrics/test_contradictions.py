"""Where the reference contradicts itself: one test per reading that we implement (reference 7.9, same numbers).

Those of one report alone stand in the file of that report, those of links, redirect and logs in the file of this name beside
this folder; each number has one test in all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit
from msgtrack.facts import Service, SubscriptionChange
from msgtrack.metrics import Table, catalogue, indicators
from msgtrack.model import OPEN_LINK_ID, Delivery, LinkType, Message, TrackedLink

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
LINKS = [
    TrackedLink(delivery_id="1", id="2", url="https://a.example/", label="Shop", category="Mirror page"),
    TrackedLink(
        delivery_id="1", id="3", url="https://a.example/out", label="Out", type="opt_out", category="Email click"
    ),
    TrackedLink(delivery_id="1", id="4", url="https://a.example/web", label="Web copy", type="mirror_page"),
]


def table_of(*events: Event, messages: int = 2, **options: Any) -> Table:
    sent = [Message(id=str(n), delivery_id="1", status="sent") for n in range(messages)]
    return indicators.from_events(Delivery(id="1"), sent, LINKS, events, **options)


def a(
    kind: type[Event], message_id: str | None = "0", link_id: str | None = None, source_id: str | None = None
) -> Event:
    fields: dict[str, Any] = {} if kind is Open else {"link_id": link_id}
    return kind(occurred_at=AT, delivery_id="1", message_id=message_id, source_id=source_id, **fields)


def test_c1_every_open_has_link_one_and_type_open() -> None:
    event = a(Open)
    assert (event.link_id, event.link_type) == (OPEN_LINK_ID, LinkType.OPEN)
    table = table_of(event)
    assert table["total_recipient_open"].value == 1
    assert table["url_clicks"].value == 0


def test_c2_every_row_proves_an_open_in_the_console_and_every_row_but_a_page_in_the_web_interface() -> None:
    for kind in (Open, Click, MirrorPageView, OptOutClick, PageVisit):
        assert table_of(a(kind))["recipient_open"].value == 1
        is_page = kind is PageVisit
        assert table_of(a(kind))["dr_unique_opens"].value == (0 if is_page else 1), "the web interface lists the types"


def test_c3_counts_are_filtered_and_zero_is_no_distinct_value() -> None:
    table = table_of(a(Open, "0"), a(Open, "1"), a(Click, "1", "2", "s"))
    assert table["recipient_click"].value == 1
    assert table["person_click"].value == 1
    assert table["total_recipient_click"].value == 1


def test_c4_the_type_decides_and_the_category_only_for_networks() -> None:
    table = table_of(a(Click, link_id="2"), a(OptOutClick, link_id="3"))
    assert table["mirror_page"].value == 0
    assert table["opt_out"].value == 1
    assert table["total_recipient_click"].value == 1
    assert table["share_email"].value == 0


def test_c5_persons_are_those_who_clicked() -> None:
    assert table_of(a(Open, source_id="s"), a(Open, source_id="t"))["person_click"].value == 0


def test_c6_success_is_without_seeds() -> None:
    messages = [
        Message(id="0", delivery_id="1", status="sent"),
        Message(id="1", delivery_id="1", status="sent", is_seed=True),
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], [a(Open, "1"), a(Click, "1", "2", "s")])
    assert (table["success"].value, table["to_deliver"].value) == (1, 1)
    assert (table["recipient_open"].value, table["person_click"].value, table["url_clicks"].value) == (0, 0, 0)


def test_c7_a_percentage_is_a_ratio() -> None:
    assert table_of(a(Click, "0", "2"))["recipient_click_rate"].value == 0.5
    assert {indicator.unit for indicator in catalogue.values()} <= {"count", "ratio", "amount", "duration"}


def test_c11_forwards_follow_the_formula_without_clipping() -> None:
    shared = (a(Click, "0", "2", "s"), a(Click, "1", "2", "s"))
    assert table_of(*shared)["forward_estimate"].value == -1
    assert table_of(*shared, clip=True)["forward_estimate"].value == 0


def test_c12_clicks_of_a_link_are_summed_and_not_its_slots_counted() -> None:
    table = table_of(*(a(Click, "0", "2") for _ in range(5)))
    assert table.series("url_clicks", by="label")["Shop"].value == 5
    shared = TrackedLink(delivery_id="1", id="5", url="https://a.example/", category="facebook")
    table = indicators.from_events(Delivery(id="1"), [], [shared], [a(Click, "0", "5")] * 3)
    assert (table["sharing_shares"].value, table["share_facebook"].value, table["clicks_per_day"].value) == (3, 3, 3)


def test_c13_the_table_per_link_keeps_opt_outs_and_mirror_pages_and_the_rates_above_it_do_not() -> None:
    table = table_of(a(Click, link_id="2"), a(OptOutClick, link_id="3"), a(MirrorPageView, link_id="4"), a(Open))
    assert {k: v.value for k, v in table.series("url_clicks", by="label").items()} == {
        "Out": 1,
        "Shop": 1,
        "Web copy": 1,
    }
    assert table["url_clicks"].value == 3
    assert (table["cumulated_clicks"].numerator, table["cumulated_clicks"].denominator) == (1, 2)


def failed(id_: str, reason: int, kind: str) -> Message:
    return Message(id=id_, delivery_id="1", status="failed", failure_reason=reason, failure_type=kind)


def test_c15_the_console_tells_bounces_by_the_reason_and_the_web_interface_by_the_type() -> None:
    messages = [
        failed("unknown", 1, "soft"),
        failed("full", 5, "soft"),
        failed("refused", 20, "hard"),
        failed("spam", 8, "hard"),
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], [])
    assert (table["hard_bounce"].value, table["soft_bounce"].value, table["complaints"].value) == (1, 2, 1)
    assert (table["dr_hard_bounces"].value, table["dr_soft_bounces"].value, table["dr_denylisted"].value) == (1, 2, 1)
    by_reason = indicators.from_events(Delivery(id="1"), [failed("unknown", 1, "soft")], [], [])
    assert (by_reason["hard_bounce"].value, by_reason["dr_hard_bounces"].value) == (1, 0)


def test_c16_kpis_look_at_services_and_deliveries_at_clicks() -> None:
    left = SubscriptionChange(service_id="news", id="1", action="unsubscribe", changed_at=AT)
    table = table_of(*[a(OptOutClick, "0", "3")] * 3, facts=[Service(id="news"), left])
    assert (table["kpi_unsubscriptions"].value, table["opt_out"].value, table["dr_unsubscribes"].value) == (1, 3, 3)
    assert (table["kpi_unsubscription_rate"].numerator, table["dr_unsubscribe_rate"].numerator) == (1, 3)
    assert table["dr_unique_unsubscribes"].value == 1


def test_c17_each_family_has_its_own_delivered_processed_and_sent() -> None:
    statuses = ("sent", "taken_into_account", "received_on_mobile", "prepared", "failed", "pending")
    messages = [Message(id=name, delivery_id="1", status=name) for name in statuses]
    table = indicators.from_events(Delivery(id="1"), messages, [], [])
    assert (table["success"].value, table["kpi_delivered"].value, table["dr_delivered"].value) == (3, 3, 1)
    assert (table["processed"].value, table["dr_sent"].value, table["sent_sms"].value) == (5, 2, 0)
    short = indicators.from_events(Delivery(id="1", channel="sms"), messages, [], [])
    assert short["sent_sms"].value


@pytest.mark.parametrize("channel", ["email", "push"])
def test_c20_a_click_is_one_in_the_console_whatever_its_link_and_goes_by_the_link_in_the_web_interface(
    channel: str,
) -> None:
    """The class of an event is its type, so an offer or a notification that is clicked is a click of the console."""
    types = ["click", "offer_click", "offer_interested", "mobile_click"]
    links = [TrackedLink(delivery_id="1", id=f"2{n}", url="https://a.example/", type=t) for n, t in enumerate(types)]
    messages = [Message(id=str(n), delivery_id="1", status="sent") for n in range(6)]
    clicks = [a(Click, str(n), f"2{n}", f"browser {n}") for n in range(len(types))]
    others = [a(OptOutClick, "4", "30", "browser 4"), a(MirrorPageView, "5", "31", "browser 5")]
    table = indicators.from_events(Delivery(id="1", channel=channel), messages, links, [*clicks, *others])
    for key in ("recipient_click", "person_click", "total_recipient_click", "kpi_clicks", "tracking_statistics_clicks"):
        assert table[key].value == 4, key
    assert (table["dr_clicks"].value, table["dr_unique_clicks"].value, table["dr_offer_clicks"].value) == (3, 3, 2)
    # Of a notification: any click on the message of such a delivery, else clicks on links of that type.
    assert table["push_clicks"].value == (4 if channel == "push" else 1)
    assert (table["hot_click_offer_percent"].numerator, table["hot_click_offer_percent"].denominator) == (2, 6)
    # Whatever the link is registered as, an opt-out or a view of the mirror page is none.
    offered = [a(OptOutClick, "4", "21"), a(MirrorPageView, "5", "21")]
    assert indicators.from_events(Delivery(id="1"), messages, links, offered)["total_recipient_click"].value == 0


def test_c22_web_tracking_without_data_is_zero() -> None:
    assert table_of(a(Open))["total_web_page"].value == 0
