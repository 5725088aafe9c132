"""The address of a link as its author wrote it: fixed text, and placeholders of the message's syntax."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from msgtrack.errors import CompileError
from msgtrack.links.decisions import LinkReason
from msgtrack.links.destinations import destination
from msgtrack.links.entities import decode_attribute
from msgtrack.links.instructions import Expression
from msgtrack.links.placeholders import GAP, tag_of
from msgtrack.links.syntaxes import (
    LinkProblem,
    LinkTemplate,
    Syntax,
    Tag,
    TagKind,
    reserved_parameter,
    split,
)
from msgtrack.links.syntaxes.link_template import LINK_PROBLEMS, checked_tags
from msgtrack.links.templates import holds_template_tag

__all__ = ["Address", "AddressReader", "Names", "is_script", "step_problem"]

Names = tuple[tuple[str, int], ...]
"""The expressions of a link's placeholders, and where each stands in the text given."""

_NEVER_TRACKED = (LinkReason.FRAGMENT, LinkReason.SCHEME)


class Address(NamedTuple):
    """``url`` is the address with :data:`~msgtrack.links.placeholders.GAP` for each placeholder, ``tags`` are what stands
    there in a tracked link. With ``problems`` it must not be tracked, and ``url`` is as written. ``is_foreign``: it
    holds tags that the message's syntax does not know, or leaves alone.
    """

    url: str
    tags: tuple[str, ...] = ()
    names: Names = ()
    problems: tuple[LinkProblem, ...] = ()
    is_foreign: bool = False


class AddressReader:
    """Reads the addresses of one part.

    Args:
        syntax: how placeholders look; None where there are none.
        source: the part; what it leaves alone (verbatim stretches) is left alone in links as well.
        reserved: the name of a parameter that no personalised link may have; empty is none.
    """

    def __init__(self, syntax: Syntax | None, source: str, reserved: str = "") -> None:
        self.tags: Sequence[Tag] = () if syntax is None else checked_tags(source, syntax)
        self._syntax = syntax
        self._marks = () if syntax is None else syntax.marks
        self._reserved = reserved
        self._is_script = is_script(syntax)
        ends = [tag.start for tag in self.tags if tag.kind is TagKind.VERBATIM]
        self._verbatim = ends[::2], ends[1::2]

    def read(self, url: str, raw: str, offset: int, *, decode: bool) -> Address:
        """The address of a link.

        Args:
            url: the link's value, entities and white space seen to.
            raw: the source of it, where the syntax looks for tags.
            offset: where ``raw`` begins in the part.
            decode: whether ``raw`` holds character references.
        """
        syntax = self._syntax
        if syntax is None or not self._may_hold_tag(raw, syntax):
            return Address(url, (), (), (), holds_template_tag(raw) or (url != raw and holds_template_tag(url)))
        if self._is_verbatim(offset):
            return Address(url, is_foreign=True)
        template = split(raw, syntax, decode=decode_attribute if decode else None)
        problems = list(template.problems)
        if self._reserved and template.placeholders:
            reserved = reserved_parameter(template, self._reserved)
            problems += [] if reserved is None else [reserved]
        address, names, tags = GAP.join(template.pieces).strip(), [], []
        written = {tag.start: tag for tag in checked_tags(raw, syntax)}
        for placeholder in template.placeholders:
            tag = written[placeholder.offset]
            name, whole = placeholder.name, raw[tag.start : tag.end]
            if self._is_script:
                whole = decode_attribute(whole) if decode else whole
                try:
                    name = Expression.parse(whole).canonical
                except CompileError as error:
                    problems.append(_of_script(error, tag))
            names.append((name, placeholder.offset))
            tags.append(whole if self._is_script else tag_of(name))
        if not problems:
            problems += _of_pieces(template, address)
        elif destination(template.pieces[0].strip(), base="")[1] in _NEVER_TRACKED:
            # An address of mail, a place in the page: whatever the tags make of the rest, nobody tracks it.
            return Address(url)
        if problems:
            # Nothing is cut out of it then: rules, decisions and findings show it as its author wrote it.
            return Address(url, names=tuple(names), problems=tuple(problems))
        is_foreign = any(map(holds_template_tag, template.pieces))
        return Address(address, tuple(tags), tuple(names), is_foreign=is_foreign)

    def holds_tag(self, text: str) -> bool:
        """Whether a text holds a tag, of the message's syntax or of any other."""
        return holds_template_tag(text) or (self._syntax is not None and self._may_hold_tag(text, self._syntax))

    def _may_hold_tag(self, raw: str, syntax: Syntax) -> bool:
        # Not every tag begins with a mark: a lone per cent sign is none, and %NAME% is a tag.
        return any(mark in raw for mark in self._marks) or (
            bool(self.tags) and next(iter(syntax.tags(raw)), None) is not None
        )

    def _is_verbatim(self, offset: int) -> bool:
        starts, ends = self._verbatim
        place = bisect_left(starts, offset) - 1
        return 0 <= place < len(ends) and offset < ends[place]


def is_script(syntax: Syntax | None) -> bool:
    """Whether placeholders are expressions of the campaign syntax, which we work out ourselves."""
    return syntax is not None and syntax.name == "campaign"


def _of_pieces(template: LinkTemplate, address: str) -> list[LinkProblem]:
    offset = template.placeholders[0].offset if template.placeholders else 0
    if address.count(GAP) != len(template.placeholders):
        return [LinkProblem(code="line-feed", message=f"{LINK_PROBLEMS['line-feed']} (U+FDD0)", offset=offset)]
    try:
        template.expand([""] * len(template.placeholders))
    except ValueError as error:
        return [step_problem(offset, str(error))]
    return []


def _of_script(error: CompileError, tag: Tag) -> LinkProblem:
    """What is wrong with an expression; the place in the tag, which the error ends with, gives way to that in the link."""
    message = error.message.removesuffix(f" at line {error.line}, column {error.column}")
    inside = (error.column or 1) - 1 if error.line == 1 else 0
    return LinkProblem(
        code=error.code,
        message=f"{message} ({error.hint})" if error.hint else message,
        offset=min(tag.start + inside, tag.end - 1),
    )


def step_problem(offset: int, detail: str = "") -> LinkProblem:
    """The problem of a placeholder that steps of the path depend on, at an offset of the link's source."""
    message = LINK_PROBLEMS["personalized-step"]
    return LinkProblem(code="personalized-step", message=f"{message} ({detail})" if detail else message, offset=offset)
