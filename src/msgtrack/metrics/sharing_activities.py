"""The report "Statistics on sharing activities": new contacts, opens and shares."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator

__all__ = ["INDICATORS"]

INDICATORS: tuple[Indicator, ...] = ()
