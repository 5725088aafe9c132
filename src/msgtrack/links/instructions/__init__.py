"""The campaign syntax: ``<%@ … %>`` instructions, carried out once per delivery, and ``<%= … %>`` expressions, worked
out for each message.
"""

from __future__ import annotations

from msgtrack.links.instructions.expanding import MAX_SIZE, MAX_STEPS, expand
from msgtrack.links.instructions.expressions import MAX_EXPRESSION, Expression
from msgtrack.links.instructions.origins import Expanded, Origin
from msgtrack.links.instructions.problems import INSTRUCTION_ERRORS
from msgtrack.links.instructions.reading import MAX_DEPTH

__all__ = [
    "INSTRUCTION_ERRORS",
    "MAX_DEPTH",
    "MAX_EXPRESSION",
    "MAX_SIZE",
    "MAX_STEPS",
    "Expanded",
    "Expression",
    "Origin",
    "expand",
]
