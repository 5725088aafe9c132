"""Liquid: ``{{ value }}``, ``{% control %}``, ``{% raw %}``, ``{% comment %}``, ``{% # comment %}``, ``{% doc %}``.

A tag ends with the first mark that can end it, in a string or not, and may stand on several lines. Comments nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import canonical, slot_name, strip_filters

__all__ = ["LiquidSyntax"]

_OPEN = re.compile(r"\{[{%]")
_HEAD = re.compile(r"\{%-?\s*(#|\w+)")
_BLOCKS = {
    "raw": (re.compile(r"\{%-?\s*raw\s*-?%\}"), re.compile(r"\{%-?\s*endraw\s*-?%\}")),
    "doc": (re.compile(r"\{%-?\s*doc\s*-?%\}"), re.compile(r"\{%-?\s*enddoc\s*-?%\}")),
}
_ENCODERS = frozenset({"url_encode", "url_escape", "url_param_escape", "cgi_escape", "uri_escape"})
_ESCAPERS = frozenset({"escape", "escape_once", "h", "safe"})


class LiquidSyntax:
    """``liquid``: Liquid as shops and mailers know it."""

    name = "liquid"
    marks: tuple[str, ...] = ("{{", "{%")

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        depth = 0
        outer = 0, 0
        for tag in _flat(source):
            if tag.kind is TagKind.CONTROL and tag.name == "comment":
                if not depth:
                    outer = tag.start, tag.end
                depth += 1
            elif not depth:
                yield tag
                if tag.kind is TagKind.BROKEN and tag.name != "output":
                    return
            elif tag.kind is TagKind.CONTROL and tag.name == "endcomment":
                depth -= 1
                if not depth:
                    yield Tag(start=outer[0], end=tag.end, kind=TagKind.COMMENT)
        if depth:
            yield Tag(start=outer[0], end=outer[1], kind=TagKind.BROKEN, expression="comment", name="comment")

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`. Liquid escapes nothing unless told to; ``safe`` is a filter of those that do."""
        return f"{{{{ {slot_name(name)}{'' if safe else ' | safe'} }}}}"


def _flat(source: str) -> Iterator[Tag]:
    """Every tag, those in comments too. In a comment broken tags are text, so it goes on after them."""
    exhausted: set[str] = set()
    pos = 0
    while (opened := _OPEN.search(source, pos)) is not None:
        start = opened.start()
        if opened[0] == "{{":
            end = -1 if "}}" in exhausted else source.find("}}", start + 2)
            if end >= 0:
                pos = end + 2
                yield _value(start, pos, canonical(_inside(source, start + 2, end), escapes=False))
                continue
            exhausted.add("}}")
        elif (head := _HEAD.match(source, start)) is not None:
            found = _block(source, start, head[1], exhausted)
            if found:
                yield from found
                pos = found[-1].end
                continue
            end = -1 if "%}" in exhausted else source.find("%}", head.end())
            if end >= 0:
                pos = end + 2
                yield _control(source, start, pos, head)
                continue
            exhausted.add("%}")
        pos = start + 1
        # "{{%" is a brace and a tag, where no "}}" follows.
        if not _OPEN.match(source, pos):
            yield Tag(start=start, end=start + 2, kind=TagKind.BROKEN)


def _inside(source: str, start: int, end: int) -> str:
    """What stands between the marks, without the dashes that take white space away."""
    start += source.startswith("-", start)
    return source[start : max(start, end - source.startswith("-", end - 1))]


def _value(start: int, end: int, expression: str) -> Tag:
    if not expression:
        return Tag(start=start, end=end, kind=TagKind.BROKEN, name="output")
    name, encoded = strip_filters(expression, encoders=_ENCODERS, escapers=_ESCAPERS, operators=" ", escapes=False)
    return Tag(start=start, end=end, kind=TagKind.VALUE, expression=expression, name=name, encoded=encoded)


def _control(source: str, start: int, end: int, head: re.Match[str]) -> Tag:
    name = head[1]
    if name == "#":
        return Tag(start=start, end=end, kind=TagKind.COMMENT)
    expression = canonical(_inside(source, start + 2, end - 2), escapes=False)
    kind = TagKind.BROKEN if name == "raw" else TagKind.CONTROL
    return Tag(start=start, end=end, kind=kind, expression=expression, name=name)


def _block(source: str, start: int, name: str, exhausted: set[str]) -> list[Tag]:
    """The tags of a raw or doc block that begins here and has an end."""
    if name not in _BLOCKS or name in exhausted:
        return []
    opening, closing = _BLOCKS[name]
    opened = opening.match(source, start)
    if opened is None:
        return []
    closed = closing.search(source, opened.end())
    if closed is None:
        exhausted.add(name)
        return []
    if name == "doc":
        return [Tag(start=start, end=closed.end(), kind=TagKind.COMMENT)]
    return [
        Tag(start=start, end=opened.end(), kind=TagKind.VERBATIM, expression=name, name=name),
        Tag(start=closed.start(), end=closed.end(), kind=TagKind.VERBATIM, expression="endraw", name="endraw"),
    ]
