"""The report "Delivery throughput": messages and bits handled over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import partial
from math import gcd

from msgtrack.counts import SLOT_SECONDS
from msgtrack.metrics._groups import default_width
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.metrics._time import bin_end, bin_start

__all__ = ["INDICATORS"]

_GLOBAL_PAGE = "v8 reporting/global-reports"
_OUTCOMES = ("success", "error")
_HOUR = 3600

_Slots = Mapping[str, Mapping[int, int]]


def _slots(scope: Scope) -> list[int]:
    return sorted({slot for d in scope.counts.deliveries.values() for of in d.handled.values() for slot in of})


def _at(slot: int) -> datetime:
    return datetime.fromtimestamp(slot, UTC)


def _seconds(at: datetime, width: int, zone: tzinfo) -> int:
    """How long the bin of a moment lasts: not its width where clocks change in it."""
    try:
        start, end = (moment.astimezone(UTC) for moment in (bin_start(at, width, zone), bin_end(at, width, zone)))
    except OverflowError:  # at the ends of the calendar
        return width
    return int((end - start).total_seconds())


def _of_outcomes(series: _Slots, outcomes: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for outcome in outcomes:
        yield from series.get(outcome, {}).items()


def _by_bin(scope: Scope, outcomes: tuple[str, ...] = _OUTCOMES) -> dict[str, Sums]:
    slots = _slots(scope)
    if not slots:
        return {}
    width = scope.bin_seconds or default_width(scope.counts, slots[0], slots[-1])
    messages: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for delivery in scope.counts.deliveries.values():
        for slot, times in _of_outcomes(delivery.handled, outcomes):
            messages[slot] += times
        for slot, size in _of_outcomes(delivery.handled_bytes, outcomes):
            sizes[slot] += size
    bins: dict[datetime, list[int]] = {}
    for slot in slots:
        bins.setdefault(bin_start(_at(slot), width, scope.zone).astimezone(UTC), []).append(slot)
    return {
        bin_start(_at(inside[0]), width, scope.zone).isoformat(): of_numbers(
            scope,
            messages=sum(messages[slot] for slot in inside),
            bytes=sum(sizes[slot] for slot in inside),
            bin_seconds=_seconds(_at(inside[0]), width, scope.zone),
        )
        for inside in bins.values()
    }


def _over_all(scope: Scope, outcomes: tuple[str, ...] = _OUTCOMES) -> Mapping[str, int | Decimal | None]:
    """What was handled from the first to the last slot in which anything was, {} when nothing was."""
    slots = _slots(scope)
    if not slots:
        return {}
    deliveries = scope.counts.deliveries.values()
    return {
        "messages": sum(times for d in deliveries for _, times in _of_outcomes(d.handled, outcomes)),
        "bytes": sum(size for d in deliveries for _, size in _of_outcomes(d.handled_bytes, outcomes)),
        "span_seconds": slots[-1] + SLOT_SECONDS - slots[0],
    }


def _by_outcome(scope: Scope) -> dict[str, Sums]:
    return {outcome: of_numbers(scope, **numbers) for outcome in _OUTCOMES if (numbers := _over_all(scope, (outcome,)))}


def _numbers(sums: Sums) -> tuple[int, int, int] | None:
    """Messages, bytes and seconds of a row, or of everything; None when nothing was handled at a known moment."""
    found = sums.numbers or _over_all(sums.scope)
    if not found:
        return None
    seconds = found["bin_seconds"] if "bin_seconds" in found else found["span_seconds"]
    return int(found["messages"] or 0), int(found["bytes"] or 0), int(seconds or 0)


# Hours are a whole number or, below the fraction bar, seconds shortened as far as both sides stay whole: no rounding.
def _messages(sums: Sums) -> int | None:
    found = _numbers(sums)
    return None if found is None else found[0] * (_HOUR // gcd(_HOUR, found[2]))


def _hours(sums: Sums) -> int | None:
    found = _numbers(sums)
    return None if found is None else found[2] // gcd(_HOUR, found[2])


def _bits(sums: Sums) -> int | None:
    found = _numbers(sums)
    return None if found is None else 8 * found[1]


def _duration(sums: Sums) -> int | None:
    found = _numbers(sums)
    return None if found is None else found[2]


def _undated(sums: Sums) -> tuple[str, ...]:
    found = ["undated"] if any(d.undated for d in sums.counts.deliveries.values()) else []
    if "bin_seconds" not in sums.numbers:
        found.append("choice")
    return tuple(found)


def _unsized(sums: Sums) -> tuple[str, ...]:
    return ("unsized",) if any(d.unsized for d in sums.counts.deliveries.values()) else ()


_indicator = partial(
    Indicator,
    report="Delivery throughput",
    unit="ratio",
    undefined="no-data",
    groupings=("bin", "bin-success", "bin-error", "outcome"),
    cuts={
        "bin": _by_bin,
        "bin-success": partial(_by_bin, outcomes=("success",)),
        "bin-error": partial(_by_bin, outcomes=("error",)),
        "outcome": _by_outcome,
    },
)
_ROWS = (
    "By bin, all of them or those of one outcome; bins in which nothing was handled are left out, and the one in which "
    "clocks change is as long as it really was. By outcome, and over everything, it goes from the first five minutes in "
    "which anything was handled to the last."
)

INDICATORS: tuple[Indicator, ...] = (
    _indicator(
        key="throughput_messages_per_hour",
        label="Delivery throughput",
        formula="count(B handled in bin) / hours(bin), split success | error",
        measure=_messages,
        over=_hours,
        doubts=_undated,
        inputs=("Message.event_at", "Message.status"),
        notes=f"{_ROWS} Below a whole hour, numerator and denominator are made whole by one factor.",
        sources=(_GLOBAL_PAGE,),
    ),
    _indicator(
        key="throughput_bits_per_second",
        label="Transferred output",
        formula="8 * sum(message size in bytes in bin) / seconds(bin), split success | error",
        measure=_bits,
        over=_duration,
        doubts=lambda s: (*_undated(s), *_unsized(s)),
        inputs=("Message.event_at", "Message.status", "Message.size_bytes"),
        notes=f"In bits per second. {_ROWS}",
        sources=(_GLOBAL_PAGE, "v8 reporting/built-in-reports"),
    ),
)
