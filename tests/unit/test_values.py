"""Values at the border: what loose Python becomes, and what is refused by name."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Delivery, Message, MsgtrackError, Policy, TrackedLink, events, hits, model, protocols
from msgtrack._borders import closed
from msgtrack.domains import domain_class
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, NaiveDatetime, UnknownOption
from msgtrack.events import (
    EVENT_KINDS,
    Bounced,
    Click,
    Deferred,
    Event,
    Open,
    Subscribed,
    Transaction,
    Unknown,
    Unsubscribed,
    event_id,
)
from msgtrack.identity import Ordinals, identified
from msgtrack.logs import formats
from msgtrack.model import Audience, Client, LinkType, MessageStatus, Part, Resolution, TrackingMode, Verdict
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
        (TrackedLink(delivery_id="1", id="2", url="u", type=7).type, LinkType.OTHER),
        (TrackedLink(delivery_id="1", id="2", url="u", type="99").type, LinkType.OTHER),
        (TrackedLink(delivery_id="1", id="2", url="u", type="-1").type, LinkType.OTHER),
        (TrackedLink(delivery_id="1", id="2", url="u", type=1 << 20_000).type, LinkType.OTHER),
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


@pytest.mark.parametrize("value", ["nonsense", "-click-1", "01", "1.0", "٣", True, None, 1.0, "click "[:-2]])
def test_unknown_members_are_refused_and_the_known_ones_listed(value: object) -> None:
    with pytest.raises(InvalidOption, match=r"LinkType has no .* mirror_page"):
        TrackedLink(delivery_id="1", id="2", url="u", type=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    ["-1", "_1", "1-", " 1", 99, -1, "99", 1 << 20_000],
    ids=lambda value: f"{value!r:.9}" if value != 1 << 20_000 else "huge",
)
def test_numbers_are_compared_as_they_are(value: object) -> None:
    with pytest.raises(InvalidOption, match="MessageStatus has no"):
        Message(id="1", delivery_id="1", status=value)


CLOSED = [
    cls
    for module in (model, events, hits, protocols, formats)
    for cls in vars(module).values()
    if isinstance(cls, type) and attrs.has(cls) and cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", CLOSED, ids=lambda cls: cls.__name__)
def test_unknown_missing_and_nameless_fields_are_errors_of_our_tree(cls: type) -> None:
    needed = {a.alias: None for a in attrs.fields(cls) if a.default is attrs.NOTHING}
    with pytest.raises(UnknownOption, match=rf"{cls.__name__} has no 'colour'"):
        cls(**needed, colour="red")
    with pytest.raises(UnknownOption, match=rf"{cls.__name__} takes its fields by name"):
        cls("red", **needed)
    if needed:
        with pytest.raises(InvalidValue, match=rf"{cls.__name__} needs {', '.join(needed)}$") as caught:
            cls()
        assert isinstance(caught.value, TypeError)


def test_a_misspelt_field_is_told_the_right_one() -> None:
    assert len(CLOSED) > 30
    with pytest.raises(UnknownOption, match=r"'lable'.*did you mean label"):
        Delivery(id="1", lable="Spring")  # type: ignore[call-arg]
    with pytest.raises(UnknownOption, match="'lable'"):
        attrs.evolve(Delivery(id="1"), lable="Spring")  # type: ignore[call-arg]


def test_a_type_error_of_ours_or_of_a_converter_is_not_taken_for_a_wrong_name() -> None:
    def fail(value: object) -> object:
        raise TypeError("a fault of the converter")

    @closed
    @attrs.frozen(kw_only=True)
    class Made:
        x: object = attrs.field(converter=fail)

    with pytest.raises(TypeError, match="a fault of the converter"):
        Made(x=1)


def test_closed_values_pickle_evolve_and_show_their_signature() -> None:
    one = Transaction(occurred_at=AT, amount="2.50", client="UA")  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(one)) == one
    assert attrs.evolve(one, article=2).amount == Decimal("2.5")
    assert list(inspect.signature(Policy).parameters) == ["opens", "clicks"]


@pytest.mark.parametrize("value", ["no", "", 0, 1, None, [], 1.0])
@pytest.mark.parametrize(
    "make",
    [
        lambda value: Delivery(id="1", is_template=value),
        lambda value: Delivery(id="1", is_proof=value),
        lambda value: Delivery(id="1", tracking_enabled=value),
        lambda value: Delivery(id="1", open_tracking_enabled=value),
        lambda value: Message(id="1", delivery_id="1", is_seed=value),
        lambda value: Message(id="1", delivery_id="1", is_quarantine=value),
        lambda value: Open(occurred_at=AT, is_seed=value),
        lambda value: Open(occurred_at=AT, is_proof=value),
        lambda value: Resolution(outcome="valid", is_seed=value),
        lambda value: Resolution(outcome="valid", is_proof=value),
        lambda value: Client(is_mobile="no" if value is None else value),
    ],
)
def test_flags_are_true_or_false_alone(make: Callable[[object], object], value: object) -> None:
    with pytest.raises(InvalidValue, match="expected True or False"):
        make(value)
    assert make(True) != make(False)


def test_a_bare_audience_is_a_verdict_and_a_bare_user_agent_a_client() -> None:
    one = Open(occurred_at=AT, verdict="machine", client="UA/1")
    assert (one.verdict, one.client) == (Verdict(audience=Audience.MACHINE), Client(user_agent="UA/1"))
    assert Open(occurred_at=AT, verdict=Audience.HUMAN).verdict.audience is Audience.HUMAN
    for wrong in ({"verdict": "robots"}, {"verdict": None}, {"verdict": 5}, {"client": 5}, {"client": b"UA"}):
        with pytest.raises(InvalidValue):
            Open(occurred_at=AT, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="Policy"):
        Resolution(outcome="valid", policy="none")  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    "pair",
    [
        (Transaction(occurred_at=AT, amount="2.5"), Transaction(occurred_at=AT, amount="2.51")),
        (Transaction(occurred_at=AT, amount="9" * 30), Transaction(occurred_at=AT, amount="9" * 29 + "8")),
        (Transaction(occurred_at=AT), Transaction(occurred_at=AT, amount=0)),
        (Transaction(occurred_at=AT, article=1), Transaction(occurred_at=AT, amount=1)),
        (Transaction(occurred_at=AT, article=0), Transaction(occurred_at=AT)),
        (Unsubscribed(occurred_at=AT), Unsubscribed(occurred_at=AT, service_id="news")),
        (Subscribed(occurred_at=AT, service_id="a"), Subscribed(occurred_at=AT, service_id="b")),
        (Unknown(occurred_at=AT, name="a"), Unknown(occurred_at=AT, name="b")),
        (Bounced(occurred_at=AT, failure_type=1), Bounced(occurred_at=AT, failure_type=2)),
        (Bounced(occurred_at=AT, failure_type=1), Bounced(occurred_at=AT, failure_reason=1)),
        (Deferred(occurred_at=AT, diagnostic="busy"), Deferred(occurred_at=AT, diagnostic="full")),
    ],
    ids=str,
)
def test_what_only_its_class_knows_makes_another_event(pair: tuple[Event, Event]) -> None:
    assert pair[0].id != pair[1].id


def test_equal_amounts_make_equal_ids() -> None:
    zeros = {Transaction(occurred_at=AT, amount=amount).id for amount in ("2.5", "2.50", 2.5, "0.25e1")}
    assert len(zeros) == 1
    assert Transaction(occurred_at=AT, amount="-0").id == Transaction(occurred_at=AT, amount=0).id


def test_an_id_is_the_same_forever() -> None:
    assert Click(occurred_at=AT, delivery_id="1").id == event_id(
        AT, "click", "2026-11-21T10:00:00+00:00", "1", "", "", "", "", "", "0"
    )
    assert Bounced(occurred_at=AT, failure_type="hard", diagnostic="no").id == event_id(
        AT, "bounced", "2026-11-21T10:00:00+00:00", "", "", "", "", "", "", "0", "failure_type=hard", "diagnostic=no"
    )


def test_reading_far_keeps_little_and_counts_on() -> None:
    ordinals = Ordinals()
    for second in range(20_000):
        one = Click(occurred_at=AT + timedelta(seconds=second), delivery_id="1")
        assert [identified(one, ordinals).id, identified(one, ordinals).id] == [one.id, one.derived_id(1)]
    assert len(ordinals._seen) <= 2_048
    assert len(ordinals.state()) == 11


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"plain", "plain"),
        ("Bücher/1".encode(), "Bücher/1"),
        ("Bücher/1".encode().decode("latin-1"), "Bücher/1"),
        (b"caf\xe9", "caf\\xe9"),
        ("café", "caf\\xe9"),
        ("日本", "日本"),
        ("\ud800", "\\ud800"),
        ("é".encode() * 600, "é" * 512),
        ("x" * 600, "x" * 512),
    ],
)
def test_headers_are_kept_as_utf8_and_short(sent: bytes | str, kept: str) -> None:
    assert hits.header_text(sent) == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": 5},
        {"kinds": [5]},
        {"kinds": int},
        {"audience": 5},
        {"audience": b"human"},
        {"delivery_ids": b"ab"},
        {"message_ids": b"ab"},
        {"delivery_ids": 1.5},
        {"recipient_id": b"r"},
    ],
)
def test_queries_refuse_what_names_nothing(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        Query(**wrong)  # type: ignore[arg-type]


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
