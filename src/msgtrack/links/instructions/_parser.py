"""The grammar of expressions, read from left to right by one function for each rule."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NoReturn

from msgtrack._borders import shown
from msgtrack.links.instructions._tree import FUNCTIONS, METHODS, DateCall, Node, Number, Sum, Text, TextCall, Variable
from msgtrack.links.instructions.dates import PatternError
from msgtrack.links.instructions.problems import problem
from msgtrack.links.positions import LineIndex

__all__ = ["MAX_EXPRESSION", "Parser"]

MAX_EXPRESSION = 2_000
"""Characters that an expression may have."""

_MAX_PARTS = 60
_URL_ESCAPES = frozenset({"escapeUrl", "encodeURIComponent"})
_RESERVED = frozenset(
    {
        "Infinity", "NaN", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete",
        "do", "else", "enum", "export", "extends", "false", "finally", "for", "function", "if", "implements", "import", "in",
        "instanceof", "interface", "let", "new", "null", "package", "private", "protected", "public", "return", "static",
        "super", "switch", "this", "throw", "true", "try", "typeof", "undefined", "var", "void", "while", "with", "yield",
    }
)  # fmt: skip
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?)(?![\w.$])
    | (?P<text>"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')
    | (?P<mark>[().,+@])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
_BLANK = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))")
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_HINT = "property paths, texts in quotes, + and the functions of the list are understood, nothing else"
_HINTS = {
    "new": "give the moment as a value: formatDate(now, ...)",
    "getURL": "its links would exist only when a message is made; include the page: <%@ include url='...' %>",
}


class Parser:
    """One reading of one expression.

    Args:
        text: where it stands.
        span: where it begins and ends there.
        place: line and column of the text's first character.
    """

    def __init__(self, text: str, span: tuple[int, int], place: tuple[int, int]) -> None:
        self.text = text[: span[1]]
        self.place = place
        self.parts = 0
        self.start = self.end = span[0]
        self.kind, self.token = "", ""
        self.bound(span[1] - span[0])
        ended = self.text.find("%>", span[0])
        if ended >= 0:
            self.refuse("a tag ends with the first %>, in quotes too", at=ended, hint=r'write "%\u003e"')
        self.advance()

    def whole(self) -> tuple[Node, bool]:
        """The expression, and whether it is escaped for a URL.

        Raises:
            CompileError: with the code ``unsupported-script``.
        """
        is_escaped = self.kind == "name" and self.token in _URL_ESCAPES
        if is_escaped:
            self.advance()
            self.needs("(")
        root = self.expression()
        if is_escaped:
            self.needs(")")
        if self.kind != "end":
            if is_escaped:
                self.refuse("escapeUrl stands around the whole expression, or not at all", hint="put the rest into it")
            self.refuse(f"this expression cannot be read from {shown(self.text[self.start : self.start + 30])} on")
        self.bound(len(root.written()))
        return root, is_escaped

    def bound(self, length: int) -> None:
        """The spelling that is kept must be one that can be read again, so both lengths count."""
        if length > MAX_EXPRESSION:
            self.refuse(f"an expression has at most {MAX_EXPRESSION:,} characters, this one {length:,}")

    def refuse(self, message: str, *, at: int | None = None, hint: str = _HINT) -> NoReturn:
        """The error, at the token that is looked at or the offset that is given."""
        line, column = LineIndex(self.text).position(self.start if at is None else at)
        first, shift = self.place
        raise problem(
            "unsupported-script", message, (first + line - 1, column + (shift - 1 if line == 1 else 0)), hint=hint
        )

    def advance(self) -> None:
        """Go on to the next token."""
        found = _TOKEN.match(self.text, self.end)
        if found is None or found.lastgroup is None:
            blank = _BLANK.match(self.text, self.end)
            at = blank.end() if blank else self.end
            rest = self.text[at : at + 30]
            if rest.startswith("<%"):
                self.refuse("a script cannot be read, only an expression can", at=at)
            self.refuse(f"this expression cannot be read from {shown(rest)} on", at=at)
        self.kind, self.token = found.lastgroup, found[found.lastgroup]
        self.start, self.end = found.span(found.lastgroup)

    def sees(self, mark: str) -> bool:
        """Whether this mark comes next."""
        return self.kind == "mark" and self.token == mark

    def takes(self, mark: str) -> bool:
        """Whether this mark came next; it is behind us then."""
        if not self.sees(mark):
            return False
        self.advance()
        return True

    def needs(self, mark: str) -> None:
        """Take this mark, or refuse what stands in its place."""
        if not self.takes(mark):
            self.refuse(f"{mark!r} is missing" + self.in_front())

    def in_front(self) -> str:
        """Before what something is missing."""
        return f" in front of {shown(self.token)}" if self.token else ""

    def part(self) -> None:
        """Count a part. Parts lie inside each other, so this bounds the depth too."""
        self.parts += 1
        if self.parts > _MAX_PARTS:
            self.refuse(f"an expression has at most {_MAX_PARTS} parts")

    def expression(self) -> Node:
        """Terms with ``+`` between them."""
        left = self.term()
        while self.takes("+"):
            at = self.start
            right = self.term()
            if (isinstance(left, Number) and not right.is_text) or (isinstance(right, Number) and not left.is_text):
                self.refuse("numbers are not added up", at=at, hint="put the number in quotes to write it behind")
            left = Sum(left, right, left.is_text or right.is_text)
        return left

    def term(self) -> Node:
        """A primary, and the methods behind it."""
        self.part()
        node = self.primary()
        while self.takes("."):
            if self.token not in METHODS or isinstance(node, Number):
                self.refuse(f"there is no method {shown(self.token)}")
            self.part()
            node = TextCall(self.token, node)
            self.advance()
            self.needs("(")
            self.needs(")")
        return node

    def primary(self) -> Node:
        """A path, a literal, a call, or an expression in parentheses."""
        if self.takes("("):
            node = self.expression()
            self.needs(")")
            return node
        kind, written, start = self.kind, self.token, self.start
        if kind not in {"name", "text", "number"}:
            self.refuse("a path or a text is missing" + self.in_front())
        if kind == "name":
            self.name(written)
            return self.call(written, start) if self.sees("(") else self.path(written)
        self.advance()
        if kind == "text":
            return Text(self.literal(written, start))
        return Number(format(Decimal(written).normalize(), "f"))

    def name(self, name: str) -> None:
        """A name that may begin a path or a call."""
        if name in _URL_ESCAPES:
            self.refuse(f"{name} stands around the whole expression, or not at all", hint="values are encoded once")
        if name in _RESERVED:
            self.refuse(f"{shown(name)} belongs to a program", hint=_HINTS.get(name, _HINT))
        self.advance()

    def path(self, name: str) -> Variable:
        """The rest of a path that begins with a name."""
        names = [name]
        while self.sees(".") and not self.is_method_ahead():
            self.advance()
            mark = "@" if self.takes("@") else ""
            if self.kind != "name" or self.token in _RESERVED:
                self.refuse("a name is missing behind the dot" + self.in_front())
            names.append(mark + self.token)
            self.advance()
            if mark:
                break
        if self.sees("("):
            self.refuse(f"there is no method {shown(names[-1])}")
        return Variable(".".join(names))

    def is_method_ahead(self) -> bool:
        """Whether behind the dot comes a method and no name of a path."""
        ahead = _TOKEN.match(self.text, self.end)
        if ahead is None or ahead["name"] not in METHODS:
            return False
        behind = _TOKEN.match(self.text, ahead.end())
        return behind is not None and behind["mark"] == "("

    def call(self, name: str, start: int) -> Node:
        """The rest of a call."""
        if name not in FUNCTIONS and name != "formatDate":
            self.refuse(f"there is no function {shown(name)}", at=start, hint=_HINTS.get(name, _HINT))
        self.needs("(")
        node = TextCall(name, self.expression()) if name in FUNCTIONS else self.date()
        self.needs(")")
        return node

    def date(self) -> DateCall:
        """What stands in the parentheses of ``formatDate``."""
        if self.kind != "name":
            self.refuse("formatDate takes a property path first")
        first = self.token
        self.name(first)
        moment = self.path(first)
        self.needs(",")
        if self.kind != "text":
            self.refuse("formatDate takes a pattern in quotes second")
        at = self.start
        pattern = self.literal(self.token, at)
        self.advance()
        try:
            return DateCall(moment, pattern)
        except PatternError as error:
            self.refuse(str(error), at=at, hint='a pattern is written like "%4Y/%2M/%2D"')

    def literal(self, written: str, start: int) -> str:
        """The text that a literal stands for."""

        def plain(found: re.Match[str]) -> str:
            digits: str | None = found[1] or found[2]
            character: str = found[3] or ""
            if digits:
                return chr(int(digits, 16))
            if character in _CONTROL:
                return _CONTROL[character]
            if character.isalnum():
                self.refuse(f"a text has no escape {shown(found[0])}", at=start)
            return character

        text = _ESCAPE.sub(plain, written[1:-1])
        try:
            # Two halves of a surrogate pair become the character that they stand for.
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.refuse("a text holds half a character", at=start)
