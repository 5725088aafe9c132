"""From a store to the data of a report: everything is asked for once, and nothing is computed that metrics does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from attrs import evolve

from msgtrack._borders import name_of, utc
from msgtrack.metrics import Table, Value, catalogue, indicators
from msgtrack.model import Audience, Delivery, TrackedLink
from msgtrack.protocols import Query, Store
from msgtrack.reports.data import Curve, Facts, Figure, GroupRow, Line, LinkRow, Point, ReportData, Section
from msgtrack.reports.layout import DOMAIN_COLUMNS, LINK_FIGURES, SECTIONS, TILES, LineSpec

__all__ = ["delivery_data"]

_WIDTHS = ((3 * 3600, 300), (86400, 600), (7 * 86400, 3600), (30 * 86400, 10800))
"""Up to this many seconds from launch to the last reaction, bins of the curve are this wide; a day beyond.

Reference 7.5, with bins of three hours up to a month, where bins of a day would leave a curve of a few corners."""
_FINEST, _COARSEST = 300, 86400
_OPENS, _CLICKS = "tracking_statistics_opens", "tracking_statistics_clicks"
_TOTAL = "Total"


def delivery_data(
    store: Store,
    *,
    delivery_id: str | int,
    zone: str,
    now: datetime,
    audience: str | Audience | Iterable[str | Audience],
    since: datetime | None,
    until: datetime | None,
    language: str,
) -> ReportData:
    """The data of a delivery's report; :func:`msgtrack.reports.delivery_report` says what is what."""
    query = Query(delivery_ids=(delivery_id,))
    generated_at = utc(now)
    table = indicators(store, delivery_id, audience=audience, since=since, until=until, zone=zone, now=generated_at)
    (asked_id,) = table.delivery_ids
    delivery = next(store.deliveries(query), None) or Delivery(id=asked_id)
    return ReportData(
        facts=Facts(
            delivery_id=asked_id,
            label=delivery.label,
            internal_name=delivery.internal_name,
            channel=delivery.channel,
            contact_at=delivery.contact_at,
            is_left_out=table.is_left_out,
            audiences=() if table.audiences is None else tuple(map(name_of, table.audiences)),
            since=table.since,
            until=table.until,
            zone=zone,
            tzinfo=UTC if zone == "UTC" else ZoneInfo(zone),
            language=language,
            generated_at=generated_at,
        ),
        tiles=tuple(_line(table, spec) for spec in TILES),
        sections=tuple(
            Section(
                name=spec.name,
                title=spec.title,
                lines=tuple(_line(table, line) for line in spec.lines),
                is_optional=spec.is_optional,
            )
            for spec in SECTIONS
        ),
        domains=_groups(table, _domain_keys(), "domain"),
        domains_total=GroupRow(name=_TOTAL, figures=tuple(_figure(key, table[key]) for key in _domain_keys())),
        links=_links(table, store.links(query)),
        labels=_groups(table, LINK_FIGURES, "label"),
        curve=_curve(table, delivery.contact_at),
    )


def _figure(key: str, value: Value) -> Figure:
    indicator = catalogue[key]
    return Figure(
        key=key,
        label=indicator.label,
        value=value,
        formula=indicator.formula,
        is_share=indicator.is_share,
    )


def _line(table: Table, spec: LineSpec) -> Line:
    return Line(
        title=spec.title or catalogue[spec.key].label,
        figure=_figure(spec.key, table[spec.key]),
        rate=_figure(spec.rate, table[spec.rate]) if spec.rate else None,
    )


def _domain_keys() -> tuple[str, ...]:
    return tuple(key for spec in DOMAIN_COLUMNS for key in (spec.key, spec.rate) if key)


def _groups(table: Table, keys: Iterable[str], by: str) -> tuple[GroupRow, ...]:
    columns: Mapping[str, Mapping[str, Value]] = {key: table.series(key, by=by) for key in keys}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    return tuple(
        GroupRow(name=name, figures=tuple(_figure(key, column[name]) for key, column in columns.items()))
        for name in names
    )


def _links(table: Table, links: Iterable[TrackedLink]) -> tuple[LinkRow, ...]:
    known = {link.id: link for link in links}
    clicks, shares = (table.series(key, by="link") for key in LINK_FIGURES)
    return tuple(_link_row(link_id, known.get(link_id), clicks[link_id], shares[link_id]) for link_id in clicks)


def _link_row(link_id: str, link: TrackedLink | None, clicks: Value, share: Value) -> LinkRow:
    row = LinkRow(
        id=link_id,
        is_registered=link is not None,
        clicks=_figure(LINK_FIGURES[0], clicks),
        share=_figure(LINK_FIGURES[1], share),
    )
    if link is None:
        return row
    kind = name_of(link.type).replace("_", "-")
    return evolve(row, label=link.label, url=link.url, category=link.category, type=kind)


def _curve(table: Table, contact_at: datetime | None) -> Curve:
    fine = [datetime.fromisoformat(name) for name in table.series(_OPENS, by="bin", bin_seconds=_FINEST)]
    if not fine:
        return Curve(launch_at=contact_at, bin_seconds=_FINEST, points=())
    launch_at = fine[0] if contact_at is None else contact_at
    reach = (fine[-1] - min(launch_at, fine[0]) + timedelta(seconds=_FINEST)).total_seconds()
    bin_seconds = next((width for limit, width in _WIDTHS if reach <= limit), _COARSEST)
    opens, clicks = (table.series(key, by="bin", bin_seconds=bin_seconds) for key in (_OPENS, _CLICKS))
    return Curve(
        launch_at=utc(launch_at),
        bin_seconds=bin_seconds,
        points=tuple(Point(at=datetime.fromisoformat(name), opens=opens[name], clicks=clicks[name]) for name in opens),
    )
