"""The applications that ``benchmarks.server`` loads: ours, and the least that anybody could answer."""

from __future__ import annotations

import os
from typing import Any

from msgtrack import Keyring, Tracker
from msgtrack.io import SegmentWriter
from msgtrack.redirect import RedirectHandler
from msgtrack.web import asgi, wsgi

__all__ = ["TRACKER", "asgi_app", "asgi_bare", "asgi_equal", "wsgi_app", "wsgi_equal"]

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret of thirty-two bytes or so"))

_LOCATION = "https://shop.example/lamps?utm_source=mail"
_EQUAL = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex"),
    ("x-content-type-options", "nosniff"),
    ("location", _LOCATION),
    ("set-cookie", f"uuid230={'0' * 32}; Max-Age=34128000; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ("content-length", "0"),
]


def _handler() -> RedirectHandler:
    return RedirectHandler(TRACKER)


def _writer() -> SegmentWriter:
    return SegmentWriter(os.environ["SEGMENTS"])


def asgi_app() -> asgi.TrackingApp:
    """Ours."""
    writer = _writer()
    return asgi.TrackingApp(_handler(), record=writer.write, on_shutdown=writer.close)


def wsgi_app() -> wsgi.TrackingApp:
    """Ours."""
    return wsgi.TrackingApp(_handler(), record=_writer().write)


def _bare_asgi(headers: list[tuple[str, str]]) -> Any:
    encoded = [(name.encode(), value.encode()) for name, value in headers]

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 302, "headers": encoded})
            await send({"type": "http.response.body", "body": b""})

    return app


def asgi_bare() -> Any:
    """A fixed 302 and no word more."""
    return _bare_asgi([("location", _LOCATION), ("content-length", "0")])


def asgi_equal() -> Any:
    """A fixed 302 with the headers that ours has."""
    return _bare_asgi(_EQUAL)


def wsgi_equal() -> Any:
    """A fixed 302 with the headers that ours has."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("302 Found", _EQUAL)
        return [b""]

    return app
