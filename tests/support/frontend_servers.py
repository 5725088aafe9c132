"""Servers around a frontend: threads of this process, and granian in a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import waitress.server

from msgtrack.hits import Hit
from msgtrack.records import from_json, to_json

__all__ = ["Granian", "hand_over", "uvicorn_serving", "waitress_serving", "wsgiref_serving"]


@contextmanager
def uvicorn_serving(app: Any) -> Iterator[int]:
    """An ASGI application on uvicorn."""
    import uvicorn

    # Only of a socket that says that it speaks TCP does asyncio switch Nagle's algorithm off.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="auto"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def waitress_serving(app: Any) -> Iterator[int]:
    """A WSGI application on waitress, in several threads."""
    sockets: dict[int, Any] = {}
    server = waitress.server.create_server(app, map=sockets, host="127.0.0.1", port=0, threads=4)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            server.asyncore.loop(timeout=0.02, map=sockets, count=1)
        server.task_dispatcher.shutdown()
        for channel in list(sockets.values()):
            channel.close()
        server.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        stop.set()
        thread.join(10)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is said of answers."""


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def wsgiref_serving(app: Any) -> Iterator[int]:
    """A WSGI application on the standard library's server, in several threads, as frameworks have it for development."""
    with make_server("127.0.0.1", 0, app, _Threads, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


class Granian:
    """Our applications on granian, one process for each interface and handler, for as long as it is open.

    Their hits come here, one by one, to whoever takes them at the moment; an answer waits for that.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._ports: dict[tuple[str, str], int] = {}
        self._record: Callable[[Hit], object] = lambda hit: None
        outer = self

        class Taker(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    outer._record(from_json(line.decode(), Hit))
                    self.wfile.write(b"\n")

        self._taker = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Taker)
        self._taker.daemon_threads = True
        threading.Thread(target=self._taker.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._stack.close()
        self._taker.shutdown()
        self._taker.server_close()

    @contextmanager
    def serving(self, interface: str, handler: str, record: Callable[[Hit], object]) -> Iterator[int]:
        self._record = record
        if (interface, handler) not in self._ports:
            self._ports[interface, handler] = self._start(interface, handler)
        yield self._ports[interface, handler]

    def _start(self, interface: str, handler: str) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        told = {"HANDLER": handler, "TAKER": str(self._taker.server_address[1]), "INTERFACE": interface}
        command = [sys.executable, "-m", "granian", "--interface", interface, "--port", str(port), "--log-level=error"]
        with (self._folder / f"{interface}-{handler}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "granian_frontend:app"],
                env={**os.environ, **told, "PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_end, process)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.05)
        raise AssertionError((self._folder / f"{interface}-{handler}.log").read_text())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


_local = threading.local()


def hand_over(hit: Hit) -> None:
    """In granian's process: give a hit to the tests, and wait until they have it."""
    if not hasattr(_local, "file"):
        _local.file = socket.create_connection(("127.0.0.1", int(os.environ["TAKER"]))).makefile("rwb", buffering=0)
    _local.file.write(to_json(hit).encode() + b"\n")
    _local.file.readline()
