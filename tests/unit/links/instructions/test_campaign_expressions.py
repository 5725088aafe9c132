"""Expressions between ``<%=`` and ``%>``: what is understood, what is refused, and what they give."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import CompileError, InvalidValue, MissingValue, RenderError
from msgtrack.links.instructions import INSTRUCTION_ERRORS, MAX_EXPRESSION, Expression

NAMES = st.from_regex(r"\A[a-z][A-Za-z0-9_]{0,6}\Z").map(lambda name: "v_" + name)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(".".join)
LITERALS = st.text(max_size=12).filter(lambda text: text.isprintable() and "%>" not in text).map(json.dumps)
PATTERNS = st.lists(st.sampled_from(["%4Y", "%2M", "%02H", "%Al", "%Bi", "%P", "/", " o'clock", '"']), max_size=5)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    texts = st.one_of(LITERALS, inner.map(lambda text: f"escapeXmlStr({text})"))
    return st.one_of(
        st.tuples(inner, texts).map(" + ".join),
        st.tuples(texts, inner).map(lambda pair: f"{pair[0]}+({pair[1]})"),
        inner.map(lambda text: f"( {text} ).toUpperCase()"),
        inner.map(lambda text: f"escapeXmlStr(\n{text})"),
    )


DATES = st.tuples(PATHS, PATTERNS).map(lambda pair: f"formatDate({pair[0]}, {json.dumps(''.join(pair[1]))})")
EXPRESSIONS = st.recursive(st.one_of(PATHS, LITERALS, DATES), _grown, max_leaves=6)


def refused(text: str, **place: int) -> CompileError:
    with pytest.raises(CompileError) as caught:
        Expression.parse(text, **place)
    assert caught.value.code == "unsupported-script"
    return caught.value


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            "escapeUrl(recipient.lastName)",
            "\n escapeUrl ( recipient . lastName )\t",
            "<%= escapeUrl(recipient.lastName) %>",
            "encodeURIComponent((recipient.lastName))",
        ],
    )
    def test_the_official_example_in_every_spelling(self, text: str) -> None:
        found = Expression.parse(text)
        assert (found.canonical, found.names) == ("recipient.lastName", ("recipient.lastName",))
        assert found.is_escaped
        assert found.is_path
        assert found == Expression.parse("escapeUrl(recipient.lastName)")
        assert hash(found) == hash(Expression.parse("escapeUrl(recipient.lastName)"))

    def test_a_path_without_an_escape_is_another_expression(self) -> None:
        plain = Expression.parse("recipient.lastName")
        assert not plain.is_escaped
        assert plain.canonical == "recipient.lastName"
        assert plain != Expression.parse("escapeUrl(recipient.lastName)")
        assert plain != "recipient.lastName"

    @pytest.mark.parametrize(
        ("text", "canonical", "names"),
        [
            ("content.@date", "content.@date", ("content.@date",)),
            ("formatDate(content.@date,'%2D/%2M/%4Y')", 'formatDate(content.@date, "%2D/%2M/%4Y")', ("content.@date",)),
            ("a.toUpperCase", "a.toUpperCase", ("a.toUpperCase",)),
            ("a.toUpperCase()", "a.toUpperCase()", ("a",)),
            ("a.@b.toLowerCase()", "a.@b.toLowerCase()", ("a.@b",)),
            ("(a + b).toUpperCase()", "(a + b).toUpperCase()", ("a", "b")),
            ("(a + b) + (c + a)", "a + b + (c + a)", ("a", "b", "c")),
            ("'it\\'s' + \"%\\x3e\"", '"it\'s" + "%\\u003e"', ()),
            ("'\\x41\\n\\u00e9\\ud83d\\ude00'", '"A\\u000aé😀"', ()),
            ("1.50", "1.5", ()),
            ("100", "100", ()),
            ("'n' + 5", '"n" + 5', ()),
            ("escapeXmlStr(a) + 5", "escapeXmlStr(a) + 5", ("a",)),
        ],
    )
    def test_one_spelling(self, text: str, canonical: str, names: tuple[str, ...]) -> None:
        found = Expression.parse(text)
        assert (found.canonical, found.names) == (canonical, names)

    @given(EXPRESSIONS, st.booleans())
    def test_the_canonical_text_reads_as_itself(self, text: str, is_escaped: bool) -> None:
        found = Expression.parse(f"escapeUrl({text})" if is_escaped else text)
        assert found.is_escaped == is_escaped
        again = Expression.parse(found.canonical)
        assert again == Expression.parse(text)
        assert again.names == found.names
        assert "%>" not in found.canonical
        assert "<%" not in found.canonical

    @given(st.one_of(st.text(), st.text("abx.()+'\"\\%@, <>=1", max_size=40), EXPRESSIONS.map(lambda text: text[:-1])))
    def test_any_text_is_an_expression_or_an_error_of_ours(self, text: str) -> None:
        found = error = None
        try:
            found = Expression.parse(text)
        except CompileError as raised:
            error = raised
        if error is not None:
            assert error.code == "unsupported-script"
            assert error.line is not None
            assert error.column is not None
            assert min(error.line, error.column) >= 1
        if found is not None:
            assert Expression.parse(found.canonical).canonical == found.canonical


class TestRefusing:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "<% if (a) { %>",
            "<% var a = 1; %>",
            "getURL('http://a')",
            "a = 1",
            "a == b",
            "a ? b : c",
            "a['x']",
            "a[0]",
            "new Date()",
            "formatDate(new Date(), '%4Y')",
            "formatDate('2000/01/01', '%4Y')",
            "formatDate(a)",
            "formatDate(a, b)",
            "formatDate(a, '%4Y', 'x')",
            "formatDate(a, '%Q')",
            "formatDate(a, '%2Y')",
            "formatDate(a, '%')",
            "formatDate(a, '%Ali')",
            "formatDate(a.toUpperCase(), '%4Y')",
            "true",
            "null",
            "a.this",
            "function(){}",
            "cryptString(a)",
            "toUpper(a)",
            "a.substr(1)",
            "a.b()",
            "a; b",
            "a, b",
            "a b",
            "a.",
            ".a",
            "a..b",
            "a.@b.c",
            "a.@",
            "@a",
            "'a",
            "'a\nb'",
            "'\\q'",
            "'\\ud83d'",
            "'\ud83d'",
            "`a`",
            "/a/",
            "a // b",
            "a /* b */",
            "-1",
            "01",
            "1e5",
            "0x1",
            "1.",
            "1 + 1",
            "a + 1",
            "1 + a",
            "a + b + 1",
            "(5).toUpperCase()",
            "5.toUpperCase()",
            "a - b",
            "a * b",
            "a && b",
            "!a",
            "é",
            "a\u00a0+ b",
            "a())",
            "(a",
            "a)",
            "escapeUrl(a",
            "escapeUrl()",
            "escapeUrl(a, b)",
            "escapeUrl",
            "escapeXmlStr()",
            "a +",
            "+ a",
            "<%= a %> <%= b %>",
            "<%= 'a%>b' %>",
            "'a%>b'",
            "<%= a",
            "%>",
        ],
    )
    def test_everything_else(self, text: str) -> None:
        refused(text)

    @pytest.mark.parametrize(
        "text",
        [
            "escapeUrl(escapeUrl(a))",
            "escapeUrl(a) + 'x'",
            "'x' + escapeUrl(a)",
            "escapeXmlStr(encodeURIComponent(a))",
            "(escapeUrl(a))",
        ],
    )
    def test_an_escape_that_would_encode_twice_or_in_part(self, text: str) -> None:
        assert "or not at all" in str(refused(text))

    def test_what_is_too_long_or_too_deep(self) -> None:
        assert Expression.parse("a" * MAX_EXPRESSION).canonical == "a" * MAX_EXPRESSION
        refused("a" * (MAX_EXPRESSION + 1))
        refused("'" + "<" * (MAX_EXPRESSION - 2) + "'")
        refused("(" * 500 + "a" + ")" * 500)
        refused("a" + ".toUpperCase()" * 100)
        refused("+".join("a" * 100))

    def test_where(self) -> None:
        error = refused("a +\n  b ? c", line=7, column=20)
        assert (error.line, error.column) == (8, 5)
        error = refused("a ? c", line=7, column=20)
        assert (error.line, error.column) == (7, 22)
        error = refused("<%= a ? c %>")
        assert (error.line, error.column) == (1, 7)

    def test_hints(self) -> None:
        assert "include" in refused("getURL(a)").hint
        assert "as a value" in refused("formatDate(new Date(), '%4Y')").hint

    def test_what_is_no_text(self) -> None:
        with pytest.raises(InvalidValue):
            Expression.parse(b"a")  # type: ignore[arg-type]

    def test_every_code_is_in_the_list(self) -> None:
        assert "unsupported-script" in INSTRUCTION_ERRORS


class TestGiving:
    @pytest.mark.parametrize("values", [{"a.b": "x"}, {"a": {"b": "x"}}, {"a": {"@b": "z", "b": "x"}}])
    def test_values_by_path_or_in_mappings(self, values: dict[str, object]) -> None:
        assert Expression.parse("a.b").evaluate(values) == "x"

    def test_an_attribute_goes_by_either_name(self) -> None:
        found = Expression.parse("a.@b")
        assert found.evaluate({"a": {"@b": "x"}}) == found.evaluate({"a": {"b": "x"}}) == found.evaluate({"a.@b": "x"})

    def test_what_is_left_of_a_path_may_be_one_key(self) -> None:
        assert Expression.parse("a.b.c").evaluate({"a": {"b.c": "x"}}) == "x"

    @pytest.mark.parametrize(
        "values", [{}, {"a": None}, {"a": {}}, {"a": {"b": None}}, {"a": "x"}, {"b": "x"}, {"a": {"b": {}}}]
    )
    def test_a_missing_value_is_an_error(self, values: dict[str, object]) -> None:
        with pytest.raises(RenderError):
            Expression.parse("a.b").evaluate(values)
        with pytest.raises(RenderError):
            Expression.parse("'x' + escapeXmlStr(a.b)").evaluate(values)

    def test_it_names_the_path(self) -> None:
        with pytest.raises(MissingValue, match=r"recipient\.lastName"):
            Expression.parse("escapeUrl('x' + recipient.lastName)").evaluate({"recipient": {}})

    def test_an_empty_text_is_a_value(self) -> None:
        assert Expression.parse("a").evaluate({"a": ""}) == ""

    @given(st.text())
    def test_a_path_gives_its_text_unescaped(self, text: str) -> None:
        assert Expression.parse("escapeUrl(a)").evaluate({"a": text}) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (5, "5"),
            (5.0, "5"),
            (2.5, "2.5"),
            (1e-7, "0.0000001"),
            (Decimal("1.50"), "1.50"),
            (Decimal("1E+3"), "1000"),
            (True, "true"),
            (date(2026, 1, 2), "2026-01-02"),
        ],
    )
    def test_text_of_values(self, value: object, text: str) -> None:
        assert Expression.parse("a").evaluate({"a": value}) == text

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("1E+999999"), 10**200, b"x", [1], object()])
    def test_what_has_no_text(self, value: object) -> None:
        with pytest.raises(RenderError, match="no text"):
            Expression.parse("a").evaluate({"a": value})

    def test_functions(self) -> None:
        assert (
            Expression.parse("escapeXmlStr(a)").evaluate({"a": '<a href="x">&\''})
            == "&lt;a href=&quot;x&quot;&gt;&amp;'"
        )
        assert Expression.parse("a.toUpperCase()").evaluate({"a": "straße"}) == "STRASSE"
        assert Expression.parse("('A' + a).toLowerCase()").evaluate({"a": "É"}) == "aé"

    def test_numbers_are_never_added_up_in_silence(self) -> None:
        both = Expression.parse("a + b")
        assert both.evaluate({"a": "1", "b": 2}) == "12"
        assert both.evaluate({"a": 1, "b": "2"}) == "12"
        with pytest.raises(RenderError, match="sum"):
            both.evaluate({"a": 1, "b": 2})
        assert Expression.parse("'' + a + b").evaluate({"a": 1, "b": 2}) == "12"

    @given(st.text(), st.text())
    def test_concatenation(self, first: str, second: str) -> None:
        found = Expression.parse("a + ('-' + b)")
        assert found.evaluate({"a": first, "b": second}) == f"{first}-{second}"


class TestDates:
    MOMENT = datetime(2000, 1, 24, 15, 4, 5, tzinfo=UTC)

    # The first three are printed in the public description of the function.
    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("%4Y/%2M/%2D", "2000/01/24"),
            ("%A %D %B %4Y", "mon 24 jan 2000"),
            ("%Al %D %Bl %4Y", "monday 24 january 2000"),
            ("%02H:%02N:%02S", "15:04:05"),
            ("%Y %M %3J %2W %I %P %N %Bi %Ai", "2000 1 024 04 3 PM 4 jan mon"),
            ("", ""),
        ],
    )
    def test_patterns(self, pattern: str, text: str) -> None:
        assert Expression.parse(f"formatDate(a, '{pattern}')").evaluate({"a": self.MOMENT}) == text

    @given(st.datetimes())
    def test_like_the_standard_library(self, moment: datetime) -> None:
        found = Expression.parse("formatDate(a, '%4Y-%2M-%2DT%2H:%2N:%2S %3J %2W %2I %P')").evaluate({"a": moment})
        assert found == f"{moment:%4Y-%m-%dT%H:%M:%S %j %V %I %p}".replace(f"{moment:%4Y}", f"{moment.year:04}", 1)

    @pytest.mark.parametrize(
        "text",
        ["2000/01/24 15:04:05", "2000-01-24T15:04:05Z", "2000-01-24 15:04:05.250+02:00", " 2000/01/24 15:04:05 "],
    )
    def test_moments_as_text(self, text: str) -> None:
        found = Expression.parse("formatDate(a, '%4Y/%2M/%2D %2H:%2N:%2S')")
        assert found.evaluate({"a": text}) == "2000/01/24 15:04:05"

    def test_a_date_begins_at_midnight(self) -> None:
        found = Expression.parse("formatDate(a, '%D %2H')")
        assert found.evaluate({"a": date(2000, 1, 24)}) == found.evaluate({"a": "2000/01/24"}) == "24 00"

    @pytest.mark.parametrize(
        "value", ["", "soon", "2000-13-01", "2000/01-24", "24/01/2000", "2000-01-24 25:00", 5, [], "２０００/01/24"]
    )
    def test_what_is_no_moment(self, value: object) -> None:
        with pytest.raises(RenderError, match="no moment"):
            Expression.parse("formatDate(a, '%4Y')").evaluate({"a": value})
