"""nginx before the server, nginx that draws pixels, nginx that redirects by itself: the same answers, the same indicators."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from msgtrack import Keyring, Tracker, open_store
from msgtrack.hits import Hit
from msgtrack.io import AccessLogFile, SegmentFolder
from msgtrack.logs import formats
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.redirect.pages import COMMON

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
HANDLER = RedirectHandler(TRACKER)
NOW = datetime.now(UTC)


def ask(port: int, method: str, target: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def targets(html: str, **options: Any) -> list[str]:
    made = TRACKER.compile(html=html, **{"delivery_id": "spring", **options}).render(message_id="7").html
    return re.findall(r'href="https://t\.example\.com(/[^"]+)"', made or "")


ODD = [
    "https://shop.example/",
    "http://shop.example",
    "https://www.shop.example/a?b=c&d=%20#top",
    "http://www.shop.example:8080/~a/;b=c,d",
    "https://user:pw@SHOP.example/É/日本?q=ä ö#ü",
    "https://shop.example/a&quot;b&lt;c&gt;|d^`e\\f",
    "https://shop.example?a=[1]&b=(2)'!*",
    "https://shop.example/%E4/%C3/+",
    "https://shop.example/" + "long/" * 400,
]
ELSEWHERE = [
    "https://bücher.example/",
    "https://[2001:db8::1]/",
    "https://a%2eb.example/",
]


def test_nginx_leads_where_the_handler_leads(
    serve: Callable[..., Any], nginx_of_the_page: Callable[..., Any], tmp_path: Path
) -> None:
    """By itself where it can, by the server behind it where it cannot; the latter's segments tell which."""
    server = serve("--people=none")
    nginx, _ = nginx_of_the_page(server.port, pixels=True, njs=True)
    own = targets("".join(f'<a href="{url}">x</a>' for url in ODD))
    own += targets('<a href="https://shop.example/">x</a>', expires_at=NOW + timedelta(days=400))
    own += targets('<a href="https://shop.example/">x</a>', variant="b")
    own += [own[0] + "?utm_source=mail&x=%0d%0aX:%20y", own[0].rpartition("/")[0]]
    damaged = own[0][:-1] + ("0" if own[0][-1] != "0" else "1")
    own.append(damaged)
    passed = targets("".join(f'<a href="{url}">x</a>' for url in ELSEWHERE))
    passed += targets('<a href="https://shop.example/">x</a>', expires_at=NOW - timedelta(days=1))
    passed += [own[0] + ".-abc", own[0] + "-1"]
    passed += [own[0].upper(), own[0] + ")", own[0].replace("-", "%2D"), "/nothing/here", "/r/test", "/"]
    passed.append(TRACKER.opt_out_url(delivery_id="spring", message_id="7").removeprefix("https://t.example.com"))
    assert len(own) == len(ODD) + 5
    for target in (*own, *passed):
        for method in ("GET", "HEAD"):
            status, headers, _ = ask(nginx.port, method, target)
            expected = HANDLER.handle(Request(method=method, url=target, received_at=datetime.now(UTC))).response
            assert status == expected.status, (method, target)
            assert headers.get("location") == dict(expected.headers).get("location"), (method, target)
            if target in own:
                assert dict(COMMON).items() <= headers.items(), (method, target)
    assert ask(nginx.port, "POST", own[0])[0] == 405
    server.stop()
    (batch,) = SegmentFolder(tmp_path / "segments").read(None)
    seen = {record.url for record in batch.records if isinstance(record, Hit) and record.method == "GET"}
    assert seen == {*passed} - {"/r/test"}


