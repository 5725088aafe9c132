"""Character references, in values and in text, against the standard's table and against an independent parser."""

from __future__ import annotations

from html.entities import html5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.links.entities import decode_attribute, decode_text

turbohtml = pytest.importorskip("turbohtml", reason="the independent parser is not installed")

PIECES = ["&", "&#", "&#x", "&#X", "amp", "copy", "not", "notin", "it", "lt", "AMP", "frac12", ";", "=", " ", "é"]
references = st.lists(
    st.sampled_from(PIECES)
    | st.sampled_from(sorted(html5)).map("&".__add__)
    | st.text("0123456789abcdefF;&#", max_size=8)
).map("".join)


def test_every_name_of_the_standard() -> None:
    for name, characters in html5.items():
        assert decode_text(f"&{name}") == decode_attribute(f"&{name}") == characters


@pytest.mark.parametrize(
    ("reference", "character"),
    [
        ("&#65;", "A"),
        ("&#65", "A"),
        ("&#x41;", "A"),
        ("&#X4a", "J"),
        ("&#x80;", "€"),
        ("&#146;", "’"),
        ("&#x81;", "\x81"),
        ("&#0;", "\ufffd"),
        ("&#x110000;", "\ufffd"),
        ("&#xD800;", "\ufffd"),
        ("&#xDFFF;", "\ufffd"),
        ("&#1114111;", "\U0010ffff"),
        ("&#x1;", "\x01"),
        ("&#13;", "\r"),
        ("&#00000000000000000065;", "A"),
        ("&#" + "9" * 5_000 + ";", "\ufffd"),
        ("&#;", "&#;"),
        ("&#x;", "&#x;"),
        ("&#xg;", "&#xg;"),
        ("&;", "&;"),
        ("& amp;", "& amp;"),
        ("&unknown;", "&unknown;"),
    ],
)
def test_numbers_and_what_is_none(reference: str, character: str) -> None:
    assert decode_text(reference) == decode_attribute(reference) == character


def test_names_without_semicolon() -> None:
    assert decode_attribute("&copy=1&copy1&copyx&copy &copy") == "&copy=1&copy1&copyx© ©"
    assert decode_text("&copy=1&copy1&copyx&notit;") == "©=1©1©x¬it;"


@given(references)
def test_text_as_an_independent_parser_reads_it(text: str) -> None:
    assert decode_text(text) == "".join(token.data for token in turbohtml.tokenize(text))


@given(references)
def test_values_as_an_independent_parser_reads_them(value: str) -> None:
    assert decode_attribute(value) == turbohtml.parse(f'<a title="{value}">').find("a").attrs["title"]
