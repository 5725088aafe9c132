"""The ASGI edge says what the pure handler says, over real HTTP. Clauses of docs/spec/redirect.md: R2, R22, R23."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frontend_servers import uvicorn_serving

from msgtrack import Keyring, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder, SegmentWriter
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.web.asgi import MAX_BODY, TrackingApp

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
HANDLER = RedirectHandler(TRACKER, new_source_id=lambda: "fresh-person-1")
PAGE = TRACKER.compile(html='<a href="https://shop.example/ä?a=1&amp;b=2">x</a>', delivery_id="spring")
CLICK, OPEN = (
    url.removeprefix("https://t.example.com")
    for url in re.findall(r"https://t\.example\.com/[a-z0-9./-]+", PAGE.render(message_id="7").html or "")
)


def ask(
    port: int, method: str, url: str, headers: dict[str, str], body: bytes | Iterator[bytes] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, url, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


OPT_OUT = TRACKER.opt_out_url(delivery_id="spring", message_id="7").removeprefix("https://t.example.com")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODIES = {
    "one click": b"List-Unsubscribe=One-Click",
    "large": b"List-Unsubscribe=One-Click&x=".ljust(MAX_BODY, b"x"),
    "other": b"a=b",
}
REQUESTS = [
    ("GET", OPT_OUT, {}),
    ("HEAD", OPT_OUT, {}),
    ("POST", OPT_OUT, {**FORM, "X-Body": "one click"}),
    ("POST", OPT_OUT, {**FORM, "X-Body": "large"}),
    ("POST", OPT_OUT, {**FORM, "X-Body": "other"}),
    ("POST", OPT_OUT, {}),
    ("PUT", OPT_OUT, {**FORM, "X-Body": "one click"}),
    ("POST", OPT_OUT[:-1], {**FORM, "X-Body": "one click"}),
    ("GET", CLICK, {}),
    ("GET", CLICK, {"Cookie": "uuid230=known-person", "User-Agent": "Browser/1"}),
    ("GET", OPEN, {}),
    ("HEAD", CLICK, {}),
    ("HEAD", OPEN, {}),
    ("GET", CLICK + "?utm=1&x=%20", {}),
    ("GET", CLICK.upper() + ")", {}),
    ("GET", CLICK.replace("-", "%252D"), {}),
    ("GET", CLICK, {"Purpose": "prefetch"}),
    ("POST", CLICK, {"Content-Length": "0"}),
    ("GET", "/nothing/here", {}),
    ("GET", "/%00%0d%0aX:%20y/%ff", {}),
    ("GET", "/r/test", {}),
    ("GET", "/robots.txt", {}),
]


def test_the_edge_says_what_the_handler_says(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    app = TrackingApp(HANDLER, record=writer.write, on_shutdown=writer.close, clock=lambda: AT)
    hits = []
    with uvicorn_serving(app) as port:
        for method, url, headers in REQUESTS:
            sent = {"User-Agent": "", **headers}
            posted = BODIES.get(headers.get("X-Body", ""), b"")
            status, got, body = ask(port, method, url, sent, posted or None)
            outcome = HANDLER.handle(
                Request(
                    method=method, url=url, headers=sent.items(), body=posted, client_ip="127.0.0.1", received_at=AT
                )
            )
            expected = outcome.response
            assert (status, body) == (expected.status, expected.body), (method, url)
            assert dict(expected.headers).items() <= got.items(), (method, url)
            hits += [outcome.hit] if outcome.hit else []
    (batch,) = SegmentFolder(tmp_path).read(None)
    written = [record for record in batch.records if isinstance(record, Hit)]
    assert [(hit.method, hit.url, hit.source_id, hit.purpose, hit.status) for hit in written] == [
        (hit.method, hit.url, hit.source_id, hit.purpose, hit.status) for hit in hits
    ]
    kinds = [event.kind for hit in written if (event := decide(hit, TRACKER).event) is not None]
    assert kinds.count("unsubscribed") == 3


def test_too_much_is_refused_and_not_recorded() -> None:
    """R22: whether its length was said or not."""
    hits: list[Hit] = []
    body = b"List-Unsubscribe=One-Click&x=".ljust(MAX_BODY + 1, b"x")
    with uvicorn_serving(TrackingApp(HANDLER, record=hits.append, clock=lambda: AT)) as port:
        assert ask(port, "POST", OPT_OUT, FORM, body)[0] == 413
        assert ask(port, "POST", OPT_OUT, FORM, iter([body[:40_000], body[40_000:]]))[0] == 413
        assert not hits
        assert ask(port, "POST", OPT_OUT, FORM, iter([body[:10], body[10:26]]))[0] == 200
        assert ask(port, "GET", OPT_OUT, {})[0] == 200
    assert [hit.method for hit in hits] == ["POST", "GET"]


def _play(
    messages: list[dict[str, object]], length: bytes | None = None, method: str = "POST"
) -> tuple[list[dict[str, object]], list[Hit]]:
    """What an application sends and records, given what the server would tell it."""
    sent: list[dict[str, object]] = []
    hits: list[Hit] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    headers = [] if length is None else [(b"Content-Length", length)]
    scope = {"type": "http", "method": method, "path": OPT_OUT, "query_string": b"", "headers": headers}
    asyncio.run(TrackingApp(HANDLER, record=hits.append, clock=lambda: AT)(scope, receive, send))  # type: ignore[arg-type]
    return sent, hits


def test_bodies_come_in_pieces_or_not_at_all() -> None:
    """R22."""
    whole: list[dict[str, object]] = [
        {"type": "http.request", "body": b"List-Unsub", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"scribe=One-Click"},
    ]
    sent, hits = _play(list(whole), b"26")
    assert (sent[0]["status"], [hit.status for hit in hits]) == (200, [None])
    sent, hits = _play([whole[0], {"type": "http.disconnect"}])
    assert (sent[0]["status"], hits) == (400, [])
    # A server that makes an end where the client left is not believed.
    sent, hits = _play(list(whole), b"27")
    assert (sent[0]["status"], hits) == (400, [])
    # A length over the limit is believed at once: nothing is read.
    for length in (b"65537", b"9" * 5_000):
        sent, hits = _play([], length)
        assert (sent[0]["status"], hits) == (413, [])
    for odd in (b"", b"-5", b"abc", "\u0661".encode()):
        assert _play(list(whole), odd)[0][0]["status"] == 200
    # Of other methods no body is read.
    assert _play([], method="GET")[0][0]["status"] == 200
    assert _play([], method="PUT")[0][0]["status"] == 405


def test_nobody_minds_that_an_answer_reaches_nobody() -> None:
    """R22: a server may say so by an error of its own."""
    told: list[str] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message["type"])
        raise ConnectionResetError

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": OPT_OUT, "query_string": b"", "headers": []}
    asyncio.run(TrackingApp(HANDLER, record=told.append)(scope, receive, send))
    assert told == ["http.response.start"]


def test_a_hit_is_recorded_before_the_answer_leaves() -> None:
    order: list[str] = []

    async def send(message: dict[str, object]) -> None:
        order.append(str(message["type"]))

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    app = TrackingApp(HANDLER, record=lambda hit: order.append("recorded"), clock=lambda: AT)
    scope = {"type": "http", "method": "GET", "path": CLICK, "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    assert order == ["recorded", "http.response.start", "http.response.body"]


def test_what_others_do_to_an_answer_is_done_to_that_one_alone() -> None:
    """As middleware does that has a cookie of its own."""
    app = TrackingApp(RedirectHandler(TRACKER))
    found: list[list[tuple[bytes, bytes]]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(list(message["headers"]))
            message["headers"].append((b"set-cookie", b"theirs=1"))

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    for _ in range(3):
        asyncio.run(app({"type": "http", "method": "GET", "path": OPEN, "headers": []}, receive, send))
    assert len({tuple(sorted(headers)) for headers in found}) == 1
    assert (b"set-cookie", b"theirs=1") not in found[-1]


def test_what_is_no_http_is_let_go() -> None:
    async def nothing(*_: object) -> dict[str, object]:
        raise AssertionError("no message is sent or awaited")

    asyncio.run(TrackingApp(HANDLER)({"type": "websocket"}, nothing, nothing))  # type: ignore[arg-type]


def test_the_server_says_goodbye_to_the_recorder(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    with uvicorn_serving(TrackingApp(HANDLER, record=writer.write, on_shutdown=writer.close)) as port:
        ask(port, "GET", CLICK, {})
    assert (writer.written, writer.write(Hit(method="GET", url="/", received_at=AT))) == (1, False)
