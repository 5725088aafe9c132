"""The world that the examples of the reference page are computed in: a newsletter, what came of it, and what stands around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.facts import (
    Exclusion,
    Fact,
    Service,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
    WebApplication,
)
from msgtrack.metrics._entry import indicators
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._table import Table
from msgtrack.model import Client, Delivery, Message, TrackedLink

__all__ = ["DELIVERIES", "EVENTS", "FACTS", "LINKS", "MESSAGES", "NOW", "delivery_for", "table_for"]

_LAUNCH = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 9, 8, tzinfo=UTC)
"""The moment of the reports."""

_PC = Client(browser="Firefox", browser_version="147", os="Windows", os_version="11", device="PC", is_mobile=False)
_PHONE = Client(browser="Safari", browser_version="19", os="iOS", os_version="19", device="iPhone", is_mobile=True)


def _at(hours: float) -> datetime:
    return _LAUNCH + timedelta(hours=hours)


DELIVERIES = (
    Delivery(id="spring", label="Spring", typology="news", contact_at=_LAUNCH, total_target=19, reject=4),
    Delivery(id="winter", label="Winter", typology="news", contact_at=_at(-24 * 28)),
    Delivery(id="reminder", label="Reminder", channel="sms", contact_at=_at(24)),
    Delivery(id="alert", label="Alert", channel="push", contact_at=_at(24)),
    Delivery(id="letter", label="Letter", channel="direct_mail", contact_at=_at(24)),
)


def _message(id_: str, domain: str, status: str = "sent", /, variant: str = "A", **more: object) -> Message:
    at = None if status == "prepared" else _at(0.25 if variant == "A" else 0.75)
    return Message(
        id=id_,
        delivery_id="spring",
        address=f"{id_}@{domain}",
        status=status,
        variant=variant,
        event_at=at,
        size_bytes=45_000,
        **more,  # type: ignore[arg-type]  # fields by name
    )


def _failed(id_: str, domain: str, reason: str, kind: str, *, is_quarantine: bool = False) -> Message:
    return _message(
        id_,
        domain,
        "failed",
        variant="B",
        failure_reason=reason,
        failure_type=kind,
        is_quarantine=is_quarantine,
    )


MESSAGES = (
    _message("ann", "gmail.com"),
    _message("bob", "gmail.com"),
    _message("cleo", "yahoo.com", variant="B"),
    _message("dan", "yahoo.com", variant="B", format="text"),
    _message("eve", "corp.example"),
    _message("fay", "corp.example", variant="B", format="text"),
    _message("gus", "corp.example", "prepared"),
    _message("seed", "corp.example", is_seed=True),
    _failed("hal", "gmail.com", "unknown_user", "hard", is_quarantine=True),
    _failed("ida", "gmail.com", "mailbox_full", "soft"),
    _failed("jim", "yahoo.com", "refused", "hard"),
    _failed("kim", "yahoo.com", "denylisted", "hard"),
    _failed("leo", "corp.example", "unreachable", "soft"),
    _failed("mia", "corp.example", "invalid_domain", "soft"),
    _failed("ned", "corp.example", "disabled", "hard"),
    _failed("ola", "corp.example", "not_connected", "ignored"),
    Message(id="ann", delivery_id="winter", address="ann@gmail.com", status="sent"),
    Message(id="bob", delivery_id="winter", address="bob@gmail.com", status="sent"),
    Message(id="ann", delivery_id="reminder", status="received_on_mobile"),
    Message(id="bob", delivery_id="reminder", status="sent_to_provider"),
    Message(id="eve", delivery_id="reminder", status="sent"),
    Message(id="ann", delivery_id="alert", status="sent"),
    Message(id="bob", delivery_id="alert", status="sent"),
    Message(id="ann", delivery_id="letter", status="sent"),
    Message(id="bob", delivery_id="letter", status="failed"),
)

LINKS = (
    TrackedLink(delivery_id="spring", id="2", url="https://shop.example/new", label="Shop", category="shop"),
    TrackedLink(delivery_id="spring", id="3", url="https://facebook.example/", label="Share", category="facebook"),
    TrackedLink(delivery_id="spring", id="4", url="https://shop.example/out", label="Leave", type="opt_out"),
    TrackedLink(delivery_id="spring", id="5", url="https://shop.example/web", label="Web copy", type="mirror_page"),
    TrackedLink(delivery_id="spring", id="6", url="https://shop.example/gift", label="Gift", type="offer_click"),
    TrackedLink(delivery_id="spring", id="7", url="https://shop.example/tag", label="Any page", type="web"),
    TrackedLink(delivery_id="spring", id="8", url="https://shop.example/paid", label="Paid", type="transaction"),
    TrackedLink(delivery_id="winter", id="2", url="https://shop.example/old", label="Shop"),
    TrackedLink(delivery_id="reminder", id="2", url="https://shop.example/go", label="Go"),
    TrackedLink(delivery_id="alert", id="2", url="https://shop.example/app", label="App", type="mobile_click"),
)


def _click(hours: float, message: str, link: str, person: str, client: Client, *, of: str = "spring") -> Click:
    return Click(
        occurred_at=_at(hours), delivery_id=of, message_id=message, link_id=link, source_id=person, client=client
    )


def _bought(hours: float, message: str, amount: str, article: int) -> Transaction:
    return Transaction(
        occurred_at=_at(hours),
        delivery_id="spring",
        message_id=message,
        link_id="8",
        source_id=f"{message}'s PC",
        amount=Decimal(amount),
        article=article,
    )


EVENTS: tuple[Event, ...] = (
    Open(occurred_at=_at(0.5), delivery_id="spring", message_id="ann", client=_PC),
    Open(occurred_at=_at(2), delivery_id="spring", message_id="ann", client=_PHONE),
    Open(occurred_at=_at(3), delivery_id="spring", message_id="bob", client=_PHONE),
    Open(occurred_at=_at(26), delivery_id="spring", message_id="cleo", client=_PC),
    _click(0.6, "ann", "2", "ann's PC", _PC),
    _click(2.1, "ann", "2", "ann's phone", _PHONE),
    _click(3.1, "bob", "3", "bob's phone", _PHONE),
    _click(5, "bob", "2", "a friend's PC", _PC),
    _click(30, "eve", "6", "eve's PC", _PC),
    MirrorPageView(
        occurred_at=_at(4), delivery_id="spring", message_id="bob", link_id="5", source_id="bob's phone", client=_PHONE
    ),
    OptOutClick(
        occurred_at=_at(27), delivery_id="spring", message_id="cleo", link_id="4", source_id="cleo's PC", client=_PC
    ),
    PageVisit(occurred_at=_at(0.7), delivery_id="spring", message_id="ann", link_id="7", source_id="ann's PC"),
    _bought(1, "ann", "59.90", 3),
    _bought(31, "eve", "20.00", 1),
    Open(occurred_at=_at(-24 * 28 + 1), delivery_id="winter", message_id="ann"),
    _click(-24 * 28 + 2, "ann", "2", "ann's PC", _PC, of="winter"),
    _click(25, "ann", "2", "ann's phone", _PHONE, of="reminder"),
    _click(25, "bob", "2", "bob's phone", _PHONE, of="alert"),
)


def _subscribed(recipient: str, days: float) -> Subscription:
    return Subscription(service_id="news", recipient_id=recipient, created_at=NOW - timedelta(days=days))


def _changed(id_: str, recipient: str, action: str, hours: float) -> SubscriptionChange:
    return SubscriptionChange(
        service_id="news",
        id=id_,
        recipient_id=recipient,
        action=action,
        changed_at=NOW - timedelta(hours=hours),
    )


def _seen(person: str, *steps: str) -> tuple[StepView, ...]:
    return tuple(
        StepView(application_id="poll", step=step, source_id=person, occurred_at=_at(6 + hours))
        for hours, step in enumerate(steps)
    )


FACTS: tuple[Fact, ...] = (
    Exclusion(delivery_id="spring", id="x1", failure_reason="quarantined"),
    Exclusion(delivery_id="spring", id="x2", failure_reason="quarantined"),
    Exclusion(delivery_id="spring", id="x3", failure_reason="double"),
    Exclusion(delivery_id="spring", id="x4", failure_reason="sql_rule", rule="Not twice a week"),
    SharedView(delivery_id="spring", id="w1", network="facebook", occurred_at=_at(4)),
    SharedView(delivery_id="spring", id="w2", network="facebook", occurred_at=_at(6)),
    Visitor(delivery_id="spring", id="v1", network="facebook", recipient_id="zoe", created_at=_at(6)),
    Visitor(delivery_id="spring", id="v2", network="facebook", created_at=_at(4)),
    Service(id="news", label="Newsletter"),
    _subscribed("ann", 300),
    _subscribed("bob", 100),
    _subscribed("eve", 20),
    _subscribed("fay", 0.5),
    _subscribed("zoe", 0.25),
    _changed("h1", "eve", "subscribe", 480),
    _changed("h2", "fay", "subscribe", 12),
    _changed("h3", "zoe", "subscribe", 6),
    _changed("h4", "cleo", "unsubscribe", 4),
    WebApplication(id="poll", label="Poll", steps=("start", "form", "done")),
    *_seen("ann's PC", "start", "form", "done"),
    *_seen("bob's phone", "start", "form"),
    *_seen("eve's PC", "start"),
    *_seen("cleo's PC", "start"),
)

_OF_REPORT = {
    "Delivery (indicators node)": "reminder",
    "Web UI SMS report": "reminder",
    "Web UI push report": "alert",
}
_OF_KEY = {"kpi_sent_direct_mail": "letter"}


def delivery_for(indicator: Indicator) -> str:
    """The delivery that shows an indicator: the newsletter, unless it is one of another channel."""
    return _OF_KEY.get(indicator.key) or _OF_REPORT.get(indicator.report, "spring")


@cache
def _table(delivery_id: str) -> Table:
    (delivery,) = (delivery for delivery in DELIVERIES if delivery.id == delivery_id)
    return indicators.from_events(delivery, MESSAGES, LINKS, EVENTS, facts=FACTS, peers=DELIVERIES, now=NOW)


def table_for(indicator: Indicator) -> Table:
    """The table that the example of an indicator is taken from."""
    return _table(delivery_for(indicator))
