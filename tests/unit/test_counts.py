"""Counts: equal when they say the same, and plain enough to be frozen as JSON and thawed again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import MAX_EMAX, MIN_EMIN, Decimal

import attrs
import pytest
from cattrs.preconf.json import make_converter

from msgtrack.counts import (
    CLICK_ROW_KINDS,
    REACTION_KINDS,
    Counts,
    DeliveryCounts,
    DomainCounts,
    Excluded,
    Failures,
    LinkFacts,
    Opened,
    Reached,
    ServiceCounts,
    StepCounts,
    Visits,
    distinct,
    local_day,
    total_amount,
)
from msgtrack.model import LinkType, MessageStatus

COUNTS = Counts(
    deliveries={
        "1": DeliveryCounts(
            to_deliver=4,
            text=1,
            contact_at=datetime(2026, 3, 1, tzinfo=UTC),
            domains={"AOL": DomainCounts(statuses={2: 1, 1: 3}, failures={8: 1}, reactions={"open": 2}, reacted=1)},
            persons=1,
            slots={"open": {"1": {600: 1, 300: 1}}},
            links={"2": LinkFacts(label="Shop", url="https://a.example/", type=LinkType.OPT_OUT)},
            amount=Decimal("1.50"),
            article=2,
        )
    },
    persons=1,
)


def test_reactions_are_six_and_rows_of_links_five() -> None:
    assert sorted(REACTION_KINDS) == ["click", "mirror-page-view", "open", "opt-out-click", "page-visit", "transaction"]
    assert {"open"} == {kind for kind in REACTION_KINDS if kind not in CLICK_ROW_KINDS}


def test_zeros_and_order_make_no_difference() -> None:
    one = DeliveryCounts(slots={"open": {"1": {300: 1, 0: 0}}, "click": {"2": {0: 0}}, "sent": {}})
    assert one == DeliveryCounts(slots={"open": {"1": {300: 1}}})
    assert list(COUNTS.deliveries["1"].slots["open"]["1"]) == [300, 600]
    assert list(COUNTS.deliveries["1"].domains["AOL"].statuses) == [1, 2]


def test_what_nobody_gave_is_zero() -> None:
    delivery = DeliveryCounts()
    assert (delivery.to_deliver, delivery.text, delivery.persons, delivery.article) == (0,) * 4
    assert delivery.amount == Decimal(0)
    domain = DomainCounts()
    assert (domain.to_deliver, domain.text, domain.success, domain.reacted, domain.clicked) == (0,) * 5
    assert (domain.prepared, domain.failed, domain.complaints) == (0,) * 3
    assert Counts().persons == 0


def test_rows_go_in_one_order() -> None:
    slots = {"open": {"1": {0: 1}}, "click": {"3": {0: 1}, "2": {0: 1}}}
    assert list(DeliveryCounts(slots=slots).slots) == ["click", "open"]
    assert list(DeliveryCounts(slots=slots).slots["click"]) == ["2", "3"]
    assert list(DomainCounts(reactions={"open": 1, "click": 1}).reactions) == ["click", "open"]


def test_counts_survive_json() -> None:
    converter = make_converter()
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    assert converter.loads(converter.dumps(COUNTS), Counts) == COUNTS


@pytest.mark.parametrize(
    ("nothing", "said"),
    [
        (Counts(), {"zone": "UTC", "distinct_error": 0.0}),
        (
            DeliveryCounts(),
            {
                **dict.fromkeys(("contact_at", "total_target", "reject")),
                "channel": "email",
                "typology": "",
                "amount": Decimal(0),
            },
        ),
        (DomainCounts(), {}),
        (LinkFacts(), {"label": "", "url": "", "category": "", "type": LinkType.CLICK}),
        (
            Opened(),
            {**dict.fromkeys(("browser", "browser_version", "os", "os_version", "device"), ""), "is_mobile": None},
        ),
        (Reached(), {}),
        (ServiceCounts(), {"label": "", "channel": "email"}),
        (StepCounts(), {"label": ""}),
        (
            Visits(day="2026-03-01"),
            {
                **dict.fromkeys(("browser", "browser_version", "os", "os_version", "device"), ""),
                "day": "2026-03-01",
                "is_mobile": None,
            },
        ),
    ],
)
def test_what_nobody_counted_is_zero_or_empty(nothing: attrs.AttrsInstance, said: dict[str, object]) -> None:
    found = attrs.asdict(nothing, recurse=False)
    assert {name: found[name] for name in said} == said
    for name in found.keys() - said.keys():
        assert found[name] in ({}, (), 0), name
        assert not isinstance(found[name], bool | float), name


@pytest.mark.parametrize(
    "kept",
    [
        Reached(reach={"b": 1, "a": 2, "c": 0}).reach,
        Reached(reactions={"b": 1, "a": 2, "c": 0}).reactions,
        StepCounts(persons={"b": 1, "a": 2, "c": 0}).persons,
        Opened(reactions={"b": 1, "a": 2, "c": 0}).reactions,
        DomainCounts(reach={"b": 1, "a": 2, "c": 0}).reach,
        DomainCounts(reactions={"b": 1, "a": 2, "c": 0}).reactions,
        Counts(recipients={"b": 1, "a": 2, "c": 0}).recipients,
    ],
)
def test_names_are_kept_in_order_and_without_zeros(kept: Mapping[str, int]) -> None:
    assert list(kept.items()) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    "kept",
    [
        DomainCounts(statuses={2: 1, 1: 2, 3: 0}).statuses,
        DomainCounts(failures={2: 1, 1: 2, 3: 0}).failures,
        DeliveryCounts(new_contacts={2: 1, 1: 2, 3: 0}).new_contacts,
        DeliveryCounts(handled={"x": {2: 1, 1: 2, 3: 0}}).handled["x"],
        DeliveryCounts(handled_bytes={"x": {2: 1, 1: 2, 3: 0}}).handled_bytes["x"],
        DeliveryCounts(shared_views={"x": {2: 1, 1: 2, 3: 0}}).shared_views["x"],
        DeliveryCounts(slots={"click": {"x": {2: 1, 1: 2, 3: 0}}}).slots["click"]["x"],
    ],
)
def test_numbers_are_kept_in_order_and_without_zeros(kept: Mapping[int, int]) -> None:
    assert list(kept.items()) == [(1, 2), (2, 1)]


def test_moments_are_kept_in_order() -> None:
    service = ServiceCounts(created=[2, 1, 2], joined=[4, 3], left=[6, 5])  # type: ignore[arg-type]  # any iterable will do
    assert (service.created, service.joined, service.left) == ((1, 2, 2), (3, 4), (5, 6))


def test_what_is_left_without_numbers_is_left_out() -> None:
    found = DeliveryCounts(handled={"b": {0: 1}, "a": {0: 0}}, slots={"open": {"1": {0: 0}}, "click": {"2": {0: 1}}})
    assert (found.handled, found.slots) == ({"b": {0: 1}}, {"click": {"2": {0: 1}}})
    assert Counts(persons_by={"domain": {"AOL": 0}, "channel": {"email": 1}}).persons_by == {"channel": {"email": 1}}


def test_rows_may_come_as_any_iterable_and_stay() -> None:
    failures = [Failures(status=2, failure_type=1, failure_reason=3, messages=4)]
    excluded = [Excluded(failure_reason=9, rule="r", times=2)]
    agents = [Opened(browser="b")]
    for made in (list, iter):
        assert DomainCounts(outcomes=made(failures)).outcomes == tuple(failures)
        found = DeliveryCounts(exclusions=made(excluded), agents=made(agents), derived=made(["text"]))
        assert (found.exclusions, found.agents, found.derived) == (tuple(excluded), tuple(agents), ("text",))
        assert StepCounts(steps=made("ab")).steps == ("a", "b")
        assert Counts(visits=made([Visits(day="2026-03-01")])).visits == (Visits(day="2026-03-01"),)


def test_statuses_are_told_apart() -> None:
    counts = DomainCounts(statuses={status: 10**place for place, status in enumerate(MessageStatus)})
    tens = {status: 10**place for place, status in enumerate(MessageStatus)}
    handled = (MessageStatus.SENT, MessageStatus.TAKEN_INTO_ACCOUNT, MessageStatus.RECEIVED_ON_MOBILE)
    assert counts.success == sum(tens[status] for status in handled)
    assert counts.failed == tens[MessageStatus.FAILED]
    assert counts.prepared == tens[MessageStatus.PREPARED]
    assert counts.to_deliver == sum(tens.values()) - tens[MessageStatus.IGNORED]
    assert DomainCounts(failures={8: 3, 7: 1}).complaints == 3


def test_rows_of_a_delivery_add_up_over_links_and_slots() -> None:
    slots = {"click": {"2": {0: 1, 300: 2}, "3": {0: 4}}, "opt-out-click": {"3": {0: 8}}, "open": {"2": {0: 16}}}
    found = DeliveryCounts(slots=slots, links={"9": LinkFacts(), "2": LinkFacts()})
    assert (found.rows("click"), found.rows("open", "click"), found.rows("sent"), found.rows()) == (7, 23, 0, 0)
    assert found.clicks_by_link() == {"9": 0, "2": 3, "3": 12}


def test_moments_before_and_after_leave_out_the_moment_itself() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    one = int(at.timestamp()) * 10**6
    moments = (one - 1, one, one, one + 1, one + 2)
    assert (ServiceCounts.before(moments, at), ServiceCounts.after(moments, at)) == (1, 2)


def test_reactions_of_any_kind_are_told_from_those_of_some() -> None:
    reach = {"click": 1, "click open": 2, "open": 4, "mobile-click": 8, "mobile-click open": 16}
    assert distinct(reach) == 31
    assert distinct(reach, mobile=False) == 31
    assert (distinct(reach, "open"), distinct(reach, "open", mobile=False)) == (22, 22)
    assert (distinct(reach, "click"), distinct(reach, "click", mobile=False)) == (27, 3)
    assert distinct(reach, "mobile-click", "page-visit") == 24
    assert distinct({}, "click") == distinct({}) == 0


def test_amounts_are_exact_up_to_a_hundred_digits_and_never_fail() -> None:
    long, short = Decimal("9" * 60), Decimal("1e-40")
    assert total_amount([short, long]) == total_amount([long, short]) == Decimal(f"{'9' * 60}.{'0' * 39}1")
    assert total_amount([Decimal("1e60"), short]) == Decimal("1e60")
    assert total_amount([]) == Decimal(0)
    greatest, least = Decimal(f"9e{MAX_EMAX}"), Decimal(f"1e{MIN_EMIN}")
    assert (total_amount([greatest]), total_amount([least, least])) == (greatest, Decimal(f"2e{MIN_EMIN}"))
    assert total_amount([greatest, greatest]).is_infinite()


@pytest.mark.parametrize(
    ("slot", "zone", "day"),
    [
        (0, "UTC", "1970-01-01"),
        (0, "America/New_York", "1969-12-31"),
        (86_100, "Asia/Tokyo", "1970-01-02"),
        (-62_135_596_800, "America/New_York", "0001-01-01"),
        (-62_135_596_800, "UTC", "0001-01-01"),
        (253_402_300_500, "Asia/Tokyo", "9999-12-31"),
    ],
)
@pytest.mark.parametrize("home", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_days_are_those_of_the_zone_asked_for_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch, home: str, slot: int, zone: str, day: str
) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot be told another zone")
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", home)
            time.tzset()
            assert local_day(slot, zone) == day
    finally:
        time.tzset()
