"""Groupings: how counts are cut into rows, each row the :class:`Sums` that an indicator is computed from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, tzinfo

from attrs import frozen

from msgtrack.counts import SLOT_SECONDS, Counts, DomainCounts, LinkFacts
from msgtrack.events import Click, Open, Transaction
from msgtrack.metrics._sums import Sums, of_domain, of_rows

__all__ = ["BIN_SECONDS", "GROUPINGS", "Cut"]

BIN_SECONDS = (300, 600, 1800, 3600, 10800, 86400)
"""The widths of bins, in seconds; each divides a day, so bins are aligned to local midnight."""

_VIEWS = ((3 * 3600, 300), (24 * 3600, 600), (7 * 86400, 3600))
"""Up to this many seconds since the launch, bins are this wide (reference 7.5); a day beyond."""

_CURVES = (Open.kind, Click.kind, Transaction.kind)
_NO_LINK = LinkFacts()


@frozen(kw_only=True)
class Cut:
    """What is to be cut, and how.

    ``bin_seconds`` is the width of bins (None: by the reference's views), ``zone`` the one they are aligned to. With
    ``is_several`` deliveries, link ids need their delivery's id before them.
    """

    counts: Counts
    zone: tzinfo
    bin_seconds: int | None
    is_several: bool


def _by_domain(cut: Cut) -> dict[str, Sums]:
    parts: defaultdict[str, list[DomainCounts]] = defaultdict(list)
    for delivery in cut.counts.deliveries.values():
        for name, part in delivery.domains.items():
            parts[name].append(part)
    sums = {name: of_domain(parts[name]) for name in parts}
    return {name: sums[name] for name in sorted(sums, key=lambda name: (-sums[name].success, name))}


def _path_part(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


def _by_link(cut: Cut) -> dict[str, Sums]:
    rows: dict[str, int] = {}
    labels: dict[str, str] = {}
    for delivery_id, delivery in cut.counts.deliveries.items():
        for link_id, clicks in delivery.clicks_by_link().items():
            key = f"{_path_part(delivery_id)}/{_path_part(link_id)}" if cut.is_several else link_id
            rows[key] = clicks
            labels[key] = _label(delivery.links.get(link_id, _NO_LINK))
    return _ranked(rows, labels)


def _label(link: LinkFacts) -> str:
    return link.label or link.url


def _url(link: LinkFacts) -> str:
    return link.url


def _category(link: LinkFacts) -> str:
    return link.category


def _by(name_of: Callable[[LinkFacts], str]) -> Callable[[Cut], dict[str, Sums]]:
    def group(cut: Cut) -> dict[str, Sums]:
        rows: Counter[str] = Counter()
        for delivery in cut.counts.deliveries.values():
            for link_id, clicks in delivery.clicks_by_link().items():
                rows[name_of(delivery.links.get(link_id, _NO_LINK))] += clicks
        return _ranked(rows, {name: name for name in rows})

    return group


def _ranked(rows: Mapping[str, int], labels: Mapping[str, str]) -> dict[str, Sums]:
    total = sum(rows.values())
    order = sorted(rows, key=lambda key: (-rows[key], labels[key], key))
    return {key: Sums(url_clicks=rows[key], all_url_clicks=total) for key in order}


def _by_bin(cut: Cut) -> dict[str, Sums]:
    slots: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for delivery in cut.counts.deliveries.values():
        for kind in _CURVES:
            for link_slots in delivery.slots.get(kind, {}).values():
                for slot, times in link_slots.items():
                    slots[slot][kind] += times
    if not slots:
        return {}
    width = cut.bin_seconds or _width(cut.counts, min(slots), max(slots))
    so_far: Counter[str] = Counter()
    bins: dict[str, Sums] = {}
    for slot in sorted(slots):
        so_far.update(slots[slot])
        bins[_bin_start(slot, cut.zone, width)] = of_rows(so_far)
    return bins


def _width(counts: Counts, first: int, last: int) -> int:
    launches = [int(d.contact_at.timestamp()) for d in counts.deliveries.values() if d.contact_at is not None]
    span = last + SLOT_SECONDS - min([first, *launches])
    return next((width for view, width in _VIEWS if span <= view), 86400)


def _bin_start(slot: int, zone: tzinfo, width: int) -> str:
    at = datetime.fromtimestamp(slot, UTC)
    # The first and last day of the calendar have no local time in every zone.
    with suppress(OverflowError):
        at = at.astimezone(zone)
    if width == BIN_SECONDS[-1]:
        return at.replace(hour=0, minute=0, second=0, fold=0).isoformat()
    minutes = at.hour * 60 + at.minute
    hour, minute = divmod(minutes - minutes % (width // 60), 60)
    return at.replace(hour=hour, minute=minute, second=0).isoformat()


GROUPINGS: Mapping[str, Callable[[Cut], dict[str, Sums]]] = {
    "domain": _by_domain,
    "link": _by_link,
    "label": _by(_label),
    "url": _by(_url),
    "category": _by(_category),
    "bin": _by_bin,
}
"""Every grouping by name. Domains go by sends downwards and then name, links by clicks downwards and then label."""
