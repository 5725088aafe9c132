"""``msgtrack serve`` with workers and metrics: they share a port, each keeps its own segments, and nothing answered is lost."""

from __future__ import annotations

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
from msgtrack.cli import main
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
OPT_OUT = TRACKER.opt_out_url(delivery_id="spring", message_id="7").removeprefix("https://t.example.com")
FULL = """
import resource, sys
from msgtrack.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
sys.exit(main(sys.argv[1:]))
"""

Started = tuple["subprocess.Popen[str]", dict[str, Any]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    (tmp_path / "test.keys").write_text(SECRET + "\n")
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, program: tuple[str, ...] = ("-m", "msgtrack.cli")) -> Started:
        command = [
            sys.executable,
            *program,
            "serve",
            "--port=0",
            "--json",
            f"--keys={tmp_path / 'test.keys'}",
            *options,
        ]
        command += ["--base-url=https://t.example.com", f"--segments={tmp_path / 'segments'}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, said + (process.stderr.read() if process.stderr else "")
            said += line
        return process, json.loads(said)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def click(port: int, message_id: int) -> int:
    found = re.search(r'href="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html or "")
    assert found is not None
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", found[1])
        return connection.getresponse().status


def metrics_of(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "t.example.com" not in text
    return {name: float(value) for name, value in re.findall(r"^(msgtrack_\S+) (\S+)$", text, re.MULTILINE)}


def kept(folder: Path) -> list[Hit]:
    return [record for batch in SegmentFolder(folder).read(None) for record in batch.records if isinstance(record, Hit)]


def children(process: subprocess.Popen[str]) -> list[int]:
    """The workers, where the system tells who started whom."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not found.exists():
        pytest.skip("this system does not tell which processes a process started")
    pids = [int(pid) for pid in found.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_workers_share_a_port_and_lose_nothing(started: Callable[..., Started], tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    process, said = started("--workers=2", "--metrics-port=0")
    port, folder = said["port"], tmp_path / "segments"
    assert len(list(folder.iterdir())) == 2
    assert [click(port, number) for number in range(20)] == [302] * 20
    assert metrics_of(said["metrics_port"])['msgtrack_answers_total{outcome="click"}'] == 20
    first, other = children(process)
    os.kill(first, signal.SIGKILL)
    assert [click(port, number) for number in range(20, 30)] == [302] * 10
    deadline = time.monotonic() + 30
    while len(list(folder.iterdir())) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [click(port, number) for number in range(30, 50)] == [302] * 20
    counted = metrics_of(said["metrics_port"])
    # What a worker counted is counted after its end.
    assert counted['msgtrack_answers_total{outcome="click"}'] == counted["msgtrack_answer_seconds_count"] == 50
    assert counted["msgtrack_hits_lost_total"] == 0
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == f"msgtrack: worker {first} ended with -9; another takes its place\n"
    assert len(kept(folder)) == 50
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def test_workers_end_with_who_started_them(started: Callable[..., Started]) -> None:
    process, said = started("--workers=2")
    process.kill()
    process.wait(10)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", said["port"])):
                break
        time.sleep(0.05)
    else:
        pytest.fail("the workers still listen")


def test_lost_hits_of_a_worker_are_told(started: Callable[..., Started]) -> None:
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    process, said = started("--workers=2", program=("-B", "-c", FULL))
    assert [click(said["port"], number) for number in range(6)] == [302] * 6
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert sum(map(int, re.findall(r"could not be written: (\d+)", err))) == 6


def test_lost_hits_are_counted_for_prometheus(started: Callable[..., Started]) -> None:
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    pytest.importorskip("prometheus_client")
    _, said = started("--metrics-port=0", program=("-B", "-c", FULL))
    assert [click(said["port"], number) for number in range(3)] == [302] * 3
    assert metrics_of(said["metrics_port"])["msgtrack_hits_lost_total"] == 3


@pytest.mark.skipif(os.name != "posix", reason="open files cannot be removed on this system")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_removed_hits_are_counted_for_prometheus(started: Callable[..., Started], tmp_path: Path, workers: str) -> None:
    pytest.importorskip("prometheus_client")
    _, said = started("--metrics-port=0", f"--workers={workers}")
    folder, port = tmp_path / "segments", said["metrics_port"]
    assert [click(said["port"], number) for number in range(30)] == [302] * 30
    counted = metrics_of(port)
    assert counted["msgtrack_hits_removed_total"] == counted["msgtrack_hits_in_doubt_total"] == 0
    for path in folder.iterdir():
        path.unlink()
    clicks, deadline = 30, time.monotonic() + 30
    while (removed := metrics_of(port)["msgtrack_hits_removed_total"]) + len(kept(folder)) != clicks:
        assert time.monotonic() < deadline
        assert click(said["port"], clicks) == 302
        clicks += 1
    assert 0 < removed <= 30
    assert metrics_of(port)["msgtrack_hits_lost_total"] == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_is_being_answered_is_waited_for(started: Callable[..., Started], tmp_path: Path, workers: str) -> None:
    process, said = started(f"--workers={workers}")
    body = b"List-Unsubscribe=One-Click"
    with closing(socket.create_connection(("127.0.0.1", said["port"]), timeout=20)) as line:
        form = "Content-Type: application/x-www-form-urlencoded"
        head = f"POST {OPT_OUT} HTTP/1.1\r\nHost: t\r\n{form}\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body[:5])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        line.sendall(body[5:])
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 200
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert [hit.method for hit in kept(tmp_path / "segments")] == ["POST"]


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--workers=0", "--workers 0 is not between 1 and 512"),
        ("--workers=513", "--workers 513 is not between 1 and 512"),
        ("--trust-proxy=nobody", "nobody"),
        ("--trust-proxy=10.0.0.0/8 --proxy-header=via", "via"),
        ("--proxy-header=forwarded", "--proxy-header forwarded does nothing without --trust-proxy"),
        ("--proxy-header=x-forwarded-for --workers=2", "--proxy-header x-forwarded-for does nothing without"),
        ("--registry=", "--registry names no folder"),
        ("--metrics-port=70000", "--metrics-port 70000 is not between 0 and 65535"),
        ("--metrics-host=no.such.host.invalid --metrics-port=0", "cannot serve metrics on no.such.host.invalid port 0"),
    ],
)
def test_what_cannot_be_is_refused(
    option: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "k").write_text(SECRET)
    given = [
        "serve",
        "--base-url=https://t.example.com",
        f"--keys={tmp_path / 'k'}",
        f"--segments={tmp_path / 's'}",
        "--port=0",
    ]
    assert main([*given, *option.split()]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_worker_that_cannot_start_ends_it_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k").write_text(SECRET)
    (tmp_path / "s").write_text("no folder")
    given = [
        "serve",
        "--base-url=https://t.example.com",
        f"--keys={tmp_path / 'k'}",
        f"--segments={tmp_path / 's'}",
        "--port=0",
    ]
    assert main([*given, "--workers=2"]) == 2
    assert "cannot write segments in" in capfd.readouterr().err


def test_nginx_gets_its_script_and_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k").write_text(f"{SECRET}\n{'o' * 32}\n")
    assert (
        main(["keys", "nginx", "--keys", str(tmp_path / "k"), "--out", str(tmp_path / "n" / "x"), "--realm", "shop"])
        == 0
    )
    script, keys = (Path(line) for line in capsys.readouterr().out.splitlines())
    assert "internalRedirect('@msgtrack')" in script.read_text()
    assert keys.stat().st_mode & 0o077 == 0
    found = json.loads(keys.read_text().removeprefix("export default ").rstrip(";\n"))
    ring = Keyring.from_secrets(SECRET, verify_only=["o" * 32])
    expected = [key.key.hex() for key in ring.all_keys("link", "shop")]
    assert sorted(key for group in found.values() for key in group) == sorted(expected)
    assert found[str(ring.key_id)][0] == expected[0]
    assert main(["keys", "nginx"]) == 2
    assert "--keys FILE and --out FOLDER" in capsys.readouterr().err
