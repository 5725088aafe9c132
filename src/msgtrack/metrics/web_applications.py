"""The report "Web application tracking (v7)": how far people went."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
