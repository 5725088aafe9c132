"""Of two versions of a fact the same one counts whichever came first, down to the last field; and no field is lost."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from msgtrack.counts import Counts, Excluded, Opened
from msgtrack.events import Click, Event, Open, Transaction
from msgtrack.facts import AddressState, Exclusion, Service, Visitor
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.tally import Fact, Tally, fold

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
START_OF_CALENDAR = datetime.min.replace(tzinfo=UTC)
SLOT = int(AT.timestamp())


def counted(*facts: Fact) -> Counts:
    tally = Tally()
    tally.extend(facts)
    return tally.counts()


def either(one: Fact, other: Fact) -> tuple[Counts, Counts, Counts]:
    """Both orders of arrival, and a merge."""
    left, right = Tally(), Tally()
    left.add(one)
    right.add(other)
    return counted(one, other), counted(other, one), left.merge(right).counts()


def delivery(**fields: Any) -> Delivery:
    return Delivery(**{"id": "1", **fields})


def message(**fields: Any) -> Message:
    return Message(**{"id": "7", "delivery_id": "1", "status": "sent", **fields})


def link(**fields: Any) -> TrackedLink:
    return TrackedLink(**{"delivery_id": "1", "id": "2", "url": "https://a.example/", **fields})


def bought(**fields: Any) -> Transaction:
    return Transaction(**{"occurred_at": AT, "delivery_id": "1", "message_id": "7", **fields})


# Each pair differs in one field alone, the version that counts first.
PAIRS: dict[str, tuple[Fact, Fact]] = {
    "a proof": (delivery(is_proof=True), delivery(to_deliver=3)),
    "a template": (delivery(is_template=True), delivery(to_deliver=3)),
    "nobody to deliver to, before nothing said": (delivery(to_deliver=0), delivery(text=7)),
    "no text, before nothing said": (delivery(text=0), delivery(contact_at=AT)),
    "a moment of contact, before none": (delivery(contact_at=AT), delivery(channel="sms")),
    "a channel": (delivery(channel="sms"), delivery(typology="z")),
    "a typology": (delivery(typology="offers"), delivery(total_target=9)),
    "no target, before nothing said": (delivery(total_target=0), delivery(reject=9)),
    "no reject, before nothing said": (delivery(reject=0), delivery()),
    "a delivery in its first state, before one in none": (delivery(state=0), delivery(to_deliver=3)),
    "a message with a moment, before none": (message(event_at=AT - timedelta(days=40_000)), message(size_bytes=4)),
    "an empty message, before one of no known size": (
        message(event_at=AT, size_bytes=0),
        message(event_at=AT, size_bytes=None),
    ),
    "a reason, before a format": (message(failure_reason=1), message(format="text")),
    "a seed, before a reason": (message(is_seed=True), message(failure_reason=1)),
    "a format, before a domain": (message(format="text"), message(domain="Zed")),
    "a domain, before a type of failure": (message(domain="Zed"), message(failure_type="hard")),
    "a type of failure, before a quarantine": (message(failure_type="soft"), message(is_quarantine=True)),
    "a quarantine, before a variant": (message(is_quarantine=True), message(variant="B")),
    "a variant, before a recipient": (message(variant="B"), message(recipient_id="r")),
    "a recipient, before a moment": (message(recipient_id="r"), message(event_at=AT)),
    "a label, before a URL": (link(label="Shop"), link(url="https://z.example/")),
    "a URL, before a category": (link(url="https://z.example/"), link(category="Shoes")),
    "a category, before a type": (link(category="Shoes"), link(type="opt_out")),
    "an event by its kind": (Click(id="e", occurred_at=AT, delivery_id="1"), Open(id="e", occurred_at=AT)),
    "an event of the first program": (
        Open(id="e", occurred_at=AT, delivery_id="1", client=Client(browser="A", is_mobile=True)),
        Open(id="e", occurred_at=AT, delivery_id="1", client=Client(browser="B")),
    ),
    "an event of a program not known as mobile or not": (
        Open(id="e", occurred_at=AT, delivery_id="1", client=Client(browser="A")),
        Open(id="e", occurred_at=AT, delivery_id="1", client=Client(browser="A", is_mobile=False)),
    ),
    "an event of no program": (
        Open(id="e", occurred_at=AT, delivery_id="1"),
        Open(id="e", occurred_at=AT, delivery_id="1", client=Client(is_mobile=False)),
    ),
    "the lesser amount": (bought(id="e", amount="1", article=9), bought(id="e", amount="2")),
    "no amount": (bought(id="e", article=9), bought(id="e", amount="0.5")),
    "no article": (bought(id="e"), bought(id="e", article=1)),
    "a fact modified at all": (
        AddressState(address="a@x.example", status="quarantine", delivery_id="1", last_modified_at=AT),
        AddressState(address="a@x.example", status="with_errors", delivery_id="2"),
    ),
    "the greater label": (Service(id="news", label="B"), Service(id="news", label="A")),
    "the greater text before the greater number": (
        Exclusion(delivery_id="1", id="x", rule="b"),
        Exclusion(delivery_id="1", id="x", rule="a", is_seed=True),
    ),
}


# Where the one is not there at all, or says what a delivery alone cannot show.
SHOWN_BY: list[Fact] = [
    message(id="8", status="sent", address="x@aol.com"),
    Open(occurred_at=AT, delivery_id="1", message_id="7", id="shown"),
    Click(occurred_at=AT, delivery_id="1", message_id="7", link_id="2", id="shown too"),
]


@pytest.mark.parametrize("name", PAIRS)
def test_one_version_counts_in_any_order(name: str) -> None:
    kept, lost = PAIRS[name]
    assert set(map(repr, either(kept, lost))) == {repr(counted(kept))}
    assert counted(kept, *SHOWN_BY) != counted(lost, *SHOWN_BY), "the pair shows nothing"
    assert counted(lost, *SHOWN_BY, kept) == counted(kept, *SHOWN_BY)


def test_all_that_a_delivery_says_is_in_its_counts() -> None:
    said: dict[str, Any] = {"to_deliver": 4, "text": 3, "contact_at": AT, "channel": "sms", "typology": "offers"}
    said |= {"total_target": 9, "reject": 5}
    found = counted(delivery(**said)).deliveries["1"]
    assert {name: getattr(found, name) for name in said} == said


def test_a_delivery_that_says_zero_has_said_it() -> None:
    said = dict.fromkeys(("to_deliver", "text", "total_target", "reject"), 0)
    found = counted(delivery(**said), message(format="text"), Exclusion(delivery_id="1", id="x")).deliveries["1"]
    assert {name: getattr(found, name) for name in said} == said
    assert found.derived == ()


def test_a_delivery_nobody_registered_counts_as_one_that_says_nothing() -> None:
    events: list[Fact] = [message(format="text"), Open(occurred_at=AT, delivery_id="1", message_id="7")]
    assert counted(*events) == counted(*events, delivery())
    found = counted(*events).deliveries["1"]
    assert (found.to_deliver, found.text, found.total_target, found.reject) == (1, 1, None, None)
    assert (found.channel, found.typology, found.contact_at) == ("email", "", None)
    assert found.derived == ("to_deliver", "text")


def test_the_first_moment_of_the_calendar_is_a_moment_all_the_same() -> None:
    found = counted(message(event_at=START_OF_CALENDAR, size_bytes=4)).deliveries["1"]
    slot = -62_135_596_800
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=slot) == START_OF_CALENDAR
    assert (found.handled, found.handled_bytes) == ({"success": {slot: 1}}, {"success": {slot: 4}})
    assert (found.undated, found.unsized) == (0, 0)


def test_an_address_is_kept_where_it_counts_and_nowhere_else() -> None:
    harmless, marked = message(address="ann@gmail.com"), message(id="8", address="bob@gmail.com", is_quarantine=True)
    tally = fold([], [harmless, marked], [], [])
    kept = pickle.dumps(tally)
    assert b"bob@gmail.com" in kept
    assert b"ann@" not in kept
    assert tally == fold([], [message(address="eve@gmail.com"), marked], [], [])


def test_an_empty_message_has_a_size() -> None:
    found = counted(message(event_at=AT, size_bytes=0), message(id="8", event_at=AT)).deliveries["1"]
    assert (found.unsized, found.handled, found.handled_bytes) == (1, {"success": {SLOT: 2}}, {})


@pytest.mark.parametrize("is_mobile", [None, False, True])
def test_all_that_is_known_of_a_program_is_in_the_counts(is_mobile: bool | None) -> None:
    names = {"browser": "b", "browser_version": "1", "os": "o", "os_version": "2", "device": "d"}
    client = Client(**names, is_mobile=is_mobile)
    found = counted(Click(occurred_at=AT, delivery_id="1", message_id="7", client=client))
    (agent,) = found.deliveries["1"].agents
    assert agent == Opened(**names, is_mobile=is_mobile, reactions={"click": 1})
    assert type(agent.is_mobile) is type(is_mobile)
    (row,) = found.visits
    assert {name: getattr(row, name) for name in names} == names
    assert row.is_mobile is is_mobile


def test_what_an_event_does_not_name_is_nothing_and_not_a_name() -> None:
    nameless: list[Event] = [Click(occurred_at=AT), bought(message_id=None)]
    found = counted(*nameless)
    assert list(found.deliveries) == ["", "1"]
    assert found.deliveries[""].slots == {"click": {"": {SLOT: 1}}}
    assert (found.persons, found.recipients, found.deliveries[""].persons) == (0, {}, 0)
    assert (found.deliveries["1"].amount, found.deliveries["1"].article) == (Decimal(0), 0)


def test_what_a_purchase_says_counts_as_often_as_it_came() -> None:
    found = counted(*[bought(amount="2.5", article=3)] * 4, bought(amount="1")).deliveries["1"]
    assert (found.amount, found.article, found.rows("transaction")) == (Decimal("11.0"), 12, 5)


def test_exclusions_of_one_reason_go_by_rule() -> None:
    rows = [Exclusion(delivery_id="1", id=str(n), rule=rule) for n, rule in enumerate("bab")]
    assert counted(*rows).deliveries["1"].exclusions == (
        Excluded(failure_reason=0, rule="a", times=1),
        Excluded(failure_reason=0, rule="b", times=2),
    )


def test_a_new_contact_of_no_moment_is_told_from_one_of_the_epoch() -> None:
    visitors = [
        Visitor(delivery_id="1", id="1", recipient_id="r"),
        Visitor(delivery_id="1", id="2", recipient_id="q", created_at=datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    assert counted(*visitors).deliveries["1"].new_contacts == {-1: 1, 0: 1}
