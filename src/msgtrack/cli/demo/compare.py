"""The demonstration's comparison: the indicators of the library against the ground truth, number by number."""

from __future__ import annotations

from attrs import define, field

from msgtrack.cli.demo.truth import Number, Truth
from msgtrack.metrics import Table, Value, catalogue

__all__ = ["COMPLETE", "Comparison", "compare"]

COMPLETE = "Tracking indicators"
"""The report of which the truth must know every indicator."""


@define
class Comparison:
    """How many numbers were compared, those that differ, and the indicators that the truth says nothing of."""

    compared: int = 0
    beyond: list[str] = field(factory=list)
    differences: list[str] = field(factory=list)

    def check(self, name: str, truth: Number, value: Value | None) -> None:
        """Compare one number; exactly, shares too, for both sides divide the same two whole numbers."""
        self.compared += 1
        found = None if value is None else value.value
        if found is None and truth is None:
            return
        if found is None or truth is None or found != truth:
            self.differences.append(f"{name}: the report says {found}, the truth is {truth}")


def compare(truth: Truth, table: Table) -> Comparison:
    """Compare all scalars and all series of the truth. A number that one side lacks is a difference too; of other reports
    than :data:`COMPLETE` the truth may lack indicators, and they are listed.
    """
    comparison = Comparison()
    for key in sorted({*table, *truth.scalars}):
        if key in truth.scalars and key in table:
            comparison.check(key, truth.scalars[key], table[key])
        elif key in truth.scalars:
            comparison.differences.append(f"{key}: the truth has it, the report does not")
        elif catalogue[key].report == COMPLETE:
            comparison.differences.append(f"{key}: the report has it, the truth does not")
        else:
            comparison.beyond.append(key)
    for (key, by), expected in truth.series.items():
        series = table.series(key, by=by)
        for group in sorted({*expected, *series}):
            comparison.check(f"{key} by {by} {group!r}", expected.get(group, 0), series.get(group))
    return comparison
