"""nginx and Apache themselves, each with five odd formats: what clients sent comes back exactly, by the text of the configuration."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from msgtrack.hits import Hit, header_text
from msgtrack.logs import formats

PROGRAMS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"

MODULES = [Path("/usr/lib/apache2/modules"), Path("/usr/lib/httpd/modules")]

NGINX = r"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn; {user}
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  log_format pipes '$msec|$request_method|$request_uri|$status|"$http_user_agent"|"$http_referer"|$remote_addr';
  log_format json escape=json
    '{{"t":"$time_iso8601","r":"$request","ua":"$http_user_agent",'
    '"ref":"$http_referer","ip":"$remote_addr","s":$status}}';
  log_format bare escape=none '$time_local\t$request\t$status\t$remote_addr\t$http_referer\t$http_user_agent';
  log_format mixed '[$time_local] ${{status}} '
                   "<${{http_referer}}> \"$request\" $remote_addr " '"$http_user_agent" $request_time';
  log_format parts escape=default '$time_iso8601 $remote_addr "$request_method" "$uri" "$args" $status '
                   '"$http_user_agent" "$http_referer" "$cookie_id"';
  server {{
    listen 127.0.0.1:{port};
    access_log {folder}/pipes.log pipes;
    access_log {folder}/json.log json;
    access_log {folder}/bare.log bare;
    access_log {folder}/mixed.log mixed;
    access_log {folder}/parts.log parts;
    location / {{ return 204; }}
  }}
}}
"""

APACHE = r"""
ServerRoot {folder}
ServerName t.example.com
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
HttpProtocolOptions Unsafe
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{{Referer}}i\" \"%{{User-Agent}}i\"" combined
LogFormat "%{{%Y-%m-%d %H:%M:%S %z}}t|%m|%U%q|%>s|%a|\"%{{User-agent}}i\"|\"%{{Referer}}i\"" pipes
LogFormat "%{{msec}}t %a <%{{User-Agent}}i> [%{{Referer}}i] \"%r\" %s %{{id}}C" brackets
LogFormat "%{{%d/%b/%Y %T}}t.%{{msec_frac}}t %{{%z}}t \"%m\" \"%U\" \"%q\" %>s %a \"%{{Referer}}i\" \"%{{User-Agent}}i\"" parts
LogFormat "%{{end:usec}}t\t%r\t%>s\t%a\t%{{Referer}}i\t%{{User-Agent}}i" tabs
CustomLog {folder}/combined.log combined
CustomLog {folder}/pipes.log pipes
CustomLog {folder}/brackets.log brackets
CustomLog {folder}/parts.log parts
CustomLog {folder}/tabs.log tabs
"""

AGENTS = [
    b"Reader/2.1 (made up)",
    b'says "hi" to \\ and \\x22 and \\" and \\\\',
    "Café ☕ 読者".encode(),
    b"no UTF-8: \xff\xfe\xe9",
    b"bell \x07 escape \x1b[0m delete \x7f",
    b"a tab\tand {braces}, $dollars, %percents%20 | pipes",
    b"'" * 40,
]
REFERRERS = [b"https://mail.example/?q=%22x%22", b'https://mail.example/"quoted"\\', "https://é.example/".encode(), b""]
URLS = [b"/r/abc.DEF-_~?x=1&y=%C3%A9", b"/o/abc.gif"]
ODD_URLS = [b'/r/"quoted"', b"/r/back\\slash?a=b\\", "/r/é".encode(), b"/r/\xff", b"/r/'"]


def asked(port: int, url: bytes, agent: bytes, referrer: bytes) -> int:
    headers = b"Host: t.example.com\r\nConnection: close\r\nCookie: id=r7\r\nUser-Agent: " + agent + b"\r\n"
    headers += b"Referer: " + referrer + b"\r\n" if referrer else b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET " + url + b" HTTP/1.1\r\n" + headers + b"\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1])


