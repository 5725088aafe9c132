"""The report "Tracking statistics" (time to reach a share of all reactions): how soon they came."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import partial

from msgtrack._borders import microseconds
from msgtrack.counts import SLOT_SECONDS
from msgtrack.events import Click, Open, Transaction
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers

__all__ = ["INDICATORS"]

_PERCENTS = range(10, 100, 10)
_MEDIAN = 50
_SECOND = 1_000_000


def _times(sums: Sums, kind: str) -> Counter[int]:
    """Reactions by the microseconds from the launch of their own delivery to the end of their slot."""
    times: Counter[int] = Counter()
    for delivery in sums.counts.deliveries.values():
        if delivery.contact_at is not None:
            launch = microseconds(delivery.contact_at)
            for slots in delivery.slots.get(kind, {}).values():
                for slot, reactions in slots.items():
                    times[(slot + SLOT_SECONDS) * _SECOND - launch] += reactions
    return times


def _reached(kind: str, sums: Sums) -> int | Decimal | None:
    times = _times(sums, kind)
    percent = int(sums.numbers.get("percent") or _MEDIAN)
    wanted = -(-percent * sum(times.values()) // 100)
    so_far = 0
    for passed in sorted(times):
        so_far += times[passed]
        if so_far >= wanted:
            seconds, rest = divmod(passed, _SECOND)
            return Decimal(passed) / _SECOND if rest else seconds
    return None


def _doubts(kind: str, sums: Sums) -> tuple[str, ...]:
    deliveries = [delivery for delivery in sums.counts.deliveries.values() if delivery.rows(kind)]
    if not deliveries:
        return ("no-data",)
    launched = sum(delivery.contact_at is not None for delivery in deliveries)
    if not launched:
        return ("no-moment",)
    return () if launched == len(deliveries) else ("partly-undefined",)


def _by_share(scope: Scope) -> dict[str, Sums]:
    return {f"{percent} %": of_numbers(scope, percent=percent) for percent in _PERCENTS}


def _time(*, kind: str, name: str, formula: str, notes: str = "", caveats: tuple[str, ...] = ()) -> Indicator:
    return Indicator(
        key=f"pareto_{name}",
        label=f"Time to reach p % of {name}",
        report="Tracking statistics",
        unit="duration",
        formula=formula,
        measure=partial(_reached, kind),
        doubts=partial(_doubts, kind),
        # Why it is undefined is told by the doubts; that the way of counting is a choice holds for every value.
        undefined="choice",
        is_blank=True,
        groupings=("share", "delivery"),
        cuts={"share": _by_share},
        inputs=("Event.kind", "Event.occurred_at", "Delivery.contact_at"),
        notes="In seconds, to the end of the five minutes in which the share was reached; each delivery's time runs from its "
        f"own launch, and the whole is what the window holds. The scalar, and that of a delivery, is the time to 50 %.{notes}",
        sources=("v8 reporting/delivery-reports (screenshot)",),
        caveats=("choice", *caveats),
    )


INDICATORS: tuple[Indicator, ...] = (
    _time(
        kind=Open.kind,
        name="opens",
        formula="min(t: cumulative_opens(t) >= p * total_opens) - launch, p = 10 %..90 % step 10 %",
        notes=" Opens as such: a click without one is none here.",
        caveats=("image-loads",),
    ),
    _time(
        kind=Click.kind,
        name="clicks",
        formula="min(t: cumulative_clicks(t) >= p * total_clicks) - launch",
        notes=" Clicks on the links to unsubscribe and of the mirror page are not in.",
    ),
    _time(
        kind=Transaction.kind,
        name="transactions",
        formula="min(t: cumulative_transactions(t) >= p * total_transactions) - launch",
        notes=" Needs tagged web pages.",
    ),
)
