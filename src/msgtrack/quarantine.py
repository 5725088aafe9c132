"""Addresses with errors: what deliveries tell of an address, and when it is left out of the next ones (reference 8.5).

A pure state machine. ``None`` is a valid address, of which nothing is kept; every other state is an
:class:`msgtrack.facts.AddressState`::

    state = after(state, event, address="ann@example.com")      # what an event does
    state = lapsed(state, at=now)                               # what time alone does

:func:`states` plays all events of all addresses. The rules are the defaults of the reference; both of its wordings of the
threshold hold, because the first significant error creates the record with a count of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from msgtrack._borders import closed, count, utc
from msgtrack.errors import InvalidOption
from msgtrack.events import Bounced, Complained, Deferred, Delivered, Event
from msgtrack.facts import AddressState, AddressStatus
from msgtrack.model import Delivery, FailureReason, FailureType, Message

__all__ = ["QuarantineRules", "after", "failure_type_of", "is_excluded", "lapsed", "states"]


@closed
@frozen(kw_only=True)
class QuarantineRules:
    """The numbers of the state machine.

    A soft error is significant when ``period_seconds`` have passed since the last significant one. An address is in
    quarantine when its count reaches ``threshold``. Without a new one for more than ``reset_seconds`` it is valid again;
    a full mailbox takes ``mailbox_full_seconds``.
    """

    threshold: int = field(default=5, converter=count)
    period_seconds: int = field(default=86_400, converter=count)
    reset_seconds: int = field(default=10 * 86_400, converter=count)
    mailbox_full_seconds: int = field(default=30 * 86_400, converter=count)

    def __attrs_post_init__(self) -> None:
        """Refuse numbers under which nothing could be counted."""
        if self.threshold < 1:
            raise InvalidOption("threshold=0 would put an address in quarantine before any error was counted")
        if not self.period_seconds <= self.reset_seconds <= self.mailbox_full_seconds:
            raise InvalidOption(
                "period_seconds, reset_seconds and mailbox_full_seconds must not fall: "
                f"{self.period_seconds}, {self.reset_seconds}, {self.mailbox_full_seconds}"
            )
        if self.mailbox_full_seconds > _LONGEST:
            raise InvalidOption(f"mailbox_full_seconds={self.mailbox_full_seconds} is over a hundred years")


_LONGEST = 100 * 366 * 86_400
_DEFAULTS = QuarantineRules()
_LAPSING = AddressStatus.WITH_ERRORS
_LASTING = frozenset({AddressStatus.QUARANTINE, AddressStatus.DENYLISTED})
_TYPES = {
    FailureReason.UNKNOWN_USER: FailureType.HARD,
    FailureReason.INVALID_DOMAIN: FailureType.SOFT,
    FailureReason.MAILBOX_FULL: FailureType.SOFT,
    FailureReason.DENYLISTED: FailureType.HARD,
    FailureReason.NOT_CONNECTED: FailureType.IGNORED,
    FailureReason.ERROR_IGNORED: FailureType.IGNORED,
}
"""The type of those reasons that have only one (reference 8.3)."""


def failure_type_of(event: Bounced | Deferred) -> FailureType:
    """The type that a failure says it has, else the one type of its reason, else undefined."""
    if event.failure_type is not FailureType.UNDEFINED:
        return event.failure_type
    return _TYPES.get(event.failure_reason, FailureType.UNDEFINED)


def is_excluded(state: AddressState | None) -> bool:
    """Whether analysis leaves the address out of a target."""
    return state is not None and state.status in _LASTING


def lapsed(state: AddressState | None, *, at: datetime, rules: QuarantineRules = _DEFAULTS) -> AddressState | None:
    """The state at a moment, if nothing happens until then: errors lapse, quarantine and the denylist stay.

    Raises:
        NaiveDatetime: the moment has no time zone.
    """
    moment = utc(at)
    if state is None or state.status is AddressStatus.VALID:
        return None
    if state.status is not _LAPSING or state.last_error_at is None:
        return state
    is_full = state.failure_reason is FailureReason.MAILBOX_FULL
    wait = timedelta(seconds=rules.mailbox_full_seconds if is_full else rules.reset_seconds)
    return None if moment - state.last_error_at > wait else state


def after(
    state: AddressState | None,
    event: Event,
    *,
    address: str,
    channel: str = "email",
    rules: QuarantineRules = _DEFAULTS,
) -> AddressState | None:
    """The state of an address after an event about a message to it; events must come in the order they happened.

    - A hard failure puts the address in quarantine at once; one whose reason is the denylist denylists it.
    - A soft failure creates a record with the count 0; each further significant one adds 1, and at the threshold the
      address is in quarantine.
    - Failures that are ignored, or of no known type, change nothing.
    - A delivery makes an address with errors valid.
    - A complaint denylists it.
    - Quarantine turns to the denylist only; nothing that happens leaves the denylist.

    Raises:
        InvalidValue: the address is empty, or no address that can be kept.
    """
    at = event.occurred_at
    now = lapsed(state, at=at, rules=rules)
    if isinstance(event, Complained):
        return _ended(now, event, address, channel, AddressStatus.DENYLISTED, FailureReason.DENYLISTED)
    if isinstance(event, Delivered):
        return None if now is not None and now.status is _LAPSING else now
    if not isinstance(event, Bounced | Deferred):
        return now
    reason, kind = event.failure_reason, failure_type_of(event)
    if kind is FailureType.HARD:
        is_denied = reason is FailureReason.DENYLISTED
        status = AddressStatus.DENYLISTED if is_denied else AddressStatus.QUARANTINE
        return _ended(now, event, address, channel, status, reason)
    if kind is not FailureType.SOFT or is_excluded(now):
        return now
    if now is None:
        return AddressState(
            address=address,
            channel=channel,
            failure_reason=reason,
            first_error_at=at,
            last_error_at=at,
            last_modified_at=at,
            delivery_id=event.delivery_id,
        )
    # A record that does not say when its last error was cannot tell that the period has not passed.
    if now.last_error_at is not None and at - now.last_error_at < timedelta(seconds=rules.period_seconds):
        return now
    errors = now.error_count + 1
    return evolve(
        now,
        status=AddressStatus.QUARANTINE if errors >= rules.threshold else _LAPSING,
        failure_reason=reason,
        error_count=errors,
        last_error_at=at,
        last_modified_at=at,
        delivery_id=event.delivery_id,
    )


def _ended(
    state: AddressState | None, event: Event, address: str, channel: str, status: AddressStatus, reason: FailureReason
) -> AddressState:
    """The address is out; whoever was out already stays so for the first reason, unless the denylist is new."""
    at = event.occurred_at
    if state is None:
        state = AddressState(address=address, channel=channel, first_error_at=at)
    elif state.status is status or state.status is AddressStatus.DENYLISTED:
        return state
    return evolve(
        state,
        status=status,
        failure_reason=reason,
        last_error_at=at,
        last_modified_at=at,
        delivery_id=event.delivery_id,
    )


def states(
    deliveries: Iterable[Delivery],
    messages: Iterable[Message],
    events: Iterable[Event],
    *,
    known: Iterable[AddressState] = (),
    at: datetime | None = None,
    rules: QuarantineRules = _DEFAULTS,
) -> tuple[AddressState, ...]:
    """The state of every address that is not valid, by channel and address, after these events in the order they happened.

    Events find their address through their message, and the channel through its delivery (``email`` when nobody
    registered it); those that name no known message, seeds, proofs and messages without an address tell nothing. The
    events of one moment are taken in the order of their ids. Of several with one id the earliest is told, and no other.

    Args:
        deliveries: for their channel.
        messages: for their address.
        events: of any kind, in any order.
        known: the states to begin with.
        at: the moment up to which errors may lapse, None for the last event of each address.
        rules: the numbers.

    Raises:
        NaiveDatetime: ``at`` has no time zone.
    """
    channels = {delivery.id: delivery.channel for delivery in deliveries}
    addresses: Mapping[tuple[str, str], tuple[str, str]] = {
        (message.delivery_id, message.id): (channels.get(message.delivery_id, "email"), message.address)
        for message in messages
        if message.address and not message.is_seed
    }
    found: dict[tuple[str, str], AddressState | None] = {(state.channel, state.address): state for state in known}
    told = [event for event in events if not (event.is_seed or event.is_proof)]
    heard: set[str] = set()
    for event in sorted(told, key=lambda event: (event.occurred_at, event.id)):
        if event.has_own_id:
            if event.id in heard:
                continue
            heard.add(event.id)
        key = addresses.get((event.delivery_id or "", event.message_id or ""))
        if key is not None:
            channel, address = key
            found[key] = after(found.get(key), event, address=address, channel=channel, rules=rules)
    if at is not None:
        found = {key: lapsed(state, at=at, rules=rules) for key, state in found.items()}
    ordered = (found[key] for key in sorted(found))
    return tuple(state for state in ordered if state is not None and state.status is not AddressStatus.VALID)
