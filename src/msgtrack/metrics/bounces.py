"""The report "Non-deliverables and bounces": errors by type and by domain."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from attrs import evolve

from msgtrack.metrics._groups import GROUPINGS
from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._messages import failed, failed_for, processed, unmeasured
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_classes
from msgtrack.model import FailureReason

__all__ = ["BOUNCE_REASONS", "INDICATORS", "SOFT_REASONS"]

_GLOBAL_PAGE = "v8 reporting/global-reports"

SOFT_REASONS = (
    FailureReason.INVALID_DOMAIN,
    FailureReason.UNREACHABLE,
    FailureReason.DISABLED,
    FailureReason.MAILBOX_FULL,
    FailureReason.NOT_CONNECTED,
    FailureReason.REFUSED,
)
"""The reasons whose errors the console calls soft bounces."""

BOUNCE_REASONS = (FailureReason.UNKNOWN_USER, *SOFT_REASONS)
"""The reasons that this report has rows for, in their order."""

_total_errors = failed_for(*BOUNCE_REASONS)


def _parts(scope: Scope) -> Sums:
    return Sums(parts=tuple(part for d in scope.counts.deliveries.values() for part in d.domains.values()))


def _against(whole: Sums, rows: Mapping[str, Sums]) -> dict[str, Sums]:
    """Rows that know the numbers of the whole, so that none of them adds it up anew."""
    totals = {"errors": _total_errors(whole), "processed": processed(whole)}
    return {name: evolve(sums, numbers=totals) for name, sums in rows.items()}


def _by_reason(scope: Scope) -> dict[str, Sums]:
    whole = _parts(scope)
    if not whole.parts:
        return {}
    return _against(
        whole,
        {
            reason.name.lower(): of_classes(
                (evolve(part, failures={reason: part.failures.get(reason, 0)}) for part in whole.parts), scope
            )
            for reason in BOUNCE_REASONS
        },
    )


def _by_domain(scope: Scope) -> dict[str, Sums]:
    return _against(_parts(scope), GROUPINGS["domain"](scope))


def _all_errors(sums: Sums) -> int | Decimal | None:
    return sums["errors"] if sums.numbers else _total_errors(_parts(sums.scope))


def _all_processed(sums: Sums) -> int | Decimal | None:
    return sums["processed"] if sums.numbers else processed(_parts(sums.scope))


_indicator = partial(Indicator, report="Non-deliverables and bounces", doubts=unmeasured)
_count = partial(_indicator, unit="count", groupings=("domain", "delivery"))
_share = partial(_indicator, unit="ratio", is_share=True)
_of_rows = partial(_indicator, groupings=("reason",), cuts={"reason": _by_reason})
_share_of_rows = partial(_of_rows, unit="ratio", is_share=True)
_WHY = ("Message.status", "Message.failure_reason")


def _errors(
    key: str,
    label: str,
    field: str,
    reason: FailureReason,
    *,
    notes: str = "",
    sources: tuple[str, ...] = (METRICS_PAGE,),
) -> Indicator:
    return _count(
        key=key,
        label=label,
        field=field,
        formula=f"count(B, status == FAILED and failure_reason == {reason.value})",
        measure=failed_for(reason),
        inputs=_WHY,
        notes=notes,
        sources=sources,
    )


_TYPES = (
    _errors(
        "unknown_user",
        "User unknown",
        "@unknownUser",
        FailureReason.UNKNOWN_USER,
        notes="The one reason that the console calls a hard bounce.",
    ),
    _errors("unreachable", "Unreachable", "@unreachable", FailureReason.UNREACHABLE),
    _errors(
        "refused",
        "Rejected / Refused",
        "@refused",
        FailureReason.REFUSED,
        notes="Refused by the provider. Spam reports are complaints and not here.",
    ),
    _errors("invalid_domain", "Invalid domain", "@invalidDomain", FailureReason.INVALID_DOMAIN),
    _errors("disabled", "Account disabled", "@disabled", FailureReason.DISABLED),
    _errors(
        "mailbox_full",
        "Inbox full / Mailbox full",
        "@mailBoxFull",
        FailureReason.MAILBOX_FULL,
        notes="Reported after five attempts.",
    ),
    _errors(
        "not_connected",
        "Not connected",
        "@notConnected",
        FailureReason.NOT_CONNECTED,
        notes="Of mobile channels alone. The address is not put in quarantine for it.",
        sources=(METRICS_PAGE, _GLOBAL_PAGE),
    ),
)

_BY_TYPE = (
    _count(
        key="total_errors",
        label="Total errors",
        field="@totalErrors",
        formula="sum of the seven error counts above",
        measure=_total_errors,
        inputs=tuple(indicator.key for indicator in _TYPES),
        notes="Failures for other reasons, or for none, are not in it.",
    ),
    _of_rows(
        key="error_value",
        label="Errors (row)",
        field="@value",
        unit="count",
        formula="count(B, status == FAILED and failure_reason == row.reason)",
        measure=_total_errors,
        inputs=_WHY,
        notes="The seven reasons in the order of their numbers; over all of them, the total of errors. A row opens to its "
        "domains as the indicator of that name by domain.",
    ),
    _share_of_rows(
        key="error_contribution",
        label="Contribution",
        formula="pct(error_value, total_errors)",
        measure=_total_errors,
        over=_all_errors,
        inputs=("error_value", "total_errors"),
        notes="The share of the row among errors.",
    ),
    _share_of_rows(
        key="error_breakdown",
        label="Breakdown",
        formula="pct(error_value, total_processed)",
        measure=_total_errors,
        over=_all_processed,
        inputs=("error_value", "total_processed"),
        notes="The share of the row among messages processed.",
        caveats=("reading",),
    ),
)

_BY_DOMAIN = (
    _indicator(
        key="domain_error_value",
        label="Errors (domain row)",
        field="@value",
        unit="count",
        groupings=("domain",),
        formula="count(B, status == FAILED and domain == row.domain)",
        measure=failed,
        inputs=("Message.status", "Message.domain"),
        notes="Whatever the reason, so there may be more of them than the rows by type add up to.",
    ),
    _share(
        key="domain_error_contribution",
        label="Contribution (domain row)",
        groupings=("domain",),
        cuts={"domain": _by_domain},
        formula="pct(domain_error_value, total_errors)",
        measure=failed,
        over=_all_errors,
        inputs=("domain_error_value", "total_errors"),
        notes="Over the errors of the seven types in all domains: the rows add up to more than 1 where messages failed for "
        "other reasons.",
        sources=(_GLOBAL_PAGE,),
    ),
    _share(
        key="domain_error_breakdown",
        label="Breakdown (domain row)",
        groupings=("domain",),
        formula="pct(domain_error_value, total_processed[domain])",
        measure=failed,
        over=processed,
        inputs=("domain_error_value", "total_processed"),
        notes="Over the messages processed for that domain.",
        caveats=("reading",),
        sources=(_GLOBAL_PAGE,),
    ),
)

INDICATORS: tuple[Indicator, ...] = (
    _count(
        key="total_processed",
        label="Number of messages processed",
        field="@totalProcessed",
        formula="prepared + error + success",
        measure=processed,
        inputs=("error", "success", "Message.status"),
        notes="Fewer than there are to deliver when the delivery was stopped or paused before the server took them. "
        "Pending messages are not processed.",
        caveats=("reading",),
        sources=(METRICS_PAGE, _GLOBAL_PAGE),
    ),
    *_TYPES,
    *_BY_TYPE,
    *_BY_DOMAIN,
)
