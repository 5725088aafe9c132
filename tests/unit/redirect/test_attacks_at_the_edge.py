"""Hostile bytes through the ASGI application: it says what the pure handler says, and never raises."""

from __future__ import annotations

import asyncio
import re
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import pytest
from attacks import BYTES
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web.asgi import TrackingApp
from msgtrack.webtags import WebTags

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
DESTINATION = b"https://shop.example/x"


def fails(*_: object) -> Any:
    raise LookupError("10.0.0.9")


HANDLER = RedirectHandler(TRACKER, mirror=fails, preferences=fails, health=fails, tags=WebTags())
COMPILED = TRACKER.compile(html='<a href="https://shop.example/x">x</a>', delivery_id="26").render(message_id="7")
IDS: dict[str, Any] = {"delivery_id": "26", "message_id": "7"}
URLS = [
    url.removeprefix("https://t.example.com").encode()
    for url in (
        *re.findall(r'(?:href|src)="([^"]+)"', COMPILED.html or ""),
        TRACKER.opt_out_url(**IDS),
        TRACKER.mirror_url(**IDS),
        TRACKER.preferences_url(**IDS),
    )
] + [b"/r/1", b"/r/test"]


def ask(
    path: bytes,
    query: bytes = b"",
    method: str = "GET",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[MutableMapping[str, Any]] = []
    hits: list[Hit] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "headers": headers or [],
        "client": ("10.0.0.9", 4711),
    }
    asyncio.run(TrackingApp(HANDLER, record=hits.append, clock=lambda: AT)(scope, receive, send))
    start, end = sent
    answer = dict(start["headers"])
    assert start["status"] < 500
    assert answer.get(b"location") in (None, DESTINATION)
    assert not any(b"\r" in value or b"\n" in value for pair in start["headers"] for value in pair)
    assert b"10.0.0.9" not in end["body"]
    assert all("10.0.0.9" not in repr(hit) for hit in hits)
    return start["status"], answer


@pytest.mark.parametrize("bad", BYTES, ids=lambda bad: ascii(bad)[:24])
def test_hostile_bytes_over_asgi(bad: bytes) -> None:
    """R1, R23, R24, R50."""
    for url in URLS:
        for path, query in (
            (url + bad, b""),
            (b"/" + bad, b""),
            (url, b"tagid=" + bad),
            (url, b"u=" + bad),
            (bad + url, bad),
        ):
            ask(path, query)
        for name in (b"host", b"cookie", b"x-forwarded-for", b"forwarded", b"accept-language", b"user-agent"):
            ask(url, headers=[(name, bad)])
        ask(url, method="POST", headers=[(b"content-type", b"multipart/form-data; boundary=" + bad)], body=bad[:1_000])


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(URLS), st.sampled_from(["GET", "HEAD", "POST"]))
def test_any_bytes_over_asgi(path: bytes, query: bytes, url: bytes, method: str) -> None:
    """R1, R22, R50."""
    ask(url + path, query, method, [(b"cookie", path), (b"host", query)], path)
    ask(path, query, method)
