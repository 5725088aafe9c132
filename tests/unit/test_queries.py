"""What a query takes, and what it admits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from msgtrack.errors import InvalidId, InvalidValue, NaiveDatetime
from msgtrack.events import Click, Open
from msgtrack.facts import Exclusion, Service
from msgtrack.model import Message, TrackedLink
from msgtrack.protocols import Query

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLICK = Click(occurred_at=NOON, id="m", delivery_id="1", message_id="7", link_id="2")
LINK = TrackedLink(delivery_id="1", id="2", url=" https://a.example/ ")
MESSAGE = Message(delivery_id="1", id="7", recipient_id="r", domain="Gmail")


def test_texts_are_trimmed_as_reports_trim_them():
    assert Query(labels=" Shop ").labels == ("Shop",)
    assert Query(categories=["a", "a ", "b"]).categories == ("a", "b")
    assert Query(domains="Gmail").domains == ("Gmail",)
    assert Query(domains=[" Gmail"]).domains == (" Gmail",)


def test_a_position_is_an_event_or_its_moment_and_id():
    assert Query(after=CLICK).after == Query(after=(NOON, "m")).after == (NOON, "m")
    bare = Open(occurred_at=NOON)
    assert Query(after=bare).after == (NOON, bare.id)
    for wrong, error in (
        ((NOON,), InvalidValue),
        ("mm", InvalidValue),
        ((NOON, ""), InvalidId),
        ((datetime(2026, 3, 1), "m"), NaiveDatetime),
    ):
        with pytest.raises(error):
            Query(after=wrong)
    with pytest.raises(InvalidValue):
        Query(limit=-1)


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        (Query(link_ids="2"), True),
        (Query(link_ids=("1", "3")), False),
        (Query(link_ids=()), False),
        (Query(except_delivery_ids="1"), False),
        (Query(except_delivery_ids="2"), True),
        (Query(delivery_ids="1", except_delivery_ids="1"), False),
        (Query(after=(NOON, "l")), True),
        (Query(after=(NOON, "m")), False),
        (Query(after=(NOON, "l"), newest_first=True), False),
        (Query(after=(NOON, "n"), newest_first=True), True),
        (Query(after=(NOON - timedelta(microseconds=1), "z")), True),
        (Query(limit=0), True),
        (Query(labels="none", domains="none"), True),
    ],
)
def test_an_event_is_admitted(query, passes):
    assert query.admits(CLICK) is passes


def test_an_event_without_a_delivery_is_no_exception():
    assert Query(except_delivery_ids=("1", "2")).admits(evolve(CLICK, id="m", delivery_id=None))


def test_a_link_goes_by_its_label_or_its_url():
    assert Query(labels="https://a.example/").admits_link(LINK)
    assert not Query(labels="").admits_link(LINK)
    labelled = evolve(LINK, label=" Shop ", category="x ")
    assert Query(labels="Shop", categories="x").admits_link(labelled)
    assert not Query(labels="Shop", categories="").admits_link(labelled)
    assert not Query(labels="https://a.example/").admits_link(labelled)


def test_a_message_passes_by_recipient_and_domain():
    assert Query().admits_message(MESSAGE)
    assert Query(recipient_id="r", domains="Gmail").admits_message(MESSAGE)
    assert not Query(recipient_id="q", domains="Gmail").admits_message(MESSAGE)
    assert not Query(recipient_id="r", domains="gmail").admits_message(MESSAGE)


def test_a_query_says_what_it_must_look_up():
    assert not any((Query(link_ids="2").asks_messages, Query(link_ids="2").asks_links, Query().is_paged))
    assert Query(domains=()).asks_messages
    assert Query(categories=()).asks_links
    assert Query(limit=0).is_paged
    assert Query(after=CLICK).is_paged


def test_facts_of_a_delivery_that_is_left_out_do_not_pass():
    but_one = Query(except_delivery_ids="1")
    assert not but_one.admits_fact(Exclusion(delivery_id="1", id="x"))
    assert but_one.admits_fact(Exclusion(delivery_id="2", id="x"))
    assert but_one.admits_fact(Service(id="1"))
