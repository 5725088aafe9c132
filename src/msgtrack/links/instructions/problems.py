"""What can be wrong with instructions and expressions: the closed list of codes, and how an error says where."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgtrack.errors import CompileError

__all__ = ["INSTRUCTION_ERRORS", "problem"]

INSTRUCTION_ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "bad-index": "An index is no whole number, lies past the end, or stands where there is no array to take from.",
        "bad-xpath": "A path is not one of the few shapes that are read.",
        "expansion-limit": "The text grows too long, goes too deep, or takes too many steps.",
        "include-cycle": "A text includes itself, directly or by way of others.",
        "malformed-instruction": "An instruction cannot be read: a quote is missing, or it begins or ends the wrong way.",
        "missing-attribute": "An attribute that the instruction needs is not there.",
        "missing-loader": "Nothing was passed in that could load the text or the object.",
        "no-value": "The path leads to nothing, to None, or to several values where one is needed.",
        "not-text": "What was loaded is no text, or a value has no text form.",
        "stray-end": "An `end` closes nothing.",
        "unclosed-foreach": "A `foreach` has no `end` in the text where it stands.",
        "unclosed-instruction": "An instruction has no `%>`.",
        "unknown-attribute": "An attribute that the instruction does not have, or a second source in an `include`.",
        "unknown-include": "The loader does not know the name.",
        "unknown-instruction": "There are `include`, `value`, `foreach` and `end`, in small letters.",
        "unknown-object": "There is no object of this name, and no loop around gives one.",
        "unsupported-script": (
            "An expression is more than property paths, literals, `+` and the functions of the list; or it is a script."
        ),
    }
)
"""Every code of an error that instructions and expressions raise, with what it means."""


def problem(code: str, message: str, place: tuple[int, int] | None = None, *, hint: str = "") -> CompileError:
    """An error of the list.

    Args:
        code: one of ``INSTRUCTION_ERRORS``.
        message: what was wrong.
        place: line and column, both from 1.
        hint: what to do about it.
    """
    if code not in INSTRUCTION_ERRORS:
        raise KeyError(code)
    line, column = place or (None, None)
    return CompileError(message, line=line, column=column, code=code, hint=hint)
