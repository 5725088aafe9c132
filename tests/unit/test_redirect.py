"""The pure redirect handler: every kind of request, and what a reader, a robot and an attacker get.

Clauses of docs/spec/redirect.md: R1 to R10. The pages of our own server have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Delivery, Keyring, Policy, Tracker
from msgtrack.decide import decide
from msgtrack.errors import InvalidOption, InvalidValue, NaiveDatetime, UnknownOption
from msgtrack.links import MemoryRegistry
from msgtrack.redirect import PIXEL, Outcome, PeoplePolicy, RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker(base_url="https://t.example.com", keyring=KEYS)
HANDLER = RedirectHandler(TRACKER, new_source_id=lambda: "fresh-person-1")


def urls(html: str = '<a href="https://shop.example/x?a=1&amp;b=2">x</a>', **options: Any) -> list[str]:
    render = {name: options.pop(name) for name in ("policy", "seed") if name in options}
    out = TRACKER.compile(html=html, delivery_id="spring", **options).render(message_id="7", **render).html or ""
    return re.findall(r"https://t\.example\.com/[a-z0-9./-]+", out)


CLICK, OPEN = urls()


def ask(
    url: str, handler: RedirectHandler = HANDLER, method: str = "GET", at: datetime = AT, **headers: str
) -> Outcome:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return handler.handle(Request(method=method, url=url, headers=named, client_ip="192.0.2.1", received_at=at))


def headers(outcome: Outcome) -> dict[str, str]:
    names = [name for name, _ in outcome.response.headers]
    assert len(set(names)) == len(names)
    return dict(outcome.response.headers)


def test_a_click_redirects_and_is_logged() -> None:
    """R3, R4."""
    outcome = ask(CLICK, user_agent="Browser/1", referer="https://mail.example/")
    assert (outcome.response.status, outcome.response.body, outcome.reason) == (302, b"", "click")
    sent = headers(outcome)
    assert sent["location"] == "https://shop.example/x?a=1&b=2"
    assert (sent["cache-control"], sent["referrer-policy"], sent["x-robots-tag"]) == (
        "no-store",
        "no-referrer",
        "noindex",
    )
    hit = outcome.hit
    assert hit is not None
    assert (hit.method, hit.url, hit.received_at, hit.user_agent, hit.source_id) == (
        "GET", CLICK, AT, "Browser/1", "fresh-person-1"
    )  # fmt: skip
    assert hit.client_ip == ""


def test_an_open_gets_the_image_and_no_cookie() -> None:
    """R4, R10."""
    outcome = ask(OPEN)
    assert (outcome.response.status, outcome.response.body, outcome.reason) == (200, PIXEL, "open")
    assert len(PIXEL) == 43
    assert PIXEL.startswith(b"GIF89a")
    sent = headers(outcome)
    assert (sent["content-type"], sent["cache-control"]) == ("image/gif", "no-store")
    assert "set-cookie" not in sent
    assert outcome.hit is not None
    assert outcome.hit.source_id is None
    known = ask(OPEN, cookie="a=b; uuid230=known-person")
    assert known.hit is not None
    assert known.hit.source_id == "known-person"


def test_a_known_browser_keeps_its_key_and_a_strange_one_gets_one() -> None:
    """R10, R30."""
    fresh = headers(ask(CLICK))["set-cookie"]
    assert fresh == "uuid230=fresh-person-1; Max-Age=34128000; Path=/; Secure; HttpOnly; SameSite=Lax"
    known = ask(CLICK, cookie="uuid230=known-person")
    assert "set-cookie" not in headers(known)
    assert known.hit is not None
    assert known.hit.source_id == "known-person"
    for bad in ("uuid230=", "uuid230=a b c d e f", "uuid230=" + "x" * 65, "other=known-person", "uuid230=<script>"):
        assert "set-cookie" in headers(ask(CLICK, cookie=bad))


def test_people_policies() -> None:
    """R10."""
    none = ask(CLICK, RedirectHandler(TRACKER, people=PeoplePolicy(key="none")), cookie="uuid230=known-person")
    assert none.hit is not None
    assert none.hit.source_id is None
    assert "set-cookie" not in headers(none)
    hashing = RedirectHandler(TRACKER, people=PeoplePolicy(key="hash"))
    one, two = ask(CLICK, hashing, user_agent="A"), ask(OPEN, hashing, user_agent="A")
    other = ask(CLICK, hashing, user_agent="B")
    tomorrow = ask(CLICK, hashing, user_agent="A", at=datetime(2026, 11, 22, tzinfo=UTC))
    keys = [outcome.hit.source_id for outcome in (one, two, other, tomorrow) if outcome.hit]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert "set-cookie" not in headers(one)
    plain = RedirectHandler(Tracker("http://t.example.com", KEYS))
    assert "Secure" not in headers(ask(CLICK, plain))["set-cookie"]
    for days in (396, 0, -1, True, 1.5, "30", None):
        with pytest.raises(InvalidOption, match=re.escape(f"cookie_days={days!r} is no number of days from 1 to 395")):
            PeoplePolicy(cookie_days=days)  # type: ignore[arg-type]
    for days in (1, 395):
        lasting = RedirectHandler(TRACKER, people=PeoplePolicy(cookie_days=days))
        assert f"; Max-Age={days * 86_400};" in headers(ask(CLICK, lasting))["set-cookie"]
    with pytest.raises(InvalidOption, match="cookie_domain"):
        PeoplePolicy(cookie_domain="a; Path=/x")


@pytest.mark.parametrize("policy", [Policy(clicks="none"), Policy(clicks="aggregate"), Policy(clicks="pseudonymous")])
def test_who_is_not_identified_gets_no_key(policy: Policy) -> None:
    """R10."""
    outcome = ask(urls(policy=policy)[0], cookie="uuid230=known-person")
    assert outcome.response.status == 302
    assert "set-cookie" not in headers(outcome)
    assert outcome.hit is not None
    assert outcome.hit.source_id is None


def test_a_damaged_identity_gives_no_key_to_whoever_it_was() -> None:
    """R5, R10."""
    refused = urls(policy=Policy(opens="none", clicks="none"))[0]
    for url in (refused[:-1] + ("x" if refused[-1] != "x" else "y"), refused.rpartition("/")[0]):
        outcome = ask(url, cookie="uuid230=known-person", user_agent="Browser/1")
        assert (outcome.response.status, outcome.reason) == (302, "anonymous-link")
        assert "set-cookie" not in headers(outcome)
        assert outcome.hit is not None
        assert outcome.hit.source_id is None


def test_a_damaged_identity_still_redirects() -> None:
    """R5."""
    for url in (
        CLICK[:-1] + ("x" if CLICK[-1] != "x" else "y"),
        CLICK.rpartition("/")[0],
        CLICK.rpartition("/")[0] + "/",
    ):
        outcome = ask(url)
        assert (outcome.response.status, outcome.reason) == (302, "anonymous-link")
        assert decide(outcome.hit, TRACKER).event.message_id is None  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize(
    "damage", [str.upper, lambda url: url + ")", lambda url: url + "?utm=1", lambda url: url + "&amp;x=y"]
)
def test_known_damage_is_undone(damage: Any) -> None:
    """R4."""
    outcome = ask(damage(CLICK))
    assert (outcome.response.status, outcome.reason) == (302, "click")


@pytest.mark.parametrize(
    "url", ["/", "/favicon.png", "/a/b", "/../../etc/passwd", "/" + "x" * 20_000, "", "http://[", "//", "/%00/%ff"]
)
def test_what_is_not_ours_gets_a_plain_page(url: str) -> None:
    """R3, R7."""
    outcome = ask(url)
    assert (outcome.response.status, outcome.reason) == (404, "unknown")
    sent = headers(outcome)
    assert "location" not in sent
    assert "set-cookie" not in sent
    assert sent["content-type"].startswith("text/html")
    policy = sent["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_a_forged_open_is_unknown_but_still_an_image() -> None:
    """R4."""
    outcome = ask(OPEN[:-1] + ("x" if OPEN[-1] != "x" else "y"))
    assert (outcome.response.status, outcome.response.body, outcome.reason) == (404, PIXEL, "unknown")


def test_head_and_prefetch_are_answered_and_logged_but_are_no_events() -> None:
    """R8."""
    head = ask(CLICK, method="HEAD")
    assert (head.response.status, head.response.body, head.reason) == (302, b"", "head")
    assert head.hit is not None
    assert ask(OPEN, method="HEAD").response.body == b""
    for name, value in (
        ("sec_purpose", "prefetch;anonymous-client-ip"),
        ("purpose", "prefetch"),
        ("x_moz", "prefetch"),
        ("x_purpose", "preview"),
    ):
        outcome = ask(CLICK, **{name: value})
        assert (outcome.response.status, outcome.reason) == (302, "prefetch")
        assert outcome.hit is not None
        assert outcome.hit.purpose == "prefetch"
        assert "set-cookie" not in headers(outcome)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "TRACE", "X" * 100])
def test_other_methods_are_refused(method: str) -> None:
    """R9."""
    outcome = ask(CLICK, method=method)
    assert (outcome.response.status, outcome.reason, headers(outcome)["allow"]) == (405, "method", "GET, HEAD")


def test_an_expired_link_goes_to_the_substitution_page() -> None:
    """R6."""
    end = datetime(2026, 11, 1, tzinfo=UTC)
    url = urls(expires_at=end)[0]
    page = ask(url)
    assert (page.response.status, page.reason) == (410, "expired")
    fallback = ask(url, RedirectHandler(TRACKER, fallback_url="https://late.example/"))
    assert (fallback.response.status, headers(fallback)["location"]) == (302, "https://late.example/")
    deliveries: Mapping[str, Delivery] = {
        "spring": Delivery(id="spring", expired_url="https://spring-is-over.example/")
    }
    own = ask(url, RedirectHandler(TRACKER, deliveries=deliveries, fallback_url="https://late.example/"))
    assert headers(own)["location"] == "https://spring-is-over.example/"
    hostile = {"spring": Delivery(id="spring", expired_url="javascript:alert(1)")}
    assert ask(url, RedirectHandler(TRACKER, deliveries=hostile)).response.status == 410
    assert ask(url, at=datetime(2026, 10, 1, tzinfo=UTC)).response.status == 302


def test_registered_links_may_come_from_a_registry_of_the_handlers_own() -> None:
    """R4, R7."""
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    message = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="1")
    registry.publish(message)
    (url, _) = re.findall(r"https://t\.example\.com/[a-z0-9./-]+", message.render(message_id="1").html or "")
    assert ask(url).response.status == 404
    assert headers(ask(url, RedirectHandler(TRACKER, links=registry)))["location"] == "https://shop.example/"
    assert ask(url).response.status == 404


@pytest.mark.parametrize(
    ("written", "location"),
    [
        ("https://bücher.example:8080/ä?q=ö#ü", "https://xn--bcher-kva.example:8080/%C3%A4?q=%C3%B6#%C3%BC"),
        ("https://shop.example/a b", "https://shop.example/a%20b"),
        ("https://user:pw@ü.example/p", "https://user:pw@xn--tda.example/p"),
        ("https://faß.example/", "https://fa%C3%9F.example/"),
        ("https://bücher..example/", "https://b%C3%BCcher..example/"),
        (f"https://{'ü' * 70}.example/", f"https://{'%C3%BC' * 70}.example/"),
        ("https://shop.example/%C3%A4%20", "https://shop.example/%C3%A4%20"),
        ("https://shop.example/?", "https://shop.example/?"),
        ("https://shop.example/#/route?x=1", "https://shop.example/#/route?x=1"),
        (
            "https://shop.example/?u=https://a/&l=[1]&x='(2)*~!$,;:@+",
            "https://shop.example/?u=https://a/&l=[1]&x='(2)*~!$,;:@+",
        ),
    ],
)
def test_locations_are_ascii_and_otherwise_as_written(written: str, location: str) -> None:
    """R4."""
    assert headers(ask(urls(f'<a href="{written}">x</a>')[0]))["location"] == location


def test_service_pages() -> None:
    """R43, R44."""
    health = ask("/r/test")
    assert (health.response.status, health.hit, health.reason) == (200, None, "health")
    # The whole of it: neither build nor hosts nor addresses.
    assert health.response.body == b"<redir status='OK' date='2026-11-21 10:00:00.000Z'/>\n"
    robots = ask("/robots.txt")
    assert (robots.response.body, robots.hit) == (b"User-agent: *\nDisallow: /\n", None)


def test_a_resolver_of_ones_own_will_do() -> None:
    """R1."""

    class Plain:
        resolve, person_salt = TRACKER.resolve, TRACKER.person_salt

    assert ask(CLICK, RedirectHandler(Plain(), new_source_id=lambda: "fresh-person-1")) == ask(CLICK)
    with pytest.raises(InvalidValue, match="links cannot be given to a Plain"):
        RedirectHandler(Plain(), MemoryRegistry())


def test_bad_arguments_are_named() -> None:
    """R1."""
    with pytest.raises(NaiveDatetime):
        Request(method="GET", url="/", received_at=datetime(2026, 1, 1))
    with pytest.raises(InvalidValue, match="Request"):
        HANDLER.handle("GET /")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="fallback_url"):
        RedirectHandler(TRACKER, fallback_url="javascript:x")
    with pytest.raises(InvalidOption, match="fallback_url"):
        RedirectHandler(TRACKER, fallback_url=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="PeoplePolicy"):
        RedirectHandler(TRACKER, people="hash")  # type: ignore[arg-type]
    for tracker in (None, 5, "x", Tracker, object(), {}):
        for links in (None, {}):
            with pytest.raises(InvalidValue, match="tracker must be"):
                RedirectHandler(tracker, links)  # type: ignore[arg-type]
    for name, bad in (
        ("links", 5),
        ("links", {}),
        ("links", MemoryRegistry),
        ("deliveries", [1]),
        ("deliveries", "x"),
        ("new_source_id", 5),
        ("new_source_id", None),
        ("health", 5),
        ("app_links", 5),
        ("texts", 5),
        ("texts", "en"),
        ("texts", [5]),
    ):
        with pytest.raises(InvalidValue, match="sequence" if name == "texts" and bad != [5] else name):
            RedirectHandler(TRACKER, **{name: bad})  # type: ignore[arg-type]
    with pytest.raises(UnknownOption, match="RedirectHandler has no option 'fallback'"):
        RedirectHandler(TRACKER, fallback="https://late.example/")  # type: ignore[arg-type]
    for bad in (None, 5, [("a",)], [("a", 5)], "text"):
        with pytest.raises(InvalidValue, match="headers"):
            Request(method="GET", url="/", headers=bad, received_at=AT)  # type: ignore[arg-type]


names = st.sampled_from(
    ["cookie", "user-agent", "referer", "purpose", "sec-purpose", "host", "x-forwarded-for", "range"]
)


@given(
    st.sampled_from(["GET", "HEAD", "POST", ""]) | st.text(max_size=20),
    st.text(max_size=300)
    | st.sampled_from([CLICK, OPEN]).flatmap(lambda url: st.text(max_size=9).map(lambda end: url + end)),
    st.lists(st.tuples(names, st.text(max_size=80)), max_size=5),
)
def test_any_request_gets_a_safe_answer(method: str, url: str, sent: list[tuple[str, str]]) -> None:
    """R1, R4."""
    outcome = HANDLER.handle(Request(method=method, url=url, headers=sent, received_at=AT))
    response = outcome.response
    assert response.status in (200, 302, 404, 405)
    for name, value in response.headers:
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
        if name == "location":
            assert value == "https://shop.example/x?a=1&b=2"
