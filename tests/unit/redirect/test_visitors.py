"""Who is told apart from whom, and by what: cookies, the wish not to be followed, addresses behind proxies."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.decide import decide, person_key
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit
from msgtrack.redirect import Outcome, PeoplePolicy, RedirectHandler, Request, TrustedProxies, truncated_address

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
PEER = "10.0.0.9"


def urls(policy: Policy | None = None) -> list[str]:
    compiled = TRACKER.compile(html='<a href="https://shop.example/x">x</a>', delivery_id="26")
    html = compiled.render(message_id="7", policy=policy or Policy()).html or ""
    return re.findall(r'(?:href|src)="([^"]+)"', html)


CLICK, OPEN = urls()


def ask(handler: RedirectHandler, url: str = CLICK, client_ip: str = PEER, headers: Any = (), **more: str) -> Outcome:
    named = [*headers, *((name.replace("_", "-"), value) for name, value in more.items())]
    return handler.handle(Request(method="GET", url=url, headers=named, client_ip=client_ip, received_at=AT))


def handler(**options: Any) -> RedirectHandler:
    given_ = {"new_source_id": lambda: "fresh-person-1"} | options
    return RedirectHandler(given_.pop("tracker", TRACKER), **given_)


def hit_of(outcome: Outcome) -> Hit:
    assert outcome.hit is not None
    return outcome.hit


def cookies(outcome: Outcome) -> list[str]:
    return [value for name, value in outcome.response.headers if name == "set-cookie"]


def test_the_cookie_is_for_us_alone() -> None:
    """R30."""
    people = PeoplePolicy(cookie_domain="example.com", cookie_days=30, cookie_name="p")
    (cookie,) = cookies(ask(handler(people=people)))
    assert cookie == "p=fresh-person-1; Max-Age=2592000; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax"
    (plain,) = cookies(ask(handler(tracker=Tracker("http://t.example.com", KEYS))))
    assert "Secure" not in plain
    assert "HttpOnly; SameSite=Lax" in plain


@pytest.mark.parametrize("name", ["cookie_name", "session_cookie", "earlier_cookie", "cookie_domain"])
def test_names_of_cookies_cannot_hold_headers(name: str) -> None:
    """R30, R50."""
    for bad in ("a;b", "a b", "a\r\nSet-Cookie: x", "a=b", "ä"):
        with pytest.raises(InvalidOption, match=name):
            PeoplePolicy(**{name: bad})
    with pytest.raises(InvalidOption, match="three names"):
        PeoplePolicy(session_cookie="uuid230")


def test_one_of_several_cookie_headers_will_do() -> None:
    """R10."""
    split = [("Cookie", "a=b"), ("cookie", "uuid230=bad value; uuid230=known-person")]
    assert hit_of(ask(handler(), headers=split)).source_id == "known-person"


@pytest.mark.parametrize("key", ["cookie", "hash", "none"])
def test_who_wishes_not_to_be_followed_is_not_told_apart(key: str) -> None:
    """R31."""
    for gpc in ("no-key", "aggregate"):
        people = PeoplePolicy(key=key, gpc=gpc, client_ip="truncated")
        outcome = ask(handler(people=people), sec_gpc="1", cookie="uuid230=known-person", user_agent="Browser/1")
        hit = hit_of(outcome)
        assert (outcome.response.status, outcome.reason, hit.privacy) == (302, "click", gpc)
        assert (cookies(outcome), hit.source_id, hit.client_ip) == ([], None, "")
        # Nor when the log is read again, where keys are made for hits that have none.
        event = decide(hit, TRACKER, people=PeoplePolicy(key="hash")).event
        assert event is not None
        assert (event.source_id, event.message_id) == (None, "7" if gpc == "no-key" else None)
        assert (event.client is None) == (gpc == "aggregate")


def test_the_wish_may_be_left_aside_and_other_values_are_none() -> None:
    """R31."""
    ignoring = handler(people=PeoplePolicy(gpc="ignore"))
    assert hit_of(ask(ignoring, sec_gpc="1")).source_id == "fresh-person-1"
    for value in ("0", "", "true", "11", "1, 0"):
        assert hit_of(ask(handler(), sec_gpc=value)).source_id == "fresh-person-1"
    with pytest.raises(InvalidOption, match="gpc"):
        PeoplePolicy(gpc="maybe")


def test_leaving_names_the_message_whatever_the_browser_wishes() -> None:
    """R13, R31."""
    request = Request(
        method="POST",
        url=TRACKER.opt_out_url(delivery_id="26", message_id="7"),
        headers=[("Sec-GPC", "1")],
        received_at=AT,
    )
    outcome = handler(people=PeoplePolicy(gpc="aggregate")).handle(request)
    event = decide(hit_of(outcome), TRACKER).event
    assert event is not None
    assert (outcome.reason, event.kind, event.message_id) == ("opt-out", "unsubscribed", "7")


@pytest.mark.parametrize(
    ("header", "values", "client"),
    [
        ("x-forwarded-for", ["203.0.113.5"], "203.0.113.5"),
        ("x-forwarded-for", ["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
        ("x-forwarded-for", ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        ("x-forwarded-for", ["203.0.113.5, 10.1.1.1, 10.2.2.2"], "203.0.113.5"),
        ("x-forwarded-for", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("x-forwarded-for", ["203.0.113.5:4711"], "203.0.113.5"),
        ("x-forwarded-for", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("x-forwarded-for", ["2001:DB8::0001"], "2001:db8::1"),
        ("x-forwarded-for", ["::ffff:203.0.113.5"], "203.0.113.5"),
        ("x-forwarded-for", ["203.0.113.5, evil"], PEER),
        ("x-forwarded-for", ["203.0.113.5, unknown, 10.1.1.1"], "10.1.1.1"),
        ("x-forwarded-for", [""], PEER),
        ("x-forwarded-for", ["203.0.113.5\r\nX: y"], PEER),
        ("forwarded", ["for=203.0.113.5"], "203.0.113.5"),
        ("forwarded", ['For="[2001:db8::1]:80";proto=https;by=10.0.0.1'], "2001:db8::1"),
        ("forwarded", ["for=198.51.100.1, for=203.0.113.5;proto=http"], "203.0.113.5"),
        ("forwarded", ["for=203.0.113.5, for=_hidden"], PEER),
        ("forwarded", ["for=203.0.113.5", 'for="unknown"'], PEER),
        ("forwarded", ["proto=https"], PEER),
    ],
)
def test_the_client_of_trusted_proxies(header: str, values: list[str], client: str) -> None:
    """R32."""
    proxies = TrustedProxies(networks=["10.0.0.0/8"], header=header)
    other = "forwarded" if header == "x-forwarded-for" else "x-forwarded-for"
    sent = [(header, value) for value in values] + [(other, "for=192.0.2.66, 192.0.2.66")]
    request = Request(method="GET", url="/", headers=sent, client_ip=PEER, received_at=AT)
    assert proxies.client_of(request) == client
    # A peer that nobody trusts speaks for itself.
    stranger = attrs.evolve(request, client_ip="198.51.100.99")
    assert proxies.client_of(stranger) == "198.51.100.99"
    key = person_key(Hit(method="GET", url="/", received_at=AT, client_ip=client), TRACKER)
    hashing = handler(people=PeoplePolicy(key="hash"), proxies=proxies)
    assert hit_of(ask(hashing, headers=sent)).source_id == key


def test_peers_without_an_address() -> None:
    """R32."""
    request = Request(method="GET", url="/", headers=[("x-forwarded-for", "203.0.113.5")], received_at=AT)
    assert TrustedProxies(local=True).client_of(request) == "203.0.113.5"
    assert TrustedProxies(networks=["0.0.0.0/0"]).client_of(request) == ""
    odd = attrs.evolve(request, client_ip="unix:")
    assert TrustedProxies(local=True, networks=["::/0"]).client_of(odd) == ""


def test_proxies_are_checked() -> None:
    """R1, R32."""
    with pytest.raises(InvalidOption, match="no address and no network"):
        TrustedProxies(networks=["10.0.0.0/8", "proxy.example"])
    with pytest.raises(InvalidOption, match="header"):
        TrustedProxies(header="x-real-ip")
    for name, bad in (("proxies", "10.0.0.0/8"), ("tags", ()), ("people", "hash")):
        with pytest.raises(InvalidValue, match=name):
            RedirectHandler(TRACKER, **{name: bad})  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="client_of takes a Request"):
        TrustedProxies().client_of("10.0.0.1")  # type: ignore[arg-type]
    for odd in (None, 5, b"192.0.2.1"):
        with pytest.raises(InvalidValue, match="an address must be text"):
            truncated_address(odd)  # type: ignore[arg-type]


@given(st.lists(st.text(max_size=30) | st.ip_addresses().map(str), max_size=6), st.text(max_size=12), st.booleans())
def test_any_header_gives_an_address_or_none(values: list[str], peer: str, is_new: bool) -> None:
    """R1, R32."""
    name = "forwarded" if is_new else "x-forwarded-for"
    proxies = TrustedProxies(networks=["0.0.0.0/1", "::/1"], header=name, local=True)
    sent = [(name, value if not is_new else f"for={value}") for value in values]
    found = proxies.client_of(Request(method="GET", url="/", headers=sent, client_ip=peer, received_at=AT))
    assert found == "" or str(ipaddress.ip_address(found)) == found


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("[2001:db8:1:2::]:80", "2001:db8:1::"),
        ("", ""),
        ("unknown", ""),
        ("192.0.2", ""),
    ],
)
def test_addresses_are_truncated_before_they_are_kept(address: str, network: str) -> None:
    """R33."""
    assert truncated_address(address) == network
    keeping = handler(people=PeoplePolicy(client_ip="truncated"))
    assert hit_of(ask(keeping, client_ip=address)).client_ip == network
    assert hit_of(ask(handler(), client_ip=address)).client_ip == ""


@pytest.mark.parametrize("consent", ["none", "aggregate", "pseudonymous"])
def test_no_address_is_kept_of_who_may_not_be_identified(consent: str) -> None:
    """R33."""
    policy = Policy(opens=consent, clicks=consent)  # type: ignore[arg-type]
    keeping = handler(people=PeoplePolicy(client_ip="truncated"))
    for url in urls(policy):
        assert hit_of(ask(keeping, url)).client_ip == ""
    assert hit_of(ask(keeping, CLICK.rpartition("/")[0])).client_ip == ""
    with pytest.raises(InvalidOption, match="client_ip"):
        PeoplePolicy(client_ip="whole")


def test_a_hash_needs_no_cookie() -> None:
    """R34."""
    hashing = handler(people=PeoplePolicy(key="hash"))
    outcome = ask(hashing, user_agent="Browser/1", cookie="uuid230=known-person")
    assert cookies(outcome) == []
    assert re.fullmatch(r"[0-9a-f]{32}", hit_of(outcome).source_id or "")
    assert hit_of(outcome).client_ip == ""
    assert hit_of(ask(hashing, OPEN, user_agent="Browser/1")).source_id == hit_of(outcome).source_id
    assert hit_of(ask(hashing, client_ip="10.0.0.8", user_agent="Browser/1")).source_id != hit_of(outcome).source_id


FORKED = """
import os
from msgtrack import Keyring, Tracker
from msgtrack.redirect.visitors import Visitors, random_source_id
from msgtrack.redirect import PeoplePolicy

tracker = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
visitors = Visitors(PeoplePolicy(), tracker, random_source_id, None, None, is_secure=True)
first = [visitors.fresh_key() for _ in range(3)]
reader, writer = os.pipe()
child = os.fork()
keys = [visitors.fresh_key() for _ in range(100)]
if not child:
    os.write(writer, " ".join(keys).encode())
    os._exit(0)
os.waitpid(child, 0)
print(*first, *keys, *os.read(reader, 10_000).decode().split())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked on this system")
def test_keys_of_forked_processes_are_all_others() -> None:
    """R10."""
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    keys = said.stdout.split()
    assert len(keys) == 203
    assert len(set(keys)) == 203
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)
