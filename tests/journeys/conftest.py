"""Real servers for journeys: ``msgtrack serve`` as a process, and nginx where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import attrs
import pytest

from msgtrack.cli import main

SECRET = "a secret that is long enough to sign with"


@attrs.define
class Server:
    """A running process that listens on a port of this machine."""

    process: subprocess.Popen[str]
    port: int

    def kill(self) -> None:
        """As the power cut does it."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}: {process.poll()}")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "test.keys"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def serve(tmp_path: Path, key_file: Path) -> Iterator[Callable[..., Server]]:
    """Starts ``msgtrack serve`` on a free port, writing to ``segments`` under the test's folder."""
    servers: list[Server] = []

    def start(*options: str, stderr: IO[str] | None = None) -> Server:
        command = [sys.executable, "-m", "msgtrack.cli", "serve", "--port=0", "--json", f"--keys={key_file}"]
        command += ["--base-url=https://t.example.com", f"--segments={tmp_path / 'segments'}", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):
                break
        server = Server(process, json.loads("".join(lines))["port"])
        servers.append(server)
        wait_for_port(server.port, process)
        return server

    yield start
    for server in servers:
        server.stop()


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn; {user}
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""


PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "deploy.md"
AROUND = """
{module} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn; {user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{http}
}}
"""


def settings_on_the_page() -> dict[str, str]:
    """The blocks of nginx settings on the page that says how to deploy, by the name in their first line."""
    return dict(
        re.findall(r"^```nginx\n# (\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )


def nginx_program() -> str:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("nginx is not installed")
    return program


@pytest.fixture
def nginx_of_the_page(tmp_path: Path, key_file: Path) -> Iterator[Callable[..., tuple[Server, Path]]]:
    """Starts nginx with the settings of the page, as far as asked for; gives nginx and its log."""
    program = nginx_program()
    servers: list[Server] = []

    def start(upstream: int, *, pixels: bool = False, njs: bool = False) -> tuple[Server, Path]:
        folder = tmp_path / f"nginx-{len(servers)}"
        folder.mkdir()
        blocks = settings_on_the_page()
        inside = blocks["pixels"] * pixels + blocks["redirect"] * njs
        http = blocks["njs"] * njs + blocks["proxy"].rstrip().removesuffix("}") + inside + "}"
        module = ""
        if njs:
            library = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
            if not library.exists():
                pytest.skip("nginx's module njs is not installed")
            module = f"load_module {library};"
            assert main(["keys", "nginx", "--keys", str(key_file), "--out", str(folder / "njs")]) == 0
            (folder / "njs" / "msgtrack_keys.js").chmod(0o644)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        for said, here in (
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};"),
            ("listen 80;", f"listen 127.0.0.1:{port};"),
            ("/var/log/nginx/msgtrack.log", str(folder / "access.log")),
            *((("/etc/msgtrack/nginx", str(folder / "njs")),) if njs else ()),
        ):
            assert said in http, f"{PAGE.name} does not say {said!r} any more"
            http = http.replace(said, here)
        user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        conf = folder / "nginx.conf"
        conf.write_text(AROUND.format(folder=folder, module=module, http=http, user=user))
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(conf)], text=True)
        server = Server(process, port)
        servers.append(server)
        wait_for_port(port, process)
        return server, folder / "access.log"

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def nginx_before(tmp_path: Path) -> Iterator[Callable[[int], tuple[Server, Path]]]:
    """Starts nginx before a server, logging as ``combined``; gives nginx and its log."""
    program = nginx_program()
    folder = tmp_path / "nginx"
    folder.mkdir()
    servers: list[Server] = []

    def start(upstream: int) -> tuple[Server, Path]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, upstream=upstream, user=user))
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], text=True)
        server = Server(process, port)
        servers.append(server)
        wait_for_port(port, process)
        return server, folder / "access.log"

    yield start
    for server in servers:
        server.stop()