def test_nginx_believes_no_other_link(nginx_of_the_page: Callable[..., Any]) -> None:
    """Nobody answers behind it: whatever it does not redirect is 502."""
    nginx, _ = nginx_of_the_page(1, njs=True)
    (good,) = targets('<a href="https://shop.example/lamps">x</a>')
    link, _, message = good.lstrip("/").partition("/")
    assert ask(nginx.port, "GET", good)[0] == 302
    random = Random(3)
    forged = []
    for place in range(len(link)):
        letter = random.choice([letter for letter in "0123456789abcdefghjkmnpqrstvwxyz.-" if letter != link[place]])
        forged.append(link[:place] + letter + link[place + 1 :])
    others = [
        Tracker("https://t.example.com", Keyring.from_secrets("x" * 32)),
        Tracker("https://t.example.com", Keyring.from_secrets(SECRET), realm="b"),
    ]
    for tracker in others:
        html = (
            tracker.compile(html='<a href="https://evil.example/">x</a>', delivery_id="spring")
            .render(message_id=7)
            .html
        )
        forged.append(re.findall(r'href="https://t\.example\.com/([^/"]+)', html or "")[0])
    forged += [link[:-1], link + "0", link[:3] + link[4:], message, "0" * 40, "." * 40, "-" * 40]
    for wrong in forged:
        status, headers, _ = ask(nginx.port, "GET", f"/{wrong}/{message}")
        assert (status, headers.get("location")) == (502, None), wrong


def test_the_pixel_is_the_handlers(serve: Callable[..., Any], nginx_of_the_page: Callable[..., Any]) -> None:
    nginx, log = nginx_of_the_page(1, pixels=True)
    html = TRACKER.compile(html="<p>x</p>", delivery_id="spring").render(message_id="7").html
    (target,) = re.findall(r'src="https://t\.example\.com(/[^"]+)"', html or "")
    status, headers, body = ask(nginx.port, "GET", target)
    expected = HANDLER.handle(Request(method="GET", url=target, received_at=NOW)).response
    assert (status, len(body)) == (200, len(expected.body))
    assert dict(expected.headers).items() <= headers.items()
    assert body.startswith(b"GIF89a")
    # It logs what it has answered, so only when it has ended is the line sure to be there.
    nginx.stop()
    assert target in log.read_text()


UNSEEN = 20


def play_unseen(port: int, journey: Any) -> int:
    """Browsers that fetch ahead, in each of the ways to say so, and as many that wish not to be followed."""
    ahead = [
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("X-Purpose", "preview"),
        ("X-Moz", "prefetch"),
    ]
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for number in range(UNSEEN):
            shop, *_ = journey.paths_of(number + 1)
            for name, value in (ahead[number % len(ahead)], ("Sec-GPC", "1")):
                connection.request("GET", shop, headers={"User-Agent": f"Unseen/{number}", name: value})
                connection.getresponse().read()
    return 2 * UNSEEN


@pytest.fixture
def journey(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("test_segments_and_access_logs_agree")


def test_three_ways_give_the_same_indicators(
    serve: Callable[..., Any], nginx_of_the_page: Callable[..., Any], journey: Any, tmp_path: Path
) -> None:
    tables = []
    for options in ({}, {"pixels": True}, {"pixels": True, "njs": True}):
        # The persons' keys are of the day, and opens are told apart by the minute.
        while datetime.now(UTC).second > 50:
            time.sleep(0.5)
        server = serve("--people=hash")
        nginx, log = nginx_of_the_page(server.port, **options)
        requests = journey.play(nginx.port) + play_unseen(nginx.port, journey)
        server.stop()
        nginx.stop()
        assert len(log.read_text().splitlines()) == requests
        # The page's format, as the page's command finds it.
        (written,) = re.findall(r"^log_format.*", (log.parent / "nginx.conf").read_text(), re.MULTILINE)
        log_format = formats.nginx(written)
        with open_store("memory:") as store:
            tables.append(journey.table_of(AccessLogFile(log, format=log_format), store))
        if not options:
            with open_store("memory:") as store:
                tables.append(journey.table_of(SegmentFolder(tmp_path / "segments"), store))
            # What the format is there for: of its first fields alone, who fetched ahead clicked, and who is shy has a key.
            with open_store("memory:") as store:
                less = journey.table_of(AccessLogFile(log), store)
            assert less["total_recipient_click"] == tables[0]["total_recipient_click"] + UNSEEN
            assert less["person_click"] > tables[0]["person_click"]
    assert tables[0] == tables[1] == tables[2] == tables[3]
    hits = [
        record
        for batch in SegmentFolder(tmp_path / "segments").read(None)
        for record in batch.records
        if isinstance(record, Hit)
    ]
    # All, all but the opens, and what the script hands on.
    assert requests < len(hits) < 3 * requests
