"""The tags of each syntax, by example; and what holds for any text in all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption
from msgtrack.links.syntaxes import SYNTAXES, Syntax, Tag, TagKind, by_name, misplaced, syntax_of

MARKS = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{{{",
    "}}}",
    "{{{{",
    "}}}}",
    "<%",
    "<%=",
    "<%@",
    "%>",
    "*|",
    "|*",
    "%",
    "%%",
    "%%=",
    "=%%",
    "raw",
    "endraw",
    "verbatim",
    "endverbatim",
    "comment",
    "endcomment",
    "doc",
    "enddoc",
    "else",
    "user.name",
    "|urlencode",
    "|",
    "escapeUrl(",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "-",
    "+",
    "~",
    "!",
    "!--",
    "--",
    "#",
    "/",
    "&",
    ">",
    "^",
    "=",
    " ",
    "\n",
    "\r",
    "C3",
    "A9",
    "NAME",
    "IF:",
    "é",
    "\0",
]
TEXTS = st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=3)), max_size=30).map("".join)


def found(name: str, source: str) -> list[tuple[str, str, str]]:
    """Kind, text and name of every tag."""
    return [(tag.kind.value, source[tag.start : tag.end], tag.name) for tag in by_name(name).tags(source)]


@pytest.mark.parametrize(
    ("syntax", "tag", "name", "encoded"),
    [
        ("jinja", "{{ user.name }}", "user.name", False),
        ("jinja", "{{-user.name-}}", "user.name", False),
        ("jinja", "{{ user.name|upper }}", "user.name|upper", False),
        ("jinja", "{{ user.name  |  upper }}", "user.name|upper", False),
        ("jinja", "{{ user.name|urlencode }}", "user.name", True),
        ("jinja", "{{ user.name | urlencode() }}", "user.name", True),
        ("jinja", "{{ user.name|upper|urlencode|e }}", "user.name|upper", True),
        ("jinja", "{{ user.name|e }}", "user.name", False),
        ("jinja", "{{ user.name|urlencode|urlencode }}", "user.name|urlencode", True),
        ("jinja", "{{ user.name|urlencode|upper }}", "user.name|urlencode|upper", False),
        ("jinja", "{{ (a ~ b)|urlencode }}", "a~b", True),
        ("jinja", "{{ a ~ b|urlencode }}", "a~b|urlencode", False),
        ("jinja", "{{ a if b else c|urlencode }}", "a if b else c|urlencode", False),
        ("jinja", "{{ f('a | urlencode', \"}}\") }}", "f('a | urlencode',\"}}\")", False),
        ("jinja", "{{ {'a': {}} }}", "{'a':{}}", False),
        ("django", '{{ user.name|urlencode:"" }}', "user.name", True),
        ("django", "{{ user.name|default:'a  b'|urlencode }}", "user.name|default:'a  b'", True),
        ("django", "{{ user.name|force_escape }}", "user.name", False),
        ("liquid", "{{- user.first-name | url_encode -}}", "user.first-name", True),
        (
            "liquid",
            "{{ user.name | default: 'a | b', allow_false: true | url_param_escape }}",
            "user.name|default:'a | b',allow_false:true",
            True,
        ),
        ("liquid", "{{ user.name\n | upcase }}", "user.name|upcase", False),
        ("handlebars", "{{user.name}}", "user.name", False),
        ("handlebars", "{{~ user.name ~}}", "user.name", False),
        ("handlebars", "{{{user.name}}}", "user.name", False),
        ("handlebars", "{{&user.name}}", "user.name", False),
        ("handlebars", "{{encodeURIComponent user.name}}", "user.name", True),
        ("handlebars", "{{{encodeURIComponent (upper  user.name)}}}", "upper user.name", True),
        ("handlebars", "{{encodeURIComponent (f x) (g y)}}", "encodeURIComponent (f x) (g y)", False),
        ("handlebars", '{{upper user.name sep = "}}"}}', 'upper user.name sep="}}"', False),
        ("handlebars", "{{ [first }} name] }}", "[first }} name]", False),
        ("handlebars", "{{elsewhere}}", "elsewhere", False),
        ("campaign", "<%= recipient.lastName %>", "recipient.lastName", False),
        ("campaign", "<%=escapeUrl(recipient.lastName)%>", "recipient.lastName", True),
        ("campaign", "<%= escapeUrl( recipient.lastName ) %>", "recipient.lastName", True),
        ("campaign", "<%= escapeUrl(a) + escapeUrl(b) %>", "escapeUrl(a)+escapeUrl(b)", False),
        ("campaign", "<%= escapeUrl(a, b) %>", "escapeUrl(a,b)", False),
        ("campaign", "<%= escapeUrl(f(a, ')')) %>", "f(a,')')", True),
        ("merge", "*|FNAME|*", "FNAME", False),
        ("merge", "*|UPPER:FNAME|*", "UPPER:FNAME", False),
        ("merge", "*|UNSUB|*", "UNSUB", False),
        ("percent", "%EMAIL%", "EMAIL", False),
        ("percent", "%%EMAIL%%", "EMAIL", False),
        ("percent", "%%First Name%%", "First Name", False),
        ("percent", "%recipient.first_name%", "recipient.first_name", False),
        ("percent", "%ADDRESS%", "ADDRESS", False),
    ],
)
def test_a_value_its_name_and_whether_it_is_encoded(syntax: str, tag: str, name: str, encoded: bool) -> None:
    source = f"before {tag}& after"
    (only,) = by_name(syntax).tags(source)
    assert (only.start, only.end, only.kind) == (7, 7 + len(tag), TagKind.VALUE)
    assert (only.name, only.encoded) == (name, encoded)


@pytest.mark.parametrize(
    ("syntax", "source", "expected"),
    [
        ("jinja", "{% if a %}{%- endif +%}", [("control", "{% if a %}", "if"), ("control", "{%- endif +%}", "endif")]),
        ("jinja", "{# {{ x }} #}{{ y }}", [("comment", "{# {{ x }} #}", ""), ("value", "{{ y }}", "y")]),
        (
            "jinja",
            "{% raw %}{{ x }}{% endraw %}",
            [("verbatim", "{% raw %}", "raw"), ("verbatim", "{% endraw %}", "endraw")],
        ),
        ("jinja", "{% raw %}{{ x }}", [("broken", "{% raw %}", "raw")]),
        ("jinja", "{{ a) }}{{ b }}", [("broken", "{{", "")]),
        ("jinja", "{{ }}{{ b }}", [("broken", "{{ }}", ""), ("value", "{{ b }}", "b")]),
        ("django", '{{ "}}" }}', [("value", '{{ "}}', '"')]),
        ("django", "{{ a\n}}{{ b }}", [("value", "{{ b }}", "b")]),
        ("django", "{{% if %}", [("control", "{% if %}", "if")]),
        ("django", "{% comment %}{{ x }}{% endcomment %}", [("comment", "{% comment %}{{ x }}{% endcomment %}", "")]),
        (
            "django",
            "{% verbatim a %}{{ x }}{% endverbatim %}{% endverbatim a %}",
            [("verbatim", "{% verbatim a %}", "verbatim"), ("verbatim", "{% endverbatim a %}", "endverbatim")],
        ),
        ("liquid", '{{ "}}" }}', [("value", '{{ "}}', '"')]),
        (
            "liquid",
            "{% comment %}{% comment %}{% endcomment %}{{ x }}{% endcomment %}",
            [("comment", "{% comment %}{% comment %}{% endcomment %}{{ x }}{% endcomment %}", "")],
        ),
        (
            "liquid",
            "{% # a %}{% doc %}{{ x }}{% enddoc %}",
            [("comment", "{% # a %}", ""), ("comment", "{% doc %}{{ x }}{% enddoc %}", "")],
        ),
        (
            "liquid",
            "{% raw %}{{ x }}{% endraw %}",
            [("verbatim", "{% raw %}", "raw"), ("verbatim", "{% endraw %}", "endraw")],
        ),
        ("liquid", "{% = %}{{ x }}", [("broken", "{%", "")]),
        ("handlebars", "\\{{x}} \\\\{{y}}", [("value", "{{y}}", "y")]),
        (
            "handlebars",
            "{{!-- {{x}} --}}{{! y }}{{!--}}",
            [("comment", "{{!-- {{x}} --}}", ""), ("comment", "{{! y }}", ""), ("comment", "{{!--}}", "")],
        ),
        (
            "handlebars",
            "{{#if x}}{{else}}{{/if}}{{> foot}}{{^}}",
            [
                ("control", "{{#if x}}", "#if"),
                ("control", "{{else}}", "else"),
                ("control", "{{/if}}", "/if"),
                ("control", "{{> foot}}", ">foot"),
                ("control", "{{^}}", "^"),
            ],
        ),
        (
            "handlebars",
            "{{{{raw}}}}{{x}}{{{{/raw}}}}",
            [("verbatim", "{{{{raw}}}}", "raw"), ("verbatim", "{{{{/raw}}}}", "/raw")],
        ),
        ("handlebars", "{{=<% %>=}}", [("unsupported", "{{=<% %>=}}", "=")]),
        ("handlebars", "{{{x}}{{y", [("broken", "{{", "")]),
        ("handlebars", "{{{&x}}}{{y}}", [("broken", "{{{&x}}}", "")]),
        ("handlebars", "{{ #if x}}", [("broken", "{{ #if x}}", "")]),
        (
            "campaign",
            "<% if (x) { %><%@ include view='a' %>",
            [("control", "<% if (x) { %>", "if"), ("control", "<%@ include view='a' %>", "@include")],
        ),
        ("campaign", "<%= x %><% y", [("value", "<%= x %>", "x"), ("broken", "<%", "")]),
        (
            "merge",
            "*|IF:X > 3|*a*|ELSE:|*b*|END:IF|*",
            [("control", "*|IF:X > 3|*", "IF"), ("control", "*|ELSE:|*", "ELSE"), ("control", "*|END:IF|*", "END")],
        ),
        ("merge", "*| a *|FNAME|* *|b\n|*", [("value", "*|FNAME|*", "FNAME")]),
        ("percent", "%C3%A9t%C3%A9 100% of 50%, %C3%A9clair%, %AB% off, %ADx%20", []),
        ("percent", "%A%%B%", [("value", "%A%", "A"), ("value", "%B%", "B")]),
        (
            "percent",
            "%%=v(@x)=%%%%[ SET @x = 1 ]%%",
            [("unsupported", "%%=v(@x)=%%", "%%="), ("unsupported", "%%[ SET @x = 1 ]%%", "%%[")],
        ),
        ("none", "{{ x }}<%= y %>", []),
    ],
)
def test_other_tags(syntax: str, source: str, expected: list[tuple[str, str, str]]) -> None:
    assert found(syntax, source) == expected


@pytest.mark.parametrize("name", SYNTAXES)
@given(source=TEXTS)
def test_tags_stand_in_order_and_do_not_overlap(name: str, source: str) -> None:
    pos = 0
    pairs = 0
    for tag in by_name(name).tags(source):
        assert pos <= tag.start < tag.end <= len(source)
        assert tag.kind is not TagKind.VALUE or (tag.expression and tag.name)
        pos = tag.end
        pairs += tag.kind is TagKind.VERBATIM
    assert pairs % 2 == 0


@pytest.mark.parametrize("name", [name for name in SYNTAXES if name != "none"])
@given(before=TEXTS, after=TEXTS, slot=st.from_regex(r"msgtrack_[0-9]{1,3}", fullmatch=True))
def test_a_slot_is_a_value_of_its_name_or_known_to_be_misplaced(name: str, before: str, after: str, slot: str) -> None:
    syntax = by_name(name)
    for safe in (True, False):
        written = syntax.slot(slot, safe=safe)
        (alone,) = syntax.tags(written)
        path = f"@root.{slot}" if name == "handlebars" else slot
        assert (alone.kind, alone.name, alone.end) == (TagKind.VALUE, path, len(written))
        span = len(before), len(before) + len(written)
        stands = [tag for tag in syntax.tags(before + written + after) if (tag.start, tag.end) == span]
        is_lost = misplaced(before + written + after, [span], syntax)
        assert (is_lost == ()) == (bool(stands) and stands[0].kind is TagKind.VALUE)


def test_a_slot_that_touches_a_brace_or_stands_in_a_comment_is_misplaced() -> None:
    jinja = by_name("jinja")
    assert misplaced("{# {{ a }} #}{{ a }}{{{ a }}}", [(3, 10), (13, 20), (21, 28)], jinja) == (0, 2)
    assert misplaced("{% raw %}{{ a }}{% endraw %}", [(9, 16)], jinja) == (0,)


@pytest.mark.parametrize("name", ["a b", "", "1a", "a'", "é", "a.b", "a" * 65])
def test_a_slot_has_a_plain_name(name: str) -> None:
    for syntax in SYNTAXES:
        with pytest.raises(InvalidOption):
            by_name(syntax).slot(name)


class _Dollar:
    name = "dollar"
    marks = ("${",)

    def tags(self, source: str) -> Iterator[Tag]:
        yield from ()

    def slot(self, name: str, *, safe: bool = True) -> str:
        return "${" + name + "}"


def test_a_syntax_of_ones_own_passes_and_anything_else_is_refused() -> None:
    own = _Dollar()
    assert syntax_of(own) is own
    assert isinstance(own, Syntax)
    assert syntax_of("liquid") is by_name("liquid")
    for wrong in ("Jinja", "", None, 3, _Dollar, object()):
        with pytest.raises(InvalidOption, match="jinja"):
            syntax_of(wrong)


UNITS = [
    "{{",
    "{%",
    "{#",
    "<%",
    "*|",
    "%%=",
    "%%[",
    "%",
    "%A",
    "%%a ",
    "{{{",
    "{{{{",
    "{{{{a}}}}",
    "\\{{",
    "{{!",
    "{{!--",
    '{{"',
    '{{"\\"',
    "{{[",
    "{{(",
    "{% raw %}",
    "{% comment %}",
    "{% comment %}{{",
    "{% comment %}{%",
    "{% comment %}{% raw %}",
    "{% doc %}",
    "{% verbatim %}",
    "{%-  ",
    "{{ a|b",
    "{{ (",
    "}}",
    "{{ '",
    "{{ a }}",
    "%%=a=%%",
    "*|*",
    "{{{a}}",
    "{{ a",
    "\n{{",
    "{% \\",
    "%C3%A9",
    '{{ "\\\\',
    "{% raw",
    "(",
    '"\\"',
]


def _seconds(syntax: Syntax, source: str) -> float:
    """The shorter of two readings, of processor time: others may be busy on the machine."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        for _tag in syntax.tags(source):
            pass
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("unit", UNITS)
def test_the_time_is_linear_in_the_text(unit: str) -> None:
    """A quadratic reader takes 16 times as long for four times the text."""
    for name in SYNTAXES:
        syntax = by_name(name)
        small, large = (unit * (size // len(unit)) for size in (15_000, 60_000))
        for start, end in (("", ""), ("{{ ", ""), ("{{ ", " }}")):
            seconds = _seconds(syntax, f"{start}{small}{end}")
            assert _seconds(syntax, f"{start}{large}{end}") < 12 * max(seconds, 0.01), (name, unit)


def test_a_million_openers_are_read_like_a_quarter_of_them() -> None:
    for name in SYNTAXES:
        seconds = _seconds(by_name(name), "{{" * 250_000)
        assert _seconds(by_name(name), "{{" * 1_000_000) < 12 * max(seconds, 0.01), name
