"""Where the links of an HTML document stand: a scanner that yields spans of the source and changes nothing.

It reads tags, attributes, comments and raw text as the HTML standard's tokenizer does, so it finds the links that a
browser finds, however they are quoted or broken. Beyond the standard it enters the conditional comments of Outlook,
``<!--[if mso]> … <![endif]-->``, takes the links of VML elements (``v:roundrect``) for links, and reads past the tags
of template languages, whatever quotes and angle brackets they hold. It builds no tree: a link that a browser would drop
because of where it stands (inside ``<select>``, say) is found all the same.

Time is linear in the length of the document, for any text whatever; spans come in order and never overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from attrs import Factory, define, field, frozen

from msgtrack.links.entities import decode_attribute
from msgtrack.links.foreign import ROOTS, ForeignContent
from msgtrack.links.tags import (
    COMMENT_END,
    CONDITIONAL,
    LINK_HINT,
    LINK_TAG,
    RAW_TEXT,
    SPACE,
    STEP,
    TAG_NAME,
    Attribute,
    lower,
    raw_text_end,
    read_attributes,
    read_tag,
)
from msgtrack.links.templates import holds_template_tag, masked
from msgtrack.links.visible import visible_text

__all__ = ["Attribute", "HtmlScan", "LinkSite", "holds_template_tag", "scan_html"]

_LINK_ELEMENTS = frozenset(("a", "area"))
_VML = ("v:", "w:")
_URL_EDGES = "".join(map(chr, range(0x21)))
_BLANK = frozenset(("", *SPACE))
_URL_HOLES = re.compile("[\t\n\r]")
_AMP_NAMES = frozenset(("\u26a14email", "\u26a1\ufe0f4email", "amp4email"))
_AMP_PROLOGUE = re.compile(rf"[\ufeff{SPACE}]*+(?:<!--.*?-->|<(?:!(?!--)|\?)[^>]*+>|(?=<[hH]))", re.DOTALL)


@define(kw_only=True)
class LinkSite:
    """One link of a document.

    ``start`` and ``end`` span what to replace: the value without its quotes and without the white space around it;
    ``raw`` is the source there. ``url`` is the address as a client reads it: character references resolved, white
    space at its ends and tabs and line breaks inside taken out (URL standard, section 4.4). It may be anything, "#top"
    or empty included.

    ``element`` is the tag's name in lower case ("a", "area", "v:roundrect"), ``attribute`` the value's ("href"),
    ``quote`` is '"', "'" or empty, ``tag_start`` and ``tag_end`` span the tag. ``in_conditional`` tells that only
    Outlook sees the link, because it stands in a conditional comment.
    """

    element: str
    attribute: str = "href"
    start: int
    end: int
    quote: str
    url: str
    raw: str
    tag_start: int
    tag_end: int
    in_conditional: bool = False
    _html: str = field(repr=False, eq=False, alias="html")
    _masked: str = field(repr=False, eq=False, alias="masked")
    _limit: int = field(repr=False, eq=False, alias="limit")
    _closed_by_limit: bool = field(default=False, repr=False, eq=False, alias="closed_by_limit")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes of the tag in source order; where a name is repeated, the first counts."""
        return tuple(read_attributes(self._masked, self.name_end, self.tag_end, self._html))

    @property
    def name_end(self) -> int:
        """The offset behind the tag's name."""
        return self.tag_start + 1 + len(self.element)

    @property
    def tag(self) -> str:
        """The source of the tag."""
        return self._html[self.tag_start : self.tag_end]

    @property
    def may_show_url(self) -> bool:
        """Whether the visible text can begin with an address, as far as its first character tells."""
        first = self._html[self.tag_end : self.tag_end + 1]
        return not first.isalnum() or first in "hHwW"

    @property
    def text(self) -> str:
        """The visible text, white space collapsed; of a link around an image, the image's ``alt``.

        It ends with the element or where the next link begins. Empty for ``area`` and for an element that never ends.
        """
        if self.element == "area":
            return ""
        closed = self._closed_by_limit
        return visible_text(
            self._masked, self.tag_end, self._limit, self.element, closed_by_limit=closed, source=self._html
        )


