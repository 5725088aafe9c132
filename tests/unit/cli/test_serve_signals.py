"""``msgtrack serve`` as a process: how it ends, and that lost hits are told."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msgtrack import Keyring, Tracker

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
# No file may grow past 100 bytes: the segment's first line fits, a hit does not.
FULL = """
import resource, sys
from msgtrack.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
sys.exit(main(sys.argv[1:]))
"""

Started = tuple[subprocess.Popen[str], int]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    (tmp_path / "test.keys").write_text(SECRET + "\n")
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, program: tuple[str, ...] = ("-m", "msgtrack.cli")) -> Started:
        command = [sys.executable, *program, "serve", "--port=0", f"--keys={tmp_path / 'test.keys'}", *options]
        command += ["--base-url=https://t.example.com", f"--segments={tmp_path / 'segments'}"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        assert process.stdout is not None
        listening = re.match(r"listening on 127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert listening is not None
        return process, int(listening[1])

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def click(port: int, message_id: int, **headers: str) -> int:
    found = re.search(r'href="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html or "")
    assert found is not None
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{found[1]}", headers=sent)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=10)
    answer.value.close()
    return answer.value.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_quietly_and_well(started: Callable[..., Started], number: int, tmp_path: Path) -> None:
    process, port = started()
    assert click(port, 1) == 302
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    (segment,) = (tmp_path / "segments").iterdir()
    assert len(segment.read_text().splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_at_once_stops_it_too(started: Callable[..., Started], number: int) -> None:
    process, _ = started()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_lost_hits_are_told_at_once_and_counted_at_the_end(started: Callable[..., Started]) -> None:
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    process, port = started(program=("-B", "-c", FULL))
    assert [click(port, message_id) for message_id in (1, 2, 3)] == [302, 302, 302]
    assert process.stderr is not None
    # It still runs: this line did not wait for its end.
    assert process.stderr.readline().startswith("msgtrack: a hit was answered but could not be written to ")
    assert process.poll() is None
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/r/test", timeout=10) as answer:
        assert "answered hits lost" in answer.read().decode()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == "msgtrack: hits that were answered but could not be written: 3\n"


@pytest.mark.parametrize(
    ("options", "persons"),
    [((), 1), (("--trust-proxy=192.0.2.1",), 1), (("--trust-proxy=192.0.2.1", "--trust-proxy=127.0.0.0/8"), 2)],
)
def test_only_a_trusted_proxy_is_believed(
    started: Callable[..., Started], tmp_path: Path, options: tuple[str, ...], persons: int
) -> None:
    process, port = started("--people=hash", *options)
    for address in ("198.51.100.1", "198.51.100.2"):
        assert click(port, 1, X_Forwarded_For=address) == 302
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    (segment,) = (tmp_path / "segments").iterdir()
    keys = {json.loads(line)["source_id"] for line in segment.read_text().splitlines()[1:]}
    assert len(keys) == persons


def test_it_can_end_with_its_input(started: Callable[..., Started]) -> None:
    process, port = started("--stop-with-stdin")
    assert click(port, 1) == 302
    assert process.stdin is not None
    process.stdin.write("what is written is passed over\n")
    process.stdin.flush()
    assert click(port, 2) == 302
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
