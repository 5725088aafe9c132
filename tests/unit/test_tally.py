"""What a tally counts, case by case; its laws stand in tests/properties/test_tally_laws.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from msgtrack._entries import PROGRESS
from msgtrack.counts import Counts, DomainCounts, LinkFacts
from msgtrack.errors import InvalidValue
from msgtrack.events import Bounced, Click, Delivered, Event, MirrorPageView, Open, OptOutClick, Transaction
from msgtrack.model import Delivery, FailureReason, Message, MessageStatus, TrackedLink
from msgtrack.tally import Fact, Tally, fold

AT = datetime(2026, 3, 1, 10, 7, 31, tzinfo=UTC)
SLOT = int(datetime(2026, 3, 1, 10, 5, tzinfo=UTC).timestamp())


def counts(*facts: Fact) -> Counts:
    tally = Tally()
    tally.extend(facts)
    return tally.counts()


def opened(**fields: Any) -> Open:
    return Open(**{"occurred_at": AT, "delivery_id": "1", "message_id": "7", **fields})


def clicked(**fields: Any) -> Click:
    return Click(**{"occurred_at": AT, "delivery_id": "1", "message_id": "7", "link_id": "2", **fields})


def message(**fields: Any) -> Message:
    return Message(**{"id": "7", "delivery_id": "1", "address": "ann@gmail.com", "status": "sent", **fields})


def test_nothing_gives_nothing() -> None:
    assert Tally().counts() == Counts()
    assert fold([], [], [], []) == Tally()
    assert repr(Tally()) == "<Tally: 0 deliveries, 0 messages, 0 events>"


def test_a_tally_says_how_much_it_holds() -> None:
    tally = fold([Delivery(id="1")], [message(), message(delivery_id="2")], [], [opened(id="e"), opened(), opened()])
    assert repr(tally) == "<Tally: 1 deliveries, 2 messages, 3 events>"


def test_a_tally_is_not_hashable_and_unequal_to_other_things() -> None:
    assert Tally() != 0
    facts: list[Fact] = [
        Delivery(id="1"),
        message(),
        TrackedLink(delivery_id="1", id="2", url="https://a.example/"),
        opened(),
    ]
    facts.append(opened(id="e"))
    for fact in facts:
        one = Tally()
        one.add(fact)
        assert one != Tally()
    with pytest.raises(TypeError):
        hash(Tally())


def test_what_is_no_fact_is_refused_by_name() -> None:
    kinds = "^a tally takes deliveries, messages, tracked links, events and other facts, not dict: "
    with pytest.raises(InvalidValue, match=kinds) as caught:
        Tally().add({"id": "1" * 500})  # type: ignore[arg-type]  # the point of the test
    assert str(caught.value).endswith("dict: " + repr({"id": "1" * 500})[:80])


@pytest.mark.parametrize("is_late", [False, True])
def test_an_event_may_come_before_its_message(is_late: bool) -> None:
    facts: list[Fact] = [message(), clicked(source_id="s")]
    found = counts(*(reversed(facts) if is_late else facts)).deliveries["1"]
    assert found.domains == {
        "Gmail": DomainCounts(
            statuses={1: 1}, reacted=1, clicked=1, reactions={"click": 1}, reach={"click": 1}, persons=1
        ),
    }
    assert found.persons == 1
    assert found.slots == {"click": {"2": {SLOT: 1}}}


def test_a_slot_starts_at_five_full_minutes_utc() -> None:
    east = timezone(timedelta(hours=5, minutes=45))
    for at in (AT, AT.astimezone(east), AT.replace(minute=9, second=59), AT.replace(minute=5, second=0)):
        assert counts(opened(occurred_at=at)).deliveries["1"].slots == {"open": {"1": {SLOT: 1}}}
    after = AT.replace(minute=10, second=0)
    assert counts(opened(occurred_at=after)).deliveries["1"].slots == {"open": {"1": {SLOT + 300: 1}}}


@pytest.mark.parametrize("year", [1, 1969, 1970, 9999])
def test_slots_hold_over_the_whole_calendar(year: int) -> None:
    at = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    (slot,) = counts(opened(occurred_at=at)).deliveries["1"].slots["open"]["1"]
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=slot) == at.replace(minute=55, second=0)


def test_an_event_with_an_id_counts_once_and_one_without_every_time() -> None:
    assert counts(opened(id="e"), opened(id="e"), opened(id="f")).deliveries["1"].rows("open") == 2
    assert counts(opened(), opened(), opened()).deliveries["1"].rows("open") == 3


def test_of_two_versions_of_an_event_the_earlier_counts() -> None:
    early, late = opened(id="e"), opened(id="e", occurred_at=AT + timedelta(hours=1))
    assert counts(late, early) == counts(early)


@pytest.mark.parametrize("flag", ["is_seed", "is_proof"])
def test_an_event_once_said_to_be_left_out_stays_left_out(flag: str) -> None:
    assert counts(opened(id="e"), opened(id="e", **{flag: True})) == Counts()
    assert counts(opened(**{flag: True})) == Counts()


@pytest.mark.parametrize("is_late", [False, True])
def test_reactions_of_a_seed_are_left_out_however_late_it_is_known(is_late: bool) -> None:
    facts: list[Fact] = [message(is_seed=True), clicked(source_id="s"), opened(), clicked(message_id="8")]
    found = counts(*(reversed(facts) if is_late else facts)).deliveries["1"]
    assert found.domains == {"Others": DomainCounts(reacted=1, clicked=1, reactions={"click": 1}, reach={"click": 1})}
    assert found.persons == 0
    assert (found.to_deliver, found.text) == (0, 0)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("flag", ["is_proof", "is_template"])
def test_proofs_and_templates_are_not_there(flag: str, is_late: bool) -> None:
    facts: list[Fact] = [Delivery(id="1", **{flag: True}), message(), clicked(source_id="s")]
    assert counts(*(reversed(facts) if is_late else facts)) == Counts()


@pytest.mark.parametrize("flag", ["is_proof", "is_template"])
def test_deliveries_beside_proofs_and_templates_are_there(flag: str) -> None:
    deliveries = [Delivery(id=name, **({flag: True} if name in "25" else {})) for name in "12345"]
    found = counts(*deliveries, *(clicked(delivery_id=name, source_id=name) for name in "12345"))
    assert list(found.deliveries) == ["1", "3", "4"]
    assert (found.persons, found.persons_by["channel"]) == (3, {"email": 3})


def test_a_message_nobody_registered_counts_under_others() -> None:
    found = counts(Delivery(id="1"), clicked(message_id="nobody", source_id="s")).deliveries["1"]
    assert found.domains == {
        "Others": DomainCounts(reacted=1, clicked=1, reactions={"click": 1}, reach={"click": 1}, persons=1)
    }
    assert found.to_deliver == 0


def test_an_event_without_a_message_is_nobodys_reaction_but_a_row_a_person_and_a_click() -> None:
    found = counts(clicked(message_id=None, source_id="s"), opened(message_id=None)).deliveries["1"]
    assert found.domains == {"Others": DomainCounts(reactions={"click": 1, "open": 1}, persons=1)}
    assert found.persons == 1
    assert found.clicks_by_link() == {"2": 1}


def test_persons_are_clicking_source_ids_only() -> None:
    found = counts(
        opened(source_id="opener"),
        clicked(source_id=None),
        clicked(source_id="a"),
        clicked(source_id="a", message_id="8"),
        OptOutClick(occurred_at=AT, delivery_id="1", message_id="7", link_id="3", source_id="b"),
    )
    assert found.deliveries["1"].persons == found.persons == 1


def test_persons_are_distinct_over_deliveries_too() -> None:
    found = counts(
        clicked(source_id="a"), clicked(delivery_id="2", source_id="a"), clicked(delivery_id="2", source_id="b")
    )
    assert [found.deliveries[key].persons for key in ("1", "2")] == [1, 2]
    assert found.persons == 2


def test_equal_message_ids_of_two_deliveries_are_two_messages() -> None:
    found = counts(message(), message(delivery_id="2", address="x@aol.com"), opened(), opened(delivery_id="2"))
    assert list(found.deliveries["1"].domains) == ["Gmail"]
    assert list(found.deliveries["2"].domains) == ["AOL"]


def test_every_reaction_makes_a_message_react_and_only_a_click_makes_it_click() -> None:
    view = MirrorPageView(occurred_at=AT, delivery_id="1", message_id="7", link_id="4")
    found = counts(message(), view, view).deliveries["1"].domains["Gmail"]
    assert (found.reacted, found.clicked, found.reactions) == (1, 0, {"mirror-page-view": 2})


def test_what_is_no_reaction_is_counted_by_kind_and_nowhere_else() -> None:
    happened: list[Event] = [
        Delivered(occurred_at=AT, delivery_id="1", message_id="7"),
        Bounced(occurred_at=AT, delivery_id="1", message_id="7", failure_type="hard", failure_reason="unknown_user"),
    ]
    found = counts(message(), *happened).deliveries["1"]
    assert found.domains == {"Gmail": DomainCounts(statuses={1: 1})}
    assert (found.rows("delivered"), found.rows("bounced"), found.rows("delivered", "bounced")) == (1, 1, 2)
    assert found.clicks_by_link() == {}


def test_messages_are_counted_by_status_reason_format_and_domain() -> None:
    found = counts(
        message(id="1"),
        message(id="2", format="text"),
        message(id="3", status="failed", failure_reason="denylisted"),
        message(id="4", status="failed", failure_reason="unknown_user"),
        message(id="5", status="ignored", format="text", failure_reason="quarantined"),
        message(id="6", status="prepared"),
        message(id="7", status="taken_into_account", address="x@aol.com"),
        message(id="8", status="received_on_mobile", address="x@aol.com"),
        message(id="9", status="sent", is_seed=True, format="text"),
        message(id="10", status="pending"),
    ).deliveries["1"]
    gmail = found.domains["Gmail"]
    assert (gmail.success, gmail.failed, gmail.prepared, gmail.complaints) == (2, 2, 1, 1)
    assert gmail.failures == {FailureReason.UNKNOWN_USER: 1, FailureReason.DENYLISTED: 1}
    assert gmail.statuses[MessageStatus.IGNORED] == 1
    assert (gmail.to_deliver, gmail.text) == (6, 1)
    assert found.domains["AOL"].success == 2
    assert (found.to_deliver, found.text) == (8, 1)


def test_what_a_delivery_says_of_itself_wins_over_its_messages() -> None:
    found = counts(Delivery(id="1", to_deliver=9, text=0, channel="sms", contact_at=AT), message(format="text"))
    delivery = found.deliveries["1"]
    assert (delivery.to_deliver, delivery.text) == (9, 0)
    assert (delivery.channel, delivery.contact_at) == ("sms", AT)
    assert counts(Delivery(id="1", to_deliver=0), message()).deliveries["1"].to_deliver == 0


@pytest.mark.parametrize("is_turned", [False, True])
def test_the_message_modified_last_wins(is_turned: bool) -> None:
    versions = [
        message(status="failed", last_modified_at=AT),
        message(status="sent", address="x@aol.com", last_modified_at=AT + timedelta(seconds=1)),
        message(status="failed"),
    ]
    found = counts(*(reversed(versions) if is_turned else versions)).deliveries["1"].domains
    assert found == {"AOL": DomainCounts(statuses={1: 1})}


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize(("before", "after"), [("pending", "sent"), ("sent", "failed"), ("prepared", "sent")])
def test_of_messages_without_a_moment_the_further_one_wins(before: str, after: str, is_turned: bool) -> None:
    versions = [message(status=before), message(status=after)]
    found = counts(*(reversed(versions) if is_turned else versions)).deliveries["1"].domains["Gmail"]
    assert found.statuses == {MessageStatus[after.upper()]: 1}


def test_every_status_has_its_place_on_the_way() -> None:
    assert set(PROGRESS) == set(MessageStatus)
    assert sorted(PROGRESS.values()) == list(range(len(MessageStatus)))


def test_the_further_delivery_and_the_labelled_link_win() -> None:
    deliveries = [Delivery(id="1", state=51, to_deliver=9), Delivery(id="1", state=95, to_deliver=3)]
    links = [
        TrackedLink(delivery_id="1", id="2", url="https://a.example/", label=" Shop "),
        TrackedLink(delivery_id="1", id="2", url="https://z.example/"),
    ]
    one, other = fold(deliveries, [], links, []), fold(deliveries[::-1], [], links[::-1], [])
    assert one == other
    found = one.counts().deliveries["1"]
    assert found.to_deliver == 3
    assert found.links == {"2": LinkFacts(label="Shop", url="https://a.example/")}


def test_clicks_of_a_link_are_all_its_rows_but_the_opens() -> None:
    found = counts(
        Delivery(id="1"),
        TrackedLink(delivery_id="1", id="1", url="", type="open"),
        TrackedLink(delivery_id="1", id="2", url="https://a.example/"),
        TrackedLink(delivery_id="1", id="3", url="https://a.example/out", type="opt_out"),
        TrackedLink(delivery_id="1", id="4", url="https://a.example/quiet"),
        opened(),
        clicked(),
        clicked(),
        OptOutClick(occurred_at=AT, delivery_id="1", message_id="7", link_id="3"),
        clicked(link_id="99"),
    ).deliveries["1"]
    assert found.clicks_by_link() == {"2": 2, "3": 1, "4": 0, "99": 1}
    assert "1" not in found.links


def test_links_alone_make_no_delivery() -> None:
    assert counts(TrackedLink(delivery_id="1", id="2", url="")) == Counts()


def test_events_that_name_no_delivery_stand_under_none() -> None:
    assert list(counts(opened(delivery_id=None), opened()).deliveries) == ["", "1"]


def test_amounts_add_up_exactly_in_any_order() -> None:
    def bought(amount: str | None, article: int | None = None) -> Transaction:
        return Transaction(occurred_at=AT, delivery_id="1", message_id="7", amount=amount, article=article)

    facts = [bought("0.1", 2), bought("0.2", 1), bought("1e20"), bought("0.1", 2), bought(None)]
    found = counts(*facts).deliveries["1"]
    assert found.amount == Decimal("100000000000000000000.4")
    assert found.article == 5
    assert found.rows("transaction") == 5
    wild = [bought("1e29"), bought("-1e29"), bought("1e-29"), bought("7")]
    assert counts(*wild) == counts(*wild[::-1])


def test_counts_forget_zeros() -> None:
    assert DomainCounts(statuses={1: 0}, failures={8: 0}, reactions={"open": 0}) == DomainCounts()
