"""``<%@ … %>`` instructions: what they put in, what they refuse, and where each character comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import CompileError, InvalidOption, InvalidValue, UnknownOption
from msgtrack.links.instructions import INSTRUCTION_ERRORS, MAX_DEPTH, Expanded, expand, expanding

ARTICLES = [{"@id": 7, "title": "One"}, {"@id": 8, "title": "Two"}]
OBJECTS: dict[str, object] = {
    "articleList": ARTICLES,
    "delivery": {
        "@label": "Spring",
        "variables": {"var": [{"@name": "a", "@stringValue": "A"}, {"@name": "b", "@stringValue": "B"}]},
    },
    "provider": SimpleNamespace(name="smtp", hosts=["h1", "h2"], secret=None),
}
LOADERS: dict[str, object] = {
    "view": {
        "Hello": "Hello!",
        "Server": "<%@ include option='NmsServer_URL' %>/x",
        "Both": {"html": "<b>", "text": "*"},
    },
    "option": {"NmsServer_URL": "https://s.example"},
    "objects": OBJECTS,
}


def text_of(source: str, loaders: Mapping[str, object] | None = None) -> str:
    return expand(source, LOADERS if loaders is None else loaders, part="html").text


def refused(source: str, loaders: Mapping[str, object] | None = None, **options: Any) -> CompileError:
    with pytest.raises(CompileError) as caught:
        expand(source, LOADERS if loaders is None else loaders, part="html", **options)
    assert caught.value.code in INSTRUCTION_ERRORS
    return caught.value


class TestIncluding:
    def test_each_kind_has_its_loader(self) -> None:
        for kind in ("view", "option", "url", "file"):
            asked: list[str] = []
            loaders = {kind: lambda name, asked=asked: asked.append(name) or f"[{name}]"}
            assert text_of(f"a<%@ include {kind}='x y' %>b", loaders) == "a[x y]b"
            assert asked == ["x y"]

    @pytest.mark.parametrize(
        "written",
        [
            "<%@ include view='Hello' %>",
            '<%@ include view="Hello" %>',
            "<%@include view='Hello'%>",
            "<%@\n include\n view = 'Hello'\n%>",
        ],
    )
    def test_either_quote_and_any_white_space(self, written: str) -> None:
        assert text_of(f"<a href='{written}'>") == "<a href='Hello!'>"

    def test_what_is_included_is_expanded_too(self) -> None:
        assert text_of("<%@ include view='Server' %>") == "https://s.example/x"

    def test_the_printed_unsubscription_address(self) -> None:
        source = "<%@ include option='NmsServer_URL' %>/webApp/unsub?id=<%= escapeUrl(recipient.cryptedId)%>"
        assert text_of(source) == "https://s.example/webApp/unsub?id=<%= escapeUrl(recipient.cryptedId)%>"

    def test_a_text_for_each_part(self) -> None:
        source = "<%@ include view='Both' %>"
        assert expand(source, LOADERS, part="html").text == "<b>"
        assert expand(source, LOADERS, part="text").text == "*"
        assert refused(source, {"view": {"Both": {"text": "*"}}}).code == "unknown-include"

    def test_each_name_is_asked_once(self) -> None:
        asked = []
        loaders = {"view": lambda name: asked.append(name) or "x", "objects": OBJECTS}
        source = "<%@ foreach object='articleList' item='a' %><%@ include view='V' %><%@ end %><%@ include view='V' %>"
        assert text_of(source, loaders) == "xxx"
        assert asked == ["V"]

    @pytest.mark.parametrize("error", [KeyError("x"), FileNotFoundError("x"), LookupError("x")])
    def test_a_name_that_the_loader_does_not_know(self, error: Exception) -> None:
        def loader(name: str) -> str:
            raise error

        assert refused("<%@ include url='x' %>", {"url": loader}).__cause__ is error
        for loaders in ({"url": loader}, {"url": {}}, {"url": lambda _: None}, {"url": {"x": None}}):
            assert refused("\n <%@ include url='x' %>", loaders).code == "unknown-include"

    def test_no_loader(self) -> None:
        error = refused("one\n two <%@ include file='x' %>", {})
        assert (error.code, error.line, error.column) == ("missing-loader", 2, 6)

    @pytest.mark.parametrize("name", ["MirrorPageUrl", "MirrorPage", "UnsubscriptionLink"])
    def test_the_blocks_of_the_model_system_are_given_like_any_other(self, name: str) -> None:
        source = f"<%@ include view='{name}' %>"
        assert text_of(source, {"view": {name: "https://m.example/"}}) == "https://m.example/"
        for loaders in ({}, {"view": {}}):
            assert "the message needs" in refused(source, loaders).hint

    def test_what_is_no_text(self) -> None:
        assert refused("<%@ include view='x' %>", {"view": {"x": b"bytes"}}).code == "not-text"

    def test_circles(self) -> None:
        views = {"a": "1<%@ include view='b' %>", "b": "<%@ include view='c' %>", "c": "\n<%@ include view='a' %>"}
        error = refused("<%@ include view='a' %>", {"view": views})
        assert (error.code, error.line, error.column) == ("include-cycle", 2, 1)
        assert "view 'a' (line 1, column 2) > view 'b' (line 1, column 1) > view 'c'" in str(error)
        # The same name under another loader is another text.
        assert (
            text_of("<%@ include view='a' %>", {"view": {"a": "<%@ include option='a' %>"}, "option": {"a": "x"}})
            == "x"
        )

    def test_the_chain_and_the_place_in_the_file_where_it_stands(self) -> None:
        views = {"Page": "\n\n  <%@ include view='Foot' %>", "Foot": "x\r\ny <%@ inclde view='z' %>"}
        error = refused("\n <%@ include view='Page' %>", {"view": views})
        assert (error.code, error.line, error.column) == ("unknown-instruction", 2, 3)
        assert str(error).startswith(
            "the html part (line 2, column 2) > view 'Page' (line 3, column 3) > view 'Foot': "
        )


class TestValues:
    @pytest.mark.parametrize(
        ("attributes", "text"),
        [
            ("object='delivery' xpath='@label'", "Spring"),
            ('object="delivery" xpath="variables/var[@name=\'b\']/@stringValue"', "B"),
            ("object='articleList' xpath='@id' index='1'", "8"),
            ("object='articleList' xpath='title' index='0'", "One"),
            ("object='provider' xpath='name'", "smtp"),
            ("xpath='@name' object='provider'", "smtp"),
        ],
    )
    def test_of_objects(self, attributes: str, text: str) -> None:
        assert text_of(f"<<%@ value {attributes} %>>") == f"<{text}>"

    @given(st.text())
    def test_they_are_put_in_as_they_are_and_not_looked_through(self, value: str) -> None:
        hostile = f"{value}<%@ include file='/etc/passwd' %>\"><script>"
        source = "<%@ value object='o' xpath='@v' %>"
        assert text_of(source, {"objects": {"o": {"v": hostile}}}) == hostile

    @pytest.mark.parametrize(("value", "text"), [(5, "5"), (2.0, "2"), (0.1, "0.1"), (True, "true"), ("", "")])
    def test_their_text(self, value: object, text: str) -> None:
        assert text_of("<%@ value object='o' xpath='v' %>", {"objects": {"o": {"v": value}}}) == text

    @pytest.mark.parametrize(
        ("attributes", "code"),
        [
            ("object='delivery' xpath='@lable'", "no-value"),
            ("object='delivery' xpath='variables/var/@stringValue'", "no-value"),
            ("object='delivery' xpath=\"variables/var[@name='z']/@stringValue\"", "no-value"),
            ("object='provider' xpath='secret'", "no-value"),
            ("object='provider' xpath='__class__'", "bad-xpath"),
            ("object='articleList' xpath='@id'", "no-value"),
            ("object='delivery' xpath='variables'", "not-text"),
            ("object='nobody' xpath='@x'", "unknown-object"),
            ("object='articleList' xpath='@id' index='2'", "bad-index"),
            ("object='articleList' xpath='@id' index='-1'", "bad-index"),
            ("object='articleList' xpath='@id' index='x'", "bad-index"),
            ("object='delivery' xpath='@label' index='0'", "bad-index"),
            ("object='delivery' xpath='//label'", "bad-xpath"),
            ("object='delivery'", "missing-attribute"),
            ("xpath='@label'", "missing-attribute"),
            ("object='delivery' xpath='@label' item='x'", "unknown-attribute"),
            ("object='startScript' xpath='.'", "unknown-attribute"),
        ],
    )
    def test_what_is_refused(self, attributes: str, code: str) -> None:
        error = refused(f"line\n  <%@ value {attributes} %>")
        assert (error.code, error.line, error.column) == (code, 2, 3)

    def test_no_objects(self) -> None:
        assert refused("<%@ value object='o' xpath='.' %>", {}).code == "missing-loader"

    def test_the_printed_script(self) -> None:
        label = '<%@ value object="delivery" xpath="@label" %>'
        source = f"<%@ value object='startScript' %> var l = '{label}' <%@ value object='endScript' %>"
        assert text_of(source) == "<% var l = 'Spring' %>"


class TestLoops:
    def test_each_item_in_order(self) -> None:
        source = (
            '<%@ foreach object="articleList" item="article" %>'
            "<a href=\"http://nl.example/a.jsp?article=<%@ value object='article' xpath='@id' %>\">"
            "<%@ value object='article' xpath='title' %></a>\n<%@ end %>"
        )
        assert text_of(source) == (
            '<a href="http://nl.example/a.jsp?article=7">One</a>\n<a href="http://nl.example/a.jsp?article=8">Two</a>\n'
        )

    def test_the_item_is_named_after_the_path(self) -> None:
        source = (
            "<%@ foreach object='delivery' xpath='variables/var' %><%@ value object='var' xpath='@name' %><%@ end %>"
        )
        assert text_of(source) == "ab"

    def test_an_index_picks_the_object_to_start_from(self) -> None:
        shops = [{"offer": [{"n": 1}]}, {"offer": [{"n": 2}, {"n": 3}]}]
        source = (
            "<%@ foreach object='s' xpath='offer' index='1' item='o' %><%@ value object='o' xpath='n' %>,<%@ end %>"
        )
        assert text_of(source, {"objects": {"s": shops}}) == "2,3,"

    def test_in_each_other_with_inner_names_first(self) -> None:
        shops = [{"@n": "a", "offer": [{"@n": 1}, {"@n": 2}]}, {"@n": "b", "offer": []}]
        source = (
            "<%@ foreach object='s' item='i' %><%@ value object='i' xpath='@n' %>:"
            "<%@ foreach object='i' xpath='offer' item='i' %><%@ value object='i' xpath='@n' %><%@ end %>"
            "<%@ value object='i' xpath='@n' %>;<%@ end %>"
        )
        assert text_of(source, {"objects": {"s": shops, "i": {"@n": "?"}}}) == "a:12a;b:b;"

    def test_items_are_known_in_what_is_included(self) -> None:
        loaders = {"view": {"Row": "<%@ value object='a' xpath='@id' %> "}, "objects": OBJECTS}
        assert (
            text_of("<%@ foreach object='articleList' item='a' %><%@ include view='Row' %><%@ end %>", loaders)
            == "7 8 "
        )

    def test_of_plain_texts(self) -> None:
        source = "<%@ foreach object='provider' xpath='hosts' %><%@ value object='hosts' xpath='.' %><%@ end %>"
        assert text_of(source) == "h1h2"

    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ("<%@ foreach object='articleList' %><%@ end %>", "missing-attribute"),
            ("<%@ foreach object='articleList' item='a' %>", "unclosed-foreach"),
            (
                "<%@ foreach object='articleList' item='a' %><%@ foreach object='a' xpath='b' %><%@ end %>",
                "unclosed-foreach",
            ),
            ("<%@ foreach object='articleList' item='a' index='0' %><%@ end %>", "bad-index"),
            ("<%@ foreach object='articleList' item='a b' %><%@ end %>", "malformed-instruction"),
            ("<%@ foreach object='articleList' item='endScript' %><%@ end %>", "malformed-instruction"),
            ("<%@ foreach object='delivery' item='a' %><%@ end %>", "no-value"),
            ("<%@ foreach object='delivery' xpath='nothing' %><%@ end %>", "no-value"),
            ("<%@ foreach object='provider' xpath='secret' %><%@ end %>", "no-value"),
            ("<%@ foreach object='nobody' item='a' %><%@ end %>", "unknown-object"),
            ("<%@ foreach item='a' %><%@ end %>", "missing-attribute"),
            ("<%@ end %>", "stray-end"),
            ("<%@ end object='x' %>", "unknown-attribute"),
        ],
    )
    def test_what_is_refused(self, source: str, code: str) -> None:
        error = refused(f"é\n{source}")
        assert (error.code, error.line) == (code, 2)

    def test_a_fault_in_a_loop_that_never_runs_is_found(self) -> None:
        source = "<%@ foreach object='o' item='i' %><%@ value object='i' %><%@ end %>"
        assert refused(source, {"objects": {"o": []}}).code == "missing-attribute"

    def test_a_loop_does_not_reach_into_another_text(self) -> None:
        assert (
            refused("<%@ include view='a' %>", {"view": {"a": "<%@ foreach object='o' item='i' %>"}}).code
            == "unclosed-foreach"
        )

    def test_ten_thousand_items(self) -> None:
        items = [{"id": number} for number in range(10_000)]
        source = "<%@ foreach object='o' item='i' %><a href='https://e.example/<%@ value object='i' xpath='@id' %>'>x</a>\n<%@ end %>"
        found = expand(source, {"objects": {"o": items}}, part="html")
        assert found.text == "".join(f"<a href='https://e.example/{number}'>x</a>\n" for number in range(10_000))


class TestReading:
    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ("<%@ include view='Hello'", "unclosed-instruction"),
            ("<%@ include view='Hello", "unclosed-instruction"),
            ("<%@", "unclosed-instruction"),
            ("<%@ %>", "malformed-instruction"),
            ("<%@ include view=Hello %>", "malformed-instruction"),
            ("<%@ include view='Hello\" %>", "malformed-instruction"),
            ("<%@ include view='Hel\nlo' %>", "malformed-instruction"),
            ("<%@ include view='<%@ end %>' %>", "malformed-instruction"),
            ("<%@ include view='Hello' view='Hello' %>", "malformed-instruction"),
            ("<%@ include view='Hello', %>", "malformed-instruction"),
            ("<%@ include %>", "missing-attribute"),
            ("<%@ include view='Hello' option='x' %>", "unknown-attribute"),
            ("<%@ include page='Hello' %>", "unknown-attribute"),
            ("<%@ Include view='Hello' %>", "unknown-instruction"),
            ("<%@ page language='java' %>", "unknown-instruction"),
            ("<% value object='delivery' xpath='@label' %>", "malformed-instruction"),
            ('<%  foreach object="x" %>', "malformed-instruction"),
            ("<% end %>", "malformed-instruction"),
            ("<%@ end @%>", "malformed-instruction"),
        ],
    )
    def test_what_is_refused(self, source: str, code: str) -> None:
        error = refused(f"one\ntwo {source}")
        assert (error.code, error.line, error.column) == (code, 2, 5)

    def test_the_printed_slips_are_told_the_right_form(self) -> None:
        assert refused("<%@ end @%>").hint == "write <%@ end %>"
        assert refused("<% end @%>").hint == "write <%@ end %>"
        assert refused("<% value object='a' xpath='b' %>").hint == "write <%@ value … %>"

    @pytest.mark.parametrize(
        "source", ["<% value = 1; %>", "<% if (end) { %>", "<%= value %>", "<%", "%>", "< %@ x", "<%include x='y'%>"]
    )
    def test_scripts_stay(self, source: str) -> None:
        assert text_of(source) == source

    @given(st.text(), st.sampled_from(["html", "text"]))
    def test_a_text_without_instructions_stays(self, source: str, part: str) -> None:
        source = source.replace("<%", "<")
        found = expand(source, part=part)
        assert found.text == source
        assert found.position(0) == (1, 1)

    PIECES = st.sampled_from(
        [
            *(
                "<%@",
                "%>",
                " ",
                "\n",
                "'",
                '"',
                "=",
                "include",
                "value",
                "foreach",
                "end",
                "view",
                "object",
                "x",
                "<% ",
                "@",
            ),
            *("<%@ end %>", "<%@ include view='Hello' %>", "<%@ include view='Self' %>"),
            *("<%@ foreach object='articleList' item='x' %>", "<%@ value object='x' xpath='@id' %>"),
        ]
    )

    @given(st.lists(PIECES, max_size=25).map("".join), st.lists(PIECES, max_size=8).map("".join))
    def test_any_text_is_expanded_or_refused_with_a_place(self, source: str, included: str) -> None:
        found = error = None
        try:
            found = expand(source, {"view": {"Hello": "Hello!", "Self": included}, "objects": OBJECTS}, part="html")
        except CompileError as raised:
            error = raised
        if found is not None:
            assert all(found.position(offset) <= found.position(len(found.text)) for offset in range(len(found.text)))
        if error is not None:
            assert error.code in INSTRUCTION_ERRORS
            assert error.line is not None


class TestLimits:
    def test_the_size(self) -> None:
        source = "<%@ foreach object='articleList' item='a' %>12345<%@ end %>"
        assert expand(source, LOADERS, part="html", max_size=10).text == "1234512345"
        error = refused(source, max_size=9)
        assert (error.code, error.column) == ("expansion-limit", source.index("12345") + 1)

    def test_texts_that_double(self) -> None:
        views = {str(level): f"<%@ include view='{level + 1}' %>" * 2 for level in range(60)} | {"60": "x"}
        assert refused("<%@ include view='0' %>", {"view": views}, max_size=1000).code == "expansion-limit"

    def test_texts_that_double_and_say_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(expanding, "MAX_STEPS", 5_000)
        views = {str(level): f"<%@ include view='{level + 1}' %>" * 2 for level in range(60)} | {"60": ""}
        assert refused("<%@ include view='0' %>", {"view": views}).code == "expansion-limit"
        source = "<%@ foreach object='o' item='i' %>" * 3 + "<%@ end %>" * 3
        assert refused(source, {"objects": {"o": [1] * 40}}).code == "expansion-limit"

    def test_the_depth(self) -> None:
        views = {str(level): f"<%@ include view='{level + 1}' %>" for level in range(500)}
        assert refused("<%@ include view='0' %>", {"view": views}).code == "expansion-limit"
        loop, end = "<%@ foreach object='o' item='o' %>", "<%@ end %>"
        assert refused(loop * (MAX_DEPTH + 1) + end * (MAX_DEPTH + 1), {"objects": {"o": []}}).code == "expansion-limit"
        deep: list[Any] = ["x"]
        for _ in range(MAX_DEPTH - 1):
            deep = [deep]
        assert text_of(loop * MAX_DEPTH + "y" + end * MAX_DEPTH, {"objects": {"o": deep}}) == "y"


class TestCalling:
    def test_wrong_loaders(self) -> None:
        with pytest.raises(UnknownOption, match="views"):
            expand("", {"views": {}}, part="html")
        for loaders in ({"view": "x"}, {"objects": lambda name: name}, {"objects": []}, ["view"]):
            with pytest.raises(InvalidValue):
                expand("", loaders, part="html")  # type: ignore[arg-type]

    def test_wrong_texts_and_parts(self) -> None:
        with pytest.raises(InvalidValue):
            expand(b"", part="html")  # type: ignore[arg-type]
        with pytest.raises(InvalidOption):
            expand("", part="amp")
        with pytest.raises(InvalidValue):
            expand("", part="html", max_size=-1)


MARK = re.compile(r"\[(\d+)\]")


class TestPositions:
    @given(
        st.lists(
            st.sampled_from(
                [
                    "a\n",
                    "b\r\n",
                    "é",
                    "<%@ include view='V' %>",
                    "<%@ foreach object='o' item='i' %>[#]<%@ value object='i' xpath='.' %>\n[#]<%@ end %>",
                ]
            ).flatmap(lambda piece: st.just(piece + "[#]")),
            max_size=12,
        ).map("".join)
    )
    def test_every_mark_is_found_where_its_author_wrote_it(self, pattern: str) -> None:
        # Each [#] becomes a number of its own, and is searched for in the source by that number.
        parts = pattern.split("#")
        source = parts[0] + "".join(f"{number}{part}" for number, part in enumerate(parts[1:]))
        found = expand(source, {"view": {"V": "in\n\ncluded"}, "objects": {"o": ["x\n", "yy"]}}, part="html")
        for mark in MARK.finditer(found.text):
            for shift in range(len(mark[0])):
                at = source.index(mark[0]) + shift
                lines = re.split(r"\r\n|\n|\r", source[:at])
                assert found.position(mark.start() + shift) == (len(lines), len(lines[-1]) + 1)
                origin = found.origin(mark.start() + shift)
                assert (origin.line, origin.column) == found.position(mark.start() + shift)
                assert origin.chain == ("the html part",)

    def found(self) -> Expanded:
        views = {"V": "one\n<%@ include view='W' %>", "W": "\n two"}
        return expand("a\n <%@ include view='V' %>z", {"view": views}, part="text")

    def test_what_was_put_in_stands_where_its_instruction_does(self) -> None:
        found = self.found()
        assert found.text == "a\n one\n\n twoz"
        for word in ("one", "two"):
            assert found.position(found.text.index(word) + 1) == (2, 2)
        assert found.position(found.text.index("z")) == (2, 25)

    def test_a_value_stands_where_its_instruction_does(self) -> None:
        found = expand("a\n\n  <%@ value object='provider' xpath='name' %>z", LOADERS, part="html")
        for offset in range(5, 9):
            assert found.position(offset) == (3, 3)
            assert (found.origin(offset).line, found.origin(offset).column) == (3, 3)
        assert found.position(9) == (3, 46)

    def test_its_origin_is_the_included_text(self) -> None:
        found = self.found()
        origin = found.origin(found.text.index("two"))
        assert (origin.line, origin.column) == (2, 2)
        assert origin.chain == ("the text part (line 2, column 2)", "view 'V' (line 2, column 1)", "view 'W'")

    def test_the_ends(self) -> None:
        found = self.found()
        assert found.position(len(found.text)) == (2, 26)
        assert expand("", part="html").position(0) == (1, 1)
        for offset in (-1, len(found.text) + 1):
            with pytest.raises(InvalidValue):
                found.position(offset)
            with pytest.raises(InvalidValue):
                found.origin(offset)
        assert "13 characters" in repr(found)


def test_every_code_is_raised_by_some_test_and_explained_on_the_page() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "campaign-instructions.md").read_text(encoding="utf-8")
    for code, meaning in INSTRUCTION_ERRORS.items():
        assert f'"{code}"' in tests
        assert f"| `{code}` | {meaning} |" in page
