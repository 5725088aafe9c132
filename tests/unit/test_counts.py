"""Counts: equal when they say the same, and plain enough to be frozen as JSON and thawed again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from cattrs.preconf.json import make_converter

from msgtrack.counts import (
    CLICK_ROW_KINDS,
    REACTION_KINDS,
    Counts,
    DeliveryCounts,
    DomainCounts,
    LinkFacts,
    Opened,
    Reached,
    ServiceCounts,
    StepCounts,
    Visits,
)
from msgtrack.model import LinkType

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
