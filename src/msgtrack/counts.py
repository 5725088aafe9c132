"""The numbers between a store and an indicator.

:meth:`msgtrack.tally.Tally.counts` gives them, and a store's own engine may give them instead. Zeros inside are not
kept, so two counts are equal when they say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from attrs import field, frozen

from msgtrack.events import EVENT_KINDS, Open
from msgtrack.model import FailureReason, LinkType, MessageStatus

__all__ = [
    "CLICK_ROW_KINDS",
    "REACTION_KINDS",
    "SLOT_SECONDS",
    "SUCCESS",
    "Counts",
    "DeliveryCounts",
    "DomainCounts",
    "LinkFacts",
    "total_amount",
]

SLOT_SECONDS = 300
"""The width of a consolidated slot in seconds, the finest that counts can be cut (reference 7.5)."""

REACTION_KINDS = frozenset(kind for kind, cls in EVENT_KINDS.items() if cls.link_type is not None)
"""The kinds of event that are rows of the tracking log (``L`` of reference 7.1)."""

CLICK_ROW_KINDS = REACTION_KINDS - {Open.kind}
"""The kinds that count for a link in the per-link table: every reaction but the open (``url_id != 1``)."""

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


@frozen(kw_only=True)
class DomainCounts:
    """One delivery's numbers within one domain class, seeds left out.

    - ``statuses``: messages by status number; ``failures``: failed messages by reason number;
    - ``text``: messages of format text, those with the status ``IGNORED`` apart, which were never sent;
    - ``reacted``: distinct messages with any reaction row; ``clicked``: distinct messages with a click;
    - ``reactions``: reaction rows by kind.

    Rows that name no message, or one that nobody registered, stand under the class ``Others``.
    """

    statuses: Mapping[int, int] = field(factory=dict, converter=_by_number)
    failures: Mapping[int, int] = field(factory=dict, converter=_by_number)
    text: int = 0
    reacted: int = 0
    clicked: int = 0
    reactions: Mapping[str, int] = field(factory=dict, converter=_by_name)

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
    - ``amount`` and ``article``: sums over transactions.
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
    do not.
    """

    deliveries: Mapping[str, DeliveryCounts] = field(factory=dict)
    persons: int = 0
