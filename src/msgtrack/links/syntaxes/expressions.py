"""What stands in a tag: white space made uniform, and the filters that only encode or escape taken off.

Nothing is evaluated, and any text will do. Time is linear in the text.
"""

from __future__ import annotations

import re

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption

__all__ = ["canonical", "first_word", "slot_name", "strip_call", "strip_filters", "strip_parentheses"]

# A string that never ends takes the rest of the text: what it holds is looked at once.
_ESCAPED = r'"[^"\\]*+(?:\\.[^"\\]*+)*(?:"|\\?\Z)' + r"|'[^'\\]*+(?:\\.[^'\\]*+)*(?:'|\\?\Z)"
_UNESCAPED = r'"[^"]*+(?:"|\Z)' + r"|'[^']*+(?:'|\Z)"
_TOKENS = {
    True: re.compile(rf"(?s:{_ESCAPED})|\s+|[^\s\"']+"),
    False: re.compile(rf"{_UNESCAPED}|\s+|[^\s\"']+"),
}
_PARTS = {
    True: re.compile(rf"(?s:{_ESCAPED})|[^\"']"),
    False: re.compile(rf"{_UNESCAPED}|[^\"']"),
}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_TIGHT_AFTER = frozenset("|:,.([{=~+-*/%<>!&@^")
_TIGHT_BEFORE = frozenset("|:,.()[]{}=~+-*/%<>!&@^")
_WORD = re.compile(r"[^\s(|:\"'~}]+")
_FILTER = re.compile(r"([A-Za-z_]\w*)(?![\w.])")
_SLOT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def slot_name(name: str) -> str:
    """A name that every engine takes for a variable.

    Raises:
        InvalidOption: it is none.
    """
    if not _SLOT_NAME.fullmatch(name):
        raise InvalidOption(f"a slot is named by letters, digits and underscores, not {shown(name)}")
    return name


def canonical(text: str, *, escapes: bool = True, spaced: bool = False) -> str:
    """The text with white space only where it parts two words; strings stay as they are.

    Args:
        text: what stands in a tag.
        escapes: whether a backslash in a string escapes the next character.
        spaced: whether white space parts arguments, so that it stays next to every sign but brackets and ``=``.

    >>> canonical(" user.name  |  default( 'a  b' ) ")
    "user.name|default('a  b')"
    >>> canonical("helper  ../name  size = 3", spaced=True)
    'helper ../name size=3'
    """
    after = frozenset("(=") if spaced else _TIGHT_AFTER
    before = frozenset(")=") if spaced else _TIGHT_BEFORE
    pieces: list[str] = []
    last = ""
    is_parted = False
    for token in _TOKENS[escapes].finditer(text):
        word = token[0]
        if word.isspace():
            is_parted = bool(pieces)
            continue
        if is_parted and last not in after and word[0] not in before:
            pieces.append(" ")
        pieces.append(word)
        last = word[-1]
        is_parted = False
    return "".join(pieces)


def first_word(expression: str) -> str:
    """The word that a canonical expression begins with; empty where it begins with a sign."""
    word = _WORD.match(expression)
    return word[0] if word else ""


def strip_filters(
    expression: str, *, encoders: frozenset[str], escapers: frozenset[str], operators: str, escapes: bool = True
) -> tuple[str, bool]:
    """A canonical expression without the filters at its end that encode it for a URL or escape it for HTML.

    A filter counts only when it takes the whole of what stands before it: with one of ``operators`` outside brackets
    it takes only the last operand. One encoding is taken off, no second one.

    Returns:
        What is left, and whether an encoding was taken off.
    """
    bars: list[int] = []
    depth = 0
    for part in _PARTS[escapes].finditer(expression):
        sign = part[0]
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        elif depth == 0 and sign == "|":
            bars.append(part.start())
        elif depth == 0 and sign in operators:
            return expression, False
    encoded = False
    end = len(expression)
    while bars:
        bar = bars.pop()
        word = _FILTER.match(expression, bar + 1, end)
        if word is None or not (word[1] in escapers or (word[1] in encoders and not encoded)):
            break
        encoded = encoded or word[1] in encoders
        end = bar
    return strip_parentheses(expression[:end], escapes=escapes), encoded


def strip_call(expression: str, functions: frozenset[str]) -> tuple[str, bool]:
    """The argument of a call, if the whole canonical expression is a call of one of ``functions`` with one argument.

    >>> strip_call("escapeUrl(recipient.lastName)", frozenset({"escapeUrl"}))
    ('recipient.lastName', True)
    >>> strip_call("escapeUrl(a)+escapeUrl(b)", frozenset({"escapeUrl"}))
    ('escapeUrl(a)+escapeUrl(b)', False)
    """
    name, opened, _ = expression.partition("(")
    if not opened or name not in functions:
        return expression, False
    inner = strip_parentheses(expression[len(name) :], levels=1)
    if len(inner) == len(expression) - len(name) or not inner or _has_comma(inner):
        return expression, False
    return inner, True


def strip_parentheses(expression: str, *, escapes: bool = True, levels: int = 8) -> str:
    """The expression without parentheses that go around all of it, at most ``levels`` pairs.

    >>> strip_parentheses("(a~b)"), strip_parentheses("(a)~(b)")
    ('a~b', '(a)~(b)')
    """
    for _ in range(levels):
        if not expression.startswith("(") or not expression.endswith(")"):
            break
        depth = 0
        end = -1
        for part in _PARTS[escapes].finditer(expression):
            sign = part[0]
            depth += (sign in _OPENING) - (sign in _CLOSING)
            if depth == 0:
                end = part.end()
                break
        if end != len(expression):
            break
        expression = expression[1:-1].strip()
    return expression


def _has_comma(expression: str) -> bool:
    depth = 0
    for part in _PARTS[True].finditer(expression):
        sign = part[0]
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0 and sign == ",":
            return True
    return False
