"""What a syntax is: how the tags of a template language look, and what each of them stands for.

A syntax reads tags as the engine of its language does, in any text, and never fails on any. It evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import field, frozen
from attrs.validators import instance_of

from msgtrack.errors import InvalidOption

__all__ = ["PlainSyntax", "Syntax", "Tag", "TagKind"]


class TagKind(StrEnum):
    """What a tag does; a closed list.

    ``value``: it writes a value. ``control``: it decides what is written, or how (if, for, set, include, a script).
    ``comment``: it writes nothing, its content included. ``verbatim``: it begins or ends a stretch that the engine
    leaves as it is; they come in pairs, and there are no tags between the two. ``unsupported``: a program that no
    single value can stand for. ``broken``: the engine itself would refuse it: the end is missing, brackets do not
    match, or there is nothing in it.
    """

    VALUE = "value"
    CONTROL = "control"
    COMMENT = "comment"
    VERBATIM = "verbatim"
    UNSUPPORTED = "unsupported"
    BROKEN = "broken"


@frozen(kw_only=True)
class Tag:
    """One tag of a text: the characters from ``start`` to ``end``.

    ``expression`` is what stands in it, with white space made uniform. ``name`` is what it asks for, the key of
    ``values``: for a value the expression without URL encoding and without escaping for HTML, otherwise the word that
    says what the tag does (``if``, ``endfor``). ``encoded`` says that the author asked for URL encoding. A broken tag
    without an end covers its opening mark only.
    """

    start: int
    end: int
    kind: TagKind = field(converter=TagKind)
    expression: str = field(default="", validator=instance_of(str))
    name: str = field(default="", validator=instance_of(str))
    encoded: bool = False


@runtime_checkable
class Syntax(Protocol):
    """How placeholders look. Any object with these four may be given as ``syntax=``."""

    @property
    def name(self) -> str:
        """What the syntax is called, for messages."""
        ...

    @property
    def marks(self) -> tuple[str, ...]:
        """What tags begin with. A link that holds one and no whole tag is refused: its tag ends elsewhere."""
        ...

    def tags(self, source: str) -> Iterator[Tag]:
        """Every tag of a text, in order; no two overlap. Any text will do, and the time is linear in it.

        After a tag that the engine would refuse, and with it the whole template, there may be no more.
        """
        ...

    def slot(self, name: str, *, safe: bool = True) -> str:
        """The tag that writes the variable ``name``, for a value of our own.

        Args:
            name: letters, digits and underscores.
            safe: whether the value holds only characters that no escaping touches (``[A-Za-z0-9._~/:%?-]``); for
                any other the tag also says that nothing is to be escaped, if the language can.
        """
        ...


class PlainSyntax:
    """``none``: no placeholders at all."""

    name = "none"
    marks: tuple[str, ...] = ()

    def tags(self, source: str) -> Iterator[Tag]:
        """No tags, whatever the text."""
        return iter(())

    def slot(self, name: str, *, safe: bool = True) -> str:
        """There is no notation to write one in.

        Raises:
            InvalidOption: always.
        """
        raise InvalidOption(
            f"syntax='none' has no notation for a slot such as {name!r:.80} ({safe=})", hint="name the engine's syntax"
        )
