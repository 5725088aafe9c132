"""What the server says of itself: health, robots, the icon, and which apps may open its links."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.errors import InvalidValue
from msgtrack.redirect import AppLinks, Outcome, RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PRINT = ":".join(["AB"] * 32)
APPS = AppLinks(apple=["ABCDE12345.example.shop"], android={"example.shop.app": [PRINT]})  # type: ignore[arg-type]
PNG = b"\x89PNG\r\n\x1a\nrest"


def ask(url: str, handler: RedirectHandler, method: str = "GET") -> Outcome:
    headers = [("host", "evil.example"), ("x-forwarded-for", "203.0.113.5")]
    return handler.handle(Request(method=method, url=url, headers=headers, client_ip="192.0.2.77", received_at=AT))


@pytest.mark.parametrize("url", ["/r/test", "/base/r/test", "https://t.example.com/r/test?x=1"])
def test_health(url: str) -> None:
    """R43, R50."""
    outcome = ask(url, RedirectHandler(TRACKER))
    assert (outcome.response.status, outcome.hit, outcome.reason) == (200, None, "health")
    element = ET.fromstring(outcome.response.body)
    assert (element.tag, element.attrib) == ("redir", {"status": "OK", "date": "2026-11-21 10:00:00.123Z"})
    head = ask(url, RedirectHandler(TRACKER), "HEAD")
    assert (head.response.status, head.response.body) == (200, b"")


@given(st.text(min_size=1, max_size=300))
def test_an_alarm_is_shown_as_text(alarm: str) -> None:
    """R43."""
    outcome = ask("/r/test", RedirectHandler(TRACKER, health=lambda: alarm))
    element = ET.fromstring(outcome.response.body)
    assert (outcome.response.status, element.attrib["status"]) == (200, "ALARM")
    assert (
        element.attrib["alarm"][:20].strip() == re.sub(r"[^\S ]|[^ -~]", " ", alarm)[:20].strip() or not alarm.isascii()
    )


def test_health_that_fails_or_is_well() -> None:
    """R24, R43."""

    def fails() -> str:
        raise OSError("192.0.2.77 is down")

    outcome = ask("/r/test", RedirectHandler(TRACKER, health=fails))
    assert ET.fromstring(outcome.response.body).attrib["alarm"] == "health: OSError"
    assert [str(one) for one in outcome.failures] == ["health: OSError"]
    assert b"status='OK'" in ask("/r/test", RedirectHandler(TRACKER, health=lambda: "")).response.body


def test_robots_and_icon() -> None:
    """R44."""
    for url in ("/robots.txt", "/base/robots.txt"):
        outcome = ask(url, RedirectHandler(TRACKER))
        assert (outcome.response.body, outcome.hit, outcome.reason) == (b"User-agent: *\nDisallow: /\n", None, "robots")
    bare = ask("/favicon.ico", RedirectHandler(TRACKER))
    assert (bare.response.status, bare.response.body, bare.hit, bare.reason) == (404, b"", None, "favicon")
    for image, kind in ((PNG, "image/png"), (b"\0\0\1\0x", "image/x-icon"), (b"GIF89a", "image/gif")):
        icon = ask("/favicon.ico", RedirectHandler(TRACKER, favicon=image)).response
        assert (icon.status, icon.body, dict(icon.headers)["content-type"]) == (200, image, kind)
        assert ask("/favicon.ico", RedirectHandler(TRACKER, favicon=image), "HEAD").response.body == b""
    for bad in (b"<svg>", "x", b""):
        with pytest.raises(InvalidValue, match="favicon"):
            RedirectHandler(TRACKER, favicon=bad)  # type: ignore[arg-type]


def test_apps_that_may_open_links() -> None:
    """R45."""
    handler = RedirectHandler(TRACKER, app_links=APPS)
    for url in ("/.well-known/apple-app-site-association", "/apple-app-site-association"):
        outcome = ask(url, handler)
        assert (outcome.response.status, outcome.hit, outcome.reason) == (200, None, "app-links")
        assert dict(outcome.response.headers)["content-type"] == "application/json"
        (detail,) = json.loads(outcome.response.body)["applinks"]["details"]
        assert detail["appIDs"] == ["ABCDE12345.example.shop"]
        *left_out, rest = detail["components"]
        assert rest == {"/": "*"}
        assert all(one["exclude"] is True for one in left_out)
        assert {"/": "*/u/*", "exclude": True} in left_out
    (statement,) = json.loads(ask("/.well-known/assetlinks.json", handler).response.body)
    assert statement == {
        "relation": ["delegate_permission/common.handle_all_urls"],
        "target": {
            "namespace": "android_app",
            "package_name": "example.shop.app",
            "sha256_cert_fingerprints": [PRINT],
        },
    }
    assert json.loads(AppLinks().apple_file()) == {"applinks": {"details": []}}


def _matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path) is not None


def test_our_own_pages_stay_with_the_browser() -> None:
    """R45: the first component that fits decides, as Apple has it."""
    components = json.loads(APPS.apple_file())["applinks"]["details"][0]["components"]
    ids = {"delivery_id": "26", "message_id": "7"}
    html = (
        TRACKER.compile(html='<a href="https://a.example/">x</a>', delivery_id="26").render(message_id="7").html or ""
    )
    click, image = re.findall(r'(?:href|src)="([^"]+)"', html)
    own = [TRACKER.opt_out_url(**ids), TRACKER.mirror_url(**ids), TRACKER.preferences_url(**ids), image]  # type: ignore[arg-type]
    for url in [click, *own]:
        path = url.removeprefix("https://t.example.com")
        first = next(one for one in components if "?" not in one and _matches(one["/"], path))
        assert first.get("exclude", False) is (url != click)


@pytest.mark.parametrize("url", ["/apple-app-site-association", "/.well-known/assetlinks.json"])
def test_without_apps_there_is_nothing(url: str) -> None:
    """R7, R45."""
    outcome = ask(url, RedirectHandler(TRACKER))
    assert (outcome.response.status, outcome.reason) == (404, "unknown")
    with_apps = RedirectHandler(TRACKER, app_links=APPS)
    assert ask(url, with_apps, "POST").response.status == 404
    assert ask("/assetlinks.json", with_apps).response.status == 404


def test_apps_are_checked() -> None:
    """R1, R45."""
    for bad in (
        {"apple": ["shop"]},
        {"apple": ["ABCDE12345.a b"]},
        {"android": {"shop": [PRINT]}},
        {"android": {"a.b": ["AB"]}},
        {"android": 5},
    ):
        with pytest.raises(InvalidValue):
            AppLinks(**bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="AppLinks"):
        RedirectHandler(TRACKER, app_links={})  # type: ignore[arg-type]
