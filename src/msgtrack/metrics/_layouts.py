"""Every report there is, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgtrack.metrics import _layouts_people, _layouts_sending, _layouts_tracking, _layouts_web
from msgtrack.metrics._layout import Layout

__all__ = ["layouts"]

layouts: Mapping[str, Layout] = MappingProxyType(
    {
        layout.name: layout
        for group in (_layouts_tracking, _layouts_sending, _layouts_people, _layouts_web)
        for layout in group.LAYOUTS
    }
)
"""The reports of the reference by name, such as ``tracking-indicators``, each with the indicators of its blocks."""
