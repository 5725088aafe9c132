"""The report "Sharing to social networks": how often a message was shared, and how often it was opened after that.

The networks are those of the reference (``SHARE_NETWORKS``), by their exact lower-case names, for links and for views alike.
"""

from __future__ import annotations

from functools import partial

from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._messages import all_of, derived, told, total_target_of, unmeasured, untold
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers, share_clicks
from msgtrack.metrics.sharing import SHARE_NETWORKS, no_icons

__all__ = ["INDICATORS"]

_SHARING_PAGE = "v8 reporting/global-reports"


def _views(scope: Scope) -> dict[str, int]:
    return {
        network: sum(sum(d.shared_views.get(network, {}).values()) for d in scope.counts.deliveries.values())
        for network in SHARE_NETWORKS
    }


def _shares(scope: Scope) -> dict[str, int]:
    clicks = share_clicks(scope.counts.deliveries.values())
    return {network: clicks.get(network, 0) for network in SHARE_NETWORKS}


def _by_network(scope: Scope) -> dict[str, Sums]:
    if not scope.counts.deliveries:
        return {}
    shares, views = _shares(scope), _views(scope)
    return {network: of_numbers(scope, shares=shares[network], views=views[network]) for network in SHARE_NETWORKS}


def _row_shares(s: Sums) -> int:
    return int(s["shares"] or 0) if s.numbers else _all_shares(s)


def _row_views(s: Sums) -> int:
    return int(s["views"] or 0) if s.numbers else _all_views(s)


def _all_shares(s: Sums) -> int:
    return sum(_shares(s.scope).values())


def _all_views(s: Sums) -> int:
    return sum(_views(s.scope).values())


_target = told(total_target_of)
_target_doubts = all_of(untold(total_target_of), derived("total_target"))


def _no_views(s: Sums) -> tuple[str, ...]:
    # Views by a network that has no row are in no number, so they are no sign that anybody measured these.
    return () if any(_views(s.scope).values()) else ("no-data",)


_indicator = partial(Indicator, report="Sharing to social networks")
_by_row = partial(_indicator, groupings=("network",), cuts={"network": _by_network})
_count = partial(_by_row, unit="count")
_share = partial(_by_row, unit="ratio", is_share=True)
_CLICKS = ("Event.link_id", "TrackedLink.category")
_VIEWS = ("SharedView.network",)

INDICATORS: tuple[Indicator, ...] = (
    _indicator(
        key="sharing_total_target",
        label="Number of messages to deliver",
        field="properties/@totalTarget",
        unit="count",
        formula="sum(d.total_target)",
        measure=_target,
        doubts=_target_doubts,
        undefined="no-data",
        inputs=("Delivery.total_target", "Exclusion.delivery_id"),
        notes="The initial target, whatever the label says: those who were left out at analysis are in it.",
        caveats=("reading",),
    ),
    _indicator(
        key="sharing_success",
        label="Number of successful deliveries",
        field="indicators/@success",
        unit="count",
        formula="sum(d.indicators.success)",
        measure=lambda s: s.success,
        doubts=unmeasured,
        inputs=("success",),
        notes="The success of the tracking indicators, seeds left out.",
    ),
    _count(
        key="share_count",
        label="Number of shares",
        field="@forward",
        formula="sum(S.total_clicks, url.category == network)",
        measure=_row_shares,
        doubts=no_icons,
        inputs=_CLICKS,
        notes="Clicks on the sharing icons. All networks are listed, those without a share too.",
    ),
    _share(
        key="share_breakdown",
        label="Breakdown (shares)",
        field="@percent",
        formula="pct(share_count[n], sum(share_count))",
        measure=_row_shares,
        over=_all_shares,
        doubts=no_icons,
        inputs=("share_count",),
        notes="The rows add up to 1.",
    ),
    _share(
        key="share_rate",
        label="Sharing rate",
        field="@rate",
        formula="div(share_count[n], sharing_total_target)",
        measure=_row_shares,
        over=_target,
        doubts=all_of(no_icons, _target_doubts),
        inputs=("share_count", "sharing_total_target"),
        notes="Over the initial target, which is more than could share: whoever got no message cannot.",
    ),
    _count(
        key="share_open_count",
        label="Number of opens",
        field="@open",
        formula="count(W2, network == n)",
        measure=_row_views,
        doubts=_no_views,
        inputs=_VIEWS,
        notes="Mirror pages shown to people the message was shared with; the recipients' own views are left out.",
        sources=(METRICS_PAGE, _SHARING_PAGE),
    ),
    _share(
        key="share_open_breakdown",
        label="Breakdown (opens)",
        field="@percentOpen",
        formula="pct(share_open_count[n], sum(share_open_count))",
        measure=_row_views,
        over=_all_views,
        doubts=_no_views,
        inputs=("share_open_count",),
        notes="The rows add up to 1.",
    ),
    _share(
        key="share_open_rate",
        label="Rate of opens",
        field="@rateOpen",
        formula="pct(share_open_count[n], share_count[n])",
        measure=_row_views,
        over=_row_shares,
        doubts=all_of(no_icons, _no_views),
        inputs=("share_open_count", "share_count"),
        notes="Views for each share, so it may pass 1. The total is computed from totals; the rates of the rows are not added up.",
        sources=(_SHARING_PAGE, METRICS_PAGE),
        caveats=("reading",),
    ),
)
