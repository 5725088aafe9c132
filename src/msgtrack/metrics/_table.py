"""A table: every indicator of the catalogue over one set of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from attrs import Factory, evolve, field, frozen

from msgtrack._borders import count, shown, zone_of
from msgtrack.counts import Counts
from msgtrack.errors import InvalidOption
from msgtrack.metrics._catalogue import catalogue
from msgtrack.metrics._groups import GROUPINGS
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_whole
from msgtrack.metrics._time import BIN_SECONDS
from msgtrack.metrics._values import Value
from msgtrack.model import Audience

__all__ = ["Table"]


@frozen(kw_only=True, eq=False)
class Table(Mapping[str, Value]):
    """Indicators by key, each a :class:`Value`; :meth:`series` gives those that come in rows.

    ``counts``: what they are computed from. ``delivery_ids``: what was asked for. ``audiences``: whose events are
    in, None for all. ``since`` and ``until`` bound the events, half-open; messages are counted whole whatever the
    window and the audience. ``zone``: name of the zone of bins. ``now``: the moment of the report, if it was given
    one. ``clip``: forwards below zero are shown as 0. ``peers``: counts of the deliveries that platform averages are taken
    over, None when nobody gave any.

    Equal to any mapping of the same values.
    """

    counts: Counts = field(repr=False)
    delivery_ids: tuple[str, ...]
    audiences: tuple[Audience, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    zone: str = "UTC"
    now: datetime | None = None
    clip: bool = False
    is_left_out: bool = False
    peers: Counts | None = field(default=None, repr=False)
    _scope: Scope = field(init=False, repr=False, default=Factory(lambda self: self._asked(), takes_self=True))
    _whole: Sums = field(init=False, repr=False, default=Factory(lambda self: of_whole(self._scope), takes_self=True))

    def _asked(self) -> Scope:
        return Scope(
            counts=self.counts,
            peers=self.peers,
            now=self.now,
            since=self.since,
            until=self.until,
            zone=zone_of(self.zone),
            is_several=len(self.delivery_ids) > 1,
            clip=self.clip,
        )

    @property
    def audience(self) -> str:
        """Whose events are in, in words: ``all``, ``human``, or several as in ``human, proxy``."""
        return "all" if self.audiences is None else ", ".join(self.audiences)

    def __getitem__(self, key: str) -> Value:
        """The indicator of this key over everything that was asked for.

        Raises:
            UnknownIndicator: no indicator has the key (also a ``KeyError``).
        """
        return self._marked(catalogue[key].value(self._whole))

    def __iter__(self) -> Iterator[str]:
        return iter(catalogue)

    def __len__(self) -> int:
        return len(catalogue)

    def __contains__(self, key: object) -> bool:
        return key in catalogue

    def series(
        self, key: str, by: str, *, bin_seconds: int | None = None, top: int | None = None
    ) -> Mapping[str, Value]:
        """The indicator of this key in rows, in their order.

        Args:
            key: of an indicator.
            by: one of the indicator's ``groupings``. Those that many reports share: ``domain`` (by sends, descending),
                ``link``, ``label``, ``url``, ``category`` (by clicks, descending, then label), ``bin``, ``day`` (of the
                table's zone), ``delivery`` and ``variant`` (of the deliveries that have any; "" for their messages
                without). Links are named by their id, after their delivery's id and a slash when several deliveries
                were asked for. A link without a label goes by its URL; one that nobody
                registered has the label, URL and category "". Bins are named by their start in the table's zone, ISO
                8601; those in which nothing happened are left out, and the value before them goes on.
            bin_seconds: the width of bins: 300, 600, 1800, 3600, 10800 or 86400. By default it follows the time from
                launch to the last event: 5 minutes up to 3 hours, 10 minutes up to a day, an hour up to a week, then
                a day.
            top: how many rows a ranking shows before the others, 10 by default; for indicators that have such a row.

        Raises:
            InvalidOption: the indicator does not come by that grouping, or bins have no such width.
            InvalidValue: ``top`` is no whole number from 0.
            UnknownIndicator: there is no such indicator.
        """
        indicator = catalogue[key]
        if by not in indicator.groupings:
            groupings = ", ".join(indicator.groupings) or "no grouping at all"
            raise InvalidOption(f"{key} does not come by {shown(by)}; it comes by: {groupings}")
        if bin_seconds is not None and bin_seconds not in BIN_SECONDS:
            widths = ", ".join(map(str, BIN_SECONDS))
            raise InvalidOption(f"bin_seconds={shown(bin_seconds)} is not one of: {widths}")
        scope = evolve(self._scope, bin_seconds=bin_seconds)
        if top is not None:
            scope = evolve(scope, top=count(top))
        cut = indicator.cuts.get(by) or GROUPINGS[by]
        return {name: self._marked(indicator.value(sums)) for name, sums in cut(scope).items()}

    def _marked(self, value: Value) -> Value:
        more = [code for code, holds in self._doubts(value) if holds]
        return evolve(value, caveats=(*value.caveats, *more)) if more else value

    def _doubts(self, value: Value) -> Iterator[tuple[str, bool]]:
        yield "left-out", self.is_left_out
        yield "sketched", "browsers" in value.caveats and self.counts.distinct_error > 0
