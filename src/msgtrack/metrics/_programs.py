"""What the reports of browsers and of systems share: visitors and pages by family, version and day.

They stand on the user-agent statistics (``Counts.visits``): a person who came on two days, or with two programs, is a
visitor of each, so rows add up to the whole, and the whole is no number of distinct persons.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from msgtrack._borders import microseconds, zone_of
from msgtrack.counts import SLOT_SECONDS, Visits, local_day
from msgtrack.domains import OTHERS
from msgtrack.metrics._groups import path_part
from msgtrack.metrics._messages import together
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.metrics._time import local

__all__ = ["OTHERS", "UNKNOWN", "Programs", "pages", "period_days", "splits_days", "visitors"]

UNKNOWN = "Unknown"
"""The row of what no user agent told."""

_SLOT_MICROSECONDS = SLOT_SECONDS * 1_000_000
_FIRST = microseconds(datetime.min.replace(tzinfo=UTC))


class Programs:
    """The programs of a report: how their families and versions are read off a row of the statistics."""

    def __init__(self, family: Callable[[Visits], str], version: Callable[[Visits], str]) -> None:
        self._family = family
        self._version = version

    def by_family(self, scope: Scope) -> dict[str, Sums]:
        """Families by visitors, descending, then pages and name; those past ``scope.top`` together under Others.

        A program that bears the name of the others falls under it.
        """
        totals = _totals(scope)
        return {name: _sums(scope, visits, totals) for name, visits in self._ranked(scope).items()}

    def by_version(self, scope: Scope) -> dict[str, Sums]:
        """Every version of every family, as ``family/version``: families in their order, versions likewise."""
        totals = _totals(scope)
        rows = {}
        for family, of_family in _grouped(scope.counts.visits, self._family):
            family_totals = {**totals, "family_visitors": _visitors_of(of_family)}
            for version, visits in _grouped(of_family, self._version):
                rows[f"{path_part(family)}/{path_part(version)}"] = _sums(scope, visits, family_totals)
        return rows

    def by_day(self, scope: Scope) -> dict[str, Sums]:
        """Days (of the zone of the counts) on which anybody came, in order."""
        totals = _totals(scope, days=1)
        return {day: _sums(scope, visits, totals) for day, visits in _by_day(scope.counts.visits).items()}

    def by_family_and_day(self, scope: Scope) -> dict[str, Sums]:
        """The curve of each family, as ``family/day``; families as they are ranked, without days on which none came."""
        totals = _totals(scope, days=1)
        return {
            f"{path_part(name)}/{day}": _sums(scope, of_day, totals)
            for name, visits in self._ranked(scope).items()
            for day, of_day in _by_day(visits).items()
        }

    def unread(self, sums: Sums) -> tuple[str, ...]:
        """Marks numbers where no user agent told a family."""
        return () if any(self._family(row) for row in sums.counts.visits) else ("no-data",)

    def unseen(self, sums: Sums) -> tuple[str, ...]:
        """Marks visitors: as above, and where pages name neither a browser nor a message, or no set of visitors is left."""
        is_silent = pages(sums) and not visitors(sums)
        return (*self.unread(sums), *(("no-data",) if is_silent else ()), *together(sums))

    def _ranked(self, scope: Scope) -> dict[str, list[Visits]]:
        families = dict(_grouped(scope.counts.visits, self._family))
        rest = [*families.pop(OTHERS, ())]
        rows = {}
        for rank, (name, visits) in enumerate(families.items()):
            if rank < scope.top:
                rows[name] = visits
            else:
                rest += visits
        return {**rows, OTHERS: rest} if rest else rows


def visitors(sums: Sums) -> int:
    """Visitors of a row, or of all."""
    return _number(sums, "visitors", _visitors_of)


def pages(sums: Sums) -> int:
    """Pages viewed by those of a row, or by all."""
    return _number(sums, "pages", _pages_of)


def period_days(scope: Scope) -> int:
    """Days of the period, as the zone of the counts has them: those that the window touches.

    Where the window is open, the period begins with the first day of the statistics, or ends with the last.
    """
    zone = scope.counts.zone
    seen = [row.day for row in scope.counts.visits]
    first = min(seen, default=None) if scope.since is None else _day_at(microseconds(scope.since), zone)
    last = max(seen, default=None) if scope.until is None else _day_at(microseconds(scope.until) - 1, zone)
    if first is None or last is None:
        return 0
    return max((datetime.fromisoformat(last) - datetime.fromisoformat(first)).days + 1, 0)


def splits_days(scope: Scope) -> bool:
    """Whether the window begins or ends within a day, which counts as a whole one nevertheless."""
    zone = zone_of(scope.counts.zone)
    ends = [at for at in (scope.since, scope.until) if at is not None]
    return any(local(at, zone).time() != datetime.min.time() for at in ends)


def _day_at(moment: int, zone: str) -> str:
    """The day of the slot that a moment, in microseconds, falls into: events are dated by their slots."""
    moment = max(moment, _FIRST)
    return local_day(moment // _SLOT_MICROSECONDS * SLOT_SECONDS, zone)


def _number(sums: Sums, name: str, total: Callable[[Iterable[Visits]], int]) -> int:
    found = sums.numbers.get(name)
    return total(sums.counts.visits) if found is None else int(found)


def _totals(scope: Scope, *, days: int | None = None) -> dict[str, int]:
    """What every row is set against; ``days``: of a row, None for the whole period."""
    of_days = [_visitors_of(rows) for rows in _by_day(scope.counts.visits).values()]
    return {
        "all_visitors": sum(of_days),
        "busiest": max(of_days, default=0),
        "days": period_days(scope) if days is None else days,
    }


def _sums(scope: Scope, rows: Iterable[Visits], totals: Mapping[str, int]) -> Sums:
    rows = tuple(rows)
    return of_numbers(scope, visitors=_visitors_of(rows), pages=_pages_of(rows), **totals)


def _visitors_of(rows: Iterable[Visits]) -> int:
    return sum(row.visitors for row in rows)


def _pages_of(rows: Iterable[Visits]) -> int:
    return sum(row.pages for row in rows)


def _by_day(rows: Iterable[Visits]) -> dict[str, list[Visits]]:
    days: defaultdict[str, list[Visits]] = defaultdict(list)
    for row in rows:
        days[row.day].append(row)
    return {day: days[day] for day in sorted(days)}


def _grouped(rows: Iterable[Visits], name_of: Callable[[Visits], str]) -> list[tuple[str, list[Visits]]]:
    groups: defaultdict[str, list[Visits]] = defaultdict(list)
    seen: Counter[str] = Counter()
    viewed: Counter[str] = Counter()
    for row in rows:
        name = name_of(row) or UNKNOWN
        groups[name].append(row)
        seen[name] += row.visitors
        viewed[name] += row.pages
    return [(name, groups[name]) for name in sorted(groups, key=lambda name: (-seen[name], -viewed[name], name))]
