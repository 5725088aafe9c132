"""The report "URLs and click streams" in detail: rows beyond the first, clicks per day, platform averages, the first ten."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
