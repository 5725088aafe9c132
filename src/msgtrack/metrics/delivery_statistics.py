"""The report "Delivery statistics (Broadcast statistics)": what came of the messages, per domain."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from msgtrack.metrics._groups import GROUPINGS
from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._messages import (
    all_of,
    failed_for,
    known_persons,
    persons,
    processed,
    rows_overlap,
    unbrowsed,
    unmeasured,
    unnamed,
)
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums
from msgtrack.metrics.bounces import SOFT_REASONS
from msgtrack.model import FailureReason

__all__ = ["INDICATORS"]

_GLOBAL_PAGE = "v8 reporting/global-reports"
_HEALTH_PAGE = "v8 send/monitoring-deliverability"


def _by_domain(scope: Scope) -> dict[str, Sums]:
    """The shared rows, with the persons of each domain told apart over all deliveries."""
    together = scope.counts.persons_by.get("domain")
    return {
        name: evolve(sums, numbers={"persons": known_persons((p.persons for p in sums.parts), together, name)})
        for name, sums in GROUPINGS["domain"](scope).items()
    }


_indicator = partial(
    Indicator,
    report="Delivery statistics (Broadcast statistics)",
    groupings=("domain", "delivery"),
    doubts=unmeasured,
)
_count = partial(_indicator, unit="count", caveats=("reading",))
_share = partial(_indicator, unit="ratio", is_share=True)
_share_of_processed = partial(_share, over=processed, caveats=("reading",))
_share_of_success = partial(_share, over=lambda s: s.success, sources=(METRICS_PAGE, _GLOBAL_PAGE))

INDICATORS: tuple[Indicator, ...] = (
    _count(
        key="processed",
        label="Emails processed",
        field="@processed",
        formula="prepared + error + success",
        measure=processed,
        inputs=("error", "success", "Message.status"),
        notes="Pending messages are not processed.",
    ),
    _share_of_processed(
        key="delivered",
        label="Delivered",
        field="@success",
        formula="pct(success, processed)",
        measure=lambda s: s.success,
        inputs=("success", "processed"),
        notes="The column shows the rate, though the field is the count.",
        sources=(METRICS_PAGE, _GLOBAL_PAGE),
    ),
    _count(
        key="hard_bounce",
        label="Hard bounces",
        field="@hardBounce",
        formula="unknown_user",
        measure=failed_for(FailureReason.UNKNOWN_USER),
        inputs=("unknown_user",),
        notes="Hard by reason, as the console has it: the user is unknown. Dynamic reports go by the type of the failure.",
    ),
    _count(
        key="soft_bounce",
        label="Soft bounces",
        field="@softBounce",
        formula="unreachable + mailbox_full + invalid_domain + disabled + not_connected + refused",
        measure=failed_for(*SOFT_REASONS),
        inputs=("unreachable", "mailbox_full", "invalid_domain", "disabled", "not_connected", "refused"),
        notes="Soft by reason, as the console has it: any other reason of the list. Dynamic reports go by the type of "
        "the failure.",
    ),
    _share_of_processed(
        key="hard_bounce_rate",
        label="Hard bounces %",
        formula="pct(hard_bounce, processed)",
        measure=failed_for(FailureReason.UNKNOWN_USER),
        inputs=("hard_bounce", "processed"),
        notes="Healthy up to 0.02.",
        sources=(_GLOBAL_PAGE, _HEALTH_PAGE),
    ),
    _share_of_processed(
        key="soft_bounce_rate",
        label="Soft bounces %",
        formula="pct(soft_bounce, processed)",
        measure=failed_for(*SOFT_REASONS),
        inputs=("soft_bounce", "processed"),
        notes="Healthy up to 0.10 for every single provider.",
        sources=(_GLOBAL_PAGE, _HEALTH_PAGE),
    ),
    _share_of_success(
        key="stats_opens",
        label="Opens",
        field="@recipientOpen",
        formula="pct(recipient_open, success)",
        measure=lambda s: s.recipient_open,
        doubts=all_of(unmeasured, unnamed()),
        inputs=("recipient_open", "success"),
        notes="Over the opens as counted, not as estimated.",
        caveats=("image-loads",),
    ),
    _share_of_success(
        key="stats_clicks",
        label="Clicks",
        field="@personClick",
        formula="pct(person_click, success)",
        measure=persons,
        undefined="not-additive",
        doubts=all_of(unmeasured, rows_overlap, unbrowsed),
        cuts={"domain": _by_domain},
        inputs=("person_click", "success"),
        notes="People, not recipients, in this report; who clicked in two domains is in both rows.",
        caveats=("browsers",),
    ),
    _share_of_success(
        key="stats_unsubscriptions",
        label="Unsubscriptions",
        field="@optOut",
        formula="pct(opt_out, success)",
        measure=lambda s: s.opt_out,
        inputs=("opt_out", "success"),
        notes="Clicks on the opt-out link, not people who unsubscribed.",
    ),
)
