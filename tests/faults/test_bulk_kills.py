"""Reading a log by columns, killed while lines are read and events are written: reading on gives what one run gives."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from odd_log_lines import BASE, PATHS, TRACKERS, moment_text
from same_store import NOW, contents

from msgtrack import collect, open_store
from msgtrack.bulk import collect_logs
from msgtrack.io import AccessLogFile

pytestmark = pytest.mark.faults

LINES = 8_000
_CHILD = """
import os, signal, sys
from pathlib import Path
from msgtrack import Keyring, Tracker, bulk, open_store
from msgtrack.io import AccessLogFile
from same_store import NOW
base, secret, log, url, calls = sys.argv[1:]
left = int(calls)

def told(records):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

bulk._LINES_AT_ONCE = 500
tracker = Tracker(base, Keyring.from_secrets(secret))
with open_store(url) as store:
    bulk.collect_logs({"web": AccessLogFile(Path(log), batch_lines=100)}, store, tracker=tracker, now=NOW, progress=told)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A log, and what is kept of it when nothing breaks off."""
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'bulk' is not installed")
    folder = tmp_path_factory.mktemp("whole")
    paths, log = PATHS["stateless"], folder / "access.log"
    with log.open("w", encoding="utf-8") as file:
        for n in range(LINES):
            moment = moment_text(n // 500, "+0000")
            file.write(
                f'203.0.113.{n % 7} - - [{moment}] "GET {paths[n * 7 % len(paths)]} HTTP/1.1" 302 0 "-" "Agent {n % 5}"\n'
            )
    with open_store(f"duckdb:///{folder}/whole.duckdb") as store:
        source = AccessLogFile(log, batch_lines=100)
        run = collect({"web": source}, store, tracker=TRACKERS["stateless"], now=NOW)
        held = contents(store)
    del held["runs"]
    return log, run.added, held


@pytest.mark.parametrize("then", [collect, collect_logs], ids=["by objects", "by columns"])
@pytest.mark.parametrize("calls", [3, 18, 60])
def test_a_killed_reader_is_gone_on_with(tmp_path: Path, whole, calls: int, then) -> None:
    log, added, wanted = whole
    url = f"duckdb:///{tmp_path}/killed.duckdb"
    arguments = [BASE, "a secret of thirty-two bytes or so", str(log), url, str(calls)]
    support = Path(__file__).resolve().parents[1] / "support"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[*sys.path, str(support)]!r}\n{_CHILD}", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    with open_store(url) as store:
        before = len(list(store.scan()))
        assert (before > 0) == (store.checkpoint("web") is not None)
        source = AccessLogFile(log, batch_lines=100)
        run = then({"web": source}, store, tracker=TRACKERS["stateless"], now=NOW)
        assert run.hits < LINES or before == 0
        assert before + run.added == added
        held = contents(store)
    del held["runs"]
    assert held == wanted
