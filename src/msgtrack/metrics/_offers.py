"""Offers: links that are registered as those of an offer, which the reports of the web interface and hot clicks tell apart."""

from __future__ import annotations

from msgtrack.metrics._sums import Sums
from msgtrack.model import LinkType

__all__ = ["OFFERS", "no_offers", "offer_rows"]

OFFERS = frozenset({LinkType.OFFER_CLICK, LinkType.OFFER_INTERESTED})
"""The types of such links; what happens on them are ordinary clicks."""


def offer_rows(sums: Sums, *kinds: str) -> int:
    """Reactions of the kinds on links of offers, over all that was asked for."""
    return sum(
        sum(slots.values())
        for delivery in sums.counts.deliveries.values()
        for kind in kinds
        for link_id, slots in delivery.slots.get(kind, {}).items()
        if link_id in delivery.links and delivery.links[link_id].type in OFFERS
    )


def no_offers(sums: Sums) -> tuple[str, ...]:
    """The doubt about a zero where no link of an offer was ever registered."""
    links = (link for delivery in sums.counts.deliveries.values() for link in delivery.links.values())
    return () if any(link.type in OFFERS for link in links) else ("no-data",)