@contextmanager
def running(command: list[str], port: int, folder: Path):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        else:
            logged = folder / "error.log"
            raise AssertionError(f"did not start: {logged.read_text() if logged.exists() else process.communicate()}")
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def program(name: str) -> str:
    found = shutil.which(name, path=PROGRAMS)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def requests_to(port: int, urls: list[bytes]) -> list[Hit]:
    """Sends all; the hits that should come back, without the moments."""
    sent = [(urls[0], agent, referrer) for agent in AGENTS for referrer in REFERRERS]
    sent += [(url, AGENTS[number % len(AGENTS)], REFERRERS[0]) for number, url in enumerate(urls)]
    hits = []
    for url, agent, referrer in sent:
        status = asked(port, url, agent, referrer)
        hits.append(
            Hit(
                method="GET",
                url=url.decode("utf-8", "backslashreplace"),
                received_at=datetime(2000, 1, 1, tzinfo=UTC),
                user_agent=header_text(agent),
                referrer=header_text(referrer),
                client_ip="127.0.0.1",
                status=status,
            )
        )
    return hits


def check(log: Path, log_format: formats.LogFormat, wanted: list[Hit], began: datetime) -> None:
    """Every hit is there, as it was sent, and of the time when it was."""
    lines = log.read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    assert len(lines) == len(wanted)
    read = log_format.reader()
    for number, (line, hit) in enumerate(zip(lines, wanted, strict=True), 1):
        found = read(line, number)
        assert isinstance(found, Hit), (log.name, found)
        # Some formats tell whole seconds.
        assert began - timedelta(seconds=1) <= found.received_at <= datetime.now(UTC) + timedelta(seconds=1)
        assert found == evolve(hit, received_at=found.received_at), line


def directives_of(configuration: Path, directive: str) -> list[str]:
    """The very text of the configuration."""
    return re.findall(rf"(?ms)^ *({directive}\s.*?(?:;|(?=\n\w)))$", configuration.read_text())


def test_what_nginx_was_sent_comes_back(tmp_path: Path) -> None:
    command, port = program("nginx"), free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(NGINX.format(folder=tmp_path, port=port, user="user root;" if is_root() else ""))
    began = datetime.now(UTC)
    with running([command, "-p", str(tmp_path), "-c", str(configuration)], port, tmp_path):
        wanted = requests_to(port, [*URLS, *ODD_URLS])
    assert {hit.status for hit in wanted} == {204}
    found = [
        formats.nginx(text, roles={"cookie_id": "source_id"}) for text in directives_of(configuration, "log_format")
    ]
    assert [log_format.name for log_format in found] == ["pipes", "json", "bare", "mixed", "parts"]
    for log_format in found:
        keeps_cookies = log_format.name == "parts"
        hits = [evolve(hit, source_id="r7") for hit in wanted] if keeps_cookies else wanted
        check(tmp_path / f"{log_format.name}.log", log_format, hits, began)


def test_what_apache_was_sent_comes_back(tmp_path: Path) -> None:
    command, port = program("apache2"), free_port()
    modules = next((place for place in MODULES if place.is_dir()), None)
    if modules is None:
        pytest.skip("Apache's modules are not where Debian has them")
    configuration = tmp_path / "apache.conf"
    user = "User www-data\nGroup www-data" if is_root() else ""
    configuration.write_text(APACHE.format(folder=tmp_path, port=port, modules=modules, user=user))
    began = datetime.now(UTC)
    with running([command, "-X", "-d", str(tmp_path), "-f", str(configuration)], port, tmp_path):
        wanted = requests_to(port, [*URLS, *ODD_URLS])
    found = [formats.apache(text, roles={"%{id}C": "source_id"}) for text in directives_of(configuration, "LogFormat")]
    assert [log_format.name for log_format in found] == ["combined", "pipes", "brackets", "parts", "tabs"]
    for log_format in [formats.get("combined"), *found]:
        keeps_cookies = log_format.name == "brackets"
        hits = [evolve(hit, source_id="r7") for hit in wanted] if keeps_cookies else wanted
        check(tmp_path / f"{log_format.name}.log", log_format, hits, began)
