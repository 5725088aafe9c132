"""The report "Tracking statistics" (time to reach a share of all reactions): how soon they came."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
