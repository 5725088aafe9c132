"""Reading access logs: lines to hits, and lines to verified events."""

from __future__ import annotations

import re

from benchmarks._runner import Benchmark
from msgtrack import Keyring, Tracker
from msgtrack.logs import parse

LINES = 2_000

_tracker = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret of thirty-two bytes or so"))
_compiled = _tracker.compile(html='<a href="https://shop.example/">Shop</a>', delivery_id="4711")


def _line(number: int) -> str:
    html = _compiled.render(message_id=str(number)).html or ""
    path = html.split('"')[1].removeprefix("https://t.example.com")
    moment = f"02/Mar/2026:10:{number // 60 % 60:02d}:{number % 60:02d} +0000"
    return f'203.0.113.{number % 250} - - [{moment}] "GET {path} HTTP/1.1" 302 0 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"'


_lines = [_line(number) for number in range(LINES)]
_bare = re.compile(r'(\S+) \S+ \S+ \[([^]]+)\] "(\S+) (\S+) [^"]*" (\d+) \S+ "([^"]*)" "([^"]*)"')


def _match() -> list[object]:
    return [_bare.match(line) for line in _lines]


BENCHMARKS = [
    Benchmark(name=f"{LINES:,} lines to hits", ours=lambda: list(parse(_lines)), limit=_match, items=LINES),
    Benchmark(
        name=f"{LINES:,} lines to events", ours=lambda: list(parse(_lines, tracker=_tracker)), limit=_match, items=LINES
    ),
]
