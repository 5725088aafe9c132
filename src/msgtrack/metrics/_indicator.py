"""An indicator: a row of the catalogue, with its formula as text for people and as functions of :class:`Sums`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from attrs import field as attribute
from attrs import frozen

from msgtrack._borders import texts
from msgtrack.metrics._misreadings import MISREADINGS
from msgtrack.metrics._proportions import NO_PROPORTIONS
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums
from msgtrack.metrics._values import Unit, Value, quotient

__all__ = ["METRICS_PAGE", "REPORTS_PAGE", "Indicator", "Measure"]

METRICS_PAGE = "v8 reporting/metrics-calculation"
REPORTS_PAGE = "v8 reporting/delivery-reports"

Measure = Callable[[Sums], int | Decimal | None]
"""A number out of sums; None where it is undefined."""


def _no_doubts(_: Sums) -> tuple[str, ...]:
    return ()


@frozen(kw_only=True)
class Indicator:
    """One indicator of the catalogue.

    - ``key``, ``label``, ``field`` (its name in the model system, "-" for none), ``report``, ``unit``;
    - ``formula``: in the notation of reference 7.1; ``inputs``: the indicators and the fields of facts that it
      stands on;
    - ``groupings``: what :meth:`Table.series` takes for it; ``shape`` says the same as one word or a tuple;
    - ``estimated``: an estimate, however exact its inputs; ``is_share``: a ratio that is read as a percentage;
    - ``notes`` and ``sources``; ``caveats``: codes that every value of it carries;
    - ``is_cumulated``: in bins each value holds all that came up to its end, so it goes on where nothing happens;
    - ``is_signed``: below zero is a finding (a balance, a growth) and no contradiction; ``otherwise``: what the reference
      prints where there is nothing to divide by, when that is not 0; ``is_blank``: it prints nothing at all where ``measure``
      gives None.

    ``measure`` (and ``over``, for quotients) compute it; ``doubts`` finds the further caveats of particular sums. ``cuts``
    are the groupings that it does not share with other reports. ``undefined`` is the caveat of a value whose ``measure``
    gives None.
    """

    key: str
    label: str
    report: str
    unit: Unit
    formula: str
    measure: Measure = attribute(repr=False)
    over: Measure | None = attribute(default=None, repr=False)
    doubts: Callable[[Sums], tuple[str, ...]] = attribute(default=_no_doubts, repr=False)
    cuts: Mapping[str, Callable[[Scope], Mapping[str, Sums]]] = attribute(factory=dict, repr=False)
    undefined: str = "no-denominator"
    field: str = "-"
    groupings: tuple[str, ...] = attribute(default=(), converter=texts)
    inputs: tuple[str, ...] = attribute(default=(), converter=texts)
    estimated: bool = False
    is_share: bool = False
    is_cumulated: bool = False
    is_signed: bool = False
    otherwise: float | None = None
    is_blank: bool = False
    notes: str = ""
    sources: tuple[str, ...] = attribute(default=(METRICS_PAGE,), converter=texts)
    caveats: tuple[str, ...] = attribute(default=(), converter=texts)

    @property
    def shape(self) -> Literal["scalar"] | tuple[str, ...]:
        """``"scalar"``, or the groupings that it comes by besides."""
        return self.groupings or "scalar"

    @property
    def misreading(self) -> str:
        """What it does not mean, in a sentence that begins with "Not"; empty for an indicator of one's own."""
        return MISREADINGS.get(self.key, "")

    def value(self, sums: Sums) -> Value:
        """The indicator over these sums, caveats and all."""
        top = self.measure(sums)
        bottom = None if self.over is None else self.over(sums)
        caveats = [*self.caveats, *self.doubts(sums)]
        number: int | float | Decimal | None = top
        if top is None:
            caveats.append(self.undefined)
        elif self.over is not None and not bottom:
            number = None
            caveats.append("no-denominator")
        elif bottom:
            number = quotient(top, bottom, self.unit)
            if number is None:
                caveats.append("out-of-range")
        # Two numbers below zero make a quotient above it, and nothing over one below zero is still nothing.
        is_below = number is not None and (number < 0 or (self.over is not None and bottom is not None and bottom < 0))
        if is_below and not self.is_signed:
            caveats.append("negative")
        if isinstance(number, float) and not number:
            number = 0.0
        if number is not None and number > 1 and self.is_share:
            caveats.append("above-one")
        if self.estimated:
            caveats.append("estimate")
        return Value(
            value=number,
            unit=self.unit,
            numerator=None if self.over is None else top,
            denominator=bottom,
            estimated=self.estimated,
            is_share=self.is_share,
            is_proportion=self.key not in NO_PROPORTIONS,
            otherwise=self.otherwise if top is not None and not bottom else None,
            is_blank=self.is_blank and top is None,
            caveats=caveats,
        )
