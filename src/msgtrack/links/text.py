"""Where the URLs of a plain text stand.

A URL begins with ``http://`` or ``https://``, in any case, and reaches to white space, a quotation mark or an angle
bracket. Brackets and punctuation can belong to it or to the sentence around it (reference 2.7):

- a bracket that closes one opened before the URL ends it, so ``(https://e.example/(b))`` holds ``https://e.example/(b)``;
- where the character before the URL opens a pair and the other one of that pair ends it, the URL is whole as it stands;
- in ``< >`` it may go on over line breaks, which are no part of it (RFC 3986, appendix C);
- otherwise ``. , ; : ! ?`` and apostrophes at its end belong to the sentence;
- a template tag in it belongs to it, with the white space inside the tag.

Time is linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import define, field, frozen

from msgtrack.links.syntaxes import Tag, TagKind

__all__ = ["TextSite", "scan_text"]


@frozen(kw_only=True)
class TextSite:
    """One URL of a plain text; ``url`` is the text from ``start`` to ``end`` without the line breaks in it."""

    start: int
    end: int
    url: str


_SCHEME = re.compile(r"(?<![A-Za-z0-9+])[hH][tT][tT][pP][sS]?://(?=[^\W_]|[\[{%]|<%|\$\{|\*\|)")

_QUOTES = '"`“”„‟‘’‚‛«»‹›'
_FULL_WIDTH = "，。、；：！？…（）［］｛｝【】「」『』《》〈〉"
_INVISIBLE = r"\s\x00-\x20\x7f-\xa0\u200b\u200e\u200f\u2028-\u202e\u2060\ufeff"
# A stretch that decides nothing, the beginning of a template tag, or one character that has to be looked at.
_PIECE = re.compile(
    rf"[^{_INVISIBLE}<>{_QUOTES}{_FULL_WIDTH}'(){{}}\[\]*$]++|\{{\{{|\{{%|<%|\*\||\$\{{|\[\[|[(){{}}\[\]*$']"
)
_TEMPLATE_ENDS = {"{{": "}}", "{%": "%}", "<%": "%>", "*|": "|*", "${": "}", "[[": "]]"}
_LONGEST_TEMPLATE_TAG = 1_000
_CLOSING = {")": "(", "]": "[", "}": "{"}
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "'": "'", "`": "`"} | dict(
    zip("“„‘‚«‹（［｛【「『《〈", "””’’»›）］｝】」』》〉", strict=True)
)
_TRAILING = ".,;:!?'"
_BREAK = re.compile(r"[ ]?(?:\r\n|\n|\r)")
_NEXT_LINE = re.compile(rf"{_BREAK.pattern}(?![hH][tT][tT][pP][sS]?://)[^{_INVISIBLE}<>{_QUOTES}]++")
_MOST_LINES = 20
# What stands for a tag: a letter to what is inside a URL, and none of those that keep a scheme behind them from being one.
_ADDRESS = re.compile("[hH][tT][tT][pP][sS]?://")
_FILLER = "\u00e9"


def scan_text(text: str, tags: Sequence[Tag] = ()) -> tuple[TextSite, ...]:
    """Find the URLs of a plain text, in order. Never fails, whatever the text.

    ``tags`` are the template tags of the message's syntax, in order: a value belongs to the URL that it stands in; what
    decides or writes nothing does not when it stands at its end.

    >>> [site.url for site in scan_text("See https://e.example/a, (https://e.example/b) and <HTTPS://e.example/c.>")]
    ['https://e.example/a', 'https://e.example/b', 'HTTPS://e.example/c.']
    """
    if tags:
        return _among_tags(text, tags)
    scanner = _Scanner(text)
    sites: list[TextSite] = []
    pos = 0
    while (scheme := _SCHEME.search(text, pos)) is not None:
        pos = scanner.url_end(scheme.start(), scheme.end())
        if pos > scheme.end():
            url = _BREAK.sub("", text[scheme.start() : pos])
            sites.append(TextSite(start=scheme.start(), end=pos, url=url))
    return tuple(sites)


def _among_tags(text: str, tags: Sequence[Tag]) -> tuple[TextSite, ...]:
    pieces: list[str] = []
    done = 0
    for tag in tags:
        # An address right behind what decides whether it is there is another one.
        parts = tag.kind is not TagKind.VALUE and _ADDRESS.match(text, tag.end) is not None
        pieces += (text[done : tag.start], (" " if parts else _FILLER) * (tag.end - tag.start))
        done = tag.end
    plain = "".join([*pieces, text[done:]])
    ends = {tag.end: tag for tag in tags if tag.kind is not TagKind.VALUE}
    stops = {tag.end for tag in tags}
    sites = []
    for site in scan_text(plain):
        end = site.end
        while end in ends and ends[end].start > site.start:
            end = ends[end].start
            # What a tag parted from the text behind is at the end now.
            while end not in stops and text[end - 1] in _TRAILING:
                end -= 1
        # Only what stands outside of tags is wrapped.
        url = (
            _BREAK.sub("", text[site.start : end])
            if site.url != plain[site.start : site.end]
            else text[site.start : end]
        )
        sites.append(TextSite(start=site.start, end=end, url=url))
    return tuple(sites)


@define
class _Scanner:
    text: str
    _ends: dict[str, int] = field(factory=dict[str, int])

    def url_end(self, start: int, pos: int) -> int:
        """Where the URL ends whose scheme begins at ``start`` and ends at ``pos``."""
        text = self.text
        floor = pos
        closer = _PAIRS.get(text[start - 1 : start], "")
        opened = {"(": 0, "[": 0, "{": 0}
        while (match := _PIECE.match(text, pos)) is not None:
            piece = match[0]
            if piece in _TEMPLATE_ENDS:
                behind = self._template_end(piece, match.end())
                if behind > 0:
                    pos = behind
                    continue
                if piece == "<%":
                    break
                piece = piece[0]
            if piece in opened:
                opened[piece] += 1
            elif piece in _CLOSING:
                if not opened[_CLOSING[piece]]:
                    break
                opened[_CLOSING[piece]] -= 1
            elif piece == closer:
                break
            pos += len(piece)
        if closer == ">":
            pos = self._behind_wrapping(pos)
        if closer and text.startswith(closer, pos):
            return pos
        return floor + len(text[floor:pos].rstrip(_TRAILING))

    def _behind_wrapping(self, pos: int) -> int:
        """Where a URL in angle brackets ends that goes on on the next lines; ``pos`` itself where it does not."""
        behind = pos
        for _ in range(_MOST_LINES):
            line = _NEXT_LINE.match(self.text, behind)
            if line is None:
                break
            behind = line.end()
        return behind if self.text.startswith(">", behind) else pos

    def _template_end(self, opener: str, pos: int) -> int:
        """Behind the template tag that begins before ``pos``, or -1 where it does not end within reason."""
        closer = _TEMPLATE_ENDS[opener]
        found = self._ends.get(closer, -1)
        if found < pos:
            # Looked for once per stretch of text, not once per opener: many openers without an end stay linear.
            found = self.text.find(closer, pos)
            self._ends[closer] = found = len(self.text) + _LONGEST_TEMPLATE_TAG if found < 0 else found
        return found + len(closer) if found - pos < _LONGEST_TEMPLATE_TAG else -1
