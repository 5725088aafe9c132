"""The report "URLs and click streams" in detail: rows beyond the first, clicks per day, platform averages, the first ten."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from attrs import evolve

from msgtrack.counts import CLICK_ROW_KINDS, MOBILE_CLICK, DeliveryCounts, LinkFacts, local_day
from msgtrack.domains import OTHERS
from msgtrack.events import Click
from msgtrack.metrics._groups import GROUPINGS, LINK_NAMES, Cut, link_name
from msgtrack.metrics._indicator import REPORTS_PAGE, Indicator
from msgtrack.metrics._messages import all_of, partly_estimated, unnamed
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers, of_whole

__all__ = ["INDICATORS"]

_SCREEN = "v8 reporting/delivery-reports (screenshot)"
_LINK_GROUPS = ("label", "link", "url", "category")
_NO_LINK = LinkFacts()
_CLICK_ROWS = CLICK_ROW_KINDS | {MOBILE_CLICK}
"""Rows of a link as sums name them: slots know a click on a notification as a click, sums tell it apart."""


def _ranking(scope: Scope, by: str) -> list[tuple[str, int]]:
    """All groups with their clicks, by clicks downwards and then label."""
    return [(name, sums.url_clicks) for name, sums in GROUPINGS[by](scope).items()]


def _first(scope: Scope, by: str) -> dict[str, int]:
    return dict(islice(_ranking(scope, by), scope.top))


def _beyond(scope: Scope, by: str) -> int:
    return sum(clicks for _, clicks in _ranking(scope, by)[scope.top :])


def _clicks_of_first(sums: Sums) -> int:
    return int(sums["clicks"] or 0) if sums.numbers else sum(_first(sums.scope, "label").values())


def _clicks_beyond(sums: Sums) -> int:
    return int(sums["clicks"] or 0) if sums.numbers else _beyond(sums.scope, "label")


def _clicks(sums: Sums) -> int:
    return int(sums["clicks"] or 0) if sums.numbers else sum(sums.rows.get(kind, 0) for kind in _CLICK_ROWS)


def _cut_first(by: str) -> Cut:
    def cut(scope: Scope) -> dict[str, Sums]:
        return {name: of_numbers(scope, clicks=clicks) for name, clicks in _first(scope, by).items()}

    return cut


def _cut_beyond(by: str) -> Cut:
    def cut(scope: Scope) -> dict[str, Sums]:
        return {OTHERS: of_numbers(scope, clicks=_beyond(scope, by))}

    return cut


def _cut_by_day(by: str) -> Cut:
    """Stacks: on each day the first groups of the whole time in their order, and the others, as far as they were clicked.

    A group that bears the name of the others falls under it.
    """

    def cut(scope: Scope) -> dict[str, Sums]:
        shown = dict.fromkeys(name for name in _first(scope, by) if name != OTHERS)
        stacks: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for delivery_id, delivery in scope.counts.deliveries.items():
            for link_id, slots in _slots(delivery):
                name = _group(scope, by, delivery_id, link_id)
                for slot, times in slots:
                    stacks[local_day(slot, scope.counts.zone)][name if name in shown else OTHERS] += times
        return {
            f"{day}/{name}": of_numbers(scope, clicks=stacks[day][name])
            for day in sorted(stacks)
            for name in (*shown, OTHERS)
            if stacks[day][name]
        }

    return cut


def _slots(delivery: DeliveryCounts) -> Iterable[tuple[str, Iterable[tuple[int, int]]]]:
    return (
        (link_id, slots.items()) for kind in CLICK_ROW_KINDS for link_id, slots in delivery.slots.get(kind, {}).items()
    )


def _group(scope: Scope, by: str, delivery_id: str, link_id: str) -> str:
    if by == "link":
        return link_name(scope, delivery_id, link_id)
    return LINK_NAMES[by](scope.counts.deliveries[delivery_id].links.get(link_id, _NO_LINK))


def _peers(sums: Sums) -> Sums | None:
    counts = sums.scope.peers
    return of_whole(evolve(sums.scope, counts=counts)) if counts and counts.deliveries else None


def _over_peers(number_of: Callable[[Sums], int | None]) -> Callable[[Sums], int | None]:
    def measure(sums: Sums) -> int | None:
        peers = _peers(sums)
        return None if peers is None else number_of(peers)

    return measure


def _sketched(sums: Sums) -> tuple[str, ...]:
    peers = sums.scope.peers
    return ("sketched",) if peers is not None and peers.distinct_error > 0 else ()


def _of_peers(doubts: Callable[[Sums], tuple[str, ...]]) -> Callable[[Sums], tuple[str, ...]]:
    def of_peers(sums: Sums) -> tuple[str, ...]:
        peers = _peers(sums)
        return () if peers is None else doubts(peers)

    return of_peers


def _unbrowsed(peers: Sums) -> tuple[str, ...]:
    return ("no-data",) if peers.total_recipient_click and not _persons(peers) else ()


def _persons(peers: Sums) -> int:
    """The sum over deliveries, as the formula says: who clicked in two of them is in twice, as is what was delivered."""
    return sum(delivery.persons for delivery in peers.counts.deliveries.values())


_count = partial(Indicator, report="URLs and click streams", unit="count", sources=(REPORTS_PAGE,))
_average = partial(
    Indicator,
    report="URLs and click streams",
    unit="ratio",
    is_share=True,
    undefined="no-peers",
    is_blank=True,
    sources=(REPORTS_PAGE,),
)
_PEER_FIELDS = ("Delivery.contact_at", "Delivery.typology", "Delivery.channel")
_PEERS = "Over the deliveries of the six months before the report that are of the same typology and channel, this one included."

INDICATORS: tuple[Indicator, ...] = (
    _count(
        key="url_clicks_others",
        label="Others (row)",
        formula="sum(url_clicks) - sum(top N)",
        measure=_clicks_beyond,
        groupings=_LINK_GROUPS,
        cuts={by: _cut_beyond(by) for by in _LINK_GROUPS},
        inputs=("url_clicks",),
        notes="The clicks of all rows after the first ten, or after `top`; the scalar is that of the labels.",
        sources=(_SCREEN,),
    ),
    _count(
        key="clicks_per_day",
        label="Breakdown of clicks over time",
        formula="sum(S.total_clicks, url_id != 1) group by day, link group",
        measure=_clicks,
        groupings=("day", *(f"day/{by}" for by in _LINK_GROUPS), "delivery"),
        cuts={f"day/{by}": _cut_by_day(by) for by in _LINK_GROUPS},
        inputs=("url_clicks", "Event.occurred_at"),
        notes="By day and group, rows are named by both with a slash between; groups beyond the first ten of the whole time, "
        "or beyond `top`, are one row of others on each day.",
    ),
    _average(
        key="platform_average_reactivity",
        label="Platform average - Reactivity",
        formula="pct(sum(recipient_click), sum(estimated_recipient_open)) over PEERS",
        measure=_over_peers(lambda s: s.recipient_click),
        over=_over_peers(lambda s: s.estimated_recipient_open),
        doubts=_of_peers(all_of(partly_estimated, unnamed(Click.kind))),
        inputs=("recipient_click", "estimated_recipient_open", *_PEER_FIELDS),
        estimated=True,
        notes=_PEERS,
        caveats=("choice", "image-loads"),
    ),
    _average(
        key="platform_average_distinct_clicks",
        label="Platform average - Distinct clicks",
        formula="pct(sum(person_click), sum(success)) over PEERS",
        measure=_over_peers(_persons),
        doubts=all_of(_sketched, _of_peers(_unbrowsed)),
        over=_over_peers(lambda s: s.success),
        inputs=("person_click", "success", *_PEER_FIELDS),
        notes=f"{_PEERS} Persons are summed, as messages are: one who clicked in two deliveries is in twice.",
        caveats=("choice", "browsers"),
    ),
    _average(
        key="platform_average_cumulated_clicks",
        label="Platform average - Cumulated clicks",
        formula="pct(sum(total_recipient_click), sum(success)) over PEERS",
        measure=_over_peers(lambda s: s.total_recipient_click),
        over=_over_peers(lambda s: s.success),
        inputs=("total_recipient_click", "success", *_PEER_FIELDS),
        notes=_PEERS,
        caveats=("choice",),
    ),
    Indicator(
        key="top10_links",
        label="Top 10 most visited links",
        report="Web UI URLs and click streams",
        unit="count",
        formula="url_clicks, 10 first rows",
        measure=_clicks_of_first,
        groupings=_LINK_GROUPS,
        cuts={by: _cut_first(by) for by in _LINK_GROUPS},
        inputs=("url_clicks",),
        notes="Ten rows, or `top`, without a row of others; the scalar is the clicks of the first ten labels together. Their "
        "percentages are those of `url_clicks_percent`.",
        sources=("web reporting/email-report",),
    ),
)
