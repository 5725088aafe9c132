"""The checker of sent links: each thing that can become of a link is found, and nothing else is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from msgtrack import Keyring, TrackedLink, Tracker
from msgtrack.errors import InvalidValue, StoreError
from msgtrack.links import CHECK_PROBLEMS, MemoryRegistry, SentLink, check_links

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
OLD, NEW = "the secret of last year, long enough", "the secret of this year, long enough"
SHOP = "https://shop.example/x"


def made(secret: str, url_format: str = "compact", **options: Any) -> tuple[Tracker, MemoryRegistry, list[SentLink]]:
    """A tracker, its registry and what it sent: a click, an open and the pages of our own server."""
    registry = MemoryRegistry()
    style = options.pop("link_style", "registered")
    tracker = Tracker(
        "https://t.example.com",
        Keyring.from_secrets(secret),
        registry=registry,
        link_style=style,
        url_format=url_format,
    )
    compiled = tracker.compile(html=f'<a href="{SHOP}">x</a>', delivery_id="26", **options)
    registry.publish(compiled)
    urls = re.findall(r'(?:href|src)="([^"]+)"', compiled.render(message_id="7").html or "")
    ids: dict[str, Any] = {"delivery_id": "26", "message_id": "7"}
    urls += [tracker.opt_out_url(**ids), tracker.mirror_url(**ids), tracker.preferences_url(**ids)]
    return tracker, registry, [SentLink(url=url.replace("&amp;", "&"), destination=SHOP, **ids) for url in urls]


def problems(sent: Any, tracker: Tracker, at: datetime | None = AT) -> list[str]:
    return [check.problem for check in check_links(sent, tracker=tracker, at=at)]


@pytest.mark.parametrize("url_format", ["compact", "campaign"])
def test_an_archive_that_holds(url_format: str) -> None:
    """R49."""
    tracker, _, sent = made(OLD, url_format)
    assert problems(sent, tracker) == [""] * 5
    assert problems([link.url for link in sent], tracker) == [""] * 5
    (first, *_) = check_links(sent, tracker=tracker)
    assert first.link is sent[0]
    assert first.resolution is not None
    assert first.resolution.destination == SHOP


def test_keys_that_were_given_up() -> None:
    """R49."""
    _, registry, sent = made(OLD)
    rotated = Keyring.from_secrets(NEW, verify_only=[OLD])
    assert problems(sent, Tracker("https://t.example.com", rotated, registry=registry)) == [""] * 5
    gone = Tracker("https://t.example.com", Keyring.from_secrets(NEW), registry=registry)
    assert problems(sent, gone) == ["anonymous", *["unknown"] * 4]
    stateless, _, signed = made(OLD, link_style="stateless")
    assert problems(signed, stateless) == [""] * 5
    assert problems(signed, gone) == ["unknown"] * 5


@pytest.mark.parametrize("url_format", ["compact", "campaign"])
def test_links_that_no_registry_holds(url_format: str) -> None:
    """R49."""
    tracker, _, sent = made(OLD, url_format)
    tracker.registry = MemoryRegistry()
    assert problems(sent, tracker) == ["unregistered", *[""] * 4]


def test_a_registry_that_fails() -> None:
    """R49."""
    tracker, _, sent = made(OLD)

    class Down:
        def publish(self, compiled: object) -> None: ...

        def find(self, key: str) -> TrackedLink | None:
            raise StoreError(key)

    tracker.registry = Down()
    found = list(check_links(sent, tracker=tracker))
    assert [check.problem for check in found] == ["unavailable", *[""] * 4]
    assert found[0].resolution is None


def test_links_that_lead_or_name_otherwise() -> None:
    """R48, R49."""
    tracker, registry, sent = made(OLD)
    assert problems([SentLink(url=sent[0].url, message_id="8")], tracker) == ["other-message"]
    assert problems([SentLink(url=sent[1].url, delivery_id="27")], tracker) == ["other-message"]
    registry.retarget(sent[0].url.split("/")[3], "https://new.example/", at=AT)
    assert problems(sent, tracker) == ["other-destination", *[""] * 4]
    assert problems([sent[0].url], tracker) == [""]


def test_links_that_are_over() -> None:
    """R49."""
    tracker, _, sent = made(OLD, expires_at=AT)
    assert problems(sent, tracker) == ["expired", *[""] * 4]
    assert problems(sent, tracker, None) == [""] * 5


def test_archives_of_anything() -> None:
    """R49."""
    tracker, _, _ = made(OLD)
    assert problems(["", "https://a.example/", "\x00", "x" * 99_999, "/00000000/x", "/1/x"], tracker) == [
        "unknown", "unknown", "unknown", "unknown", "unregistered", "unknown",
    ]  # fmt: skip
    with pytest.raises(InvalidValue, match="archive"):
        problems([5], tracker)
    for bad in (5, None, "https://t.example.com/1/x", b"/1/x", SentLink(url="/1/x")):
        with pytest.raises(InvalidValue, match="archive"):
            check_links(bad, tracker=tracker)  # type: ignore[arg-type]
    for odd in (None, 5, "x", Tracker):
        with pytest.raises(InvalidValue, match="tracker must be"):
            check_links([], tracker=odd)  # type: ignore[arg-type]
    assert set(CHECK_PROBLEMS) == {
        "unregistered", "unknown", "unavailable", "anonymous", "expired", "other-destination", "other-message",
    }  # fmt: skip
