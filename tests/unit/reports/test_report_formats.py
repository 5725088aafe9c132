"""How values and foreign text are printed."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.metrics import Value
from msgtrack.reports.formats import cut, moment, number, printed, span, visible, width


def share(numerator: int, denominator: int) -> Value:
    return Value(value=numerator / denominator, unit="ratio", numerator=numerator, denominator=denominator)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        # The printed rates of reference 7.8, test vectors 2 and 1.
        (1_475_660, 10_186_024, "14.49 %"),
        (2_225_724, 10_186_024, "21.85 %"),
        (45_085, 10_186_024, "0.44 %"),
        (93_107, 10_186_024, "0.91 %"),
        (120_434, 10_186_024, "1.18 %"),
        (83_012, 10_186_024, "0.81 %"),
        (83_012, 1_475_660, "5.63 %"),
        (66, 822, "8.03 %"),
        (8, 822, "0.97 %"),
        (8, 66, "12.12 %"),
        (2, 3, "66.67 %"),
        (15, 4, "375.00 %"),
    ],
)
def test_rates_are_printed_as_in_the_reference(numerator: int, denominator: int, expected: str) -> None:
    assert number(share(numerator, denominator), is_share=True) == expected


@pytest.mark.parametrize(
    ("numerator", "expected"), [(125, "0.13 %"), (-125, "-0.13 %"), (115, "0.12 %"), (0, "0.00 %"), (-1, "0.00 %")]
)
def test_halves_go_away_from_zero_by_the_exact_fraction(numerator: int, expected: str) -> None:
    # 0.00115 as a float lies below the half; the fraction does not.
    assert number(share(numerator, 100_000), is_share=True) == expected


def test_an_exact_fraction_keeps_what_a_float_has_lost() -> None:
    assert number(share(10**17 + 5, 10**5), is_share=True) == "100,000,000,000,000.01 %"


@given(numerator=st.integers(-(10**12), 10**12), denominator=st.integers(1, 10**9))
def test_any_share_is_rounded_like_an_exact_decimal(numerator: int, denominator: int) -> None:
    shown = number(share(numerator, denominator), is_share=True)
    found = Decimal(shown.removesuffix(" %").replace(",", ""))
    assert abs(found * denominator - 100 * Decimal(numerator)) * 200 <= denominator
    exact = 100 * Decimal(numerator) / Decimal(denominator)
    assert found == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_numbers_of_every_unit() -> None:
    assert number(Value(value=10_186_024, unit="count")) == "10,186,024"
    assert number(Value(value=-3, unit="count")) == "-3"
    assert number(Value(value=Decimal("1234.5"), unit="amount")) == "1,234.50"
    assert number(Value(value=2.5, unit="ratio", numerator=5, denominator=2)) == "2.50"
    assert number(Value(value=7800.0, unit="duration")) == "2 h 10 min"


def test_undefined_is_no_zero_and_an_estimate_says_so() -> None:
    assert number(Value(value=None, unit="ratio", numerator=3, denominator=0), is_share=True) == "–"
    assert printed(Value(value=None, unit="count", estimated=True)) == "–"
    assert printed(Value(value=0, unit="count", estimated=True)) == "≈ 0"
    assert printed(Value(value=7, unit="count")) == "7"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (45, "45 s"), (300, "5 min"), (7200, "2 h"), (93_600, "1 d 2 h"), (-600, "-10 min"), (86_400, "1 d")],
)
def test_spans(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


def test_moments_stand_in_their_zone() -> None:
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert moment(at, UTC) == "31 December 2026, 23:30"
    assert moment(at, ZoneInfo("Europe/Paris")) == "1 January 2027, 00:30"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Buy\r\n\t now ", "Buy now"),
        ("\x1b[31mred\x1b[0m\x07", "\\x1b[31mred\\x1b[0m\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x00", "\\x00"),
        ("Été 👩\u200d👧 東京 مرحبا", "Été 👩\u200d👧 東京 مرحبا"),
        ("", ""),
    ],
)
def test_foreign_text_is_shown_and_not_obeyed(text: str, expected: str) -> None:
    assert visible(text) == expected


@given(st.text())
def test_nothing_invisible_is_left_of_any_text(text: str) -> None:
    shown = visible(text)
    assert all(c in "\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    assert shown == visible(shown)
    shown.encode()


@given(st.text(), st.integers(1, 30))
def test_a_cut_text_fits_and_says_that_it_is_cut(text: str, columns: int) -> None:
    shown = cut(visible(text), columns)
    assert width(shown) <= columns
    assert shown == visible(text) or shown.endswith("…")


def test_widths_are_those_of_a_terminal() -> None:
    assert (width("abc"), width("東京"), width("e\u0301"), width("é")) == (3, 4, 1, 1)