@frozen(kw_only=True)
class HtmlScan:
    """What a scan of a document found.

    Attributes:
        sites: the links, in document order.
        body_start: the offset behind the first ``<body>`` tag, or None.
        body_end: the offset of the last ``</body>`` tag, or None. For neither do tags count that stand in a comment,
            a conditional one included, in a script or in other raw text.
        base_href: the value of the first ``<base href>``, cleaned like a link's ``url``; empty where there is none.
        end: the last offset at which inserted markup is markup: the length of the document, or the start of a
            comment, tag or raw text that never ends.
        is_amp: whether the document is AMP for mail, which no HTML client shows and whose links stand under rules of
            their own.
    """

    sites: tuple[LinkSite, ...]
    body_start: int | None = None
    body_end: int | None = None
    base_href: str = ""
    end: int
    is_amp: bool = False


def scan_html(html: str, spans: Sequence[tuple[int, int]] = ()) -> HtmlScan:
    """Find the links of an HTML document, and where a pixel can go.

    ``spans`` are the template tags of the message's syntax, in order; those of all languages that are known by their
    looks are found besides.

    Candidates are the ``href`` of ``a``, of ``area`` and of any VML element (``v:*``, ``w:*``). Never fails, whatever
    the text.

    >>> [site.url for site in scan_html("<a href=https://shop.example/?a=1&amp;b=2>Shop</a>").sites]
    ['https://shop.example/?a=1&b=2']
    """
    scanner = _Scanner(html, masked(html, spans))
    scanner.walk(0, len(html), conditional=False)
    return HtmlScan(
        sites=scanner.link_sites(),
        body_start=scanner.body_start,
        body_end=scanner.body_end,
        base_href=scanner.base_href or "",
        end=scanner.end,
        is_amp=_is_amp(html),
    )


class _Found(NamedTuple):
    """A link as the scanner meets it; ``region_end`` is where its conditional comment ends, -1 outside of one."""

    element: str
    tag_start: int
    tag_end: int
    start: int
    end: int
    quote: str
    region_end: int


