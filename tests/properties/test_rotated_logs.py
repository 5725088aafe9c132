"""Whatever happens to a log between two readings, every line of it comes out once: a machine of writers, rotations and readers."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msgtrack.hits import Hit
from msgtrack.io import AccessLogFile
from msgtrack.logs.formats import LogFormat

AT = datetime(2026, 11, 21, tzinfo=UTC)
WHOLE = LogFormat(
    name="whole",
    description="the line is the URL",
    parse_line=lambda line, number: Hit(method="GET", url=line, received_at=AT) if line else None,
)
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class RotatingLog(RuleBasedStateMachine):
    """Two names for what was rotated, one log, one reader that may be stopped after any batch."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "access.log"
        self.writer: BinaryIO = self.log.open("ab", buffering=0)
        self.late: BinaryIO | None = None
        self.begun = {"now": "", "late": ""}
        self.written: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.position: str | None = None
        self.count = self.rotations = 0
        self.was_empty = False

    @initialize(dated=st.booleans())
    def names(self, dated: bool) -> None:
        self.dated = dated

    def line(self) -> str:
        self.count += 1
        return f"/{self.count}/" + "x" * (33 + self.count % 7)

    @rule(lines=st.integers(1, 4))
    def write(self, lines: int) -> None:
        self.finish("now")
        for _ in range(lines):
            self.written[line := self.line()] += 1
            self.writer.write(line.encode() + b"\n")

    @rule()
    @precondition(lambda self: not self.begun["now"])
    def begin(self) -> None:
        self.begun["now"] = self.line()
        self.writer.write(self.begun["now"].encode())

    def finish(self, who: str) -> None:
        file = self.writer if who == "now" else self.late
        if file is not None and self.begun[who]:
            file.write(b"/end\n")
            self.written[self.begun[who] + "/end"] += 1
            self.begun[who] = ""

    def torn(self, who: str) -> None:
        """What was begun is never finished: it is a line as it stands."""
        if self.begun[who]:
            self.written[self.begun[who]] += 1
            self.begun[who] = ""

    @rule()
    @precondition(lambda self: self.late is not None)
    def write_into_the_old_file(self) -> None:
        assert self.late is not None
        self.finish("late")
        self.written[line := self.line()] += 1
        self.late.write(line.encode() + b"\n")

    def rotated(self) -> list[Path]:
        return sorted(self.folder.glob("access.log?*"), key=lambda path: path.name.removesuffix(".gz"))

    def leave(self) -> None:
        """The old file gets no more lines."""
        self.torn("late")
        if self.late is not None:
            self.late.close()
        self.late = None

    def name_for_rotated(self) -> Path:
        self.rotations += 1
        if self.dated:
            return self.folder / f"access.log-{20261100 + self.rotations}"
        for path in sorted(self.folder.glob("access.log.*"), key=lambda path: -int(path.name.split(".")[2])):
            _, _, number, *packed = path.name.split(".")
            path.rename(self.folder / ".".join(["access.log", str(int(number) + 1), *packed]))
        return self.folder / "access.log.1"

    @rule()
    @precondition(lambda self: self.rotations < 20)
    def rotate(self) -> None:
        self.leave()
        self.was_empty = self.log.stat().st_size == 0
        self.log.rename(self.name_for_rotated())
        self.late, self.begun["late"], self.begun["now"] = self.writer, self.begun["now"], ""
        self.writer = self.log.open("ab", buffering=0)

    @rule()
    @precondition(lambda self: self.rotations < 20)
    def copy_and_truncate(self) -> None:
        self.leave()
        self.finish("now")
        self.was_empty = False
        shutil.copy(self.log, self.name_for_rotated())
        self.writer.truncate(0)

    @rule(packed=st.sampled_from(sorted(PACKERS)), newest=st.booleans(), removed=st.booleans())
    def pack(self, packed: str, newest: bool, removed: bool) -> None:
        plain = [path for path in self.folder.glob("access.log?*") if path.suffix not in PACKERS]
        if not plain:
            return
        order = {path: int(path.name[11:]) * (1 if self.dated else -1) for path in plain}
        path = (max if newest else min)(plain, key=lambda path: order[path])
        if path == max(plain, key=lambda path: order[path]):
            if self.was_empty:
                # A file that was empty when it was left, and was packed with lines, is known by nothing: somebody must have looked.
                self.read_all()
            self.leave()
        data = PACKERS[packed](path.read_bytes())
        Path(f"{path}{packed}").write_bytes(data if removed else data[: len(data) // 2])
        if removed:
            path.unlink()
        else:
            # The packer was seen at work: what it made is not whole.
            Path(f"{path}{packed}").unlink()

    @rule(batch_lines=st.integers(1, 5), batches=st.integers(0, 6))
    def read_some(self, batch_lines: int, batches: int) -> None:
        source = AccessLogFile(self.log, format=WHOLE, batch_lines=batch_lines, rotated=True)
        with closing(source.read(self.position)) as found:  # type: ignore[type-var]  # a generator
            for _, batch in zip(range(batches), found, strict=False):
                self.take(batch)

    @rule()
    def read_all(self) -> None:
        for batch in AccessLogFile(self.log, format=WHOLE, rotated=True).read(self.position):
            self.take(batch)

    def take(self, batch: object) -> None:
        self.read.update(getattr(record, "url", repr(record)) for record in batch.records)  # type: ignore[attr-defined]
        self.position = batch.position  # type: ignore[attr-defined]

    @invariant()
    def nothing_came_that_was_not_written(self) -> None:
        assert not self.read - self.written - Counter(filter(None, self.begun.values()))

    def teardown(self) -> None:
        try:
            self.rotations = 0
            self.torn("late")
            # What has no end comes out two rotations later.
            for _ in range(3):
                self.write(1)
                self.read_all()
                self.dated_rotation()
            self.write(1)
            self.read_all()
            assert self.read == self.written
        finally:
            self.writer.close()
            self.leave()
            shutil.rmtree(self.folder)

    def dated_rotation(self) -> None:
        self.rotations += 50 if self.rotations < 50 else 0
        self.rotate()


RotatingLog.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
test_every_line_of_a_rotating_log_comes_out_once = pytest.mark.filterwarnings("default")(RotatingLog.TestCase)
