"""The report "Web UI SMS report" and "Web UI push report": clicks in channels other than email."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
