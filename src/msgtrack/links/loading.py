"""Where an HTML document names what its client loads by itself: images, style sheets, frames. With them come the ``href``
of MJML's elements, which become links only later.

None of these addresses is tracked. The audit looks at them, because a host that a value decides is as unwelcome there as
in a link.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgtrack.links.tags import (
    COMMENT_END,
    CONDITIONAL,
    RAW_TEXT,
    TAG_NAME,
    lower,
    raw_text_end,
    read_attributes,
    read_tag,
)
from msgtrack.links.templates import masked

__all__ = ["LoadedAddress", "loaded_addresses"]

# The elements on which an attribute loads something; None is every element.
_LOADING: dict[str, frozenset[str] | None] = {
    "src": None,
    "srcset": None,
    "background": None,
    "poster": None,
    "style": None,
    "data": frozenset(("object",)),
    "href": frozenset(("link", "image", "use")),
    "xlink:href": frozenset(("image", "use")),
}
# MJML's own elements become links when it makes HTML of them.
_MJML = "mj-"
# "url, url 2x": addresses hold no white space, a descriptor no comma.
_CANDIDATE = re.compile(r"([^\s,](?:\S*[^\s,])?)[^,]*")
_STYLE_URL = re.compile(r"[uU][rR][lL]\(\s*(?:&quot;|&#3[49];|&apos;|[\"'])?([^\"'&)\s][^\"')]*)")

_SEVERAL = {"srcset": _CANDIDATE, "style": _STYLE_URL}


class LoadedAddress(NamedTuple):
    """An address as written: the attribute that holds it, its source, and where that begins."""

    attribute: str
    raw: str
    start: int


def loaded_addresses(html: str, spans: Sequence[tuple[int, int]]) -> Iterator[LoadedAddress]:
    """The addresses that a client loads, of those elements that hold a template tag. Time is linear, for any text.

    Args:
        html: the document.
        spans: the template tags of its syntax, in order.
    """
    plain, lettered = masked(html, spans), _lettered(html, spans)
    pos, end = 0, len(plain)
    starts = [start for start, _ in spans]
    while (pos := plain.find("<", pos)) >= 0:
        name = TAG_NAME.match(plain, pos)
        if name is None:
            pos = _behind_declaration(plain, pos)
            if pos < 0:
                return
            continue
        tag = read_tag(plain, name.end(), end)
        if tag is None:
            return
        element = lower(name[1])
        is_start = plain[pos + 1] != "/"
        # Most elements hold none.
        if is_start and bisect_left(starts, name.end()) < bisect_left(starts, tag.end):
            for attribute, first, last in _of_tag(plain, lettered, element, name.end(), tag.end):
                yield LoadedAddress(attribute, html[first:last], first)
        pos = raw_text_end(element, plain, tag.end, end) if is_start and element in RAW_TEXT else tag.end
        if pos < 0:
            return


def _behind_declaration(html: str, pos: int) -> int:
    """Behind what begins with "<" and is no tag, into a conditional comment; -1 where it never ends."""
    if not html.startswith("<!--", pos):
        return html.find(">", pos) + 1 or -1 if html.startswith(("<!", "<?", "</"), pos) else pos + 1
    opener = CONDITIONAL.match(html, pos)
    if opener is not None:
        return opener.end()
    if html.startswith((">", "->"), pos + 4):
        return html.index(">", pos) + 1
    closing = COMMENT_END.search(html, pos + 4)
    return -1 if closing is None else closing.end()


def _of_tag(plain: str, lettered: str, element: str, pos: int, end: int) -> Iterator[tuple[str, int, int]]:
    seen: set[str] = set()
    for attribute in read_attributes(plain, pos, end):
        name = attribute.name
        elements = _LOADING.get(name, frozenset[str]())
        is_button = name == "href" and element.startswith(_MJML)
        if name in seen or not (elements is None or element in elements or is_button):
            continue
        seen.add(name)
        tag = read_tag(plain, pos, end, name)
        if tag is None or tag.value is None:
            continue
        start, stop, _ = tag.value
        if name in _SEVERAL:
            yield from ((name, *found.span(1)) for found in _SEVERAL[name].finditer(lettered, start, stop))
        else:
            yield name, start, stop


def _lettered(html: str, spans: Sequence[tuple[int, int]]) -> str:
    """The document with letters for template tags, so that nothing in them parts addresses."""
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += (html[done:start], "x" * (end - start))
        done = end
    return "".join([*pieces, html[done:]])
