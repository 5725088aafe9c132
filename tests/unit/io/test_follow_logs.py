"""A log that is followed, as with ``tail -F``; rotations seen one by one; and rejected lines in their own file."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.errors import SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import AccessLogFile, RejectWriter, read_rejects

LINE = '192.0.2.{n} - - [21/Nov/2026:10:00:0{n} +0000] "GET /a/{n} HTTP/1.1" 302 0 "-" "Agent"\n'


class Done(Exception):
    """Enough was seen."""


def followed(path: Path, *steps: Callable[[], object]) -> list[str]:
    """What comes out while the steps are done, one in each pause."""
    waiting = iter(steps)

    def sleep(seconds: float) -> None:
        assert seconds == 0.25
        step = next(waiting, None)
        if step is None:
            raise Done
        step()

    found: list[str] = []
    source = AccessLogFile(path, follow=True, sleep=sleep, pause_seconds=0.25)

    def read() -> None:
        for batch in source.read(None):
            found.extend(one.url if isinstance(one, Hit) else getattr(one, "reason", "") for one in batch.records)

    with pytest.raises(Done):
        read()
    return found


def append(path: Path, text: str) -> Callable[[], object]:
    def step() -> None:
        with path.open("a") as file:
            file.write(text)

    return step


def test_a_log_is_followed_from_before_it_is_there_over_its_rotations(tmp_path: Path) -> None:
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    half = LINE.format(n=2)
    found = followed(
        log,
        lambda: None,
        append(log, LINE.format(n=1) + half[:9]),
        append(log, half[9:]),
        lambda: log.rename(old),
        append(old, LINE.format(n=3)),
        append(log, LINE.format(n=4)),
        append(old, LINE.format(n=5)),
        lambda: None,
    )
    assert found == [f"/a/{n}" for n in range(1, 6)]


def test_a_log_that_was_deleted_is_read_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "access.log"

    def replace() -> None:
        append(log, LINE.format(n=2) + LINE.format(n=3).rstrip())()
        log.unlink()
        append(log, LINE.format(n=4))()

    assert followed(log, append(log, LINE.format(n=1)), replace, lambda: None) == [f"/a/{n}" for n in range(1, 5)]


def test_a_log_cut_while_it_is_followed_is_told(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    found = followed(
        log,
        append(log, LINE.format(n=1) * 3),
        lambda: log.write_text(""),
        append(log, LINE.format(n=2)),
    )
    assert found == ["/a/1"] * 3 + ["truncated", "/a/2"]


def test_a_copy_that_is_older_than_what_was_read_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "access.log"

    def copy() -> None:
        (tmp_path / "access.log.1").write_bytes(log.read_bytes())
        append(log, LINE.format(n=2))()

    found = followed(
        log, append(log, LINE.format(n=1)), copy, lambda: log.write_text(""), append(log, LINE.format(n=3))
    )
    assert found == ["/a/1", "/a/2", "/a/3"]


def test_a_log_is_closed_with_its_reader(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LINE.format(n=1))
    reading: Any = AccessLogFile(log, follow=True, sleep=lambda _: None).read(None)
    next(reading)
    # An open file would be complained of, as warnings are errors here.
    reading.close()
    assert list(reading) == []


def test_what_was_packed_while_it_was_read_is_read_on_in_the_packed_file(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LINE.format(n=1) + LINE.format(n=2))
    first = next(iter(AccessLogFile(log, batch_lines=1).read(None)))
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(log.read_bytes() + LINE.format(n=3).encode()))
    log.unlink()
    found = [one for batch in AccessLogFile(log).read(first.position) for one in batch.records]
    assert [one.url for one in found if isinstance(one, Hit)] == ["/a/2", "/a/3"]


def test_a_link_to_the_latest_file_is_no_other_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"

    def day(n: int) -> Callable[[], object]:
        def step() -> None:
            latest = tmp_path / f"access-2026112{n}.log"
            append(latest, LINE.format(n=n))()
            log.unlink(missing_ok=True)
            log.symlink_to(latest.name)

        return step

    assert followed(log, day(1), day(2), lambda: None, day(3)) == ["/a/1", "/a/2", "/a/3"]
    found = [one for batch in AccessLogFile(log, rotated=True).read(None) for one in batch.records]
    assert [one.url for one in found if isinstance(one, Hit)] == ["/a/1", "/a/2", "/a/3"]


def test_files_renamed_while_they_are_looked_at_are_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgtrack.io._turns as turns

    log = tmp_path / "access.log"
    log.write_text(LINE.format(n=1))
    position = next(iter(AccessLogFile(log).read(None))).position
    log.rename(tmp_path / "access.log.1")
    log.write_text(LINE.format(n=2))
    listed, moves = turns.rotated, iter([True])

    def rotated(path: Path) -> Any:
        found = listed(path)
        if next(moves, False):
            (tmp_path / "access.log.1").rename(tmp_path / "access.log.2")
            log.rename(tmp_path / "access.log.1")
            log.write_text(LINE.format(n=3))
        return found

    monkeypatch.setattr(turns, "rotated", rotated)
    found = [one for batch in AccessLogFile(log).read(position) for one in batch.records]
    assert [one.url for one in found if isinstance(one, Hit)] == ["/a/2", "/a/3"]
    monkeypatch.setattr(turns.Turns, "_still", lambda *_: (_ for _ in ()).throw(FileNotFoundError))
    log.write_text("")
    with pytest.raises(SourceError, match="faster than"):
        list(AccessLogFile(log).read(position))


def test_equal_lines_on_both_sides_of_a_rotation_are_two_events(tmp_path: Path) -> None:
    tracker = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
    page = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="1").render(message_id="7").html
    path = str(page).partition('href="https://t.example.com')[2].partition('"')[0]
    line = f'192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 302 0 "-" "Agent"\n'
    log, store = tmp_path / "access.log", open_store("memory:")

    def collected() -> int:
        source = AccessLogFile(log, rotated=True)
        collect({"web": source}, store, tracker=tracker, now=datetime(2026, 11, 21, tzinfo=UTC))
        return len(list(store.scan()))

    log.write_text("# one\n" + line * 2)
    assert collected() == 2
    log.rename(tmp_path / "access.log.1")
    log.write_text("# two\n" + line)
    assert (collected(), collected()) == (3, 3)
    # Read again from the start of all, they are the same three.
    again = open_store("memory:")
    collect({"web": AccessLogFile(log, rotated=True)}, again, tracker=tracker, now=datetime(2026, 11, 21, tzinfo=UTC))
    assert {event.id for event in again.scan()} == {event.id for event in store.scan()}


def test_rejected_lines_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    rejected = [
        Rejected(line=n, reason="not-combined", text=text, source="web 1")
        for n, text in enumerate(["", "\x00\x1b\u2028\ud800".encode("utf-8", "backslashreplace").decode(), "x" * 3_000])
    ]
    with RejectWriter(path) as writer:
        writer.write([])
        assert not path.exists()
        writer.write(rejected[0])
    with RejectWriter(path) as writer:
        writer.write(iter(rejected[1:]))
        assert writer.reasons == {"not-combined": 2}
        writer.close()
    assert list(read_rejects(path)) == rejected
    for cut in itertools.islice(range(len(path.read_bytes()) - 2, 0, -1), 30):
        path.write_bytes(path.read_bytes()[:cut])
        *whole, torn = read_rejects(path)
        assert (whole, torn.reason) == (rejected[:2], "not-a-reject")


def test_rejected_lines_that_cannot_be_kept_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        RejectWriter(tmp_path / "no" / "where")
    with pytest.raises(SourceError, match="cannot write"), RejectWriter(tmp_path) as writer:
        writer.write(Rejected(line=1, reason="x", text=""))
    with pytest.raises(SourceError, match="cannot read"):
        list(read_rejects(tmp_path))
