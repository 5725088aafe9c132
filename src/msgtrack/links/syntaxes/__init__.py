"""Syntaxes: how placeholders look in the template languages that mail is written in.

``by_name`` gives a built-in one, ``syntax_of`` also takes one's own. ``split`` cuts a link into its fixed pieces and its
placeholders, ``expand`` puts encoded values in, and ``checked_value`` says which values there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption
from msgtrack.links.syntaxes.base import PlainSyntax, Syntax, Tag, TagKind
from msgtrack.links.syntaxes.campaign import CampaignSyntax
from msgtrack.links.syntaxes.django import DjangoSyntax
from msgtrack.links.syntaxes.handlebars import HandlebarsSyntax
from msgtrack.links.syntaxes.jinja import JinjaSyntax
from msgtrack.links.syntaxes.link_template import (
    LINK_PROBLEMS,
    LinkPlaceholder,
    LinkProblem,
    LinkTemplate,
    checked_tags,
    reserved_parameter,
    split,
)
from msgtrack.links.syntaxes.liquid import LiquidSyntax
from msgtrack.links.syntaxes.marks import MergeSyntax, PercentSyntax
from msgtrack.links.syntaxes.values import MAX_VALUE_LENGTH, ControlCharacter, checked_value, expand

__all__ = [
    "LINK_PROBLEMS",
    "MAX_VALUE_LENGTH",
    "SYNTAXES",
    "ControlCharacter",
    "LinkPlaceholder",
    "LinkProblem",
    "LinkTemplate",
    "Syntax",
    "Tag",
    "TagKind",
    "by_name",
    "checked_value",
    "expand",
    "misplaced",
    "reserved_parameter",
    "split",
    "syntax_of",
]

_BUILT_IN: dict[str, Syntax] = {
    syntax.name: syntax
    for syntax in (
        PlainSyntax(),
        CampaignSyntax(),
        JinjaSyntax(),
        DjangoSyntax(),
        LiquidSyntax(),
        HandlebarsSyntax(),
        MergeSyntax(),
        PercentSyntax(),
    )
}
SYNTAXES = tuple(_BUILT_IN)
"""The names of the built-in syntaxes."""


def by_name(name: str) -> Syntax:
    """The built-in syntax of this name.

    Raises:
        InvalidOption: there is none; the message lists them.

    >>> [tag.name for tag in by_name("liquid").tags("Hi {{ user.name | url_encode }}{% if x %}!{% endif %}")]
    ['user.name', 'if', 'endif']
    """
    found = _BUILT_IN.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidOption(f"syntax={shown(name)} is not one of: {', '.join(SYNTAXES)}")
    return found


def syntax_of(value: object) -> Syntax:
    """A syntax from its name, or the object itself if it is one.

    Raises:
        InvalidOption: neither.
    """
    if isinstance(value, str):
        return by_name(value)
    if isinstance(value, type) or not isinstance(value, Syntax):
        raise InvalidOption(
            f"syntax={shown(value)} is no syntax: it needs name, marks, tags() and slot()",
            hint=f"or name one of: {', '.join(SYNTAXES)}",
        )
    return value


def misplaced(source: str, slots: Sequence[tuple[int, int]], syntax: Syntax) -> tuple[int, ...]:
    """Which of the slots written into a template the engine will not fill, by their place in ``slots``.

    A slot in a comment or in a verbatim stretch is never filled, and one that touches a brace of the author's may
    become another tag.

    Args:
        source: the template, slots written into it.
        slots: where each begins and ends, in order.
        syntax: how the template is read.
    """
    values = {(tag.start, tag.end) for tag in checked_tags(source, syntax) if tag.kind is TagKind.VALUE}
    return tuple(place for place, span in enumerate(slots) if span not in values)
