"""The report "Subscription tracking": who took a service, joined it and left it."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
