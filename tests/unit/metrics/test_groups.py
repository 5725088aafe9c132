"""Groupings: their rows, names and order, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import attrs
import pytest

from msgtrack._borders import zone_of
from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts, Reached
from msgtrack.metrics._groups import GROUPINGS, curve_width, default_width, link_name, path_part
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_classes, of_reached, of_whole

A = DomainCounts(statuses={1: 3}, reacted=2, reactions={"open": 2}, reach={"open": 2})
B = DomainCounts(statuses={1: 5}, clicked=1, reactions={"click": 1}, reach={"click": 1})
C = DomainCounts(statuses={1: 4}, reacted=1, reactions={"open": 1}, reach={"open": 1})
R = Reached(reach={"click": 2}, reactions={"click": 3})
S = Reached(reach={"click open": 1}, reactions={"click": 1, "open": 1})
T = Reached(reach={"open": 4}, reactions={"open": 5})

ONE = DeliveryCounts(
    to_deliver=8,
    domains={"Yahoo": A, "Gmail": B},
    variants={"b": A, "a": B},
    persons=2,
    slots={"open": {"1": {0: 1, 600: 1}}, "click": {"3": {300: 2}, "2": {600: 1}}, "opt-out-click": {"4": {900: 1}}},
    links={
        "2": LinkFacts(label="Shop", url="https://a.example/", category="x"),
        "3": LinkFacts(url="https://b.example/", category="y"),
    },
    groups={
        "day": {"2026-03-02": S, "2026-03-01": R},
        "link": {"3": R},
        "label": {"Shop": S, "https://b.example/": R},
        "url": {"https://a.example/": S},
        "category": {"x": S},
    },
)
TWO = DeliveryCounts(
    to_deliver=4,
    domains={"Yahoo": C},
    variants={"b": C},
    persons=1,
    slots={"transaction": {"": {600: 1}}, "click": {"2": {0: 1}}},
    links={"2": LinkFacts(label="Shop", url="https://c.example/", category="x")},
    groups={"day": {"2026-03-02": T}, "link": {"2": T}, "label": {"Shop": T}, "category": {"x": T}},
)
BOTH = Scope(counts=Counts(deliveries={"1": ONE, "2/3": TWO}, persons=2), is_several=True, clip=True)


def rows(by: str, scope: Scope = BOTH) -> Mapping[str, Sums]:
    return GROUPINGS[by](scope)


def clicks(by: str) -> list[tuple[str, int]]:
    found = rows(by)
    assert {sums.all_url_clicks for sums in found.values()} == {6}
    assert all(sums.scope is BOTH for sums in found.values())
    return [(name, sums.url_clicks) for name, sums in found.items()]


def test_classes_and_variants_of_several_deliveries_come_together() -> None:
    by_domain = rows("domain")
    assert list(by_domain) == ["Yahoo", "Gmail"]
    assert by_domain == {"Yahoo": of_classes((A, C), BOTH), "Gmail": of_classes((B,), BOTH)}
    by_variant = rows("variant")
    assert list(by_variant) == ["a", "b"]
    assert by_variant == {"a": of_classes((B,), BOTH), "b": of_classes((A, C), BOTH)}


def test_a_delivery_is_what_it_would_be_alone() -> None:
    found = rows("delivery")
    assert list(found) == ["1", "2/3"]
    for name, delivery in (("1", ONE), ("2/3", TWO)):
        alone = Scope(counts=Counts(deliveries={name: delivery}, persons=delivery.persons), is_several=True, clip=True)
        assert found[name] == of_whole(alone)
        assert found[name].person_click == delivery.persons


def test_days_go_in_order() -> None:
    found = rows("day")
    assert list(found) == ["2026-03-01", "2026-03-02"]
    assert found == {"2026-03-01": of_reached([R], BOTH), "2026-03-02": of_reached([S, T], BOTH)}
    assert found["2026-03-01"].scope is found["2026-03-02"].scope is BOTH


def test_links_bear_their_delivery_and_what_they_reached() -> None:
    # By clicks, then label, then name; links that nobody registered have no label.
    expected = [("1/3", 2), ("1/4", 1), ("2%2F3/", 1), ("1/2", 1), ("2%2F3/2", 1)]
    assert clicks("link") == expected
    found = rows("link")
    assert found["1/3"].rows == {"click": 3}
    assert found["2%2F3/2"].reach == {"open": 4}
    assert found["1/2"].reach == {}


@pytest.mark.parametrize(
    ("by", "expected", "reached"),
    [
        ("label", [("", 2), ("Shop", 2), ("https://b.example/", 2)], {"Shop": [S, T], "https://b.example/": [R]}),
        (
            "url",
            [("", 2), ("https://b.example/", 2), ("https://a.example/", 1), ("https://c.example/", 1)],
            {"https://a.example/": [S]},
        ),
        ("category", [("", 2), ("x", 2), ("y", 2)], {"x": [S, T]}),
    ],
)
def test_groups_of_links(by: str, expected: list[tuple[str, int]], reached: dict[str, list[Reached]]) -> None:
    assert clicks(by) == expected
    for name, sums in rows(by).items():
        parts = of_reached(reached.get(name, []), BOTH)
        assert (sums.rows, sums.reach) == (parts.rows, parts.reach)


def test_bins_cumulate_opens_clicks_and_transactions() -> None:
    def at(second: int) -> str:
        return datetime.fromtimestamp(second, UTC).isoformat()

    found = rows("bin")
    assert {name: dict(sums.rows) for name, sums in found.items()} == {
        at(0): {"open": 1, "click": 1},
        at(300): {"open": 1, "click": 3},
        at(600): {"open": 2, "click": 4, "transaction": 1},
    }
    assert list(found) == sorted(found)
    assert all(sums.scope is BOTH for sums in found.values())
    wide = rows("bin", attrs.evolve(BOTH, bin_seconds=86400, zone=zone_of("Asia/Kolkata")))
    assert {name: dict(sums.rows) for name, sums in wide.items()} == {
        "1970-01-01T00:00:00+05:30": {"open": 2, "click": 4, "transaction": 1}
    }
    assert rows("bin", Scope()) == {}


@pytest.mark.parametrize(
    ("hours", "width"),
    [(0.0, 300), (3, 300), (3 + 1 / 3600, 600), (24, 600), (24 + 1 / 3600, 3600), (168, 3600), (168 + 1 / 3600, 86400)],
)
def test_bins_are_as_wide_as_the_views_of_the_reference(hours: float, width: int) -> None:
    # The last slot ends five minutes after its start, and that is what a view must reach.
    last = round(hours * 3600) - 300
    assert default_width(Counts(), 0, last) == width
    launched = Counts(deliveries={"1": DeliveryCounts(contact_at=datetime.fromtimestamp(1000, UTC)), "2": ONE})
    assert default_width(launched, 1500, last + 1000) == width
    later = Counts(deliveries={"1": DeliveryCounts(contact_at=datetime.fromtimestamp(10**6, UTC))})
    assert default_width(later, 0, last) == width


def test_bins_are_as_wide_as_what_is_in_the_curve_needs() -> None:
    def counts(**slots: dict[str, dict[int, int]]) -> Counts:
        return Counts(deliveries={"1": DeliveryCounts(slots={kind.replace("_", "-"): slots[kind] for kind in slots})})

    assert curve_width(Counts()) is None
    assert curve_width(counts(opt_out_click={"1": {0: 1, 86400: 1}})) is None, "no event of the curve"
    assert curve_width(counts(opt_out_click={"1": {0: 1}}, click={"1": {86400: 1}})) == 300
    assert curve_width(counts(click={"1": {86400: 1, 0: 1}})) == 3600
    assert curve_width(counts(open={"1": {0: 1}}, transaction={"2": {4 * 3600: 1}})) == 600
    assert curve_width(counts(open={"1": {0: 1}, "2": {8 * 86400: 1}})) == 86400
    both = [*counts(open={"1": {0: 1}}).deliveries.values(), *counts(click={"1": {4 * 3600: 1}}).deliveries.values()]
    assert curve_width(Counts(deliveries=dict(zip("12", both, strict=True)))) == 600


def test_names_with_slashes_stay_apart() -> None:
    assert path_part("a/b%c/%") == "a%2Fb%25c%2F%25"
    assert link_name(BOTH, "a/", "%") == "a%2F/%25"
    assert link_name(Scope(), "a/", "%/") == "%/"


@pytest.mark.parametrize("by", sorted(set(GROUPINGS) - {"delivery"}))
def test_a_delivery_of_nothing_has_no_rows(by: str) -> None:
    nothing = Scope(counts=Counts(deliveries={"1": DeliveryCounts()}))
    assert rows(by, nothing) == {}
    unread = Scope(counts=Counts(deliveries={"1": DeliveryCounts(links={"2": LinkFacts(label="Shop")})}))
    assert [sums.url_clicks for sums in rows(by, unread).values()] in ([], [0])
