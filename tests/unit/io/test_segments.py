"""Hit segments: written whole, read once, whatever happens between."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import SegmentFolder, SegmentWriter

AT = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)


def hit(number: int = 0, **fields: object) -> Hit:
    return Hit(method="GET", url=f"/a/{number}", received_at=AT, **fields)  # type: ignore[arg-type]


def read(folder: Path, position: str | None = None, **options: int) -> tuple[list[Hit | Rejected], str | None]:
    records: list[Hit | Rejected] = []
    for batch in SegmentFolder(folder, **options).read(position):
        records += batch.records  # type: ignore[arg-type]
        position = batch.position
    return records, position


def urls(records: list[Hit | Rejected]) -> list[str]:
    return [record.url for record in records if isinstance(record, Hit)]


def segment(folder: Path) -> Path:
    (path,) = folder.glob("*.hits.jsonl")
    return path


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path / "hits") as writer:
        assert all(writer.write(hit(number)) for number in range(100))
        records, position = read(tmp_path / "hits", batch_lines=7)
        assert urls(records) == [f"/a/{number}" for number in range(100)]
        assert read(tmp_path / "hits", position) == ([], position)
        writer.write(hit(100))
        more, _ = read(tmp_path / "hits", position)
        assert urls(more) == ["/a/100"]
    assert (writer.written, writer.lost) == (101, 0)
    ids = [record.request_id for record in records if isinstance(record, Hit)]
    assert len(set(ids)) == 100


@settings(max_examples=60)
@given(url=st.text(max_size=50), agent=st.text(max_size=50), referrer=st.text(max_size=50))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, url: str, agent: str, referrer: str) -> None:
    folder = tmp_path_factory.mktemp("hits")
    with SegmentWriter(folder) as writer:
        writer.write(hit(user_agent=agent, referrer=referrer, source_id="p"))
    (record,), _ = read(folder)
    assert isinstance(record, Hit)
    assert (record.user_agent, record.referrer, record.received_at, record.source_id) == (agent, referrer, AT, "p")


def test_a_hit_is_known_by_its_place_whatever_the_file_is_called(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path / "a") as writer:
        writer.write(hit())
    (tmp_path / "b").mkdir()
    shutil.copy(segment(tmp_path / "a"), tmp_path / "b" / "renamed.hits.jsonl")
    assert read(tmp_path / "a")[0] == read(tmp_path / "b")[0]
    shutil.copy(segment(tmp_path / "a"), tmp_path / "a" / "copy.hits.jsonl")
    assert len(read(tmp_path / "a")[0]) == 1


def test_every_cut_is_resumed_without_loss_or_repetition(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path / "whole") as writer:
        for number in range(3):
            writer.write(hit(number))
    data = segment(tmp_path / "whole").read_bytes()
    for cut in range(len(data) + 1):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        path = folder / "x.hits.jsonl"
        path.write_bytes(data[:cut])
        first, position = read(folder)
        path.write_bytes(data)
        rest, _ = read(folder, position)
        assert urls(first + rest) == ["/a/0", "/a/1", "/a/2"], cut


def test_rubbish_between_good_lines_is_rejected_with_its_reason(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(0))
    path = segment(tmp_path)
    rubbish = [b"\x00\xff\xfe", b"{", b"[]", b'{"method":"GET"}', b'{"v":1,"x":1}', b"null", b'"text"']
    path.write_bytes(path.read_bytes() + b"\n".join(rubbish) + b"\n\n" + path.read_bytes().splitlines()[1] + b"\n")
    records, _ = read(tmp_path)
    assert urls(records) == ["/a/0", "/a/0"]
    rejected = [record for record in records if isinstance(record, Rejected)]
    assert len(rejected) == len(rubbish)
    assert all(record.reason and record.source == path.name for record in rejected)


def test_a_longer_copy_of_a_segment_is_read_on(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(1))
        shutil.copy(segment(tmp_path), tmp_path / "0-copy.hits.jsonl")
        first, position = read(tmp_path)
        writer.write(hit(2))
    rest, after = read(tmp_path, position)
    assert urls(first + rest) == ["/a/1", "/a/2"]
    assert urls(read(tmp_path)[0]) == ["/a/1", "/a/2"]
    assert read(tmp_path, after) == ([], after)


@pytest.mark.parametrize("foreign", [b"not a segment\n", b"{}\n", b"\0" * 4096, b'{"segment":"x","v":2}\n', b"[" * 300])
def test_a_file_that_is_no_segment_is_told_once_and_stalls_nothing(tmp_path: Path, foreign: bytes) -> None:
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(1))
    (tmp_path / "0.hits.jsonl").write_bytes(foreign)
    (told, found), position = read(tmp_path)
    assert isinstance(told, Rejected)
    assert (told.reason, told.source) == ("not-a-segment", "0.hits.jsonl")
    assert urls([found]) == ["/a/1"]
    assert read(tmp_path, position) == ([], position)


def test_a_rejected_line_is_numbered_as_in_its_file(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(1))
        writer.write(hit(2))
    _, position = read(tmp_path)
    with segment(tmp_path).open("a") as file:
        file.write("rubbish\n")
    (told,), _ = read(tmp_path, position)
    assert isinstance(told, Rejected)
    assert told.line == 4


def test_a_closed_writer_loses_and_counts(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "hits")
    writer.close()
    with (tmp_path / "other").open("wb") as other:
        assert not writer.write(hit())
        assert writer.lost == 1
        other.flush()
    assert (tmp_path / "other").read_bytes() == b""


def test_a_disk_that_takes_no_new_segment_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SegmentWriter(tmp_path, max_bytes=500)
    descriptors = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    opened = os.open

    tries = []

    def full(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT and str(path).endswith(".hits.jsonl"):
            tries.append(path)
            raise OSError(28, "No space left on device")
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", full)
    assert all(writer.write(hit(number)) for number in range(50))
    monkeypatch.undo()
    assert 0 < len(tries) < 20
    assert all(writer.write(hit(number)) for number in range(50, 100))
    writer.close()
    if descriptors:
        assert len(list(Path("/proc/self/fd").iterdir())) < descriptors
    assert sorted(urls(read(tmp_path)[0])) == sorted(f"/a/{number}" for number in range(100))
    assert len(list(tmp_path.iterdir())) > 1


def test_segments_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(1))
    _, position = read(tmp_path)
    segment(tmp_path).unlink()
    with SegmentWriter(tmp_path) as writer:
        writer.write(hit(2))
    records, after = read(tmp_path, position)
    assert urls(records) == ["/a/2"]
    assert after is not None
    assert len(json.loads(after)) == 1


def test_what_is_written_reaches_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.set(), raising=False)
    with SegmentWriter(tmp_path, sync_seconds=0.01) as writer:
        assert not synced.wait(0.05)
        writer.write(hit())
        assert synced.wait(5)


def test_segments_are_rotated_by_size(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, max_bytes=1_000) as writer:
        for number in range(100):
            writer.write(hit(number))
    assert len(list(tmp_path.iterdir())) > 3
    assert sorted(urls(read(tmp_path)[0])) == sorted(f"/a/{number}" for number in range(100))


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path) as writer:
        threads = [
            threading.Thread(target=lambda start: [writer.write(hit(start + n)) for n in range(200)], args=(1_000 * t,))
            for t in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(urls(read(tmp_path)[0]))) == 1_600


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.close()
    writer.close()


@pytest.mark.parametrize(
    "position",
    ["x", "[]", '{"a": "b"}', "12", '{"a": [1e999, 1]}', "[" * 100_000, 5, 0, b"x", b"{}", b"", True, {}, float("nan")],
    ids=lambda position: repr(position)[:20],
)
def test_foreign_positions_are_refused(tmp_path: Path, position: Any) -> None:
    with pytest.raises(SourceError, match="not a position"):
        list(SegmentFolder(tmp_path).read(position))


@pytest.mark.parametrize("batch_lines", [0, -1, "5", None])
def test_a_batch_holds_something(tmp_path: Path, batch_lines: Any) -> None:
    with pytest.raises(InvalidOption, match="batch_lines"):
        SegmentFolder(tmp_path, batch_lines=batch_lines)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        list(SegmentFolder(tmp_path / "nowhere").read(None))
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SourceError, match="cannot write segments"):
        SegmentWriter(blocked / "hits")


def test_segments_are_not_for_everybody(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path):
        assert segment(tmp_path).stat().st_mode & 0o007 == 0
