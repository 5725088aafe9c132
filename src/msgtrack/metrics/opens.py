"""The report "Breakdown of opens": all opens, and opens by the program that loaded the image."""

from __future__ import annotations

from collections import Counter
from functools import partial

from msgtrack.events import Open
from msgtrack.metrics._groups import Cut
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import unobserved
from msgtrack.metrics._programs import UNKNOWN
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_rows

__all__ = ["INDICATORS"]


def _by(name: str, *, is_mobile_only: bool) -> Cut:
    """Opens by a field of the program, the most first; those that no user agent told stand under Unknown."""

    def cut(scope: Scope) -> dict[str, Sums]:
        opens: Counter[str] = Counter()
        for delivery in scope.counts.deliveries.values():
            for row in delivery.agents:
                if row.is_mobile or not is_mobile_only:
                    opens[getattr(row, name) or UNKNOWN] += row.reactions.get(Open.kind, 0)
        order = sorted(+opens, key=lambda program: (-opens[program], program))
        return {program: of_rows({Open.kind: opens[program]}, scope) for program in order}

    return cut


def _unread(name: str, sums: Sums) -> tuple[str, ...]:
    """Marks numbers where no user agent of an open told the field."""
    rows = (row for delivery in sums.counts.deliveries.values() for row in delivery.agents)
    return () if any(getattr(row, name) and row.reactions.get(Open.kind) for row in rows) else ("no-data",)


_indicator = partial(Indicator, report="Breakdown of opens", unit="count", measure=lambda s: s.total_recipient_open)


def _breakdown(key: str, label: str, formula: str, name: str) -> Indicator:
    mobile = f"mobile-{name}"
    return _indicator(
        key=key,
        label=label,
        formula=formula,
        doubts=partial(_unread, name),
        cuts={name: _by(name, is_mobile_only=False), mobile: _by(name, is_mobile_only=True)},
        groupings=(name, mobile),
        inputs=("total_recipient_open", "Event.client", f"Client.{name}", "Client.is_mobile"),
        sources=("v8 reporting/global-reports",),
        notes="What no user agent told is a row of its own, Unknown. Who does not say to be mobile is not counted as such.",
        caveats=("image-loads", "user-agents"),
    )


INDICATORS: tuple[Indicator, ...] = (
    _indicator(
        key="total_recipient_open",
        label="Total opens",
        field="@totalRecipientOpen",
        formula="count(L, url_id == 1)",
        doubts=unobserved,
        groupings=("domain", "variant", "delivery"),
        inputs=("Event.kind",),
        notes="Every open, repeated ones and those of forwarded messages included.",
        caveats=("image-loads",),
    ),
    _breakdown("opens_by_os", "Opens by operating system", "count(L, url_id == 1) group by user_agent.os_family", "os"),
    _breakdown("opens_by_device", "Opens by device", "count(L, url_id == 1) group by user_agent.device", "device"),
    _breakdown(
        "opens_by_browser", "Opens by browser", "count(L, url_id == 1) group by user_agent.browser_family", "browser"
    ),
)
