"""Reading tracked URLs back, against the bare signature and the bare decoding of the same fields."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks._mail import BASE, SECRET
from benchmarks._runner import Benchmark
from msgtrack import Keyring, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.links import MemoryRegistry
from msgtrack.links.tokens import read_message
from msgtrack.testing.gateways import by_name

_AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
_DESTINATION = "https://shop.example/item/7?a=1&b=2"


def _made(style: str) -> tuple[Tracker, str, str]:
    registry = MemoryRegistry()
    tracker = Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET), registry=registry, link_style=style)
    compiled = tracker.compile(html='<a href="https://shop.example/item/7?a=1&amp;b=2">Item</a>', delivery_id="4711")
    registry.publish(compiled)
    html = compiled.render(message_id="1234567").html or ""
    return tracker, html.split('<a href="')[1].split('"')[0], html.split('<img src="')[1].split('"')[0]


def _signed(fields: str) -> str:
    mac = hmac.digest(SECRET, fields.encode(), hashlib.sha256)[:10]
    return fields + base64.b32encode(mac).decode()


def _read(token: str) -> list[str]:
    """A bare token: sixteen characters of signature behind fields parted by hyphens."""
    fields = token[:-16]
    mac = base64.b32encode(hmac.digest(SECRET, fields.encode(), hashlib.sha256)[:10]).decode()
    if not hmac.compare_digest(mac, token[-16:]):
        raise ValueError(token)
    return fields.split("-")


def _number(text: str) -> int:
    return int.from_bytes(base64.b32decode(text), "big")


def _field(number: int) -> str:
    return base64.b32encode(number.to_bytes(5, "big")).decode()


_message = _signed(f"{_field(4711)}-{_field(1234567)}")
_link = _signed(f"{_field(2)}-{_field(4711)}-{base64.b32encode(_DESTINATION.encode()).decode()}")
_links = {"YG57FGBV": (2, 4711, _DESTINATION)}


def _bare_message(url: str) -> tuple[int, int]:
    delivery, message = _read(url.rsplit("/", 1)[1])
    return _number(delivery), _number(message)


def _bare_registered(url: str) -> tuple[int, int, tuple[int, int, str]]:
    _, key, token = url.rsplit("/", 2)
    delivery, message = _read(token)
    return _number(delivery), _number(message), _links[key]


def _bare_stateless(url: str) -> tuple[int, int, int, int, str]:
    _, head, token = url.rsplit("/", 2)
    delivery, message = _read(token)
    link, of, destination = _read(head)
    return _number(delivery), _number(message), _number(link), _number(of), base64.b32decode(destination).decode()


def _row(name: str, ours: Callable[[], object], limit: Callable[[str], object], url: str) -> Benchmark:
    return Benchmark(name=name, ours=ours, limit=lambda: limit(url))


_stateless, _long, _image = _made("stateless")
_registered, _short, _ = _made("registered")
_damaged = by_name("wrapped-twice")(_short)
_hosted = _stateless.opt_out_url(delivery_id="4711", message_id="1234567")
_hit = Hit(method="GET", url=_short, received_at=_AT)

_keys, _part = Keyring.from_secrets(SECRET), _short.rsplit("/", 1)[1]

BENCHMARKS = [
    _row("verify and decode a message part", lambda: read_message(_part, _keys, ""), _bare_message, f"/{_message}"),
    _row("resolve an open", lambda: _stateless.resolve(_image), _bare_message, f"{BASE}/1/{_message}"),
    _row("resolve a registered click", lambda: _registered.resolve(_short), _bare_registered, f"{BASE}/YG57FGBV/{_message}"),
    _row("resolve a stateless click", lambda: _stateless.resolve(_long), _bare_stateless, f"{BASE}/{_link}/{_message}"),
    _row("resolve a hosted opt-out", lambda: _stateless.resolve(_hosted), _bare_message, f"{BASE}/u/{_message}"),
    _row("decide on a registered click", lambda: decide(_hit, _registered), _bare_registered, f"{BASE}/YG57FGBV/{_message}"),
    _row("resolve a click wrapped twice", lambda: _registered.resolve(_damaged), _bare_registered, f"{BASE}/YG57FGBV/{_message}"),
]  # fmt: skip
