"""Jinja: ``{{ value }}``, ``{% control %}``, ``{# comment #}``, ``{% raw %}``; read as Jinja's own lexer does.

Strings and brackets in a tag may hold the marks that would end it. Where Jinja would refuse the template, the last tag
is a broken one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import canonical, first_word, slot_name, strip_filters

__all__ = ["JinjaSyntax"]

_OPEN = re.compile(r"\{(?:[{%]|#[-+]?)")
_SIGN = re.compile(r"[-+]?")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*-?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"' + r"|'[^'\\]*(?:\\.[^'\\]*)*'"
_INNER = {
    "{{": re.compile(rf"(?P<end>-?\}}\}})|(?P<string>{_STRING})|[()\[\]{{}}\"']", re.DOTALL),
    "{%": re.compile(rf"(?P<end>[-+]?%\}})|(?P<string>{_STRING})|[()\[\]{{}}\"']", re.DOTALL),
}
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_ENCODERS = frozenset({"urlencode"})
_ESCAPERS = frozenset({"e", "escape", "forceescape", "safe"})


class JinjaSyntax:
    """``jinja``: for Jinja2 and what is written like it, with the usual marks."""

    name = "jinja"
    marks: tuple[str, ...] = ("{{", "{%", "{#")

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        pos = 0
        while (opened := _OPEN.search(source, pos)) is not None:
            start = opened.start()
            mark = source[start : start + 2]
            if mark == "{#":
                end = source.find("#}", opened.end())
                if end < 0:
                    yield Tag(start=start, end=start + 2, kind=TagKind.BROKEN)
                    return
                pos = end + 2
                yield Tag(start=start, end=pos, kind=TagKind.COMMENT)
                continue
            if mark == "{%" and (raw := _RAW.match(source, start)) is not None:
                closed = _END_RAW.search(source, raw.end())
                if closed is None:
                    yield Tag(start=start, end=raw.end(), kind=TagKind.BROKEN, expression="raw", name="raw")
                    return
                yield Tag(start=start, end=raw.end(), kind=TagKind.VERBATIM, expression="raw", name="raw")
                pos = closed.end()
                yield Tag(start=closed.start(), end=pos, kind=TagKind.VERBATIM, expression="endraw", name="endraw")
                continue
            signed = _SIGN.match(source, start + 2)
            inside = start + 2 if signed is None else signed.end()
            span = _end(source, inside, _INNER[mark])
            if span is None:
                yield Tag(start=start, end=start + 2, kind=TagKind.BROKEN)
                return
            pos = span[1]
            yield _tag(mark, start, pos, canonical(source[inside : span[0]]))

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`."""
        return f"{{{{ {slot_name(name)}{'' if safe else '|safe'} }}}}"


def _tag(mark: str, start: int, end: int, expression: str) -> Tag:
    if not expression:
        return Tag(start=start, end=end, kind=TagKind.BROKEN)
    if mark == "{%":
        return Tag(start=start, end=end, kind=TagKind.CONTROL, expression=expression, name=first_word(expression))
    # Every operator binds less than a filter does, and so do the words: `a if b else c|urlencode` encodes c alone.
    name, encoded = strip_filters(expression, encoders=_ENCODERS, escapers=_ESCAPERS, operators=" ~+-*/%<>=!,")
    return Tag(start=start, end=end, kind=TagKind.VALUE, expression=expression, name=name, encoded=encoded)


def _end(source: str, pos: int, inner: re.Pattern[str]) -> tuple[int, int] | None:
    """Where the mark that ends a tag begins and ends; None when Jinja would find none, or a bracket amiss."""
    brackets: list[str] = []
    while (found := inner.search(source, pos)) is not None:
        pos = found.end()
        if found["string"] is not None:
            continue
        if found["end"] is not None:
            if not brackets:
                return found.span()
            # Inside brackets the mark is but two operators.
            pos = found.start() + 1
            if source[found.start()] != "}":
                continue
        sign = source[pos - 1]
        if sign in _CLOSER_OF:
            brackets.append(_CLOSER_OF[sign])
        elif not brackets or brackets.pop() != sign:
            return None
    return None
