"""The report "Web application tracking (v7)": how far people come through the steps of a web application.

Over several applications, people and steps are added up, so that a person counts once for each application.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgtrack.counts import StepCounts
from msgtrack.metrics._groups import path_part
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers

__all__ = ["INDICATORS"]


def _numbers(applications: Iterable[StepCounts]) -> dict[str, int]:
    found = dict.fromkeys(("first", "last", "every", "only_first", "seen"), 0)
    for application in applications:
        found["seen"] += sum(application.persons.values())
        if application.steps:
            found["first"] += application.persons.get(application.steps[0], 0)
            found["last"] += application.persons.get(application.steps[-1], 0)
            found["every"] += application.every
            found["only_first"] += application.only_first
    return found


def _number(s: Sums, name: str) -> int:
    if s.numbers:
        return int(s[name] or 0)
    return _numbers(s.counts.applications.values())[name]


def _by_application(scope: Scope) -> dict[str, Sums]:
    applications = scope.counts.applications
    return {name: of_numbers(scope, **_numbers([application])) for name, application in applications.items()}


def _by_step(scope: Scope) -> dict[str, Sums]:
    """A row for each step but the last: who came there, and who came to the next."""
    applications = scope.counts.applications
    rows = {}
    for name, application in applications.items():
        for step, following in zip(application.steps, application.steps[1:], strict=False):
            key = f"{path_part(name)}/{path_part(step)}" if len(applications) > 1 else step
            here, there = application.persons.get(step, 0), application.persons.get(following, 0)
            rows[key] = of_numbers(scope, first=here, last=there, seen=sum(application.persons.values()))
    return rows


def _doubts(s: Sums) -> tuple[str, ...]:
    is_cut = s.scope.since is not None or s.scope.until is not None
    if not _number(s, "seen"):
        return ("no-data",)
    return ("partial-window",) if is_cut else ()


_share = partial(
    Indicator,
    report="Web application tracking (v7)",
    unit="ratio",
    is_share=True,
    over=lambda s: _number(s, "first"),
    doubts=_doubts,
    inputs=("WebApplication.steps", "StepView.step", "StepView.source_id"),
    sources=("v7 web/tracking-a-web-application",),
    caveats=("browsers", "choice"),
)
_by_whole = partial(_share, groupings=("application",), cuts={"application": _by_application})

INDICATORS: tuple[Indicator, ...] = (
    _by_whole(
        key="webapp_conversion_rate",
        label="Conversion rate",
        formula="pct(persons who displayed every step, persons who displayed the first step)",
        measure=lambda s: _number(s, "every"),
        notes="Every step, in whatever order and however many visits it took.",
    ),
    _by_whole(
        key="webapp_bounce_rate",
        label="Bounce rate",
        formula="pct(persons who displayed only the first step, persons who displayed the first step)",
        measure=lambda s: _number(s, "only_first"),
        notes="People who saw the first step and no other of the application's.",
    ),
    _share(
        key="webapp_funnel_loss",
        label="Conversion funnel",
        formula="1 - pct(persons[step i+1], persons[step i])",
        measure=lambda s: _number(s, "first") - _number(s, "last"),
        otherwise=1.0,
        groupings=("step", "application"),
        cuts={"step": _by_step, "application": _by_application},
        notes="A row for each step but the last: who is lost between it and the next. The scalar is the loss from the first to the last.",
    ),
)
