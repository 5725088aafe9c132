"""Compressed segments: nothing that is being written is touched, and reading goes on where it was."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import SegmentFolder, SegmentWriter, _segment_reading, compress_segments

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def hit(number: int) -> Hit:
    return Hit(method="GET", url=f"/a/{number}", received_at=AT)


def fill(folder: Path, *numbers: int) -> None:
    """One closed segment."""
    with SegmentWriter(folder) as writer:
        for number in numbers:
            writer.write(hit(number))


def read(
    folder: Path, position: str | None = None, batch_lines: int = 5_000
) -> tuple[list[Hit | Rejected], str | None]:
    records: list[Hit | Rejected] = []
    for batch in SegmentFolder(folder, batch_lines=batch_lines).read(position):
        records += batch.records  # type: ignore[arg-type]
        position = batch.position
    return records, position


def urls(records: list[Hit | Rejected]) -> list[str]:
    return [record.url for record in records if isinstance(record, Hit)]


def told(records: list[Hit | Rejected]) -> list[Rejected]:
    return [record for record in records if isinstance(record, Rejected)]


def only(folder: Path, pattern: str = "*") -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_a_closed_segment_is_compressed_and_says_the_same(tmp_path: Path) -> None:
    fill(tmp_path, *range(100))
    plain = only(tmp_path)
    data, before = plain.read_bytes(), read(tmp_path)
    (packed,) = compress_segments(tmp_path)
    assert packed == only(tmp_path) == plain.with_name(plain.name + ".gz")
    assert gzip.decompress(packed.read_bytes()) == data
    assert read(tmp_path) == before
    assert read(tmp_path, before[1]) == ([], before[1])
    assert packed.stat().st_mode & 0o007 == 0
    assert compress_segments(tmp_path) == []


@settings(max_examples=30)
@given(data=st.data())
def test_reading_goes_on_in_the_compressed_file_from_any_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("hits")
    fill(folder, *range(12))
    whole, end = read(folder)
    positions = [batch.position for batch in SegmentFolder(folder, batch_lines=1).read(None)]
    compress_segments(folder)
    cut = data.draw(st.integers(0, 12))
    rest, after = read(folder, positions[cut - 1] if cut else None, batch_lines=data.draw(st.integers(1, 20)))
    assert rest == whole[cut:]
    assert after == end


def test_a_segment_that_is_compressed_while_it_is_read_is_read_on(tmp_path: Path) -> None:
    fill(tmp_path, *range(10))
    fill(tmp_path, *range(10, 20))
    batches = SegmentFolder(tmp_path, batch_lines=4).read(None)
    records = list(next(batches).records)
    assert len(compress_segments(tmp_path)) == 2
    for batch in batches:
        records += batch.records
        position = batch.position
    assert sorted(urls(records)) == sorted(f"/a/{number}" for number in range(20))  # type: ignore[arg-type]
    assert read(tmp_path, position)[0] == []


def test_a_segment_that_is_compressed_while_the_folder_is_looked_through_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, *range(5))
    fill(tmp_path, *range(5, 10))
    _, position = read(tmp_path)
    looked_at = _segment_reading._looked_at

    def late(path: Path) -> object:
        compress_segments(tmp_path)
        return looked_at(path)

    monkeypatch.setattr(_segment_reading, "_looked_at", late)
    assert read(tmp_path, position)[0] == []
    assert len(read(tmp_path)[0]) == 10


def test_a_segment_that_is_removed_while_it_is_read_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    fill(tmp_path, 2)
    batches = SegmentFolder(tmp_path).read(None)
    (first,) = next(batches).records
    for path in tmp_path.iterdir():
        path.unlink()
    assert list(batches) == []
    assert isinstance(first, Hit)


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, max_bytes=300) as writer:
        for number in range(20):
            writer.write(hit(number))
        assert writer.health().written == 20
        compress_segments(tmp_path)
        assert len(list(tmp_path.glob("*.jsonl"))) >= 1
        writer.write(hit(20))
    assert sorted(urls(read(tmp_path)[0])) == sorted(f"/a/{number}" for number in range(21))


def test_a_writer_compresses_what_it_closed_and_what_others_left(tmp_path: Path) -> None:
    fill(tmp_path, *range(100, 110))
    left = only(tmp_path)
    with SegmentWriter(tmp_path, max_bytes=2_000, compress=True) as writer:
        for number in range(100):
            writer.write(hit(number))
        deadline = datetime.now(UTC).timestamp() + 20
        while len(list(tmp_path.glob("*.jsonl"))) > 1 and datetime.now(UTC).timestamp() < deadline:
            writer.health()
        assert len(list(tmp_path.glob("*.jsonl"))) == 1
        assert not left.exists()
    assert sorted(urls(read(tmp_path)[0])) == sorted(f"/a/{number}" for number in range(110))


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from msgtrack.hits import Hit
from msgtrack.io import SegmentWriter
writer = SegmentWriter(sys.argv[1])
for number in range(3 if len(sys.argv) < 3 else 0):
    writer.write(Hit(method="GET", url=f"/a/{number}", received_at=datetime.now(UTC)))
print(writer._segment.path, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="nothing is killed so on this system")
@pytest.mark.parametrize("more", [[], ["no hits"]], ids=["hits", "no hits"])
def test_a_segment_of_a_process_is_free_when_it_dies(tmp_path: Path, more: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    path = Path(process.stdout.readline().strip())
    assert compress_segments(tmp_path) == []
    assert path.exists()
    process.communicate("\n", timeout=20)
    with path.open("ab") as file:
        if not more:
            file.write(b'{"v":1,"method":"GE')
    compress_segments(tmp_path)
    assert not path.exists()
    if more:
        assert list(tmp_path.iterdir()) == []
        return
    records, position = read(tmp_path)
    assert urls(records) == ["/a/0", "/a/1", "/a/2"]
    (torn,) = told(records)
    assert (torn.reason, torn.line, torn.text) == ("torn-line", 5, '{"v":1,"method":"GE')
    assert read(tmp_path, position) == ([], position)


def test_a_torn_line_that_reads_well_is_no_hit_all_the_same(tmp_path: Path) -> None:
    """Its writer counted it as lost, or died before it answered."""
    fill(tmp_path, 1, 2)
    only(tmp_path).write_bytes(only(tmp_path).read_bytes()[:-1])
    assert urls(read(tmp_path)[0]) == ["/a/1"]
    compress_segments(tmp_path)
    records, _ = read(tmp_path)
    assert urls(records) == ["/a/1"]
    assert [record.reason for record in told(records)] == ["torn-line"]


def test_what_is_read_is_not_decompressed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *range(1_000))
    compress_segments(tmp_path)
    _, position = read(tmp_path)
    monkeypatch.setattr(gzip.GzipFile, "seek", lambda *_: pytest.fail("it was opened again"))
    assert read(tmp_path, position) == ([], position)


def test_files_that_are_no_segments_are_left(tmp_path: Path) -> None:
    foreign = {
        "a.hits.jsonl": b"not a segment\n",
        "b.hits.jsonl": b"",
        "c.hits.jsonl": b'{"segment":"x","v',
        "d.txt": b"x",
    }
    for name, data in foreign.items():
        (tmp_path / name).write_bytes(data)
    assert compress_segments(tmp_path) == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == foreign


def test_a_crash_between_the_two_files_is_mended(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    plain = only(tmp_path)
    data = plain.read_bytes()
    (packed,) = compress_segments(tmp_path)
    made = packed.read_bytes()
    plain.write_bytes(data)
    (tmp_path / (packed.name + ".part")).write_bytes(b"half of it")
    assert urls(read(tmp_path)[0]) == ["/a/1", "/a/2"]
    assert compress_segments(tmp_path) == [packed]
    assert not plain.exists()
    assert packed.read_bytes() == made


def test_a_longer_segment_replaces_what_was_compressed_and_a_shorter_one_does_not(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2, 3)
    plain = only(tmp_path)
    data = plain.read_bytes()
    shorter = b"".join(data.splitlines(keepends=True)[:2])
    plain.write_bytes(shorter)
    (packed,) = compress_segments(tmp_path)
    plain.write_bytes(data)
    (tmp_path / (packed.name + ".part")).write_bytes(b"what a killed process left of its try")
    compress_segments(tmp_path)
    assert only(tmp_path) == packed
    assert gzip.decompress(packed.read_bytes()) == data
    plain.write_bytes(shorter)
    assert compress_segments(tmp_path) == []
    assert plain.read_bytes() == shorter
    assert gzip.decompress(packed.read_bytes()) == data


def test_a_full_disk_leaves_the_segment_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *range(50))
    plain = only(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SourceError, match="cannot compress the segment"):
            compress_segments(tmp_path)
    assert only(tmp_path) == plain
    assert len(compress_segments(tmp_path)) == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        compress_segments(tmp_path / "nowhere")


def test_the_checkpoint_of_a_store_holds_for_the_compressed_file(tmp_path: Path) -> None:
    tracker = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
    runs = []
    with open_store("memory:") as store, SegmentWriter(tmp_path, max_bytes=3_000) as writer:
        for start in range(0, 300, 100):
            for number in range(start, start + 100):
                writer.write(hit(number))
            runs.append(collect({"web": SegmentFolder(tmp_path)}, store, tracker=tracker, now=AT))
            compress_segments(tmp_path)
            runs.append(collect({"web": SegmentFolder(tmp_path)}, store, tracker=tracker, now=AT))
    assert [run.hits for run in runs] == [100, 0, 100, 0, 100, 0]
    assert sum(run.rejected for run in runs) == 0


# Compressed files as others leave them ---------------------------------------------------------------------------------


def test_every_cut_of_a_compressed_file_is_resumed_without_loss_or_repetition(tmp_path: Path) -> None:
    fill(tmp_path / "whole", 0, 1, 2)
    compress_segments(tmp_path / "whole")
    data = only(tmp_path / "whole").read_bytes()
    folder = tmp_path / "copied"
    folder.mkdir()
    path = folder / "x.hits.jsonl.gz"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        first, position = read(folder)
        path.write_bytes(data)
        rest, _ = read(folder, position)
        assert urls(first + rest) == ["/a/0", "/a/1", "/a/2"], cut
        assert not told(first + rest), cut


def test_damage_is_told_once_and_stalls_nothing(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    compress_segments(tmp_path)
    path = only(tmp_path)
    data = bytearray(path.read_bytes())
    data[-8] ^= 0xFF  # the sum of what it holds
    path.write_bytes(data)
    fill(tmp_path, 3)
    records, position = read(tmp_path)
    assert sorted(urls(records)) == ["/a/1", "/a/2", "/a/3"]
    (broken,) = told(records)
    assert (broken.reason, broken.source, broken.line) == ("broken-compression", path.name, 4)
    assert read(tmp_path, position) == ([], position)
    data[-8] ^= 0xFF
    path.write_bytes(bytes(data) + b"\0" * 7)  # mended; a file may be padded
    assert told(read(tmp_path, position)[0]) == []


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_wrong_byte_anywhere_raises_nothing(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    folder = tmp_path_factory.mktemp("hits")
    fill(folder, *range(5))
    compress_segments(folder)
    path = only(folder)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= value
    path.write_bytes(data)
    fill(folder, 99)
    records, position = read(folder)
    assert "/a/99" in urls(records)
    assert told(read(folder, position)[0]) == []


@pytest.mark.parametrize(
    "data",
    # Without the time, which compressed data hold: processes that share the tests must name them alike.
    [b"", b"\x1f\x8b", b"this is no gzip at all", gzip.compress(b"not a segment\n", mtime=0)],
    ids=["empty", "cut", "no gzip", "no segment"],
)
def test_a_compressed_file_that_is_no_segment_is_told_once(tmp_path: Path, data: bytes) -> None:
    fill(tmp_path, 1)
    (tmp_path / "0.hits.jsonl.gz").write_bytes(data)
    records, position = read(tmp_path)
    assert urls(records) == ["/a/1"]
    assert [record.reason for record in told(records)] == (["not-a-segment"] if len(data) > 18 else [])
    assert read(tmp_path, position) == ([], position)


def test_a_line_without_end_is_told_and_takes_no_memory(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    name = json.loads(only(tmp_path).read_bytes().splitlines()[0])["segment"]
    long = b"x" * (5 << 20)
    with only(tmp_path).open("ab") as file:
        file.write(long + b"\n" + only(tmp_path).read_bytes().splitlines()[1] + b"\n" + long)
    records, position = read(tmp_path)
    assert urls(records) == ["/a/1", "/a/1"]
    (told_of,) = told(records)
    assert (told_of.reason, told_of.line) == ("line-too-long", 3)
    assert json.loads(position or "")[name][1] == 4
    compress_segments(tmp_path)
    rest, _ = read(tmp_path, position)
    assert [record.reason for record in told(rest)] == ["line-too-long"]
    assert urls(rest) == []
