"""Groupings: how counts are cut into rows, each row the :class:`Sums` that an indicator is computed from.

A grouping that only one report has stands in the file of that report (``Indicator.cuts``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from attrs import evolve

from msgtrack.counts import SLOT_SECONDS, Counts, DomainCounts, LinkFacts, Reached
from msgtrack.events import Click, Open, Transaction
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_classes, of_reached, of_rows, of_whole
from msgtrack.metrics._time import bin_start

__all__ = ["GROUPINGS", "LINK_NAMES", "Cut", "curve_width", "default_width", "link_name", "path_part"]

Cut = Callable[[Scope], Mapping[str, Sums]]
"""A way to cut what a table was asked for into rows, in the order in which they are shown."""

_VIEWS = ((3 * 3600, 300), (24 * 3600, 600), (7 * 86400, 3600))
"""Up to this many seconds since the launch, bins are this wide (reference 7.5); a day beyond."""

_CURVES = (Open.kind, Click.kind, Transaction.kind)
_NO_LINK = LinkFacts()


def _by_domain(scope: Scope) -> dict[str, Sums]:
    parts: defaultdict[str, list[DomainCounts]] = defaultdict(list)
    for delivery in scope.counts.deliveries.values():
        for name, part in delivery.domains.items():
            parts[name].append(part)
    sums = {name: of_classes(parts[name], scope) for name in parts}
    return {name: sums[name] for name in sorted(sums, key=lambda name: (-sums[name].success, name))}


def _by_variant(scope: Scope) -> dict[str, Sums]:
    parts: defaultdict[str, list[DomainCounts]] = defaultdict(list)
    for delivery in scope.counts.deliveries.values():
        for name, part in delivery.variants.items():
            parts[name].append(part)
    return {name: of_classes(parts[name], scope) for name in sorted(parts)}


def _by_delivery(scope: Scope) -> dict[str, Sums]:
    return {
        name: of_whole(evolve(scope, counts=Counts(deliveries={name: delivery}, persons=delivery.persons)))
        for name, delivery in scope.counts.deliveries.items()
    }


def _by_day(scope: Scope) -> dict[str, Sums]:
    parts: defaultdict[str, list[Reached]] = defaultdict(list)
    for delivery in scope.counts.deliveries.values():
        for day, part in delivery.groups.get("day", {}).items():
            parts[day].append(part)
    return {day: of_reached(parts[day], scope) for day in sorted(parts)}


def path_part(text: str) -> str:
    """A name that may stand before or after a slash."""
    return text.replace("%", "%25").replace("/", "%2F")


def link_name(scope: Scope, delivery_id: str, link_id: str) -> str:
    """What a link goes by in rows: its id, after its delivery's id and a slash when there are several deliveries."""
    return f"{path_part(delivery_id)}/{path_part(link_id)}" if scope.is_several else link_id


def _by_link(scope: Scope) -> dict[str, Sums]:
    rows: dict[str, int] = {}
    labels: dict[str, str] = {}
    parts: dict[str, list[Reached]] = {}
    for delivery_id, delivery in scope.counts.deliveries.items():
        reached = delivery.groups.get("link", {})
        for link_id, clicks in delivery.clicks_by_link().items():
            key = link_name(scope, delivery_id, link_id)
            rows[key] = clicks
            labels[key] = _label(delivery.links.get(link_id, _NO_LINK))
            parts[key] = [reached[link_id]] if link_id in reached else []
    return _ranked(scope, rows, labels, parts)


def _label(link: LinkFacts) -> str:
    return link.label or link.url


LINK_NAMES: Mapping[str, Callable[[LinkFacts], str]] = {
    "label": _label,
    "url": lambda link: link.url,
    "category": lambda link: link.category,
}
"""What links go by in rows, beside their ids."""


def _by(by: str) -> Cut:
    name_of = LINK_NAMES[by]

    def group(scope: Scope) -> dict[str, Sums]:
        rows: Counter[str] = Counter()
        parts: defaultdict[str, list[Reached]] = defaultdict(list)
        for delivery in scope.counts.deliveries.values():
            for link_id, clicks in delivery.clicks_by_link().items():
                rows[name_of(delivery.links.get(link_id, _NO_LINK))] += clicks
            for name, part in delivery.groups.get(by, {}).items():
                parts[name].append(part)
        return _ranked(scope, rows, {name: name for name in rows}, parts)

    return group


def _ranked(
    scope: Scope, rows: Mapping[str, int], labels: Mapping[str, str], parts: Mapping[str, list[Reached]]
) -> dict[str, Sums]:
    total = sum(rows.values())
    order = sorted(rows, key=lambda key: (-rows[key], labels[key], key))
    return {key: of_reached(parts.get(key, ()), scope, url_clicks=rows[key], all_url_clicks=total) for key in order}


def _by_bin(scope: Scope) -> dict[str, Sums]:
    slots: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for delivery in scope.counts.deliveries.values():
        for kind in _CURVES:
            for link_slots in delivery.slots.get(kind, {}).values():
                for slot, times in link_slots.items():
                    slots[slot][kind] += times
    if not slots:
        return {}
    width = scope.bin_seconds or default_width(scope.counts, min(slots), max(slots))
    so_far: Counter[str] = Counter()
    bins: dict[str, Sums] = {}
    for slot in sorted(slots):
        so_far.update(slots[slot])
        start = bin_start(datetime.fromtimestamp(slot, UTC), width, scope.zone)
        bins[start.isoformat()] = of_rows(so_far, scope)
    return bins


def curve_width(counts: Counts) -> int | None:
    """The width that bins of these curves have when nobody says; None where nothing happened."""
    slots = [
        slot
        for delivery in counts.deliveries.values()
        for kind in _CURVES
        for link_slots in delivery.slots.get(kind, {}).values()
        for slot in link_slots
    ]
    return default_width(counts, min(slots), max(slots)) if slots else None


def default_width(counts: Counts, first: int, last: int) -> int:
    """The width of bins in seconds, by the reference's views of the time from launch to the last of some slots."""
    launches = [int(d.contact_at.timestamp()) for d in counts.deliveries.values() if d.contact_at is not None]
    span = last + SLOT_SECONDS - min([first, *launches])
    return next((width for view, width in _VIEWS if span <= view), 86400)


GROUPINGS: Mapping[str, Cut] = {
    "domain": _by_domain,
    "link": _by_link,
    **{by: _by(by) for by in LINK_NAMES},
    "bin": _by_bin,
    "day": _by_day,
    "delivery": _by_delivery,
    "variant": _by_variant,
}
"""Every grouping that reports share, by name. Domains go by sends downwards and then name, links by clicks downwards and
then label, bins cumulate, days (those of ``Counts.zone``), deliveries and variants go by name."""
