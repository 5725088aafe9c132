"""A link with placeholders: its fixed pieces, its placeholders, and what must not be in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from urllib.parse import unquote_plus

from attrs import frozen

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.syntaxes.base import Syntax, Tag, TagKind
from msgtrack.links.syntaxes.values import expand

__all__ = [
    "LINK_PROBLEMS",
    "LinkPlaceholder",
    "LinkProblem",
    "LinkTemplate",
    "checked_tags",
    "reserved_parameter",
    "split",
]

LINK_PROBLEMS = {
    "personalized-host": "A tag decides the scheme, the user, the host or the port: the link could lead anywhere.",
    "split-placeholder": "A tag begins in the link and ends elsewhere, or the other way round.",
    "control-tag": "A tag in the link decides what is written; only the engine knows what that will be.",
    "unsupported-tag": "A tag in the link is a program, or one that its engine would refuse.",
    "broken-escape": "A percent sign stands right before a placeholder: its value would become part of an escape.",
    "line-feed": "The fixed text of a link with placeholders holds a control character.",
    "personalized-step": "Values of dots, or empty ones, would make a path segment a step, or a step takes a tag out.",
    "reserved-parameter": "The campaign URL format has a parameter of this name itself.",
}
"""What can be wrong with a link that holds tags: codes and reasons."""

_SILENT = (TagKind.COMMENT, TagKind.VERBATIM)
_HOST = re.compile(r"(?:[Hh][Tt]{2}[Pp][Ss]?:)?//[^/?#\\\s\x00-\x20\x7f]+[/?#]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_RELATIVE = re.compile(r"(?![/\\]{2})[^:/?#\\]*[/?#]")
_LEFT_OUT = re.compile(r"[\t\r\n]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HALF_ESCAPE = re.compile(r"%[0-9A-Fa-f]?\Z")
# No language has a string that begins right behind a letter.
_NEXT_ATTRIBUTE = re.compile(r"[^\"']*(?<=\w)[\"']\s{1,99}[^\s\"'=<>/]{1,99}\s{0,99}=\s{0,99}[\"']")
# What browsers take off at both ends of a URL.
_BLANK = "".join(map(chr, range(33)))
_GAP = "\0"
_CODES = {TagKind.CONTROL: "control-tag", TagKind.UNSUPPORTED: "unsupported-tag"}


@frozen(kw_only=True)
class LinkPlaceholder:
    """A placeholder of a link: its name, where its tag begins in the text given, whether it asks for URL encoding."""

    name: str
    offset: int
    encoded: bool = False


@frozen(kw_only=True)
class LinkProblem:
    """Something that must not be in a link: a code of ``LINK_PROBLEMS``, what is wrong, and where in the text given."""

    code: str
    message: str
    offset: int


@frozen(kw_only=True)
class LinkTemplate:
    """A link in pieces: fixed text, with a placeholder between each two.

    With ``problems`` it must not be used: pieces then stand around every tag, not around placeholders alone.
    """

    pieces: tuple[str, ...]
    placeholders: tuple[LinkPlaceholder, ...] = ()
    problems: tuple[LinkProblem, ...] = ()

    def expand(self, values: Sequence[str]) -> str:
        """The link with these values, in the order of the placeholders, each percent-encoded once.

        Raises:
            InvalidValue: there are problems, or see :func:`msgtrack.links.syntaxes.expand`.
        """
        if self.problems:
            raise InvalidValue(f"a link that cannot be expanded: {self.problems[0].message}")
        return expand(self.pieces, values)


def split(url: str, syntax: Syntax, *, decode: Callable[[str], str] | None = None) -> LinkTemplate:
    """The pieces and placeholders of a link, and all that is wrong with it.

    Tags that write nothing (comments, the marks around verbatim text) are left out. Nothing is raised for any text.

    Args:
        url: the link's value as its engine sees it.
        syntax: how tags look.
        decode: what to do to each fixed piece, such as resolving entities; tags stay as the engine sees them.

    >>> from msgtrack.links.syntaxes import by_name
    >>> link = split("https://shop.example/?n=<%= escapeUrl(recipient.lastName) %>&a=1", by_name("campaign"))
    >>> link.pieces, link.placeholders[0].name
    (('https://shop.example/?n=', '&a=1'), 'recipient.lastName')
    >>> link.expand(["Müller & Co"])
    'https://shop.example/?n=M%C3%BCller%20%26%20Co&a=1'
    """
    tags = checked_tags(url, syntax)
    loud = [tag for tag in tags if tag.kind not in _SILENT]
    texts, unmatched = _between(url, tags, syntax.marks)
    pieces = texts if decode is None else [decode(text) for text in texts]
    problems = [_problem(_CODES[tag.kind], tag.start) for tag in loud if tag.kind in _CODES]
    problems += [
        _problem("split-placeholder" if url[tag.start : tag.end] in syntax.marks else "unsupported-tag", tag.start)
        for tag in loud
        if tag.kind is TagKind.BROKEN
    ]
    # One tag to the engine, and to its author the end of one attribute and the beginning of the next.
    problems += [
        _problem("split-placeholder", tag.start)
        for tag in loud
        if tag.kind is TagKind.VALUE and _NEXT_ATTRIBUTE.match(url, tag.start, tag.end)
    ]
    if unmatched >= 0:
        problems.append(_problem("split-placeholder", unmatched))
    if loud:
        problems += _of_pieces(pieces, loud)
    return LinkTemplate(
        pieces=tuple(pieces),
        placeholders=tuple(
            LinkPlaceholder(name=tag.name, offset=tag.start, encoded=tag.encoded)
            for tag in loud
            if tag.kind is TagKind.VALUE
        ),
        problems=tuple(sorted(problems, key=attrgetter("offset"))),
    )


def checked_tags(source: str, syntax: Syntax) -> list[Tag]:
    """The tags of a text, looked at before they are believed: anybody may have written the syntax.

    Raises:
        InvalidOption: something is no tag, lies outside the text, or overlaps another.
    """
    tags = list(syntax.tags(source))
    pos = 0
    for tag in tags:
        if not isinstance(tag, Tag) or not pos <= tag.start < tag.end <= len(source):
            raise InvalidOption(
                f"the syntax {shown(syntax.name)} gave {shown(tag)} behind character {pos} of {len(source)}",
                hint="tags() gives Tag objects in order, none empty, no two overlapping",
            )
        pos = tag.end
    return tags


def reserved_parameter(template: LinkTemplate, name: str = "id") -> LinkProblem | None:
    """The first parameter of the query that is called ``name``, or would be with some value of a placeholder.

    Names are compared as a server reads them, percent-encoding undone. The offset counts in the pieces joined.

    >>> from msgtrack.links.syntaxes import by_name
    >>> reserved_parameter(split("https://shop.example/?a={{ x }}&id=1", by_name("jinja"))).offset
    25
    """
    text = _GAP.join(template.pieces).partition("#")[0]
    start = text.find("?") + 1
    if not start:
        return None
    for parameter in text[start:].split("&"):
        parts = parameter.partition("=")[0].split(_GAP)
        if re.fullmatch(".*".join(re.escape(unquote_plus(part)) for part in parts), name):
            return _problem("reserved-parameter", start - text.count(_GAP, 0, start), repr(name))
        start += len(parameter) + 1
    return None


def _problem(code: str, offset: int, what: str = "") -> LinkProblem:
    message = LINK_PROBLEMS[code]
    return LinkProblem(code=code, message=f"{message} ({what})" if what else message, offset=offset)


def _between(url: str, tags: Sequence[Tag], marks: Sequence[str]) -> tuple[list[str], int]:
    """The texts between tags that say something, and where the first mark of no tag stands; -1 if there is none."""
    texts = [""]
    unmatched: list[int] = []
    is_verbatim = False
    pos = 0
    ends = [*((tag.start, tag.end, tag.kind) for tag in tags), (len(url), len(url), TagKind.VERBATIM)]
    for start, end, kind in ends:
        texts[-1] += url[pos:start]
        if not is_verbatim:
            unmatched += (found for mark in marks if (found := url.find(mark, pos, start)) >= 0)
        is_verbatim ^= kind is TagKind.VERBATIM
        pos = end
        if kind not in _SILENT:
            texts.append("")
    return texts, min(unmatched, default=-1)


def _of_pieces(pieces: Sequence[str], tags: Sequence[Tag]) -> Iterator[LinkProblem]:
    """What is wrong with the fixed text around tags."""
    if not _is_host_fixed(pieces):
        yield _problem("personalized-host", tags[0].start)
    for piece, tag in zip(pieces, tags, strict=False):
        if tag.kind is TagKind.VALUE and _HALF_ESCAPE.search(piece):
            yield _problem("broken-escape", tag.start)
    control = _CONTROL.search("-".join(pieces).strip(_BLANK))
    if control is not None:
        yield _problem("line-feed", tags[0].start, f"U+{ord(control[0]):04X}")


def _is_host_fixed(pieces: Sequence[str]) -> bool:
    """Whether scheme, user, host and port stand in the text before the first tag, for every reader of URLs."""
    # Browsers take blanks away before a URL, and line breaks and tabs inside it.
    before = _LEFT_OUT.sub("", pieces[0].lstrip(_BLANK))
    if _HOST.match(before):
        return True
    scheme = _SCHEME.match(before)
    if scheme is not None:
        # Of another fixed scheme: mailto:, tel:, javascript:. Nothing that is tracked.
        return scheme[1].lower() not in ("http", "https")
    if before == "/":
        # With an empty value the path could become "//host".
        return not "".join(pieces[1:]).lstrip(_BLANK).startswith(("/", "\\"))
    return _RELATIVE.match(before) is not None
