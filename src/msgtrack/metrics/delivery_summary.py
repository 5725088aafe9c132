"""The report "Delivery summary": the population, what was rejected, success, errors and new quarantines."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
