"""What all frontends share."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.web._edge import Edge

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))


def test_what_failed_behind_the_handler_is_logged_without_token_or_address(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(*_: object) -> bool:
        raise RuntimeError("198.51.100.7 asked for a token")

    page = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring").render(message_id=1)
    path = (page.html or "").split('"')[1].removeprefix("https://t.example.com")
    edge = Edge(RedirectHandler(TRACKER, check=breaks, fallback_url="https://safe.example/"))
    request = Request(
        method="GET", url=path, headers=(), client_ip="198.51.100.7", received_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    with caplog.at_level(logging.ERROR, logger="msgtrack.web"):
        response, _ = edge.answer(request)
    assert response.status < 400
    assert caplog.messages == ["a reader was answered without the help of check: RuntimeError"]
