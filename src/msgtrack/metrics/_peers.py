"""Peers: the deliveries that a platform average is taken over (reference 7.7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgtrack._borders import utc
from msgtrack.errors import InvalidOption
from msgtrack.metrics._time import SIX_MONTHS
from msgtrack.model import Delivery

__all__ = ["is_peer", "peer_window"]


def peer_window(now: datetime | None) -> tuple[datetime, datetime]:
    """From six months (183 days) before the report to its moment.

    Raises:
        InvalidOption: nobody said when the report is.
        NaiveDatetime: the moment has no time zone.
    """
    if now is None:
        raise InvalidOption("peers are those of the six months before now: give now as well")
    moment = utc(now)
    return moment - SIX_MONTHS, moment


def is_peer(delivery: Delivery, asked: Iterable[Delivery], window: tuple[datetime, datetime]) -> bool:
    """Whether a delivery was launched within the window, both ends included, with the typology and channel of one of those
    asked for, and is neither proof nor template. One of those itself is its own peer.
    """
    first, last = window
    if delivery.is_proof or delivery.is_template or delivery.contact_at is None:
        return False
    kinds = {(one.typology, one.channel) for one in asked}
    return first <= delivery.contact_at <= last and (delivery.typology, delivery.channel) in kinds
