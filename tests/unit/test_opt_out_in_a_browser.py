"""The opt-out page in a real browser (R11): its policy holds, its style is let in, its button acts, it fits a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from chromium import Chromium, needs_chromium

from msgtrack import Keyring, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler, Request

pytestmark = needs_chromium


class Site:
    """The handler behind a web server; ``script`` is put into pages and let through by their policy, and nothing else is."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.script = ""
        self.pages: dict[str, str] = {}
        self.may_frame = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outcome = site.handler.handle(
                    Request(
                        method=self.command,
                        url=self.path,
                        headers=self.headers.items(),
                        body=body,
                        received_at=datetime(2026, 3, 2, tzinfo=UTC),
                    )
                )
                response = outcome.response
                if self.path in site.pages:
                    self.send_response(200)
                    self.send_header("content-type", "text/html; charset=utf-8")
                    self.end_headers()
                    self.wfile.write(site.pages[self.path].encode())
                    return
                if outcome.hit is not None and "/u/" in self.path:
                    site.hits.append(outcome.hit)
                self.send_response(response.status)
                for name, value in response.headers:
                    self.send_header(name, site.policy(value) if name == "content-security-policy" else value)
                self.end_headers()
                page = response.body.decode()
                once = site.script if self.command == "GET" else ""
                self.wfile.write(page.replace("</main>", f"</main>{once}").encode())

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.tracker = Tracker(self.url, Keyring.from_secrets("a secret that is long enough to sign with"))
        self.handler = RedirectHandler(self.tracker)
        self.opt_out = self.tracker.opt_out_url(delivery_id="1", message_id="7")
        Thread(target=self.server.serve_forever, daemon=True).start()

    def policy(self, value: str) -> str:
        if self.script:
            value += "; script-src 'unsafe-inline'"
        return value.replace("frame-ancestors 'none'", "frame-ancestors *") if self.may_frame else value

    def kinds(self) -> list[str]:
        events = (decide(hit, self.tracker).event for hit in self.hits)
        return [event.kind for event in events if event is not None]


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_the_page_is_shown_within_its_policy_and_does_nothing_by_itself(site: Site, browse: Chromium) -> None:
    document, log = browse(site.opt_out)
    assert "Do you want to stop receiving these messages?" in document
    # A style that its hash did not let in would be told here.
    assert "Content Security Policy" not in log
    assert site.kinds() == ["opt-out-click"]


def test_the_button_acts(site: Site, browse: Chromium) -> None:
    site.script = "<script>document.querySelector('button').click()</script>"
    document, log = browse(site.opt_out)
    assert "You have unsubscribed" in document
    assert "Content Security Policy" not in log
    assert site.kinds() == ["opt-out-click", "unsubscribed"]


def test_nothing_else_gets_into_the_page(site: Site, browse: Chromium) -> None:
    site.script = (
        "<style>h1 { display: none }</style><img src='/stolen.gif'><form action='https://elsewhere.example/' method=post>"
        "<button id=b>x</button></form><script>document.getElementById('b').click()</script>"
    )
    document, log = browse(site.opt_out)
    assert "Do you want to stop" in document
    for refused in ("style-src", "img-src", "form-action"):
        assert refused in log
    assert site.kinds() == ["opt-out-click"]


@pytest.mark.parametrize("width", [390])
def test_the_page_needs_no_scrolling_sideways(site: Site, browse: Chromium, width: int) -> None:
    site.may_frame = True
    site.pages["/frame"] = (
        f"<iframe src='{site.opt_out}' style='width:{width}px;height:700px;border:0'></iframe><script>onload = () => "
        "{ const page = frames[0].document.documentElement; "
        "document.title = `wide: ${page.scrollWidth} high: ${page.querySelector('button').offsetHeight}` }</script>"
    )
    document, _ = browse(f"{site.url}/frame", "--window-size=1400,1000")
    found = re.search(r"<title>wide: (\d+) high: (\d+)</title>", document)
    assert found is not None
    assert int(found[1]) <= width
    assert int(found[2]) >= 44


def test_nobody_may_frame_the_page(site: Site, browse: Chromium) -> None:
    site.pages["/frame"] = f"<iframe src='{site.opt_out}'></iframe>"
    _, log = browse(f"{site.url}/frame")
    assert "frame-ancestors" in log
