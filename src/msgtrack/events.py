"""Events: what happened to a message, in the past tense, whoever told us.

One class per kind. Reactions (``Open``, ``Click``, ``MirrorPageView``, ``OptOutClick``, ``PageVisit``,
``Transaction``) come from hits on our URLs; the rest from mailers, providers and bounces. A reaction's class
decides its link type, whatever a registry says of the link.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, ClassVar

from attrs import Attribute, field, fields, frozen

from msgtrack import vocabulary
from msgtrack._borders import closed, flag, name_of, optional_amount, optional_count, optional_id, shown, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.model import (
    OPEN_LINK_ID,
    UNJUDGED,
    Audience,
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
    return _digits(f"{int(at.timestamp()) & 0xFFFFFFFF:08x}", "".join([f"{len(part)}:{part}" for part in parts]))


UnhashedId = tuple[str, str, str, str, str]
"""What an id will be made of: the eight digits of its moment, and the text that the others are the hash of, in four: what stands
before the message's id, the message's id (its length is put before it), the link, and what stands behind.

Equal ones make equal ids, and others make others: so events can be counted by them before anything is hashed.
"""


def hashed_id(unhashed: UnhashedId) -> str:
    """The id, as :func:`event_id` makes it."""
    head, before, message_id, link, behind = unhashed
    return _digits(head, f"{before}{len(message_id)}:{message_id}{link}{behind}")


def _digits(head: str, text: str) -> str:
    return head + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _optional_part(value: object) -> Part | None:
    return None if value is None else vocabulary.part(value)


def _optional_client(value: Client | str | None) -> Client | None:
    if value is None or isinstance(value, Client):
        return value
    return Client(user_agent=_only_text(value, "a Client or a user agent"))


def _verdict(value: Verdict | Audience | str) -> Verdict:
    if isinstance(value, Verdict):
        return value
    return Verdict(audience=vocabulary.audience(_only_text(value, "a Verdict or an audience")))


def _only_text(value: object, wanted: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"expected {wanted}, got {shown(value)}")
    return value


@closed
@frozen(kw_only=True)
class Event:
    """What all events share.

    ``id`` may be left out: it is then derived from what makes the event itself (kind, moment, delivery, message, link,
    person, and the fields of its own class). ``message_id`` is None where nobody is named; ``source_id`` is the person
    key (a browser) and may be None.
    ``source`` names where the event came from, ``request_id`` the request behind it when the server gave it one.
    A bare user agent will do as ``client``, a bare audience as ``verdict``.
    """

    kind: ClassVar[str] = "event"
    link_type: ClassVar[LinkType | None] = None
    """The link type that a reaction of this class counts under; None for events that are no reactions."""

    _held: ClassVar[Any]  # The place of _id as it is; see below.

    occurred_at: datetime = field(converter=utc)
    delivery_id: str | None = field(default=None, converter=optional_id)
    message_id: str | None = field(default=None, converter=optional_id)
    _id: str | None = field(default=None, converter=optional_id)
    link_id: str | None = field(default=None, converter=optional_id)
    part: Part | None = field(default=None, converter=_optional_part)
    source_id: str | None = field(default=None, converter=optional_id)
    client: Client | None = field(default=None, converter=_optional_client)
    verdict: Verdict = field(default=UNJUDGED, converter=_verdict)
    is_seed: bool = field(default=False, converter=flag)
    is_proof: bool = field(default=False, converter=flag)
    source: str = field(default="", converter=as_text)
    request_id: str = field(default="", converter=as_text)

    @property
    def id(self) -> str:
        """The event's id: the one it was made with, else the derived one."""
        held: str | UnhashedId | None = self._held
        if isinstance(held, str):
            return held
        return _own_id(self) or self.derived_id()

    @property
    def has_own_id(self) -> bool:
        """Whether the event was made with an id; without one it is equal to nothing but itself in a fold."""
        return self._held is not None

    def derived_id(self, ordinal: int = 0) -> str:
        """The id that follows from the event's content; ``ordinal`` tells equal events of one source apart."""
        cls: Any = type(self)  # mypy takes the class for unhashable, as its instances' hash is of another shape
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
            *[_part_of(self, attribute) for attribute in _own_fields(cls) if _is_told(self, attribute)],
        )


# Who makes events by the million may put an UnhashedId into the place of the id (``_held``), which spares a hash to all that are
# not asked for theirs. Everybody else, attrs included, reads ``_id``: there the id is worked out when it is first read, and kept.
# Threads that do so at once find the same.


def _own_id(event: Event) -> str | None:
    held: str | UnhashedId | None = event._held
    if held is None or isinstance(held, str):
        return held
    own_id = hashed_id(held)
    _hold(event, own_id)
    return own_id


