"""The report "Delivery summary": what deliveries say, what is counted instead, and what nobody knows."""

from __future__ import annotations

from typing import Any

from msgtrack.facts import AddressState, Exclusion, Fact
from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery, Message


def table_of(*deliveries: Delivery, messages: tuple[Message, ...] = (), facts: tuple[Fact, ...] = ()) -> Table:
    return indicators.from_events(deliveries, messages, [], [], facts=facts)


def failed(number: int, **fields: Any) -> Message:
    return Message(id=str(number), delivery_id="1", status="failed", **{"failure_reason": 1, **fields})


def test_the_rate_of_the_printed_report() -> None:
    """The reference prints 151 of 1754 as 8.61 %."""
    value = table_of(Delivery(id="1", total_target=1754, reject=151))["reject_rate"]
    assert value.value is not None
    assert f"{100 * value.value:.2f} %" == "8.61 %"
    assert value.caveats == ()


def test_what_nobody_told_is_no_zero() -> None:
    table = table_of(Delivery(id="1", to_deliver=5))
    for key in ("total_target", "reject", "reject_rate"):
        assert (table[key].value, table[key].value_or_zero) == (None, 0)
        assert table[key].caveats == ("no-data",)
    assert table["exclusion_by_cause"].caveats == ("no-data",)


def test_exclusions_stand_in_for_what_the_delivery_does_not_say() -> None:
    excluded = tuple(Exclusion(delivery_id="1", id=str(n), failure_reason=9) for n in range(2))
    table = table_of(Delivery(id="1", to_deliver=6), facts=excluded)
    assert (table["reject"].value, table["total_target"].value, table["reject_rate"].value) == (2, 8, 0.25)
    assert table["reject"].caveats == table["total_target"].caveats == table["reject_rate"].caveats == ("derived",)
    assert table["summary_to_deliver"].caveats == ()


def test_a_delivery_that_says_nothing_makes_a_sum_partly_undefined() -> None:
    told = Delivery(id="1", total_target=10, reject=1)
    table = table_of(told, Delivery(id="2", to_deliver=5))
    assert (table["total_target"].value, table["reject"].value) == (10, 1)
    for key in ("total_target", "reject", "reject_rate"):
        assert table[key].caveats == ("partly-undefined",)
    by_delivery = table.series("reject", by="delivery")
    assert (by_delivery["1"].caveats, by_delivery["2"].caveats) == ((), ("no-data",))


def test_a_rate_is_partly_undefined_when_either_of_its_numbers_is() -> None:
    table = table_of(Delivery(id="1", total_target=10, reject=1), Delivery(id="2", total_target=5))
    assert table["total_target"].caveats == ()
    assert table["reject_rate"].caveats == ("partly-undefined",)


def test_causes_are_rules_and_reasons_without_one() -> None:
    excluded = (
        Exclusion(delivery_id="1", id="a", failure_reason=9),
        Exclusion(delivery_id="1", id="b", failure_reason=11, rule="Fatigue"),
        Exclusion(delivery_id="1", id="c", failure_reason=11, rule="Fatigue"),
        Exclusion(delivery_id="1", id="d", failure_reason=9, rule="Fatigue", is_seed=True),
    )
    table = table_of(Delivery(id="1"), facts=excluded)
    by_cause = {name: value.value for name, value in table.series("exclusion_by_cause", by="cause").items()}
    by_reason = {name: value.value for name, value in table.series("exclusion_by_cause", by="reason").items()}
    assert list(by_cause.items()) == [("Fatigue", 2), ("quarantined", 1)]
    assert list(by_reason.items()) == [("sql_rule", 2), ("quarantined", 1)]


def test_a_rejected_few_that_nobody_listed_leave_the_causes_in_doubt() -> None:
    listed = Exclusion(delivery_id="1", id="a")
    assert table_of(Delivery(id="1", reject=0))["exclusion_by_cause"].caveats == ()
    assert table_of(Delivery(id="1", reject=3))["exclusion_by_cause"].caveats == ("no-data",)
    table = table_of(Delivery(id="1"), Delivery(id="2", reject=3), facts=(listed,))
    assert table["exclusion_by_cause"].caveats == ("partly-undefined",)
    table = table_of(Delivery(id="1"), Delivery(id="2", reject=0), facts=(listed,))
    assert table["exclusion_by_cause"].caveats == ()


def test_an_address_is_put_in_quarantine_once() -> None:
    messages = (
        failed(1, address="a@x.example", is_quarantine=True),
        failed(2, address="a@x.example", is_quarantine=True),
    )
    state = AddressState(address="a@x.example", status="quarantine", delivery_id="1")
    other = AddressState(address="b@x.example", status="denylisted", delivery_id="1")
    mild = AddressState(address="c@x.example", status="with-errors", delivery_id="1")
    table = table_of(Delivery(id="1", to_deliver=4), messages=messages, facts=(state, other, mild))
    assert table["new_quarantine"].value == 2
    assert table["new_quarantine_rate"].value == 0.5
    assert table["new_quarantine"].caveats == ()


def test_errors_without_any_quarantine_may_mean_that_nobody_watched() -> None:
    table = table_of(Delivery(id="1", to_deliver=4), messages=(failed(1),))
    assert (table["new_quarantine"].value, table["new_quarantine"].caveats) == (0, ("no-data",))
    calm = table_of(Delivery(id="1", to_deliver=4), messages=(Message(id="1", delivery_id="1", status="sent"),))
    assert (calm["new_quarantine"].value, calm["new_quarantine"].caveats) == (0, ())


def test_a_delivery_without_messages_says_so() -> None:
    table = table_of(Delivery(id="1", to_deliver=4))
    for key in ("summary_success", "summary_success_rate", "error", "error_rate"):
        assert (table[key].value, table[key].caveats) == (0, ("no-data",))


def test_c34_neither_an_exclusion_nor_an_error_that_passes_is_an_error_of_the_delivery() -> None:
    """Excluded before sending is never attempted: it is rejected. What passes is tried again, and was to be delivered."""
    away = Message(id="3", delivery_id="1", status="sent", failure_type="ignored", failure_reason=3)
    table = table_of(
        Delivery(id="1"),
        messages=(failed(1), Message(id="2", delivery_id="1", status="ignored", failure_reason=9), away),
        facts=(Exclusion(delivery_id="1", id="x", failure_reason=9),),
    )
    assert (table["error"].value, table["reject"].value, table["summary_to_deliver"].value) == (1, 1, 2)
    assert table["summary_success"].value == 1


def test_c9_each_report_divides_successes_by_its_own_base() -> None:
    statuses = ["sent", "sent", "prepared", "failed", "pending"]
    messages = tuple(Message(id=str(n), delivery_id="1", status=status) for n, status in enumerate(statuses))
    table = table_of(Delivery(id="1", to_deliver=8), messages=messages)
    assert table["summary_success_rate"].value == 2 / 8
    assert table["delivered"].value == 2 / 4
