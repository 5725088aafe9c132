"""Names between marks: ``*|FNAME|*`` of list mailers, ``%NAME%`` and ``%%NAME%%`` of others. They know no filters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgtrack.links.syntaxes.base import Tag, TagKind
from msgtrack.links.syntaxes.expressions import slot_name

__all__ = ["MergeSyntax", "PercentSyntax"]

# A tag reaches no further than its line or the next opening mark, so each character is looked at once.
_MERGE = re.compile(r"\*\|((?:(?!\*\||\|\*)[^\r\n])+)\|\*")
_MERGE_CONTROL = frozenset(["IF", "IFNOT", "ELSEIF", "ELSE", "END", "INTERESTED", "FEEDBLOCK", "FEEDITEMS", "RSSITEMS"])

_ASCII_NAME = r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}"
_PERCENT = re.compile(
    r"(?P<script>%%=(?:(?!=%%|%%=).)*=%%|%%\[(?:(?!\]%%|%%\[).)*\]%%)"
    r"|%%(?P<double>[A-Za-z_](?:[A-Za-z0-9_.: -]{0,98}[A-Za-z0-9_.:-])?)%%"
    # A letter beyond ASCII, escaped: its second escape and the text behind it could pass for a tag.
    r"|(?:%[C-Fc-f][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){1,3})"
    # What begins like an escape is a name only if it goes on, and if what follows the tag is no escape's rest.
    rf"|%(?![0-9A-Fa-f]{{2}}%)(?P<single>(?![0-9A-Fa-f]{{2}}){_ASCII_NAME}|{_ASCII_NAME}(?=%(?![0-9A-Fa-f]{{2}})))%",
    re.DOTALL,
)


class MergeSyntax:
    """``merge``: ``*|FNAME|*`` writes a value; ``*|IF:…|*``, ``*|ELSE:|*``, ``*|END:IF|*`` and the like are control."""

    name = "merge"
    marks: tuple[str, ...] = ("*|",)

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        for found in _MERGE.finditer(source):
            expression = " ".join(found[1].split())
            word, _, argument = expression.partition(":")
            kind, name = TagKind.VALUE, expression
            if not expression:
                kind = TagKind.BROKEN
            elif word.upper() in _MERGE_CONTROL and (found[1].rstrip().endswith(":") or argument or word == "ELSE"):
                kind, name = TagKind.CONTROL, word.upper()
            yield Tag(start=found.start(), end=found.end(), kind=kind, expression=expression, name=name)

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`."""
        return f"*|{slot_name(name)}|*"


class PercentSyntax:
    """``percent``: ``%NAME%`` and ``%%NAME%%``. AMPscript (``%%=…=%%``, ``%%[…]%%``) is a program: unsupported.

    ``%C3%A9`` and ``100%`` are text. Where the name begins with two hexadecimal digits, as in ``%ADDRESS%``, it could
    also be an escape: it is a tag unless two hexadecimal digits follow it.
    """

    name = "percent"
    marks: tuple[str, ...] = ("%%=", "%%[")

    def tags(self, source: str) -> Iterator[Tag]:
        """See :class:`Syntax`."""
        for found in _PERCENT.finditer(source):
            name = found["double"] or found["single"]
            if name is not None:
                yield Tag(start=found.start(), end=found.end(), kind=TagKind.VALUE, expression=name, name=name)
            elif found["script"] is not None:
                yield Tag(
                    start=found.start(),
                    end=found.end(),
                    kind=TagKind.UNSUPPORTED,
                    expression=" ".join(found[0][3:-3].split()),
                    name=found[0][:3],
                )

    def slot(self, name: str, *, safe: bool = True) -> str:
        """See :class:`Syntax`. A name that begins with two hexadecimal digits could be read as an escape."""
        return f"%{slot_name(name)}%"
