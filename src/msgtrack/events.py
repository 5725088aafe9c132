"""Events: what happened to a message, in the past tense, whoever told us.

One class per kind. Reactions (``Open``, ``Click``, ``MirrorPageView``, ``OptOutClick``, ``PageVisit``,
``Transaction``) come from hits on our URLs; the rest from mailers, providers and bounces. A reaction's class
decides its link type, whatever a registry says of the link.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import optional_amount, optional_count, optional_id, utc
from msgtrack._borders import text as as_text
from msgtrack.model import (
    OPEN_LINK_ID,
    UNJUDGED,
    Client,
    FailureReason,
    FailureType,
    LinkType,
    Part,
    Verdict,
)

__all__ = [
    "EVENT_KINDS",
    "Bounced",
    "Click",
    "Complained",
    "Deferred",
    "Delivered",
    "Event",
    "MirrorPageView",
    "Open",
    "OptOutClick",
    "PageVisit",
    "Sent",
    "Subscribed",
    "Transaction",
    "Unknown",
    "Unsubscribed",
    "event_id",
]


def event_id(at: datetime, *parts: str) -> str:
    """The id of an event made of ``parts``: 32 hexadecimal digits, 4 bytes of time and 12 of SHA-256.

    The time prefix (seconds since 1970, unsigned, modulo 2**32) lets indexes grow at one end. Parts are written with
    their length before them, so no two lists of parts look alike. Equal parts at an equal second give an equal id.
    """
    digest = hashlib.sha256("".join([f"{len(part)}:{part}" for part in parts]).encode("utf-8", "surrogatepass"))
    return f"{int(at.timestamp()) & 0xFFFFFFFF:08x}{digest.hexdigest()[:24]}"


def _optional_part(value: object) -> Part | None:
    return None if value is None else vocabulary.part(value)


@frozen(kw_only=True)
class Event:
    """What all events share.

    ``id`` may be left out: it is then derived from what makes the event itself (kind, moment, delivery, message, link,
    person). ``message_id`` is None where nobody is named; ``source_id`` is the person key (a browser) and may be None.
    ``source`` names where the event came from, ``request_id`` the request behind it when the server gave it one.
    """

    kind: ClassVar[str] = "event"
    link_type: ClassVar[LinkType | None] = None
    """The link type that a reaction of this class counts under; None for events that are no reactions."""

    occurred_at: datetime = field(converter=utc)
    delivery_id: str | None = field(default=None, converter=optional_id)
    message_id: str | None = field(default=None, converter=optional_id)
    _id: str | None = field(default=None, converter=optional_id)
    link_id: str | None = field(default=None, converter=optional_id)
    part: Part | None = field(default=None, converter=_optional_part)
    source_id: str | None = field(default=None, converter=optional_id)
    client: Client | None = None
    verdict: Verdict = UNJUDGED
    is_seed: bool = False
    is_proof: bool = False
    source: str = field(default="", converter=as_text)
    request_id: str = field(default="", converter=as_text)

    @property
    def id(self) -> str:
        """The event's id: the one it was made with, else the derived one."""
        return self._id if self._id is not None else self.derived_id()

    @property
    def has_own_id(self) -> bool:
        """Whether the event was made with an id; without one it is equal to nothing but itself in a fold."""
        return self._id is not None

    def derived_id(self, ordinal: int = 0) -> str:
        """The id that follows from the event's content; ``ordinal`` tells equal events of one source apart."""
        return event_id(
            self.occurred_at,
            self.kind,
            self.occurred_at.isoformat(),
            self.delivery_id or "",
            self.message_id or "",
            self.link_id or "",
            self.source_id or "",
            self.client.user_agent if self.client else "",
            self.source,
            str(ordinal),
        )


@frozen(kw_only=True)
class Open(Event):
    """The open image of a message was loaded."""

    kind: ClassVar[str] = "open"
    link_type: ClassVar[LinkType | None] = LinkType.OPEN
    link_id: str | None = field(default=OPEN_LINK_ID, converter=optional_id)


@frozen(kw_only=True)
class Click(Event):
    """An ordinary tracked link was followed."""

    kind: ClassVar[str] = "click"
    link_type: ClassVar[LinkType | None] = LinkType.CLICK


@frozen(kw_only=True)
class MirrorPageView(Event):
    """The web copy of a message was asked for through its tracked link."""

    kind: ClassVar[str] = "mirror-page-view"
    link_type: ClassVar[LinkType | None] = LinkType.MIRROR_PAGE


@frozen(kw_only=True)
class OptOutClick(Event):
    """An unsubscription link was followed; that alone unsubscribes nobody."""

    kind: ClassVar[str] = "opt-out-click"
    link_type: ClassVar[LinkType | None] = LinkType.OPT_OUT


@frozen(kw_only=True)
class PageVisit(Event):
    """A tagged web page was seen."""

    kind: ClassVar[str] = "page-visit"
    link_type: ClassVar[LinkType | None] = LinkType.WEB


@frozen(kw_only=True)
class Transaction(Event):
    """A tagged web page with amounts was seen: an amount of money and a number of items, both optional."""

    kind: ClassVar[str] = "transaction"
    link_type: ClassVar[LinkType | None] = LinkType.TRANSACTION
    amount: Decimal | None = field(default=None, converter=optional_amount)
    article: int | None = field(default=None, converter=optional_count)


@frozen(kw_only=True)
class Sent(Event):
    """The message was handed to the provider; no proof of receipt."""

    kind: ClassVar[str] = "sent"


@frozen(kw_only=True)
class Delivered(Event):
    """The receiving server took the message."""

    kind: ClassVar[str] = "delivered"


@frozen(kw_only=True)
class _Failure(Event):
    failure_type: FailureType = field(default=FailureType.UNDEFINED, converter=vocabulary.failure_type)
    failure_reason: FailureReason = field(default=FailureReason.NOT_DEFINED, converter=vocabulary.failure_reason)
    diagnostic: str = field(default="", converter=as_text)


@frozen(kw_only=True)
class Deferred(_Failure):
    """The receiving server put the message off; it will be tried again."""

    kind: ClassVar[str] = "deferred"


@frozen(kw_only=True)
class Bounced(_Failure):
    """The message came back or was refused for good; ``diagnostic`` is the server's own text."""

    kind: ClassVar[str] = "bounced"


@frozen(kw_only=True)
class Complained(Event):
    """The recipient reported the message as unwanted."""

    kind: ClassVar[str] = "complained"


@frozen(kw_only=True)
class Unsubscribed(Event):
    """The recipient left a service; None is the whole channel."""

    kind: ClassVar[str] = "unsubscribed"
    service_id: str | None = field(default=None, converter=optional_id)


@frozen(kw_only=True)
class Subscribed(Event):
    """The recipient joined a service."""

    kind: ClassVar[str] = "subscribed"
    service_id: str | None = field(default=None, converter=optional_id)


@frozen(kw_only=True)
class Unknown(Event):
    """Somebody told us something that we have no word for; ``name`` is their word."""

    kind: ClassVar[str] = "unknown"
    name: str = field(default="", converter=as_text)


EVENT_KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        Open,
        Click,
        MirrorPageView,
        OptOutClick,
        PageVisit,
        Transaction,
        Sent,
        Delivered,
        Deferred,
        Bounced,
        Complained,
        Unsubscribed,
        Subscribed,
        Unknown,
    )
}
"""Every event class by its kind, the word that stands for it in JSON and in databases."""
