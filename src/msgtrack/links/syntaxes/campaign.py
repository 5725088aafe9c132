"""Campaign scripts: ``<%= value %>``, ``<% script %>``, ``<%@ instruction %>``.

A tag ends with the first ``%>``, in a string or not, as everywhere where scripts stand in pages.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import canonical, first_word, slot_name, strip_call

__all__ = ["CampaignSyntax"]

_ENCODERS = frozenset({"escapeUrl", "encodeURIComponent"})


class CampaignSyntax:
    """``campaign``: the notation of the reference. Instructions are expected to be expanded before; here they count
    as control.
    """

    name = "campaign"
    marks: tuple[str, ...] = ("<%",)

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        pos = 0
        while (start := source.find("<%", pos)) >= 0:
            end = source.find("%>", start + 2)
            if end < 0:
                yield Tag(start=start, end=start + 2, kind=TagKind.BROKEN)
                return
            pos = end + 2
            sign = source[start + 2] if source[start + 2] in "=@" else ""
            expression = canonical(source[start + 2 + len(sign) : end])
            if not expression:
                yield Tag(start=start, end=pos, kind=TagKind.BROKEN)
            elif sign == "=":
                name, encoded = strip_call(expression, _ENCODERS)
                yield Tag(start=start, end=pos, kind=TagKind.VALUE, expression=expression, name=name, encoded=encoded)
            else:
                word = sign + first_word(expression)
                yield Tag(start=start, end=pos, kind=TagKind.CONTROL, expression=sign + expression, name=word)

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`. Scripts escape nothing by themselves."""
        return f"<%= {slot_name(name)} %>"
