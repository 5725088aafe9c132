"""The parts of an expression: how each is written, what it reads, and what it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from attrs import field, frozen

from msgtrack._borders import shown
from msgtrack.errors import MissingValue, RenderError
from msgtrack.links.instructions.dates import Pattern, PatternError, format_date, moment_of, read_pattern
from msgtrack.links.instructions.values import is_number, text_of

__all__ = ["FUNCTIONS", "METHODS", "DateCall", "Node", "Number", "Sum", "Text", "TextCall", "Variable", "quoted"]

_ESCAPED = re.compile(r'["\\<>\x00-\x1f\x7f-\x9f\u2028\u2029]')


def quoted(text: str) -> str:
    """A text as a literal: in double quotes, and with nothing in it that could end a tag or a line."""
    return '"' + _ESCAPED.sub(lambda found: _escape(found[0]), text) + '"'


def _escape(character: str) -> str:
    return "\\" + character if character in '"\\' else f"\\u{ord(character):04x}"


def _xml(text: str) -> str:
    # Four characters, as documented; html.escape would take the apostrophe too.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


FUNCTIONS: Mapping[str, Callable[[str], str]] = {"escapeXmlStr": _xml}
METHODS: Mapping[str, Callable[[str], str]] = {"toLowerCase": str.lower, "toUpperCase": str.upper}


@frozen
class Variable:
    """A property path."""

    path: str
    is_text = False

    def written(self) -> str:
        """Its one spelling."""
        return self.path

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        yield self.path

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        found = _looked_up(values, self.path)
        if found is None:
            raise MissingValue(f"there is no value for {self.path}", hint="an empty text is a value, None is not")
        return found


@frozen
class Text:
    """A text in quotes."""

    text: str
    is_text = True

    def written(self) -> str:
        """Its one spelling."""
        return quoted(self.text)

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        return iter(())

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        return self.text


@frozen
class Number:
    """A number, as its canonical digits."""

    digits: str
    is_text = False

    def written(self) -> str:
        """Its one spelling."""
        return self.digits

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        return iter(())

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        return self.digits


@frozen
class Sum:
    """Texts one after the other."""

    left: Node
    right: Node
    is_text: bool

    def written(self) -> str:
        """Its one spelling."""
        right = self.right.written()
        return f"{self.left.written()} + {f'({right})' if isinstance(self.right, Sum) else right}"

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        yield from self.left.names()
        yield from self.right.names()

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        left, right = self.left.value(values), self.right.value(values)
        if not self.is_text and _counts(left) and _counts(right):
            raise RenderError(
                f"{self.written()} would be a sum: both are numbers", hint="give texts, or put '' + in front"
            )
        return shown_text(left, self.left) + shown_text(right, self.right)


@frozen
class TextCall:
    """A function or a method of one text."""

    name: str
    argument: Node
    is_text = True

    def written(self) -> str:
        """Its one spelling."""
        argument = self.argument.written()
        if self.name in FUNCTIONS:
            return f"{self.name}({argument})"
        return f"{f'({argument})' if isinstance(self.argument, Sum) else argument}.{self.name}()"

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        return self.argument.names()

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        function = FUNCTIONS.get(self.name) or METHODS[self.name]
        return function(shown_text(self.argument.value(values), self.argument))


@frozen
class DateCall:
    """``formatDate`` of a property."""

    moment: Variable
    pattern: str
    _read: Pattern = field(init=False, eq=False, repr=False)
    is_text = True

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_read", read_pattern(self.pattern))

    def written(self) -> str:
        """Its one spelling."""
        return f"formatDate({self.moment.written()}, {quoted(self.pattern)})"

    def names(self) -> Iterator[str]:
        """The paths that it reads, in order."""
        return self.moment.names()

    def value(self, values: Mapping[str, object]) -> object:
        """What it gives for one recipient."""
        try:
            return format_date(moment_of(self.moment.value(values)), self._read)
        except PatternError as error:
            raise RenderError(
                f"{self.written()}: {error}", hint="give a datetime, or text such as 2018/10/01 12:23:30"
            ) from None


Node = Variable | Text | Number | Sum | TextCall | DateCall


def shown_text(value: object, node: Node) -> str:
    """The text of what a part gives.

    Raises:
        RenderError: it has none.
    """
    text = text_of(value)
    if text is None:
        raise RenderError(f"the value of {node.written()} is {shown(value)}, which has no text")
    return text


def _counts(value: object) -> bool:
    return is_number(value) or isinstance(value, bool)


def _looked_up(values: Mapping[str, object], path: str) -> object:
    """The value of a path: by the whole path, or name by name through mappings; what is left may be one key too."""
    rest = path
    inside: object = values
    while isinstance(inside, Mapping):
        for key in (rest, rest.removeprefix("@")):
            if key in inside and not isinstance(inside[key], Mapping):
                return inside[key]
        first, _, rest = rest.partition(".")
        if not rest:
            return inside.get(first, inside.get(first.removeprefix("@")))
        inside = inside.get(first)
    return None
