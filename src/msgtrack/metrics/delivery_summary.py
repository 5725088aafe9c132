"""The report "Delivery summary": the population, what was rejected, success, errors and new quarantines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from msgtrack.counts import Excluded
from msgtrack.metrics._indicator import METRICS_PAGE, REPORTS_PAGE, Indicator
from msgtrack.metrics._messages import (
    all_of,
    derived,
    failed,
    reject_of,
    told,
    total_target_of,
    unmeasured,
    untold,
)
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.model import FailureReason

__all__ = ["INDICATORS"]

_SCREENSHOT = f"{REPORTS_PAGE} (screenshot)"


def _exclusions(sums: Sums) -> int | Decimal | None:
    if "exclusions" in sums.numbers:
        return sums["exclusions"]
    return sum(row.times for delivery in sums.counts.deliveries.values() for row in delivery.exclusions)


def _unlisted(sums: Sums) -> tuple[str, ...]:
    """Deliveries that left recipients out, or may have, and list none of them."""
    deliveries = sums.counts.deliveries.values()
    silent = [delivery for delivery in deliveries if not delivery.exclusions and delivery.reject != 0]
    if not silent:
        return ()
    return ("no-data",) if len(silent) == len(deliveries) else ("partly-undefined",)


def _reason(row: Excluded) -> str:
    return FailureReason(row.failure_reason).name.lower()


def _cause(row: Excluded) -> str:
    return row.rule or _reason(row)


def _cut(scope: Scope, name_of: Callable[[Excluded], str]) -> dict[str, Sums]:
    times: Counter[str] = Counter()
    for delivery in scope.counts.deliveries.values():
        for row in delivery.exclusions:
            times[name_of(row)] += row.times
    order = sorted(times, key=lambda name: (-times[name], name))
    return {name: of_numbers(scope, exclusions=times[name]) for name in order}


def _new_quarantine(sums: Sums) -> int:
    return sum(delivery.new_quarantine for delivery in sums.counts.deliveries.values())


def _unwatched(sums: Sums) -> tuple[str, ...]:
    return ("no-data",) if failed(sums) and not _new_quarantine(sums) else ()


_to_deliver_doubts = derived("to_deliver")

_indicator = partial(Indicator, report="Delivery summary", groupings=("delivery",))
_count = partial(_indicator, unit="count")
_share = partial(_indicator, unit="ratio", is_share=True, sources=(REPORTS_PAGE,))
_share_to_deliver = partial(_share, over=lambda s: s.to_deliver)

_POPULATION = (
    _count(
        key="total_target",
        label="Initial population",
        field="properties/@totalTarget",
        formula="sum(d.total_target)",
        measure=told(total_target_of),
        undefined="no-data",
        doubts=all_of(untold(total_target_of), derived("total_target")),
        inputs=("Delivery.total_target", "to_deliver", "reject"),
        notes="Recipients before the rules were applied: what the delivery says; else what was rejected and what is to "
        "be delivered, together.",
    ),
    _count(
        key="reject",
        label="Messages rejected by the rule",
        field="properties/@reject",
        formula="sum(d.reject)",
        measure=told(reject_of),
        undefined="no-data",
        doubts=all_of(untold(reject_of), derived("reject")),
        inputs=("Delivery.reject", "Exclusion.delivery_id"),
        notes="What the delivery says; else the exclusions are counted, where there are any.",
        sources=(METRICS_PAGE, REPORTS_PAGE),
    ),
    _share(
        key="reject_rate",
        label="Messages rejected %",
        formula="pct(reject, total_target)",
        measure=told(reject_of),
        over=told(total_target_of),
        undefined="no-data",
        doubts=all_of(untold(reject_of, total_target_of), derived("reject", "total_target")),
        inputs=("reject", "total_target"),
        sources=(_SCREENSHOT,),
    ),
    _count(
        key="exclusion_by_cause",
        label="Causes of exclusion",
        formula="count(X) group by rule or failure_reason",
        measure=_exclusions,
        doubts=_unlisted,
        groupings=("cause", "reason", "delivery"),
        cuts={"cause": partial(_cut, name_of=_cause), "reason": partial(_cut, name_of=_reason)},
        inputs=("Exclusion.rule", "Exclusion.failure_reason"),
        notes="By cause an exclusion goes by its rule, and without one by the name of its reason; by reason, by that "
        "alone. The exclusions are those given, however many the delivery says it rejected.",
        sources=(REPORTS_PAGE,),
    ),
)

_SENDING = (
    _count(
        key="summary_to_deliver",
        label="Messages to be delivered",
        field="@toDeliver",
        formula="to_deliver",
        measure=lambda s: s.to_deliver,
        doubts=_to_deliver_doubts,
        inputs=("to_deliver",),
        notes="The 100 % of this block.",
    ),
    _count(
        key="summary_success",
        label="Success",
        field="indicators/@success",
        formula="sum(d.indicators.success)",
        measure=lambda s: s.success,
        doubts=unmeasured,
        inputs=("success",),
        notes="Seeds are left out.",
    ),
    _share_to_deliver(
        key="summary_success_rate",
        label="Success %",
        formula="pct(success, to_deliver)",
        measure=lambda s: s.success,
        doubts=all_of(unmeasured, _to_deliver_doubts),
        inputs=("success", "to_deliver"),
        notes="It starts near 1 and falls while bounces come back. The reports on statistics and tracking divide "
        "successes otherwise.",
        sources=(REPORTS_PAGE, "v7 delivery/sending-with-enhanced-mta"),
    ),
    _count(
        key="error",
        label="Errors",
        field="indicators/@error",
        formula="count(B, status == FAILED)",
        measure=failed,
        doubts=unmeasured,
        groupings=("domain", "delivery"),
        inputs=("Message.status", "Message.is_seed"),
        notes="Errors found while sending and those that bounces told of later, whatever the reason.",
    ),
    _share_to_deliver(
        key="error_rate",
        label="Errors %",
        formula="pct(error, to_deliver)",
        measure=failed,
        doubts=all_of(unmeasured, _to_deliver_doubts),
        inputs=("error", "to_deliver"),
    ),
    _count(
        key="new_quarantine",
        label="New quarantines",
        field="indicators/@newQuarantine",
        formula="addresses put in quarantine because of this delivery",
        measure=_new_quarantine,
        doubts=_unwatched,
        inputs=("AddressState.delivery_id", "AddressState.status", "Message.is_quarantine", "Message.address"),
        notes="An address that several messages of one delivery put there counts once; deliveries are added up.",
    ),
    _share_to_deliver(
        key="new_quarantine_rate",
        label="New quarantines %",
        formula="pct(new_quarantine, to_deliver)",
        measure=_new_quarantine,
        doubts=all_of(_unwatched, _to_deliver_doubts),
        inputs=("new_quarantine", "to_deliver"),
    ),
)

INDICATORS: tuple[Indicator, ...] = (*_POPULATION, *_SENDING)
