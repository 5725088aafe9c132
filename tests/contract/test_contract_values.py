"""The contract, second half: the fields of public values, their order of meaning, and the closed lists."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta, timezone
from operator import attrgetter
from typing import Any

import attrs
import pytest

from msgtrack import Delivery, Message, Policy, TrackedLink, Tracker
from msgtrack.decide import Reason
from msgtrack.errors import InvalidId, InvalidOption, MsgtrackError, NaiveDatetime, WeakSecret
from msgtrack.events import EVENT_KINDS, Click, Event, Open
from msgtrack.model import Audience, LinkType, TrackingMode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

FIELDS: dict[str, str] = {
    "msgtrack:Delivery": "id label channel to_deliver contact_at",
    "msgtrack:Message": "id delivery_id recipient_id address status format is_seed",
    "msgtrack:TrackedLink": "delivery_id id key url label category type mode part",
    "msgtrack:Policy": "opens clicks",
    "msgtrack:LinkRules": "rules",
    "msgtrack.links:CompiledMessage": "links decisions findings edits placeholders",
    "msgtrack.links:LinkDecision": "part line column url tracked reason link_id",
    "msgtrack.links:Finding": "code severity message part line column",
    "msgtrack.links:Edit": "part start end kind",
    "msgtrack.links:Placeholder": "name",
    "msgtrack.links:RenderedMessage": "html text headers",
    "msgtrack.model:Resolution": "outcome destination delivery_id message_id link_id policy",
    "msgtrack.model:Verdict": "audience reasons",
    "msgtrack.redirect:Request": "method url headers body client_ip received_at",
    "msgtrack.redirect:Outcome": "response hit reason",
    "msgtrack.redirect:Response": "status headers body",
    "msgtrack.io:SegmentHealth": "written lost removed in_doubt unsynced error",
    "msgtrack.events:Event": "occurred_at delivery_id message_id verdict client source_id link_id",
    "msgtrack.metrics:Value": "value unit numerator denominator estimated caveats",
}

# What each accepts is tried with the fields that it must have.
REQUIRED: dict[str, dict[str, Any]] = {
    "msgtrack:Delivery": {"id": "1"},
    "msgtrack:Message": {"id": "7", "delivery_id": "1"},
    "msgtrack:TrackedLink": {"delivery_id": "1", "id": "2", "url": "https://shop.example/"},
    "msgtrack:Policy": {},
    "msgtrack:LinkRules": {},
    "msgtrack.redirect:Request": {"method": "GET", "url": "/", "received_at": NOON},
    "msgtrack.events:Open": {"occurred_at": NOON},
    "msgtrack.events:Click": {"occurred_at": NOON},
}


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    return attrgetter(path)(importlib.import_module(module))


@pytest.mark.parametrize("name", FIELDS)
def test_values_have_these_fields(name: str) -> None:
    cls = _find(name)
    told = {field.alias for field in attrs.fields(cls)}
    told |= {name for name, value in vars(cls).items() if isinstance(value, property)}
    assert set(FIELDS[name].split()) <= told


@pytest.mark.parametrize("name", FIELDS)
def test_values_are_frozen_and_keyword_only(name: str) -> None:
    cls = _find(name)
    assert all(field.kw_only for field in attrs.fields(cls) if field.init)
    assert cls.__setattr__ is not object.__setattr__


@pytest.mark.parametrize("name", REQUIRED)
def test_unknown_names_are_errors(name: str) -> None:
    cls = _find(name)
    cls(**REQUIRED[name])
    with pytest.raises(TypeError):
        cls(**REQUIRED[name], no_such_field=1)
    for field in REQUIRED[name]:
        with pytest.raises(TypeError):
            cls(**{key: value for key, value in REQUIRED[name].items() if key != field})


def test_values_are_made_as_written() -> None:
    Delivery(id="1", label="Spring", channel="email", to_deliver=4, contact_at=NOON)
    Message(
        id="7", delivery_id="1", recipient_id="r7", address="a@b.example", status="sent", format="html", is_seed=False
    )
    opened = Open(id="e1", occurred_at=NOON, delivery_id="1", message_id="7", source_id=None)
    clicked = Click(occurred_at=NOON, delivery_id="1", message_id="7", link_id="2", source_id="browser-1")
    link = TrackedLink(delivery_id="1", id="2", url="https://shop.example/", label="Shop", category="", type="click")
    assert (opened.id, opened.link_id, opened.client) == ("e1", "1", None)
    assert clicked.id == Click(occurred_at=NOON, delivery_id="1", message_id="7", link_id="2", source_id="browser-1").id
    assert clicked.verdict.audience == "unsure"
    assert clicked.verdict.reasons == ("unjudged",)
    assert link.type is LinkType.CLICK


def test_ids_are_text_and_moments_utc() -> None:
    assert Message(id=7, delivery_id=1).id == "7"
    local = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert Open(occurred_at=local).occurred_at.tzinfo is UTC
    for wrong in ("", "x" * 65, "é" * 33, True, None, 1.5):
        with pytest.raises(InvalidId):
            Delivery(id=wrong)
    with pytest.raises(NaiveDatetime):
        Open(occurred_at=datetime(2026, 3, 1))


def test_link_types_keep_the_numbers_of_the_reference() -> None:
    numbers = {
        "CLICK": 1, "OPEN": 2, "OPT_OUT": 3, "WEB": 4, "TRANSACTION": 5, "MIRROR_PAGE": 6, "OFFER_CLICK": 10, "OFFER_INTERESTED": 11,
        "MOBILE_CLICK": 100,
    }  # fmt: skip
    assert {kind.name: kind.value for kind in LinkType if kind is not LinkType.OTHER} == numbers


def test_closed_lists() -> None:
    assert {mode.name for mode in TrackingMode} == {
        "ENABLED",
        "NOT_TRACKED",
        "ALWAYS",
        "NEVER",
        "OPT_OUT",
        "MIRROR_PAGE",
    }
    assert {audience.value for audience in Audience} == {"human", "proxy", "unsure", "machine"}
    reasons = {"click", "open", "mirror-page", "opt-out", "anonymous-link", "expired", "unknown", "head", "method"}
    assert reasons <= {reason.value for reason in Reason}
    for consent in ("identified", "pseudonymous", "aggregate", "none"):
        assert Policy(opens=consent, clicks=consent.upper()).clicks.value == consent
    with pytest.raises(InvalidOption, match="identified, pseudonymous, aggregate, none"):
        Policy(opens="sometimes")


def test_every_event_class_has_its_kind() -> None:
    assert {cls.__name__ for cls in EVENT_KINDS.values()} == {
        "Open", "Click", "MirrorPageView", "OptOutClick", "PageVisit", "Transaction", "Sent", "Delivered", "Deferred", "Bounced",
        "Complained", "Unsubscribed", "Subscribed", "Unknown",
    }  # fmt: skip
    assert all(issubclass(cls, Event) and cls.kind == kind for kind, cls in EVENT_KINDS.items())


@pytest.mark.parametrize("secret", ["", "short", b"", b"x" * 31])
def test_a_short_secret_is_refused(secret: str | bytes) -> None:
    from msgtrack import Keyring

    with pytest.raises(WeakSecret, match="32"):
        Keyring.from_secrets(secret)
    with pytest.raises(WeakSecret, match=r"verify_only\[0\]"):
        Keyring.from_secrets("k" * 32, verify_only=(secret,))


def test_an_unknown_option_is_an_error_of_ours() -> None:
    from msgtrack import Keyring, open_store

    keys = Keyring.from_secrets("k" * 32)
    with pytest.raises(MsgtrackError, match="link_stile"):
        Tracker(base_url="https://t.example.com", keyring=keys, link_stile="registered")  # type: ignore[arg-type]
    with pytest.raises(MsgtrackError, match="delivery"):
        Tracker(base_url="https://t.example.com", keyring=keys).compile(html="", delivery_id="1", delivery="1")  # type: ignore[arg-type]
    with pytest.raises(MsgtrackError, match="mongodb"):
        open_store("mongodb://localhost")
    with pytest.raises(MsgtrackError, match="tomorrow"):
        open_store("memory:", tomorrow=1)
