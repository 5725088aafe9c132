"""Bytes to lines: any encoding, any cut, holes and endless lines; and files as they were compressed."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, MissingExtra, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import AccessLogFile, AccessLogStream, find_logs, sample_lines
from msgtrack.io._lines import MAX_LINE_BYTES, LogLines
from msgtrack.logs import formats

LINE = '192.0.2.{n} - - [21/Nov/2026:10:00:0{n} +0000] "GET /a/{n} HTTP/1.1" 302 0 "-" "Agent"\n'
DATA = "".join(LINE.format(n=n) for n in range(3)) + "rubbish\n" + LINE.format(n=3)
EXPECTED = ["/a/0", "/a/1", "/a/2", "rubbish", "/a/3"]
W3C = (
    "#Version: 1.0\r\n#Fields: date time cs-method cs-uri-stem sc-status\r\n"
    + "".join(f"2026-11-21 10:00:0{n} GET /a/{n} 200\r\n" for n in range(3))
    + "#Fields: cs-method cs-uri-stem date time\r\nGET /a/3 2026-11-21 10:00:03\r\n"
)


def records(source: Any, position: str | None = None) -> tuple[list[Hit | Rejected], str | None]:
    found: list[Hit | Rejected] = []
    for batch in source.read(position):
        found += batch.records
        position = batch.position
    return found, position


def names(found: list[Hit | Rejected]) -> list[str]:
    return [
        one.url if isinstance(one, Hit) else one.text if one.reason.startswith("not") else one.reason for one in found
    ]


def zstd(data: bytes) -> bytes:
    module = pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
    packed: bytes = module.compress(data)
    return packed


PACKERS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}


@pytest.mark.parametrize("packed", PACKERS)
def test_a_log_is_read_as_it_was_compressed_whatever_its_name(packed: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    data = PACKERS[packed](DATA.encode())
    log.write_bytes(data)
    found, position = records(AccessLogFile(log, batch_lines=2))
    assert names(found) == EXPECTED
    assert records(AccessLogFile(log), position) == ([], position)
    first = next(iter(AccessLogFile(log, batch_lines=2).read(None)))
    assert names(records(AccessLogFile(log), first.position)[0]) == EXPECTED[2:]
    assert names(records(AccessLogStream(io.BytesIO(data)))[0]) == EXPECTED
    assert sample_lines(log)[3] == "rubbish"


@pytest.mark.parametrize("packed", ["gzip", "bzip2", "xz", "zstd"])
def test_damage_is_told_behind_what_can_be_read(packed: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    # Lines that do not compress, so that a cut leaves some of them.
    lines = [
        f"192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] {hash((n, 'x')):x}{hash((n, 'y')):x}\n" for n in range(20_000)
    ]
    data = PACKERS[packed]("".join(lines).encode())
    log.write_bytes(data[: len(data) // 2] + (b"" if packed == "gzip" else b"x" * 50))
    found: list[Any] = []

    def read() -> None:
        for batch in AccessLogFile(log, batch_lines=1_000).read(None):
            found.extend(batch.records)

    with pytest.raises(SourceError, match="damaged"):
        read()
    assert packed in ("bzip2", "xz") or len(found) > 100
    with pytest.raises(SourceError, match="damaged"):
        records(AccessLogStream(io.BytesIO(log.read_bytes())))


def test_a_damaged_file_does_not_stop_those_behind_it(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    packed = gzip.compress(LINE.format(n=1).encode())
    (tmp_path / "access.log.1.gz").write_bytes(packed[:-8] + b"damaged!")
    log.write_text(LINE.format(n=2))
    found, position = records(AccessLogFile(log, rotated=True))
    assert names(found) == ["/a/1", "damaged-file", "/a/2"]
    assert records(AccessLogFile(log), position) == ([], position)


def test_zstd_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("backports.zstd", "backports", "compression.zstd", "compression"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "access.log").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(MissingExtra, match=r"msgtrack\[zstd\]"):
        records(AccessLogFile(tmp_path / "access.log"))


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16 le": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16 be": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16 le unmarked": lambda text: text.encode("utf-16-le"),
    "utf-16 be unmarked": lambda text: text.encode("utf-16-be"),
    "utf-16 behind other lines": lambda text: b"\n" + codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "a hole of zeros": lambda text: bytes(5_000) + text.encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_that_lie_give_the_same_lines(encoding: str, end: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(ENCODINGS[encoding](DATA.replace("\n", end)))
    assert names(records(AccessLogFile(log, batch_lines=1))[0]) == EXPECTED


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "a hole of zeros"])
@pytest.mark.parametrize(("text", "name"), [(W3C, "w3c"), (DATA, "combined")], ids=["w3c", "combined"])
def test_every_file_cut_at_every_offset_is_resumed(encoding: str, text: str, name: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    data = ENCODINGS[encoding](text)
    log.write_bytes(data)
    whole, _ = records(AccessLogFile(log, format=name))
    assert len(whole) >= 4
    step = 1 if encoding in ("utf-8", "utf-16 le") else 7
    for cut in range(0, len(data) + 1, step):
        log.write_bytes(data[:cut])
        first, position = records(AccessLogFile(log, format=name))
        log.write_bytes(data)
        rest, _ = records(AccessLogFile(log, format=name), position)
        assert first + rest == whole, cut


class Dripping(io.RawIOBase):
    """Bytes that come in pieces of given sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes = data, sizes

    def read1(self, size: int = -1, /) -> bytes:
        step = self.sizes.pop() if self.sizes else len(self.data)
        piece, self.data = self.data[:step], self.data[step:]
        return piece


