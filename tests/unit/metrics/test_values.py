"""Values: numbers that are undefined rather than zero, exact rounding, and caveats from a closed list."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, Rounded, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.events import OptOutClick
from msgtrack.metrics import CAVEATS, Value, catalogue, indicators
from msgtrack.metrics._proportions import NO_PROPORTIONS
from msgtrack.metrics._values import half_away, quotient
from msgtrack.model import Delivery, Message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("unit", "zero"), [("count", 0), ("ratio", 0.0), ("amount", Decimal(0)), ("duration", 0.0)])
def test_an_undefined_value_reads_as_a_zero_of_its_unit_when_asked(unit: str, zero: object) -> None:
    value = Value(value=None, unit=unit)
    assert value.value is None
    assert value.value_or_zero == zero
    assert type(value.value_or_zero) is type(zero)


def test_a_defined_value_reads_as_itself() -> None:
    value = Value(value=0.25, unit="ratio")
    assert value.value_or_zero == 0.25
    assert (value.numerator, value.denominator, value.estimated, value.caveats) == (None, None, False, ())
    assert value.is_blank is False
    assert value.is_proportion is True


def test_caveats_come_from_the_closed_list_once_each_and_in_its_order() -> None:
    value = Value(value=-1, unit="count", caveats=("estimate", "negative", "estimate"))
    assert value.caveats == ("negative", "estimate")
    with pytest.raises(InvalidValue, match="negativ"):
        Value(value=1, unit="count", caveats=("negativ",))


def test_all_caveats_at_once_are_fine_and_wrong_ones_are_all_named() -> None:
    assert Value(value=1, unit="count", caveats=tuple(reversed(CAVEATS))).caveats == tuple(CAVEATS)
    with pytest.raises(InvalidValue, match=r"no such caveat: \?, small\?$"):
        Value(value=1, unit="count", caveats=("small?", "estimate", "?"))


def test_a_unit_is_one_of_four() -> None:
    with pytest.raises(InvalidOption, match=r"^unit='percent' .*: count, ratio, amount, duration$"):
        Value(value=1, unit="percent")


def test_a_value_is_no_share_unless_it_says_so_and_what_is_printed_otherwise_is_not_its_business() -> None:
    value = Value(value=1, unit="count", otherwise=1.0)
    assert value.is_share is False
    assert "otherwise" not in repr(value)
    assert value != Value(value=1, unit="count")
    assert Value(value=None, unit="ratio", otherwise=1.0).value_or_zero == 1.0


def test_where_the_reference_leaves_a_place_empty_there_is_no_zero() -> None:
    assert Value(value=None, unit="duration", is_blank=True).value_or_zero is None
    assert Value(value=0, unit="duration", is_blank=True).value_or_zero == 0


def test_every_caveat_is_a_sentence() -> None:
    for code, sentence in CAVEATS.items():
        assert code == code.lower()
        assert sentence.endswith(".")
    with pytest.raises(TypeError):
        CAVEATS["new"] = "no"  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        (1, 2, 1),
        (-1, 2, -1),
        (1, -2, -1),
        (-1, -2, 1),
        (3, 2, 2),
        (5, 2, 3),
        (2, 5, 0),
        (-2, 5, 0),
        (0, 7, 0),
        (7, 7, 1),
    ],
)
def test_halves_go_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert half_away(numerator, denominator) == rounded


@given(st.integers(), st.integers().filter(bool))
def test_rounding_is_to_the_nearest_whatever_the_size(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = half_away(numerator, denominator)
    assert abs(rounded - exact) <= Fraction(1, 2)
    if abs(rounded - exact) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)


def test_rounding_needs_no_float() -> None:
    assert half_away(10**30 + 1, 2) == 5 * 10**29 + 1
    assert half_away(2**53 + 1, 1) == 2**53 + 1


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6).filter(bool))
def test_a_ratio_is_the_float_of_its_fraction(numerator: int, denominator: int) -> None:
    assert quotient(numerator, denominator, "ratio") == numerator / denominator


def test_an_amount_is_divided_to_28_digits() -> None:
    assert quotient(Decimal(10), 3, "amount") == Decimal("3.333333333333333333333333333")


def test_what_no_float_can_hold_is_undefined_and_no_error() -> None:
    assert quotient(10**400, 3, "ratio") is None
    assert quotient(Decimal("9e999999999999999999"), Decimal("1e-999999999999999999"), "amount") is None


@pytest.mark.parametrize("unit", ["ratio", "amount"])
def test_nothing_is_divided_by_zero(unit: str) -> None:
    with pytest.raises(ZeroDivisionError, match=r"^a quotient needs a denominator other than 0$"):
        quotient(1, 0, unit)  # type: ignore[arg-type]  # both are units


def test_a_ratio_is_never_not_a_number() -> None:
    assert not math.isnan(float(quotient(0, 5, "ratio") or 0))


def test_an_interval_is_that_of_wilson() -> None:
    def share(numerator: int, denominator: int) -> Value:
        return Value(
            value=numerator / denominator, unit="ratio", numerator=numerator, denominator=denominator, is_share=True
        )

    # The printed values of Newcombe 1998, table I, method 3 (score without continuity correction).
    for numerator, denominator, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = share(numerator, denominator).interval()
        assert found is not None
        assert [round(bound, 4) for bound in found] == [low, high]
    assert share(3, 3).interval() == (pytest.approx(0.4385, abs=1e-4), 1.0)
    narrow, wide = share(5, 10).interval(0.5), share(5, 10).interval(0.99)
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]


@given(st.integers(1, 500), st.floats(0.01, 0.9999))
def test_an_interval_reaches_the_ends_exactly(size: int, confidence: float) -> None:
    def interval(hits: int) -> tuple[float, float]:
        share = Value(value=hits / size, unit="ratio", numerator=hits, denominator=size, is_share=True)
        found = share.interval(confidence)
        assert found is not None
        return found

    assert interval(0)[0] == 0.0
    assert interval(size)[1] == 1.0
    assert interval(0)[1] == pytest.approx(1 - interval(size)[0])


def test_what_is_no_share_of_a_sample_has_no_interval() -> None:
    of = {"value": 0.5, "unit": "ratio", "numerator": 1, "denominator": 2}
    assert Value(**of).interval() is None
    assert Value(**of, is_share=True).interval() is not None
    assert Value(**of, is_share=True, estimated=True).interval() is None
    assert Value(value=None, unit="ratio", numerator=0, denominator=0, is_share=True).interval() is None
    assert Value(value=None, unit="ratio", numerator=1, denominator=2, is_share=True).interval() is None
    assert Value(value=0.5, unit="ratio", numerator=None, denominator=2, is_share=True).interval() is None
    assert Value(value=0.5, unit="ratio", numerator=1, denominator=None, is_share=True).interval() is None
    assert Value(value=1.5, unit="ratio", numerator=3, denominator=2, is_share=True).interval() is None
    assert Value(value=-0.5, unit="ratio", numerator=-1, denominator=2, is_share=True).interval() is None


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1, True, "0.95", None, float("nan")])
def test_a_confidence_lies_between_zero_and_one(confidence: object) -> None:
    with pytest.raises(InvalidOption) as caught:
        Value(value=0.5, unit="ratio").interval(confidence)  # type: ignore[arg-type]  # the point of the test
    assert caught.value.message == f"confidence={confidence!r} does not lie between 0 and 1"


def test_no_quotient_depends_on_the_decimal_context_of_the_caller() -> None:
    pairs = [(Decimal("123456.78"), 9), (1, Decimal("3e5")), (Decimal("1e400"), Decimal(3)), (1, 3), (7, Decimal(7))]
    wanted = [quotient(top, bottom, unit) for top, bottom in pairs for unit in ("ratio", "amount")]
    for context in (Context(prec=2), Context(prec=2, traps=[Inexact, Rounded]), Context(prec=60, Emax=9, Emin=-9)):
        with localcontext(context):
            assert [quotient(top, bottom, unit) for top, bottom in pairs for unit in ("ratio", "amount")] == wanted
    assert wanted[:2] == [float(Fraction("123456.78") / 9), Decimal("13717.42")]
    assert quotient(Decimal("1e400"), 3, "ratio") is None


def test_what_is_no_proportion_has_no_interval() -> None:
    opted_out = [OptOutClick(occurred_at=NOON, delivery_id="1", message_id="1") for _ in range(3)]
    messages = [Message(id=str(number), delivery_id="1", status="sent") for number in range(6)]
    table = indicators.from_events(Delivery(id="1"), messages, [], opted_out)
    assert table["opt_out_rate"].value == 0.5
    assert table["opt_out_rate"].interval() is None
    assert table["recipient_click_rate"].interval() is not None
    assert set(catalogue) >= NO_PROPORTIONS
    assert {key for key in NO_PROPORTIONS if not catalogue[key].is_share} <= {"share_rate", "share_open_rate"}


def test_an_amount_is_a_decimal_though_it_is_made_of_whole_numbers() -> None:
    for numerator, denominator in ((1, 8), (Decimal(1), 8), (1, Decimal(8))):
        found = quotient(numerator, denominator, "amount")
        assert (found, type(found)) == (Decimal("0.125"), Decimal)
        assert type(quotient(numerator, denominator, "ratio")) is float
