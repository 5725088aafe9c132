"""The written form: what stands in a line, what is left out, and what bad input gets."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, NaiveDatetime, SchemaMismatch
from msgtrack.events import Bounced, Click, Event, Open, Transaction
from msgtrack.hits import Hit, Rejected
from msgtrack.model import Client, Delivery, FailureReason, Message, Verdict
from msgtrack.protocols import Checkpoint, WorkflowRun
from msgtrack.records import from_dict, from_json, to_dict, to_json

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_hit_is_one_short_line():
    hit = Hit(method="GET", url="/r/é", received_at=NOON, user_agent="a\nb", source_id="7")
    assert to_json(hit) == (
        '{"v":1,"method":"GET","url":"/r/\\u00e9","received_at":"2026-03-01T12:00:00.000000Z",'
        '"user_agent":"a\\nb","source_id":"7"}'
    )
    assert from_json(to_json(hit), Hit) == hit


def test_an_event_says_its_kind_and_keeps_an_id_of_its_own():
    own, derived = Click(occurred_at=NOON, id="e1", link_id="2"), Click(occurred_at=NOON, link_id="2")
    assert to_dict(own) == {
        "v": 1,
        "kind": "click",
        "occurred_at": "2026-03-01T12:00:00.000000Z",
        "id": "e1",
        "link_id": "2",
    }
    assert "id" not in to_dict(derived)
    for event in (own, derived):
        back = from_dict(to_dict(event), Event)
        assert back == event
        assert back.has_own_id == event.has_own_id
        assert from_dict(to_dict(event), Click) == event


def test_words_stand_for_members_and_text_for_amounts():
    bounced = Bounced(occurred_at=NOON, failure_reason=FailureReason.MAILBOX_FULL, verdict=Verdict(audience="machine"))
    assert to_dict(bounced)["failure_reason"] == "mailbox_full"
    assert to_dict(bounced)["verdict"] == {"audience": "machine"}
    amount = from_json(to_json(Transaction(occurred_at=NOON, amount="1.50")), Event).amount
    assert str(amount) == "1.50"
    assert amount == Decimal("1.5")


def test_a_domain_class_is_always_written_because_the_list_of_classes_may_change():
    assert to_dict(Message(id="1", delivery_id="1", address="a@gmail.com"))["domain"] == "Gmail"


def test_a_none_where_the_default_is_something_is_written():
    assert from_json(to_json(Open(occurred_at=NOON, link_id=None)), Open).link_id is None


def test_moments_come_back_in_utc_whatever_offset_was_written():
    mapping = {"source": "web", "position": "", "moved_at": "2026-03-01T13:00:00.5+01:00"}
    assert from_dict(mapping, Checkpoint).moved_at == NOON + timedelta(seconds=0.5)
    assert from_dict(mapping, Checkpoint).moved_at.tzinfo is UTC
    early = datetime(1, 1, 1, tzinfo=UTC)
    assert from_json(to_json(Open(occurred_at=early)), Event).occurred_at == early
    written = to_dict(Open(occurred_at=NOON.astimezone(timezone(timedelta(hours=5)))))
    assert written["occurred_at"] == "2026-03-01T12:00:00.000000Z"


def test_lines_hold_any_text_and_nothing_that_breaks_a_line():
    text = "\0\x85\u2028\ud800😀\r\n"
    line = to_json(Rejected(line=1, reason="x", text=text))
    assert line.isascii()
    assert line.isprintable()
    assert from_json(line, Rejected).text == text


OPEN = {"kind": "open", "occurred_at": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize(
    ("mapping", "kind", "error", "said"),
    [
        ([], Hit, InvalidValue, "Hit: expected an object"),
        ({}, Hit, InvalidValue, "Hit.method is missing"),
        ({"id": "1", "colour": "red"}, Delivery, InvalidValue, "Delivery has no field 'colour'"),
        ({"id": 1}, Delivery, InvalidValue, "Delivery.id: expected text, got 1"),
        ({"id": ""}, Delivery, InvalidId, "Delivery.id: an id must not be empty"),
        ({"id": "1", "to_deliver": True}, Delivery, InvalidValue, "Delivery.to_deliver: expected a whole number"),
        ({"id": "1", "to_deliver": -1}, Delivery, InvalidValue, "Delivery.to_deliver: expected a count"),
        ({"id": "1", "is_proof": 0}, Delivery, InvalidValue, "Delivery.is_proof: expected true or false"),
        (
            {"id": "1", "contact_at": "2026-03-01T12:00:00"},
            Delivery,
            NaiveDatetime,
            "Delivery.contact_at: a moment must",
        ),
        ({"id": "1", "contact_at": 5}, Delivery, InvalidValue, "Delivery.contact_at: expected a moment"),
        (
            {"id": "1", "contact_at": "0001-01-01T00:00:00+01:00"},
            Delivery,
            InvalidValue,
            "Delivery.contact_at: expected",
        ),
        (
            {"id": "1", "delivery_id": "1", "status": "gone"},
            Message,
            InvalidOption,
            "Message.status: MessageStatus has no",
        ),
        ({"id": "1", "delivery_id": "1", "status": 1}, Message, InvalidValue, "Message.status: expected the name"),
        ({"kind": "opened", "occurred_at": "2026-03-01T12:00:00Z"}, Event, InvalidValue, "Event.kind: no event has"),
        ({"kind": ["open"]}, Event, InvalidValue, "Event.kind: no event has the kind"),
        ({"occurred_at": "2026-03-01T12:00:00Z"}, Event, InvalidValue, "Event.kind is missing"),
        (OPEN, Click, InvalidValue, "Click.kind: expected 'click', got 'open'"),
        (OPEN | {"_id": "1"}, Event, InvalidValue, "Open has no field '_id'"),
        (OPEN | {"client": {"browser": 3}}, Event, InvalidValue, "Open.client: Client.browser: expected text"),
        (OPEN | {"client": "x"}, Event, InvalidValue, "Open.client: Client: expected an object"),
        (OPEN | {"kind": "transaction", "amount": 1.5}, Event, InvalidValue, "Transaction.amount: expected an amount"),
        (OPEN | {"kind": "transaction", "amount": "x"}, Event, InvalidValue, "Transaction.amount: expected an amount"),
        (OPEN | {"kind": "transaction", "amount": "NaN"}, Event, InvalidValue, "Transaction.amount: expected a finite"),
        ({"reasons": "abc"}, Verdict, InvalidValue, "Verdict.reasons: expected a list"),
        ({"reasons": [1]}, Verdict, InvalidValue, "Verdict.reasons: expected text"),
        ({"v": 0}, Client, InvalidValue, "Client.v: expected a schema version"),
        ({"v": True}, Client, InvalidValue, "Client.v: expected a schema version"),
        ({"v": 2, "no": "idea"}, Client, SchemaMismatch, "Client was written by schema version 2"),
        (
            {"id": "r", "started_at": "2026-03-01T12:00:00Z", "skipped": [1]},
            WorkflowRun,
            InvalidValue,
            "WorkflowRun.skipped",
        ),
        (
            {"id": "r", "started_at": "2026-03-01T12:00:00Z", "skipped": {"a": "1"}},
            WorkflowRun,
            InvalidValue,
            "skipped",
        ),
        (
            {"id": "r", "started_at": "2026-03-01T12:00:00Z", "rejects": [{"line": "1"}]},
            WorkflowRun,
            InvalidValue,
            "Rejected.line",
        ),
        ({"id": 10**5000}, Delivery, InvalidValue, "Delivery.id: expected text, got a int too long to show"),
        ({}, dict, InvalidValue, "dict has no written form"),
    ],
)
def test_bad_input_is_named(mapping, kind, error, said):
    writable = "too long to show" not in said
    for read in (
        lambda: from_dict(mapping, kind),
        *([lambda: from_json(json.dumps(mapping), kind)] if writable else []),
    ):
        with pytest.raises(error) as caught:
            read()
        assert type(caught.value) is error
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "nul", '{"v":NaN}', "[" * 100_000, '{"v":' + "9" * 5000 + "}", "\ud800", None, b"{}"]
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InvalidValue, match=r"JSON|expected"):
        from_json(text, Client)


@pytest.mark.parametrize("value", [None, object(), {"id": "1"}, Event(occurred_at=NOON), Event])
def test_what_has_no_written_form_is_refused(value):
    with pytest.raises(InvalidValue, match="no written form"):
        to_json(value)


def test_importing_the_package_brings_neither_converters_nor_databases():
    code = "import sys, msgtrack, msgtrack.records; print(*sorted({'cattrs', 'sqlalchemy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
