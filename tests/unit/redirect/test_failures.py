"""What the reader gets when something behind the redirect fails, and what is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Delivery, Keyring, TrackedLink, Tracker
from msgtrack.decide import decide
from msgtrack.errors import InvalidOption, InvalidValue, StoreError
from msgtrack.events import Click
from msgtrack.io import ManifestRegistry
from msgtrack.links import MemoryRegistry
from msgtrack.logs import parse
from msgtrack.model import Resolution
from msgtrack.redirect import Outcome, RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
IDS: dict[str, Any] = {"delivery_id": "26", "message_id": "7"}
HTML = '<a href="https://shop.example/x">x</a>'
FALLBACK = "https://late.example/"


def registered(registry: Any, url_format: str = "compact") -> tuple[Tracker, str]:
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered", url_format=url_format)
    compiled = tracker.compile(html=HTML, delivery_id="26")
    registry.publish(compiled)
    (url,) = re.findall(r'href="([^"]+)"', compiled.render(message_id="7").html or "")
    return tracker, url.replace("&amp;", "&")


def click(**options: Any) -> str:
    html = TRACKER.compile(html=HTML, delivery_id="26", **options).render(message_id="7").html or ""
    return re.findall(r'href="([^"]+)"', html)[0]


def ask(handler: RedirectHandler, url: str, method: str = "GET", **headers: str) -> Outcome:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return handler.handle(Request(method=method, url=url, headers=named, client_ip="192.0.2.77", received_at=AT))


def location(outcome: Outcome) -> str | None:
    return dict(outcome.response.headers).get("location")


class Broken:
    """A registry that is down, in words that must not be told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find(self, key: str) -> TrackedLink | None:
        self.error.args = (*self.error.args, key)
        raise self.error


@pytest.mark.parametrize(
    "error", [StoreError("down at 192.0.2.77"), OSError(5, "x"), RecursionError(), ZeroDivisionError(), MemoryError()]
)
@pytest.mark.parametrize("url_format", ["compact", "campaign"])
def test_a_registry_that_fails_strands_nobody(error: Exception, url_format: str) -> None:
    """R1, R24, R25."""
    registry = MemoryRegistry()
    tracker, url = registered(registry, url_format)
    broken = Broken(error)
    for fallback, status in ((FALLBACK, 302), (None, 404)):
        outcome = ask(RedirectHandler(tracker, links=broken, fallback_url=fallback), url, user_agent="Browser/1")
        assert (outcome.response.status, location(outcome), outcome.reason) == (status, fallback, "unavailable")
        assert [str(one) for one in outcome.failures] == [f"resolver: {type(error).__name__}"]
        assert outcome.failures[0].error is error
        assert "set-cookie" not in dict(outcome.response.headers)
        assert outcome.hit is not None
        assert outcome.hit.url == url
        assert outcome.hit.status == (None if fallback else 404)
        told = f"{outcome.failures}{outcome.failures[0]!r}"
        assert "192.0.2.77" not in told
        assert url.rsplit("/", 1)[1] not in told
        # Once the registry is back, the hit of a reader who was led somewhere means the click that it was.
        event = decide(outcome.hit, tracker).event
        assert (type(event) is Click) is (fallback is not None)


def test_other_methods_and_heads_while_the_registry_is_down() -> None:
    """R8, R9, R25."""
    tracker, url = registered(MemoryRegistry())
    handler = RedirectHandler(tracker, links=Broken(StoreError("down")))
    head = ask(handler, url, "HEAD")
    assert (head.response.status, head.response.body) == (404, b"")
    assert ask(handler, url, "PUT").response.status == 405
    opt_out = ask(handler, tracker.opt_out_url(**IDS), "POST")
    assert (opt_out.response.status, opt_out.reason, opt_out.failures) == (200, "opt-out", ())


def test_a_damaged_manifest_degrades(tmp_path: Path) -> None:
    """R25, R47."""
    tracker, url = registered(ManifestRegistry(tmp_path))
    assert location(ask(RedirectHandler(tracker), url)) == "https://shop.example/x"
    (path,) = (tmp_path / "manifests").iterdir()
    path.write_bytes(b"{")
    fresh = Tracker("https://t.example.com", KEYS, registry=ManifestRegistry(tmp_path), link_style="registered")
    outcome = ask(RedirectHandler(fresh, fallback_url=FALLBACK), url)
    assert (outcome.response.status, location(outcome)) == (302, FALLBACK)
    assert [str(one) for one in outcome.failures] == ["resolver: UnreadableInput"]


def fails(*_: object) -> Any:
    raise LookupError("a message that holds 192.0.2.77")


@pytest.mark.parametrize("made", [fails, lambda _: 5, lambda _: b"x", lambda _: [], lambda _: True])
@pytest.mark.parametrize("page", ["mirror", "preferences"])
def test_a_page_maker_that_fails(page: str, made: Callable[[Resolution], Any]) -> None:
    """R21, R24, R26."""
    url = getattr(TRACKER, f"{page}_url")(**IDS)
    outcome = ask(RedirectHandler(TRACKER, **{page: made}), url)
    assert (outcome.response.status, outcome.reason) == (404, "refused")
    assert b"Please try this address again" in outcome.response.body
    assert [one.where for one in outcome.failures] == [page]
    assert outcome.hit is not None
    assert outcome.hit.status == 404


