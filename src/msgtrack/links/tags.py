"""The grammar of markup, after the tokenizer of the HTML standard (section 13.2.5): what a tag, its attributes, a
comment and raw text are, as regular expressions that the scanner strings together.

Every expression takes time linear in what it reads, for any text whatever. Three habits see to that: repeats go over
single characters and are possessive where nothing can be given back, groups repeat a bounded number of times only, and
an expression that gives up has read no further than the construct reaches. Possessive repeats of *groups* are not
used, because Python 3.11.2 matches them wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from attrs import frozen

from msgtrack.links.entities import decode_attribute

__all__ = [
    "COMMENT_END",
    "CONDITIONAL",
    "LINK_HINT",
    "LINK_TAG",
    "RAW_TEXT",
    "SPACE",
    "STEP",
    "TAG_NAME",
    "Attribute",
    "Tag",
    "lower",
    "raw_text_end",
    "read_attributes",
    "read_tag",
]

SPACE = "\t\n\f\r "
"""White space, as HTML has it: no vertical tab, no no-break space."""

_PARTING = SPACE + ">"


@frozen(kw_only=True)
class Attribute:
    """One attribute of a tag.

    ``name`` is in lower case, ``value`` has its character references resolved and is empty where none was written.
    ``start`` and ``end`` span what to take out to remove the attribute: with the white space before it, unless that
    must stay to part its neighbours.
    """

    name: str
    value: str
    start: int
    end: int


class Tag(NamedTuple):
    """A tag as far as the scanner needs it: where it ends, and the span and quote of one wanted attribute's value."""

    end: int
    self_closing: bool
    value: tuple[int, int, str] | None


def _any_case(*words: str) -> str:
    """An expression for words in any case; ASCII only, and cheaper than the ignore-case flag."""
    return "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word) for word in words)


_UPPER = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def lower(name: str) -> str:
    """A name in lower case, ASCII letters only, as the standard compares names."""
    return name.lower() if name.isascii() else name.translate(_UPPER)


TAG_NAME = re.compile(rf"</?([a-zA-Z][^{SPACE}/>]*+)")
COMMENT_END = re.compile(r"--!?>")
CONDITIONAL = re.compile(rf"<!--\[{_any_case('if')}[^\]>]*+\]>")
LINK_HINT = re.compile(rf"<(?:{_any_case('a')}(?:{_any_case('rea')})?[{SPACE}/]|[vVwW]:)")
"""What every link tag begins with; a stretch without it holds no link, whatever else it holds."""

# Group 1: the end of the tag. Group 2: a name; 3, 4, 5: its value by quoting; 6: a quote that is never closed.
_ATTRIBUTE = re.compile(
    rf"""[{SPACE}/]*+(?:(>)|([^{SPACE}/>][^{SPACE}/>=]*+)"""
    rf"""(?:[{SPACE}]*+=[{SPACE}]*+(?:"([^"]*+)"|'([^']*+)'|([^{SPACE}"'>][^{SPACE}>]*+)|(["'])|))?)"""
)
_TAG_END, _UNCLOSED_QUOTE = 1, 6
_QUOTES = ("", "", "", '"', "'", "")

# The rest of a tag, from behind its name or behind a quoted value, when it is plain to see that no quoted value hides
# a ">". A quote opens a value only right after "=" and white space. So in a tag without such a "'", a '"' with
# something else before it closes a value or is an ordinary character, and no value is open behind it: up to the next
# quote, ">" is the end.
_NO_SINGLE = rf"(?![^>]*=[{SPACE}]*')"
_PLAIN_REST = (
    rf"""(?:{_NO_SINGLE}[^>]*[^={SPACE}>]"[{SPACE}]*+/?>"""
    rf"""|[^"'>]*+(?:>"""
    rf"""|(?="){_NO_SINGLE}[^>]*(?<=[^={SPACE}])"[^"'>]*+>"""
    rf"""|[^">]*(?<=[^={SPACE}])'[^"'>]*+>))"""
)

