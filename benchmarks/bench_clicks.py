"""A click inside the server's process, from environ to answer, against what nobody could leave out."""

from __future__ import annotations

import atexit
import hashlib
import hmac
import itertools
import json
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._mail import BASE, SECRET
from benchmarks._runner import Benchmark
from msgtrack import Keyring, Tracker
from msgtrack.io import SegmentWriter
from msgtrack.redirect import RedirectHandler
from msgtrack.web.asgi import utc_now
from msgtrack.web.wsgi import TrackingApp

_MESSAGES = 5_000
_TRACKER = Tracker(BASE, Keyring.from_secrets(SECRET))
_HANDLER = RedirectHandler(_TRACKER)
_DESTINATION = "https://shop.example/item/7?a=1&b=2"
# As granian makes it, with the headers that a browser sends.
_ENVIRON: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "QUERY_STRING": "",
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.url_scheme": "https",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_ACCEPT_LANGUAGE": "fr-CA,fr;q=0.8,en;q=0.5",
    "HTTP_CONNECTION": "keep-alive",
    "HTTP_HOST": "t.example.com",
    "HTTP_SEC_FETCH_DEST": "document",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_SITE": "cross-site",
    "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
}

_scratch = tempfile.TemporaryDirectory()
_writer = SegmentWriter(Path(_scratch.name) / "hits")
_bare = os.open(Path(_scratch.name) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@atexit.register
def _clean() -> None:
    _writer.close()
    os.close(_bare)
    _scratch.cleanup()


def _clicks() -> list[dict[str, Any]]:
    page = _TRACKER.compile(html=f'<a href="{_DESTINATION.replace("&", "&amp;")}">Item</a>', delivery_id="4711")
    made = []
    for number in range(_MESSAGES):
        url = re.findall(r'href="([^"]+)"', page.render(message_id=10_000_000 + number).html or "")[0]
        made.append(_ENVIRON | {"PATH_INFO": url.removeprefix(BASE.rstrip("/"))})
    return made


_next = itertools.cycle(_clicks()).__next__
_recording, _silent = TrackingApp(_HANDLER, record=_writer.write), TrackingApp(_HANDLER)


def _start_response(status: str, headers: list[tuple[str, str]]) -> None:
    """As a server has it, without the server."""


def _least(environ: dict[str, Any], *, keeps: bool) -> list[tuple[str, str]]:
    """One signature, one line of JSON, one write(2), and headers with a key of the person."""
    token = environ["PATH_INFO"].rpartition("/")[2]
    hmac.compare_digest(hmac.digest(SECRET, token.encode(), hashlib.sha256), b"")
    person = secrets.token_hex(16)
    if keeps:
        hit = {
            "method": environ["REQUEST_METHOD"],
            "url": environ["PATH_INFO"],
            "received_at": utc_now().isoformat(),
            "user_agent": environ["HTTP_USER_AGENT"],
            "source_id": person,
        }
        os.write(_bare, json.dumps(hit).encode() + b"\n")
    return [("location", _DESTINATION), ("set-cookie", f"uuid230={person}; Path=/; Secure; HttpOnly; SameSite=Lax")]


BENCHMARKS = [
    Benchmark(
        name="answer a click through WSGI, its hit being written; limit: one MAC, json.dumps, write(2)",
        ours=lambda: _recording(_next(), _start_response),
        limit=lambda: _least(_next(), keeps=True),
        peers={"the URL read alone": lambda: _TRACKER.resolve(_next()["PATH_INFO"], at=utc_now())},
    ),
    Benchmark(
        name="answer a click through WSGI; limit: one MAC",
        ours=lambda: _silent(_next(), _start_response),
        limit=lambda: _least(_next(), keeps=False),
    ),
]
