"""The short way of the redirect comes to what the long way comes to, whatever was asked before."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.links import MemoryRegistry
from msgtrack.model import Resolution
from msgtrack.redirect import Outcome, PeoplePolicy, RedirectHandler, Request
from msgtrack.web import asgi, wsgi

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
OLD, NEW = "a secret that has signed for many years", "a secret that is long enough to sign with"
HTML = '<a href="https://a.example/?x=1&amp;y=2">x</a><a href="https://a.example/leave" _type="opt-out">y</a>'
POLICIES = [Policy(), Policy(opens="pseudonymous"), Policy(clicks="aggregate"), Policy(opens="none", clicks="none")]


def urls_of(tracker: Tracker) -> list[str]:
    found = []
    for delivery, end in (("4711", None), ("spring", AT + timedelta(seconds=2))):
        page = tracker.compile(html=HTML, delivery_id=delivery, expires_at=end)
        if tracker.registry is not None:
            tracker.registry.publish(page)
        for number in range(3):
            for policy in POLICIES:
                html = page.render(message_id=1_000 + number, policy=policy, seed=number == 2).html or ""
                found += re.findall(r'(?:href|src)="([^"]+)"', html)
    found.append(tracker.opt_out_url(delivery_id="4711", message_id="1000"))
    return [url.replace("&amp;", "&").removeprefix("https://t.example.com") for url in found]


SIGNERS = [
    Tracker("https://t.example.com", Keyring.from_secrets(NEW)),
    Tracker("https://t.example.com", Keyring.from_secrets(OLD)),
    Tracker("https://t.example.com", Keyring.from_secrets(NEW), conceal_ids=True),
    Tracker("https://t.example.com", Keyring.from_secrets(NEW), MemoryRegistry(), link_style="registered"),
]
URLS = [url for signer in SIGNERS for url in urls_of(signer)]
HEADERS = [
    *[
        ("user-agent", "Browser/1"),
        ("user-agent", "B\xc3\xa9"),
        ("user-agent", "b" * 600),
        ("referer", "https://a.example/"),
    ],
    *[("sec-gpc", "1"), ("sec-gpc", ""), ("purpose", "prefetch"), ("x-moz", ""), ("cookie", "uuid230=known-person")],
    *[("cookie", "a=b; uuid230=short; uuid230=another-person"), ("cookie", "")],
]
READER = Keyring.from_secrets(NEW, verify_only=[OLD])

asked = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "POST"]),
        "place": st.integers(0, 1),
        "host": st.sampled_from([*[""] * 9, "https://t.example.com", "http://evil.example"]),
        "damage": st.sampled_from([*[""] * 12, "?a=b", ")", "0", "/", "/x"]),
        "headers": st.lists(st.sampled_from(HEADERS), max_size=3),
        "received_at": st.sampled_from([AT, AT, AT + timedelta(seconds=2), AT + timedelta(days=9)]),
    }
)  # fmt: skip
urls = st.sampled_from(URLS)
people = st.builds(
    PeoplePolicy, key=st.sampled_from(["cookie", "cookie", "none", "hash"]), client_ip=st.sampled_from(["none", "truncated"])
)  # fmt: skip


def handler_of(policy: PeoplePolicy, *, registered: bool, **options: Any) -> RedirectHandler:
    tracker = Tracker("https://t.example.com", READER)
    registry = SIGNERS[-1].registry if registered else None
    return RedirectHandler(tracker, registry, people=policy, new_source_id=lambda: "fresh-person", **options)


def links_of(kind: str, signer: int = 0, ends_at: datetime | None = None, policy: Policy = POLICIES[0]) -> list[str]:
    """The URLs of one kind, for two messages and a seed."""
    page = SIGNERS[signer].compile(html=HTML, delivery_id="4711", expires_at=ends_at)
    place = {"click": 0, "opt-out": 1, "open": 2}[kind]
    texts = [page.render(message_id=number, policy=policy, seed=number == 7).html or "" for number in (5, 6, 7)]
    return [re.findall(r'(?:href|src)="https://t.example.com([^"]+)"', text)[place] for text in texts]


def one(method: str = "GET", *headers: tuple[str, str]) -> dict[str, Any]:
    return {"method": method, "place": 0, "host": "", "damage": "", "headers": headers, "received_at": AT}


ALL = [one(), one("HEAD"), one("POST"), *[one("GET", header) for header in HEADERS]]


@pytest.mark.parametrize("kind", ["click", "opt-out", "open"])
@pytest.mark.parametrize("key", ["cookie", "none", "hash"])
@pytest.mark.parametrize("policy", POLICIES[:3], ids=["identified", "pseudonymous", "aggregate"])
def test_both_ways_come_to_the_same_one_after_the_other(kind: str, key: Any, policy: Policy) -> None:
    """R1, R3, R9, R21, R51."""
    first, second, _ = links_of(kind, policy=policy)
    both(first, second, ALL, PeoplePolicy(key=key), registered=False)


@given(st.tuples(urls, urls), st.lists(asked, min_size=2, max_size=8), people, st.booleans())
def test_both_ways_come_to_the_same(
    pair: tuple[str, str], requests: list[dict[str, Any]], policy: PeoplePolicy, registered: bool
) -> None:
    """R1, R3, R9, R21, R51."""
    both(*pair, requests, policy, registered=registered)


def both(first: str, second: str, requests: list[dict[str, Any]], policy: PeoplePolicy, *, registered: bool) -> None:
    short, long = handler_of(policy, registered=registered), handler_of(policy, registered=registered)
    long.shortcut = None
    # All of them twice: what the first time has taught is what the second time goes by.
    for one in [*requests, *requests]:
        said = dict(one)
        url = said.pop("host") + (first, second)[said.pop("place")] + said.pop("damage")
        request = Request(url=url, client_ip="192.0.2.7", **said)
        assert short.handle(request) == long.handle(request)


def found(handler: RedirectHandler, url: str, *headers: tuple[str, str], at: datetime = AT) -> Outcome | None:
    """What the short way comes to, if it is taken."""
    shortcut = handler.shortcut
    assert shortcut is not None
    request = Request(method="GET", url=url, headers=headers, received_at=at)
    said = shortcut.find(request.method, request.url, request.headers, at)
    return None if said is None else Outcome(response=said[0].answer(said[2]), hit=said[1], reason=said[0].reason)


@pytest.mark.parametrize("kind", ["click", "opt-out", "open"])
def test_the_second_of_a_kind_takes_the_short_way(kind: str) -> None:
    """R51."""
    handler = handler_of(PeoplePolicy(), registered=False)
    first, second, seed = links_of(kind)
    assert found(handler, first) is None
    answered = handler.handle(Request(method="GET", url=first, received_at=AT))
    assert found(handler, first) == answered
    known = found(handler, second, ("cookie", "uuid230=known-person"))
    assert known is not None
    assert known.hit is not None
    assert known.hit.source_id == "known-person"
    # Another head is another family; what says more than a browser must goes the long way.
    assert found(handler, seed) is None
    assert found(handler, second, ("sec-gpc", "0")) is None
    assert found(handler, first.replace("/", "//", 1)) is None


def test_a_link_that_ends_is_answered_until_it_ends() -> None:
    """R51."""
    handler = handler_of(PeoplePolicy(), registered=False)
    url = links_of("click", ends_at=AT + timedelta(seconds=2))[0]
    handler.handle(Request(method="GET", url=url, received_at=AT))
    assert found(handler, url, at=AT + timedelta(seconds=1)) is not None
    assert found(handler, url, at=AT + timedelta(seconds=2)) is None


def test_a_link_of_a_registry_is_asked_for_each_time() -> None:
    """R51."""
    handler = handler_of(PeoplePolicy(), registered=True)
    for kind in ("click", "open"):
        url = links_of(kind, 3)[0]
        assert handler.handle(Request(method="GET", url=url, received_at=AT)).reason == kind
        assert (found(handler, url) is None) is (kind == "click")


def test_a_registry_that_comes_later_is_asked_too() -> None:
    """R51."""
    tracker = Tracker("https://t.example.com", READER)
    handler = RedirectHandler(tracker)
    stateless, stateless_too, _ = links_of("click")
    opened, opened_too, _ = links_of("open")
    first, second, _ = links_of("click", 3)
    for url in (stateless, opened):
        handler.handle(Request(method="GET", url=url, received_at=AT))
    assert found(handler, stateless_too) is not None
    tracker.registry = SIGNERS[3].registry
    assert found(handler, stateless_too) is None
    assert found(handler, opened_too) is not None
    assert handler.handle(Request(method="GET", url=first, received_at=AT)).reason == "click"
    assert found(handler, second) is None


def _admits(resolution: Resolution) -> bool:
    return True


@pytest.mark.parametrize(
    "handler",
    [
        handler_of(PeoplePolicy(key="hash"), registered=False),
        handler_of(PeoplePolicy(client_ip="truncated"), registered=False),
        handler_of(PeoplePolicy(), registered=False, check=_admits),
    ],
    ids=["hash", "address", "check"],
)
def test_where_all_requests_differ_there_is_no_short_way(handler: RedirectHandler) -> None:
    """R51."""
    assert handler.shortcut is None


class Refusing(RedirectHandler):
    """A handler that answers in a way of its own."""

    def handle(self, request: Request) -> Outcome:
        raise PermissionError


@pytest.mark.parametrize("make", [asgi.TrackingApp, wsgi.TrackingApp])
def test_who_answers_in_a_way_of_his_own_is_always_asked(make: Any) -> None:
    """R51."""
    handler = Refusing(Tracker("https://t.example.com", READER))
    url = links_of("click")[0]
    super(Refusing, handler).handle(Request(method="GET", url=url, received_at=AT))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": url}
    scope = {"type": "http", "method": "GET", "path": url, "headers": []}
    app = make(handler)
    with pytest.raises(PermissionError):
        app(environ, None) if make is wsgi.TrackingApp else app(scope, None, None).send(None)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """R51."""
    monkeypatch.setattr("msgtrack.redirect.shortcut._ROOM", 3)
    handler = handler_of(PeoplePolicy(), registered=False)
    shortcut = handler.shortcut
    assert shortcut is not None
    for url in urls_of(SIGNERS[0]):
        outcome = handler.handle(Request(method="GET", url=url, received_at=AT))
        assert outcome.response.status in (200, 302)
        assert sum(map(len, shortcut._settled.values())) <= 3


def test_nobody_fills_the_room_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """R51."""
    monkeypatch.setattr("msgtrack.redirect.shortcut._ROOM", 3)
    handler = handler_of(PeoplePolicy(), registered=False)
    first, second, _ = links_of("click")
    handler.handle(Request(method="GET", url=first, received_at=AT))
    for _ in range(5):
        # An empty word of a purpose goes the long way, and means nothing.
        handler.handle(Request(method="GET", url=links_of("open")[0], headers=[("x-moz", "")], received_at=AT))
    assert found(handler, second) is not None


def test_many_threads_come_to_the_same() -> None:
    """R51."""
    short, long = handler_of(PeoplePolicy(), registered=False), handler_of(PeoplePolicy(), registered=False)
    long.shortcut = None
    requests = [Request(method="GET", url=url, received_at=AT) for url in URLS] * 4
    wanted = [long.handle(request) for request in requests]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(short.handle, requests)) == wanted


def test_a_failing_maker_of_keys_is_told() -> None:
    """R51."""
    tracker = Tracker("https://t.example.com", READER)
    handler = RedirectHandler(tracker, new_source_id=lambda: "not fit")
    url = links_of("click")[0]
    for _ in range(2):
        outcome = handler.handle(Request(method="GET", url=url, received_at=AT))
        assert ([failure.where for failure in outcome.failures], outcome.response.status) == (["new-source-id"], 302)
