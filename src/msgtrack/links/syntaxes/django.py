"""Django: ``{{ value }}``, ``{% control %}``, ``{# comment #}``, read as Django's own lexer does.

A tag stands on one line and ends with the first mark that can end it, in a string or not. What does not end on its
line is text. ``{% verbatim %}`` and ``{% comment %}`` are known; a comment may be neither nested nor unclosed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import canonical, first_word, slot_name, strip_filters

__all__ = ["DjangoSyntax"]

_OPEN = re.compile(r"\{[{%#]")
_CLOSE = {"{{": "}}", "{%": "%}", "{#": "#}"}
_ENCODERS = frozenset({"urlencode"})
_ESCAPERS = frozenset({"escape", "force_escape", "safe"})


class DjangoSyntax:
    """``django``: Django's template language."""

    name = "django"
    marks: tuple[str, ...] = ("{{", "{%", "{#")

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        spans = _spans(source)
        for start, end in spans:
            content = source[start + 2 : end - 2].strip()
            if source[start + 1] == "#":
                yield Tag(start=start, end=end, kind=TagKind.COMMENT)
            elif source[start + 1] == "{":
                yield _value(start, end, canonical(content))
            elif content[:9] in ("verbatim", "verbatim "):
                closed = _until(source, spans, f"end{content}")
                kind = TagKind.BROKEN if closed is None else TagKind.VERBATIM
                yield Tag(start=start, end=end, kind=kind, expression=content, name="verbatim")
                if closed is None:
                    return
                yield Tag(start=closed[0], end=closed[1], kind=kind, expression=f"end{content}", name="endverbatim")
            elif content.split()[:1] == ["comment"]:
                closed = _until_end_of_comment(source, spans)
                if closed is None:
                    yield Tag(start=start, end=end, kind=TagKind.BROKEN, expression=content, name="comment")
                    return
                yield Tag(start=start, end=closed[1], kind=TagKind.COMMENT)
            else:
                expression = canonical(content)
                kind = TagKind.CONTROL if expression else TagKind.BROKEN
                yield Tag(start=start, end=end, kind=kind, expression=expression, name=first_word(expression))

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`."""
        return f"{{{{ {slot_name(name)}{'' if safe else '|safe'} }}}}"


def _value(start: int, end: int, expression: str) -> Tag:
    if not expression:
        return Tag(start=start, end=end, kind=TagKind.BROKEN)
    name, encoded = strip_filters(expression, encoders=_ENCODERS, escapers=_ESCAPERS, operators=" ")
    return Tag(start=start, end=end, kind=TagKind.VALUE, expression=expression, name=name, encoded=encoded)


def _spans(source: str) -> Iterator[tuple[int, int]]:
    """Where tags of any kind begin and end. What was found ahead is kept, so that no character is looked at twice."""
    ahead = {"}}": -2, "%}": -2, "#}": -2, "\n": -2}
    length = len(source)

    def following(mark: str, pos: int) -> int:
        if ahead[mark] < pos:
            found = source.find(mark, pos)
            ahead[mark] = length if found < 0 else found
        return ahead[mark]

    pos = 0
    while (opened := _OPEN.search(source, pos)) is not None:
        start = opened.start()
        end = following(_CLOSE[opened[0]], start + 2)
        if end == length or following("\n", start) < end:
            pos = start + 1
            continue
        pos = end + 2
        yield start, pos


def _until(source: str, spans: Iterator[tuple[int, int]], content: str) -> tuple[int, int] | None:
    """The next tag that holds exactly this, whatever stands between."""
    for start, end in spans:
        if source[start + 1] == "%" and source[start + 2 : end - 2].strip() == content:
            return start, end
    return None


def _until_end_of_comment(source: str, spans: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
    for start, end in spans:
        if source[start + 1] != "%":
            continue
        content = source[start + 2 : end - 2].strip()
        if content == "endcomment":
            return start, end
        # Django's lexer knows these even in a comment.
        if content[:9] in ("verbatim", "verbatim ") and _until(source, spans, f"end{content}") is None:
            return None
    return None
