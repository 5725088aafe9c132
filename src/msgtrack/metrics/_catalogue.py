"""The catalogue: every indicator there is, by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from msgtrack.errors import NotSupported, UnknownIndicator
from msgtrack.metrics import opens, sharing, tracking_indicators, tracking_statistics, urls
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._planned import PLANNED

__all__ = ["Catalogue", "catalogue"]


class Catalogue(Mapping[str, Indicator]):
    """Indicators by key, in the order of their reports; it never changes."""

    __slots__ = ("_by_key",)

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self._by_key = {indicator.key: indicator for indicator in indicators}

    def __getitem__(self, key: str) -> Indicator:
        """The indicator of this key.

        Raises:
            NotSupported: an indicator of the reference that is not computed yet.
            UnknownIndicator: no indicator has the key (also a ``KeyError``).
        """
        found = self._by_key.get(key)
        if found is not None:
            return found
        for report, keys in PLANNED.items():
            if key in keys:
                raise NotSupported(f"the indicator {key!r} (report {report!r}) is not computed yet")
        near = get_close_matches(str(key), self._by_key, n=3)
        raise UnknownIndicator(
            f"there is no indicator {key!r:.80}", hint=f"did you mean {' or '.join(near)}?" if near else ""
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self)} indicators>"


catalogue = Catalogue(
    indicator
    for report in (tracking_indicators, sharing, opens, urls, tracking_statistics)
    for indicator in report.INDICATORS
)
"""Every indicator that can be computed."""
