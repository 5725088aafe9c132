"""Values at the border: what loose Python becomes, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Delivery, Message, MsgtrackError, Policy, TrackedLink
from msgtrack.domains import domain_class
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, NaiveDatetime
from msgtrack.events import EVENT_KINDS, Click, Event, Open, Transaction
from msgtrack.model import Audience, LinkType, MessageStatus, Part, TrackingMode, Verdict
from msgtrack.protocols import Query

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@given(st.integers(min_value=-(10**60), max_value=10**60))
def test_integer_ids_become_their_decimal_text(number: int) -> None:
    assert Delivery(id=number).id == str(number)  # type: ignore[arg-type]


@given(st.text(min_size=1, max_size=80))
def test_text_ids_stay_as_they_are_or_are_refused(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 1_000
    if size <= 64:
        assert Delivery(id=text).id == text
    else:
        with pytest.raises(InvalidId):
            Delivery(id=text)


@pytest.mark.parametrize("value", ["", None, b"x", 1.0, True, [], "x" * 65, "\ud800", 10**64])
def test_other_ids_are_refused(value: object) -> None:
    with pytest.raises(InvalidId):
        Delivery(id=value)  # type: ignore[arg-type]


def test_an_integer_beyond_printing_is_no_id() -> None:
    with pytest.raises(InvalidId, match="64 bytes"):
        Delivery(id=1 << 20_000)  # type: ignore[arg-type]


def test_moments_are_aware_and_utc() -> None:
    brussels = datetime(2026, 11, 21, 11, tzinfo=timezone(timedelta(hours=1)))
    assert Delivery(id="1", contact_at=brussels).contact_at == AT
    assert str(Delivery(id="1", contact_at=brussels).contact_at) == "2026-11-21 10:00:00+00:00"
    with pytest.raises(NaiveDatetime, match="time zone"):
        Click(occurred_at=datetime(2026, 1, 1))
    with pytest.raises(InvalidValue, match="datetime"):
        Click(occurred_at="2026-01-01")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (TrackedLink(delivery_id="1", id="2", url="u", type="click").type, LinkType.CLICK),
        (TrackedLink(delivery_id="1", id="2", url="u", type="mirrorPage").type, LinkType.MIRROR_PAGE),
        (TrackedLink(delivery_id="1", id="2", url="u", type="OPT_OUT").type, LinkType.OPT_OUT),
        (TrackedLink(delivery_id="1", id="2", url="u", type=11).type, LinkType.OFFER_INTERESTED),
        (TrackedLink(delivery_id="1", id="2", url="u", type="11").type, LinkType.OFFER_INTERESTED),
        (TrackedLink(delivery_id="1", id="2", url="u", mode="opt-out").mode, TrackingMode.OPT_OUT),
        (TrackedLink(delivery_id="1", id="2", url="u", part="text").part, Part.TEXT),
        (Message(id="1", delivery_id="1", status="taken into account").status, MessageStatus.TAKEN_INTO_ACCOUNT),
        (Message(id="1", delivery_id="1", status=1).status, MessageStatus.SENT),
        (Message(id="1", delivery_id="1", failure_reason=127).failure_reason.name, "CONTROL_ADDRESS"),
        (Verdict(audience="Human").audience, Audience.HUMAN),
    ],
)
def test_enumerations_accept_their_value_or_name(made: object, expected: object) -> None:
    assert made == expected


@pytest.mark.parametrize("value", ["nonsense", 99, True, None, 1.0, "click "[:-2]])
def test_unknown_members_are_refused_and_the_known_ones_listed(value: object) -> None:
    with pytest.raises(InvalidOption, match=r"LinkType has no .* mirror_page"):
        TrackedLink(delivery_id="1", id="2", url="u", type=value)  # type: ignore[arg-type]


def test_unknown_names_are_errors() -> None:
    for make in (Policy, lambda **fields: Delivery(id="1", **fields), lambda **fields: Click(occurred_at=AT, **fields)):
        with pytest.raises(TypeError, match="colour"):
            make(colour="red")


@pytest.mark.parametrize("amount", ["12.50", Decimal("12.50"), 12.5])
def test_amounts_are_exact(amount: object) -> None:
    event = Transaction(occurred_at=AT, amount=amount, article=2)  # type: ignore[arg-type]
    assert event.amount == Decimal("12.5")


@pytest.mark.parametrize("amount", ["x", "NaN", "Infinity", "1e999999999", "1e-999999", "9" * 31])
def test_hostile_amounts_are_refused(amount: str) -> None:
    with pytest.raises(InvalidValue, match="amount"):
        Transaction(occurred_at=AT, amount=amount)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "count",
    [-1, 1.5, True, "3", 2**63, 1 << 20_000],
    ids=lambda count: str(count)[:9] if count != 1 << 20_000 else "huge",
)
def test_hostile_counts_are_refused(count: object) -> None:
    with pytest.raises(InvalidValue, match="count"):
        Delivery(id="1", to_deliver=count)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@gmail.com", "Gmail"),
        ("A@GoogleMail.COM", "Gmail"),
        ("a@hotmail.co.uk", "Hotmail"),
        ("a@live.fr", "Hotmail"),
        ("a@outlook.com", "Hotmail"),
        ("a@msn.com", "MSN"),
        ("a@yahoo.de", "Yahoo"),
        ("a@ymail.com", "Yahoo"),
        ("a@aol.com", "AOL"),
        ("a@notgmail.com", "Others"),
        ("a@gmail.com.evil.example", "Others"),
        ("", "Others"),
        ("nonsense", "Others"),
    ],
)
def test_domains_have_classes(address: str, expected: str) -> None:
    assert Message(id="1", delivery_id="1", address=address).domain == expected


def test_a_message_may_bring_its_own_domain_class() -> None:
    assert Message(id="1", delivery_id="1", address="a@gmail.com", domain="Free mail").domain == "Free mail"
    assert domain_class("a@corp.example", {"*.example": "Examples"}) == "Examples"


def test_events_know_what_they_are() -> None:
    assert len(EVENT_KINDS) == 14
    assert all(cls.kind == kind and issubclass(cls, Event) for kind, cls in EVENT_KINDS.items())
    assert Open(occurred_at=AT).link_id == "1"
    assert {kind: cls.link_type.name for kind, cls in EVENT_KINDS.items() if cls.link_type} == {
        "open": "OPEN",
        "click": "CLICK",
        "mirror-page-view": "MIRROR_PAGE",
        "opt-out-click": "OPT_OUT",
        "page-visit": "WEB",
        "transaction": "TRANSACTION",
    }


def test_an_id_is_derived_when_none_is_given_and_follows_the_content() -> None:
    one = Click(occurred_at=AT, delivery_id="1", message_id="7", link_id="2", source_id="b")
    assert one.id == Click(occurred_at=AT, delivery_id=1, message_id=7, link_id=2, source_id="b").id
    assert not one.has_own_id
    assert not attrs.evolve(one, verdict=Verdict(audience="human")).has_own_id
    changes: list[dict[str, object]] = [
        {"occurred_at": AT + timedelta(microseconds=1)},
        {"delivery_id": "2"},
        {"message_id": "8"},
        {"link_id": "3"},
        {"source_id": None},
        {"source": "web"},
    ]
    ids = {attrs.evolve(one, **change).id for change in changes} | {one.id, one.derived_id(1)}
    assert len(ids) == len(changes) + 2
    assert all(len(one_id) == 32 and int(one_id[:8], 16) == int(AT.timestamp()) for one_id in ids)
    assert Click(id="e1", occurred_at=AT).id == "e1"


def test_queries_take_one_or_several() -> None:
    query = Query(delivery_ids=7, kinds=Click, audience="human")  # type: ignore[arg-type]
    assert (query.delivery_ids, query.kinds, query.audience) == (("7",), ("click",), (Audience.HUMAN,))
    assert Query(audience="all").audience is None
    with pytest.raises(InvalidValue, match="nonsense"):
        Query(kinds="nonsense")
    with pytest.raises(InvalidOption):
        Query(audience="robots")


def test_every_error_is_of_our_tree_and_carries_a_hint() -> None:
    import msgtrack.errors as errors

    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, MsgtrackError)
        assert cls.code == cls.code.lower()
        assert name in (errors.__doc__ or "")
    assert str(InvalidValue("wrong", hint="do this")) == "wrong (do this)"
