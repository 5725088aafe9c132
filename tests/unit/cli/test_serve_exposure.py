"""Where workers count for Prometheus: in room that was taken before, in memory where that can be, and in no way when there is none."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from msgtrack.cli._exposure import _places, metrics_of_worker, shared_folder
from msgtrack.cli._ledger import Ledger
from msgtrack.hits import Hit
from msgtrack.io import SegmentWriter

pytest.importorskip("prometheus_client")
from msgtrack.web.metrics import RequestMetrics

ROOM = {"counter_0.db", "histogram_0.db", "counter_1.db", "histogram_1.db"}
COUNTING = """
import sys
from pathlib import Path
from msgtrack.cli._exposure import metrics_of_worker

metrics = metrics_of_worker(Path(sys.argv[1]), int(sys.argv[2]))
for number in range(40):
    metrics.observe(f"outcome-{number}", 0.1)
metrics.lost(7)
"""
HOLDING = """
import sys
from pathlib import Path
from msgtrack.cli._exposure import shared_folder

with shared_folder([Path(sys.argv[1])], 1) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""
POSIX = pytest.mark.skipif(os.name != "posix", reason="folders cannot be held on this system")


def run(program: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, timeout=60)


def room_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def lost_in(folder: Path) -> float:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return registry.get_sample_value("msgtrack_hits_lost_total") or 0.0


def test_workers_count_in_room_that_was_taken_for_them_and_their_successors_go_on(tmp_path: Path) -> None:
    with shared_folder([tmp_path], 2) as folder:
        assert folder is not None
        before = room_of(folder)
        assert set(before) == ROOM
        # Blocks that a disk has not given yet could not be had when it is full, and a process ends for that.
        if hasattr(os.stat_result, "st_blocks"):
            os.sync()
            assert all(path.stat().st_blocks * 512 >= path.stat().st_size for path in folder.iterdir())
        for number in (0, 1, 0):
            run(COUNTING, folder, number)
        assert lost_in(folder) == 21
        assert room_of(folder) == before
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_room_is_followed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("no folder")
    with shared_folder([tmp_path / "full", tmp_path / "missing", tmp_path], 1) as folder:
        assert folder is not None
        assert folder.parent == tmp_path
    with shared_folder([tmp_path / "full"], 1) as folder:
        assert folder is None


def test_room_that_is_half_there_is_given_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits of file sizes on this system")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with shared_folder([tmp_path], 1) as folder:
            assert folder is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no files in memory on this system")
def test_memory_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    assert [str(place) for place in _places()] == ["/dev/shm"]


@POSIX
def test_what_a_killed_server_left_is_swept_away_and_what_another_holds_is_not(tmp_path: Path) -> None:
    (tmp_path / "msgtrack-counts-a-file").write_text("not ours to remove")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "msgtrack-counts-a-link").symlink_to(tmp_path / "elsewhere")
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = Path(process.stdout.readline().strip())
        with shared_folder([tmp_path], 1) as folder:
            assert folder is not None
            assert other.is_dir()
        process.send_signal(signal.SIGKILL)
    assert other.is_dir()
    with shared_folder([tmp_path], 1) as folder:
        assert folder is not None
        assert not other.exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"msgtrack-counts-a-file", "msgtrack-counts-a-link", "elsewhere"}


def test_a_worker_counts_where_its_folder_was_cleaned_away(tmp_path: Path) -> None:
    run(COUNTING, tmp_path / "cleaned", 3)
    assert lost_in(tmp_path / "cleaned") == 7


def test_a_worker_that_has_no_room_goes_without_counting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("no folder")
    assert metrics_of_worker(tmp_path / "file", 0) is None
    assert "a worker cannot count for the metrics" in capsys.readouterr().err
    assert metrics_of_worker(None, 0) is None
    (tmp_path / "counter_0.db").write_bytes(b"\xff" * 65_536)
    run("import sys, pathlib; from msgtrack.cli._exposure import metrics_of_worker\n"
        "assert metrics_of_worker(pathlib.Path(sys.argv[1]), 0) is None", tmp_path)  # fmt: skip


def test_each_hit_that_is_not_kept_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prometheus_client import CollectorRegistry

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    registry = CollectorRegistry()

    def counted() -> list[float | None]:
        return [registry.get_sample_value(f"msgtrack_hits_{name}_total") for name in ("lost", "removed", "in_doubt")]

    hit = Hit(method="GET", url="/a", received_at=datetime(2026, 3, 1, tzinfo=UTC))
    ledger = Ledger(SegmentWriter(tmp_path, sync_seconds=0), RequestMetrics(registry))
    ledger.record(hit)
    assert counted() == [0, 0, 0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken, raising=False)
        patch.setattr(os, "fsync", broken)
        ledger.record(hit)
        assert counted() == [0, 0, 1]
        ledger.record(hit)
    assert counted() == [0, 0, 2]
    ledger.record(hit)
    for path in tmp_path.iterdir():
        os.truncate(path, 0)
    ledger.alarm()
    # Of the open one; nobody looks at those that are closed.
    assert counted() == [0, 1, 2]
    ledger.close()
    ledger.record(hit)
    ledger.alarm()
    assert counted() == [1, 1, 2]
    assert not ledger.is_whole
