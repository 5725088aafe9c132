"""A connection that a server closes between two requests is no fault of a frontend; one that never answers is."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from msgtrack.testing._frontend_http import ask_all
from msgtrack.testing._frontend_requests import Asked

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(answers: list[int]) -> Iterator[int]:
    """Answers so many requests on each connection in turn, and closes without a word at the next."""

    def serve() -> None:
        for count in answers:
            connection, _ = listener.accept()
            with connection:
                for _ in range(count):
                    connection.recv(65_536)
                    connection.sendall(ANSWER)
                connection.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_what_was_asked_on_a_connection_that_is_closed_is_asked_again() -> None:
    with serving([1, 2]) as port:
        answers = ask_all(port, [Asked(name=str(n), method="GET", target="/") for n in range(3)])
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok")] * 3


def test_a_new_connection_that_is_closed_is_told() -> None:
    with serving([1, 0]) as port, pytest.raises(http.client.RemoteDisconnected):
        ask_all(port, [Asked(name=str(n), method="GET", target="/") for n in range(3)])
