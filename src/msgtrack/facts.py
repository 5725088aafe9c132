"""What is known beside messages and events: exclusions, services and who takes them, visitors, shared views, addresses with
errors, and the steps of web applications.

All are frozen, keyword-only attrs classes, kept by the ids that :data:`FACT_KEYS` lists. Fields follow section 1.4 of the
tracking reference. A fact that names its delivery belongs to it; the others belong to the whole platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import closed, count, enum_of, flag, optional_id, optional_utc, text_id, texts, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.vocabulary import AddressStatus, FailureReason, SubscriptionAction

__all__ = [
    "FACT_KEYS",
    "MAX_ADDRESS_BYTES",
    "AddressState",
    "AddressStatus",
    "Exclusion",
    "Fact",
    "Service",
    "SharedView",
    "StepView",
    "Subscription",
    "SubscriptionAction",
    "SubscriptionChange",
    "Visitor",
    "WebApplication",
    "delivery_of",
    "fact_key",
    "moment_of",
    "recipient_of",
]

MAX_ADDRESS_BYTES = 320
"""The longest address that can have a record: 64 bytes, an @ and 255 bytes."""

_address_status = enum_of(AddressStatus)
_action = enum_of(SubscriptionAction)


def _status(value: object) -> AddressStatus:
    return _address_status(value)


def _subscription_action(value: object) -> SubscriptionAction:
    return _action(value)


@closed
@frozen(kw_only=True)
class Exclusion:
    """A recipient that analysis left out of a delivery: by a typology rule, or for a reason of section 8.3.

    ``rule`` is the rule's name, empty when the reason says all.
    """

    delivery_id: str = field(converter=text_id)
    id: str = field(converter=text_id)
    recipient_id: str | None = field(default=None, converter=optional_id)
    address: str = field(default="", converter=as_text)
    failure_reason: FailureReason = field(default=FailureReason.NOT_DEFINED, converter=vocabulary.failure_reason)
    rule: str = field(default="", converter=as_text)
    is_seed: bool = field(default=False, converter=flag)


@closed
@frozen(kw_only=True)
class Service:
    """An information service that recipients subscribe to; ``channel`` as in deliveries."""

    id: str = field(converter=text_id)
    label: str = field(default="", converter=as_text)
    channel: str = field(default="email", converter=as_text)


@closed
@frozen(kw_only=True)
class Subscription:
    """A recipient takes a service, since ``created_at``; with ``ended_at`` it is over and counts no more as active."""

    service_id: str = field(converter=text_id)
    recipient_id: str = field(converter=text_id)
    created_at: datetime = field(converter=utc)
    ended_at: datetime | None = field(default=None, converter=optional_utc)


@closed
@frozen(kw_only=True)
class SubscriptionChange:
    """A row of the subscription history: somebody joined a service or left it; ``origin`` says by what way."""

    service_id: str = field(converter=text_id)
    id: str = field(converter=text_id)
    action: SubscriptionAction = field(converter=_subscription_action)
    changed_at: datetime = field(converter=utc)
    recipient_id: str | None = field(default=None, converter=optional_id)
    origin: str = field(default="", converter=as_text)


def _known_recipient(value: object) -> str | None:
    found = optional_id(value)
    return None if found == "0" else found


@closed
@frozen(kw_only=True)
class Visitor:
    """Somebody whom a shared message reached; with a ``recipient_id`` a new contact, without one anonymous.

    A ``recipient_id`` of 0 is none, as in the reference: that is how exports write somebody anonymous.
    """

    delivery_id: str = field(converter=text_id)
    id: str = field(converter=text_id)
    recipient_id: str | None = field(default=None, converter=_known_recipient)
    network: str = field(default="", converter=as_text)
    origin: str = field(default="", converter=as_text)
    created_at: datetime | None = field(default=None, converter=optional_utc)


@closed
@frozen(kw_only=True)
class SharedView:
    """A mirror page was shown to somebody the message was shared with, through ``network`` (``facebook``, ``email``, …)."""

    delivery_id: str = field(converter=text_id)
    id: str = field(converter=text_id)
    network: str = field(converter=as_text)
    occurred_at: datetime = field(converter=utc)
    visitor_id: str | None = field(default=None, converter=optional_id)


def _kept_by(value: object, what: str, *, least: int) -> str:
    """Text that is part of a key: stores need it short, and such that UTF-8 can write it."""
    text = as_text(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidValue(f"{what} must be text that UTF-8 can write: {text!r:.80}") from None
    if not least <= size <= MAX_ADDRESS_BYTES:
        raise InvalidValue(f"{what} has {least} to {MAX_ADDRESS_BYTES} bytes of UTF-8, this one has {size}")
    return text


def _address(value: object) -> str:
    return _kept_by(value, "an address", least=1)


def _channel(value: object) -> str:
    return _kept_by(value, "the channel of an address", least=0)


@closed
@frozen(kw_only=True)
class AddressState:
    """What is known of an address with errors ("quarantine entry" in the reference); an address without a record is valid.

    ``error_count`` counts significant errors beyond the first; ``delivery_id`` is the delivery that led to the status.
    Addresses are told apart character by character: keep them in lower case.
    """

    address: str = field(converter=_address)
    channel: str = field(default="email", converter=_channel)
    status: AddressStatus = field(default=AddressStatus.WITH_ERRORS, converter=_status)
    failure_reason: FailureReason = field(default=FailureReason.NOT_DEFINED, converter=vocabulary.failure_reason)
    error_count: int = field(default=0, converter=count)
    first_error_at: datetime | None = field(default=None, converter=optional_utc)
    last_error_at: datetime | None = field(default=None, converter=optional_utc)
    last_modified_at: datetime | None = field(default=None, converter=optional_utc)
    delivery_id: str | None = field(default=None, converter=optional_id)


@closed
@frozen(kw_only=True)
class WebApplication:
    """A web application; ``steps`` are the names of its pages, in the order people go through them."""

    id: str = field(converter=text_id)
    label: str = field(default="", converter=as_text)
    steps: tuple[str, ...] = field(default=(), converter=texts)

    def __attrs_post_init__(self) -> None:
        """Refuse steps that cannot be told apart."""
        if len(set(self.steps)) != len(self.steps):
            raise InvalidValue(f"a web application names each step once, not: {', '.join(self.steps)[:80]}")


@closed
@frozen(kw_only=True)
class StepView:
    """A person (``source_id``, a browser) saw a step of a web application; again is the same fact."""

    application_id: str = field(converter=text_id)
    step: str = field(converter=text_id)
    source_id: str = field(converter=text_id)
    occurred_at: datetime = field(converter=utc)


Fact = (
    Exclusion
    | Service
    | Subscription
    | SubscriptionChange
    | Visitor
    | SharedView
    | AddressState
    | WebApplication
    | StepView
)
"""A value of this module."""

FACT_KEYS: Mapping[type[Fact], tuple[str, ...]] = {
    Exclusion: ("delivery_id", "id"),
    Service: ("id",),
    Subscription: ("service_id", "recipient_id"),
    SubscriptionChange: ("service_id", "id"),
    Visitor: ("delivery_id", "id"),
    SharedView: ("delivery_id", "id"),
    AddressState: ("channel", "address"),
    WebApplication: ("id",),
    StepView: ("application_id", "source_id", "step"),
}
"""Every class of fact, and the fields that it is kept by: at most three, all text."""

_KEY_GETTERS = {kind: attrgetter(*names) for kind, names in FACT_KEYS.items()}


def fact_key(fact: Fact) -> tuple[str, ...]:
    """What a fact is kept by within its class: the values of its fields in :data:`FACT_KEYS`."""
    kind = type(fact)
    key = _KEY_GETTERS[kind](fact)
    return key if len(FACT_KEYS[kind]) > 1 else (key,)


def delivery_of(fact: Fact) -> str | None:
    """The delivery that a fact belongs to; None when it belongs to the platform."""
    return getattr(fact, "delivery_id", None)


def recipient_of(fact: Fact) -> str | None:
    """The recipient that a fact is about, or None."""
    return getattr(fact, "recipient_id", None)


def moment_of(fact: Fact) -> datetime | None:
    """When a fact happened, for those that windows of time narrow (views); None for the others."""
    return getattr(fact, "occurred_at", None)
