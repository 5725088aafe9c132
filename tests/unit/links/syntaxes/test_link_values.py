"""Which values there are for placeholders."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidValue, MissingValue, MsgtrackError
from msgtrack.links.syntaxes import MAX_VALUE_LENGTH, ControlCharacter, checked_value, expand


class _Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("a b", "a b"),
        (0, "0"),
        (-7, "-7"),
        (2**64, str(2**64)),
        (1.5, "1.5"),
        (1e22, "1e+22"),
        (Decimal("1.10"), "1.10"),
        (_Text("a"), "a"),
    ],
)
def test_text_and_numbers_are_values(value: object, text: str) -> None:
    checked = checked_value("x", value)
    assert checked == text
    assert type(checked) is str


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        b"a",
        ["a"],
        {"a": 1},
        object(),
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        pytest.param(10**5000, id="long"),
        "\ud800",
        "a\udfffb",
        "a" * (MAX_VALUE_LENGTH + 1),
    ],
)
def test_anything_else_is_refused_and_named(value: object) -> None:
    with pytest.raises(InvalidValue, match=r"recipient\.x"):
        checked_value("recipient.x", value)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(MissingValue, match="recipient"):
        checked_value("recipient.x", None)


@pytest.mark.parametrize("sign", [chr(number) for number in (*range(32), *range(127, 160))])
def test_control_characters_are_refused_by_name(sign: str) -> None:
    with pytest.raises(ControlCharacter, match=f"U\\+{ord(sign):04X} at character 3") as caught:
        checked_value("x", f"ab{sign}c")
    assert caught.value.code == "line-feed"


@given(st.text(st.characters(exclude_categories=[]), max_size=30))
def test_any_text_passes_unchanged_or_raises_our_own_error(text: str) -> None:
    try:
        checked = checked_value("x", text)
    except MsgtrackError:
        assert {unicodedata.category(sign) for sign in text} & {"Cc", "Cs"}
        return
    assert checked == text
    assert not {unicodedata.category(sign) for sign in text} & {"Cc", "Cs"}
    assert unquote(expand(("https://h/?a=", ""), [checked]).removeprefix("https://h/?a=")) == text
