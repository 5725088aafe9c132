"""An indicator by itself: what it holds when little is said, and what a quotient becomes at its edges."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue
from msgtrack.metrics import Indicator
from msgtrack.metrics._indicator import METRICS_PAGE, REPORTS_PAGE
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_whole

SUMS = of_whole(Scope())


def own(top: int | Decimal | None = 7, /, **fields: Any) -> Indicator:
    given = {"key": "mine", "label": "Mine", "report": "Own", "unit": "count", "formula": "7", "measure": lambda _: top}
    return Indicator(**{**given, **fields})


def ratio(top: int | None, bottom: int | None, /, **fields: Any) -> Indicator:
    return own(top, over=lambda _: bottom, unit="ratio", **fields)


def test_what_nobody_says_of_an_indicator_is_the_plain_case() -> None:
    indicator = own()
    assert (indicator.over, indicator.otherwise, indicator.misreading, indicator.notes) == (None, None, "", "")
    assert (indicator.field, indicator.shape, indicator.undefined) == ("-", "scalar", "no-denominator")
    assert (indicator.groupings, indicator.inputs, indicator.caveats, indicator.cuts) == ((), (), (), {})
    assert {indicator.estimated, indicator.is_share, indicator.is_signed} == {False}
    assert indicator.sources == (METRICS_PAGE,)
    value = indicator.value(SUMS)
    assert (value.value, value.unit, value.caveats, value.numerator, value.denominator) == (7, "count", (), None, None)
    assert (value.estimated, value.is_share, value.is_proportion, value.otherwise) == (False, False, True, None)


def test_the_pages_of_the_reference_are_called_as_its_table_calls_them() -> None:
    assert (METRICS_PAGE, REPORTS_PAGE) == ("v8 reporting/metrics-calculation", "v8 reporting/delivery-reports")


def test_nothing_is_an_indicator_without_a_measure() -> None:
    with pytest.raises(TypeError, match="measure"):
        Indicator(key="mine", label="Mine", report="Own", unit="count", formula="7")  # type: ignore[call-arg]


def test_functions_are_not_shown() -> None:
    shown = repr(own(over=lambda _: 1, cuts={"day": lambda _: {}}))
    assert "key='mine'" in shown
    for name in ("measure", "over", "doubts", "cuts", "function"):
        assert name not in shown


@pytest.mark.parametrize("name", ["groupings", "inputs", "sources", "caveats"])
def test_lists_become_tuples_and_a_text_is_no_list(name: str) -> None:
    assert getattr(own(**{name: ["estimate", "small"]}), name) == ("estimate", "small")
    with pytest.raises(InvalidValue):
        own(**{name: "estimate"})


@pytest.mark.parametrize(
    ("indicator", "number", "caveats"),
    [
        (ratio(1, 2), 0.5, ()),
        (ratio(2, 1), 2.0, ()),
        (ratio(2, 2, is_share=True), 1.0, ()),
        (ratio(3, 2, is_share=True), 1.5, ("above-one",)),
        (ratio(1, 0), None, ("no-denominator",)),
        (ratio(1, None), None, ("no-denominator",)),
        (ratio(None, 2), None, ("no-denominator",)),
        (ratio(None, 0, undefined="no-moment"), None, ("no-moment",)),
        (ratio(10**400, 1), None, ("out-of-range",)),
        (ratio(-1, 2), -0.5, ("negative",)),
        (ratio(-1, 2, is_signed=True), -0.5, ()),
        (ratio(-1, -2), 0.5, ("negative",)),
        (ratio(0, -2), 0.0, ("negative",)),
        (ratio(0, -2, is_signed=True), 0.0, ()),
        (ratio(0, 2), 0.0, ()),
        (ratio(1, 2, estimated=True), 0.5, ("estimate",)),
        (
            ratio(1, 2, caveats=("browsers",), doubts=lambda _: ("small", "derived")),
            0.5,
            ("browsers", "derived", "small"),
        ),
        (own(None), None, ("no-denominator",)),
        (own(None, undefined="no-moment", estimated=True), None, ("estimate", "no-moment")),
        (own(-1), -1, ("negative",)),
        (own(-1, is_signed=True), -1, ()),
        (own(0), 0, ()),
        (own(Decimal("-0.01"), unit="amount"), Decimal("-0.01"), ("negative",)),
        (own(0, unit="ratio", is_share=True), 0, ()),
        (own(1, over=lambda _: Decimal("0.5"), unit="amount"), Decimal(2), ()),
    ],
)
def test_a_value_says_what_is_doubtful_about_it(
    indicator: Indicator, number: float | None, caveats: tuple[str, ...]
) -> None:
    value = indicator.value(SUMS)
    assert (value.value, value.caveats) == (number, caveats)
    assert str(value.value) == str(number), "no zero below zero, and no float in place of a whole number"
    assert (value.estimated, value.is_share) == (indicator.estimated, indicator.is_share)


@pytest.mark.parametrize(
    ("top", "bottom", "otherwise"), [(1, 0, 0.25), (1, None, 0.25), (1, 2, None), (None, 0, None), (None, 2, None)]
)
def test_what_is_printed_otherwise_is_for_a_missing_denominator_alone(
    top: int | None, bottom: int | None, otherwise: float | None
) -> None:
    value = ratio(top, bottom, otherwise=0.25).value(SUMS)
    assert (value.numerator, value.denominator, value.otherwise) == (top, bottom, otherwise)


def test_measures_are_given_the_sums() -> None:
    sums = of_whole(Scope(counts=Counts(), clip=True))
    seen: list[Sums] = []

    def measure(given: Sums) -> int:
        seen.append(given)
        return 1

    def doubts(given: Sums) -> tuple[str, ...]:
        seen.append(given)
        return ()

    own(measure=measure, over=measure, doubts=doubts).value(sums)
    assert [given is sums for given in seen] == [True] * 3


def test_proportions_are_known_by_key() -> None:
    assert ratio(1, 2, key="raw_reactivity").value(SUMS).is_proportion is True
    assert ratio(1, 2, key="total_click_rate").value(SUMS).is_proportion is False


def test_a_scope_that_nobody_narrows_is_everything() -> None:
    scope = Scope()
    assert (scope.counts, scope.peers, scope.now, scope.since, scope.until) == (Counts(), None, None, None, None)
    assert (scope.zone, scope.bin_seconds, scope.top) == (UTC, None, 10)
    assert (scope.is_several, scope.clip) == (False, False)
