"""Where the reference contradicts itself: one test per reading that we implement (reference 7.9, same numbers)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit
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


def test_c2_every_row_of_a_message_proves_that_it_was_opened() -> None:
    for kind in (Open, Click, MirrorPageView, OptOutClick, PageVisit):
        assert table_of(a(kind))["recipient_open"].value == 1


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


def test_c13_the_table_per_link_keeps_opt_outs_and_mirror_pages_and_the_rates_above_it_do_not() -> None:
    table = table_of(a(Click, link_id="2"), a(OptOutClick, link_id="3"), a(MirrorPageView, link_id="4"), a(Open))
    assert {k: v.value for k, v in table.series("url_clicks", by="label").items()} == {
        "Out": 1,
        "Shop": 1,
        "Web copy": 1,
    }
    assert table["url_clicks"].value == 3
    assert (table["cumulated_clicks"].numerator, table["cumulated_clicks"].denominator) == (1, 2)


def test_c22_web_tracking_without_data_is_zero() -> None:
    assert table_of(a(Open))["total_web_page"].value == 0