Event._held = Event.__dict__["_id"]
_hold = Event._held.__set__
setattr(Event, "_id", property(_own_id, _hold))  # noqa: B010  # an assignment would need a type: ignore


@cache
def _own_fields(cls: type[Any]) -> tuple[Attribute[Any], ...]:
    """What a class has beyond the fields of all events."""
    shared = {attribute.name for attribute in fields(Event)}
    return tuple(attribute for attribute in fields(cls) if attribute.name not in shared)


def _is_told(event: Event, attribute: Attribute[Any]) -> bool:
    # Defaults stay out of ids, so that a field added one day leaves the ids of events without it as they were.
    return bool(getattr(event, attribute.name) != attribute.default)


def _part_of(event: Event, attribute: Attribute[Any]) -> str:
    value = getattr(event, attribute.name)
    if value is None:
        return attribute.name
    if isinstance(value, Decimal):
        # Equal amounts may differ in their zeros (2.5, 2.50); the ratio in lowest terms is one text for all.
        numerator, denominator = value.as_integer_ratio()
        return f"{attribute.name}={numerator}/{denominator}"
    return f"{attribute.name}={name_of(value) if isinstance(value, Enum) else value}"


@closed
@frozen(kw_only=True)
class Open(Event):
    """The open image of a message was loaded."""

    kind: ClassVar[str] = "open"
    link_type: ClassVar[LinkType | None] = LinkType.OPEN
    link_id: str | None = field(default=OPEN_LINK_ID, converter=optional_id)


@closed
@frozen(kw_only=True)
class Click(Event):
    """An ordinary tracked link was followed."""

    kind: ClassVar[str] = "click"
    link_type: ClassVar[LinkType | None] = LinkType.CLICK


@closed
@frozen(kw_only=True)
class MirrorPageView(Event):
    """The web copy of a message was asked for through its tracked link."""

    kind: ClassVar[str] = "mirror-page-view"
    link_type: ClassVar[LinkType | None] = LinkType.MIRROR_PAGE


@closed
@frozen(kw_only=True)
class OptOutClick(Event):
    """An unsubscription link was followed; that alone unsubscribes nobody."""

    kind: ClassVar[str] = "opt-out-click"
    link_type: ClassVar[LinkType | None] = LinkType.OPT_OUT


@closed
@frozen(kw_only=True)
class PageVisit(Event):
    """A tagged web page was seen."""

    kind: ClassVar[str] = "page-visit"
    link_type: ClassVar[LinkType | None] = LinkType.WEB


@closed
@frozen(kw_only=True)
class Transaction(Event):
    """A tagged web page with amounts was seen: an amount of money and a number of items, both optional."""

    kind: ClassVar[str] = "transaction"
    link_type: ClassVar[LinkType | None] = LinkType.TRANSACTION
    amount: Decimal | None = field(default=None, converter=optional_amount)
    article: int | None = field(default=None, converter=optional_count)


@closed
@frozen(kw_only=True)
class Sent(Event):
    """The message was handed to the provider; no proof of receipt."""

    kind: ClassVar[str] = "sent"


@closed
@frozen(kw_only=True)
class Delivered(Event):
    """The receiving server took the message."""

    kind: ClassVar[str] = "delivered"


@closed
@frozen(kw_only=True)
class _Failure(Event):
    failure_type: FailureType = field(default=FailureType.UNDEFINED, converter=vocabulary.failure_type)
    failure_reason: FailureReason = field(default=FailureReason.NOT_DEFINED, converter=vocabulary.failure_reason)
    diagnostic: str = field(default="", converter=as_text)


@closed
@frozen(kw_only=True)
class Deferred(_Failure):
    """The receiving server put the message off; it will be tried again."""

    kind: ClassVar[str] = "deferred"


@closed
@frozen(kw_only=True)
class Bounced(_Failure):
    """The message came back or was refused for good; ``diagnostic`` is the server's own text."""

    kind: ClassVar[str] = "bounced"


@closed
@frozen(kw_only=True)
class Complained(Event):
    """The recipient reported the message as unwanted."""

    kind: ClassVar[str] = "complained"


@closed
@frozen(kw_only=True)
class Unsubscribed(Event):
    """The recipient left a service; None is the whole channel."""

    kind: ClassVar[str] = "unsubscribed"
    service_id: str | None = field(default=None, converter=optional_id)


@closed
@frozen(kw_only=True)
class Subscribed(Event):
    """The recipient joined a service."""

    kind: ClassVar[str] = "subscribed"
    service_id: str | None = field(default=None, converter=optional_id)


@closed
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
