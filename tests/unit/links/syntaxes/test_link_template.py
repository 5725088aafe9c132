"""Links in pieces, what must not be in them, and what values may do to them: nothing but be there."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.syntaxes import LINK_PROBLEMS, Tag, TagKind, by_name, expand, reserved_parameter, split

JINJA = by_name("jinja")
TAGS = {
    "campaign": "<%= escapeUrl(recipient.x) %>",
    "jinja": '{{ x|default("}}/") }}',
    "django": "{{ x }}",
    "liquid": "{{ x | url_encode }}",
    "handlebars": "{{{x}}}",
    "merge": "*|X|*",
    "percent": "%X%",
}
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NASTY = st.one_of(
    VALUES,
    st.sampled_from(
        [
            "",
            ".",
            "..",
            "/",
            "//evil.example",
            "?a=1",
            "#f",
            "&b=2",
            "%2e%2e",
            "\\",
            "\r\nX: 1",
            "@evil.example",
            ":80",
            "%00",
            "+",
            "é",
            "\U0001f600",
        ]
    ),
)


def codes(url: str, syntax: str = "jinja") -> list[str]:
    return [problem.code for problem in split(url, by_name(syntax)).problems]


def test_the_example_of_the_reference() -> None:
    link = split("http://host/a.php?p=aaa&q=<%=escapeUrl(recipient.a)%>&r=<%= recipient.b %>", by_name("campaign"))
    assert link.pieces == ("http://host/a.php?p=aaa&q=", "&r=", "")
    assert [(one.name, one.offset, one.encoded) for one in link.placeholders] == [
        ("recipient.a", 26, True),
        ("recipient.b", 56, False),
    ]
    assert not link.problems
    assert link.expand(["a b", "c&d=e"]) == "http://host/a.php?p=aaa&q=a%20b&r=c%26d%3De"


def test_a_link_without_tags_is_one_piece() -> None:
    for name in (*TAGS, "none"):
        link = split("https://shop.example/%C3%A9?a=1#b", by_name(name))
        assert (link.pieces, link.placeholders, link.problems) == (("https://shop.example/%C3%A9?a=1#b",), (), ())
        assert link.expand([]) == "https://shop.example/%C3%A9?a=1#b"


HOST_PATTERNS = [
    "{}",
    "https://{}",
    "https://{}/path",
    "https://{}.domain.example/path",
    "https://sub.domain{}/path",
    "https://{}@host.example/",
    "https://u:{}@host.example/",
    "https://host.example:{}/",
    "https://host.example{}",
    "//{}/x",
    "//host.example{}/x",
    "https:{}",
    "https:/{}",
    "https:///{}",
    "https:\\\\{}",
    "https:\\\\host.example\\{}",
    "https://good.example\\@{}/",
    "ht{}tps://host.example/",
    "java{}script:alert(1)",
    "{}:alert(1)",
    " {}",
    "\t{}",
    "htt\nps://{}",
    "https://ho st/{}",
    "https://host.example／{}",
    "/{}/evil.example",
    "/{}\\evil.example",
    "/\\{}",
    "\\/{}",
    "page{}",
    "{}/page",
    "HTTPS://{}/",
    "https:host/{}",
]


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("pattern", HOST_PATTERNS)
def test_a_tag_may_not_decide_where_a_link_leads(name: str, pattern: str) -> None:
    # A backslash before it makes a tag of Handlebars text.
    code = "split-placeholder" if name == "handlebars" and re.search(r"(?<!\\)\\\{", pattern) else "personalized-host"
    assert code in codes(pattern.format(TAGS[name]), name)


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize(
    "pattern",
    [
        "https://host.example/{}",
        "https://host.example?{}=1",
        "https://host.example#{}",
        "http://u:p@host.example:8080/a/{}/b?c={}#{}",
        "//host.example/{}",
        "/{}",
        "/path/{}",
        "page?x={}",
        "?x={}",
        "#{}",
        " https://host.example/{} ",
        "mailto:{}",
        "tel:{}",
        "https://[::1]/{}",
        "HTTPS://HOST/{}",
    ],
)
def test_elsewhere_a_tag_may_stand(name: str, pattern: str) -> None:
    assert codes(pattern.replace("{}", TAGS[name]), name) == []


@pytest.mark.parametrize(
    ("syntax", "url", "expected"),
    [
        ("jinja", "https://h/{% if a %}b{% endif %}", ["control-tag", "control-tag"]),
        ("jinja", "{% if a %}https://h/{% endif %}", ["control-tag", "personalized-host", "control-tag"]),
        ("jinja", "https://h/{{ a", ["split-placeholder"]),
        ("jinja", "https://h/{{ }}", ["unsupported-tag"]),
        ("django", "https://h/{{ a", ["split-placeholder"]),
        ("django", "https://h/?a={{ b }}&c={% url", ["split-placeholder"]),
        ("handlebars", "https://h/{{> partial}}", ["control-tag"]),
        ("handlebars", "https://h/\\{{a}}", ["split-placeholder"]),
        ("campaign", "https://h/<% document.write(a) %>", ["control-tag"]),
        ("campaign", "https://h/<%@ value object='a' %>", ["control-tag"]),
        ("campaign", "https://h/<%= a", ["split-placeholder"]),
        ("merge", "https://h/*|IF:A|*b*|END:IF|*", ["control-tag", "control-tag"]),
        ("merge", "https://h/*|FN", ["split-placeholder"]),
        ("percent", "https://h/%%=v(@a)=%%", ["unsupported-tag"]),
        ("percent", "https://h/%%=v(@a)", ["split-placeholder"]),
        ("percent", "https://h/?a=100%%X%", ["broken-escape"]),
        ("jinja", "https://h/?a=%4{{ b }}", ["broken-escape"]),
        ("jinja", "https://h/?a=\n{{ b }}", ["line-feed"]),
        ("jinja", "https://h/{# a #}{% raw %}{{ x }}{% endraw %}?b=1", []),
        ("jinja", "https://h/{{\n a\n}}", []),
    ],
)
def test_what_must_not_be_in_a_link(syntax: str, url: str, expected: list[str]) -> None:
    assert codes(url, syntax) == expected
    assert set(expected) <= set(LINK_PROBLEMS)
    if expected:
        with pytest.raises(InvalidValue):
            split(url, by_name(syntax)).expand(["x"])


def test_problems_say_where() -> None:
    assert [(problem.code, problem.offset) for problem in split("https://{{ a }}/{% b %}", JINJA).problems] == [
        ("personalized-host", 8),
        ("control-tag", 16),
    ]


def test_comments_and_verbatim_marks_leave_no_gap() -> None:
    link = split("https://h/{# a #}b{% raw %}{{ c }}{% endraw %}?d={{ e }}", JINJA)
    assert link.pieces == ("https://h/b{{ c }}?d=", "")


def test_entities_are_resolved_in_the_pieces_alone() -> None:
    link = split("https://h/?a=&#123;{ b }}&amp;c={{ '&amp;' }}&amp;d=1", JINJA, decode=html.unescape)
    assert link.pieces == ("https://h/?a={{ b }}&c=", "&d=1")
    assert [one.name for one in link.placeholders] == ["'&amp;'"]


class _Odd:
    name = "odd"
    marks = ()

    def __init__(self, *tags: Tag) -> None:
        self._tags = tags

    def tags(self, source: str) -> Iterator[Tag]:
        return iter(self._tags)

    def slot(self, name: str, *, safe: bool = True) -> str:
        return name


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 2), (0, 99), (-1, 2)])
def test_what_a_syntax_of_ones_own_gives_is_looked_at(start: int, end: int) -> None:
    with pytest.raises(InvalidOption, match="odd"):
        split("https://h/", _Odd(Tag(start=start, end=end, kind=TagKind.VALUE)))
    with pytest.raises(InvalidOption, match="odd"):
        split("https://h/", _Odd(*[Tag(start=0, end=2, kind=TagKind.VALUE)] * 2))


@pytest.mark.parametrize(
    ("url", "offset"),
    [
        ("https://h/?id=1", 11),
        ("https://h/?a={{ x }}&id={{ y }}", 14),
        ("https://h/?a=1&%69d=2", 15),
        ("https://h/?id", 11),
        ("https://h/?i{{ x }}=1", 11),
        ("https://h/?{{ x }}", 11),
        ("https://h/?a=1&id=2#id=3", 15),
    ],
)
def test_a_parameter_called_id_is_found(url: str, offset: int) -> None:
    problem = reserved_parameter(split(url, JINJA))
    assert problem is not None
    assert (problem.code, problem.offset) == ("reserved-parameter", offset)


@pytest.mark.parametrize(
    "url", ["https://h/id=1", "https://h/?ID=1&uid=2&a=id&id2=3&{{ x }}z=1#?id=1", "https://h/#?id=1", "https://h/"]
)
def test_other_parameters_are_not(url: str) -> None:
    assert reserved_parameter(split(url, JINJA)) is None
    assert reserved_parameter(split("https://h/?uid=1", JINJA), "uid") is not None


@given(values=st.lists(NASTY, min_size=4, max_size=4))
@pytest.mark.parametrize("name", TAGS)
def test_whatever_the_values_the_link_keeps_its_shape(name: str, values: list[str]) -> None:
    tag = TAGS[name]
    url = f"https://u@shop.example:8443/a/{tag}x/b?q={tag}&r=1&s=y{tag}&t=#f{tag}"
    link = split(url, by_name(name))
    parts = urlsplit(link.expand(values))
    assert (parts.scheme, parts.netloc, parts.hostname, parts.port) == (
        "https",
        "u@shop.example:8443",
        "shop.example",
        8443,
    )
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "a", values[0] + "x", "b"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [
        ("q", values[1]),
        ("r", "1"),
        ("s", "y" + values[2]),
        ("t", ""),
    ]
    assert unquote(parts.fragment) == "f" + values[3]
    assert link.expand(values).isascii()
    assert not set(link.expand(values)) & set(" \"'<>\\\r\n\t`")


@given(
    pieces=st.lists(st.text("./?#ab", max_size=4), min_size=1, max_size=3),
    values=st.lists(st.sampled_from([".", "..", "a", "", "/"]), min_size=3),
)
def test_no_values_make_a_step_of_a_segment(pieces: list[str], values: list[str]) -> None:
    whole = ["https://h/" + pieces[0], *pieces[1:]]
    chosen = values[: len(whole) - 1]
    without = "".join(piece + gap for piece, gap in zip(whole, ["*" * 3] * len(chosen) + [""], strict=True))
    try:
        expanded = expand(whole, chosen)
    except InvalidValue:
        # An empty value can lay bare what the author wrote around it.
        assert {".", "..", ""} & set(chosen)
        return

    def steps(url: str) -> int:
        return sum(segment in (".", "..") for segment in urlsplit(url).path.split("/"))

    if "?" not in expanded and "#" not in expanded:
        # The author's own steps are the author's.
        assert steps(expanded) == steps(without)


@pytest.mark.parametrize(
    ("pieces", "values"),
    [
        (("https://h/a/", "/b"), [".."]),
        (("https://h/a/", ""), ["."]),
        (("https://h/a/", "?b"), [".."]),
        (("https://h/a/.", "/b"), ["."]),
        (("https://h/a/%2e", "/b"), ["."]),
        (("https://h/a/", "", "/b"), [".", "."]),
        (("https://h/a\\", "\\b"), [".."]),
        (("https://h/a/..", "/b"), [""]),
        (("https://h/", ""), ["a", "b"]),
        (("https://h/",), ["a"]),
        (("https://h/", ""), ["\ud800"]),
    ],
)
def test_what_cannot_be_expanded(pieces: tuple[str, ...], values: list[str]) -> None:
    with pytest.raises(InvalidValue):
        expand(pieces, values)


def test_dots_in_query_and_fragment_are_just_dots() -> None:
    assert expand(("https://h/?a=", "#", ""), ["..", "."]) == "https://h/?a=..#."
    assert expand(("https://h/a", "/b"), [".."]) == "https://h/a../b"
