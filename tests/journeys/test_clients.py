"""Real clients follow links and load pixels: curl, httpx, and a browser that keeps cookies and a cache."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium, needs_chromium

from msgtrack import Delivery, Keyring, Message, Tracker, collect, open_store
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder, SegmentWriter
from msgtrack.metrics import indicators
from msgtrack.redirect import RedirectHandler
from msgtrack.web.asgi import TrackingApp

servers = pytest.importorskip("frontend_servers", reason="the servers of the tests are not installed")

MAIL = """<!doctype html><title>mail</title>{html}<img src="/kept.gif"><script>
if (!sessionStorage.again) { sessionStorage.again = 1; addEventListener("load", () => location.reload()); }
</script>"""


class Site:
    """A tracking server that also has the shop's page, by another name of its host, and a page with the mail on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = self.mails = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        with SegmentWriter(self.folder) as self.writer, servers.uvicorn_serving(self) as port:
            self.url = f"http://127.0.0.1:{port}"
            self.tracker = Tracker(self.url, Keyring.from_secrets("a secret that is long enough to sign with"))
            self.app = TrackingApp(RedirectHandler(self.tracker), record=self.writer.write)
            self.page = self.tracker.compile(
                html=f'<a href="http://localhost:{port}/shop?a=1&amp;b=%20">x</a>', delivery_id="spring"
            )
            yield

    def message(self) -> tuple[str, str, str]:
        """The HTML of the one message, and where its link and its image point."""
        html = self.page.render(message_id="7").html or ""
        link, image = re.findall(r'(?:href|src)="([^"]+)"', html)
        return html, link, image

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path == "/shop":
            await _answer(send, "text/html", f"<p>shop {scope['query_string'].decode()}</p>".encode())
        elif path == "/mail":
            self.mails += 1
            await _answer(send, "text/html", MAIL.replace("{html}", self.message()[0]).encode())
        elif path == "/kept.gif":
            self.kept += 1
            await _answer(send, "image/gif", b"GIF89a", b"max-age=3600")
        elif scope["type"] == "http":
            await self.app(scope, receive, send)

    def hits(self) -> list[Hit]:
        records = (record for batch in SegmentFolder(self.folder).read(None) for record in batch.records)
        return [record for record in records if isinstance(record, Hit)]

    def persons(self) -> list[str | None]:
        return [hit.source_id for hit in self.hits() if hit.method == "GET" and hit.url in self.message()[1]]

    def counted(self) -> dict[str, float | None]:
        with open_store("memory:") as store:
            store.put([Delivery(id="spring"), *self.page.links])
            store.put([Message(id="7", delivery_id="spring", recipient_id="r7", status="sent")])
            collect({"web": SegmentFolder(self.folder)}, store, tracker=self.tracker, now=datetime.now(UTC))
            table = indicators(store, delivery_id="spring")
            keys = (
                "recipient_click",
                "person_click",
                "total_recipient_click",
                "recipient_open",
                "total_recipient_open",
            )
            return {key: table[key].value for key in keys}


async def _answer(send: Any, kind: str, body: bytes, cache: bytes = b"no-store") -> None:
    headers = [(b"content-type", kind.encode()), (b"cache-control", cache), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _known_again(persons: list[str | None]) -> None:
    first, again, other = persons
    assert first == again != other
    assert all(re.fullmatch("[0-9a-f]{32}", person or "") for person in persons)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "segments")
    with site.running():
        yield site


def test_curl_follows_and_is_known_again(site: Site, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    _, link, image = site.message()

    def curl(*options: str) -> str:
        done = subprocess.run(["curl", "-sS", *options], capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    for jar in ("ann", "ann", "bob"):
        shown = curl("-L", "-b", str(tmp_path / jar), "-c", str(tmp_path / jar), link)
        assert shown == "<p>shop a=1&b=%20</p>"
    _known_again(site.persons())
    assert "HTTP/1.1 302" in curl("-I", link)
    assert curl("--output", str(tmp_path / "pixel"), "-w", "%{http_code} %{content_type}", image) == "200 image/gif"
    assert (tmp_path / "pixel").stat().st_size == 43
    assert "content-length: 43" in curl("-I", image)
    expected = {"recipient_click": 1, "person_click": 2, "total_recipient_click": 3, "recipient_open": 1}
    assert expected.items() <= site.counted().items()


def test_httpx_follows_and_is_known_again(site: Site) -> None:
    httpx = pytest.importorskip("httpx")
    _, link, image = site.message()
    with httpx.Client(follow_redirects=True) as ann, httpx.Client(follow_redirects=True) as bob:
        for client in (ann, ann, bob):
            assert client.get(link).text == "<p>shop a=1&b=%20</p>"
        assert ann.get(image).headers["cache-control"] == "no-store"
        assert ann.head(image).headers["content-length"] == "43"
        assert ann.cookies["uuid230"] != bob.cookies["uuid230"]
    expected = {"recipient_click": 1, "person_click": 2, "total_recipient_click": 3, "recipient_open": 1}
    assert expected.items() <= site.counted().items()


class TestInABrowser:
    pytestmark = needs_chromium

    def test_a_browser_is_known_again_and_another_is_another_person(self, site: Site, tmp_path: Path) -> None:
        ann, bob = Chromium(tmp_path / "ann"), Chromium(tmp_path / "bob")
        _, link, _ = site.message()
        for browser in (ann, ann, bob):
            assert "<p>shop a=1&amp;b=%20</p>" in browser(link)[0]
        _known_again(site.persons())
        expected = {"recipient_click": 1, "person_click": 2, "total_recipient_click": 3}
        assert expected.items() <= site.counted().items()

    def test_the_pixel_is_asked_for_again_on_reload(self, site: Site, tmp_path: Path) -> None:
        """An image that may be kept is not: so the page was really loaded again."""
        Chromium(tmp_path / "ann")(f"{site.url}/mail", "--virtual-time-budget=5000")
        assert site.mails >= 2
        opens = [hit for hit in site.hits() if site.message()[2].endswith(hit.url)]
        assert (len(opens), site.kept) == (site.mails, 1)
        assert site.counted()["recipient_open"] == 1
