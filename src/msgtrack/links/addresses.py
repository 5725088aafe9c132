"""The address of a link as its author wrote it: fixed text, and placeholders of the message's syntax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgtrack.errors import CompileError
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

__all__ = ["Address", "AddressReader", "Names"]

Names = tuple[tuple[str, int], ...]
"""The expressions of a link's placeholders, and where each stands in the text given."""

_SCRIPT_OPENING = "<%"


class Address(NamedTuple):
    """``url`` is the address with :data:`~msgtrack.links.placeholders.GAP` for each placeholder, ``tags`` are what stands
    there in a tracked link. With ``problems`` it must not be tracked, and ``url`` is as written. ``is_foreign``: it holds
    tags that the message's syntax does not know, or leaves alone.
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
        self._verbatim = list(zip(ends[::2], ends[1::2], strict=False))

    def read(self, url: str, raw: str, offset: int, *, decode: bool) -> Address:
        """The address of a link.

        Args:
            url: the link's value, entities and white space seen to.
            raw: the source of it, where the syntax looks for tags.
            offset: where ``raw`` begins in the part.
            decode: whether ``raw`` holds character references.
        """
        syntax = self._syntax
        if syntax is None or not any(mark in raw for mark in self._marks):
            return Address(url, is_foreign=holds_template_tag(raw) or (url != raw and holds_template_tag(url)))
        if any(start < offset < end for start, end in self._verbatim):
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
                    problems.append(LinkProblem(code=error.code, message=str(error), offset=tag.start))
            names.append((name, placeholder.offset))
            tags.append(whole if self._is_script else tag_of(name))
        if not problems:
            problems += _of_pieces(template, address)
        if problems:
            # Nothing is cut out of it then: rules, decisions and findings show it as its author wrote it.
            return Address(url, problems=tuple(problems))
        return Address(address, tuple(tags), tuple(names), is_foreign=any(map(holds_template_tag, template.pieces)))


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
        return [LinkProblem(code="personalized-step", message=str(error), offset=offset)]
    return []
