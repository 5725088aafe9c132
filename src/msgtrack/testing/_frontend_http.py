"""A client that sends what it is told, byte for byte, and hides nothing of the answer."""

from __future__ import annotations

import http.client
import io
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Self, cast

from attrs import frozen

__all__ = ["Answer", "Asked", "Line", "ask_all"]

_TIMEOUT = 20.0
_CHUNKS = 1_000


@frozen(kw_only=True)
class Asked:
    """One request, as it goes over the line. ``chunked`` bodies are sent without ``Content-Length``."""

    name: str
    method: str = "GET"
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    chunked: bool = False

    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """All headers, those that HTTP itself needs included."""
        length: tuple[tuple[str, str], ...] = ()
        if self.chunked:
            length = (("Transfer-Encoding", "chunked"),)
        elif self.body:
            length = (("Content-Length", str(len(self.body))),)
        return (("Host", "t.example.com"), *self.headers, *length)

    def head(self) -> bytes:
        """The request line and headers."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.sent_headers())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def rest(self) -> bytes:
        """The body as it is framed."""
        if not self.chunked:
            return self.body
        parts = [self.body[at : at + _CHUNKS] for at in range(0, len(self.body), _CHUNKS)]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@frozen(kw_only=True)
class Answer:
    """One answer: every header as it came (names in lower case), and whether the server closes the connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    closes: bool

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for known, value in self.headers if known == name), None)


class _Kept(io.BufferedReader):
    """Stays open when an answer has been read: the next one follows on it."""

    def close(self) -> None:
        """Not now."""

    def close_now(self) -> None:
        super().close()


class Line:
    """A connection to ``127.0.0.1``, used as a context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._reader = _Kept(socket.SocketIO(self._socket, "r"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close_now()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed the connection may still have answered."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return

    def receive(self, method: str) -> Answer:
        """The next answer.

        Raises:
            http.client.HTTPException: what came is no answer.
            OSError: the connection broke, or nothing came.
        """
        got = http.client.HTTPResponse(cast(socket.socket, self), method=method)
        got.begin()
        body = got.read()
        headers = tuple((name.lower(), value) for name, value in got.getheaders())
        return Answer(status=got.status, headers=headers, body=body, closes=got.will_close)

    def makefile(self, *_: object) -> io.BufferedReader:
        """What ``http.client`` asks a socket for."""
        return self._reader

    def ask(self, asked: Asked) -> Answer:
        """The answer to a request; its body is held back for a moment, in case the server will not have it."""
        self.send(asked.head())
        if asked.rest() and not (len(asked.body) > 1_000 and self.hears_something(0.3)):
            self.send(asked.rest())
        return self.receive(asked.method)

    def end(self) -> None:
        """Say that no more will be sent, and go on listening."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def hears_something(self, seconds: float) -> bool:
        """Whether the server says something, or closes, within that time."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def leftover(self) -> bytes:
        """What comes after the last answer, when the server closes."""
        try:
            return self._reader.read()
        except OSError:
            return b""


def ask_all(port: int, requests: Iterable[Asked]) -> list[Answer]:
    """The answers to requests in order, on as few connections as the server allows."""
    answers: list[Answer] = []
    line: Line | None = None
    try:
        for asked in requests:
            line, answer = _asked(port, line, asked)
            answers.append(answer)
            # After a refusal part of the body may not have been sent.
            if answer.closes or answer.status == 413:
                line.__exit__()
                line = None
    finally:
        if line is not None:
            line.__exit__()
    return answers


def _asked(port: int, line: Line | None, asked: Asked) -> tuple[Line, Answer]:
    """The answer, and the connection that it came by."""
    if line is not None:
        try:
            return line, line.ask(asked)
        except ConnectionResetError:
            # A server may close what is kept open without a word (RFC 9112 9.5), as some do when an application has left a
            # body unread. Whatever it did with this request shows in the hits.
            line.__exit__()
    line = Line(port)
    try:
        return line, line.ask(asked)
    except BaseException:
        line.__exit__()
        raise
