"""Variants compared: published numbers, other people's implementations, and laws."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from math import comb, isclose, sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.events import Click, Event, MirrorPageView, Open
from msgtrack.metrics import Table, indicators
from msgtrack.metrics._shares import fisher, holm, newcombe, smallest_expected, two_proportions, wilson
from msgtrack.metrics._variants import Comparison, compare_shares, compare_variants
from msgtrack.model import Delivery, Message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

shares = st.integers(1, 400).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))
small_shares = st.integers(1, 25).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))


# Published numbers.


@pytest.mark.parametrize(
    ("larger", "smaller", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_the_intervals_of_newcombe_1998_table_ii_method_10(
    larger: tuple[int, int], smaller: tuple[int, int], low: float, high: float
) -> None:
    found = newcombe(smaller, larger, 0.95)
    assert (round(found[0], 4), round(found[1], 4)) == (low, high)


@pytest.mark.parametrize(
    ("share", "low", "high"),
    [((81, 263), 0.2553, 0.3662), ((15, 148), 0.0624, 0.1605), ((0, 20), 0.0, 0.1611), ((1, 29), 0.0061, 0.1718)],
)
def test_the_intervals_of_newcombe_1998_for_one_share_method_3(share: tuple[int, int], low: float, high: float) -> None:
    found = wilson(share, 0.95)
    assert (round(found[0], 4), round(found[1], 4)) == (low, high)


def test_aspirin_and_heart_attacks() -> None:
    # Agresti, "Categorical Data Analysis": 189 of 11 034 with placebo, 104 of 11 037 with aspirin; z = 5.0, X2 = 25.01.
    z, p_value = two_proportions((104, 11037), (189, 11034))
    assert round(z, 1) == 5.0
    assert round(z**2, 2) == 25.01
    assert p_value < 1e-6


def test_the_lady_tasting_tea_and_the_twins_of_fisher() -> None:
    assert round(fisher((3, 4), (1, 4)), 4) == 0.4857
    assert fisher((4, 4), (0, 4)) == pytest.approx(2 / 70)
    # Convicted twins: 2 of 17 dizygotic, 10 of 13 monozygotic.
    assert round(fisher((2, 17), (10, 13)), 7) == 0.0005367


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


# Other implementations.


def exact_fisher(first: tuple[int, int], second: tuple[int, int]) -> Fraction:
    """By the definition, in whole numbers."""
    (a, n1), (b, n2) = first, second
    ways = {x: comb(n1, x) * comb(n2, a + b - x) for x in range(max(0, a + b - n2), min(n1, a + b) + 1)}
    return Fraction(sum(way for way in ways.values() if way <= ways[a]), sum(ways.values()))


@given(small_shares | shares, small_shares | shares)
def test_fisher_is_its_definition(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert fisher(first, second) == pytest.approx(float(exact_fisher(first, second)), rel=1e-9, abs=1e-300)


@pytest.fixture(scope="module")
def stats() -> Any:
    return pytest.importorskip("scipy.stats")


@pytest.fixture(scope="module")
def proportion() -> Any:
    return pytest.importorskip("statsmodels.stats.proportion")


@pytest.fixture(scope="module")
def multitest() -> Any:
    return pytest.importorskip("statsmodels.stats.multitest")


@given(first=shares, second=shares)
def test_fisher_and_z_are_those_of_scipy(stats: Any, first: tuple[int, int], second: tuple[int, int]) -> None:
    cells = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
    assert fisher(first, second) == pytest.approx(stats.fisher_exact(cells).pvalue, rel=1e-6, abs=1e-12)
    if smallest_expected(first, second):
        theirs = stats.chi2_contingency(cells, correction=False)
        z, p_value = two_proportions(first, second)
        assert z**2 == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
        assert p_value == pytest.approx(theirs.pvalue, rel=1e-6)
        assert smallest_expected(first, second) == pytest.approx(theirs.expected_freq.min())
    theirs = stats.binomtest(*first).proportion_ci(0.9, method="wilson")
    assert wilson(first, 0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(first=shares, second=shares, confidence=st.sampled_from([0.8, 0.95, 0.999]))
def test_z_and_newcombe_are_those_of_statsmodels(
    proportion: Any, first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    if smallest_expected(first, second):
        z, p_value = proportion.proportions_ztest([second[0], first[0]], [second[1], first[1]])
        assert two_proportions(first, second) == pytest.approx((z, p_value), rel=1e-6, abs=1e-12)
    theirs = proportion.confint_proportions_2indep(
        second[0], second[1], first[0], first[1], method="newcomb", compare="diff", alpha=1 - confidence
    )
    assert newcombe(first, second, confidence) == pytest.approx(theirs, abs=1e-7)


@settings(max_examples=10)  # theirs takes a tenth of a second
@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_that_of_statsmodels(multitest: Any, p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multitest.multipletests(p_values, method="holm")[1]))


# Laws.


@given(shares, shares)
def test_swapping_the_two_changes_signs_alone(first: tuple[int, int], second: tuple[int, int]) -> None:
    z, p_value = two_proportions(first, second)
    back, p_back = two_proportions(second, first)
    assert (-z, p_value) == pytest.approx((back, p_back))
    assert fisher(first, second) == pytest.approx(fisher(second, first))
    low, high = newcombe(first, second, 0.95)
    assert newcombe(second, first, 0.95) == pytest.approx((-high, -low))


@given(shares, shares)
def test_p_is_a_probability_and_the_interval_holds_the_difference(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    found = compare_shares({"a": first, "b": second})["a", "b"]
    assert found.p_value is not None
    assert 0 <= found.p_value <= 1
    assert found.adjusted_p_value == found.p_value
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.test == "fisher") == (smallest_expected(first, second) < 5) == ("small" in found.caveats)
    assert (found.statistic is None) == (found.test == "fisher")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before and after <= 1 for before, after in zip(p_values, adjusted, strict=True))
    ranks = sorted(range(len(p_values)), key=lambda place: p_values[place])
    assert [adjusted[place] for place in ranks] == sorted(adjusted)


def test_shares_that_are_alike_do_not_differ() -> None:
    assert two_proportions((0, 10), (0, 20)) == (0.0, 1.0)
    assert two_proportions((10, 20), (5, 10)) == (0.0, 1.0)
    assert fisher((0, 10), (0, 20)) == fisher((10, 10), (20, 20)) == 1.0


def test_large_numbers_take_no_time_and_keep_their_digits() -> None:
    # One of a billion against nine of a billion, and half of a billion against all of four.
    few = fisher((1, 10**9), (9, 10**9))
    assert few == pytest.approx(22 / 1024, rel=1e-6)
    assert fisher((5 * 10**8, 10**9), (4, 4)) == pytest.approx(1 / 8, rel=1e-6)
    assert fisher((0, 10**9), (3000, 3000)) == 0.0
    z, p_value = two_proportions((10**17, 10**18), (10**17 + 10**9, 10**18))
    assert z == pytest.approx(1e9 / 1e18 / sqrt(0.09 * 2 / 1e18), rel=1e-6)
    assert 0 < p_value < 1


def test_a_test_at_level_alpha_is_wrong_in_alpha_of_the_cases_at_most() -> None:
    # All outcomes of two samples of 12 with the same share, weighed by how likely they are.
    for share in (0.1, 0.3, 0.5):
        chance = [comb(12, hits) * share**hits * (1 - share) ** (12 - hits) for hits in range(13)]
        wrong = sum(
            chance[a] * chance[b]
            for a in range(13)
            for b in range(13)
            if smallest_expected((a, 12), (b, 12)) < 5 and fisher((a, 12), (b, 12)) < 0.05
        )
        assert wrong <= 0.05


# Comparisons.


def test_all_pairs_or_all_against_one() -> None:
    sizes = {"c": (30, 100), "a": (10, 100), "b": (20, 100)}
    every = compare_shares(sizes)
    assert [(d.first, d.second) for d in every.differences] == [("a", "b"), ("a", "c"), ("b", "c")]
    against = compare_shares(sizes, control="b")
    assert [(d.first, d.second) for d in against.differences] == [("b", "a"), ("b", "c")]
    assert against["b", "c"].value == pytest.approx(0.1)
    assert against["b", "a"].value == pytest.approx(-0.1)
    assert (every.control, against.control) == (None, "b")
    with pytest.raises(KeyError, match=r"\('c', 'a'\)"):
        every["c", "a"]


def test_several_pairs_are_judged_by_the_corrected_p() -> None:
    sizes = {"a": (100, 1000), "b": (128, 1000), "c": (129, 1000), "d": (100, 1000)}
    found = compare_shares(sizes)
    assert found["a", "b"].p_value is not None
    assert found["a", "b"].p_value < 0.05
    assert [d.adjusted_p_value for d in found.differences] == holm([d.p_value or 0.0 for d in found.differences])
    assert not any(d.is_significant for d in found.differences)
    assert compare_shares({"a": (100, 1000), "b": (128, 1000)})["a", "b"].is_significant
    assert compare_shares(sizes, confidence=0.5)["a", "b"].is_significant


def test_shares_are_values_with_an_interval_each() -> None:
    found = compare_shares({"a": (1, 29), "b": (0, 20)})
    low, high = found.shares["a"].interval() or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.0061, 0.1718)
    assert found.shares["b"].value == 0
    assert (found.shares["b"].numerator, found.shares["b"].denominator) == (0, 20)


def test_what_is_no_share_is_not_tested_and_not_counted_as_a_test() -> None:
    found = compare_shares({"a": (48, 80), "b": (56, 70), "none": (0, 0), "over": (9, 8)})
    assert found["a", "none"].caveats == ("no-denominator",)
    assert found["a", "over"].caveats == ("above-one",)
    assert found["none", "over"].caveats == ("no-denominator", "above-one")
    for pair in (("a", "none"), ("a", "over"), ("none", "over")):
        difference = found[pair]
        assert difference.p_value is difference.value is difference.low is difference.adjusted_p_value is None
        assert difference.high is difference.test is difference.statistic is None
        assert not difference.is_significant
    assert found["a", "b"].adjusted_p_value == found["a", "b"].p_value
    assert found.shares["none"].value is None
    assert "no-denominator" in found.shares["none"].caveats
    assert "above-one" in found.shares["over"].caveats


@pytest.mark.parametrize(
    "sizes", [{}, {"a": (1, 2)}, [("a", (1, 2))], None, {"a": (1, 2), "b": 3}, {"a": (1, 2), "b": (1, 2, 3)}]
)
def test_what_cannot_be_compared_is_refused(sizes: Any) -> None:
    with pytest.raises(InvalidValue):
        compare_shares(sizes)


@pytest.mark.parametrize("share", [(-1, 2), (1.5, 2), (True, 2), ("1", 2)])
def test_shares_are_whole_numbers(share: Any) -> None:
    with pytest.raises(InvalidValue):
        compare_shares({"a": share, "b": (1, 2)})


@pytest.mark.parametrize("confidence", [0, 1, True, "0.95", None, 2, float("nan")])
def test_a_bad_confidence_is_refused(confidence: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        compare_shares({"a": (1, 2), "b": (1, 2)}, confidence=confidence)
    assert caught.value.message == f"confidence={confidence!r} does not lie between 0 and 1"


@pytest.mark.parametrize("confidence", [0, 1])
def test_a_bad_confidence_is_refused_where_there_is_nothing_to_test_too(confidence: Any) -> None:
    with pytest.raises(InvalidOption, match="confidence="):
        compare_shares({"a": (0, 0), "b": (0, 0)}, confidence=confidence)


def test_a_difference_is_significant_below_the_level_and_not_on_it() -> None:
    # One of the four ways to draw three hits out of four: p is a quarter, which floats hold.
    sizes = {"a": (3, 3), "b": (0, 1)}
    on_it = compare_shares(sizes, confidence=0.75)["a", "b"]
    assert on_it.p_value == 0.25
    assert not on_it.is_significant
    assert compare_shares(sizes, confidence=0.7499)["a", "b"].is_significant


def test_an_unknown_control_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidOption, match="control='c' is not one of: 'a', 'b'"):
        compare_shares({"b": (1, 2), "a": (1, 2)}, control="c")


# Variants of deliveries.


def sent(variant: str, number: int, delivery: str = "1", status: str = "sent") -> list[Message]:
    return [Message(id=f"{variant}{i}", delivery_id=delivery, variant=variant, status=status) for i in range(number)]


def table_of(messages: list[Message], events: list[Event], **options: Any) -> Table:
    return indicators.from_events([Delivery(id="1"), Delivery(id="2")], messages, [], events, **options)


def clicks(variant: str, number: int, delivery: str = "1") -> list[Event]:
    return [Click(occurred_at=NOON, delivery_id=delivery, message_id=f"{variant}{i}") for i in range(number)]


def ratios(found: Comparison) -> dict[str, tuple[Any, Any]]:
    return {name: (value.numerator, value.denominator) for name, value in found.shares.items()}


def test_variants_of_several_deliveries_are_taken_together_and_messages_without_one_left_out() -> None:
    messages = [*sent("A", 8), *sent("B", 7), *sent("A", 2, "2"), *sent("", 5), *sent("B", 3, "2", "failed")]
    events = [*clicks("A", 4), *clicks("A", 4), *clicks("B", 2), *clicks("A", 1, "2"), *clicks("", 5), *clicks("zz", 9)]
    found = compare_variants(table_of(messages, events))
    assert ratios(found) == {"A": (5, 10), "B": (2, 7)}
    assert found["A", "B"] == compare_shares({"A": (5, 10), "B": (2, 7)})["A", "B"]


def test_a_message_is_a_hit_once_by_any_of_the_kinds() -> None:
    def on(kind: type[Event], name: str) -> Event:
        return kind(occurred_at=NOON, delivery_id="1", message_id=name)

    messages = [*sent("A", 4), *sent("B", 4)]
    events = [on(Open, "A0"), on(Click, "A0"), on(Click, "A1"), on(MirrorPageView, "A2"), on(Open, "B0")]
    table = table_of(messages, events)
    assert ratios(compare_variants(table)) == {"A": (2, 4), "B": (0, 4)}
    assert ratios(compare_variants(table, "open")) == {"A": (1, 4), "B": (1, 4)}
    assert ratios(compare_variants(table, ["open", "click"])) == {"A": (2, 4), "B": (1, 4)}
    assert ratios(compare_variants(table, [])) == {"A": (3, 4), "B": (1, 4)}


def test_the_audience_and_the_options_are_those_asked_for() -> None:
    table = table_of([*sent("A", 9), *sent("B", 9)], clicks("A", 5), audience="human")
    found = compare_variants(table, control="B", confidence=0.8)
    assert ratios(found) == {"A": (0, 9), "B": (0, 9)}
    assert (found.confidence, [(d.first, d.second) for d in found.differences]) == (0.8, [("B", "A")])


@pytest.mark.parametrize("kinds", ["clicks", ["click", "delivered"], "", [""]])
def test_what_is_no_reaction_is_refused(kinds: Any) -> None:
    with pytest.raises(InvalidOption, match="kinds="):
        compare_variants(table_of([*sent("A", 1), *sent("B", 1)], []), kinds)


def test_one_variant_is_no_comparison() -> None:
    with pytest.raises(InvalidValue, match="two variants"):
        compare_variants(table_of([*sent("A", 3), *sent("", 3)], []))


def test_a_small_difference_of_many_is_found_and_a_large_one_of_few_is_not() -> None:
    assert compare_shares({"a": (10_000, 100_000), "b": (10_500, 100_000)})["a", "b"].is_significant
    few = compare_shares({"a": (1, 5), "b": (3, 5)})["a", "b"]
    assert not few.is_significant
    assert "small" in few.caveats
    assert isclose(few.value or 0, 0.4)


@given(shares, shares)
def test_the_smallest_expected_is_that_of_the_four_cells(first: tuple[int, int], second: tuple[int, int]) -> None:
    hits, size = first[0] + second[0], first[1] + second[1]
    cells = [Fraction(row * column, size) for row in (first[1], second[1]) for column in (hits, size - hits)]
    assert smallest_expected(first, second) == pytest.approx(float(min(cells)))


def test_five_expected_are_enough_for_z() -> None:
    assert compare_shares({"a": (4, 10), "b": (6, 10)})["a", "b"].test == "z"
    assert compare_shares({"a": (4, 10), "b": (5, 10)})["a", "b"].test == "fisher"


def test_the_share_of_nothing_and_the_share_of_all_are_told_apart() -> None:
    found = compare_shares({"all": (3, 3), "none": (0, 0), "odd": (2, 0), "over": (2, 1)})
    nothing, odd, every = found.shares["none"], found.shares["odd"], found.shares["all"]
    assert (nothing.numerator, nothing.denominator, nothing.is_share) == (0, 0, True)
    assert (odd.numerator, odd.denominator) == (2, 0)
    assert (every.value, every.caveats) == (1.0, ())
    assert found["all", "odd"].caveats == ("no-denominator",)
    assert found["all", "over"].caveats == ("above-one",)


def test_a_difference_beyond_all_doubt_has_a_p_of_zero_after_correction_too() -> None:
    found = compare_shares({"a": (0, 10**9), "b": (3000, 3000), "c": (3000, 3000)})
    assert found["a", "b"].p_value == found["a", "b"].adjusted_p_value == 0.0
    assert found["a", "b"].is_significant
    assert found["b", "c"].adjusted_p_value == 1.0


def test_errors_name_the_variant_and_the_kinds() -> None:
    with pytest.raises(InvalidValue, match="the share of 'b' is no pair"):
        compare_shares({"a": (1, 2), "b": 3})  # type: ignore[dict-item]  # the point of the test
    with pytest.raises(InvalidOption, match="are not among: click, "):
        compare_variants(table_of([], []), "clicks")
