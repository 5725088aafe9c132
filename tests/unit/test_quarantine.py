"""The state machine of addresses: each rule of the reference as a case, and what holds of every history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue, NaiveDatetime
from msgtrack.events import Bounced, Click, Complained, Deferred, Delivered, Event, Sent
from msgtrack.facts import AddressState, AddressStatus
from msgtrack.model import Delivery, FailureReason, FailureType, Message
from msgtrack.quarantine import QuarantineRules, after, failure_type_of, is_excluded, lapsed, states

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ANN = "ann@example.com"


def soft(day: float, reason: str = "unreachable") -> Bounced:
    return Bounced(occurred_at=START + day * DAY, delivery_id="1", failure_type="soft", failure_reason=reason)


def hard(day: float, reason: str = "unknown_user") -> Bounced:
    return Bounced(occurred_at=START + day * DAY, delivery_id="1", failure_type="hard", failure_reason=reason)


def played(*events: Event, rules: QuarantineRules | None = None) -> AddressState | None:
    state = None
    for event in events:
        state = after(state, event, address=ANN, rules=rules or QuarantineRules())
    return state


def test_a_hard_error_puts_in_quarantine_at_once() -> None:
    state = played(hard(0))
    assert state == AddressState(
        address=ANN,
        status="quarantine",
        failure_reason="unknown_user",
        first_error_at=START,
        last_error_at=START,
        last_modified_at=START,
        delivery_id="1",
    )
    assert is_excluded(state)
    assert played(hard(0), hard(9)) == state


def test_the_sixth_soft_error_brings_the_count_to_five_and_quarantine() -> None:
    found = [played(*(soft(day) for day in range(errors))) for errors in range(1, 8)]
    assert [state.error_count for state in found if state] == [0, 1, 2, 3, 4, 5, 5]
    statuses = [state.status for state in found if state]
    assert statuses == [AddressStatus.WITH_ERRORS] * 5 + [AddressStatus.QUARANTINE] * 2
    assert [is_excluded(state) for state in found] == [False] * 5 + [True] * 2


def test_one_error_a_day_is_significant() -> None:
    state = played(soft(0), soft(0.5), soft(0.99))
    assert state is not None
    assert (state.error_count, state.last_error_at) == (0, START)
    state = played(soft(0), soft(0.5), soft(1.0))
    assert state is not None
    assert (state.error_count, state.last_error_at) == (1, START + DAY)


def test_errors_lapse_after_ten_days_and_a_full_mailbox_after_thirty() -> None:
    assert lapsed(played(soft(0)), at=START + 10 * DAY) == played(soft(0))
    assert lapsed(played(soft(0)), at=START + 10 * DAY + timedelta(microseconds=1)) is None
    full = played(soft(0, "mailbox_full"))
    assert lapsed(full, at=START + 30 * DAY) == full
    assert lapsed(full, at=START + 30.01 * DAY) is None
    state = played(soft(0), soft(1), soft(12))
    assert state is not None
    assert (state.error_count, state.first_error_at) == (0, START + 12 * DAY)


def test_a_delivery_makes_an_address_with_errors_valid_and_no_other() -> None:
    delivered, sent = Delivered(occurred_at=START + 2 * DAY), Sent(occurred_at=START + 2 * DAY)
    assert played(soft(0), delivered) is None
    assert played(soft(0), sent) == played(soft(0))
    assert played(hard(0), delivered) == played(hard(0))
    assert played(delivered) is None


def test_a_complaint_denylists_even_who_is_in_quarantine_and_for_good() -> None:
    complaint = Complained(occurred_at=START + DAY)
    for before in ((), (soft(0),), (hard(0),)):
        state = played(*before, complaint)
        assert state is not None
        assert (state.status, state.failure_reason) == (AddressStatus.DENYLISTED, FailureReason.DENYLISTED)
        assert played(*before, complaint, hard(2), soft(3), Delivered(occurred_at=START + 4 * DAY)) == state
        assert lapsed(state, at=START + 9999 * DAY) == state
    listed = played(hard(0, "denylisted"))
    assert listed is not None
    assert listed.status is AddressStatus.DENYLISTED


@pytest.mark.parametrize("kind", ["ignored", "undefined"])
def test_ignored_and_undefined_failures_change_nothing(kind: str) -> None:
    event = Bounced(occurred_at=START, failure_type=kind, failure_reason="refused")
    assert played(event) is None
    assert played(soft(0), event) == played(soft(0))


def test_a_reason_of_one_type_needs_no_type() -> None:
    def of(reason: str) -> FailureType:
        return failure_type_of(Bounced(occurred_at=START, failure_reason=reason))

    assert of("unknown_user") is FailureType.HARD
    assert of("mailbox_full") is of("invalid_domain") is FailureType.SOFT
    assert of("unreachable") is of("disabled") is of("refused") is of("not_defined") is FailureType.UNDEFINED
    assert failure_type_of(hard(0, "mailbox_full")) is FailureType.HARD


def test_a_deferral_counts_like_a_soft_bounce() -> None:
    assert played(Deferred(occurred_at=START, delivery_id="1", failure_type="soft", failure_reason="refused")) == (
        played(soft(0, "refused"))
    )


@pytest.mark.parametrize(
    "given",
    [{"threshold": 0}, {"period_seconds": 11 * 86400}, {"mailbox_full_seconds": 9}, {"mailbox_full_seconds": 2**62}],
)
def test_rules_that_cannot_hold_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(InvalidOption):
        QuarantineRules(**given)


def test_bad_input_is_refused() -> None:
    with pytest.raises(NaiveDatetime):
        lapsed(None, at=datetime(2026, 3, 1))  # the point of the test
    with pytest.raises(InvalidValue):
        after(None, hard(0), address="")


KINDS = st.sampled_from(["soft", "hard", "full", "delivered", "complained", "click", "deferred"])
HISTORY = st.lists(st.tuples(KINDS, st.integers(0, 60 * 24)), max_size=30)


def events_of(history: list[tuple[str, int]]) -> list[Event]:
    found: list[Event] = []
    for number, (kind, hours) in enumerate(history):
        fields = {
            "id": f"e{number:03}",
            "occurred_at": START + timedelta(hours=hours),
            "message_id": "7",
            "delivery_id": "1",
        }
        made: dict[str, Event] = {
            "soft": Bounced(failure_type="soft", failure_reason="unreachable", **fields),
            "hard": Bounced(failure_type="hard", failure_reason="unknown_user", **fields),
            "full": Bounced(failure_type="soft", failure_reason="mailbox_full", **fields),
            "delivered": Delivered(**fields),
            "complained": Complained(**fields),
            "click": Click(**fields),
            "deferred": Deferred(failure_type="soft", failure_reason="refused", **fields),
        }
        found.append(made[kind])
    return found


@given(HISTORY, st.randoms())
def test_the_order_in_which_events_are_told_changes_nothing(history: list[tuple[str, int]], random: object) -> None:
    events = events_of(history)
    message = Message(id="7", delivery_id="1", address=ANN)
    expected = states([Delivery(id="1")], [message], events)
    random.shuffle(events)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert states([], [message], events) == expected


@given(HISTORY)
def test_every_history_keeps_to_the_rules(history: list[tuple[str, int]]) -> None:
    state: AddressState | None = None
    for event in sorted(events_of(history), key=lambda event: (event.occurred_at, event.id)):
        before, state = state, after(state, event, address=ANN)
        if before is not None and before.status is AddressStatus.DENYLISTED:
            assert state == before
        if is_excluded(before):
            assert is_excluded(state)
        if state is not None:
            assert 0 <= state.error_count <= 5
            assert state.first_error_at is not None
            assert state.last_error_at is not None
            assert state.first_error_at <= state.last_error_at <= event.occurred_at
            is_hard = isinstance(event, Complained) or state.failure_reason is FailureReason.UNKNOWN_USER
            assert state.status is not AddressStatus.QUARANTINE or is_hard or state.error_count == 5
        assert lapsed(lapsed(state, at=event.occurred_at), at=event.occurred_at) == lapsed(state, at=event.occurred_at)


@given(HISTORY, st.integers(0, 30))
def test_a_history_may_be_played_in_parts(history: list[tuple[str, int]], cut: int) -> None:
    events = sorted(events_of(history), key=lambda event: (event.occurred_at, event.id))
    message = Message(id="7", delivery_id="1", address=ANN)
    first = states([], [message], events[:cut])
    assert states([], [message], events[cut:], known=first) == states([], [message], events)


def test_states_tell_addresses_and_channels_apart_and_pass_over_seeds() -> None:
    messages = [
        Message(id="1", delivery_id="mail", address="b@example.com"),
        Message(id="1", delivery_id="sms", address="+33"),
        Message(id="2", delivery_id="mail", address="B@example.com"),
        Message(id="3", delivery_id="mail", address="seed@example.com", is_seed=True),
        Message(id="4", delivery_id="mail"),
    ]
    deliveries = [Delivery(id="mail"), Delivery(id="sms", channel="sms")]
    events = [
        Bounced(occurred_at=START, delivery_id=m.delivery_id, message_id=m.id, failure_type="hard") for m in messages
    ]
    events.append(Bounced(occurred_at=START, delivery_id="mail", message_id="nobody", failure_type="hard"))
    events.append(Bounced(occurred_at=START, failure_type="hard"))
    events.append(Bounced(occurred_at=START, delivery_id="mail", message_id="1", failure_type="hard", is_proof=True))
    found = states(deliveries, messages, events, at=START + 99 * DAY)
    assert [(state.channel, state.address) for state in found] == [
        ("email", "B@example.com"),
        ("email", "b@example.com"),
        ("sms", "+33"),
    ]
    assert (
        states(deliveries, messages, [], known=[AddressState(address=ANN, last_error_at=START)], at=START + 99 * DAY)
        == ()
    )


def test_a_record_that_does_not_say_when_its_last_error_was_keeps_its_count() -> None:
    known = AddressState(address=ANN, error_count=3)
    once = after(known, soft(0), address=ANN)
    twice = after(once, soft(1), address=ANN)
    assert once is not None
    assert (once.status, once.error_count, once.last_error_at) == (AddressStatus.WITH_ERRORS, 4, START)
    assert is_excluded(twice)
    assert once == after(once, soft(0.5), address=ANN)


def test_a_known_address_that_is_valid_is_no_state_to_tell() -> None:
    released = AddressState(address=ANN, status="valid", last_error_at=START)
    assert states([], [], [], known=[released]) == ()


def test_an_event_that_is_told_twice_happened_once() -> None:
    message = Message(id="7", delivery_id="1", address=ANN)
    fields = {"delivery_id": "1", "message_id": "7", "failure_type": "soft"}
    events = [Bounced(id="e", occurred_at=START + day * DAY, **fields) for day in (2, 0, 0, 4)]
    (state,) = states([], [message], events)
    assert (state.error_count, state.last_error_at) == (0, START)


def test_c31_reaching_five_is_the_sixth_error() -> None:
    """The first error sets the counter to 0, so both wordings of the threshold hold."""
    fifth, sixth = (played(*map(soft, range(errors))) for errors in (5, 6))
    assert fifth is not None
    assert sixth is not None
    assert (fifth.error_count, is_excluded(fifth)) == (4, False)
    assert (sixth.error_count, is_excluded(sixth)) == (5, True)
