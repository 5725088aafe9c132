"""What a tally says of no single delivery: programs by day, services and web applications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack.counts import Counts, ServiceCounts, StepCounts, Visits
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit
from msgtrack.facts import Service, StepView, Subscription, SubscriptionChange, WebApplication
from msgtrack.model import Client
from msgtrack.tally import Fact, Tally

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECONDS = int(NOON.timestamp()) * 10**6


def counted(*facts: Fact, **asked: Any) -> Counts:
    tally = Tally()
    tally.extend(facts)
    return tally.counts(**asked)


def page(kind: type[Event] = Click, **fields: Any) -> Event:
    return kind(**{"occurred_at": NOON, "delivery_id": "1", "link_id": "2"} | fields)


def test_visitors_are_persons_and_where_none_is_known_messages() -> None:
    pages = [
        page(source_id="s", message_id="7"),
        page(source_id="s", message_id="8"),
        page(source_id="s", message_id="7", delivery_id="2"),
        page(source_id="t", message_id="7"),
        page(message_id="7"),
        page(message_id="7"),
        page(message_id="8"),
        page(message_id="7", delivery_id="2"),
        page(),
    ]
    for order in (pages, pages[::-1]):
        assert counted(*order).visits == (Visits(day="2026-03-01", visitors=5, pages=9),)


def test_a_page_of_nobody_is_a_page_all_the_same() -> None:
    assert counted(page()).visits == (Visits(day="2026-03-01", visitors=0, pages=1),)


@pytest.mark.parametrize(
    ("kind", "pages"), [(Click, 1), (MirrorPageView, 1), (OptOutClick, 1), (Open, 0), (PageVisit, 0)]
)
def test_pages_are_clicks_of_three_kinds(kind: type[Event], pages: int) -> None:
    found = counted(page(kind, source_id="s"), page(kind, source_id="s"))
    assert sum(row.pages for row in found.visits) == 2 * pages


def test_visits_go_by_day_and_program_in_order() -> None:
    firefox, safari = Client(browser="Firefox"), Client(browser="Safari", is_mobile=True)
    later = {"occurred_at": NOON + timedelta(days=1)}
    found = counted(
        page(source_id="s", client=safari, **later),
        page(source_id="s", client=firefox, **later),
        page(source_id="s", client=safari),
        page(source_id="t", client=safari, delivery_id="2"),
        page(source_id="s", **later),
        page(source_id="s", **later),
    )
    assert found.visits == (
        Visits(day="2026-03-01", browser="Safari", is_mobile=True, visitors=2, pages=2),
        Visits(day="2026-03-02", visitors=1, pages=2),
        Visits(day="2026-03-02", browser="Firefox", visitors=1, pages=1),
        Visits(day="2026-03-02", browser="Safari", is_mobile=True, visitors=1, pages=1),
    )


def test_a_service_is_there_once_anything_names_it() -> None:
    kept = {"service_id": "kept", "recipient_id": "r", "created_at": NOON}
    found = counted(
        Service(id="quiet", label="Quiet", channel="sms"),
        Subscription(**kept),
        Subscription(**kept | {"service_id": "ended", "ended_at": NOON}),
        SubscriptionChange(service_id="joined", id="1", action="subscribe", changed_at=NOON),
        SubscriptionChange(service_id="left", id="1", action="unsubscribe", changed_at=NOON + timedelta(seconds=1)),
        Service(id="left", label="Gone"),
    ).services
    assert list(found) == ["ended", "joined", "kept", "left", "quiet"]
    assert found == {
        "ended": ServiceCounts(ended=((MICROSECONDS, MICROSECONDS),)),
        "joined": ServiceCounts(joined=(MICROSECONDS,)),
        "kept": ServiceCounts(created=(MICROSECONDS,)),
        "left": ServiceCounts(label="Gone", left=(MICROSECONDS + 10**6,)),
        "quiet": ServiceCounts(label="Quiet", channel="sms"),
    }
    assert found["kept"].channel == "email"


def view(who: str, step: str, application_id: str = "form") -> StepView:
    return StepView(application_id=application_id, source_id=who, step=step, occurred_at=NOON)


def test_people_of_an_application_are_those_of_its_steps() -> None:
    form = WebApplication(id="form", label="Form", steps=("first", "last"))
    views = [view("a", "first"), view("a", "first"), view("a", "last"), view("b", "first"), view("c", "last")]
    views += [view("d", "other"), view("e", "first"), view("e", "other"), view("a", "first", "second form")]
    found = counted(WebApplication(id="empty", label="Empty", steps=("1",)), *views, form).applications
    assert list(found) == ["empty", "form", "second form"]
    assert found["empty"] == StepCounts(label="Empty", steps=("1",))
    assert found["form"] == StepCounts(
        label="Form",
        steps=("first", "last"),
        persons={"first": 3, "last": 2, "other": 2},
        every=1,
        only_first=2,
    )
    assert found["second form"] == StepCounts(persons={"first": 1})


def test_an_application_without_steps_has_nobody_who_saw_all_of_them() -> None:
    found = counted(WebApplication(id="form", label="Form"), view("a", "x")).applications["form"]
    assert found == StepCounts(label="Form", persons={"x": 1})
