"""What the suite of frontends asks: ordinary requests, and those that nobody should send."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from random import Random

from attrs import evolve

from msgtrack.links import Keyring, Tracker
from msgtrack.model import Delivery, PeoplePolicy
from msgtrack.redirect import Outcome, RedirectHandler, Request
from msgtrack.testing._frontend_http import Asked

__all__ = [
    "AT",
    "FORM",
    "HANDLERS",
    "MAX_BODY",
    "ONE_CLICK",
    "OPT_OUT",
    "any_paths",
    "beyond_ascii",
    "clicks",
    "cut",
    "handlers",
    "methods",
    "ordinary",
    "paths",
    "posted",
    "twice",
    "with_headers",
]

AT = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
MAX_BODY = 65_536
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

_BASE = "https://t.example.com"
_KEYRING = Keyring.from_secrets("the secret of frontends under test")
_TRACKER = Tracker(_BASE, _KEYRING)
_PAGE = _TRACKER.compile(
    html='<a href="https://shop.example/">a</a>'
    '<a href="https://SHOP.Example/Caf%C3%A9/ä?q=[1]&amp;r=%252F;x\'(2)#Frag">b</a>'
    '<a href="https://bücher.example:8443/a//b/../c">c</a>',
    delivery_id="spring",
)
_EXPIRED = _TRACKER.compile(
    html='<a href="https://shop.example/late">a</a>', delivery_id="autumn", expires_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def _targets(html: str | None) -> list[str]:
    return [match[1] for match in re.finditer(re.escape(_BASE) + r"(/[a-z0-9./-]+)", html or "")]


def clicks(message_id: int) -> list[str]:
    """The targets of a message: three links and the open."""
    return _targets(_PAGE.render(message_id=message_id).html)


_CLICK, _ODD, _IDN, _OPEN = clicks(7)
(_LATE, *_) = _targets(_EXPIRED.render(message_id=7).html)
OPT_OUT, _MIRROR, _PREFERENCES = (
    make(delivery_id="spring", message_id=7).removeprefix(_BASE)
    for make in (_TRACKER.opt_out_url, _TRACKER.mirror_url, _TRACKER.preferences_url)
)


def _person() -> str:
    return "a-person-that-is-new"


class _Twice(RedirectHandler):
    """Says some headers twice."""

    def handle(self, request: Request) -> Outcome:
        outcome = super().handle(request)
        more = (("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/"), ("link", "<a>"))
        headers = (*outcome.response.headers, *more, ("link", "<b>"))
        return evolve(outcome, response=evolve(outcome.response, headers=headers))


_DELIVERIES = {"autumn": Delivery(id="autumn", expired_url="https://shop.example/gone")}


@cache
def handlers(prefix: str) -> dict[str, RedirectHandler]:
    """Handlers of what is mounted there, by name; each answers the same whenever it is asked, in any process."""
    tracker = Tracker(_BASE + prefix, _KEYRING)
    return {
        "cookie": RedirectHandler(
            tracker,
            deliveries=_DELIVERIES,
            mirror=lambda resolution: f"<p>{resolution.message_id} café</p>",
            preferences=lambda resolution: "https://shop.example/preferences",
            new_source_id=_person,
        ),
        "hash": RedirectHandler(tracker, people=PeoplePolicy(key="hash"), new_source_id=_person),
        "twice": _Twice(tracker, new_source_id=_person),
    }


HANDLERS = handlers("")


def ordinary() -> list[Asked]:
    """What readers and their programs ask."""
    targets = {
        "click": _CLICK,
        "click to an odd destination": _ODD,
        "click to a host that is not ASCII": _IDN,
        "open": _OPEN,
        "expired": _LATE,
        "opt-out": OPT_OUT,
        "mirror page": _MIRROR,
        "preferences": _PREFERENCES,
        "nowhere": "/nothing/here",
        "health": "/r/test",
        "robots": "/robots.txt",
        "root": "/",
        "with a query": _CLICK + "?utm_source=a&x=%20+",
        "damaged identity": _CLICK[:-1] + ("0" if _CLICK[-1] != "0" else "1"),
    }
    return [
        Asked(name=f"{method} {name}", method=method, target=target, headers=(("User-Agent", "Browser/1 (X; Y)"),))
        for name, target in targets.items()
        for method in ("GET", "HEAD")
    ]


def with_headers() -> list[Asked]:
    """Headers that the answer or the hit hangs on."""
    known = (("Cookie", "a=b; uuid230=a-person-known-before; c=d"),)
    return [
        Asked(name="cookie", target=_CLICK, headers=known),
        Asked(name="cookie of an open", target=_OPEN, headers=known),
        Asked(name="another cookie", target=_CLICK, headers=(("Cookie", "other=1"),)),
        Asked(name="names in any case", target=_CLICK, headers=(("cOOKIE", known[0][1]), ("USER-AGENT", "A/1"))),
        Asked(name="prefetch", target=_CLICK, headers=(("Sec-Purpose", "prefetch;prerender"),)),
        Asked(name="referrer", target=_CLICK, headers=(("Referer", "https://mail.example/?a=%20"),)),
        Asked(name="nobody's agent", target=_CLICK, headers=(("User-Agent", ""),)),
        Asked(name="long header", target=_CLICK, headers=(("User-Agent", "x" * 4_000),)),
        Asked(name="another host", target=_CLICK, headers=(("X-Forwarded-Host", "evil.example"),)),
    ]


def beyond_ascii() -> list[Asked]:
    """A header of bytes that are no text."""
    agent = (("User-Agent", "caf\xe9 \xc3\xa9 \xff"),)
    return [Asked(name="bytes beyond ASCII", target=_CLICK, headers=agent)]


def twice() -> list[Asked]:
    """Headers that come twice."""
    agents = (("User-Agent", "A/1"), ("User-Agent", "B/2"))
    cookies = (("Cookie", "a=b"), ("Cookie", "uuid230=a-person-known-before"))
    return [
        Asked(name="two agents", target=_CLICK, headers=agents),
        Asked(name="two cookies", target=_CLICK, headers=cookies),
    ]


def paths() -> list[Asked]:
    """Paths with encodings, damage and malice in them."""
    link, _, message = _CLICK.lstrip("/").partition("/")
    odd = {
        "upper case": _CLICK.upper(),
        "a bracket behind it": _CLICK + ")",
        "encoded letters": "/" + "".join(f"%{ord(letter):02X}" for letter in link) + "/" + message,
        "encoded slash": f"/{link}%2F{message}",
        "encoded twice": _CLICK.replace("-", "%252D"),
        "encoded three times": _CLICK.replace("-", "%25252d"),
        "encoded in lower case": _CLICK.replace("-", "%2d"),
        "two slashes": "//" + _CLICK.lstrip("/"),
        "another's host": "//evil.example/" + link,
        "dots": "/a/../../etc/passwd",
        "encoded dots": "/%2e%2e/%2E%2E/etc/passwd",
        "line break": "/a%0d%0aSet-Cookie:%20evil=1",
        "zero byte": "/a%00b",
        "no UTF-8": "/%ff%fe/%C3",
        "UTF-8": "/caf%C3%A9/%E2%82%AC",
        "percent sign alone": "/100%25/%zz/%",
        "matrix": "/;a=b/c;d=e,f",
        "marks": "/!$&'(*+),;=:@~-._/",
        "plus and space": "/a+b%20c%2B",
        "script": "/%3Cscript%3Ealert(1)%3C/script%3E?%3Cscript%3E",
        "URL as a query": "/?url=https://evil.example/&u=//evil.example",
        "question marks": "/a?b?c=?d",
        "encoded question mark": _CLICK + "%3Fa=b",
        "encoded hash": _CLICK + "%23a",
        "line break in the query": _CLICK + "?a=%0d%0aX:%20y",
        "long": "/" + "a" * 6_000,
        "deep": "/a" * 1_000,
        "slash at the end": _CLICK + "/",
    }
    return [Asked(name=name, target=target) for name, target in odd.items()]


def any_paths(count: int) -> list[Asked]:
    """Paths that nobody thought of, the same at each call."""
    random = Random(5)  # noqa: S311  # repeatable, and no secret
    pieces = [
        *"abcXYZ019-._~!$&'(*+),;=:@/",
        "%2F",
        "%2f",
        "%25",
        "%252F",
        "%00",
        "%0A",
        "%C3%A9",
        "%FF",
        "%41",
        _CLICK,
    ]
    found = []
    for number in range(count):
        path = "/" + "".join(random.choice(pieces) for _ in range(random.randrange(24)))
        query = "?a" + "".join(random.choice(pieces) for _ in range(random.randrange(6))) if number % 3 == 0 else ""
        found.append(Asked(name=f"path {number}", target=path + query))
    return found


def methods() -> list[Asked]:
    """Methods beside GET and HEAD, with and without bodies."""
    return [
        Asked(name=f"{method} {place}", method=method, target=target, body=body)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND")
        for place, target, body in (("click", _CLICK, b""), ("opt-out", OPT_OUT, ONE_CLICK), ("nowhere", "/x", b""))
    ]


def posted(*, chunked: bool) -> list[Asked]:
    """Bodies; with ``chunked`` without their length being said."""
    largest = ONE_CLICK + b"&x=".ljust(MAX_BODY - len(ONE_CLICK), b"x")
    bodies = {
        "one click": ONE_CLICK,
        "other field": b"a=b",
        "as large as may be": largest,
        "too large": largest + b"x",
        "far too large": largest * 3,
    }
    if not chunked:
        bodies["nothing"] = b""
    found = [
        Asked(name=name, method="POST", target=OPT_OUT, headers=FORM, body=body, chunked=chunked)
        for name, body in bodies.items()
    ]
    parts = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    kind = (("Content-Type", "multipart/form-data; boundary=b"),)
    found.append(Asked(name="parts", method="POST", target=OPT_OUT, headers=kind, body=parts, chunked=chunked))
    found.append(Asked(name="on a click", method="POST", target=_CLICK, headers=FORM, body=ONE_CLICK, chunked=chunked))
    return found


def cut(prefix: str, *, chunked: bool) -> list[tuple[str, bytes]]:
    """What is sent of requests whose body breaks off, each with a name; what a one-click needs has come by then."""
    target, body = prefix + OPT_OUT, ONE_CLICK + b"&x=y"
    asked = Asked(name="", method="POST", target=target, headers=FORM, body=body, chunked=chunked)
    head, rest = asked.head(), asked.rest()
    so_far = head + rest[: rest.index(ONE_CLICK) + len(ONE_CLICK)]
    if not chunked:
        return [("a body shorter than was said", so_far), ("a body that never began", head)]
    return [
        ("in a chunk", so_far),
        ("in the end of a chunk", head + rest.removesuffix(b"\n0\r\n\r\n")),
        ("before the last chunk", head + rest.removesuffix(b"0\r\n\r\n")),
        ("in the size of the last chunk", head + rest.removesuffix(b"\r\n\r\n")),
        ("before the end of the last chunk", head + rest.removesuffix(b"\r\n")),
        ("before the first chunk", head),
    ]
