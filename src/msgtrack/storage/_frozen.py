"""Counts that were frozen: written before the events of a delivery go, and read in their place ever after."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from attrs import evolve

from msgtrack._borders import utc
from msgtrack.counts import SLOT_SECONDS, Counts, DeliveryCounts, Visits
from msgtrack.errors import EventsPurged, StoreError
from msgtrack.facts import SharedView
from msgtrack.model import Audience
from msgtrack.protocols import FrozenCounts, Query
from msgtrack.storage._core import CoreStore
from msgtrack.upkeep import OUTSIDE

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["answer_for", "freeze", "read_counts", "slots_for", "together", "written_counts"]

_ALL = "all"
_NARROWING = ("message_ids", "recipient_id", "kinds", "link_ids", "labels", "categories", "domains", "limit", "after")
_NARROWING_SLOTS = ("message_ids", "recipient_id", "labels", "categories", "domains", "limit", "after")


def freeze(
    store: CoreStore,
    delivery_id: str,
    span: tuple[datetime, datetime] | None,
    zones: Iterable[str],
    *,
    now: datetime | None,
) -> list[FrozenCounts]:
    """The counts of a delivery for every question that can be answered from them later: in each zone for all audiences and for
    each one, and without any event.

    ``span`` is that of its events.
    """
    named = Query(delivery_ids=delivery_id)
    views = [view.occurred_at for view in store.facts(SharedView, named)]
    moments = [*(span or ()), *views]
    asked = {name: evolve(named, audience=name) for name in (_ALL, *(audience.value for audience in Audience))}
    if moments:
        asked[OUTSIDE] = evolve(named, since=min(moments), until=min(moments))
    return [
        FrozenCounts(
            delivery_id=delivery_id,
            audience=name,
            zone=zone,
            frozen_at=now,
            first_at=min(moments, default=None),
            last_at=max(moments, default=None),
            # Services and applications are the platform's, and go on.
            body=written_counts(evolve(store.live_counts(evolve(query, zone=zone)), services={}, applications={})),
        )
        for zone in zones
        for name, query in asked.items()
    ]


def answer_for(query: Query, kept: Mapping[tuple[str, str], FrozenCounts], delivery_id: str) -> Counts:
    """What the frozen counts of one delivery (``kept``, by audience and zone) answer to a query.

    Raises:
        EventsPurged: only the events could answer it.
    """
    for name in _NARROWING:
        if getattr(query, name) is not None:
            raise _refusal(delivery_id, f"counts narrowed by {name}")
    audience = _audience(query, delivery_id)
    where = _where(query, next(iter(kept.values())))
    if where is None:
        raise _refusal(delivery_id, "a window that cuts its life in two", hint="slots() answers windows of whole slots")
    return _read(kept, where or audience, query.zone, delivery_id)


def slots_for(
    query: Query, kept: Mapping[tuple[str, str], FrozenCounts], delivery_id: str
) -> dict[str, dict[str, dict[int, int]]]:
    """The slots of one frozen delivery that pass a query: by audience, kind, link, and windows of whole slots.

    Raises:
        EventsPurged: only the events could answer it.
    """
    for name in _NARROWING_SLOTS:
        if getattr(query, name) is not None:
            raise _refusal(delivery_id, f"slots narrowed by {name}")
    audience = _audience(query, delivery_id)
    where = _where(query, next(iter(kept.values())))
    if where is None and not (_is_border(query.since) and _is_border(query.until)):
        raise _refusal(delivery_id, "a window that begins or ends within a slot")
    # Slots know no days, so any zone will do.
    zone = min(zone for _, zone in kept)
    deliveries = _read(kept, where or audience, zone, delivery_id).deliveries
    found: dict[str, dict[str, dict[int, int]]] = {}
    for kind, links in deliveries.get(delivery_id, DeliveryCounts()).slots.items():
        if query.kinds is not None and kind not in query.kinds:
            continue
        for link_id, slots in links.items():
            if query.link_ids is not None and link_id not in query.link_ids:
                continue
            rows = {slot: times for slot, times in slots.items() if where is not None or _is_inside(query, slot)}
            if rows:
                found.setdefault(kind, {})[link_id] = rows
    return found


def together(live: Counts, frozen: Mapping[str, Counts]) -> Counts:
    """The counts of what is live and of frozen deliveries; who is in several of them counts in each."""
    parts = [live, *frozen.values()]
    deliveries = {name: counts for part in parts for name, counts in part.deliveries.items()}
    persons_by: dict[str, Counter[str]] = {}
    for part in parts:
        for by, persons in part.persons_by.items():
            persons_by.setdefault(by, Counter()).update(persons)
    return evolve(
        live,
        deliveries={name: deliveries[name] for name in sorted(deliveries)},
        persons=sum(part.persons for part in parts),
        recipients=sum((Counter(part.recipients) for part in parts), Counter()),
        persons_by=persons_by,
        visits=_visits(visits for part in parts for visits in part.visits),
        frozen=sorted(frozen),
    )


def _visits(visits: Iterable[Visits]) -> Iterator[Visits]:
    rows: dict[tuple[object, ...], Visits] = {}
    for row in visits:
        program = (row.browser, row.browser_version, row.os, row.os_version, row.device)
        key = (row.day, *program, -1 if row.is_mobile is None else int(row.is_mobile))
        known = rows.get(key)
        rows[key] = (
            row if known is None else evolve(row, visitors=row.visitors + known.visitors, pages=row.pages + known.pages)
        )
    return (rows[key] for key in sorted(rows))


def _audience(query: Query, delivery_id: str) -> str:
    if query.audience is None or {*query.audience} == {*Audience}:
        return _ALL
    if len({*query.audience}) == 1:
        return query.audience[0].value
    raise _refusal(delivery_id, "some audiences together", hint="ask for one audience, or for all")


def _where(query: Query, kept: FrozenCounts) -> str | None:
    """How the window of a query lies: "" when it holds the whole life of the delivery, OUTSIDE beside it, None across."""
    if kept.first_at is None or kept.last_at is None:
        return ""
    if (query.since is None or query.since <= kept.first_at) and (query.until is None or query.until > kept.last_at):
        return ""
    starts_after = query.since is not None and query.since > kept.last_at
    ends_before = query.until is not None and query.until <= kept.first_at
    is_empty = query.since is not None and query.until is not None and query.since >= query.until
    return OUTSIDE if starts_after or ends_before or is_empty else None


def _is_border(at: datetime | None) -> bool:
    return at is None or (at - _EPOCH) % timedelta(seconds=SLOT_SECONDS) == timedelta(0)


_EPOCH = utc(datetime.fromisoformat("1970-01-01T00:00:00Z"))


def _is_inside(query: Query, slot: int) -> bool:
    at = _EPOCH + timedelta(seconds=slot)
    return (query.since is None or at >= query.since) and (query.until is None or at < query.until)


def _refusal(delivery_id: str, what: str, *, hint: str = "") -> EventsPurged:
    return EventsPurged(
        f"the events of delivery {delivery_id!r:.80} were purged, and its frozen counts do not answer {what}",
        hint=hint or "ask for the whole delivery, or leave it out by except_delivery_ids",
    )


def _read(kept: Mapping[tuple[str, str], FrozenCounts], audience: str, zone: str, delivery_id: str) -> Counts:
    found = kept.get((audience, zone))
    if found is None:
        zones = ", ".join(sorted({zone for _, zone in kept}))
        raise _refusal(delivery_id, f"days in the zone {zone}", hint=f"zones are: {zones}")
    return read_counts(found.body)


# The written form: fields by name, those that hold their default left out.


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(omit_if_default=True, detailed_validation=False, forbid_extra_keys=True)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: utc(datetime.fromisoformat(text)))
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    return converter


def written_counts(counts: Counts) -> str:
    """Counts as JSON, in ASCII."""
    return json.dumps(_converter().unstructure(counts), separators=(",", ":"))


def read_counts(body: str) -> Counts:
    """The counts that :func:`written_counts` wrote.

    Raises:
        StoreError: the text is not one that this package wrote.
    """
    from cattrs.errors import ForbiddenExtraKeysError

    try:
        return _converter().structure(json.loads(body), Counts)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, ForbiddenExtraKeysError) as error:
        raise StoreError(f"frozen counts cannot be read: {error}: {body!r:.80}") from error
