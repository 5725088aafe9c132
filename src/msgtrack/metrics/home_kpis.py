"""The report "Web UI home KPIs": the figures of the start page, per channel."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
