"""The report "Non-deliverables and bounces": the printed example, and the contradictions about errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts
from msgtrack.events import Bounced
from msgtrack.facts import AddressStatus
from msgtrack.metrics import Table, Value, indicators
from msgtrack.model import Delivery, Message
from msgtrack.quarantine import after

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
PRINTED = {1: 4_662, 2: 429, 3: 30_113, 4: 193, 5: 2_126, 6: 0, 20: 1_287}


def percent(value: Value) -> str:
    assert value.value is not None
    return f"{100 * value.value:.2f} %"


@pytest.fixture(scope="module")
def printed() -> Table:
    """Vector 3: 689 131 messages processed, of which 38 810 failed for one of the seven reasons."""
    errors = sum(PRINTED.values())
    part = DomainCounts(statuses={1: 689_131 - errors, 2: errors}, failures=PRINTED)
    return indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains={"Others": part})}))


def test_the_printed_numbers(printed: Table) -> None:
    assert printed["total_processed"].value == 689_131
    assert printed["total_errors"].value == 38_810
    rows = printed.series("error_value", by="reason")
    assert {name: value.value for name, value in rows.items()} == {
        "unknown_user": 4_662,
        "invalid_domain": 429,
        "unreachable": 30_113,
        "disabled": 193,
        "mailbox_full": 2_126,
        "not_connected": 0,
        "refused": 1_287,
    }


def test_a_reason_that_nothing_failed_for_is_a_row_of_zero() -> None:
    parts = {"a": DomainCounts(statuses={2: 2}, failures={1: 2}), "b": DomainCounts(statuses={2: 1}, failures={20: 1})}
    rows = indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains=parts)})).series(
        "error_value", by="reason"
    )
    assert [value.value for value in rows.values()] == [2, 0, 0, 0, 0, 0, 1]


def test_the_printed_shares(printed: Table) -> None:
    assert percent(printed.series("error_contribution", by="reason")["unknown_user"]) == "12.01 %"
    assert percent(printed.series("error_breakdown", by="reason")["unknown_user"]) == "0.68 %"
    assert percent(printed["hard_bounce_rate"]) == "0.68 %"


def test_a_domain_row_goes_by_the_messages_of_that_domain() -> None:
    """Two errors among 1 111 messages of a domain are printed as 0.18 %."""
    few = DomainCounts(statuses={1: 1_109, 2: 2}, failures={1: 1, 5: 1})
    many = DomainCounts(statuses={1: 50_000, 2: 6}, failures={3: 6})
    table = indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains={"AOL": few, "Others": many})}))
    assert percent(table.series("domain_error_breakdown", by="domain")["AOL"]) == "0.18 %"
    contribution = table.series("domain_error_contribution", by="domain")
    assert [(v.numerator, v.denominator) for v in contribution.values()] == [(6, 8), (2, 8)]


def table_of(*reasons: int, status: str = "failed", **fields: Any) -> Table:
    messages = [
        Message(id=str(n), delivery_id="1", status=status, failure_reason=reason, address="a@aol.com", **fields)
        for n, reason in enumerate(reasons)
    ]
    return indicators.from_events(Delivery(id="1"), messages, [], [])


def test_other_reasons_are_errors_of_a_domain_and_of_no_type() -> None:
    table = table_of(1, 0, 8, 25)
    assert (table["total_errors"].value, table["domain_error_value"].value) == (1, 4)
    value = table["domain_error_contribution"]
    assert (value.value, "above-one" in value.caveats) == (4.0, True)
    value = table.series("domain_error_contribution", by="domain")["AOL"]
    assert (value.numerator, value.denominator) == (4, 1)


def test_only_what_failed_is_an_error_whatever_reason_it_bears() -> None:
    table = table_of(1, 3, 20, status="sent")
    assert (table["total_errors"].value, table["domain_error_value"].value) == (0, 0)
    assert table["error_contribution"].value is None


def test_a_type_opens_to_its_domains() -> None:
    messages = [
        Message(id="1", delivery_id="1", status="failed", failure_reason=5, address="a@aol.com"),
        Message(id="2", delivery_id="1", status="failed", failure_reason=5, address="a@gmail.com"),
        Message(id="3", delivery_id="1", status="failed", failure_reason=1, address="b@gmail.com"),
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], [])
    assert {name: value.value for name, value in table.series("mailbox_full", by="domain").items()} == {
        "AOL": 1,
        "Gmail": 1,
    }


def test_the_console_tells_hard_from_soft_by_the_reason() -> None:
    table = table_of(1, 2, 3, 4, 5, 6, 20, 8, 7, 9, failure_type="hard")
    assert (table["hard_bounce"].value, table["soft_bounce"].value) == (1, 6)
    assert table["complaints"].value == 1
    for key in ("hard_bounce", "soft_bounce", "hard_bounce_rate", "soft_bounce_rate"):
        assert "reading" in table[key].caveats


def test_c21_pending_messages_are_not_processed() -> None:
    messages = [
        Message(id=str(n), delivery_id="1", status=status)
        for n, status in enumerate(
            ["prepared", "pending", "sent", "failed", "ignored", "cancelled", "sent_to_provider"]
        )
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], [])
    assert table["processed"].value == table["total_processed"].value == 3
    assert "reading" in table["processed"].caveats


def test_c32_an_invalid_domain_is_soft_and_refusals_are_no_complaints() -> None:
    table = table_of(2, 20)
    assert (table["soft_bounce"].value, table["hard_bounce"].value) == (2, 0)
    assert (table["refused"].value, table["complaints"].value) == (1, 0)


def test_c35_a_phone_that_is_off_is_an_error_and_no_quarantine() -> None:
    assert table_of(6)["not_connected"].value == 1
    assert table_of(6)["total_errors"].value == 1

    def state_after(reason: int) -> AddressStatus | None:
        event = Bounced(occurred_at=AT, delivery_id="1", message_id="1", failure_reason=reason)
        state = after(None, event, address="a@aol.com")
        return None if state is None else state.status

    assert state_after(6) is None
    assert state_after(1) is AddressStatus.QUARANTINE
    assert state_after(5) is AddressStatus.WITH_ERRORS


def test_no_messages_no_rows_and_a_doubt() -> None:
    table = indicators.from_events(Delivery(id="1", to_deliver=3), [], [], [])
    assert table.series("error_value", by="reason") == {}
    assert (table["total_errors"].value, table["total_errors"].caveats) == (0, ("no-data",))


class Walked(dict[str, DomainCounts]):
    """Says how often all domains were walked through."""

    times = 0

    def values(self) -> Any:
        self.times += 1
        return super().values()


def test_rows_do_not_add_the_whole_up_one_by_one() -> None:
    domains = Walked({f"{i}.example": DomainCounts(statuses={2: 1}, failures={1: 1}) for i in range(50)})
    table = indicators.from_counts(Counts(deliveries={"1": DeliveryCounts(domains=domains)}))
    domains.times = 0
    rows = table.series("domain_error_contribution", by="domain")
    assert [(row.numerator, row.denominator) for row in rows.values()] == [(1, 50)] * 50
    assert domains.times < 5
