"""Appending hits to segments and reading them back, against what the system and JSON alone take."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._runner import Benchmark
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder, SegmentWriter, compress_segments
from msgtrack.records import to_json

_READ = 5_000
_HIT = Hit(
    method="GET",
    url="/9/4vg2m1qk8s0c7x5r-3nfh6tz2pd9b1ywk/kx7c0m5r2v8q4s1n-9hd3fz6t",
    received_at=datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
    user_agent="Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    source_id="0123456789abcdef0123456789abcdef",
)
_LINE = to_json(_HIT).encode() + b"\n"

_scratch = tempfile.TemporaryDirectory()
_folder = Path(_scratch.name)
_bare = os.open(_folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_grouped = SegmentWriter(_folder / "grouped")
_each = SegmentWriter(_folder / "each", sync_seconds=0)
_sync = getattr(os, "fdatasync", os.fsync)


@atexit.register
def _clean() -> None:
    _grouped.close()
    _each.close()
    os.close(_bare)
    _scratch.cleanup()


def _write_and_sync() -> None:
    os.write(_bare, _LINE)
    _sync(_bare)


def _filled(name: str) -> Path:
    folder = _folder / name
    with SegmentWriter(folder, sync_hits=_READ) as writer:
        for _ in range(_READ):
            writer.write(_HIT)
    return folder


_PLAIN, _PACKED = _filled("plain"), _filled("packed")
compress_segments(_PACKED)


def _read(folder: Path) -> int:
    return sum(len(batch.records) for batch in SegmentFolder(folder).read(None))


def _read_bare() -> int:
    (path,) = _PLAIN.iterdir()
    with path.open("rb") as file:
        return sum(1 for line in file if json.loads(line))


BENCHMARKS = [
    Benchmark(
        name="append a hit; limit: write(2) of a line made before",
        ours=lambda: _grouped.write(_HIT),
        limit=lambda: os.write(_bare, _LINE),
        peers={"its JSON alone": lambda: to_json(_HIT).encode()},
    ),
    Benchmark(
        name="append a hit and sync it; limit: write(2) and fdatasync(2)",
        ours=lambda: _each.write(_HIT),
        limit=_write_and_sync,
    ),
    Benchmark(
        name=f"read {_READ} hits; limit: json.loads of their lines",
        ours=lambda: _read(_PLAIN),
        limit=_read_bare,
        peers={"compressed": lambda: _read(_PACKED)},
        items=_READ,
    ),
]
