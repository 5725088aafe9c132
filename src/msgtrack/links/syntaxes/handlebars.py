r"""Handlebars and Mustache: ``{{value}}``, ``{{{value}}}``, ``{{&value}}``, ``{{#control}}``, ``{{! comment }}``.

Read as the lexer of Handlebars does: strings and ``[segments]`` in a tag may hold the marks that would end it,
``\{{`` is text, ``{{!-- --}}`` may hold tags, and ``{{{{raw}}}}`` is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import canonical, first_word, slot_name, strip_parentheses

__all__ = ["HandlebarsSyntax"]

_COMMENT_END = {"!--": re.compile(r"--~?\}\}"), "!": re.compile(r"\}\}")}
_INNER = (
    r'"[^"\\]*+(?:\\"?+[^"\\]*+)*"' + r"|'[^'\\]*+(?:\\'?+[^'\\]*+)*'" + r"|\[[^\]\\]*+(?:\\\]?+[^\]\\]*+)*\]|[\"'\[{}]"
)
_END = {
    "{{": re.compile(rf"(?P<end>~?\}}\}})|{_INNER}"),
    "{{{": re.compile(rf"(?P<end>\}}~?\}}\}})|{_INNER}"),
    "{{{{": re.compile(rf"(?P<end>\}}\}}\}}\}})|{_INNER}"),
}
_HEAD = re.compile(r"\{\{(?:(?P<raw>\{\{)|~?(?P<sign>!--|[!#^/>*=&{])?)")
_RAW_MARK = re.compile(r"\{\{\{\{(?:/([^\s}]*)\}\}\}\})?")
_ELSE = re.compile(r"else(?![^\s~}])")
_CALL = re.compile(r"([A-Za-z_][\w.-]*) (\([^\s].*\)|[^\s=()]+)", re.DOTALL)
# No path, string, number or call begins so.
_NO_BEGINNING = frozenset("*!#%&)+,/;<=>\\]^`|~")
_ENCODERS = frozenset(
    {
        *("encodeURIComponent", "encodeURI", "encodeUri", "encodeUrl", "encodeURL", "escapeUrl"),
        *("uriEncode", "urlEncode", "urlencode", "url_encode"),
    }
)


class HandlebarsSyntax:
    """``handlebars``: Handlebars, and Mustache with its usual marks."""

    name = "handlebars"
    marks: tuple[str, ...] = ("{{",)

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        pos = 0
        while (start := source.find("{{", pos)) >= 0:
            if source.endswith("\\", pos, start) and not source.endswith("\\\\", pos, start):
                pos = start + 2
                continue
            head = _HEAD.match(source, start)
            if head is None:
                return
            tags = _raw_block(source, start) if head["raw"] else (_tag(source, start, head),)
            yield from tags
            if tags[-1].kind is TagKind.BROKEN and not tags[-1].name:
                return
            pos = tags[-1].end

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`. In loops and partials names belong to the item; the root is the same everywhere."""
        path = f"@root.{slot_name(name)}"
        return f"{{{{{path}}}}}" if safe else f"{{{{{{{path}}}}}}}"


def _tag(source: str, start: int, head: re.Match[str]) -> Tag:
    sign = head["sign"] or ""
    if sign.startswith("!"):
        # The dashes of `{{!--}}` are those of its end too.
        ending = _COMMENT_END[sign].search(source, head.start("sign") + 1)
        if ending is None:
            return Tag(start=start, end=start + 2, kind=TagKind.BROKEN)
        return Tag(start=start, end=ending.end(), kind=TagKind.COMMENT)
    closed = _closed(source, head.end(), "{{{" if sign == "{" else "{{")
    if closed is None:
        return Tag(start=start, end=start + 2, kind=TagKind.BROKEN)
    expression = canonical(source[head.end() : closed[0]], spaced=True)
    end = closed[1]
    if sign == "=":
        # Mustache's way to change the marks, which would make every tag behind it another one.
        return Tag(start=start, end=end, kind=TagKind.UNSUPPORTED, expression=expression, name="=")
    if sign not in ("", "&", "{"):
        word = first_word(expression)
        return Tag(start=start, end=end, kind=TagKind.CONTROL, expression=sign + expression, name=sign + word)
    if not expression or expression == "^" or _ELSE.match(expression):
        kind = TagKind.CONTROL if expression else TagKind.BROKEN
        return Tag(start=start, end=end, kind=kind, expression=expression, name=first_word(expression) or "empty")
    if expression[0] in _NO_BEGINNING:
        return Tag(start=start, end=end, kind=TagKind.BROKEN, expression=expression)
    name, encoded = _without_encoding(expression)
    return Tag(start=start, end=end, kind=TagKind.VALUE, expression=expression, name=name, encoded=encoded)


def _without_encoding(expression: str) -> tuple[str, bool]:
    call = _CALL.fullmatch(expression)
    if call is None or call[1] not in _ENCODERS:
        return expression, False
    inner = strip_parentheses(call[2], levels=1)
    if inner == call[2] and inner.startswith("("):
        return expression, False
    return inner, True


def _closed(source: str, pos: int, mark: str) -> tuple[int, int] | None:
    """Where the end of a tag begins and ends, strings and segments passed over; None where there is none."""
    for found in _END[mark].finditer(source, pos):
        if found["end"] is not None:
            return found.span()
        if len(found[0]) == 1:
            return None
    return None


def _raw_block(source: str, start: int) -> tuple[Tag, ...]:
    """The first and the last tag of a raw block; raw blocks may stand in it."""
    broken = (Tag(start=start, end=start + 4, kind=TagKind.BROKEN),)
    opened = _closed(source, start + 4, "{{{{")
    if opened is None:
        return broken
    expression = canonical(source[start + 4 : opened[0]], spaced=True)
    depth = 1
    for mark in _RAW_MARK.finditer(source, opened[1]):
        depth += -1 if mark[1] is not None else 1
        if depth == 0:
            if mark[1] != first_word(expression):
                return broken
            return (
                Tag(start=start, end=opened[1], kind=TagKind.VERBATIM, expression=expression, name=mark[1]),
                Tag(
                    start=mark.start(),
                    end=mark.end(),
                    kind=TagKind.VERBATIM,
                    expression=f"/{mark[1]}",
                    name=f"/{mark[1]}",
                ),
            )
    return broken
