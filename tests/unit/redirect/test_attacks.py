"""Requests of people who mean harm: whatever they send, nobody is led anywhere that was not signed or registered."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from attacks import HEADERS, HOSTILE, NO_DESTINATIONS, places
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Delivery, Keyring, Policy, TrackedLink, Tracker
from msgtrack.decide import decide
from msgtrack.links import MemoryRegistry
from msgtrack.redirect import AppLinks, Outcome, PeoplePolicy, RedirectHandler, Request, TrustedProxies
from msgtrack.testing import strategies
from msgtrack.webtags import WebTags

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
REGISTRY = MemoryRegistry()
DESTINATION = "https://shop.example/x?a=1&b=2"
PREFERENCES = "https://shop.example/wishes"
FALLBACK = "https://late.example/"
EXPIRED = "https://over.example/"
ALLOWED = {None, DESTINATION, PREFERENCES, FALLBACK, EXPIRED}
HTML = '<a href="https://shop.example/x?a=1&amp;b=2" _label="&#13;&#10;X-Label: y" _category="a&#10;b">x</a>'
TOKEN = re.compile(r"[a-z0-9.-]{26,}")


def tracker(style: str, url_format: str) -> Tracker:
    return Tracker("https://t.example.com", KEYS, registry=REGISTRY, link_style=style, url_format=url_format)


TRACKERS = [tracker("stateless", "compact"), tracker("registered", "compact"), tracker("registered", "campaign")]


def handler_of(here: Tracker) -> RedirectHandler:
    return RedirectHandler(
        here,
        deliveries={"26": Delivery(id="26", expired_url=EXPIRED)},
        mirror=lambda said: f"<p>{said.message_id}",
        preferences=lambda _: PREFERENCES,
        people=PeoplePolicy(client_ip="truncated"),
        fallback_url=FALLBACK,
        new_source_id=lambda: "fresh-person-1",
        check=lambda _: True,
        tags=WebTags(mode="anonymous-last", track_visitors=True),  # type: ignore[arg-type]
        proxies=TrustedProxies(networks=["10.0.0.0/8"]),
        app_links=AppLinks(apple=["ABCDE12345.example.shop"]),  # type: ignore[arg-type]
    )


def urls_of(here: Tracker) -> list[str]:
    """One of each kind."""
    found = []
    for options in ({}, {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}):
        compiled = here.compile(html=HTML, delivery_id="26", **options)
        REGISTRY.publish(compiled)
        found += re.findall(r'(?:href|src)="([^"]+)"', compiled.render(message_id="7").html or "")
    ids: dict[str, Any] = {"delivery_id": "26", "message_id": "7"}
    found += [here.opt_out_url(**ids), here.mirror_url(**ids), here.preferences_url(**ids)]
    found += [
        "https://t.example.com/r/1?tagid=home%7Cw",
        "https://t.example.com/r/test",
        "https://t.example.com/favicon.ico",
    ]
    return [url.replace("&amp;", "&") for url in found]


HANDLERS = [handler_of(here) for here in TRACKERS]
URLS = [urls_of(here) for here in TRACKERS]
SITES = list(zip(TRACKERS, HANDLERS, URLS, strict=True))


def ask(handler: RedirectHandler, url: str, method: str = "GET", headers: Any = (), body: bytes = b"") -> Outcome:
    outcome = handler.handle(
        Request(method=method, url=url, headers=headers, body=body, client_ip="10.0.0.9", received_at=AT)
    )
    harmless(outcome)
    return outcome


def harmless(outcome: Outcome) -> None:
    response = outcome.response
    assert response.status in (200, 302, 400, 404, 405, 410)
    for name, value in response.headers:
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
    assert dict(response.headers).get("location") in ALLOWED
    assert (response.status == 302) == ("location" in dict(response.headers))
    assert outcome.failures == ()


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: ascii(bad)[:24])
def test_hostile_text_in_every_place_of_a_url(bad: str) -> None:
    """R1, R4, R7, R50."""
    for _, handler, urls in SITES:
        for url in urls:
            for forged in places(url, bad):
                ask(handler, forged)


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_text_in_every_header(name: str) -> None:
    """R1, R30, R32, R50."""
    for _, handler, urls in SITES:
        for url in urls:
            plain = ask(handler, url)
            for place, bad in enumerate(HOSTILE):
                forms = (
                    bad,
                    f"uuid230={bad}; nlid={bad}; nllast={bad}",
                    f"for={bad}",
                    f"multipart/form-data; boundary={bad}",
                )
                outcome = ask(handler, url, headers=[(name, forms[place % 4]), (name, forms[(place + 1) % 4])])
                assert outcome.response.status == plain.response.status
                if name in (
                    "host",
                    "x-forwarded-host",
                    "x-forwarded-proto",
                    "forwarded",
                    "x-original-url",
                    "x-rewrite-url",
                ):
                    assert outcome.response == plain.response


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: ascii(bad)[:24])
def test_hostile_methods_and_bodies(bad: str) -> None:
    """R9, R14, R50."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    multipart = {"content-type": f"multipart/form-data; boundary={bad}"}
    for _, handler, urls in SITES:
        for url in urls:
            ask(handler, url, bad)
            for kind in (form, multipart):
                for body in (
                    bad,
                    f"url={bad}&List-Unsubscribe={bad}",
                    f'--{bad}\r\nContent-Disposition: form-data; name="{bad}"\r\n\r\n{bad}',
                ):
                    ask(handler, url, "POST", kind.items(), body.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("destination", NO_DESTINATIONS)
def test_destinations_that_no_browser_should_follow(destination: str) -> None:
    """R4, R6, R19, R27, R48, R50: through the registry, a re-targeted link, expiry, and preferences."""
    for url_format in ("compact", "campaign"):
        registry = MemoryRegistry()
        here = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered", url_format=url_format)
        compiled = here.compile(html='<a href="https://a.example/">x</a>', delivery_id="26")
        registry.publish(compiled)
        url = re.findall(r'href="([^"]+)"', compiled.render(message_id="7").html or "")[0].replace("&amp;", "&")
        (link,) = compiled.links
        for forged in (
            TrackedLink(delivery_id="26", id=link.id, key=link.key, url=destination),
            TrackedLink(delivery_id="26", id=link.id, key=link.key, url=link.url, target_url=destination),
        ):
            outcome = RedirectHandler(here, links=MemoryRegistry([forged])).handle(
                Request(method="GET", url=url, received_at=AT)
            )
            target = dict(outcome.response.headers).get("location")
            assert target is None or (target == "https://a.example/" and forged.target_url == destination)
        over = here.compile(
            html='<a href="https://a.example/">x</a>', delivery_id="27", expires_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        registry.publish(over)
        url = re.findall(r'href="([^"]+)"', over.render(message_id="7").html or "")[0].replace("&amp;", "&")
        deliveries = {"27": Delivery(id="27", expired_url=destination)}
        outcome = RedirectHandler(here, deliveries=deliveries, preferences=lambda _: destination).handle(
            Request(method="GET", url=url, received_at=AT)
        )
        assert (outcome.response.status, "location" in dict(outcome.response.headers)) == (410, False)


def test_labels_and_ids_stand_in_no_answer() -> None:
    """R50."""
    hostile = "\r\nX-Evil: y"
    link = TrackedLink(
        delivery_id=f"26{hostile}", id=f"2{hostile}", key="00000000", url=DESTINATION, label=hostile, category=hostile
    )
    here = tracker("registered", "compact")
    handler = RedirectHandler(here, links=MemoryRegistry([link]), check=lambda _: True)
    outcome = ask(handler, "/00000000/x")
    assert outcome.response.status == 302
    assert "Evil" not in str(outcome.response)


def test_the_host_is_nobodys_word() -> None:
    """R50."""
    for _, handler, urls in SITES:
        for url in urls:
            plain = ask(handler, url).response
            for host in ("evil.example", "t.example.com@evil.example", "evil.example:80", ""):
                path = url.removeprefix("https://t.example.com")
                for asked in (f"https://{host}{path}", f"//{host}{path}" if host == "" else path):
                    answer = ask(handler, asked, headers=[("host", host), ("x-forwarded-host", host)]).response
                    assert dict(answer.headers).get("location") in (dict(plain.headers).get("location"), None)
                    assert b"evil" not in answer.body


def test_forged_urls_name_nobody_and_lead_nowhere_new() -> None:
    """R5, R7, R50: each character changed, each part cut, and parts of one message with those of another."""
    for here, handler, urls in SITES:
        click, image = urls[:2]
        for url in (click, image):
            start = len("https://t.example.com/")
            for place in range(start, len(url)):
                for letter in "0z.-/%&=?":
                    if letter != url[place]:
                        forged = url[:place] + letter + url[place + 1 :]
                        outcome = ask(handler, forged)
                        assert outcome.hit is not None
                        event = decide(outcome.hit, here).event
                        assert event is None or event.message_id in (None, "7")
            for length in range(start, len(url)):
                ask(handler, url[:length])


def test_what_is_told_of_failures_holds_no_token_and_no_address() -> None:
    """R24, R50."""
    secrets: list[str] = []

    def fails(*said: Any) -> Any:
        raise RuntimeError(f"10.0.0.9 {said} {secrets}")

    class Down:
        def find(self, key: str) -> TrackedLink | None:
            return fails(key)  # type: ignore[no-any-return]

    for here, _, urls in SITES:
        secrets += [part for url in urls for part in TOKEN.findall(url)]
        handler = RedirectHandler(
            here,
            links=Down(),
            deliveries=_Failing(),
            mirror=fails,
            preferences=fails,
            new_source_id=fails,
            check=fails,
            language=fails,
            health=fails,
            tags=WebTags(identify=fails),
        )
        seen = set()
        for url in [*urls, "/r/1?tagid=a%7Cw&rcpid=a%3Db"]:
            outcome = handler.handle(Request(method="GET", url=url, client_ip="10.0.0.9", received_at=AT))
            assert outcome.response.status < 500
            seen |= {one.where for one in outcome.failures}
            told = " ".join([*map(str, outcome.failures), repr(outcome.failures)])
            assert "10.0.0.9" not in told
            assert not any(secret in told for secret in secrets)
        assert {"mirror", "preferences", "language", "health", "resolver"} <= seen


class _Failing(dict[str, Delivery]):
    def get(self, key: str, default: Any = None) -> Any:
        raise RuntimeError(key)


odd = st.text(max_size=200) | st.sampled_from(HOSTILE) | strategies.ids()
names = st.sampled_from(HEADERS) | st.text(max_size=12)


@given(
    st.sampled_from(range(len(SITES))),
    st.sampled_from(range(10)),
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]) | st.text(max_size=12),
    odd,
    st.lists(st.tuples(names, odd), max_size=6),
    st.binary(max_size=200),
)
def test_any_request_is_answered_without_harm(
    site: int, kind: int, method: str, tail: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    """R1, R50."""
    _, handler, urls = SITES[site]
    for url in (urls[kind % len(urls)] + tail, tail):
        ask(handler, url, method, headers, body)


def test_policies_cannot_be_changed_by_a_request() -> None:
    """R10, R50."""
    for here, handler, _ in SITES:
        compiled = here.compile(html=HTML, delivery_id="26")
        REGISTRY.publish(compiled)
        html = compiled.render(message_id="7", policy=Policy(clicks="none")).html or ""  # type: ignore[arg-type]
        url = re.findall(r'href="([^"]+)"', html)[0].replace("&amp;", "&")
        for tail in ("", "?policy=identified", "&clicks=identified"):
            outcome = ask(handler, url + tail, headers=[("cookie", "uuid230=known-person"), ("dnt", "0")])
            assert "set-cookie" not in dict(outcome.response.headers)
            assert outcome.hit is not None
            assert (outcome.hit.source_id, outcome.hit.client_ip) == (None, "")
