"""Objects that a caller passes in: the small part of XPath that reads them, and how a value becomes text.

An object is a mapping, a sequence, or anything with attributes, and so is all that lies in it. ``a`` and ``@a`` both
name a key or an attribute; a sequence stands for several elements of one name, as in XML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from attrs import frozen

from msgtrack._borders import shown

__all__ = ["Path", "PathError", "is_array", "is_number", "read_path", "select", "text_of"]

MAX_PATH_LENGTH = 500
_MAX_DIGITS = 100
_NAME = r"[A-Za-z][\w.:-]*"
_STEP = re.compile(
    rf"""(?P<self>\.\.?)
    | @(?P<attribute>{_NAME})
    | (?P<child>{_NAME})
      (?P<tests>(?:\[\s*@{_NAME}\s*=\s*(?:'[^']*'|"[^"]*")\s*\])*)""",
    re.VERBOSE | re.ASCII,
)
_TEST = re.compile(rf"""\[\s*@({_NAME})\s*=\s*(?:'([^']*)'|"([^"]*)")\s*\]""", re.ASCII)
_MISSING = object()


class PathError(ValueError):
    """A path that is not read, or that leads to nothing in the object at hand."""


@frozen
class _Step:
    name: str
    is_attribute: bool = False
    tests: tuple[tuple[str, str], ...] = ()


@frozen
class Path:
    """A path as it is followed; ``..`` is resolved already, as each name has one way up."""

    written: str
    steps: tuple[_Step, ...]

    @property
    def is_self(self) -> bool:
        """Whether the path is the object itself."""
        return not self.steps

    @property
    def last_name(self) -> str:
        """The name it ends in, empty where it is the object itself or an attribute."""
        return self.steps[-1].name if self.steps and not self.steps[-1].is_attribute else ""


def read_path(written: str) -> Path:
    """A path out of the part of XPath that is read: ``@f``, ``a/b/@c``, ``.``, ``..``, ``a[@name='x']/@f``.

    Raises:
        PathError: anything else; a ``..`` that leads out of the object.
    """
    if len(written) > MAX_PATH_LENGTH:
        raise PathError(f"a path has at most {MAX_PATH_LENGTH} characters, this one {len(written)}")
    text = written.strip()
    steps: list[_Step] = []
    at = 0
    while True:
        found = _STEP.match(text, at)
        if found is None or (steps and steps[-1].is_attribute):
            raise PathError(f"the xpath {shown(written)} cannot be read from {shown(text[at:])} on")
        if found["self"] == "..":
            if not steps or steps[-1].tests:
                raise PathError(f"the xpath {shown(written)} goes up where it cannot")
            steps.pop()
        elif found["attribute"]:
            steps.append(_Step(found["attribute"], is_attribute=True))
        elif found["child"]:
            tests = tuple((test[1], test[2] or test[3] or "") for test in _TEST.finditer(found["tests"]))
            steps.append(_Step(found["child"], tests=tests))
        at = found.end()
        if at == len(text):
            return Path(written=text, steps=tuple(steps))
        if text[at] != "/":
            raise PathError(f"the xpath {shown(written)} cannot be read from {shown(text[at:])} on")
        at += 1


def select(item: object, path: Path) -> list[object]:
    """All that a path leads to: none where a collection is empty or no element passes a test.

    Raises:
        PathError: no element has a name that the path goes through.
    """
    nodes = _spread(item)
    for step in path.steps:
        if not nodes:
            return []
        found = [node for node in (_child(node, step) for node in nodes) if node is not _MISSING]
        if not found:
            raise PathError(f"there is no {'@' if step.is_attribute else ''}{step.name} for {shown(path.written)}")
        nodes = [node for child in found for node in _spread(child)]
        for name, wanted in step.tests:
            test = _Step(name, is_attribute=True)
            nodes = [node for node in nodes if text_of(_child(node, test)) == wanted]
    return nodes


def is_array(value: object) -> bool:
    """Whether a value is a sequence of others: neither text nor bytes."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


def _spread(value: object) -> list[object]:
    return list(value) if isinstance(value, Sequence) and is_array(value) else [value]


def _child(node: object, step: _Step) -> object:
    if isinstance(node, Mapping):
        if step.is_attribute and "@" + step.name in node:
            return node["@" + step.name]
        return node.get(step.name, _MISSING)
    # Names begin with a letter, so nothing private and no machinery of Python is reached.
    if node is None or isinstance(node, str | bytes | bytearray | int | float | Decimal | date):
        return _MISSING
    found = getattr(node, step.name, _MISSING)
    return _MISSING if callable(found) else found


def is_number(value: object) -> bool:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def text_of(value: object) -> str | None:
    """The text of a value, or None where it has none.

    Text stays as it is. True and False become ``true`` and ``false``; numbers their decimals without an exponent, a
    float without a fraction as the whole number; dates and moments ISO 8601. What is not finite, has over 100 digits,
    or is anything else has no text.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value)) if value.bit_length() <= _MAX_DIGITS * 3 else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = Decimal(int(value)) if value.is_integer() else Decimal(repr(float(value)))
    if isinstance(value, Decimal):
        if not value.is_finite() or len(value.as_tuple().digits) > _MAX_DIGITS or abs(value.adjusted()) > _MAX_DIGITS:
            return None
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return None
