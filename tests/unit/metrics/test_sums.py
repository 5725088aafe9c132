"""Sums: what a row is made of, number by number, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts, Reached
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_classes, of_numbers, of_reached, of_rows, of_whole, share_clicks
from msgtrack.model import LinkType

NOTHING = {
    "to_deliver": 0,
    "success": 0,
    "complaints": 0,
    "recipient_open": 0,
    "recipient_click": 0,
    "person_click": 0,
    "rows": {},
    "estimated_recipient_open": None,
    "estimated_total_recipient_open": None,
    "partly_estimated": False,
    "amount": Decimal(0),
    "article": 0,
    "url_clicks": 0,
    "all_url_clicks": 0,
    "share_clicks": {},
    "clip": False,
    "parts": (),
    "reach": {},
    "numbers": {},
    "scope": Scope(),
}

GMAIL = DomainCounts(
    statuses={1: 6, 2: 1},
    failures={8: 2, 16: 1},
    reacted=3,
    clicked=2,
    reactions={"open": 5, "click": 3},
    reach={"open": 1, "click open": 2},
)
OTHERS = DomainCounts(
    statuses={1: 2}, failures={8: 1}, reacted=1, clicked=1, reactions={"click": 1}, reach={"click": 1}
)
AGAIN = DomainCounts(statuses={1: 4}, reacted=2, reactions={"open": 2, "opt-out-click": 1}, reach={"open": 2})
ONE = DeliveryCounts(
    to_deliver=9,
    text=3,
    domains={"Gmail": GMAIL, "Others": OTHERS},
    persons=3,
    slots={"open": {"1": {0: 4, 300: 1}}, "click": {"2": {0: 3}, "3": {0: 1}}, "transaction": {"": {0: 2}}},
    links={"2": LinkFacts(url="https://a.example/", category="shared"), "4": LinkFacts(category="unused")},
    amount=Decimal("2.50"),
    article=3,
)
TWO = DeliveryCounts(
    to_deliver=4,
    domains={"Gmail": AGAIN},
    slots={"open": {"1": {0: 2}}, "opt-out-click": {"5": {0: 1}}, "click": {"2": {0: 2}}},
    links={"2": LinkFacts(category="shared")},
    amount=Decimal("0.25"),
    article=1,
)
SCOPE = Scope(counts=Counts(deliveries={"1": ONE, "2": TWO}, persons=4), clip=True)


def fields(sums: Sums) -> dict[str, object]:
    return attrs.asdict(sums, recurse=False)


def test_what_a_row_cannot_know_is_zero_or_none() -> None:
    assert fields(Sums()) == NOTHING
    assert {name: type(value) for name, value in fields(Sums()).items()} == {n: type(v) for n, v in NOTHING.items()}
    assert "scope" not in repr(Sums())


def test_the_whole_is_the_sum_of_the_deliveries_and_persons_are_not() -> None:
    assert fields(of_whole(SCOPE)) == {
        "to_deliver": 13,
        "success": 12,
        "complaints": 3,
        "recipient_open": 6,
        "recipient_click": 3,
        "person_click": 4,
        "rows": {"open": 7, "click": 6, "transaction": 2, "opt-out-click": 1},
        # round(4 * 9 / 6) and round(2 * 4 / 4); round(5 * 9 / 6) goes away from zero, and round(2 * 4 / 4).
        "estimated_recipient_open": 6 + 2,
        "estimated_total_recipient_open": 8 + 2,
        "partly_estimated": False,
        "amount": Decimal("2.75"),
        "article": 4,
        # All rows but opens, whether their link is registered or not.
        "url_clicks": 9,
        "all_url_clicks": 9,
        "share_clicks": {"shared": 5, "unused": 0},
        "clip": True,
        "parts": (GMAIL, OTHERS, AGAIN),
        "reach": {"open": 3, "click open": 2, "click": 1},
        "numbers": {},
        "scope": SCOPE,
    }


@pytest.mark.parametrize(
    ("texts", "estimate", "is_partial"),
    [((0, 0), 2, False), ((2, 2), None, False), ((0, 2), 1, True), ((1, 1), 4, False), ((), None, False)],
)
def test_a_delivery_of_texts_alone_is_left_out_of_estimates(
    texts: tuple[int, ...], estimate: int | None, is_partial: bool
) -> None:
    deliveries = {
        str(number): DeliveryCounts(to_deliver=2, text=text, domains={"Others": DomainCounts(reacted=1)})
        for number, text in enumerate(texts)
    }
    sums = of_whole(Scope(counts=Counts(deliveries=deliveries)))
    assert (sums.estimated_recipient_open, sums.partly_estimated) == (estimate, is_partial)


def test_classes_know_messages_and_reactions() -> None:
    assert fields(of_classes(iter([GMAIL, AGAIN]), SCOPE)) == {
        **NOTHING,
        "success": 10,
        "complaints": 2,
        "recipient_open": 5,
        "recipient_click": 2,
        "rows": {"open": 7, "click": 3, "opt-out-click": 1},
        "parts": (GMAIL, AGAIN),
        "reach": {"open": 3, "click open": 2},
        "scope": SCOPE,
    }


def test_groups_know_reactions_and_distinct_messages() -> None:
    parts = [
        Reached(reach={"open": 1, "click open": 2}, persons=9, reactions={"open": 3, "click": 2}),
        Reached(reach={"click": 1, "mirror-page-view": 1}, reactions={"click": 1}),
    ]
    assert fields(of_reached(iter(parts), SCOPE, url_clicks=3, all_url_clicks=7)) == {
        **NOTHING,
        "recipient_open": 5,
        "recipient_click": 3,
        "rows": {"open": 3, "click": 3},
        "reach": {"open": 1, "click open": 2, "click": 1, "mirror-page-view": 1},
        "url_clicks": 3,
        "all_url_clicks": 7,
        "scope": SCOPE,
    }
    assert fields(of_reached([], SCOPE)) == {**NOTHING, "scope": SCOPE}


def test_rows_and_numbers_are_taken_as_they_are() -> None:
    rows = {"open": 2}
    sums = of_rows(rows, SCOPE)
    rows["open"] = 3
    assert fields(sums) == {**NOTHING, "rows": {"open": 2}, "scope": SCOPE}
    numbers = of_numbers(SCOPE, pages=3, days=None)
    assert fields(numbers) == {**NOTHING, "numbers": {"pages": 3, "days": None}, "scope": SCOPE}
    assert (numbers["pages"], numbers["days"]) == (3, None)
    with pytest.raises(KeyError):
        numbers["visitors"]


def test_rows_are_read_by_kind() -> None:
    kinds = ("open", "click", "opt-out-click", "mirror-page-view", "transaction", "page-visit")
    sums = Sums(rows={kind: 10**place for place, kind in enumerate(kinds)})
    read = (sums.total_recipient_open, sums.total_recipient_click, sums.opt_out, sums.mirror_page, sums.transaction)
    assert read == (1, 10, 100, 1000, 10_000)
    assert sums.total_web_page == 110_000
    nothing = Sums()
    read = (nothing.total_recipient_open, nothing.total_recipient_click, nothing.opt_out, nothing.mirror_page)
    assert read == (0, 0, 0, 0)
    assert (nothing.transaction, nothing.total_web_page) == (0, 0)


@pytest.mark.parametrize(("persons", "plain", "clipped"), [(5, 3, 3), (2, 0, 0), (1, -1, 0)])
def test_forwards_are_clipped_when_asked_for(persons: int, plain: int, clipped: int) -> None:
    assert Sums(person_click=persons, recipient_click=2).forwards == plain
    sums = Sums(person_click=persons, recipient_click=2, clip=True)
    assert (sums.forwards, sums.unclipped_forwards) == (clipped, plain)


def test_distinct_messages_and_counts() -> None:
    sums = Sums(reach={"open": 1, "click open": 2, "click": 4}, scope=SCOPE)
    assert (sums.distinct(), sums.distinct("open"), sums.distinct("click", "open")) == (7, 3, 7)
    assert sums.counts is SCOPE.counts


def test_clicks_on_notifications_stand_apart_and_are_clicks_unless_told_otherwise() -> None:
    sums = Sums(reach={"mobile-click": 1, "click": 2, "open": 4}, rows={"click": 1, "mobile-click": 10, "open": 100})
    assert (sums.distinct("click"), sums.distinct("click", mobile=False), sums.distinct("open")) == (3, 2, 4)
    assert sums.total_recipient_click == 11
    delivery = DeliveryCounts(
        slots={"open": {"6": {0: 8}}, "click": {"6": {0: 1, 300: 1}, "7": {0: 4}, "8": {0: 16}}},
        links={"6": LinkFacts(type=LinkType.MOBILE_CLICK), "7": LinkFacts(type=LinkType.CLICK)},
    )
    whole = of_whole(Scope(counts=Counts(deliveries={"1": delivery})))
    assert whole.rows == {"open": 8, "mobile-click": 2, "click": 20}


def test_clicks_on_links_nobody_registered_have_no_category() -> None:
    assert share_clicks([TWO, ONE]) == {"shared": 5, "unused": 0}
    assert share_clicks([DeliveryCounts(slots={"click": {"9": {0: 1}}})]) == {}
