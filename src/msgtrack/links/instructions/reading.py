"""Reading a text with instructions into a plan: stretches of text, includes, values, and loops with what is in them.

Each text is read once, however often it is included. What is wrong with an instruction is found here, also where no
loop ever comes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn, Protocol

from attrs import frozen

from msgtrack._borders import shown
from msgtrack.errors import CompileError
from msgtrack.links.instructions.values import Path, PathError, read_path

__all__ = ["INCLUDES", "MAX_DEPTH", "Include", "Loop", "Plain", "Plan", "Script", "Value", "read_plan"]

INCLUDES = ("view", "option", "url", "file")
"""What an ``include`` may name; each has a loader."""

MAX_DEPTH = 64
"""How deep includes and loops may lie inside each other."""

_SCRIPT_MARKS = {"startScript": "<%", "endScript": "%>"}
_ATTRIBUTES = {
    "include": INCLUDES,
    "value": ("object", "xpath", "index"),
    "foreach": ("object", "xpath", "index", "item"),
    "end": (),
}
_START = re.compile(
    # The slip of the printed examples, <% value object=...: a script could not begin so either.
    r"<%(?:@|[ \t\r\n]{1,20}(?:(?:value|include|foreach)[ \t\r\n]{1,20}[A-Za-z]{1,20}[ \t]{0,9}=[ \t]{0,9}[\"']|end[ \t]{1,20}@?%>))"
)
_NAME = re.compile(r"[ \t\r\n]*([A-Za-z_][\w-]*)")
_ATTRIBUTE = re.compile(r"[ \t\r\n]+([A-Za-z_][\w-]*)[ \t\r\n]*=[ \t\r\n]*(?:\"([^\"]*)\"|'([^']*)')")
_CLOSE = re.compile(r"[ \t\r\n]*%>")
_FORBIDDEN = re.compile(r"<%|%>|[\r\n]")
_ITEM = re.compile(r"[A-Za-z_]\w*")
_INDEX = re.compile(r"[0-9]{1,9}")


class Complain(Protocol):
    """Makes the error to raise for what is wrong at an offset of the text."""

    def __call__(self, offset: int, code: str, message: str, *, hint: str = "") -> CompileError:
        """Offset, a code of ``INSTRUCTION_ERRORS``, what was wrong, what to do about it."""


@frozen
class Plain:
    """A stretch of the text that stays as it is."""

    start: int
    end: int


@frozen
class Script:
    """A mark that a later stage reads as the beginning or the end of a script."""

    start: int
    text: str


@frozen
class Include:
    """Another text in its place: which loader gives it, and under what name."""

    start: int
    kind: str
    name: str


@frozen
class Value:
    """A value of an object."""

    start: int
    object: str
    path: Path
    index: int | None


@frozen
class Loop:
    """What is in it, once for each item of a collection."""

    start: int
    object: str
    path: Path
    index: int | None
    item: str
    body: Plan


Plan = tuple[Plain | Script | Include | Value | Loop, ...]


class _Instruction:
    __slots__ = ("attributes", "end", "name", "start")

    def __init__(self, name: str, attributes: dict[str, str], start: int, end: int) -> None:
        self.name = name
        self.attributes = attributes
        self.start = start
        self.end = end


def read_plan(text: str, complain: Complain) -> Plan:
    """What is to be done for a text.

    Args:
        text: as its author wrote it.
        complain: puts the place into errors.

    Raises:
        CompileError: with a code of ``INSTRUCTION_ERRORS``.
    """
    open_loops: list[tuple[_Instruction, list[Plain | Script | Include | Value | Loop]]] = []
    nodes: list[Plain | Script | Include | Value | Loop] = []
    done = 0
    for found in _instructions(text, complain):
        if found.start > done:
            nodes.append(Plain(done, found.start))
        done = found.end
        if found.name == "foreach":
            if len(open_loops) >= MAX_DEPTH:
                raise complain(found.start, "expansion-limit", f"over {MAX_DEPTH} loops lie inside each other")
            open_loops.append((found, nodes))
            nodes = []
        elif found.name == "end":
            if not open_loops:
                raise complain(found.start, "stray-end", "this end closes no foreach")
            loop, around = open_loops.pop()
            around.append(_loop(loop, tuple(nodes), complain))
            nodes = around
        elif found.name == "include":
            nodes.append(_include(found, complain))
        else:
            nodes.append(_value(found, complain))
    if open_loops:
        raise complain(
            open_loops[-1][0].start,
            "unclosed-foreach",
            "this foreach has no end",
            hint="close it with <%@ end %>, in the same text",
        )
    if len(text) > done:
        nodes.append(Plain(done, len(text)))
    return tuple(nodes)


def _instructions(text: str, complain: Complain) -> Iterator[_Instruction]:
    done = 0
    while (found := _START.search(text, done)) is not None:
        start = found.start()
        if not text.startswith("<%@", start):
            raise complain(start, "malformed-instruction", "an instruction begins with <%@", hint=_slip(found.group()))
        instruction = _instruction(text, start, complain)
        done = instruction.end
        yield instruction


def _slip(written: str) -> str:
    name = written[2:].split(None, 1)[0]
    return "write <%@ end %>" if name == "end" else f"write <%@ {name} … %>"


def _instruction(text: str, start: int, complain: Complain) -> _Instruction:
    named = _NAME.match(text, start + 3)
    if named is None:
        _refuse_shape(text, start, start + 3, complain)
    name, at = named[1], named.end()
    attributes: dict[str, str] = {}
    while (found := _ATTRIBUTE.match(text, at)) is not None:
        key, value = found[1], found[2] if found[2] is not None else found[3]
        if _FORBIDDEN.search(value):
            _refuse_shape(text, start, at, complain)
        if key in attributes:
            raise complain(start, "malformed-instruction", f"{name} says {key} twice")
        attributes[key] = value
        at = found.end()
    closed = _CLOSE.match(text, at)
    if closed is None:
        _refuse_shape(text, start, at, complain)
    known = _ATTRIBUTES.get(name)
    if known is None:
        hint = "write it in small letters" if name.lower() in _ATTRIBUTES else f"there are {', '.join(_ATTRIBUTES)}"
        raise complain(start, "unknown-instruction", f"no instruction is called {shown(name)}", hint=hint)
    for key in attributes:
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise complain(start, "unknown-attribute", f"{name} has no attribute {shown(key)}", hint=has)
    return _Instruction(name, attributes, start, closed.end())


def _refuse_shape(text: str, start: int, at: int, complain: Complain) -> NoReturn:
    if text.find("%>", at) < 0:
        raise complain(start, "unclosed-instruction", "this instruction has no %>")
    rest = text[at : at + 40].strip()
    if rest.startswith("@%>"):
        name = text[start + 3 : at].strip()
        raise complain(
            start,
            "malformed-instruction",
            "an instruction ends with %>, not with @%>",
            hint=f"write <%@ {name} %>",
        )
    raise complain(
        start,
        "malformed-instruction",
        f"this instruction cannot be read from {shown(rest)} on",
        hint="attributes are written name='value' or name=\"value\", on one line, with no <% or %> in them",
    )


def _include(found: _Instruction, complain: Complain) -> Include:
    if not found.attributes:
        raise complain(found.start, "missing-attribute", "include names nothing", hint=f"it has {', '.join(INCLUDES)}")
    if len(found.attributes) > 1:
        raise complain(
            found.start,
            "unknown-attribute",
            f"include names one thing, not {' and '.join(found.attributes)}",
        )
    ((kind, name),) = found.attributes.items()
    return Include(found.start, kind, name)


def _value(found: _Instruction, complain: Complain) -> Value | Script:
    name = _needed(found, "object", complain)
    if name in _SCRIPT_MARKS:
        if len(found.attributes) > 1:
            raise complain(found.start, "unknown-attribute", f"{name} stands alone: it has no parts")
        return Script(found.start, _SCRIPT_MARKS[name])
    path = _path(found, _needed(found, "xpath", complain), complain)
    return Value(found.start, name, path, _index(found, complain))


def _loop(found: _Instruction, body: Plan, complain: Complain) -> Loop:
    name = _needed(found, "object", complain)
    path = _path(found, found.attributes.get("xpath", "."), complain)
    index = _index(found, complain)
    if index is not None and path.is_self:
        raise complain(
            found.start,
            "bad-index",
            "a foreach over the object itself takes no index",
            hint="name a collection by xpath",
        )
    item = found.attributes.get("item", path.last_name)
    if not item:
        raise complain(found.start, "missing-attribute", "this foreach needs an item: its xpath ends in no name")
    if not _ITEM.fullmatch(item) or item in _SCRIPT_MARKS:
        raise complain(found.start, "malformed-instruction", f"{shown(item)} is no name for an item")
    return Loop(found.start, name, path, index, item, body)


def _needed(found: _Instruction, key: str, complain: Complain) -> str:
    if key not in found.attributes:
        raise complain(found.start, "missing-attribute", f"{found.name} needs {key}")
    return found.attributes[key]


def _path(found: _Instruction, written: str, complain: Complain) -> Path:
    try:
        return read_path(written)
    except PathError as error:
        raise complain(found.start, "bad-xpath", str(error)) from None


def _index(found: _Instruction, complain: Complain) -> int | None:
    written = found.attributes.get("index")
    if written is None:
        return None
    if not _INDEX.fullmatch(written):
        raise complain(found.start, "bad-index", f"an index counts from 0, this is none: {shown(written)}")
    return int(written)
