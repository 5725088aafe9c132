"""Which events are asked for: one value that every store understands."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import (
    closed,
    flag,
    ids,
    items,
    optional_count,
    optional_id,
    optional_utc,
    shown,
    text_id,
    utc,
    zone_of,
)
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import Fact, delivery_of, moment_of, recipient_of
from msgtrack.model import Audience, Message, TrackedLink

__all__ = ["Query"]


class _ManyIds(tuple[str, ...]):  # noqa: SLOT001  # what is made once is kept beside the items
    """Ids among which one is found as quickly as among few."""

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self)

    def __contains__(self, name: object) -> bool:
        return name in self._known


_FEW = 8


def _ids(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    named = ids(value)
    return named if len(named) <= _FEW else _ManyIds(named)


def _kinds(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(_kind(item) for item in ((value,) if isinstance(value, str | type) else items(value)))


def _kind(value: object) -> str:
    name = value.kind if isinstance(value, type) and issubclass(value, Event) else value
    if isinstance(name, str) and name in EVENT_KINDS:
        return name
    raise InvalidValue(f"no event has the kind {shown(name)}; kinds are: {', '.join(EVENT_KINDS)}")


def _zone(value: object) -> str:
    zone_of(value)
    return str(value)


def _audiences(value: Any) -> tuple[Audience, ...] | None:
    if value is None or value == "all":
        return None
    return tuple(vocabulary.audience(item) for item in ((value,) if isinstance(value, str) else items(value)))


def _trimmed(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    words = (value,) if isinstance(value, str) else items(value)
    return tuple(dict.fromkeys(as_text(word).strip() for word in words))


def _domains(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(dict.fromkeys((as_text(value),) if isinstance(value, str) else map(as_text, items(value))))


def _excepted(value: Any) -> tuple[str, ...]:
    return _ids(value) or ()


def _position(value: Any) -> tuple[datetime, str] | None:
    if value is None:
        return None
    if isinstance(value, Event):
        return (value.occurred_at, value.id)
    pair: tuple[Any, ...] = items(value)
    if len(pair) != 2:
        raise InvalidValue(f"expected an event, or a moment and the id of an event, got {shown(value)}")
    return (utc(pair[0]), text_id(pair[1]))


@closed
@frozen(kw_only=True)
class Query:
    """Which events are asked for; every field narrows, None asks for all.

    - ``delivery_ids``, ``message_ids``, ``link_ids``: events that name one of them; ``except_delivery_ids``: events that name
      none of them, those without a delivery included.
    - ``recipient_id`` and ``domains``: events of messages there that are his, and of one of these domain classes;
    - ``labels`` and ``categories``: events of links there that go by one of them, as reports name links: trimmed, and by the URL
      where the label is empty.
    - ``kinds``: event classes or their kinds. ``audience``: one, several, or ``"all"``.
    - ``since`` and ``until``: a half-open window of ``occurred_at``.
    - ``limit``, ``after``, ``newest_first``: a page. At most ``limit`` events; only those behind ``after`` (an event, or its moment
      and id) in the order of the scan, which ``newest_first`` turns round.

    Deliveries, messages and links are narrowed by ``delivery_ids``, ``except_delivery_ids`` and ``message_ids`` alone, messages also by
    ``recipient_id``. Facts that belong to a delivery are narrowed by its id, those about a recipient by ``recipient_id``, views by
    the window; the rest of a query leaves facts alone. ``zone`` narrows nothing: it is the time zone by which ``counts`` cuts days.
    """

    delivery_ids: tuple[str, ...] | None = field(default=None, converter=_ids)
    message_ids: tuple[str, ...] | None = field(default=None, converter=_ids)
    recipient_id: str | None = field(default=None, converter=optional_id)
    kinds: tuple[str, ...] | None = field(default=None, converter=_kinds)
    audience: tuple[Audience, ...] | None = field(default=None, converter=_audiences)
    since: datetime | None = field(default=None, converter=optional_utc)
    until: datetime | None = field(default=None, converter=optional_utc)
    zone: str = field(default="UTC", converter=_zone)
    link_ids: tuple[str, ...] | None = field(default=None, converter=_ids)
    labels: tuple[str, ...] | None = field(default=None, converter=_trimmed)
    categories: tuple[str, ...] | None = field(default=None, converter=_trimmed)
    domains: tuple[str, ...] | None = field(default=None, converter=_domains)
    except_delivery_ids: tuple[str, ...] = field(default=(), converter=_excepted)
    limit: int | None = field(default=None, converter=optional_count)
    after: tuple[datetime, str] | None = field(default=None, converter=_position)
    newest_first: bool = field(default=False, converter=flag)

    @property
    def asks_messages(self) -> bool:
        """Whether the messages there decide which events pass (``admits_message``)."""
        return self.recipient_id is not None or self.domains is not None

    @property
    def asks_links(self) -> bool:
        """Whether the links there decide which events pass (``admits_link``)."""
        return self.labels is not None or self.categories is not None

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for."""
        return self.limit is not None or self.after is not None

    def admits_delivery(self, delivery_id: str | None) -> bool:
        """Whether what belongs to this delivery passes; None where it belongs to none."""
        return delivery_id not in self.except_delivery_ids and (
            self.delivery_ids is None or delivery_id in self.delivery_ids
        )

    def admits(self, event: Event) -> bool:
        """Whether an event passes, as far as that can be said without messages and links, and without counting to ``limit``."""
        return (
            self.admits_delivery(event.delivery_id)
            and (self.message_ids is None or event.message_id in self.message_ids)
            and (self.link_ids is None or event.link_id in self.link_ids)
            and (self.kinds is None or event.kind in self.kinds)
            and (self.audience is None or event.verdict.audience in self.audience)
            and (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
            and self._is_behind(event)
        )

    def _is_behind(self, event: Event) -> bool:
        if self.after is None:
            return True
        place = (event.occurred_at, event.id)
        return place < self.after if self.newest_first else place > self.after

    def admits_message(self, message: Message) -> bool:
        """Whether events of this message pass ``recipient_id`` and ``domains``."""
        return (self.recipient_id is None or message.recipient_id == self.recipient_id) and (
            self.domains is None or message.domain in self.domains
        )

    def admits_link(self, link: TrackedLink) -> bool:
        """Whether events of this link pass ``labels`` and ``categories``."""
        return (self.labels is None or (link.label.strip() or link.url.strip()) in self.labels) and (
            self.categories is None or link.category.strip() in self.categories
        )

    def admits_fact(self, fact: Fact) -> bool:
        """Whether a fact passes."""
        delivery_id, at = delivery_of(fact), moment_of(fact)
        return (
            (delivery_id is None or self.admits_delivery(delivery_id))
            and (self.recipient_id is None or recipient_of(fact) in (None, self.recipient_id))
            and (at is None or ((self.since is None or at >= self.since) and (self.until is None or at < self.until)))
        )
