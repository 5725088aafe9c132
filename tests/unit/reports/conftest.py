"""A delivery as a shop might send it: some hundred messages, thirteen links, three days of reactions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick
from msgtrack.model import Delivery, LinkType, Message, TrackedLink
from msgtrack.protocols import Store
from msgtrack.reports import Report, delivery_report
from msgtrack.storage import open_store

LAUNCH = datetime(2026, 3, 3, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 7, 9, 30, tzinfo=UTC)

# Label, path, category, type, weight.
LINKS = (
    ("Shop the collection", "spring-2026?utm_source=newsletter&utm_campaign=spring", "shop", "click", 30),
    ("Linen shirts", "category/linen-shirts?sort=new", "shop", "click", 18),
    ("Summer dresses", "category/dresses", "shop", "click", 14),
    ("Garden party: the lookbook", "lookbook/garden-party", "editorial", "click", 11),
    ("How to care for linen", "journal/how-to-care-for-linen-and-keep-it-soft", "editorial", "click", 6),
    ("Logo", "", "", "click", 5),
    ("Store finder", "stores", "service", "click", 4),
    ("Free delivery from 50 €", "help/delivery", "service", "click", 4),
    ("View in your browser", "mirror", "", "mirror_page", 4),
    ("Gift cards", "gift-cards", "shop", "click", 3),
    ("Unsubscribe", "newsletter/leave", "", "opt_out", 3),
    ("Our repair workshop", "repairs", "service", "click", 2),
    ("Instagram", "instagram", "social", "click", 2),
)
DOMAINS = ("gmail.com",) * 34 + ("hotmail.com",) * 14 + ("corp.example",) * 16 + ("yahoo.com",) * 9 + ("aol.com",) * 4
CLASSES = {"click": Click, "mirror_page": MirrorPageView, "opt_out": OptOutClick}


def reactions(rng: random.Random, message: Message) -> Iterator[Event]:
    """What one reader does: perhaps opens, perhaps clicks, perhaps passes the message on."""
    if rng.random() > 0.44:
        return
    at = LAUNCH + timedelta(hours=min(rng.expovariate(1 / 9), 70))
    facts = {"delivery_id": message.delivery_id, "message_id": message.id}
    if message.format == "html":
        for again in range(1 + int(rng.expovariate(1.3))):
            yield Open(occurred_at=at + timedelta(hours=again * rng.random() * 8), **facts)
    if rng.random() > 0.36:
        return
    for person in range(1 + (rng.random() < 0.12)):
        for _ in range(1 + int(rng.expovariate(1.1))):
            index = rng.choices(range(len(LINKS)), [link[4] for link in LINKS])[0]
            yield CLASSES[LINKS[index][3]](
                occurred_at=at + timedelta(minutes=1 + rng.random() * 40),
                link_id=str(index + 2),
                source_id=f"{message.id}-{person}",
                **facts,
            )


def make_store(labels: Sequence[str] = (), *, size: int = 400, title: str = "Spring collection: 20 % off") -> Store:
    """A store with the delivery ``spring``; ``labels`` replace the labels, categories and URLs of the first links."""
    rng = random.Random(7)
    store = open_store("memory:")
    links = [
        TrackedLink(
            delivery_id="spring",
            id=str(index + 2),
            label=labels[index] if index < len(labels) else label,
            url=labels[index] + "#" if index < len(labels) else f"https://shop.example/{path}",
            category=labels[index] if index < len(labels) else category,
            type=LinkType[kind.upper()],
        )
        for index, (label, path, category, kind, _) in enumerate(LINKS)
    ]
    messages = [
        Message(
            id=str(1000 + index),
            delivery_id="spring",
            recipient_id=f"r{index}",
            address=f"reader{index}@{rng.choice(DOMAINS)}",
            status="failed" if rng.random() < 0.02 else "sent",
            failure_reason="denylisted" if rng.random() < 0.2 else "unknown_user",
            format="text" if rng.random() < 0.06 else "html",
        )
        for index in range(size)
    ]
    store.put([Delivery(id="spring", label=title, internal_name="DM1482", contact_at=LAUNCH), *links, *messages])
    store.ingest(event for message in messages if message.status.name == "SENT" for event in reactions(rng, message))
    return store


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """The store, filled."""
    filled = make_store()
    yield filled
    filled.close()


@pytest.fixture(scope="session")
def report(store: Store) -> Report:
    """The report of the delivery, times in Paris."""
    return delivery_report(store, delivery_id="spring", zone="Europe/Paris", now=NOW)


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    """The report as a page; drawn once, because drawing takes a second."""
    return report.html()


@pytest.fixture(scope="session")
def report_with() -> Callable[..., Report]:
    """Makes a report whose labels, categories, URLs and title are those given."""

    def make(labels: Sequence[str], title: str = "Spring") -> Report:
        return delivery_report(make_store(labels, size=200, title=title), delivery_id="spring", now=NOW)

    return make
