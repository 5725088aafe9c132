"""The strategies that we ship: they give what they say, and reach the odd corners."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from msgtrack._borders import MAX_ID_BYTES
from msgtrack.counts import Counts
from msgtrack.events import EVENT_KINDS, Click, Event, Open
from msgtrack.hits import Hit, Rejected
from msgtrack.model import Client, Delivery, Message, PeoplePolicy, Policy, Resolution, TrackedLink, Verdict
from msgtrack.protocols import (
    AuditEntry,
    Batch,
    Capabilities,
    Checkpoint,
    FrozenCounts,
    Ingested,
    Query,
    WorkflowRun,
)
from msgtrack.testing import strategies
from msgtrack.upkeep import Retention

QUICK = settings(
    max_examples=2000,
    database=None,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)


@pytest.mark.parametrize(
    ("strategy", "kind"),
    [
        (strategies.deliveries(), Delivery),
        (strategies.messages(), Message),
        (strategies.links(), TrackedLink),
        (strategies.events(), Event),
        (strategies.hits(), Hit),
        (strategies.runs(), WorkflowRun),
        (strategies.policies(), Policy),
        (strategies.verdicts(), Verdict),
        (strategies.clients(), Client),
        (strategies.queries(), Query),
        (strategies.worlds(), strategies.World),
        (strategies.audits(), AuditEntry),
        (strategies.batches(), Batch),
        (strategies.capabilities(), Capabilities),
        (strategies.checkpoints(), Checkpoint),
        (strategies.counts(), Counts),
        (strategies.frozen_counts(), FrozenCounts),
        (strategies.ingested(), Ingested),
        (strategies.people_policies(), PeoplePolicy),
        (strategies.rejects(), Rejected),
        (strategies.resolutions(), Resolution),
        (strategies.retentions(), Retention),
    ],
)
@given(data=st.data())
@settings(max_examples=10)
def test_a_strategy_gives_its_kind(strategy, kind, data):
    assert isinstance(data.draw(strategy), kind)


@given(strategies.ids(), strategies.moments())
def test_ids_and_moments_are_as_the_borders_want_them(id_, at):
    assert Open(id=id_, occurred_at=at).id == id_
    assert 1 <= len(id_.encode()) <= MAX_ID_BYTES
    assert at.tzinfo is UTC


@given(
    strategies.moments(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    strategies.events(Click, Open, delivery_id=st.just("1")),
    strategies.messages(delivery_id=st.just("1"), id=st.just("7"), recipient_id=st.none()),
)
def test_arguments_narrow(at, event, message):
    assert datetime(2026, 1, 1, tzinfo=UTC) <= at <= datetime(2026, 1, 2, tzinfo=UTC)
    assert type(event) in (Click, Open)
    assert event.delivery_id == "1"
    assert (message.delivery_id, message.id, message.recipient_id) == ("1", "7", None)


def test_odd_corners_are_reached():
    find(strategies.texts(), lambda text: "\0" in text, settings=QUICK)
    find(strategies.texts(), lambda text: any("\ud800" <= letter <= "\udfff" for letter in text), settings=QUICK)
    find(strategies.ids(), lambda id_: len(id_) == 32 and id_ != id_.lower(), settings=QUICK)
    find(strategies.ids(), lambda id_: not id_.isascii(), settings=QUICK)
    find(strategies.moments(), lambda at: at.microsecond % 1000 != 0 and at.year < 1970, settings=QUICK)
    for kind in EVENT_KINDS.values():
        find(strategies.events(), lambda event, kind=kind: type(event) is kind and event.has_own_id, settings=QUICK)


def test_worlds_hold_what_makes_counting_hard():
    worlds = strategies.worlds()
    find(worlds, lambda world: _repeats([event.id for event in world.events]), settings=QUICK)
    find(worlds, lambda world: _repeats([event.occurred_at for event in world.events]), settings=QUICK)
    find(worlds, lambda world: _named(world) - {(m.delivery_id, m.id) for m in world.messages}, settings=QUICK)
    find(worlds, lambda world: _named(world) & {(m.delivery_id, m.id) for m in world.messages}, settings=QUICK)


@given(st.data())
def test_queries_about_a_world_name_what_is_there(data):
    world = data.draw(strategies.worlds())
    query = data.draw(strategies.queries(world))
    if world.ids:
        assert {*(query.delivery_ids or ()), *(query.message_ids or ())} <= {*world.ids, "none"}
    if world.events and query.since is not None:
        assert query.since in [event.occurred_at for event in world.events]


def _repeats(values):
    return len(values) > len({*values})


def _named(world):
    return {(event.delivery_id, event.message_id) for event in world.events}
