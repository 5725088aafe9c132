"""Compiling and rendering a newsletter of some 41 KB with 30 links, against the naive limit and against pytracking."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from benchmarks._mail import BASE, HTML, LINKS, SECRET, TEXT, adapt_html, lxml_parse
from benchmarks._runner import Benchmark
from msgtrack import Keyring, Tracker
from msgtrack.links import CompiledMessage, MemoryRegistry

_KB = len(HTML) // 1000


def _tracker(style: str) -> Tracker:
    return Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET), registry=MemoryRegistry(), link_style=style)


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
]
