"""Expressions, what stands between ``<%=`` and ``%>``: read by a small grammar, and never run as a program.

::

    expression = term *( "+" term )
    term       = primary *( "." ( "toUpperCase" / "toLowerCase" ) "(" ")" )
    primary    = path / text / number / "(" expression ")" / call
    call       = "escapeXmlStr" "(" expression ")" / "formatDate" "(" path "," text ")"
    path       = name *( "." name ) [ "." "@" name ]

``escapeUrl( expression )``, or ``encodeURIComponent``, may stand around the whole and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen

from msgtrack._borders import shown
from msgtrack.errors import InvalidValue
from msgtrack.links.instructions._parser import MAX_EXPRESSION, Parser
from msgtrack.links.instructions._tree import Node, Variable, shown_text

__all__ = ["MAX_EXPRESSION", "Expression"]

_TAG = re.compile(r"\s*<%=(.*)%>\s*", re.DOTALL)


@frozen(kw_only=True, eq=False)
class Expression:
    """An expression that can be worked out without running a program; ``Expression.parse`` makes it.

    Two are equal when their canonical texts are, and both are escaped or neither is.

    Attributes:
        canonical: its text in one spelling, without the ``escapeUrl`` around it. For a plain path it is the path. It is
            the name of the placeholder.
        is_escaped: whether ``escapeUrl``, or ``encodeURIComponent``, stands around it.
        names: the property paths that it reads, each once, in order.
    """

    canonical: str
    is_escaped: bool
    names: tuple[str, ...]
    _root: Node = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, line: int = 1, column: int = 1) -> Self:
        """Read an expression.

        Args:
            text: what stands between ``<%=`` and ``%>``, or all of that with the marks.
            line: the line of its first character in the document, from 1, for errors.
            column: likewise.

        Raises:
            CompileError: with the code ``unsupported-script``: it is anything that the grammar does not have.
            InvalidValue: it is no text.
        """
        if not isinstance(text, str):
            raise InvalidValue(f"expected text, not {type(text).__name__}: {shown(text)}")
        tag = _TAG.fullmatch(text)
        parser = Parser(text, tag.span(1) if tag else (0, len(text)), (line, column))
        root, is_escaped = parser.whole()
        return cls(canonical=root.written(), is_escaped=is_escaped, names=tuple(dict.fromkeys(root.names())), root=root)

    @property
    def is_path(self) -> bool:
        """Whether it is one property path and nothing else, ``escapeUrl`` apart."""
        return isinstance(self._root, Variable)

    def evaluate(self, values: Mapping[str, object]) -> str:
        """The text for one recipient, **before** the ``escapeUrl`` around it: a link encodes its values itself, once.

        Args:
            values: by whole path, ``{"recipient.lastName": ...}``, or mappings in mappings.

        Raises:
            MissingValue: a path has no value, or None.
            RenderError: a value has no text, is no moment where one is needed, or two numbers would be added up.
        """
        return shown_text(self._root.value(values), self._root)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return self.canonical == other.canonical and self.is_escaped == other.is_escaped

    def __hash__(self) -> int:
        return hash((self.canonical, self.is_escaped))
