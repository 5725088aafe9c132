"""The numbers between a store and an indicator.

:meth:`msgtrack.tally.Tally.counts` gives them, and a store's own engine may give them instead. Zeros inside are not
kept, so two counts are equal when they say the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

from attrs import field, frozen

from msgtrack._borders import items, microseconds, zone_of
from msgtrack.events import EVENT_KINDS, Click, MirrorPageView, Open, OptOutClick
from msgtrack.model import FailureReason, LinkType, MessageStatus

__all__ = [
    "CLICK_ROW_KINDS",
    "MOBILE_CLICK",
    "PAGE_KINDS",
    "REACTION_KINDS",
    "SLOT_SECONDS",
    "SUCCESS",
    "Counts",
    "DeliveryCounts",
    "DomainCounts",
    "Excluded",
    "Failures",
    "LinkFacts",
    "Opened",
    "Reached",
    "ServiceCounts",
    "StepCounts",
    "Visits",
    "distinct",
    "local_day",
    "total_amount",
]

SLOT_SECONDS = 300
"""The width of a consolidated slot in seconds, the finest that counts can be cut (reference 7.5)."""

REACTION_KINDS = frozenset(kind for kind, cls in EVENT_KINDS.items() if cls.link_type is not None)
"""The kinds of event that are rows of the tracking log (``L`` of reference 7.1)."""

CLICK_ROW_KINDS = REACTION_KINDS - {Open.kind}
"""The kinds that count for a link in the per-link table: every reaction but the open (``url_id != 1``)."""

PAGE_KINDS = frozenset({Click.kind, MirrorPageView.kind, OptOutClick.kind})
"""The kinds that are pages viewed in the statistics of browsers and systems: clicks on the links of a message."""

MOBILE_CLICK = "mobile-click"
"""What a click on the link of a notification (``LinkType.MOBILE_CLICK``) goes by among kinds of reactions: reports disagree
whether it is a click."""

SUCCESS = frozenset({MessageStatus.SENT, MessageStatus.TAKEN_INTO_ACCOUNT, MessageStatus.RECEIVED_ON_MOBILE})
"""The statuses that count as delivered with success (reference 7.1)."""


_SUMS = Context(prec=100, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def total_amount(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts, exact up to a hundred digits; past that it is rounded alike in whatever order they come.

    >>> total_amount([Decimal("0.1"), Decimal("0.2"), Decimal("1e20")])
    Decimal('100000000000000000000.3')
    """
    total = Decimal(0)
    for amount in sorted(amounts):
        total = _SUMS.add(total, amount)
    return total


def distinct(reach: Mapping[str, int], *kinds: str, mobile: bool = True) -> int:
    """Distinct messages (or recipients) with a reaction of any of the kinds; of all kinds when none is named.

    ``reach`` says how many showed which set of kinds, the kinds in order and a space between them. A click on a
    notification (:data:`MOBILE_CLICK`) is a click, unless ``mobile`` is False.

    >>> distinct({"click": 1, "click open": 2, "open": 4}, "open")
    6
    >>> distinct({"click": 1, "mobile-click": 2}, "click"), distinct({"click": 1, "mobile-click": 2}, "click", mobile=False)
    (3, 1)
    """
    if not kinds:
        return sum(reach.values())
    wanted = set(kinds)
    if mobile and Click.kind in wanted:
        wanted.add(MOBILE_CLICK)
    return sum(times for shown, times in reach.items() if not wanted.isdisjoint(shown.split()))


def local_day(slot: int, zone: str) -> str:
    """The day in a zone that a slot (Unix seconds) begins on: ``2026-03-01``."""
    at = datetime.fromtimestamp(slot, UTC)
    # The first and last day of the calendar have no local time in every zone.
    with suppress(OverflowError):
        at = at.astimezone(zone_of(zone))
    return at.date().isoformat()


