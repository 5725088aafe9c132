"""The way in to reports: a layout filled from a store, from plain facts, or from a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from difflib import get_close_matches

from attrs import evolve, frozen

from msgtrack._borders import count, items, shown
from msgtrack.errors import InvalidOption
from msgtrack.events import Event
from msgtrack.facts import Fact
from msgtrack.metrics._bounds import open_bounds
from msgtrack.metrics._entry import indicators
from msgtrack.metrics._fill import Made, fill
from msgtrack.metrics._layout import IntervalLayout, Layout
from msgtrack.metrics._layouts import layouts
from msgtrack.metrics._report import IndicatorReport
from msgtrack.metrics._scope import TOP
from msgtrack.metrics._table import Table
from msgtrack.metrics._time import BIN_SECONDS
from msgtrack.model import Audience, Delivery, Message, TrackedLink
from msgtrack.protocols import Store

__all__ = ["AudienceLike", "IndicatorReports", "indicator_report"]

AudienceLike = str | Audience | Iterable[str | Audience]
"""Whose events count: ``all``, or one or several of ``human``, ``proxy``, ``unsure`` and ``machine`` together."""


@frozen
class _Tables:
    """Tables over the same facts for one audience or another; what :func:`open_bounds` asks for."""

    make: Callable[[AudienceLike], Table]

    def __call__(self, *, audience: tuple[Audience, ...] | str) -> Table:
        return self.make(audience)


class IndicatorReports:
    """Call it with a store, or use :meth:`from_events` and :meth:`from_table`, which need none."""

    __slots__ = ()

    def __call__(
        self,
        layout: str | Layout,
        store: Store,
        delivery_id: str | int | Iterable[str | int],
        *,
        audiences: AudienceLike | Iterable[AudienceLike] = ("all",),
        since: datetime | None = None,
        until: datetime | None = None,
        zone: str = "UTC",
        now: datetime | None = None,
        clip: bool = False,
        peers: bool = False,
        top: int = TOP,
        bin_seconds: int | None = None,
    ) -> IndicatorReport:
        """The report of one delivery, or of several together.

        Args:
            layout: the name of a report (:data:`layouts` has them all), or a layout of your own.
            store: where the facts are.
            delivery_id: an id, or several.
            audiences: whose reactions stand side by side, in this order: ``"human"``, ``("all", "human", "machine")``. An
                item that is several itself, as in ``("all", ("human", "proxy"))``, counts them together.
            since: as with :func:`indicators`, and so are ``until``, ``zone``, ``now``, ``clip`` and ``peers``.
            until: see ``since``.
            zone: see ``since``.
            now: see ``since``; subscriptions and platform averages are undefined without it.
            clip: see ``since``.
            peers: see ``since``; platform averages are undefined without it.
            top: rows of a ranking before the others.
            bin_seconds: the width of bins in blocks that have none of their own; by default it follows the time since the
                launch.

        Raises:
            InvalidOption: there is no such report, audience, zone or width of bins.
            InvalidValue: no delivery was named, the store knows nothing of one of them, or ``top`` is no count.
            NaiveDatetime: a moment without a time zone.
        """
        ids = delivery_id if isinstance(delivery_id, str | int) else items(delivery_id)

        def table(audience: AudienceLike) -> Table:
            return indicators(
                store, ids, audience=audience, since=since, until=until, zone=zone, now=now, clip=clip, peers=peers
            )

        return _report(layout, table, audiences, top, bin_seconds)

    def from_events(
        self,
        layout: str | Layout,
        delivery: Delivery | Iterable[Delivery],
        messages: Iterable[Message],
        links: Iterable[TrackedLink],
        events: Iterable[Event],
        *,
        audiences: AudienceLike | Iterable[AudienceLike] = ("all",),
        since: datetime | None = None,
        until: datetime | None = None,
        zone: str = "UTC",
        now: datetime | None = None,
        clip: bool = False,
        facts: Iterable[Fact] = (),
        peers: Iterable[Delivery] = (),
        top: int = TOP,
        bin_seconds: int | None = None,
    ) -> IndicatorReport:
        """The report of plain facts, with no store at all; the options are those of a call with a store.

        Args:
            layout: as with a store.
            delivery: one, or several together.
            messages: of any deliveries.
            links: of any deliveries.
            events: of any deliveries.
            facts: everything of :mod:`msgtrack.facts`, mixed.
            peers: deliveries to take platform averages over.
            audiences: as with a store.
            since: as with a store.
            until: as with a store.
            zone: as with a store.
            now: as with a store.
            clip: as with a store.
            top: as with a store.
            bin_seconds: as with a store.

        Raises:
            InvalidOption: there is no such report, audience, zone or width of bins.
            InvalidValue: no delivery was given, something else is among the facts, or ``top`` is no count.
            NaiveDatetime: a moment without a time zone.
        """
        deliveries = (delivery,) if isinstance(delivery, Delivery) else items(delivery)
        sent, tracked, happened = items(messages), items(links), items(events)
        others, more = items(peers), items(facts)

        def table(audience: AudienceLike) -> Table:
            return indicators.from_events(
                deliveries,
                sent,
                tracked,
                happened,
                audience=audience,
                since=since,
                until=until,
                zone=zone,
                now=now,
                clip=clip,
                facts=more,
                peers=others,
            )

        return _report(layout, table, audiences, top, bin_seconds)

    def from_table(
        self, layout: str | Layout, table: Table, *, top: int = TOP, bin_seconds: int | None = None
    ) -> IndicatorReport:
        """The report of a table that is there already, for the audience that it was made for.

        Raises:
            InvalidOption: there is no such report or width of bins, or the report needs the facts of every audience.
            InvalidValue: ``top`` is no count.
        """
        chosen = _layout(layout)
        if _needs_facts(chosen):
            raise InvalidOption(f"the report {chosen.name!r} needs the facts of every audience, not one table")
        return fill(chosen, _made({table.audience: table}, top, bin_seconds))


def _report(
    layout: str | Layout,
    table: Callable[[AudienceLike], Table],
    audiences: AudienceLike | Iterable[AudienceLike],
    top: int,
    bin_seconds: int | None,
) -> IndicatorReport:
    chosen = _layout(layout)
    asked = (audiences,) if isinstance(audiences, str) else items(audiences)
    if not asked:
        raise InvalidOption("audiences=() asks for nobody; use 'all' or name at least one audience")
    tables: dict[str, Table] = {}
    for audience in asked:
        found = table(audience)
        tables[found.audience] = found
    made = _made(tables, top, bin_seconds)
    if not _needs_facts(chosen):
        return fill(chosen, made)
    if tuple(tables) != ("all",):
        raise InvalidOption(f"the report {chosen.name!r} weighs every audience itself; leave audiences out")
    return fill(chosen, evolve(made, bounds=open_bounds(_Tables(table))))


def _made(tables: dict[str, Table], top: int, bin_seconds: int | None) -> Made:
    if bin_seconds is not None and bin_seconds not in BIN_SECONDS:
        widths = ", ".join(map(str, BIN_SECONDS))
        raise InvalidOption(f"bin_seconds={shown(bin_seconds)} is not one of: {widths}")
    return Made(tables=tables, top=count(top), bin_seconds=bin_seconds)


def _needs_facts(layout: Layout) -> bool:
    return any(isinstance(block, IntervalLayout) for block in layout.blocks)


def _layout(layout: object) -> Layout:
    if isinstance(layout, Layout):
        return layout
    name = layout if isinstance(layout, str) else ""
    found = layouts.get(name)
    if found is None:
        near = get_close_matches(name, layouts, n=1)
        raise InvalidOption(
            f"there is no report {shown(layout)}; there are: {', '.join(layouts)}",
            hint=f"did you mean {near[0]}?" if near else "",
        )
    return found


indicator_report = IndicatorReports()
"""The one entry: call it with a store, or ``indicator_report.from_events(...)`` and ``indicator_report.from_table(...)``."""