@given(st.binary(max_size=60), st.lists(st.integers(1, 9), max_size=30))
@example(b"a\n\xff\xfeb\x00\n\x00", [1] * 9)
@example(b"\xff\xfe\n\x01\n\x00\x0a\x0a\n\x00", [3] * 9)
def test_any_bytes_in_any_pieces_are_the_same_lines(data: bytes, sizes: list[int]) -> None:
    def lines(stream: Any) -> list[Any]:
        reader = LogLines(stream, finish=True)
        return [*reader, reader.offset, reader.number, reader.marks() if reader.number else None]

    whole = lines(io.BufferedReader(io.BytesIO(data)))
    assert lines(Dripping(data, sizes)) == whole
    assert whole[-3] == len(data)
    # What is no line is none of our making: no text holds an end of line, and every end is one.
    assert not any("\n" in text for text, _ in whole[:-3])
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\x00" not in data:
        assert whole[-2] == data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


@given(
    st.lists(st.sampled_from(["\n", "a", "é", "\u0a0a", "bcdefghij", "\x00"]), max_size=20).map("".join),
    st.sampled_from(["utf-8", "utf-8 with a mark", "utf-16 le", "utf-16 be"]),
    st.lists(st.integers(1, 9), max_size=30),
)
@example("\nabcdefghijklm\u0a0ax\nb\n", "utf-16 le", [1] * 40)
@example("aaa\n", "utf-16 le", [1, 1, 7])
@example("\0\n\0é\n\n\n\n\n\né", "utf-8", [])
def test_long_lines_in_any_pieces_are_the_same_lines(text: str, encoding: str, sizes: list[int]) -> None:
    data = ENCODINGS[encoding](text)

    def lines(stream: Any) -> list[Any]:
        reader = LogLines(stream, finish=True)
        return [*reader, reader.offset, reader.number]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("msgtrack.io._lines.MAX_LINE_BYTES", 8)
        whole = lines(io.BufferedReader(io.BytesIO(data)))
        assert [reason for _, reason in lines(Dripping(data, list(sizes)))[:-2]] == [reason for _, reason in whole[:-2]]
        assert lines(Dripping(data, list(sizes)))[-2:] == whole[-2:]
    assert whole[-2] == len(data)


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 3 * MAX_LINE_BYTES])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8 with a mark", "utf-16 le"])
def test_a_line_that_is_too_long_is_rejected_by_its_number(size: int, encoding: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(ENCODINGS[encoding](LINE.format(n=1) + "x" * size + "\n" + LINE.format(n=2)))
    found, position = records(AccessLogFile(log, batch_lines=2))
    is_long = size > MAX_LINE_BYTES or encoding == "utf-16 le"
    assert names(found)[::2] == ["/a/1", "/a/2"]
    assert isinstance(found[1], Rejected)
    assert (found[1].line, found[1].reason) == (2, "line-too-long" if is_long else "not-combined")
    assert found[1].text == "x" * 2_000
    assert records(AccessLogFile(log), position) == ([], position)


def test_endless_lines_and_holes_take_no_memory() -> None:
    class Endless(Dripping):
        def read1(self, size: int = -1, /) -> bytes:
            self.sizes[0] -= 1
            return self.data if self.sizes[0] >= 0 else b""

    piece = b"x" * (1 << 18)
    tracemalloc.start()
    try:
        for data, reason in ((piece, "line-too-long"), (bytes(1 << 18), "nul-bytes")):
            ((_, told),) = LogLines(Endless(data, [200]), finish=True)
            assert told == reason
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_hole_of_zeros_of_any_size_hides_no_line(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with log.open("wb") as file:
        file.write(LINE.format(n=1).encode())
        file.truncate(40 << 20)
        file.seek(0, io.SEEK_END)
        file.write(LINE.format(n=2).encode() + bytes(9) + b"\n" + LINE.format(n=3).encode())
    found, position = records(AccessLogFile(log))
    assert names(found) == ["/a/1", "/a/2", "nul-bytes", "/a/3"]
    assert records(AccessLogFile(log), position) == ([], position)


def test_the_format_may_be_told_by_the_lines(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(W3C)
    found, position = records(AccessLogFile(log, format="auto", batch_lines=1))
    assert names(found) == ["/a/0", "/a/1", "/a/2", "/a/3"]
    with log.open("a") as file:
        file.write("GET /a/4 2026-11-21 10:00:04\n")
    assert names(records(AccessLogFile(log, format="auto"), position)[0]) == ["/a/4"]
    assert names(records(AccessLogStream(io.BytesIO(gzip.compress(DATA.encode())), format="auto"))[0]) == EXPECTED
    log.write_text("rubbish\n")
    for source in (AccessLogFile(log, format="auto"), AccessLogStream(io.BytesIO(b"rubbish"), format="auto")):
        with pytest.raises(SourceError, match="cannot tell the format"):
            records(source)
    assert records(AccessLogStream(io.BytesIO(b""), format="auto")) == ([], None)


def test_a_stream_is_read_once_to_its_end() -> None:
    source = AccessLogStream(io.BytesIO(DATA.encode()[:-1]), batch_lines=2)
    batches = list(source.read(None))
    assert names([one for batch in batches for one in batch.records]) == EXPECTED
    assert len(batches) == 3
    assert {(batch.position, batch.scope) for batch in batches} == {("1", "stream:1")}
    assert list(source.read("1")) == []
    with pytest.raises(SourceError, match="position"):
        list(source.read("{}"))


def test_progress_counts_the_bytes_of_the_disk(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    for packed in ("plain", "gzip"):
        log.write_bytes(PACKERS[packed](DATA.encode() * 200))
        told: list[int] = []
        records(AccessLogFile(log, batch_lines=100, progress=told.append))
        assert sum(told) == log.stat().st_size


def test_patterns_mean_logs_and_not_what_they_were_rotated_into(tmp_path: Path) -> None:
    for name in (
        "a.log",
        "a.log.1",
        "a.log.2.gz",
        "a.log-20261121.zst",
        "b-20261120.log",
        "b-20261121.log.gz",
        "c.1.log",
        "c.2.log",
    ):
        (tmp_path / name).write_text(LINE.format(n=1))
    found = [path.name for path in find_logs(str(tmp_path / "*"))]
    assert found == ["a.log", "b.log", "c.1.log", "c.2.log"]
    assert find_logs(tmp_path / "a.log.1") == (tmp_path / "a.log.1",)
    assert names(records(AccessLogFile(tmp_path / "b.log", rotated=True, finish=True))[0]) == ["/a/1"] * 2
    with pytest.raises(SourceError, match="no file is like"):
        find_logs(str(tmp_path / "*.nothing"))


@pytest.mark.parametrize(
    "options", [{"batch_lines": 0}, {"pause_seconds": -1}, {"follow": "yes"}, {"format": "nonsense"}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidOption):
        AccessLogFile(tmp_path / "x", **options)


def test_every_format_is_resumed_at_every_offset(tmp_path: Path) -> None:
    samples = Path(__file__).resolve().parents[2] / "data" / "logs"
    log = tmp_path / "access.log"
    for name in sorted(formats.FORMATS):
        for sample in sorted((samples / name).glob("*.log")):
            data = sample.read_bytes()
            log.write_bytes(data)
            whole, _ = records(AccessLogFile(log, format=name))
            for cut in range(0, len(data), max(1, len(data) // 40)):
                log.write_bytes(data[:cut])
                first, position = records(AccessLogFile(log, format=name))
                log.write_bytes(data)
                assert first + records(AccessLogFile(log, format=name), position)[0] == whole, (sample, cut)
