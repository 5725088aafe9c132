"""``msgtrack serve`` started where nothing can be written: readers are led on, what is lost is counted, and writing begins when it can."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder

resource = pytest.importorskip("resource", reason="no limits of file sizes on this system")

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
# Nothing may be written to any file, until somebody says otherwise.
UNWELL = """
import resource, sys
from msgtrack.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""
WHY = os.strerror(errno.EFBIG)

Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    (tmp_path / "test.keys").write_text(SECRET + "\n")
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, **outputs: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-B", "-c", UNWELL, "serve", "--json", f"--keys={tmp_path / 'test.keys'}", *options]
        command += ["--base-url=https://t.example.com", f"--segments={tmp_path / 'segments'}"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **outputs}
        process = subprocess.Popen(command, text=True, **pipes)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, text + (process.stderr.read() if process.stderr else "")
        text += line
    return dict(json.loads(text))


def click(port: int, message_id: int) -> int:
    found = re.search(r'href="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html or "")
    assert found is not None
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", found[1])
        return connection.getresponse().status


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return not tried.connect_ex(("127.0.0.1", port))


def children(process: subprocess.Popen[str]) -> list[int]:
    """The workers, where the system tells who started whom."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not found.exists():
        pytest.skip("this system does not tell which processes a process started")
    pids = [int(pid) for pid in found.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def kept(folder: Path) -> list[Hit]:
    return [record for batch in SegmentFolder(folder).read(None) for record in batch.records if isinstance(record, Hit)]


def test_a_server_on_a_disk_that_is_not_well_leads_on_counts_alarms_and_recovers(
    started: Started, tmp_path: Path
) -> None:
    pytest.importorskip("prometheus_client")
    process = started("--port=0", "--metrics-port=0")
    ports = said(process)
    assert process.stderr is not None
    line = f"msgtrack: hits cannot be written to {tmp_path / 'segments'} now: {WHY}; redirects go on, and each hit tries again\n"
    assert process.stderr.readline() == line
    assert WHY in read(ports["port"], "/r/test")
    assert [click(ports["port"], number) for number in range(3)] == [302] * 3
    assert f"3 answered hits lost; {WHY}" in read(ports["port"], "/r/test")
    assert "msgtrack_hits_lost_total 3.0" in read(ports["metrics_port"], "/metrics")
    if not hasattr(resource, "prlimit"):
        pytest.skip("no limit of another process can be changed on this system")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert [click(ports["port"], number) for number in range(3, 5)] == [302] * 2
    alarm = read(ports["port"], "/r/test")
    assert "3 answered hits lost" in alarm
    assert WHY not in alarm
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[1].endswith("could not be written: 3\n")
    assert process.returncode == 1
    assert len(kept(tmp_path / "segments")) == 2


def test_workers_without_room_to_count_lead_on(started: Started) -> None:
    pytest.importorskip("prometheus_client")
    process = started("--port=0", "--metrics-port=0", "--workers=2")
    ports = said(process)
    assert "metrics_port" not in ports
    assert [click(ports["port"], number) for number in range(6)] == [302] * 6
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert err.startswith(
        "msgtrack: no place has room for what workers count: there will be no metrics until the next start\n"
    )
    assert sum(map(int, re.findall(r"could not be written: (\d+)", err))) == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full on this system")
def test_a_server_that_can_say_nothing_leads_on(started: Started) -> None:
    """Its output goes to a log on the same full disk."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Path("/dev/full").open("w") as full:
        process = started(f"--port={port}", stdout=full, stderr=full)
    wait_until(lambda: listens(port), process)
    assert [click(port, number) for number in range(6)] == [302] * 6
    assert process.poll() is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full on this system")
def test_a_worker_takes_the_place_of_another_though_nobody_can_be_told(started: Started) -> None:
    with Path("/dev/full").open("w") as full:
        process = started("--port=0", "--workers=2", stderr=full)
    port = said(process)["port"]
    first, _ = children(process)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in children(process) and len(children(process)) == 2, process)
    assert [click(port, number) for number in range(6)] == [302] * 6
    assert process.poll() is None
