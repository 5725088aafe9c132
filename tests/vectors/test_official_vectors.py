"""The official worked examples, to the printed digit (reference 7.8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from msgtrack.counts import Counts, DeliveryCounts, DomainCounts
from msgtrack.events import Click, Event, Open
from msgtrack.metrics import Table, Value, indicators
from msgtrack.model import Delivery, Message, TrackedLink

LAUNCH = datetime(2012, 4, 2, 9, tzinfo=UTC)


def printed(value: Value) -> str:
    """A ratio as the reports print it: per cent with two decimals, halves up."""
    assert isinstance(value.numerator, int)
    assert isinstance(value.denominator, int)
    hundredths = Fraction(value.numerator, value.denominator) * 10000
    whole = int(hundredths + Fraction(1, 2))
    return f"{whole // 100}.{whole % 100:02d} %"


@pytest.fixture(scope="module")
def people() -> Table:
    """Vector 1: John, Marie, Florian (who forwards his message to a friend) and Henry (who refuses cookies)."""
    names = ("john", "marie", "florian", "henry")
    messages = [
        Message(id=name, delivery_id="1", address=f"{name}@people.example", status="sent", format="html")
        for name in names
    ]
    events: list[Event] = []

    def opens(name: str, source_id: str | None = None) -> None:
        events.append(
            Open(occurred_at=LAUNCH + timedelta(hours=1), delivery_id="1", message_id=name, source_id=source_id)
        )

    def clicks(name: str, source_id: str, times: int = 1) -> None:
        events.extend(
            Click(
                occurred_at=LAUNCH + timedelta(hours=1, minutes=at),
                delivery_id="1",
                message_id=name,
                link_id="2",
                source_id=source_id,
            )
            for at in range(times)
        )

    opens("marie")
    opens("florian")
    clicks("florian", "uuid-of-florian", 9)
    opens("florian")
    clicks("florian", "uuid-of-his-friend", 2)
    opens("henry", "uuid-of-henry-0")
    for n in range(1, 5):
        clicks("henry", f"uuid-of-henry-{n}")
    assert len(events) == 4 + 15
    link = TrackedLink(delivery_id="1", id="2", url="https://shop.example/", label="Shop")
    return indicators.from_events(Delivery(id="1", contact_at=LAUNCH), messages, [link], events)


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("to_deliver", 4),
        ("success", 4),
        ("recipient_open", 3),
        ("total_recipient_open", 4),
        ("estimated_total_recipient_open", 4),
        ("estimated_recipient_open", 3),
        ("recipient_click", 2),
        ("person_click", 6),
        ("total_recipient_click", 15),
        ("forward_estimate", 4),
        ("opt_out", 0),
        ("mirror_page", 0),
    ],
)
def test_persons_and_recipients(people: Table, key: str, number: int) -> None:
    assert people[key].value == number


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("distinct_open_rate", "75.00 %"),
        ("person_click_rate", "150.00 %"),
        ("total_click_rate", "375.00 %"),
        ("forward_rate", "100.00 %"),
        ("raw_reactivity", "66.67 %"),
        ("estimated_reactivity", "66.67 %"),
    ],
)
def test_persons_and_recipients_as_printed(people: Table, key: str, text: str) -> None:
    assert printed(people[key]) == text


def test_a_share_of_persons_above_one_says_so(people: Table) -> None:
    assert "above-one" in people["person_click_rate"].caveats
    assert "above-one" not in people["forward_rate"].caveats


@pytest.fixture(scope="module")
def newsletter() -> Table:
    """Vector 2: ten million messages, of which 822 went to AOL."""
    slot = int(LAUNCH.timestamp())
    delivery = DeliveryCounts(
        to_deliver=10_186_024,
        domains={
            "AOL": DomainCounts(statuses={1: 822}, reacted=66, clicked=8),
            "Others": DomainCounts(
                statuses={1: 10_186_024 - 822},
                reacted=1_475_660 - 66,
                clicked=83_012 - 8,
                reactions={"open": 2_225_724, "click": 120_434, "opt-out-click": 45_085},
            ),
        },
        persons=93_107,
        slots={
            "open": {"1": {slot: 2_225_724}},
            "click": {"2": {slot: 120_434}},
            "opt-out-click": {"3": {slot: 45_085}},
        },
    )
    return indicators.from_counts(Counts(deliveries={"DM1": delivery}, persons=93_107))


@pytest.mark.parametrize(
    ("key", "number", "rate", "text"),
    [
        ("estimated_recipient_open", 1_475_660, "distinct_open_rate", "14.49 %"),
        ("estimated_total_recipient_open", 2_225_724, "total_open_rate", "21.85 %"),
        ("opt_out", 45_085, "opt_out_rate", "0.44 %"),
        ("person_click", 93_107, "person_click_rate", "0.91 %"),
        ("total_recipient_click", 120_434, "total_click_rate", "1.18 %"),
        ("recipient_click", 83_012, "recipient_click_rate", "0.81 %"),
    ],
)
def test_printed_rates(newsletter: Table, key: str, number: int, rate: str, text: str) -> None:
    assert newsletter[key].value == number
    assert (newsletter[rate].numerator, newsletter[rate].denominator) == (number, 10_186_024)
    assert printed(newsletter[rate]) == text
    assert newsletter[rate].value == number / 10_186_024


def test_printed_reactivity(newsletter: Table) -> None:
    assert printed(newsletter["estimated_reactivity"]) == "5.63 %"
    assert printed(newsletter["reactivity"]) == "5.63 %"


def test_forwards_follow_the_formula_and_not_the_screenshot(newsletter: Table) -> None:
    assert newsletter["forward_estimate"].value == 93_107 - 83_012 == 10_095


def test_the_row_of_aol(newsletter: Table) -> None:
    assert newsletter.series("sends", by="domain")["AOL"].value == 822
    assert newsletter.series("recipient_open", by="domain")["AOL"].value == 66
    assert newsletter.series("recipient_click", by="domain")["AOL"].value == 8
    assert printed(newsletter.series("domain_open_rate", by="domain")["AOL"]) == "8.03 %"
    assert printed(newsletter.series("domain_click_rate", by="domain")["AOL"]) == "0.97 %"
    assert printed(newsletter.series("raw_reactivity", by="domain")["AOL"]) == "12.12 %"
