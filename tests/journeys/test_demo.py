"""``msgtrack demo``: the whole journey, the agreement with the truth, and that the comparison can fail."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from msgtrack.cli import main
from msgtrack.cli.demo.compare import compare
from msgtrack.cli.demo.truth import count_truth
from msgtrack.metrics import indicators
from msgtrack.model import Delivery

NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
TEMPLATE = '<p>Hi {{ name }}, <a href="https://shop.example/{{ id }}">yours</a> <a href="https://shop.example/">all</a>'


def test_the_default_newsletter_agrees_with_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--recipients", "150", "--seed", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["agrees"], said["differences"], said["wrong_answers"]) == (True, [], [])
    assert said["compared"] > 90
    assert "opt_out" not in said["beyond"]
    assert said["events"] > 50
    page = Path(said["html"])
    written = json.loads(page.with_suffix(".json").read_text())
    assert written == said["report"]
    assert page.read_text().startswith("<!doctype html>") or page.read_text().startswith("<!DOCTYPE html>")
    with page.with_suffix(".csv").open(newline="") as file:
        assert len(list(csv.reader(file))) > 40
    # Again, in the same folder and store: nothing of the first run is in the way.
    assert main(["demo", "--recipients", "40", "--seed", "4"]) == 0
    assert "numbers agree with the ground truth" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body", [TEMPLATE, "no markup at all", "<script>x</script><a href=https://a.example/?a&amp;b>é</a>"]
)
def test_other_newsletters(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("page.html").write_text(body)
    assert main(["demo", "--recipients", "25", "--seed", "1", "--html", "page.html", "--store", "memory:"]) == 0


def test_the_comparison_can_fail() -> None:
    table = indicators.from_events(Delivery(id="1", to_deliver=0), [], [], [])
    truth = count_truth([], [], {"html": [], "text": []}, {"html": [], "text": []})
    assert compare(truth, table).differences == []
    wrong = attrs.evolve(truth, scalars={**truth.scalars, "person_click": 1, "raw_reactivity": 0.0})
    assert [line.partition(":")[0] for line in compare(wrong, table).differences] == ["person_click", "raw_reactivity"]
    fewer = {key: value for key, value in truth.scalars.items() if key != "opt_out"}
    assert "opt_out: the report has it" in compare(attrs.evolve(truth, scalars=fewer), table).differences[0]
    more = attrs.evolve(truth, series={("url_clicks", "label"): {"Shop": 2}})
    assert "Shop" in compare(more, table).differences[0]


def test_the_truth_asks_nothing_of_what_it_checks() -> None:
    script = (
        "import sys, types\n"
        "for name in ('msgtrack', 'msgtrack.cli', 'msgtrack.cli.demo'):\n"
        "    module = types.ModuleType(name); module.__path__ = [sys.argv[1] + '/' + name.replace('.', '/')]\n"
        "    sys.modules[name] = module\n"
        "import msgtrack.cli.demo.truth\n"
        "assert not {'msgtrack.metrics', 'msgtrack.tally', 'msgtrack.counts'} & set(sys.modules), sorted(sys.modules)\n"
    )
    import msgtrack

    root = Path(msgtrack.__file__).parent.parent
    subprocess.run([sys.executable, "-c", script, str(root)], check=True)


@NEEDS_PROC
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "msgtrack: interrupted"),
        (signal.SIGTERM, 143, "msgtrack: stopped by SIGTERM"),
        (getattr(signal, "SIGHUP", 1), 129, "msgtrack: stopped by SIGHUP"),
        (getattr(signal, "SIGKILL", 9), -9, ""),
    ],
)
def test_nothing_is_left_running_whatever_ends_it(number: int, code: int, said: str, tmp_path: Path) -> None:
    process = _playing(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert err.strip() == said
    deadline = time.monotonic() + (10 if code == -9 else 0)
    while _serving(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _serving(tmp_path)


@NEEDS_PROC
def test_started_in_the_background_it_stops_all_the_same(tmp_path: Path) -> None:
    # A shell's background job ignores Ctrl-C from its birth.
    process = _playing(tmp_path, "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n")
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (143, "msgtrack: stopped by SIGTERM")
    assert not _serving(tmp_path)


@NEEDS_PROC
def test_a_server_that_dies_is_told_in_one_line(tmp_path: Path) -> None:
    process = _playing(tmp_path)
    (server,) = [number for number, line in _serving(tmp_path).items() if "serve" in line.split("\0")]
    os.kill(server, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith("msgtrack: the redirect server went away: ")
    assert err.count("\n") == 1


def _playing(folder: Path, before: str = "") -> subprocess.Popen[str]:
    """The demonstration, its audience at play."""
    program = f"{before}import sys; from msgtrack.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "demo", "--recipients", "400", "--seed", "1"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(folder.glob("msgtrack-demo/*/hits/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    assert any("serve" in line.split("\0") for line in _serving(folder).values())
    return process


def _serving(folder: Path) -> dict[int, str]:
    """Our processes that work in the folder, by number."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if "msgtrack.cli" in line and where == str(folder):
            found[int(entry.name)] = line
    return found
