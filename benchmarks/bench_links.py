"""Compiling, rendering and resolving a newsletter of some 40 KB with 30 links."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
from collections.abc import Callable

from benchmarks._runner import Benchmark
from msgtrack import Keyring, Tracker

LINKS = 30
SECRET = b"a secret of thirty-two bytes or so"

_ROW = (
    '<tr><td style="padding:8px 16px;font:16px/24px Helvetica,Arial,sans-serif;color:#333"><p>{filler}</p>'
    '<a href="https://shop.example/item/{number}?a=1&amp;b=2" style="color:#06c">Item {number}</a></td></tr>\n'
)
HTML = (
    "<!doctype html><html><head><title>News</title><style>a { color: red }</style></head><body><table>\n"
    + "".join(_ROW.format(number=number, filler="The quick brown fox. " * 55) for number in range(LINKS))
    + "</table></body></html>\n"
)

_tracker = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets(SECRET))
_compiled = _tracker.compile(html=HTML, delivery_id="4711")
_pieces = _compiled.parts[0].pieces
_url = (_compiled.render(message_id="1234567").html or "").split('<a href="')[1].split('"')[0]
_signed, _mac = b"0123456789abcdef" * 4, hmac.digest(SECRET, b"0123456789abcdef" * 4, hashlib.sha256)


def _sign_and_join() -> str:
    mac = hmac.digest(SECRET, b"4711-1234567", hashlib.sha256)[:10]
    return ("4711-1234567" + base64.b32encode(mac).decode()).join(_pieces)


def _verify() -> bool:
    return hmac.compare_digest(hmac.digest(SECRET, _signed, hashlib.sha256), _mac)


def _parsers() -> dict[str, Callable[[], object]]:
    if importlib.util.find_spec("lxml") is None:
        return {}
    from lxml import html

    return {"lxml, parsing alone": lambda: html.fromstring(HTML)}


BENCHMARKS = [
    Benchmark(
        name=f"compile {len(HTML) // 1000} KB, {LINKS} links",
        ours=lambda: _tracker.compile(html=HTML, delivery_id="4711"),
        limit=lambda: HTML.replace("https://shop.example/", "https://t.example.com/"),
        peers=_parsers(),
    ),
    Benchmark(
        name="render for one recipient",
        ours=lambda: _compiled.render(message_id="1234567"),
        limit=_sign_and_join,
    ),
    Benchmark(name="resolve one tracked URL", ours=lambda: _tracker.resolve(_url), limit=_verify),
]
