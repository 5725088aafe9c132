"""The report "Sharing to social networks": clicks on links whose category is a network's exact lower-case name."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator, Measure
from msgtrack.metrics._sums import Sums

__all__ = ["INDICATORS", "SHARE_NETWORKS", "no_icons"]

SHARE_NETWORKS = ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
"""The networks of the reference; some are gone, their names stay for old data."""


def no_icons(s: Sums) -> tuple[str, ...]:
    """Marks numbers of shares where no message had a link that shares it, so that nobody could."""
    links = (link for delivery in s.counts.deliveries.values() for link in delivery.links.values())
    return () if any(link.category in SHARE_NETWORKS for link in links) else ("no-data",)


def _clicks(network: str) -> Measure:
    return lambda s: s.share_clicks.get(network, 0)


INDICATORS: tuple[Indicator, ...] = tuple(
    Indicator(
        key=f"share_{network}",
        label=network.capitalize(),
        field=f"@{network}",
        report="Tracking indicators; Sharing to social networks",
        unit="count",
        formula=f"sum(S.total_clicks, url.category == '{network}')",
        measure=_clicks(network),
        doubts=no_icons,
        inputs=("Event.link_id", "TrackedLink.category"),
        notes="By the category of the link, whatever its type.",
    )
    for network in SHARE_NETWORKS
)
