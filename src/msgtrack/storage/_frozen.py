"""Counts that were frozen: written before the events of a delivery go, and read in their place ever after."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from attrs import evolve

from msgtrack._borders import utc
from msgtrack.counts import SLOT_SECONDS, Counts, Visits
from msgtrack.errors import EventsPurged, StoreError
from msgtrack.facts import SharedView
from msgtrack.model import Audience
from msgtrack.protocols import FrozenCounts, Query, Slots
from msgtrack.storage._core import CoreStore
from msgtrack.upkeep import NONE, OUTSIDE

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["freeze", "frozen_counts", "frozen_slots", "read_counts", "read_slots", "together", "written_counts"]

_ALL = "all"
_NARROWING = ("message_ids", "recipient_id", "kinds", "link_ids", "labels", "categories", "domains", "limit", "after")
_LISTS = ("message_ids", "kinds", "audience", "link_ids", "labels", "categories", "domains")
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
    each one, for none (views alone), and without anything that happened.

    ``span`` is that of its events.
    """
    named = Query(delivery_ids=delivery_id)
    views = [view.occurred_at for view in store.facts(SharedView, named)]
    moments = [*(span or ()), *views]
    asked = {name: evolve(named, audience=name) for name in (_ALL, *(audience.value for audience in Audience))}
    asked[NONE] = evolve(named, audience=())
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


def frozen_counts(store: CoreStore, query: Query, names: AbstractSet[str]) -> dict[str, Counts]:
    """What the frozen counts of these deliveries answer to a query, by delivery.

    Raises:
        EventsPurged: only the events could answer it.
    """
    if not names:
        return {}
    is_none = _admits_nothing(query)
    for name in _NARROWING:
        if getattr(query, name) is not None and not (is_none and name in _LISTS):
            raise _refusal(min(names), f"counts narrowed by {name}")
    audience = NONE if is_none else _audience(query, min(names))
    found = _rows(store, query, names, audience)
    answers = {}
    for name in sorted(names):
        if name not in found:
            raise _missing(store, query, audience, name)
        answers[name] = read_counts(_chosen(query, found[name], audience, name).body)
    return answers


def _missing(store: CoreStore, query: Query, audience: str, delivery_id: str) -> EventsPurged:
    zones = {kept.zone for kept in store.frozen(Query(delivery_ids=delivery_id))}
    if query.zone in zones:
        return _refusal(delivery_id, f"the audience {audience!r}")
    return _refusal(delivery_id, f"days in the zone {query.zone}", hint=f"zones are: {', '.join(sorted(zones))}")


def _chosen(query: Query, kept: Mapping[str, FrozenCounts], audience: str, delivery_id: str) -> FrozenCounts:
    where = _where(query, next(iter(kept.values())))
    if where is None:
        raise _refusal(delivery_id, "a window that cuts its life in two", hint="slots() answers windows of whole slots")
    found = kept.get(where or audience)
    if found is None:
        raise _refusal(delivery_id, f"the audience {where or audience!r}")
    return found


def frozen_slots(store: CoreStore, query: Query, names: AbstractSet[str]) -> Slots:
    """The slots of these frozen deliveries that pass a query: by audience, kind, link, and windows of whole slots.

    Raises:
        EventsPurged: only the events could answer it.
    """
    if not names or _admits_nothing(query):
        return {}
    for name in _NARROWING_SLOTS:
        if getattr(query, name) is not None:
            raise _refusal(min(names), f"slots narrowed by {name}")
    audience = _audience(query, min(names))
    found = _rows(store, query, names, audience)
    # Slots know no days, so any zone will do.
    if elsewhere := names - found.keys():
        for kept in store.frozen(Query(delivery_ids=sorted(elsewhere))):
            found.setdefault(kept.delivery_id, {}).setdefault(kept.audience, kept)
    answers = {}
    for name in sorted(names):
        if slots := _slots_of(query, found[name], audience, name):
            answers[name] = slots
    return answers


def _slots_of(
    query: Query, kept: Mapping[str, FrozenCounts], audience: str, delivery_id: str
) -> dict[str, dict[str, dict[int, int]]]:
    where = _where(query, next(iter(kept.values())))
    if where is None and not (_is_border(query.since) and _is_border(query.until)):
        raise _refusal(delivery_id, "a window that begins or ends within a slot")
    found: dict[str, dict[str, dict[int, int]]] = {}
    for kind, links in read_slots(kept[where or audience].body, delivery_id).items():
        if query.kinds is not None and kind not in query.kinds:
            continue
        for link_id, slots in links.items():
            if query.link_ids is not None and link_id not in query.link_ids:
                continue
            rows = {slot: times for slot, times in slots.items() if where is not None or _is_inside(query, slot)}
            if rows:
                found.setdefault(kind, {})[link_id] = rows
    return found


def _rows(store: CoreStore, query: Query, names: AbstractSet[str], audience: str) -> dict[str, dict[str, FrozenCounts]]:
    """What a question needs of the frozen counts in its zone: by delivery, for its audience, and for none where there is a window."""
    named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
    audiences = {audience} if query.since is None and query.until is None else {audience, OUTSIDE}
    found: dict[str, dict[str, FrozenCounts]] = {}
    for kept in store.frozen_for(named, audiences, query.zone):
        if kept.delivery_id in names:
            found.setdefault(kept.delivery_id, {})[kept.audience] = kept
    return found


def _admits_nothing(query: Query) -> bool:
    return any(getattr(query, name) == () for name in _LISTS)


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


def read_slots(body: str, delivery_id: str) -> Mapping[str, Mapping[str, Mapping[int, int]]]:
    """The slots of one delivery among the counts that :func:`written_counts` wrote; the rest is not looked at.

    Raises:
        StoreError: the text is not one that this package wrote.
    """
    try:
        kept = json.loads(body).get("deliveries", {}).get(delivery_id, {}).get("slots", {})
        return {
            kind: {
                link_id: {int(slot): int(times) for slot, times in of_link.items()}
                for link_id, of_link in links.items()
            }
            for kind, links in kept.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise StoreError(f"frozen counts cannot be read: {error}: {body!r:.80}") from error
