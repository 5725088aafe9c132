"""The report "User activities": opens, clicks and transactions per bin."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
