"""What became of messages, over a row of a report; and persons told apart over several deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgtrack.counts import MOBILE_CLICK, REACTION_KINDS, DeliveryCounts
from msgtrack.events import Click, PageVisit, Transaction
from msgtrack.metrics._sums import Sums
from msgtrack.model import FailureReason

__all__ = [
    "all_of",
    "channel_of",
    "derived",
    "failed",
    "failed_for",
    "known_persons",
    "partly_estimated",
    "persons",
    "processed",
    "reject_of",
    "rows_overlap",
    "together",
    "told",
    "total_target_of",
    "unbrowsed",
    "unmeasured",
    "unnamed",
    "unobserved",
    "untagged",
    "untold",
]


def processed(sums: Sums) -> int:
    """Messages prepared, failed or delivered with success."""
    return sum(part.prepared + part.failed + part.success for part in sums.parts)


def failed(sums: Sums) -> int:
    """Messages that failed, for whatever reason."""
    return sum(part.failed for part in sums.parts)


def failed_for(*reasons: FailureReason) -> Callable[[Sums], int]:
    """Messages that failed for one of the reasons."""
    return lambda sums: sum(part.failures.get(reason, 0) for part in sums.parts for reason in reasons)


def unmeasured(sums: Sums) -> tuple[str, ...]:
    """The caveat of a row without any message."""
    return () if any(part.statuses for part in sums.parts) else ("no-data",)


def unobserved(sums: Sums) -> tuple[str, ...]:
    """The caveat of reactions where there is neither a message nor any reaction, whatever the row."""
    is_there = any(d.slots or any(p.statuses for p in d.domains.values()) for d in sums.counts.deliveries.values())
    return () if is_there else ("no-data",)


def unnamed(*kinds: str, mobile: bool = True) -> Callable[[Sums], tuple[str, ...]]:
    """The caveat of distinct messages where there are reactions of these kinds (of any, when none is named) and none of them
    names its message, as with those whose policy is ``aggregate``.

    ``mobile``: whether a click on a notification is a click.
    """
    wanted = set(kinds) or {*REACTION_KINDS, MOBILE_CLICK}
    if mobile and Click.kind in wanted:
        wanted.add(MOBILE_CLICK)

    def doubts(sums: Sums) -> tuple[str, ...]:
        happened = any(sums.rows.get(kind) for kind in wanted)
        return ("no-data",) if happened and not sums.distinct(*kinds, mobile=mobile) else ()

    return doubts


def unbrowsed(sums: Sums) -> tuple[str, ...]:
    """The caveats of persons: there are clicks and none of them names a browser, or no set of them is left (:func:`together`)."""
    is_silent = sums.total_recipient_click and persons(sums) == 0
    return (*(("no-data",) if is_silent else ()), *together(sums))


def together(sums: Sums) -> tuple[str, ...]:
    """The caveat of distinct people over several deliveries of which some are numbers only, so that nobody can tell who is in
    two of them.
    """
    deliveries = sums.counts.deliveries
    return ("frozen",) if len(deliveries) > 1 and not deliveries.keys().isdisjoint(sums.counts.frozen) else ()


def untagged(sums: Sums) -> tuple[str, ...]:
    """The caveat of pages and transactions where no tagged page was ever visited, whatever the row."""
    # Zeros inside counts are not kept: a kind that is there happened. Rows ask this one by one, so it must not add slots up.
    is_there = any(
        kind in delivery.slots
        for delivery in sums.counts.deliveries.values()
        for kind in (PageVisit.kind, Transaction.kind)
    )
    return () if is_there else ("no-data",)


def derived(*names: str) -> Callable[[Sums], tuple[str, ...]]:
    """The caveat of numbers that a delivery should say itself, where one does not."""
    wanted = frozenset(names)

    def doubts(sums: Sums) -> tuple[str, ...]:
        is_derived = any(not wanted.isdisjoint(delivery.derived) for delivery in sums.counts.deliveries.values())
        return ("derived",) if is_derived else ()

    return doubts


def told(number_of: Callable[[DeliveryCounts], int | None]) -> Callable[[Sums], int | None]:
    """The sum over deliveries that say the number; None when none does."""

    def measure(sums: Sums) -> int | None:
        known = [number for d in sums.counts.deliveries.values() if (number := number_of(d)) is not None]
        return sum(known) if known else None

    return measure


def untold(*numbers_of: Callable[[DeliveryCounts], int | None]) -> Callable[[Sums], tuple[str, ...]]:
    """The caveat of a sum that some deliveries have a part in and others do not."""

    def doubts(sums: Sums) -> tuple[str, ...]:
        for number_of in numbers_of:
            said = {number_of(delivery) is not None for delivery in sums.counts.deliveries.values()}
            if len(said) > 1:
                return ("partly-undefined",)
        return ()

    return doubts


def total_target_of(delivery: DeliveryCounts) -> int | None:
    """The initial target that a delivery knows of."""
    return delivery.total_target


def reject_of(delivery: DeliveryCounts) -> int | None:
    """How many recipients a delivery knows to be left out."""
    return delivery.reject


def partly_estimated(sums: Sums) -> tuple[str, ...]:
    """The caveat of estimates of opens where some deliveries have one and others, of text messages alone, have none."""
    return ("partly-undefined",) if sums.partly_estimated else ()


def all_of(*doubts: Callable[[Sums], tuple[str, ...]]) -> Callable[[Sums], tuple[str, ...]]:
    """The caveats of several doubts together."""
    return lambda sums: tuple(code for doubt in doubts for code in doubt(sums))


def channel_of(delivery: DeliveryCounts) -> str:
    """The channel of a delivery as reports of one channel compare it: ``SMS`` is ``sms``."""
    return delivery.channel.strip().lower()


def known_persons(of_each: Iterable[int], together: Mapping[str, int] | None, name: str) -> int | None:
    """Distinct persons of a row: those of each delivery are given, and those of all ``together`` by the names of rows.

    None when several deliveries have some and nobody counted them together.
    """
    some = [number for number in of_each if number]
    if len(some) < 2:
        return sum(some)
    return None if together is None else together.get(name)


def persons(sums: Sums) -> int | Decimal | None:
    """Distinct persons who clicked: what the grouping says of its row, else those of all deliveries."""
    return sums["persons"] if "persons" in sums.numbers else sums.person_click


def rows_overlap(sums: Sums) -> tuple[str, ...]:
    """The caveat of persons in a row."""
    return ("not-additive",) if "persons" in sums.numbers else ()
