"""Our tags against the engines' own lexers, wherever an engine accepts the text at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from msgtrack.links.syntaxes import Tag, TagKind, by_name

PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{%-", "-%}", "+%}", "{{ ", " }}", "{% ", " %}", "raw", "endraw", "verbatim",
    "endverbatim", "comment", "endcomment", "doc", "enddoc", "{% raw %}", "{% endraw %}", "{% comment %}", "{% endcomment %}",
    "{% verbatim %}", "{% endverbatim %}", "a", "a.b", "|", "f(", ")", "[", "]", "{", "}", '"', "'", "\\", "-", "+", " ", "\n", "x=1",
    "{{ a }}", "{% if a %}", "<a href='", "é",
]  # fmt: skip
TEMPLATES = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def _ours(name: str, source: str) -> list[Tag]:
    return list(by_name(name).tags(source))


def _jinja_tags(source: str) -> list[tuple[str, str]] | None:
    """Kind and text of each tag as Jinja lexes them; None when it refuses the template."""
    jinja2 = pytest.importorskip("jinja2")
    found: list[tuple[str, str]] = []
    open_kind = ""
    text = ""
    try:
        for _, token, value in jinja2.Environment(keep_trailing_newline=True).lex(source):
            if token in ("variable_begin", "block_begin", "comment_begin"):
                open_kind, text = token[:-6], value
            elif token in ("variable_end", "block_end", "comment_end"):
                found.append((open_kind, text + value.rstrip()))
                open_kind = ""
            elif token in ("raw_begin", "raw_end"):
                found.append(("raw", value.strip()))
            elif open_kind:
                text += value
    except jinja2.TemplateSyntaxError:
        return None
    # The lexer gives what there is of a tag without an end, and a raw block at the very end.
    is_open = open_kind or sum(kind == "raw" for kind, _ in found) % 2
    return None if is_open else found


_EMPTY = re.compile(r"\{\{[-+]?\s*-?\}\}|\{%[-+]?\s*[-+]?%\}")


@given(TEMPLATES)
@settings(max_examples=400)
def test_jinja_reads_the_same_tags(source: str) -> None:
    expected = _jinja_tags(source)
    kinds = {"value": "variable", "control": "block", "comment": "comment", "verbatim": "raw", "broken": "broken"}
    ours = [(kinds[tag.kind], source[tag.start : tag.end]) for tag in _ours("jinja", source)]
    if expected is None:
        return
    # An empty tag passes Jinja's lexer and fails in its parser.
    assert ours == [("broken" if _EMPTY.fullmatch(text) else kind, text) for kind, text in expected]


@given(TEMPLATES)
@settings(max_examples=400)
def test_what_jinja_cannot_lex_ends_with_a_broken_tag(source: str) -> None:
    """The other way round: where there is no broken tag, only a single character can displease Jinja."""
    jinja2 = pytest.importorskip("jinja2")
    assume(not any(tag.kind is TagKind.BROKEN for tag in _ours("jinja", source)))
    try:
        list(jinja2.Environment().lex(source))
    except jinja2.TemplateSyntaxError as error:
        said = str(error)
    else:
        return
    assert "unexpected char" in said


def _django_setup() -> Any:
    base = pytest.importorskip("django.template.base")
    engine = pytest.importorskip("django.template.engine")
    return base, engine.Engine()


@given(TEMPLATES)
@settings(max_examples=400)
def test_django_reads_the_same_tags(source: str) -> None:
    base, _ = _django_setup()
    kinds = {base.TokenType.VAR: "value", base.TokenType.BLOCK: "block", base.TokenType.COMMENT: "comment"}
    tokens = [
        (kinds[token.token_type], token.position, token.contents)
        for token in base.DebugLexer(source).tokenize()
        if token.token_type is not base.TokenType.TEXT
    ]
    # The lexer leaves comments to the parser: what stands between is dropped.
    expected: list[tuple[str, tuple[int, int]]] = []
    opened: tuple[int, int] | None = None
    verbatim = ""
    for kind, position, contents in tokens:
        if opened is not None:
            if kind == "block" and contents == "endcomment":
                expected.append(("comment", (opened[0], position[1])))
                opened = None
        elif verbatim:
            expected.append(("verbatim", position))
            verbatim = ""
        elif kind == "block" and contents[:9] in ("verbatim", "verbatim "):
            verbatim = contents
            expected.append(("verbatim", position))
        elif kind == "block" and contents.split()[:1] == ["comment"]:
            opened = position
        else:
            expected.append(
                (("control" if kind == "block" else kind) if contents or kind == "comment" else "broken", position)
            )
    ours = [(tag.kind.value, (tag.start, tag.end)) for tag in _ours("django", source)]
    if opened is not None or verbatim:
        # The parser refuses what is never closed.
        assert ours[-1][0] == "broken"
        ours.pop()
        if verbatim:
            expected.pop()
    assert ours == expected


@given(TEMPLATES)
@settings(max_examples=400)
def test_liquid_reads_the_same_tags(source: str) -> None:
    lex = pytest.importorskip("liquid.lex")
    exceptions = pytest.importorskip("liquid.exceptions")
    ours = _ours("liquid", source)
    try:
        tokens = list(lex.get_lexer()(source))
    except exceptions.LiquidSyntaxError:
        assert any(tag.kind is TagKind.BROKEN for tag in ours)
        return
    outputs = [token.start_index for token in tokens if token.kind == "output"]
    names = [token.value for token in tokens if token.kind == "tag"]
    values = [
        tag.start for tag in ours if tag.kind is TagKind.VALUE or (tag.kind is TagKind.BROKEN and tag.name == "output")
    ]
    refused = [tag for tag in ours if tag.kind is TagKind.BROKEN and tag.name != "output"]
    if refused:
        # A comment or a raw block without an end, which the lexer leaves to the parser.
        assert refused[-1].name in ("comment", "raw")
        assert values == outputs[: len(values)]
        return
    assert values == outputs
    # The lexer gives the tags around a comment and those of inline comments; raw blocks are text to it.
    controls: list[str] = []
    is_open = False
    for name in names:
        if name == "endcomment" and is_open:
            is_open = False
        elif name == "comment":
            is_open = True
        elif name != "#":
            controls.append(name)
    assert [tag.name for tag in ours if tag.kind is TagKind.CONTROL] == controls


CONTEXT: Mapping[str, str] = {"a": "<A>", "b": "B&B"}
_WORDS = [
    "{{a}}", "{{ b }}", "{{{a}}}", "{{&b}}", "a{{! c {{ }}b", "a{{!x}}b", "text ", "\n", "}", "} }", "<p>", "{ {", "%7B", "{{ [a] }}",
]  # fmt: skip


def _rendered_by_us(source: str, escape: Callable[[str], str]) -> str:
    pieces, pos = [], 0
    for tag in by_name("handlebars").tags(source):
        pieces.append(source[pos : tag.start])
        pos = tag.end
        if tag.kind is TagKind.VALUE:
            is_raw = source.startswith(("{{{", "{{&"), tag.start)
            value = CONTEXT[tag.name.strip("[]")]
            pieces.append(value if is_raw else escape(value))
    return "".join([*pieces, source[pos:]])


@given(st.lists(st.sampled_from(_WORDS), max_size=6).map("".join))
@settings(max_examples=40, deadline=None)
def test_handlebars_writes_values_where_we_find_them(source: str) -> None:
    pybars = pytest.importorskip("pybars")
    escape = pytest.importorskip("pybars._compiler").escape
    assume("{{{{" not in source)
    try:
        rendered = str(pybars.Compiler().compile(source)(CONTEXT))
    except pybars.PybarsError:
        assert any(tag.kind is TagKind.BROKEN for tag in _ours("handlebars", source))
        return
    assert rendered == _rendered_by_us(source, escape)


@given(
    st.lists(st.sampled_from([word for word in _WORDS if "[" not in word and "{ {" not in word]), max_size=8).map(
        "".join
    )
)
@settings(max_examples=100, deadline=None)
def test_mustache_writes_values_where_we_find_them(source: str) -> None:
    chevron = pytest.importorskip("chevron")
    escape = pytest.importorskip("chevron.renderer")._html_escape
    assume("!" not in source)  # A comment alone on its line takes the line with it.
    assert chevron.render(source, dict(CONTEXT)) == _rendered_by_us(source, escape)


SLOT_VALUE = "https://t.example.com/ab2.c-d/x_~9:%20"


@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("safe", [True, False])
def test_a_slot_writes_the_very_characters_autoescaped_or_not(autoescape: bool, safe: bool) -> None:
    value = SLOT_VALUE if safe else "https://t.example.com/r/?id=h1,2,3&s=a'b\"<c>"
    around = '<a href="{}">x</a>'
    for name, render in _renderers(autoescape).items():
        slot = by_name(name).slot("msgtrack_1", safe=safe)
        assert render(around.format(slot), value) == around.format(value), name


def _renderers(autoescape: bool) -> dict[str, Callable[[str, str], str]]:
    jinja2 = pytest.importorskip("jinja2")
    liquid = pytest.importorskip("liquid")
    pybars = pytest.importorskip("pybars")
    base, engine = _django_setup()
    context = pytest.importorskip("django.template.context").Context

    def with_django(source: str, value: str) -> str:
        template = base.Template(source, engine=engine)
        return str(template.render(context({"msgtrack_1": value}, autoescape=autoescape)))

    return {
        "jinja": lambda source, value: str(
            jinja2.Environment(autoescape=autoescape).from_string(source).render(msgtrack_1=value)
        ),
        "django": with_django,
        "liquid": lambda source, value: str(
            liquid.Environment(autoescape=autoescape).from_string(source).render(msgtrack_1=value)
        ),
        "handlebars": lambda source, value: str(pybars.Compiler().compile(source)({"msgtrack_1": value})),
    }
