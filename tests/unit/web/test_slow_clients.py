"""Clients that take their time, send too much, or go without a word: the server stays up for the others. Clause of
docs/spec/redirect.md: R22.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web.asgi import TrackingApp

uvicorn = pytest.importorskip("uvicorn")
limits = pytest.importorskip("msgtrack.web._uvicorn")

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring").render(message_id="7")
CLICK = re.findall(r"https://t\.example\.com(/[a-z0-9./-]+)", PAGE.html or "")[0]
OPT_OUT = TRACKER.opt_out_url(delivery_id="spring", message_id="7").removeprefix("https://t.example.com")
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
PATIENCE_SECONDS = 0.4


class Served:
    """A server in a thread, and the hits that it recorded."""

    def __init__(self, handler: RedirectHandler) -> None:
        self.handler = handler
        self.hits: list[Hit] = []
        self.port = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        app = TrackingApp(self.handler, record=self.hits.append, body_seconds=PATIENCE_SECONDS / 4)
        config = uvicorn.Config(
            app, http=limits.impatient(PATIENCE_SECONDS), ws="none", log_level="critical", access_log=False
        )
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
            thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
            thread.start()
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            try:
                yield
            finally:
                server.should_exit = True
                thread.join(30)
                assert not thread.is_alive()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def click(self) -> int:
        """What a reader is answered meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", CLICK)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served(RedirectHandler(TRACKER))
    with served.running():
        yield served


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection; a test that waits for ever fails by its time-out."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            data += part
    return data


def trickle(connection: socket.socket, piece: bytes) -> bytes:
    """Send a piece now and again until the server ends it, and give what it said."""
    connection.settimeout(PATIENCE_SECONDS / 10)
    data = b""
    for _ in range(2_000):
        try:
            connection.sendall(piece)
            part = connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            return data
        if not part:
            return data
        data += part
    raise AssertionError("the server waits for ever")


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET " + CLICK.encode() + b" HTTP/1.1\r\n", b"X-A: b\r\n"),
        (b"G", b""),
        (b"GET " + CLICK.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n"),
        (b"GET " + CLICK.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n", b"x"),
        (b"GET " + CLICK.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\nGET /", b"x"),
    ],
    ids=[
        "silence",
        "empty lines",
        "headers",
        "half a word",
        "lines after an answer",
        "a body of no use",
        "a second half",
    ],
)
def test_who_does_not_come_to_the_end_is_left(served: Served, start: bytes, piece: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(start)
        said = trickle(connection, piece)
    assert said.count(b"HTTP/1.1 302 Found") == start.count(b"\r\n\r\n")
    assert served.click() == 302


def test_a_body_that_is_too_slow_is_refused_and_not_kept(served: Served) -> None:
    before = len(served.hits)
    with served.connect() as connection:
        connection.sendall(f"POST {OPT_OUT} HTTP/1.1\r\nHost: a\r\n{FORM}Content-Length: 26\r\n\r\nList".encode())
        said = all_of(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in said
    assert len(served.hits) == before
    assert served.click() == 302


def test_a_megabyte_of_headers_is_refused(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET " + CLICK.encode() + b" HTTP/1.1\r\nHost: a\r\n")
        line = b"X-Much: " + b"x" * 8_000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(130):
                connection.sendall(line)
        said = all_of(connection)
    assert said == b"" or said.startswith(b"HTTP/1.1 431 ")
    assert served.click() == 302


@pytest.mark.parametrize("line", [b"GET /%s HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-Much: %s\r\n", b"%s"])
def test_one_long_line_is_refused(served: Served, line: bytes) -> None:
    before = len(served.hits)
    with served.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(line % (b"x" * (1 << 20)))
        said = all_of(connection)
    assert said == b"" or re.match(rb"HTTP/1.1 4(31|00) ", said)
    assert len(served.hits) == before
    assert served.click() == 302


def test_a_head_of_usual_size_is_taken_whole_or_in_pieces(served: Served) -> None:
    head = b"GET " + CLICK.encode() + b" HTTP/1.1\r\nHost: a\r\nX-Much: " + b"x" * 30_000 + b"\r\n\r\n"
    with served.connect() as connection:
        for _ in range(3):
            for start in range(0, len(head), 7_000):
                connection.sendall(head[start : start + 7_000])
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65_536)
            assert data.startswith(b"HTTP/1.1 302 ")


def test_many_half_open_connections_hinder_nobody(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(served.connect()) for _ in range(200)]
        for number, connection in enumerate(waiting):
            connection.sendall(b"GET / HT"[: number % 9])
        assert served.click() == 302
        for connection in waiting:
            assert all_of(connection) == b""
    assert served.click() == 302


def test_who_hangs_up_in_the_middle_hinders_nobody(served: Served) -> None:
    before = len(served.hits)
    for length in range(0, 60, 6):
        with served.connect() as connection:
            connection.sendall(f"POST {OPT_OUT} HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nL".encode()[:length])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert served.click() == 302
    assert len(served.hits) == before + 1


def test_a_connection_serves_many_requests(served: Served) -> None:
    before = len(served.hits)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    for _ in range(30):
        connection.request("GET", CLICK)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 302
        time.sleep(PATIENCE_SECONDS / 20)
    connection.close()
    assert len(served.hits) == before + 30


def test_who_does_not_read_the_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_LINGER_SECONDS", PATIENCE_SECONDS)
    page = "<p>" + "x" * (20 << 20)
    mirror = TRACKER.mirror_url(delivery_id="spring", message_id="7").removeprefix("https://t.example.com")
    served = Served(RedirectHandler(TRACKER, mirror=lambda _: page))
    with served.running(), served.connect() as connection:
        connection.sendall(f"GET {mirror} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        time.sleep(3 * PATIENCE_SECONDS)
        assert served.click() == 302
        assert len(all_of(connection)) < len(page)
