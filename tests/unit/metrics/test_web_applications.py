"""Web application tracking: the formulas a second time, and what a funnel may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.counts import Counts, StepCounts
from msgtrack.facts import Fact, StepView, WebApplication
from msgtrack.metrics import Table, Value, indicators
from msgtrack.metrics._scope import Scope
from msgtrack.metrics.web_applications import INDICATORS
from msgtrack.model import Delivery

AT = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = ("start", "form", "pay/€", "done")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[WebApplication], list[StepView]]:
    applications = [
        WebApplication(id=name, steps=STEPS[: draw(st.integers(0, 4))])
        for name in draw(st.sampled_from([["poll"], ["poll", "shop%/"], []]))
    ]
    views = [
        StepView(
            application_id=draw(st.sampled_from(["poll", "shop%/", "nobody's"])),
            step=draw(st.sampled_from([*STEPS, "elsewhere"])),
            source_id=draw(st.sampled_from("abc")),
            occurred_at=AT + timedelta(minutes=draw(st.integers(0, 60))),
        )
        for _ in range(draw(st.integers(0, 20)))
    ]
    return applications, views


def table_of(facts: list[Any], **options: Any) -> Table:
    given_: list[Fact] = facts
    return indicators.from_events(Delivery(id="1"), [], [], [], facts=given_, **options)


def persons(views: list[StepView], application: WebApplication, step: str) -> set[str]:
    return {v.source_id for v in views if v.application_id == application.id and v.step == step}


def every(views: list[StepView], application: WebApplication) -> set[str]:
    return set.intersection(*(persons(views, application, step) for step in application.steps))


def only_first(views: list[StepView], application: WebApplication) -> set[str]:
    first, *others = application.steps
    return persons(views, application, first).difference(*(persons(views, application, step) for step in others))


def check(value: Value, numerator: int, denominator: int) -> None:
    assert (value.numerator, value.denominator) == (numerator, denominator)
    assert value.value == (float(Fraction(numerator, denominator)) if denominator else None)


@given(worlds())
def test_formulas(world: tuple[list[WebApplication], list[StepView]]) -> None:
    applications, views = world
    table = table_of([*applications, *views])
    whole = {"every": 0, "only": 0, "first": 0, "last": 0}
    for application in applications:
        if application.steps:
            first = persons(views, application, application.steps[0])
            row = {
                "every": len(every(views, application)),
                "only": len(only_first(views, application)),
                "first": len(first),
                "last": len(persons(views, application, application.steps[-1])),
            }
        else:
            row = dict.fromkeys(whole, 0)
        for name, number in row.items():
            whole[name] += number
        check(table.series("webapp_conversion_rate", by="application")[application.id], row["every"], row["first"])
        check(table.series("webapp_bounce_rate", by="application")[application.id], row["only"], row["first"])
        check(
            table.series("webapp_funnel_loss", by="application")[application.id],
            row["first"] - row["last"],
            row["first"],
        )
    check(table["webapp_conversion_rate"], whole["every"], whole["first"])
    check(table["webapp_bounce_rate"], whole["only"], whole["first"])
    check(table["webapp_funnel_loss"], whole["first"] - whole["last"], whole["first"])
    assert ("no-data" in table["webapp_bounce_rate"].caveats) == (not views)


@given(worlds())
def test_the_funnel_step_by_step(world: tuple[list[WebApplication], list[StepView]]) -> None:
    applications, views = world
    table = table_of([*applications, *views])
    seen = {application.id for application in applications} | {view.application_id for view in views}
    expected: dict[str, Fraction] = {}
    for application in sorted(applications, key=lambda application: application.id):
        for here, there in zip(application.steps, application.steps[1:], strict=False):
            a, b = len(persons(views, application, here)), len(persons(views, application, there))
            name = application.id.replace("%", "%25").replace("/", "%2F") + "/" + here.replace("/", "%2F")
            expected[name if len(seen) > 1 else here] = 1 - (Fraction(b, a) if a else 0)
    rows = table.series("webapp_funnel_loss", by="step")
    assert {name: value.value_or_zero for name, value in rows.items()} == {n: float(x) for n, x in expected.items()}
    assert list(rows) == list(expected)


@given(worlds())
def test_a_store_gives_the_same(world: tuple[list[WebApplication], list[StepView]]) -> None:
    applications, views = world
    # Of views with one key a store keeps the last one put; here all are given at once and each once.
    once = list({(v.application_id, v.source_id, v.step): v for v in views}.values())
    store = open_store("memory:")
    store.put([Delivery(id="1"), *applications, *once])
    table, expected = indicators(store, "1"), table_of([*applications, *once])
    for key in ("webapp_conversion_rate", "webapp_bounce_rate", "webapp_funnel_loss"):
        assert table[key] == expected[key]


@given(worlds())
def test_who_converts_does_not_bounce(world: tuple[list[WebApplication], list[StepView]]) -> None:
    applications, views = world
    table = table_of([*applications, *views])
    for application in applications:
        converted = table.series("webapp_conversion_rate", by="application")[application.id]
        bounced = table.series("webapp_bounce_rate", by="application")[application.id]
        if len(application.steps) > 1 and converted.value is not None and bounced.value is not None:
            assert converted.value_or_zero + bounced.value_or_zero <= 1


def seen(source_id: str, *steps: str) -> list[StepView]:
    return [StepView(application_id="poll", step=step, source_id=source_id, occurred_at=AT) for step in steps]


def test_a_step_that_more_people_reach_than_the_one_before_loses_less_than_nothing() -> None:
    table = table_of([WebApplication(id="poll", steps=STEPS[:2]), *seen("a", "start", "form"), *seen("b", "form")])
    (loss,) = table.series("webapp_funnel_loss", by="step").values()
    assert loss.value == -1.0
    assert "negative" in loss.caveats


def test_a_window_cuts_visits_and_says_so() -> None:
    facts = [WebApplication(id="poll", steps=STEPS[:2]), *seen("a", "start")]
    assert "partial-window" in table_of(facts, since=AT)["webapp_bounce_rate"].caveats
    assert "partial-window" in table_of(facts, until=AT + timedelta(1))["webapp_bounce_rate"].caveats
    assert "partial-window" not in table_of(facts)["webapp_bounce_rate"].caveats
    assert "partial-window" not in table_of([], since=AT)["webapp_bounce_rate"].caveats


def test_nobody_at_a_step_is_undefined_and_printed_as_all_lost() -> None:
    table = table_of([WebApplication(id="poll", steps=STEPS[:2])])
    assert table["webapp_funnel_loss"].value is None
    assert table["webapp_funnel_loss"].value_or_zero == 1.0
    assert table["webapp_conversion_rate"].value_or_zero == 0.0


def test_a_step_that_nobody_saw_is_zero_and_not_unknown() -> None:
    steps = StepCounts(steps=("one", "two", "three"), persons={"two": 1})
    scope = Scope(counts=Counts(applications={"form": steps}))
    (by_step,) = {id(cut): cut for indicator in INDICATORS if (cut := indicator.cuts.get("step"))}.values()
    assert {step: dict(sums.numbers) for step, sums in by_step(scope).items()} == {
        "one": {"first": 0, "last": 1, "seen": 1},
        "two": {"first": 1, "last": 0, "seen": 1},
    }


def test_several_applications_are_added_up() -> None:
    steps = {
        "a": StepCounts(steps=("one", "two"), persons={"one": 10, "two": 4}, every=3, only_first=7),
        "b": StepCounts(steps=("one", "two"), persons={"one": 90, "two": 20}, every=20, only_first=50),
        "none": StepCounts(persons={"one": 1000}, every=1000, only_first=1000),
    }
    table = indicators.from_counts(Counts(applications=steps))
    check(table["webapp_conversion_rate"], 23, 100)
    check(table["webapp_bounce_rate"], 57, 100)
    check(table["webapp_funnel_loss"], 100 - 24, 100)
