"""The visible text of an element: what becomes the label of a link that nobody labelled."""

from __future__ import annotations

from msgtrack.links.entities import decode_attribute, decode_text
from msgtrack.links.tags import COMMENT_END, RAW_TEXT, TAG_NAME, lower, raw_text_end, read_tag

__all__ = ["visible_text"]

_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd label mark nobr q s samp small span strike "
    "strong sub sup tt u var wbr"
)
_INLINE = frozenset(_INLINE_NAMES.split())


def visible_text(html: str, pos: int, limit: int, element: str, *, closed_by_limit: bool, source: str = "") -> str:
    """The text from ``pos``, which is behind a start tag, to the end tag of ``element``.

    Entities are resolved and white space is collapsed. Where no text stands, the ``alt`` texts of images do. Comments
    are left out, conditional ones too. An ``<a>`` also ends where another begins.

    Args:
        html: the document, its template tags masked.
        pos: the offset behind the start tag.
        limit: where to give up looking.
        element: the element's name, in lower case.
        closed_by_limit: whether the element counts as ended at ``limit``; an element that does not end has no text.
        source: the document without the mask, if there is one: template tags belong to the text.
    """
    source = source or html
    texts: list[str] = []
    alternatives: list[str] = []
    while True:
        opened = html.find("<", pos, limit)
        texts.append(source[pos : limit if opened < 0 else opened])
        if opened < 0:
            break
        if element == "a" and html.startswith("</a>", opened):
            return _shown(texts, alternatives)
        name = TAG_NAME.match(html, opened, limit)
        if name is None:
            pos = _behind_oddity(html, opened, limit, texts)
            continue
        tag_name = lower(name[1])
        ends = html[opened + 1] == "/"
        if tag_name == element and (ends or element == "a"):
            return _shown(texts, alternatives)
        tag = read_tag(html, name.end(), limit, "alt" if tag_name == "img" else "")
        if tag is None:
            break
        pos = tag.end
        if tag.value is not None:
            alternatives.append(decode_attribute(source[tag.value[0] : tag.value[1]]))
        if tag_name in RAW_TEXT and not ends:
            pos = raw_text_end(tag_name, html, pos, limit)
            if pos < 0:
                break
        if tag_name not in _INLINE:
            texts.append(" ")
    return _shown(texts, alternatives) if closed_by_limit else ""


def _behind_oddity(html: str, pos: int, limit: int, texts: list[str]) -> int:
    """The offset behind what begins with "<" and is no tag: a comment, a declaration, or a mere character."""
    if html.startswith("<!--", pos):
        if html.startswith((">", "->"), pos + 4):
            return html.index(">", pos) + 1
        end = COMMENT_END.search(html, pos + 4, limit)
        return end.end() if end else limit
    if html.startswith(("<!", "<?", "</"), pos):
        closing = html.find(">", pos, limit)
        return limit if closing < 0 else closing + 1
    texts.append("<")
    return pos + 1


def _shown(texts: list[str], alternatives: list[str]) -> str:
    words = decode_text("".join(texts)).split() or " ".join(alternatives).split()
    return " ".join(words)
