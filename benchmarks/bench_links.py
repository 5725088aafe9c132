"""Compiling and rendering a newsletter of some 41 KB with 30 links, against the naive limit and against pytracking."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from benchmarks._mail import BASE, HTML, LINKS, SECRET, TEXT, adapt_html, lxml_parse
from benchmarks._runner import Benchmark
from msgtrack import Keyring, Policy, Tracker
from msgtrack.links import CompiledMessage, MemoryRegistry

_KB = len(HTML) // 1000


def _tracker(style: str) -> Tracker:
    # Stateless links are published nowhere.
    registry = MemoryRegistry() if style == "registered" else None
    return Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET), registry=registry, link_style=style)


def _compiled(style: str) -> CompiledMessage:
    tracker = _tracker(style)
    compiled = tracker.compile(html=HTML, text=TEXT, delivery_id="4711")
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    return compiled


def _naive(compiled: CompiledMessage) -> Callable[[], object]:
    """One signature, one encoding, and one join for each part: what nobody can leave out."""
    rendered = compiled.render(message_id="1234567")
    token = (rendered.html or "").split('<a href="')[1].split('"')[0].rsplit("/", 1)[1]
    html, text = ((part or "").split(token) for part in (rendered.html, rendered.text))

    def work() -> tuple[str, str]:
        mac = hmac.digest(SECRET, b"4711-1234567", hashlib.sha256)[:10]
        made = "4711-1234567" + base64.b32encode(mac).decode()
        return made.join(html), made.join(text)

    return work


def _rendering(style: str) -> list[Benchmark]:
    compiled = _compiled(style)
    own_address = "https://news.example/unsubscribe/1234567"
    naive, peers = _naive(compiled), adapt_html(HTML)
    return [
        Benchmark(
            name=f"render HTML and text, {style}",
            ours=lambda: compiled.render(message_id="1234567"),
            limit=naive,
            peers=peers,
        ),
        Benchmark(
            name="the same with unsubscribe headers (own address)",
            ours=lambda: compiled.render(message_id="1234567", unsubscribe=own_address),
            limit=naive,
            peers=peers,
        ),
        Benchmark(
            name="the same with unsubscribe headers (hosted)",
            ours=lambda: compiled.render(message_id="1234567", unsubscribe="hosted"),
            limit=naive,
            peers=peers,
        ),
    ]


def _once(style: str) -> Benchmark:
    tracker = _tracker(style)

    def work() -> object:
        compiled = tracker.compile(html=HTML, delivery_id="4711")
        if tracker.registry is not None:
            tracker.registry.publish(compiled)
        return compiled.render(message_id="1234567")

    return Benchmark(
        name=f"compile {_KB} KB once and render once, {style}",
        ours=work,
        limit=lambda: HTML.replace("https://shop.example/", f"{BASE}/"),
        peers={**adapt_html(HTML), **lxml_parse(HTML)},
    )


_PERSONAL = HTML.replace("item/7?a=1", "item/7?name={{ user.name }}&amp;a=1")
_VALUES = {"user": {"name": "Zoë Quinn & Co"}}
_ITEMS = 10_000
_LOOP = (
    "<%@ foreach object='items' item='one' %><a href=\"https://shop.example/<%@ value object='one' xpath='@id' %>?"
    "n=<%= escapeUrl(user.name) %>\"><%@ value object='one' xpath='title' %></a>\n<%@ end %>"
)
_LOADERS = {"objects": {"items": [{"@id": number, "title": f"Item {number}"} for number in range(_ITEMS)]}}


def _bare_values(part: str) -> str:
    """One signature, and one encoding of the values: what a personalised link cannot do without."""
    fields = base64.b32encode(b"Zo\xc3\xab Quinn & Co").decode().lower()
    mac = hmac.digest(SECRET, f"{part}/{fields}".encode(), hashlib.sha256)[:10]
    return f"{part}.-{fields}{base64.b32encode(mac).decode()}"


def _personal(style: str) -> list[Benchmark]:
    """With one personalised link: the whole rendering, and what the link adds to it."""
    tracker = _tracker(style)
    plain = tracker.compile(html=HTML, delivery_id="4711")
    compiled = tracker.compile(html=_PERSONAL, delivery_id="4711", syntax="jinja")
    if tracker.registry is not None:
        tracker.registry.publish(plain)
        tracker.registry.publish(compiled)
    signer, token = compiled._token("1234567", Policy(), seed=False)
    return [
        Benchmark(
            name=f"render HTML, one link personalised, {style}; limit: none personalised, one more MAC",
            ours=lambda: compiled.render(message_id="1234567", values=_VALUES),
            limit=lambda: (plain.render(message_id="1234567"), _bare_values(token)),
        ),
        Benchmark(
            name=f"the personalised URL alone, {style}; limit: one MAC and encoding",
            ours=lambda: compiled._personal_urls(signer, token, _VALUES),
            limit=lambda: _bare_values(token),
        ),
    ]


def _loop_limit() -> str:
    """Each link written, and one signature over it."""
    return "".join(
        f'<a href="{BASE}/{hmac.digest(SECRET, str(item["@id"]).encode(), hashlib.sha256).hex()}">{item["title"]}</a>\n'
        for item in _LOADERS["objects"]["items"]
    )


_stateless = _tracker("stateless")

BENCHMARKS = [
    *_rendering("stateless"),
    *_rendering("registered"),
    _once("stateless"),
    _once("registered"),
    Benchmark(
        name=f"compile {_KB} KB, {LINKS} links, HTML and text",
        ours=lambda: _stateless.compile(html=HTML, text=TEXT, delivery_id="4711"),
        limit=lambda: (HTML + TEXT).replace("https://shop.example/", f"{BASE}/"),
        peers=lxml_parse(HTML),
    ),
    *_personal("stateless"),
    *_personal("registered"),
    Benchmark(
        name=f"compile a foreach of {_ITEMS} items, a personalised link each",
        ours=lambda: _stateless.compile(html=_LOOP, delivery_id="4711", syntax="campaign", loaders=_LOADERS),
        limit=_loop_limit,
        items=_ITEMS,
    ),
]
