"""Peers: whose numbers a platform average is made of, at the edges of the six months and of likeness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from msgtrack.errors import InvalidOption, NaiveDatetime
from msgtrack.events import Open
from msgtrack.facts import Exclusion
from msgtrack.metrics import indicators
from msgtrack.metrics._peers import is_peer, peer_window
from msgtrack.model import Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Query
from msgtrack.storage import open_store

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HALF_A_YEAR = timedelta(days=183)
ASKED = Delivery(id="asked", typology="news", channel="email", contact_at=NOW)


def test_the_window_is_the_183_days_before_the_report_in_whatever_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert peer_window(NOW) == peer_window(elsewhere) == (NOW - HALF_A_YEAR, NOW)
    assert {end.tzinfo for end in peer_window(elsewhere)} == {UTC}


def test_without_a_moment_there_is_no_window() -> None:
    with pytest.raises(InvalidOption, match=r"^peers are those of the six months before now: give now as well$"):
        peer_window(None)
    with pytest.raises(NaiveDatetime):
        peer_window(datetime(2026, 3, 31))


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"contact_at": NOW - HALF_A_YEAR}, True),
        ({"contact_at": NOW - HALF_A_YEAR - SECOND}, False),
        ({"contact_at": NOW + SECOND}, False),
        ({"contact_at": None}, False),
        ({"is_proof": True}, False),
        ({"is_template": True}, False),
        ({"typology": "alert"}, False),
        ({"channel": "sms"}, False),
    ],
)
def test_a_peer_is_sent_in_the_window_and_of_one_kind_with_what_was_asked_for(
    fields: dict[str, Any], counts: bool
) -> None:
    one = Delivery(**{"id": "one", "typology": "news", "channel": "email", "contact_at": NOW, **fields})
    assert is_peer(one, [ASKED], peer_window(NOW)) is counts


def test_a_kind_is_typology_and_channel_of_one_delivery_together() -> None:
    """The typology of one and the channel of another of those asked for make no peer."""
    asked = [ASKED, Delivery(id="b", typology="alert", channel="sms", contact_at=NOW)]
    mixed = Delivery(id="c", typology="news", channel="sms", contact_at=NOW)
    assert not is_peer(mixed, asked, peer_window(NOW))
    assert all(is_peer(one, asked, peer_window(NOW)) for one in asked)


SEEN = [
    Open(occurred_at=NOW, delivery_id="asked", message_id="1", verdict=Verdict(audience="human")),
    Open(occurred_at=NOW, delivery_id="peer", message_id="1", verdict=Verdict(audience="human")),
    Open(occurred_at=NOW, delivery_id="peer", message_id="2", verdict=Verdict(audience="machine")),
    Open(occurred_at=NOW, delivery_id="other", message_id="1", verdict=Verdict(audience="human")),
]
DELIVERIES = [
    ASKED,
    Delivery(id="peer", typology="news", channel="email", contact_at=NOW - HALF_A_YEAR),
    Delivery(id="other", typology="alert", channel="email", contact_at=NOW),
]
MESSAGES = [Message(id=id_, delivery_id=delivery.id, status="sent") for delivery in DELIVERIES for id_ in "12"]
LINKS = [TrackedLink(id="2", delivery_id=delivery.id, url="https://a.example/") for delivery in DELIVERIES]


@pytest.mark.parametrize(("audience", "opens"), [("all", 3), ("human", 2), (("machine", "proxy"), 1)])
def test_peers_are_counted_for_the_audience_asked_for_and_whatever_the_window(audience: Any, opens: int) -> None:
    options: dict[str, Any] = {"audience": audience, "now": NOW, "since": NOW + SECOND}
    with open_store("memory:") as store:
        store.put([*DELIVERIES, *MESSAGES, *LINKS])
        store.ingest(SEEN)
        expected = store.counts(Query(delivery_ids=["asked", "peer"], audience=audience))
        kept = indicators(store, "asked", peers=True, **options)
        assert indicators(store, "asked", **options).peers is None
    # Streams, which are read for the peers and for the deliveries themselves.
    plain = indicators.from_events(
        ASKED, iter(MESSAGES), iter(LINKS), iter(SEEN), peers=iter(DELIVERIES), facts=iter(()), **options
    )
    assert kept.peers == plain.peers == expected
    assert kept.counts == plain.counts
    assert kept["total_recipient_open"].value == 0
    assert indicators.from_counts(expected)["total_recipient_open"].value == opens


def test_facts_are_those_of_the_deliveries_asked_for_and_not_of_peers() -> None:
    excluded = Exclusion(delivery_id="asked", id="x", failure_reason="double")
    table = indicators.from_events(ASKED, [], [], [], now=NOW, peers=DELIVERIES, facts=[excluded])
    assert table["exclusion_by_cause"].value == 1
    assert table.peers is not None
    assert set(table.peers.deliveries) == {"asked", "peer"}
    assert indicators.from_counts(table.peers)["exclusion_by_cause"].value == 0


def test_candidates_that_are_no_peers_leave_the_average_as_it_is() -> None:
    strangers = [Delivery(id="s", typology="alert", contact_at=NOW), Delivery(id="t", is_template=True, contact_at=NOW)]
    alone = indicators.from_events(ASKED, [], [], [], now=NOW, peers=[ASKED])
    beside = indicators.from_events(ASKED, [], [], [], now=NOW, peers=strangers)
    assert alone.peers == beside.peers
    assert list(beside.peers.deliveries if beside.peers else ()) == ["asked"]