@pytest.mark.parametrize(
    "made",
    ["javascript:alert(1)", "data:text/html,x", "ftp://a.example/", "mailto:a@b.example", "vbscript:x", "https://"],
)
def test_preferences_lead_to_web_pages_alone(made: str) -> None:
    """R19, R26, R50."""
    outcome = ask(RedirectHandler(TRACKER, preferences=lambda _: made), TRACKER.preferences_url(**IDS))
    assert (outcome.response.status, location(outcome)) == (404, None)
    assert [str(one) for one in outcome.failures] == ["preferences: InvalidValue"]


def test_pages_hold_any_text() -> None:
    """R18, R26."""
    outcome = ask(RedirectHandler(TRACKER, mirror=lambda _: "a\ud800b"), TRACKER.mirror_url(**IDS))
    assert (outcome.response.status, outcome.response.body, outcome.failures) == (200, b"a?b", ())


@pytest.mark.parametrize(
    "fresh", [fails, lambda: "x; Path=/", lambda: "", lambda: 5, lambda: "a" * 65, lambda: "a\nb" * 5]
)
def test_a_person_key_that_cannot_be_made(fresh: Callable[[], Any]) -> None:
    """R24, R26."""
    outcome = ask(RedirectHandler(TRACKER, new_source_id=fresh), click())
    assert (location(outcome), outcome.reason) == ("https://shop.example/x", "click")
    assert "set-cookie" not in dict(outcome.response.headers)
    assert [one.where for one in outcome.failures] == ["new-source-id"]
    assert outcome.hit is not None
    assert outcome.hit.source_id is None


class BrokenDeliveries(dict[str, Delivery]):
    def get(self, key: str, default: Any = None) -> Any:
        raise StoreError(key)


def test_deliveries_that_cannot_be_looked_up() -> None:
    """R6, R24, R26."""
    url = click(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    cases: list[tuple[Any, list[str]]] = [
        (BrokenDeliveries(), ["deliveries: StoreError"]),
        ({"26": "no delivery"}, ["deliveries: AttributeError"]),
        ({"26": Delivery(id="26", expired_url="javascript:x")}, []),
    ]
    for deliveries, failures in cases:
        outcome = ask(RedirectHandler(TRACKER, deliveries=deliveries, fallback_url=FALLBACK), url)
        assert (location(outcome), outcome.reason) == (FALLBACK, "expired")
        assert [str(one) for one in outcome.failures] == failures
        assert ask(RedirectHandler(TRACKER, deliveries=deliveries), url).response.status == 410


def test_a_link_that_must_not_be_followed() -> None:
    """R21, R27."""
    asked: list[Resolution] = []

    def check(said: Resolution) -> bool:
        asked.append(said)
        return said.destination != "https://shop.example/x"

    for fallback in (None, FALLBACK):
        handler = RedirectHandler(TRACKER, check=check, fallback_url=fallback)
        outcome = ask(handler, click())
        assert (outcome.response.status, outcome.reason, location(outcome)) == (403, "refused", None)
        assert b"switched off" in outcome.response.body
        assert outcome.hit is not None
        assert outcome.hit.status == 403
        assert decide(outcome.hit, TRACKER).event is None
    assert {(one.delivery_id, one.message_id, one.link_id) for one in asked} == {("26", "7", "2")}
    other = TRACKER.compile(html='<a href="https://good.example/">x</a>', delivery_id="26").render(message_id="7").html
    assert location(ask(handler, re.findall(r'href="([^"]+)"', other or "")[0])) == "https://good.example/"


@pytest.mark.parametrize("check", [fails, lambda _: None, lambda _: 1, lambda _: "yes"])
def test_a_check_that_fails(check: Callable[[Resolution], Any]) -> None:
    """R25, R27."""
    for fallback, status, reason in ((FALLBACK, 302, "click"), (None, 404, "refused")):
        outcome = ask(RedirectHandler(TRACKER, check=check, fallback_url=fallback), click())
        assert (outcome.response.status, location(outcome), outcome.reason) == (status, fallback, reason)
        assert "check" in [one.where for one in outcome.failures]


def test_links_without_an_identity_may_be_blocked() -> None:
    """R5, R28."""
    bare = click().rpartition("/")[0]
    open_, closed = RedirectHandler(TRACKER), RedirectHandler(TRACKER, block_unsigned=True)
    assert (ask(open_, bare).response.status, ask(open_, bare).reason) == (302, "anonymous-link")
    assert (ask(closed, bare).response.status, ask(closed, bare).reason) == (404, "refused")
    assert ask(closed, click()).response.status == 302
    with pytest.raises(InvalidOption, match="block_unsigned"):
        RedirectHandler(TRACKER, block_unsigned=1)  # type: ignore[arg-type]


def test_a_refused_link_is_refused_in_its_log_too() -> None:
    """R2, R21, R28."""
    handler = RedirectHandler(TRACKER, block_unsigned=True, check=lambda said: said.message_id != "7")
    for url in (click(), click().rpartition("/")[0]):
        outcome = ask(handler, url)
        path = url.removeprefix("https://t.example.com")
        line = f'- - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" {outcome.response.status} 5 "-" "-"'
        (logged,) = parse([line], tracker=None)
        assert decide(logged, TRACKER).event is None  # type: ignore[arg-type]
        assert outcome.reason == "refused"


@pytest.mark.parametrize("name", ["check", "language", "health"])
def test_functions_that_are_none_are_named(name: str) -> None:
    """R1."""
    with pytest.raises(InvalidValue, match=name):
        RedirectHandler(TRACKER, **{name: "https://shop.example/"})
