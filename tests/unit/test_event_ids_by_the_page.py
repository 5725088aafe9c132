"""Ids of events, made a second time from ``docs/spec/events.md`` alone."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given

from msgtrack.events import EVENT_KINDS, Bounced, Click, Event, Open, Sent, Transaction, Unknown, Unsubscribed
from msgtrack.identity import Ordinals, collected_id, identified
from msgtrack.testing import strategies

NOON = datetime(2026, 3, 2, 12, 0, 7, 250_000, tzinfo=UTC)
BESIDES = {
    "transaction": ["amount", "article"],
    "deferred": ["failure_type", "failure_reason", "diagnostic"],
    "bounced": ["failure_type", "failure_reason", "diagnostic"],
    "unsubscribed": ["service_id"],
    "subscribed": ["service_id"],
    "unknown": ["name"],
}


def made(at: datetime, parts: list[str]) -> str:
    """E3."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    second = int(at.timestamp()) % 2**32
    return f"{second:08x}" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def by_content(event: Event, ordinal: int) -> str:
    """E6."""
    parts = [
        event.kind,
        event.occurred_at.isoformat(),
        event.delivery_id,
        event.message_id,
        event.link_id,
        event.source_id,
    ]
    parts += [event.client.user_agent if event.client else "", event.source, str(ordinal)]
    plain = type(event)(occurred_at=NOON)
    for name in BESIDES.get(event.kind, []):
        value = getattr(event, name)
        if value == getattr(plain, name):
            continue
        if value is None:
            parts.append(name)
        elif isinstance(value, Decimal):
            parts.append("{}={}/{}".format(name, *value.as_integer_ratio()))
        else:
            parts.append(f"{name}={value.name.lower().replace('_', '-') if hasattr(value, 'name') else value}")
    return made(event.occurred_at, [part or "" for part in parts])


@given(strategies.events())
def test_an_id_follows_from_the_page(event: Event) -> None:
    if event.has_own_id:
        assert identified(event, Ordinals()).id == event.id
    elif event.request_id:
        wanted = made(event.occurred_at, ["request", event.request_id, event.kind])
        assert identified(event, Ordinals()).id == wanted
    else:
        ordinals = Ordinals()
        assert [identified(event, ordinals).id for _ in range(3)] == [
            by_content(event, ordinal) for ordinal in range(3)
        ]


@pytest.mark.parametrize(
    "event",
    [
        Click(occurred_at=NOON, delivery_id="spring", message_id="7", link_id="2", client="Reader/1", source="web-1"),
        Transaction(occurred_at=NOON, amount=Decimal("2.50"), article=3),
        Bounced(occurred_at=NOON, failure_type="hard", failure_reason="denylisted", diagnostic="550 no"),
        Unsubscribed(occurred_at=NOON, service_id="news"),
        Unknown(occurred_at=NOON, name="snoozed"),
        Sent(occurred_at=NOON),
    ],
)
def test_the_table_of_kinds_is_whole(event: Event) -> None:
    assert event.derived_id() == by_content(event, 0)
    assert {*BESIDES} <= {*EVENT_KINDS}


def test_opens_of_one_minute_are_one() -> None:
    """E8."""
    opened = Open(occurred_at=NOON, delivery_id="spring", message_id="7")
    minute = NOON.replace(second=0, microsecond=0)
    assert collected_id(opened).id == made(minute, ["open", "spring", "7", minute.isoformat()])
