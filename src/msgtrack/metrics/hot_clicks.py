"""The report "Hot clicks": the share of clicks that each link of a message took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from msgtrack.counts import CLICK_ROW_KINDS, Counts, DeliveryCounts, LinkFacts
from msgtrack.events import Click
from msgtrack.metrics._groups import Cut, link_name
from msgtrack.metrics._indicator import METRICS_PAGE, REPORTS_PAGE, Indicator
from msgtrack.metrics._offers import OFFERS, no_offers, offer_rows
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.model import LinkType

__all__ = ["INDICATORS"]

# Tagged web pages are no links of the message, so it has no place to write their share on (reference 2.3).
_HIDDEN = OFFERS | {LinkType.OPT_OUT, LinkType.MIRROR_PAGE, LinkType.WEB, LinkType.TRANSACTION}
_NO_LINK = LinkFacts()


def _is_drawn(delivery: DeliveryCounts, link_id: str) -> bool:
    """Whether a link has its number on the message; one that nobody registered has, when it was clicked as ordinary links
    are.
    """
    link = delivery.links.get(link_id)
    if link is not None:
        return link.type not in _HIDDEN
    return bool(link_id) and bool(delivery.slots.get(Click.kind, {}).get(link_id))


def _drawn(delivery: DeliveryCounts) -> Iterator[tuple[str, int]]:
    return ((link_id, n) for link_id, n in delivery.clicks_by_link().items() if _is_drawn(delivery, link_id))


def _all_clicks(counts: Counts) -> int:
    return sum(sum(delivery.clicks_by_link().values()) for delivery in counts.deliveries.values())


def _clicks(sums: Sums) -> int:
    if "clicks" in sums.numbers:
        return int(sums["clicks"] or 0)
    return sum(clicks for delivery in sums.counts.deliveries.values() for _, clicks in _drawn(delivery))


def _total(sums: Sums) -> int:
    return int(sums["all"] or 0) if "all" in sums.numbers else _all_clicks(sums.counts)


def _rows(record_of: Callable[[str, LinkFacts | None], object]) -> Cut:
    """Cuts by link; links of one delivery that are the same record share their clicks."""

    def cut(scope: Scope) -> dict[str, Sums]:
        total = _all_clicks(scope.counts)
        clicks: dict[str, int] = {}
        labels: dict[str, str] = {}
        for delivery_id, delivery in scope.counts.deliveries.items():
            drawn = dict(_drawn(delivery))
            records = {link_id: record_of(link_id, delivery.links.get(link_id)) for link_id in drawn}
            of_record: Counter[object] = Counter()
            for link_id, times in drawn.items():
                of_record[records[link_id]] += times
            for link_id in drawn:
                name = link_name(scope, delivery_id, link_id)
                clicks[name] = of_record[records[link_id]]
                link = delivery.links.get(link_id, _NO_LINK)
                labels[name] = link.label or link.url
        order = sorted(clicks, key=lambda name: (-clicks[name], labels[name], name))
        return {name: of_numbers(scope, clicks=clicks[name], all=total) for name in order}

    return cut


_by_link = _rows(lambda link_id, _: link_id)
_by_place = _rows(lambda link_id, link: link_id if link is None else (link.url, link.label))

_share = partial(Indicator, report="Hot clicks", unit="ratio", is_share=True, over=_total)

INDICATORS: tuple[Indicator, ...] = (
    _share(
        key="hot_click_percent",
        label="Hot clicks",
        formula="pct(sum(S.total_clicks, url_id == link), sum(S.total_clicks, url_id != 1))",
        measure=_clicks,
        groupings=("link", "place", "delivery"),
        cuts={"link": _by_link, "place": _by_place},
        inputs=("Event.link_id", "TrackedLink.type", "TrackedLink.url", "TrackedLink.label"),
        notes="Links to unsubscribe, of the mirror page and of offers, and tagged web pages, which are not on the message, are "
        "in the denominator and have no row, so rows add up to less than 1. By place, links of one URL and label show what "
        "they took together. The scalar is the share of all links that have a row.",
        sources=(REPORTS_PAGE, METRICS_PAGE),
        caveats=("reading",),
    ),
    _share(
        key="hot_click_offer_percent",
        label="Clicks on offers",
        formula="pct(clicks on offer links, all clicks)",
        measure=lambda s: offer_rows(s, *CLICK_ROW_KINDS),
        doubts=no_offers,
        groupings=("delivery",),
        inputs=("Event.link_id", "TrackedLink.type"),
        notes="The box above the message.",
        sources=(REPORTS_PAGE,),
    ),
)