@define
class _Scanner:
    source: str
    html: str
    end: int = Factory(lambda self: len(self.html), takes_self=True)
    found: list[_Found] = field(factory=list[_Found])
    body_start: int | None = None
    templates: int = 0
    body_end: int | None = None
    base_href: str | None = None

    def walk(self, pos: int, end: int, *, conditional: bool) -> None:
        """Scan one stretch: the whole document, or the inside of one conditional comment."""
        html = self.html
        foreign = ForeignContent()
        region_end = end if conditional else -1
        while True:
            if foreign:
                pos = html.find("<", pos, end)
                link = None if pos < 0 else LINK_TAG.match(html, pos, end)
            else:
                link = STEP.match(html, pos, end)
            if link is not None:
                pos = link.end()
                if link[1] is not None:
                    tag_start = link.start(1) - 1
                    self.found.append(_Found(lower(link[1]), tag_start, pos, *link.span(2), '"', region_end))
                    continue
            if pos < 0 or pos >= end:
                return
            name = TAG_NAME.match(html, pos, end)
            if name is None:
                behind = self._declaration(pos, end, foreign, region_end)
            elif html[pos + 1] == "/":
                behind = self._end_tag(name, end, foreign, region_end)
            else:
                behind = self._start_tag(name, end, foreign, region_end)
            if behind < 0:
                if not conditional:
                    self.end = pos
                return
            pos = behind

    def _start_tag(self, name: re.Match[str], end: int, foreign: ForeignContent, region_end: int) -> int:
        """Behind a start tag, and behind its raw text where it has some; -1 where either never ends."""
        html, element, pos = self.html, lower(name[1]), name.start()
        tag = read_tag(html, name.end(), end, "href")
        if tag is None:
            return -1
        if tag.value is not None:
            if element in _LINK_ELEMENTS or element.startswith(_VML):
                self.found.append(_Found(element, pos, tag.end, *tag.value, region_end))
            elif element == "base" and self.base_href is None and region_end < 0:
                self.base_href = _clean(self.source[tag.value[0] : tag.value[1]])
        if foreign or element in ROOTS:
            attributes = partial(read_attributes, html, name.end(), tag.end)
            if foreign.start(element, attributes, self_closing=tag.self_closing):
                return tag.end
        if region_end < 0:
            if element == "template":
                self.templates += 1
            elif element == "body" and self.body_start is None:
                self.body_start = tag.end
        return raw_text_end(element, html, tag.end, end) if element in RAW_TEXT else tag.end

    def _end_tag(self, name: re.Match[str], end: int, foreign: ForeignContent, region_end: int) -> int:
        """Behind an end tag; -1 where it never ends."""
        tag = read_tag(self.html, name.end(), end)
        if tag is None:
            return -1
        element = lower(name[1])
        if foreign:
            foreign.end(element)
        if region_end < 0:
            # What stands in a template no client shows.
            if element == "template":
                self.templates = max(0, self.templates - 1)
            elif element == "body" and not self.templates:
                self.body_end = name.start()
        return tag.end

    def _declaration(self, pos: int, end: int, foreign: ForeignContent, region_end: int) -> int:
        """Behind what begins with "<" and is no tag; -1 where it never ends."""
        html = self.html
        if html.startswith("<!--", pos, end):
            return self._comment(pos, end, region_end)
        if foreign.active and html.startswith("<![CDATA[", pos, end):
            closing = html.find("]]>", pos + len("<![CDATA["), end)
            return closing + 3 if closing >= 0 else -1
        if html.startswith(("<!", "<?", "</"), pos, end):
            return html.find(">", pos, end) + 1 or -1
        return pos + 1

    def _comment(self, pos: int, end: int, region_end: int) -> int:
        """Behind a comment, its links collected if it is a conditional one; -1 where it never ends."""
        html = self.html
        opener = CONDITIONAL.match(html, pos, end)
        if region_end >= 0:
            # The region ends with the first end of a comment, so this one reaches to the region's end or beyond.
            return opener.end() if opener else -1
        if html.startswith((">", "->"), pos + 4, end):
            return html.index(">", pos) + 1
        closing = COMMENT_END.search(html, pos + 4, end)
        stop = closing.start() if closing else end
        if opener is not None and LINK_HINT.search(html, opener.end(), stop) is not None:
            self.walk(opener.end(), stop, conditional=True)
        return closing.end() if closing else -1

    def link_sites(self) -> tuple[LinkSite, ...]:
        """What was found, as values; the text of a link reaches to the next link beside it at most."""
        sites: list[LinkSite] = []
        length = limit = len(self.html)
        region, inner_limit = -1, -1
        for found in reversed(self.found):
            conditional = found.region_end >= 0
            if conditional and found.region_end != region:
                region = inner_limit = found.region_end
            reach, unlimited = (inner_limit, found.region_end) if conditional else (limit, length)
            sites.append(self._site(found, reach, closed_by_limit=reach < unlimited))
            if conditional:
                inner_limit = found.tag_start
            else:
                limit = found.tag_start
        return tuple(reversed(sites))

    def _site(self, found: _Found, limit: int, *, closed_by_limit: bool) -> LinkSite:
        start, end = found.start, found.end
        value = raw = self.source[start:end]
        if value[:1] in _BLANK or value[-1:] in _BLANK:
            raw = value.strip(SPACE)
            start += len(value) - len(value.lstrip(SPACE)) if raw else 0
        return LinkSite(
            element=found.element,
            start=start,
            end=start + len(raw),
            quote=found.quote,
            url=_clean(raw),
            raw=raw,
            tag_start=found.tag_start,
            tag_end=found.tag_end,
            in_conditional=found.region_end >= 0,
            html=self.source,
            masked=self.html,
            limit=limit,
            closed_by_limit=closed_by_limit,
        )


def _is_amp(html: str) -> bool:
    """Whether the first element is an ``<html>`` that is marked as AMP for mail."""
    pos = 0
    while (prologue := _AMP_PROLOGUE.match(html, pos)) is not None and not html.startswith(
        ("<h", "<H"), prologue.end()
    ):
        pos = prologue.end()
    name = TAG_NAME.match(html, prologue.end()) if prologue else None
    if name is None or lower(name[1]) != "html" or read_tag(html, name.end(), len(html)) is None:
        return False
    return any(attribute.name in _AMP_NAMES for attribute in read_attributes(html, name.end(), len(html)))


def _clean(raw: str) -> str:
    """A link's value as a client reads it: entities resolved, then what the URL standard takes out."""
    url = decode_attribute(raw).strip(_URL_EDGES)
    return url if url.isprintable() else _URL_HOLES.sub("", url)