_COMMON = (
    rf"(?:[tT](?:[dDrRhH]|{_any_case('able', 'body')})|[pP]|{_any_case('span', 'div')}|[bB][rR]?|{_any_case('img')})"
    rf"[{SPACE}>]"
)
_OF_INTEREST = "|".join(
    (
        rf"{_any_case('a')}(?:{_any_case('rea')})?[{SPACE}/]",
        f"[bB](?:{_any_case('ase', 'ody')})",
        _any_case("iframe", "math", "plaintext", "xmp"),
        f"[nN][oO](?:{_any_case('embed', 'frames')})",
        f"[sS](?:{_any_case('cript', 'tyle', 'vg')})",
        f"[tT](?:{_any_case('itle', 'emplate', 'extarea')})",
        "[vVwW]:",
    )
)
_DULL = (
    rf"<(?:/(?!{_any_case('body', 'template')})[a-zA-Z][^{SPACE}/>]*+>"
    rf"|(?:{_COMMON}|(?!{_OF_INTEREST})[a-zA-Z][a-zA-Z0-9]*+.)(?:(?<=>)|{_PLAIN_REST})"
    rf"|!--[^->]*+-->"
    rf"|!(?!--)[^>]*+>"
    rf"|\?[^>]*+>"
    rf"|(?![a-zA-Z!/?]))"
)
_SKIP = rf"(?:[^<]*+{_DULL}){{0,400}}[^<]*+"
_LINK_TAG = (
    rf"""<({_any_case("area", "a")}|[vVwW]:[a-zA-Z]++)"""
    rf"""(?:[{SPACE}]++(?!{_any_case("href=")})[^{SPACE}/>"'=]++="[^"]*+"){{0,16}}"""
    rf"""[{SPACE}]++{_any_case("href")}="([^"]*+)"(?:>|{_PLAIN_REST})"""
)
STEP = re.compile(f"{_SKIP}(?:{_LINK_TAG})?", re.DOTALL)
"""Text and markup that cannot matter, and a link tag behind it as most are written; always matches.

Groups: element, value of ``href``. Without them it stops at a "<" or at the end; other link tags go through
:func:`read_tag`. Not for foreign content.
"""

LINK_TAG = re.compile(_LINK_TAG)
"""The link tag of :data:`STEP` by itself."""

_RAW_TEXT_ENDS = {
    name: re.compile(rf"</{_any_case(name)}(?=[{SPACE}/>])")
    for name in ("iframe", "noembed", "noframes", "style", "textarea", "title", "xmp")
}
RAW_TEXT = frozenset((*_RAW_TEXT_ENDS, "script", "plaintext"))
"""Elements whose content holds no tags."""

_SCRIPT = re.compile(rf"<!--|-->|<(/?){_any_case('script')}(?=[{SPACE}/>])")


def raw_text_end(element: str, html: str, pos: int, end: int) -> int:
    """The offset behind the end tag that ends the raw text which begins at ``pos``, or -1 where no whole one does.

    ``plaintext`` never ends. A script ends at the first ``</script`` outside ``<!-- <script``: the "double escaped"
    states.
    """
    pattern = _RAW_TEXT_ENDS.get(element)
    closing = _script_end(html, pos, end) if element == "script" else pattern and pattern.search(html, pos, end)
    tag = read_tag(html, closing.end(), end) if closing else None
    return tag.end if tag else -1


def _script_end(html: str, pos: int, end: int) -> re.Match[str] | None:
    escaped = doubly = False
    while (match := _SCRIPT.search(html, pos, end)) is not None:
        pos = match.end()
        if match[0] == "<!--":
            escaped = True
            # The two dashes may already belong to the "-->" that leaves again.
            pos -= 2
        elif match[0] == "-->":
            escaped = doubly = False
        elif match[1]:
            if not doubly:
                return match
            doubly = False
        elif escaped:
            doubly = True
    return None


def read_tag(html: str, pos: int, end: int, wanted: str = "") -> Tag | None:
    """Read the attributes of a tag from behind its name.

    Args:
        html: the document.
        pos: the offset behind the tag's name.
        end: where to stop reading, as if the document ended there.
        wanted: the name of an attribute, in lower case, whose value is asked for; the first one counts.

    Returns:
        The tag, or None where it never ends: such a tag is none.
    """
    value: tuple[int, int, str] | None = None
    while (match := _ATTRIBUTE.match(html, pos, end)) is not None:
        group = match.lastindex or 0
        pos = match.end()
        if group == _TAG_END:
            return Tag(pos, match[0].endswith("/>"), value)
        if group == _UNCLOSED_QUOTE:
            return None
        if value is None and len(wanted) == match.end(2) - match.start(2) and lower(match[2]) == wanted:
            value = (*match.span(group), _QUOTES[group]) if group > 2 else (pos, pos, "")
    return None


def read_attributes(html: str, pos: int, end: int, source: str = "") -> Iterator[Attribute]:
    """All attributes of a whole tag, from behind its name to its end, repeated ones included (the first counts).

    Where template tags are masked in ``html``, names and values come out of ``source``, the same text without the mask.
    """
    source = source or html
    while (match := _ATTRIBUTE.match(html, pos, end)) is not None and match.lastindex != _TAG_END:
        start, pos = match.start(2), match.end()
        if source[pos] in _PARTING:
            start = match.start() + len(source[match.start() : start].rstrip(SPACE))
        group = match.lastindex or 0
        raw = source[match.start(group) : match.end(group)] if group != 2 else ""
        value = decode_attribute(raw.replace("\r\n", "\n").replace("\r", "\n"))
        yield Attribute(name=lower(source[match.start(2) : match.end(2)]), value=value, start=start, end=pos)
