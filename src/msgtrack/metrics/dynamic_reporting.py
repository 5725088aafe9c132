"""The report "Dynamic reporting (web UI)": the family of the web interface, with its own definitions."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
