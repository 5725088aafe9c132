"""The report "Sharing to social networks": clicks on links whose category is a network's exact lower-case name."""

from __future__ import annotations

from msgtrack.metrics._indicator import Indicator, Measure

__all__ = ["INDICATORS", "SHARE_NETWORKS"]

SHARE_NETWORKS = ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
"""The networks of the reference; some are gone, their names stay for old data."""


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
        inputs=("Event.link_id", "TrackedLink.category"),
        notes="By the category of the link, whatever its type.",
    )
    for network in SHARE_NETWORKS
)
