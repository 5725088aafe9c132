"""``msgtrack serve`` under load, killed, on a full disk, without its folder, among slow clients: no reader fails, and what was answered is
collected.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
from test_full_disks import small_disk

from msgtrack import Keyring, Tracker
from msgtrack.hits import Rejected
from msgtrack.io import SegmentFolder

pytestmark = pytest.mark.faults

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
READERS = 4
TIMEOUT_SECONDS = 60
STARTED = []


def path_of(message_id):
    return re.search(r'href="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html)[1]


class Server:
    """The server as a process; it says on standard error what it lost. ``within`` is a command that starts it."""

    def __init__(self, folder, keys, *options, within=(), **variables):
        path = os.pathsep.join(part for part in sys.path if part)
        command = [
            *within,
            sys.executable,
            "-m",
            "msgtrack.cli",
            "serve",
            "--port=0",
            "--json",
            f"--keys={keys}",
            *options,
        ]
        self.process = subprocess.Popen(
            [*command, "--base-url=https://t.example.com", f"--segments={folder}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **variables},
            text=True,
        )
        STARTED.append(self.process)
        said = ""
        while not said.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            said += line
        self.said = json.loads(said)
        self.port = self.said["port"]

    def alarm(self):
        return self._read(self.port, "/r/test")

    def metric(self, name):
        found = re.search(
            rf"^{re.escape(name)} (\S+)$", self._read(self.said["metrics_port"], "/metrics"), re.MULTILINE
        )
        return float(found[1]) if found else 0.0

    def _read(self, port, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def workers(self):
        """Their processes."""
        pids = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in pids if b"spawn_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill(self):
        self.process.kill()
        return self.process.communicate(timeout=TIMEOUT_SECONDS)[1]

    def stop(self):
        self.process.terminate()
        return self.process.communicate(timeout=TIMEOUT_SECONDS)[1]


class Reader(threading.Thread):
    """Clicks as fast as the server answers, each message once, until told to stop or the server is gone."""

    def __init__(self, port, first):
        super().__init__()
        self.answered, self.refused = [], []
        self.is_over = threading.Event()
        self._port, self._first = port, first
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        message_id = self._first
        while not self.is_over.is_set():
            try:
                connection.request("GET", path_of(message_id))
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                break
            (self.answered if answer.status == 302 else self.refused).append(message_id)
            message_id += 1
        connection.close()


class Load:
    """Some readers at once."""

    def __init__(self, port, first=1):
        self.readers = [Reader(port, first + number * 1_000_000) for number in range(READERS)]

    @property
    def answered(self):
        return [message_id for reader in self.readers for message_id in reader.answered]

    def wait_for(self, more):
        wanted, waiting = len(self.answered) + more, threading.Event()
        for _ in range(TIMEOUT_SECONDS * 100):
            if len(self.answered) >= wanted:
                return
            waiting.wait(0.01)
        pytest.fail("the server answers nobody")

    def stop(self):
        for reader in self.readers:
            reader.is_over.set()
        for reader in self.readers:
            reader.join()
            assert not reader.refused
        return self.answered


@pytest.fixture(autouse=True)
def _no_server_is_left():
    yield
    for process in STARTED:
        process.kill()
        process.wait()
    STARTED.clear()


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "test.keys"
    path.write_text(SECRET + "\n")
    return path


def collected(folder):
    """The messages whose clicks are there, in order of their numbers."""
    records = [record for batch in SegmentFolder(folder).read(None) for record in batch.records]
    assert not [record for record in records if isinstance(record, Rejected) and record.reason != "torn-line"]
    resolved = [TRACKER.resolve(record.url).message_id for record in records if not isinstance(record, Rejected)]
    return sorted(int(message_id) for message_id in resolved if message_id is not None)


def test_every_answered_click_is_there_after_ten_kills(tmp_path, keys, figures):
    folder, answered = tmp_path / "hits", []
    for life in range(10):
        server = Server(folder, keys, "--compress")
        load = Load(server.port, 1 + life * 10_000_000)
        load.wait_for(150)
        assert server.kill() == ""
        answered += load.stop()
    found = collected(folder)
    assert len(found) == len(set(found))
    assert set(answered) <= set(found)
    # Beyond those, at most what was written and whose answer died on the way.
    assert len(found) <= len(answered) + 10 * READERS
    figures("kills of a server under load", kills=10, answered=len(answered), collected=len(found))


def test_a_full_disk_redirects_everybody_and_says_how_many_were_lost(tmp_path, keys, figures):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "100k") as disk:
        server = Server(folder / "hits", keys)
        load = Load(server.port)
        assert "could not be written" in server.process.stderr.readline()
        load.wait_for(200)
        disk.grow()
        load.wait_for(200)
        answered = load.stop()
        (last,) = server.stop().splitlines()
        lost = int(last.rpartition(" ")[2])
        assert lost >= 100
        assert server.process.returncode == 1
        found = collected(folder / "hits")
        assert set(found) <= set(answered)
        assert len(answered) == len(found) + lost
    figures("a full disk under a server", answered=len(answered), collected=len(found), lost=lost)


def fill(folder):
    """Leave no room on a disk; gives what to remove for it to have some."""
    filler = folder / "filler"
    # In one that is not through a buffer, every byte that there is room for is taken.
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for step in (4_096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * step):
                    pass
    return filler


def lost_of(last_words):
    """The numbers that a server said at its end: of hits that were lost, and of those that were removed."""
    return [
        sum(map(int, re.findall(rf"{what}.*: (\d+)$", last_words, re.MULTILINE)))
        for what in ("could not be w", "removed")
    ]


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_server_that_starts_on_a_disk_in_trouble_counts_exactly_what_it_loses(tmp_path, keys, figures, trouble):
    pytest.importorskip("prometheus_client")
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "100k") as disk:
        if trouble == "full":
            fill(folder)
        else:
            disk.remount("ro")
        server = Server(folder / "hits", keys, "--metrics-port=0")
        assert "hits cannot be written to" in server.process.stderr.readline()
        load = Load(server.port)
        load.wait_for(200)
        why = {"full": "No space left on device", "read-only": "Read-only file system"}[trouble]
        assert re.search(rf"\d+ answered hits lost; {why}", server.alarm())
        if trouble == "full":
            disk.grow()
        else:
            disk.remount("rw")
        load.wait_for(200)
        answered = load.stop()
        lost = int(server.metric("msgtrack_hits_lost_total"))
        assert f"{lost} answered hits lost" in server.alarm()
        assert why not in server.alarm()
        assert lost_of(server.stop()) == [lost, 0]
        assert server.process.returncode == 1
        found = collected(folder / "hits")
        assert lost >= 200
        assert len(found) >= 200
        assert set(found) <= set(answered)
        assert len(answered) == len(found) + lost
    figures(
        "a server started on a disk in trouble", disk=trouble, answered=len(answered), collected=len(found), lost=lost
    )


def test_workers_killed_on_a_full_disk_leave_their_count_of_what_they_lost(tmp_path, keys, figures):
    pytest.importorskip("prometheus_client")
    folder, answered, kills = tmp_path / "disk", [], 3
    folder.mkdir()
    with small_disk(folder, "100k") as disk:
        server = Server(folder / "hits", keys, "--metrics-port=0", "--workers=2")
        fill(folder)
        for life in range(kills):
            load = Load(server.port, 1 + life * 10_000_000)
            load.wait_for(100)
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            while len(set(server.workers()) - set(before)) < 1:
                threading.Event().wait(0.05)
            answered += load.stop()
        disk.grow()
        load = Load(server.port, 1 + kills * 10_000_000)
        load.wait_for(200)
        answered += load.stop()
        lost = int(server.metric("msgtrack_hits_lost_total"))
        server.stop()
        found = collected(folder / "hits")
    missing = len(answered) - len(set(answered) & set(found))
    # Whoever was killed may have counted, or kept, a hit whose answer died with it: of each reader one.
    assert missing <= lost <= missing + kills * READERS
    assert len(set(found) - set(answered)) <= kills * READERS
    assert len(found) == len(set(found)) >= 200
    figures("workers killed on a full disk", kills=kills, answered=len(answered), collected=len(found), lost=lost)


def test_a_folder_that_is_removed_on_a_full_disk_costs_what_is_said(tmp_path, keys, figures):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "1m"):
        server = Server(folder / "hits", keys)
        load = Load(server.port)
        load.wait_for(100)
        filler = fill(folder)
        load.wait_for(100)
        shutil.rmtree(folder / "hits")
        load.wait_for(100)
        filler.unlink()
        load.wait_for(100)
        answered = load.stop()
        lost, removed = lost_of(server.stop())
        found = collected(folder / "hits")
    assert set(found) <= set(answered)
    assert removed > 0
    assert len(answered) == len(found) + lost + removed
    figures("a folder removed on a full disk", answered=len(answered), collected=len(found), lost=lost, removed=removed)


# Memory for files is a small disk then, which the server alone sees.
SMALL_MEMORY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=$MEMORY tmpfs /dev/shm && exec "$@"', "sh")


@pytest.mark.parametrize("memory", ["320k", "8k"])
def test_nobody_waits_for_room_to_count_in(tmp_path, keys, figures, memory):
    """Memory is full when the server has begun, or has too little from the start; the folder that is named for temporary
    files is full in any case.
    """
    pytest.importorskip("prometheus_client")
    tried = subprocess.run(
        [*SMALL_MEMORY, "true"], env={**os.environ, "MEMORY": memory}, capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"no small disk can be mounted here (root may): {tried.stderr}")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with small_disk(temporary, "100k"):
        fill(temporary)
        options = ("--metrics-port=0", "--workers=2")
        server = Server(tmp_path / "hits", keys, *options, within=SMALL_MEMORY, MEMORY=memory, TMPDIR=str(temporary))
        fill(pathlib.Path("/proc", str(server.process.pid), "root", "dev", "shm"))
        load = Load(server.port)
        load.wait_for(200)
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        while len(set(server.workers()) - set(before)) < 1:
            threading.Event().wait(0.05)
        answered = load.stop()
        load = Load(server.port, 10_000_000)
        load.wait_for(200)
        answered += load.stop()
        assert server.metric('msgtrack_answers_total{outcome="click"}') >= len(answered)
        # Of the one that was killed, and of no other.
        assert server.stop().count("ended with") == 1
        assert server.process.returncode == 0
    assert set(answered) <= set(collected(tmp_path / "hits"))
    figures("no room to count in", memory=memory, answered=len(answered))


def test_a_folder_that_is_removed_stops_nobody(tmp_path, keys, figures):
    folder = tmp_path / "hits"
    server = Server(folder, keys)
    load = Load(server.port)
    for _ in range(3):
        load.wait_for(100)
        shutil.rmtree(folder, ignore_errors=True)
    after = {reader: len(reader.answered) for reader in load.readers}
    load.wait_for(200)
    answered = load.stop()
    assert "removed" in server.stop()
    assert server.process.returncode == 1
    found = collected(folder)
    # Of each reader one more click may have been under way when the folder went.
    later = {message_id for reader, count in after.items() for message_id in reader.answered[count + 1 :]}
    assert later <= set(found) <= set(answered)
    figures("folders removed under a server", times=3, answered=len(answered), collected=len(found))


def test_slow_and_half_open_clients_hinder_no_reader(tmp_path, keys, figures):
    folder = tmp_path / "hits"
    server = Server(folder, keys, "--request-timeout=1s")
    load = Load(server.port)
    with contextlib.ExitStack() as stack:
        waiting = []
        for number in range(300):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall((b"", b"GET /", b"POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")[number % 3])
            waiting.append(connection)
        much = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        with contextlib.suppress(ConnectionError):
            much.sendall(b"GET / HTTP/1.1\r\nX-Much: " + b"x" * (1 << 20))
        load.wait_for(200)
        for connection in waiting:
            while connection.recv(65_536):
                pass
        load.wait_for(200)
    answered = load.stop()
    assert server.stop() == ""
    assert server.process.returncode == 0
    found = [message_id for message_id in collected(folder) if message_id]
    assert sorted(answered) == found
    figures("slow clients among readers", slow=300, answered=len(answered))


def test_the_end_waits_for_no_client(tmp_path, keys):
    server = Server(tmp_path / "hits", keys, "--request-timeout=1s")
    with contextlib.ExitStack() as stack:
        for begun in (b"", b"GET /", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(begun)
        assert server.stop() == ""
    assert server.process.returncode == 0
