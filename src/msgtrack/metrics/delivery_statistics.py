"""The report "Delivery statistics (Broadcast statistics)": what came of the messages, per domain."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