def _by_number(counts: Mapping[int, int]) -> dict[int, int]:
    return {key: counts[key] for key in sorted(counts) if counts[key]}


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts) if counts[key]}


def _by_kind(slots: Mapping[str, Mapping[str, Mapping[int, int]]]) -> dict[str, dict[str, dict[int, int]]]:
    kinds = {}
    for kind in sorted(slots):
        links = {link_id: kept for link_id in sorted(slots[kind]) if (kept := _by_number(slots[kind][link_id]))}
        if links:
            kinds[kind] = links
    return kinds


def _series(series: Mapping[str, Mapping[int, int]]) -> dict[str, dict[int, int]]:
    return {name: kept for name in sorted(series) if (kept := _by_number(series[name]))}


def _named(groups: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {by: kept for by in sorted(groups) if (kept := _by_name(groups[by]))}


def _rows(rows: Iterable[Any]) -> tuple[Any, ...]:
    return items(rows)


@frozen(kw_only=True)
class Failures:
    """Messages of one status that bear this failure type and reason (numbers of reference 8.1 and 8.3)."""

    status: int
    failure_type: int
    failure_reason: int
    messages: int


@frozen(kw_only=True)
class Excluded:
    """Exclusions by reason number and name of the rule."""

    failure_reason: int
    rule: str
    times: int


@frozen(kw_only=True)
class Opened:
    """Reactions through one kind of program, by kind; names are empty where nobody read the user agent."""

    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""
    is_mobile: bool | None = None
    reactions: Mapping[str, int] = field(factory=dict, converter=_by_name)


@frozen(kw_only=True)
class Visits:
    """A row of the user-agent statistics: who clicked on a day with one kind of program.

    ``visitors``: distinct persons by source id, and distinct messages where there is none; ``pages``: clicks
    (:data:`PAGE_KINDS`).
    """

    day: str
    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""
    is_mobile: bool | None = None
    visitors: int = 0
    pages: int = 0


@frozen(kw_only=True)
class Reached:
    """What one group (a link, a label, a day) reached: distinct messages by the kinds they showed, distinct persons who
    clicked, and reaction rows by kind, clicks on notifications apart (:data:`MOBILE_CLICK`).

    :func:`distinct` reads ``reach``. Groups overlap, so their distinct numbers do not add up to those of the whole.
    """

    reach: Mapping[str, int] = field(factory=dict, converter=_by_name)
    persons: int = 0
    reactions: Mapping[str, int] = field(factory=dict, converter=_by_name)


def _moments(moments: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(moments))


def _spans(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(spans))


@frozen(kw_only=True)
class ServiceCounts:
    """One service: moments in whole microseconds since 1970, in order, so that any period can be counted later.

    ``created``: when each subscription that has no end began; ``ended``: when each of the others began and ended, which
    were active in between; ``joined`` and ``left``: the rows of the history.
    """

    label: str = ""
    channel: str = "email"
    created: tuple[int, ...] = field(default=(), converter=_moments)
    ended: tuple[tuple[int, int], ...] = field(default=(), converter=_spans)
    joined: tuple[int, ...] = field(default=(), converter=_moments)
    left: tuple[int, ...] = field(default=(), converter=_moments)

    @staticmethod
    def before(moments: tuple[int, ...], at: datetime) -> int:
        """How many of the moments lie before ``at``."""
        return bisect_left(moments, microseconds(at))

    @staticmethod
    def after(moments: tuple[int, ...], at: datetime) -> int:
        """How many of the moments lie after ``at``."""
        return len(moments) - bisect_right(moments, microseconds(at))


@frozen(kw_only=True)
class StepCounts:
    """One web application: its steps in order, distinct persons by step, those who saw every step, and those who saw
    the first and no other.
    """

    label: str = ""
    steps: tuple[str, ...] = field(default=(), converter=_rows)
    persons: Mapping[str, int] = field(factory=dict, converter=_by_name)
    every: int = 0
    only_first: int = 0


@frozen(kw_only=True)
class DomainCounts:
    """One delivery's numbers within one domain class or one variant, seeds left out.

    - ``statuses``: messages by status number; ``failures``: failed messages by reason number;
    - ``text``: messages of format text, those with the status ``IGNORED`` apart, which were never sent;
    - ``reacted``: distinct messages with any reaction row; ``clicked``: distinct messages with a click;
    - ``reactions``: reaction rows by kind, clicks on notifications apart (:data:`MOBILE_CLICK`);
    - ``reach``: distinct messages by the kinds they showed, for :func:`distinct`; ``persons``: distinct source ids
      that clicked;
    - ``outcomes``: messages that bear a failure, whatever their status; ``quarantined``: messages whose error put the
      address in quarantine.

    Rows that name no message, or one that nobody registered, stand under the class ``Others`` and the variant "".
    """

    statuses: Mapping[int, int] = field(factory=dict, converter=_by_number)
    failures: Mapping[int, int] = field(factory=dict, converter=_by_number)
    text: int = 0
    reacted: int = 0
    clicked: int = 0
    reactions: Mapping[str, int] = field(factory=dict, converter=_by_name)
    reach: Mapping[str, int] = field(factory=dict, converter=_by_name)
    persons: int = 0
    outcomes: tuple[Failures, ...] = field(default=(), converter=_rows)
    quarantined: int = 0

    @property
    def to_deliver(self) -> int:
        """Messages whose status is not ``IGNORED``."""
        return sum(self.statuses.values()) - self.statuses.get(MessageStatus.IGNORED, 0)

    @property
    def success(self) -> int:
        """Messages delivered with success (:data:`SUCCESS`)."""
        return sum(self.statuses.get(status, 0) for status in SUCCESS)

    @property
    def prepared(self) -> int:
        """Messages handed to an external connector and no further yet."""
        return self.statuses.get(MessageStatus.PREPARED, 0)

    @property
    def failed(self) -> int:
        """Messages that could not be delivered."""
        return self.statuses.get(MessageStatus.FAILED, 0)

    @property
    def complaints(self) -> int:
        """Failed messages whose reason is a complaint (reason 8)."""
        return self.failures.get(FailureReason.DENYLISTED, 0)


@frozen(kw_only=True)
class LinkFacts:
    """What reports group a tracked link by; label, URL and category trimmed."""

    label: str = ""
    url: str = ""
    category: str = ""
    type: LinkType = LinkType.CLICK


@frozen(kw_only=True)
class DeliveryCounts:
    """One delivery's numbers.

    - ``to_deliver`` and ``text``: what the delivery says of itself, else counted over its messages;
    - ``domains``: by domain class; a class is there once a message or a reaction falls into it;
    - ``persons``: distinct source ids that clicked;
    - ``slots``: events by kind, link id ("" for none) and start of the five-minute slot in Unix seconds: the
      "consolidated tracking" of the reference;
    - ``links``: the registered links by id, opens apart;
    - ``amount`` and ``article``: sums over transactions;
    - ``total_target`` and ``reject``: what the delivery says of itself, else ``reject`` is the number of exclusions and
      ``total_target`` that and ``to_deliver`` together; None when neither is known;
    - ``exclusions``: by reason and rule; ``new_quarantine``: distinct addresses (per channel) that this delivery put in
      quarantine, by their records or by their messages;
    - ``handled`` and ``handled_bytes``: messages and bytes by outcome (``success``, ``error``) and slot of
      ``Message.event_at``; ``undated`` and ``unsized``: messages of such outcome without a moment, or without a size;
    - ``agents``: reactions by program; ``variants``: as ``domains``, by content variant, {} when there are none;
    - ``groups``: what was reached by ``link``, ``label``, ``url``, ``category`` and ``day`` (in the zone that counts were
      asked for);
    - ``shared_views``: mirror pages shown after a share, by network and slot; ``visitors`` and ``new_contacts``: people a
      share reached, and those of them who are recipients now, by slot of ``Visitor.created_at`` (-1 without one);
    - ``derived``: which of ``to_deliver``, ``text``, ``total_target`` and ``reject`` the delivery does not say, so that
      they were counted.
    """

    to_deliver: int = 0
    text: int = 0
    contact_at: datetime | None = None
    channel: str = "email"
    domains: Mapping[str, DomainCounts] = field(factory=dict)
    persons: int = 0
    slots: Mapping[str, Mapping[str, Mapping[int, int]]] = field(factory=dict, converter=_by_kind)
    links: Mapping[str, LinkFacts] = field(factory=dict)
    amount: Decimal = Decimal(0)
    article: int = 0
    typology: str = ""
    total_target: int | None = None
    reject: int | None = None
    exclusions: tuple[Excluded, ...] = field(default=(), converter=_rows)
    new_quarantine: int = 0
    handled: Mapping[str, Mapping[int, int]] = field(factory=dict, converter=_series)
    handled_bytes: Mapping[str, Mapping[int, int]] = field(factory=dict, converter=_series)
    undated: int = 0
    unsized: int = 0
    agents: tuple[Opened, ...] = field(default=(), converter=_rows)
    variants: Mapping[str, DomainCounts] = field(factory=dict)
    groups: Mapping[str, Mapping[str, Reached]] = field(factory=dict)
    shared_views: Mapping[str, Mapping[int, int]] = field(factory=dict, converter=_series)
    visitors: int = 0
    new_contacts: Mapping[int, int] = field(factory=dict, converter=_by_number)
    derived: tuple[str, ...] = field(default=(), converter=_rows)

    def rows(self, *kinds: str) -> int:
        """Events of the kinds."""
        return sum(sum(slots.values()) for kind in kinds for slots in self.slots.get(kind, {}).values())

    def clicks_by_link(self) -> dict[str, int]:
        """Rows of each link, opens apart; registered links that nobody followed are there with 0."""
        clicks = dict.fromkeys(self.links, 0)
        for kind in CLICK_ROW_KINDS:
            for link_id, slots in self.slots.get(kind, {}).items():
                clicks[link_id] = clicks.get(link_id, 0) + sum(slots.values())
        return clicks


@frozen(kw_only=True)
class Counts:
    """The final numbers of some deliveries: all that an indicator may know.

    ``deliveries`` goes by delivery id. Proofs and templates are not there; a delivery that nobody registered is,
    once a message or a counted event names it ("" stands for events that name none). ``persons``: distinct source
    ids that clicked, over all deliveries together; that is no sum of theirs, which is why tallies merge and counts
    do not. ``recipients``: distinct recipients by the kinds they showed, likewise (a message of no known recipient
    stands for one). ``persons_by``: distinct source ids that clicked over all deliveries, by ``domain`` class and by
    ``channel``. ``visits``: the user-agent statistics by day and program. ``services`` and ``applications`` by id.
    ``zone``: what days are cut by. ``distinct_error``: the relative standard error of distinct persons; 0.0 when exact.
    ``frozen``: the deliveries whose numbers were frozen before their events were purged: who is in two deliveries counts twice.
    """

    deliveries: Mapping[str, DeliveryCounts] = field(factory=dict)
    persons: int = 0
    recipients: Mapping[str, int] = field(factory=dict, converter=_by_name)
    persons_by: Mapping[str, Mapping[str, int]] = field(factory=dict, converter=_named)
    visits: tuple[Visits, ...] = field(default=(), converter=_rows)
    services: Mapping[str, ServiceCounts] = field(factory=dict)
    applications: Mapping[str, StepCounts] = field(factory=dict)
    zone: str = "UTC"
    distinct_error: float = 0.0
    frozen: tuple[str, ...] = field(default=(), converter=_rows)
