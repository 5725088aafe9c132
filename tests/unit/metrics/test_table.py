"""Tables: what they answer, how rows are named and ordered, bins over time zones, and what a wrong question gets."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack._borders import zone_of
from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts, Visits
from msgtrack.errors import InvalidOption, InvalidValue, UnknownIndicator
from msgtrack.metrics import Table, catalogue, indicators
from msgtrack.metrics._scope import Scope
from msgtrack.model import Audience


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def table_of(zone: str = "UTC", **fields: Any) -> Table:
    return indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(**fields)}), zone=zone)


def opens_at(*moments: str, zone: str = "UTC", contact_at: datetime | None = None) -> Table:
    return table_of(zone, slots={"open": {"1": {seconds(moment): 1 for moment in moments}}}, contact_at=contact_at)


def bins(table: Table, **options: Any) -> dict[str, object]:
    return {
        start: value.value for start, value in table.series("tracking_statistics_opens", by="bin", **options).items()
    }


def test_a_table_is_a_mapping_over_the_catalogue() -> None:
    table = table_of(to_deliver=3)
    assert list(table) == list(catalogue)
    assert len(table) == len(catalogue)
    assert table["to_deliver"].value == 3
    assert dict(table)["to_deliver"] == table["to_deliver"]
    assert "to_deliver" in table
    assert "no such thing" not in table
    assert table == table_of(to_deliver=3)
    assert table != table_of(to_deliver=4)


def test_a_table_is_asked_for_nothing_special_by_default() -> None:
    table = Table(counts=Counts(), delivery_ids=("1",))
    asked = (table.audiences, table.since, table.until, table.zone, table.now, table.clip, table.peers)
    assert asked == (None, None, None, "UTC", None, False, None)
    assert table.is_left_out is False
    assert table._scope == Scope()
    for name in ("peers", "scope", "whole"):
        assert name not in repr(table)
    # A table is shown where an assertion fails: what was asked for, and not all that was counted.
    assert "counts" not in repr(table)


def test_a_table_says_in_words_whose_events_are_in() -> None:
    plain = Table(counts=Counts(), delivery_ids=("1",))
    some = Table(counts=Counts(), delivery_ids=("1",), audiences=(Audience.HUMAN, Audience.PROXY))
    assert (plain.audience, some.audience) == ("all", "human, proxy")


@pytest.mark.parametrize("name", ["scope", "whole"])
def test_what_a_table_works_out_is_not_to_be_given(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Table(counts=Counts(), delivery_ids=(), **{name: None})


def test_indicators_may_know_all_that_a_table_was_asked_for() -> None:
    now, since, until = (datetime(2026, 3, day, tzinfo=UTC) for day in (3, 1, 2))
    counts, peers = Counts(persons=1), Counts(persons=2)
    table = Table(
        counts=counts,
        delivery_ids=("1", "2"),
        since=since,
        until=until,
        zone="Europe/Paris",
        now=now,
        clip=True,
        peers=peers,
    )
    assert table._scope == Scope(
        counts=counts,
        peers=peers,
        now=now,
        since=since,
        until=until,
        zone=zone_of("Europe/Paris"),
        is_several=True,
        clip=True,
    )


def test_persons_counted_by_a_sketch_say_so_and_nothing_else_does() -> None:
    exact, sketched = indicators.from_counts(Counts()), indicators.from_counts(Counts(distinct_error=0.01))
    assert {key for key, value in exact.items() if "sketched" in value.caveats} == set()
    of_persons = {key for key, value in exact.items() if "browsers" in value.caveats}
    assert {key for key, value in sketched.items() if "sketched" in value.caveats} == of_persons
    assert "person_click" in of_persons


def test_a_ranking_shows_as_many_rows_as_asked_for_and_the_others() -> None:
    visits = tuple(Visits(day="2026-03-01", browser=name, visitors=1) for name in "abc")
    table = indicators.from_counts(Counts(visits=visits))
    assert list(table.series("browser_visitors", by="browser", top=2)) == ["a", "b", "Others"]
    assert list(table.series("browser_visitors", by="browser")) == ["a", "b", "c"]
    with pytest.raises(InvalidValue):
        table.series("browser_visitors", by="browser", top=-1)


def test_a_table_travels_between_processes() -> None:
    table = opens_at("2026-03-01T10:00+00:00", zone="Europe/Paris")
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert bins(again) == bins(table)


def test_a_wrong_key_is_refused() -> None:
    table = table_of()
    assert "soft_bunce" not in table
    with pytest.raises(UnknownIndicator):
        table["soft_bunce"]
    with pytest.raises(UnknownIndicator):
        table.series("soft_bunce", by="domain")


@pytest.mark.parametrize(
    ("key", "by", "groupings"),
    [
        ("distinct_clicks", "domain", "no grouping at all"),
        ("to_deliver", "domain", "delivery"),
        ("url_clicks", "domain", "link, label, url, category"),
        ("sends", "link", "domain"),
        ("tracking_statistics_opens", "", "bin"),
    ],
)
def test_a_grouping_that_an_indicator_has_not_is_refused_with_those_it_has(key: str, by: str, groupings: str) -> None:
    with pytest.raises(InvalidOption, match=groupings):
        table_of().series(key, by=by)


SCALES = ("share", "time", "weekday", "recipient")
"""Groupings whose rows are there whatever happened: shares to reach, hours, days of the week, all recipients together."""


def test_nothing_has_no_rows_but_those_of_a_scale() -> None:
    table = indicators.from_counts(Counts())
    for key, indicator in catalogue.items():
        for by in indicator.groupings:
            rows = dict(table.series(key, by=by))
            assert not any(value.value for value in rows.values()), (key, by)
            if by not in SCALES and key != "url_clicks_others":
                assert rows == {}, (key, by)


def test_nothing_has_counts_of_zero_and_no_rates() -> None:
    table = indicators.from_counts(Counts())
    assert table["success"].value == 0
    assert table["amount"].value == Decimal(0)
    assert table["raw_reactivity"].value is None
    assert table["raw_reactivity"].value_or_zero == 0
    assert table["estimated_recipient_open"].value is None
    assert (table["raw_reactivity"].numerator, table["raw_reactivity"].denominator) == (0, 0)


def test_a_delivery_of_text_alone_has_no_estimate() -> None:
    table = table_of(
        to_deliver=5, text=5, domains={"Others": DomainCounts(statuses={1: 5}, reacted=2, reactions={"click": 2})}
    )
    assert table["recipient_open"].value == 2
    assert table["estimated_recipient_open"].value is None
    assert "no-denominator" in table["estimated_recipient_open"].caveats
    assert table["distinct_open_rate"].value is None
    assert (table["distinct_open_rate"].numerator, table["distinct_open_rate"].denominator) == (None, 5)


def test_estimates_are_made_per_delivery_and_then_summed() -> None:
    one = DeliveryCounts(to_deliver=3, text=1, domains={"Others": DomainCounts(reacted=1)})
    table = indicators.from_counts(Counts(deliveries={"1": one, "2": one}))
    # round(1.5) twice; once over both it would be round(3.0).
    assert table["estimated_recipient_open"].value == 4
    assert "partly-undefined" not in table["estimated_recipient_open"].caveats


def test_a_delivery_without_an_estimate_among_others_counts_as_zero_and_says_so() -> None:
    html = DeliveryCounts(to_deliver=2, text=0, domains={"Others": DomainCounts(statuses={1: 2}, reacted=1)})
    text = DeliveryCounts(to_deliver=2, text=2, domains={"Others": DomainCounts(statuses={1: 2}, reacted=1)})
    table = indicators.from_counts(Counts(deliveries={"1": html, "2": text}))
    for key in ("estimated_recipient_open", "estimated_reactivity", "reactivity", "distinct_open_rate"):
        assert "partly-undefined" in table[key].caveats
    assert table["estimated_recipient_open"].value == 1
    assert "partly-undefined" not in table["recipient_open"].caveats


def test_inputs_that_contradict_give_the_formula_and_a_caveat() -> None:
    table = table_of(to_deliver=4, text=5, domains={"Others": DomainCounts(reacted=1)})
    assert table["estimated_recipient_open"].value == -4
    assert "negative" in table["estimated_recipient_open"].caveats


def test_a_share_above_one_says_so_and_a_mean_does_not() -> None:
    table = table_of(
        domains={"Others": DomainCounts(statuses={1: 1})},
        slots={"click": {"2": {0: 3}}, "transaction": {"": {0: 1}}},
        article=3,
    )
    assert table["total_click_rate"].value == 3.0
    assert "above-one" in table["total_click_rate"].caveats
    assert table["average_article_per_transaction"].value == 3.0
    assert "above-one" not in table["average_article_per_transaction"].caveats


def test_exactly_one_is_not_above_it() -> None:
    table = table_of(domains={"Others": DomainCounts(statuses={1: 1})}, slots={"click": {"2": {0: 1}}})
    assert table["total_click_rate"].value == 1.0
    assert "above-one" not in table["total_click_rate"].caveats


def test_zero_is_not_negative_and_many_are_no_share() -> None:
    assert "negative" not in table_of()["forward_estimate"].caveats
    assert table_of(to_deliver=5)["to_deliver"].caveats == ()


def test_what_was_not_asked_for_is_not_done() -> None:
    table = indicators.from_counts(
        Counts(deliveries={"1": DeliveryCounts(domains={"Others": DomainCounts(clicked=1)})}, persons=0)
    )
    assert table["forward_estimate"].value == -1
    assert all("left-out" not in value.caveats for value in table.values())
    none = indicators.from_counts(Counts(), clip=True)
    assert "clipped" not in none["forward_estimate"].caveats


def test_what_may_not_have_been_measured_says_so_until_it_was() -> None:
    keys = ("total_web_page", "transaction", "amount", "article")
    assert all("no-data" in table_of()[key].caveats for key in keys)
    seen = table_of(slots={"page-visit": {"": {0: 1}}})
    assert all("no-data" not in seen[key].caveats for key in keys)
    assert seen["transaction"].value == 0


def test_an_estimate_says_so() -> None:
    for key, value in table_of(to_deliver=1).items():
        assert value.estimated == catalogue[key].estimated == ("estimate" in value.caveats)
    assert table_of(to_deliver=1)["estimated_recipient_open"].estimated


def test_a_number_out_of_range_is_undefined_and_no_error() -> None:
    table = table_of(slots={"transaction": {"": {0: 1}}}, article=10**400)
    value = table["average_article_per_transaction"]
    assert value.value is None
    assert "out-of-range" in value.caveats
    assert value.numerator == 10**400


def test_domains_go_by_sends_and_then_by_name() -> None:
    sizes = {"Yahoo": 2, "AOL": 2, "Gmail": 5, "Others": 0}
    table = table_of(domains={name: DomainCounts(statuses={1: size}) for name, size in sizes.items()})
    assert list(table.series("domain_open_rate", by="domain")) == ["Gmail", "AOL", "Yahoo", "Others"]
    assert table.series("domain_open_rate", by="domain")["Others"].value is None


def test_domains_of_several_deliveries_are_added_up() -> None:
    one = DeliveryCounts(domains={"AOL": DomainCounts(statuses={1: 3}, reacted=1, reactions={"open": 2})})
    two = DeliveryCounts(domains={"AOL": DomainCounts(statuses={1: 1}, reacted=1, reactions={"open": 1})})
    table = indicators.from_counts(Counts(deliveries={"1": one, "2": two}))
    row = table.series("domain_open_rate", by="domain")["AOL"]
    assert (row.numerator, row.denominator) == (2, 4)
    assert table.series("total_recipient_open", by="domain")["AOL"].value == 3


LINKS = {
    "2": LinkFacts(label="Shop", url="https://a.example/", category="shop"),
    "3": LinkFacts(label="Shop", url="https://b.example/", category="shop"),
    "4": LinkFacts(url="https://c.example/"),
    "5": LinkFacts(label="Apples", url="https://d.example/", category="shop"),
}
CLICKS = {"2": {0: 2}, "3": {0: 1, 300: 1}, "4": {0: 1}, "99": {0: 1}}


def test_links_go_by_clicks_and_then_by_label() -> None:
    table = table_of(links=LINKS, slots={"click": CLICKS, "open": {"1": {0: 7}}})
    assert {k: v.value for k, v in table.series("url_clicks", by="link").items()} == {
        "2": 2,
        "3": 2,
        "99": 1,
        "4": 1,
        "5": 0,
    }
    assert list(table.series("url_clicks", by="link")) == ["2", "3", "99", "4", "5"]
    assert list(table.series("url_clicks", by="label").items()) == [
        (name, table.series("url_clicks", by="label")[name]) for name in ("Shop", "", "https://c.example/", "Apples")
    ]
    assert {k: v.value for k, v in table.series("url_clicks", by="category").items()} == {"shop": 4, "": 2}
    assert table["url_clicks"].value == 6
    assert table["url_clicks_percent"].value == 1.0


def test_shares_of_links_are_over_all_of_them() -> None:
    table = table_of(links=LINKS, slots={"click": CLICKS})
    rows = table.series("url_clicks_percent", by="label")
    assert {k: (v.numerator, v.denominator) for k, v in rows.items()} == {
        "Shop": (4, 6),
        "": (1, 6),
        "https://c.example/": (1, 6),
        "Apples": (0, 6),
    }


def test_links_of_several_deliveries_carry_their_delivery_and_never_collide() -> None:
    one, two = DeliveryCounts(slots={"click": {"b/c": {0: 2}}}), DeliveryCounts(slots={"click": {"c": {0: 1}}})
    table = indicators.from_counts(Counts(deliveries={"a": one, "a/b": two}))
    assert {k: v.value for k, v in table.series("url_clicks", by="link").items()} == {"a/b%2Fc": 2, "a%2Fb/c": 1}
    percent = indicators.from_counts(
        Counts(
            deliveries={
                "a/": DeliveryCounts(slots={"click": {"b": {0: 1}}}),
                "a%2F": DeliveryCounts(slots={"click": {"b": {0: 1}}}),
            }
        )
    )
    assert len(percent.series("url_clicks", by="link")) == 2


def test_bins_follow_the_time_from_launch_to_the_last_event() -> None:
    start = "2026-03-02T10:00+00:00"
    base = datetime.fromisoformat(start)
    for last, expected in (
        (timedelta(hours=2, minutes=55), "12:55"),
        (timedelta(hours=3), "13:00"),
        (timedelta(hours=3, minutes=5), "13:00"),
        (timedelta(hours=23, minutes=55), "09:50"),
        (timedelta(hours=24, minutes=15), "10:00"),
        (timedelta(days=6, hours=23, minutes=55), "09:00"),
        (timedelta(days=7, minutes=5), "00:00"),
    ):
        table = opens_at(start, (base + last).isoformat())
        assert list(bins(table))[-1][11:16] == expected
    # A second more than three hours: ten minutes wide.
    odd = opens_at(start, (base + timedelta(hours=2, minutes=55)).isoformat(), contact_at=base - timedelta(seconds=1))
    assert list(bins(odd))[-1][11:16] == "12:50"
    # Launched long before the only open: a day wide.
    late = opens_at(start, contact_at=base - timedelta(days=30))
    assert list(bins(late)) == ["2026-03-02T00:00:00+00:00"]
    # A launch after the first event does not shorten what is seen.
    early = opens_at(start, "2026-03-12T10:00+00:00", contact_at=base + timedelta(days=10))
    assert list(bins(early)) == ["2026-03-02T00:00:00+00:00", "2026-03-12T00:00:00+00:00"]


def test_curves_cumulate_and_skip_bins_in_which_nothing_happened() -> None:
    table = opens_at("2026-03-02T10:00+00:00", "2026-03-02T10:05+00:00", "2026-03-02T12:00+00:00")
    assert bins(table, bin_seconds=3600) == {"2026-03-02T10:00:00+00:00": 2, "2026-03-02T12:00:00+00:00": 3}


def test_all_curves_of_a_delivery_have_the_same_bins() -> None:
    table = table_of(slots={"open": {"1": {0: 1}}, "click": {"2": {3600: 1}}, "opt-out-click": {"3": {7200: 1}}})
    curves = [
        table.series(f"tracking_statistics_{kind}", by="bin", bin_seconds=3600)
        for kind in ("opens", "clicks", "transactions")
    ]
    assert [list(curve) for curve in curves] == [["1970-01-01T00:00:00+00:00", "1970-01-01T01:00:00+00:00"]] * 3
    assert [[value.value for value in curve.values()] for curve in curves] == [[1, 1], [0, 1], [0, 0]]


@pytest.mark.parametrize("width", [0, 60, 301, 7200, -300, True])
def test_a_bin_width_outside_the_list_is_refused(width: int) -> None:
    with pytest.raises(InvalidOption, match="bin_seconds"):
        table_of().series("tracking_statistics_opens", by="bin", bin_seconds=width)


def test_days_begin_at_local_midnight() -> None:
    moments = ("2026-03-01T22:55+00:00", "2026-03-01T23:00+00:00")
    assert list(bins(opens_at(*moments), bin_seconds=86400)) == ["2026-03-01T00:00:00+00:00"]
    assert list(bins(opens_at(*moments, zone="Europe/Paris"), bin_seconds=86400)) == [
        "2026-03-01T00:00:00+01:00",
        "2026-03-02T00:00:00+01:00",
    ]


def test_the_hour_that_comes_twice_is_two_bins() -> None:
    # Clocks in Paris go back from 03:00 to 02:00 on 25 October 2026.
    moments = [f"2026-10-25T{hour:02d}:30+00:00" for hour in range(3)]
    assert list(bins(opens_at(*moments, zone="Europe/Paris"), bin_seconds=3600)) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_a_day_of_25_hours_is_one_bin_and_so_is_a_day_without_midnight() -> None:
    long = ("2026-10-24T22:00+00:00", "2026-10-25T22:55+00:00")
    assert bins(opens_at(*long, zone="Europe/Paris"), bin_seconds=86400) == {"2026-10-25T00:00:00+02:00": 2}
    # Clocks in Beirut go from 00:00 to 01:00 on 29 March 2026.
    short = ("2026-03-28T22:00+00:00", "2026-03-29T20:55+00:00")
    assert list(bins(opens_at(*short, zone="Asia/Beirut"), bin_seconds=86400).values()) == [2]


def test_a_midnight_that_comes_twice_begins_one_day() -> None:
    # Clocks in Havana go back from 01:00 to 00:00 on 1 November 2026.
    moments = ("2026-11-01T04:30+00:00", "2026-11-01T05:30+00:00", "2026-11-01T17:00+00:00")
    assert bins(opens_at(*moments, zone="America/Havana"), bin_seconds=86400) == {"2026-11-01T00:00:00-04:00": 3}


def test_bins_of_three_hours_begin_at_local_midnight() -> None:
    moments = ("2026-03-01T22:55+00:00", "2026-03-02T01:55+00:00", "2026-03-02T02:00+00:00")
    assert list(bins(opens_at(*moments, zone="Europe/Paris"), bin_seconds=10800)) == [
        "2026-03-01T21:00:00+01:00",
        "2026-03-02T00:00:00+01:00",
        "2026-03-02T03:00:00+01:00",
    ]


def test_half_hour_zones_bin_by_their_own_clock() -> None:
    assert list(bins(opens_at("2026-03-01T10:45+00:00", zone="Asia/Kolkata"), bin_seconds=3600)) == [
        "2026-03-01T16:00:00+05:30"
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris"])
def test_the_ends_of_the_calendar_are_no_error(zone: str) -> None:
    assert len(bins(opens_at("0001-01-01T00:00+00:00", "9999-12-31T23:55+00:00", zone=zone))) == 2


@given(
    st.lists(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), min_size=1, max_size=20),
    st.sampled_from(["UTC", "Europe/Paris", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from([300, 600, 1800, 3600, 10800, 86400]),
)
def test_bins_ascend_and_hold_everything(moments: list[datetime], zone: str, width: int) -> None:
    slots = {int(moment.timestamp()) // 300 * 300 for moment in moments}
    table = table_of(zone, slots={"open": {"1": dict.fromkeys(slots, 1)}})
    found = bins(table, bin_seconds=width)
    starts = [datetime.fromisoformat(start) for start in found]
    assert starts == sorted(starts)
    assert list(found.values())[-1] == len(slots)
    values = [int(str(value)) for value in found.values()]
    assert values == sorted(set(values))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "Europe/Nowhere",
        "a\0b",
        "\ud800",
        "x" * 5000,
        None,
        5,
    ],
)
def test_a_bad_zone_is_refused_by_name(name: Any) -> None:
    with pytest.raises(InvalidOption, match="zone="):
        zone_of(name)
    with pytest.raises(InvalidOption, match="zone="):
        indicators.from_counts(Counts(), zone=name)


def test_utc_needs_no_database_of_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgtrack._borders.ZoneInfo", None)
    assert zone_of("UTC") is UTC


def test_a_width_that_bins_do_not_have_is_refused_with_those_they_have() -> None:
    with pytest.raises(InvalidOption) as caught:
        table_of().series("tracking_statistics_opens", by="bin", bin_seconds=7)
    assert caught.value.message == "bin_seconds=7 is not one of: 300, 600, 1800, 3600, 10800, 86400"
    with pytest.raises(InvalidOption) as caught:
        table_of().series("url_clicks", by="domain")
    assert caught.value.message == "url_clicks does not come by 'domain'; it comes by: link, label, url, category"
