"""What became of messages, over a row of a report; and persons told apart over several deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgtrack.events import PageVisit, Transaction
from msgtrack.metrics._sums import Sums
from msgtrack.model import FailureReason

__all__ = [
    "all_of",
    "derived",
    "failed",
    "failed_for",
    "known_persons",
    "persons",
    "processed",
    "rows_overlap",
    "unmeasured",
    "unobserved",
    "untagged",
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


def untagged(sums: Sums) -> tuple[str, ...]:
    """The caveat of pages and transactions where no tagged page was ever visited, whatever the row."""
    deliveries = sums.counts.deliveries.values()
    return () if any(delivery.rows(PageVisit.kind, Transaction.kind) for delivery in deliveries) else ("no-data",)


def derived(*names: str) -> Callable[[Sums], tuple[str, ...]]:
    """The caveat of numbers that a delivery should say itself, where one does not."""
    wanted = frozenset(names)

    def doubts(sums: Sums) -> tuple[str, ...]:
        is_derived = any(not wanted.isdisjoint(delivery.derived) for delivery in sums.counts.deliveries.values())
        return ("derived",) if is_derived else ()

    return doubts


def all_of(*doubts: Callable[[Sums], tuple[str, ...]]) -> Callable[[Sums], tuple[str, ...]]:
    """The caveats of several doubts together."""
    return lambda sums: tuple(code for doubt in doubts for code in doubt(sums))


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
