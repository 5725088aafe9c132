"""What became of messages and how many persons there were, worked out by hand; and when a zero is doubted."""

from __future__ import annotations

import pytest

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts
from msgtrack.metrics._messages import (
    all_of,
    derived,
    failed,
    failed_for,
    known_persons,
    persons,
    processed,
    rows_overlap,
    unmeasured,
    unobserved,
    untagged,
)
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums
from msgtrack.model import FailureReason, MessageStatus

SENT, FAILED, PREPARED = MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.PREPARED
UNKNOWN, REFUSED = FailureReason.UNKNOWN_USER, FailureReason.REFUSED
FIRST = DomainCounts(
    statuses={SENT: 10, FAILED: 3, PREPARED: 5, MessageStatus.PENDING: 1000}, failures={UNKNOWN: 2, REFUSED: 1}
)
SECOND = DomainCounts(statuses={SENT: 100, FAILED: 30}, failures={UNKNOWN: 30})
SUMS = Sums(parts=(FIRST, SECOND))


def of(*deliveries: DeliveryCounts, **fields: object) -> Sums:
    counts = Counts(deliveries={str(number): delivery for number, delivery in enumerate(deliveries)})
    return Sums(scope=Scope(counts=counts), **fields)  # type: ignore[arg-type]  # the fields of each test


def test_messages_of_all_parts_are_added_up_by_what_became_of_them() -> None:
    assert processed(SUMS) == 10 + 3 + 5 + 100 + 30
    assert failed(SUMS) == 33
    assert failed_for(UNKNOWN)(SUMS) == 32
    assert failed_for(REFUSED, UNKNOWN)(SUMS) == 33
    assert failed_for(FailureReason.MAILBOX_FULL)(SUMS) == failed_for()(SUMS) == 0


def test_a_row_without_any_message_is_doubted() -> None:
    assert unmeasured(Sums()) == unmeasured(Sums(parts=(DomainCounts(reacted=1),))) == ("no-data",)
    assert unmeasured(Sums(parts=(DomainCounts(), SECOND))) == ()


def test_reactions_are_doubted_where_there_is_neither_message_nor_reaction() -> None:
    assert unobserved(of()) == unobserved(of(DeliveryCounts(domains={"a": DomainCounts()}))) == ("no-data",)
    assert unobserved(of(DeliveryCounts(), DeliveryCounts(domains={"a": DomainCounts(), "b": FIRST}))) == ()
    assert unobserved(of(DeliveryCounts(), DeliveryCounts(slots={"open": {"1": {0: 1}}}))) == ()


@pytest.mark.parametrize(
    ("kind", "caveats"), [("page-visit", ()), ("transaction", ()), ("click", ("no-data",)), ("open", ("no-data",))]
)
def test_pages_are_doubted_where_none_was_ever_visited(kind: str, caveats: tuple[str, ...]) -> None:
    visited = DeliveryCounts(slots={kind: {"1": {0: 1}}}, links={"1": LinkFacts()})
    assert untagged(of(visited)) == untagged(of(DeliveryCounts(), visited)) == caveats
    assert untagged(of()) == ("no-data",)


def test_what_a_delivery_does_not_say_itself_is_doubted_by_name() -> None:
    sums = of(DeliveryCounts(), DeliveryCounts(derived=("to_deliver",)))
    assert derived("to_deliver")(sums) == derived("text", "to_deliver")(sums) == ("derived",)
    assert derived("text")(sums) == derived()(sums) == derived("to_deliver")(of(DeliveryCounts())) == ()


def test_doubts_come_together_in_order() -> None:
    assert all_of()(SUMS) == ()
    assert all_of(lambda _: ("b",), lambda _: (), lambda _: ("a", "c"))(SUMS) == ("b", "a", "c")
    assert all_of(lambda sums: (str(len(sums.parts)),))(SUMS) == ("2",)


@pytest.mark.parametrize(
    ("of_each", "together", "expected"),
    [
        ([], None, 0),
        ([0, 0], None, 0),
        ([3, 0], None, 3),
        ([3], {"x": 9}, 3),
        ([3, 4], None, None),
        ([3, 0, 4], {"x": 5, "y": 6}, 5),
        ([1, 1], {"y": 6}, None),
    ],
)
def test_persons_of_several_deliveries_are_those_counted_together(
    of_each: list[int], together: dict[str, int] | None, expected: int | None
) -> None:
    assert known_persons(of_each, together, "x") == expected


def test_a_row_knows_its_persons_or_has_those_of_all() -> None:
    plain, known, unknown = Sums(person_click=7), Sums(person_click=7, numbers={"persons": 3}), {"persons": None}
    assert (persons(plain), persons(known), persons(Sums(person_click=7, numbers=unknown))) == (7, 3, None)
    assert (rows_overlap(plain), rows_overlap(known)) == ((), ("not-additive",))
