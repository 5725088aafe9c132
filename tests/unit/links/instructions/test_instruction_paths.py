"""The part of XPath that is read, against lxml."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.links.instructions.values import PathError, read_path, select, text_of

NAMES = st.sampled_from(["a", "b", "c"])
# Other names than children have: where there is no "@a", "@a" means the key "a" as well.
ATTRIBUTES = st.sampled_from(["p", "q", "r"])
ELEMENTS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(ATTRIBUTES.map("@".__add__), st.sampled_from(["x", "y", "1"])),
    lambda inner: st.tuples(
        st.dictionaries(ATTRIBUTES.map("@".__add__), st.sampled_from(["x", "y"])),
        st.dictionaries(NAMES, st.lists(inner, min_size=1, max_size=3)),
    ).map(lambda pair: {**pair[0], **pair[1]}),
    max_leaves=8,
)
TESTS = st.tuples(ATTRIBUTES, st.sampled_from("xy1")).map(lambda pair: f"[@{pair[0]}='{pair[1]}']")
STEPS = st.one_of(NAMES, st.tuples(NAMES, TESTS).map("".join), st.just("."))
XPATHS = st.tuples(st.lists(STEPS, max_size=3), st.one_of(st.just([]), ATTRIBUTES.map(lambda name: ["@" + name]))).map(
    lambda pair: "/".join([*pair[0], *pair[1]]) or "."
)


def _as_xml(etree: Any, name: str, element: dict[str, Any], ids: dict[int, Any]) -> Any:
    made = etree.Element(name, {key[1:]: value for key, value in element.items() if key[0] == "@"})
    ids[id(element)] = made
    for key, children in element.items():
        if key[0] != "@":
            made.extend(_as_xml(etree, key, child, ids) for child in children)
    return made


@given(ELEMENTS, XPATHS)
def test_the_same_as_lxml(element: dict[str, Any], xpath: str) -> None:
    etree = pytest.importorskip("lxml.etree")
    ids: dict[int, Any] = {}
    root = _as_xml(etree, "root", element, ids)
    wanted = root.xpath(xpath)
    try:
        found = select(element, read_path(xpath))
    except PathError:
        assert wanted == []
    else:
        assert [ids[id(item)] if isinstance(item, dict) else item for item in found] == wanted


@pytest.mark.parametrize(
    "xpath",
    [
        "",
        " ",
        "/a",
        "a/",
        "a//b",
        "//a",
        "a/..b",
        "..",
        "a/../..",
        "@",
        "@a/b",
        "@a/..",
        "a[1]",
        "a[b='x']",
        "a[@b]",
        "a[@b=x]",
        "a[@b='x\"]",
        "a|b",
        "*",
        "text()",
        "a::b::c()",
        "a b",
        "_a",
        "@_a",
        "__class__",
        "a/__init__",
        "ancestor::a/b[1]",
        "1",
        "a[@b='x']/..",
        "$a",
        "a" * 501,
    ],
)
def test_what_is_not_read(xpath: str) -> None:
    with pytest.raises(PathError):
        read_path(xpath)


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_an_error(text: str) -> None:
    with suppress(PathError):
        path = read_path(text)
        assert read_path(path.written) == path


@pytest.mark.parametrize("xpath", ["@name", "name", "./name", "owner/../name", "owner/.././@name", " name "])
def test_up_and_down(xpath: str) -> None:
    for item in ({"name": "x", "owner": {}}, SimpleNamespace(name="x", owner=SimpleNamespace())):
        assert select(item, read_path(xpath)) == ["x"]


def test_both_quotes_and_several_tests() -> None:
    item = {"var": [{"name": "a", "kind": 1, "value": "A"}, {"@name": "a", "kind": 2, "value": "B"}]}
    assert select(item, read_path("""var[@name='a'][@kind="2"]/@value""")) == ["B"]
    assert select(item, read_path("var[@name='z']/@value")) == []


def test_methods_privates_and_text_have_no_children() -> None:
    for item, xpath in (
        ({}, "keys"),
        (SimpleNamespace(_a=1), "b"),
        ("text", "upper"),
        (5, "real"),
        (None, "a"),
        (print, "c"),
    ):
        with pytest.raises(PathError):
            select(item, read_path(xpath))


def test_methods_of_objects_are_out_of_reach() -> None:
    class Secret:
        name = "n"

        def password(self) -> str:
            return "p"

    assert select(Secret(), read_path("name")) == ["n"]
    with pytest.raises(PathError):
        select(Secret(), read_path("password"))


def test_the_name_a_loop_goes_by() -> None:
    assert read_path("a/b[@c='d']").last_name == "b"
    assert read_path(".").last_name == ""
    assert read_path("a/@b").last_name == ""


@given(st.integers(-(10**60), 10**60))
def test_integers_are_their_digits(number: int) -> None:
    assert text_of(number) == str(number)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e60, max_value=1e60))
def test_floats_come_back(number: float) -> None:
    text = text_of(number)
    if text is None:
        assert abs(number) < 1e-80
    else:
        assert float(text) == number
        assert "e" not in text
