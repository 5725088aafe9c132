"""``python -m benchmarks.server``: the redirect server under load, by ``wrk``, as ratios to a bare application.

Each candidate is one worker on one server, and all take turns in rounds, so that a busy moment of the machine hits them alike. The best
round of each counts, because what else a machine does only takes away. Two ratios are printed: of answers a second, and of the processor
time that the server took for each answer, which a busy machine disturbs less. The paths are of distinct messages, each with a token that
holds. After ours has run, the hits in its segments are counted against the answers that ``wrk`` got.

``--flat N`` asks ours N times instead, and looks at the memory of its process meanwhile.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from benchmarks._served import TRACKER

__all__ = ["main"]

_MESSAGES = 20_000
_LINKS = 12
_CONNECTIONS = 16
_LUA = """
local asked, at = {}, 0
function init(args)
  for line in io.lines("%s") do asked[#asked + 1] = wrk.format("GET", line) end
end
function request()
  at = at %% #asked + 1
  return asked[at]
end
"""
_AGENT = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@frozen
class Candidate:
    """One application on one server."""

    name: str
    interface: str
    server: str
    app: str
    options: tuple[str, ...] = ()


@frozen
class Round:
    """What ``wrk`` says: answers, answers a second, the 99th percentile in milliseconds, and answers that were no 2xx or 3xx; and
    the server's processor time for each answer, in seconds.
    """

    answers: int
    rate: float
    p99: float
    bad: int
    cpu: float = 0.0


_CLICKS, _MIXED = "clicks", "clicks and opens"
# Granian gives WSGI as many threads as there are connections, though the interpreter lets one of them work: a bare answer
# gains by them, because it is over before another has its turn, and what writes a file loses at each write.
_ONE_THREAD = ("--blocking-threads", "1")
_SERVERS = (
    (
        Candidate("ours", "asgi", "uvicorn", "asgi_app"),
        (
            Candidate("bare", "asgi", "uvicorn", "asgi_bare"),
            Candidate("equal headers", "asgi", "uvicorn", "asgi_equal"),
        ),
    ),
    (Candidate("ours", "asgi", "granian", "asgi_app"), (Candidate("bare", "asgi", "granian", "asgi_bare"),)),
    (
        Candidate("ours", "wsgi", "granian", "wsgi_app", _ONE_THREAD),
        (
            Candidate("equal headers", "wsgi", "granian", "wsgi_equal", _ONE_THREAD),
            Candidate("equal headers in many threads", "wsgi", "granian", "wsgi_equal"),
        ),
    ),
    (
        Candidate("ours", "wsgi", "granian", "wsgi_app"),
        (Candidate("equal headers", "wsgi", "granian", "wsgi_equal"),),
    ),
)


def _rows() -> Iterator[tuple[str, str, Candidate, tuple[Candidate, ...]]]:
    for ours, bares in _SERVERS:
        threads = "" if ours.interface == "asgi" else ", one thread" if ours.options else ", many threads"
        for kind in (_CLICKS, _MIXED):
            yield f"{ours.server} {ours.interface.upper()}{threads}, {kind}", kind, ours, bares


def _paths(kind: str, file: Path) -> None:
    page = TRACKER.compile(
        html="".join(f'<a href="https://shop.example/lamps/{n}?utm_source=mail">x</a>' for n in range(_LINKS)),
        delivery_id="4711",
    )
    lines = []
    for number in range(_MESSAGES):
        html = page.render(message_id=10_000_000 + number).html or ""
        *clicks, opened = re.findall(r"https://t\.example\.com(/[a-z0-9./-]+)", html)
        lines.append(opened if kind == _MIXED and number % 2 else clicks[number % _LINKS])
    file.write_text("\n".join(lines) + "\n")


@contextmanager
def _serving(candidate: Candidate, segments: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = f"benchmarks._served:{candidate.app}"
    program = {
        "uvicorn": ["uvicorn", place, "--factory", "--port", str(port), "--log-level", "error", "--no-access-log"],
        "granian": ["granian", place, "--factory", "--port", str(port), "--log-level", "error"],
    }[candidate.server]
    if candidate.server == "granian":
        program += ["--interface", candidate.interface]
    program += candidate.options
    process = subprocess.Popen([sys.executable, "-m", *program], env={**os.environ, "SEGMENTS": str(segments)})
    try:
        for _ in range(600):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wrk(port: int, script: Path, seconds: float) -> Round:
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(script)]
    done = subprocess.run(
        [*command, "-H", _AGENT, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
    )
    text = done.stdout
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    answers, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+([\d.]+)", text)
    if found is None or answers is None or rate is None:
        raise SystemExit(f"wrk says something else than expected:\n{text}{done.stderr}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    p99 = float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
    return Round(int(answers[1]), float(rate[1]), p99, int(bad[1]) if bad else 0)


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process and those that it started; 0 where there is no ``/proc``."""
    total = 0.0
    for one in [pid, *_children(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _children(pid: int) -> list[int]:
    try:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in _children(child)]


def _hits(segments: Path) -> int:
    return sum(path.read_bytes().count(b"\n") - 1 for path in segments.glob("*.hits.jsonl"))


def _row(
    name: str, kind: str, ours: Candidate, bares: tuple[Candidate, ...], rounds: int, seconds: float, folder: Path
) -> None:
    folder.mkdir()
    _paths(kind, folder / "paths")
    script = folder / "wrk.lua"
    script.write_text(_LUA % (folder / "paths"))
    found: dict[str, list[Round]] = {candidate.name: [] for candidate in (ours, *bares)}
    for turn in range(rounds):
        for candidate in (ours, *bares):
            with _serving(candidate, folder / f"segments-{turn}") as (port, process):
                _wrk(port, script, 1)
                before = _cpu(process.pid)
                one = _wrk(port, script, seconds)
                found[candidate.name].append(evolve(one, cpu=(_cpu(process.pid) - before) / one.answers))
    rate = {each: max(one.rate for one in measured) for each, measured in found.items()}
    cpu = {each: min(one.cpu for one in measured) for each, measured in found.items()}
    ratios = ", ".join(
        f"{rate['ours'] / rate[bare.name]:.2f} (by processor time {cpu[bare.name] / cpu['ours']:.2f}) of {bare.name}"
        for bare in bares
    )
    answers = sum(one.answers for one in found["ours"])
    p99 = statistics.median(one.p99 for one in found["ours"])
    hits = sum(_hits(folder / f"segments-{turn}") for turn in range(rounds))
    bad = sum(one.bad for one in found["ours"])
    print(
        f"{name:<42} {rate['ours']:>9,.0f}/s, {cpu['ours'] * 1e6:.0f} us each  {ratios}  p99 {p99:6.2f} ms  "
        f"answers {answers:,} (bad {bad}), hits {hits:,} with those of warming up",
        flush=True,
    )
    if hits < answers:
        raise SystemExit("answers were given whose hits were not written")


def _flat(requests: int, folder: Path) -> int:
    """Whether memory stays where it is over that many requests."""
    _paths(_MIXED, folder / "paths")
    script = folder / "wrk.lua"
    script.write_text(_LUA % (folder / "paths"))
    ours = Candidate("ours", "asgi", "uvicorn", "asgi_app")
    with _serving(ours, folder / "segments") as (port, process):
        asked = 0
        sizes: list[tuple[int, int]] = []
        while asked < requests:
            asked += _wrk(port, script, 10).answers
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmRSS:\s+(\d+)", status)
            sizes.append((asked, int(found[1]) if found else 0))
            print(f"{asked:>10,} requests: {sizes[-1][1] / 1024:.1f} MB", flush=True)
    # What is remembered for good is remembered in the first tenth.
    first = next(size for count, size in sizes if count * 10 >= requests)
    grown = (sizes[-1][1] - first) / 1024
    print(f"grown since the first tenth: {grown:.1f} MB")
    return 0 if grown < 5 else 1


def main(argv: list[str] | None = None) -> int:
    """Run it; 1 when memory grew."""
    parser = argparse.ArgumentParser(prog="benchmarks.server", description="Load the redirect server with wrk.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--flat", type=int, metavar="N", help="ask N times and look at memory")
    args = parser.parse_args(argv)
    if shutil.which("wrk") is None:
        print("skipped: wrk is not installed (Debian: apt-get install wrk)")
        return 0
    with tempfile.TemporaryDirectory(prefix="msgtrack-load-") as name:
        folder = Path(name)
        if args.flat:
            return _flat(args.flat, folder)
        for place, (row, kind, ours, bares) in enumerate(_rows()):
            if args.only in row:
                _row(row, kind, ours, bares, args.rounds, args.seconds, folder / str(place))
    return 0


if __name__ == "__main__":
    sys.exit(main())
