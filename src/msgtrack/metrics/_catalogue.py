"""The catalogue: every indicator there is, by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from msgtrack._borders import shown
from msgtrack.errors import UnknownIndicator
from msgtrack.metrics import (
    bounces,
    browsers,
    channel_reports,
    delivery_node,
    delivery_statistics,
    delivery_summary,
    dynamic_reporting,
    home_kpis,
    hot_clicks,
    opens,
    operating_systems,
    pareto,
    sharing,
    sharing_activities,
    social_sharing,
    subscriptions,
    throughput,
    tracking_indicators,
    tracking_statistics,
    url_streams,
    urls,
    user_activities,
    web_applications,
)
from msgtrack.metrics._indicator import Indicator

__all__ = ["Catalogue", "catalogue"]

_REPORTS = (
    tracking_indicators,
    sharing,
    opens,
    urls,
    url_streams,
    tracking_statistics,
    pareto,
    user_activities,
    hot_clicks,
    delivery_summary,
    delivery_statistics,
    bounces,
    throughput,
    browsers,
    operating_systems,
    social_sharing,
    sharing_activities,
    subscriptions,
    delivery_node,
    web_applications,
    home_kpis,
    dynamic_reporting,
    channel_reports,
)


class Catalogue(Mapping[str, Indicator]):
    """Indicators by key, in the order of their reports; it never changes."""

    __slots__ = ("_by_key",)

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self._by_key = {indicator.key: indicator for indicator in indicators}

    def __getitem__(self, key: str) -> Indicator:
        """The indicator of this key.

        Raises:
            UnknownIndicator: no indicator has the key (also a ``KeyError``).
        """
        found = self._by_key.get(key)
        if found is not None:
            return found
        near = get_close_matches(key if isinstance(key, str) else "", self._by_key)
        raise UnknownIndicator(
            f"there is no indicator {shown(key)}", hint=f"did you mean {' or '.join(near)}?" if near else ""
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self)} indicators>"


catalogue = Catalogue(indicator for report in _REPORTS for indicator in report.INDICATORS)
"""Every indicator of the reference."""
