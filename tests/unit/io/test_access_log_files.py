"""Access logs on disk: read once, resumed anywhere, noticed when replaced."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.errors import InvalidOption, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.io import AccessLogFile

LINE = '192.0.2.{n} - - [21/Nov/2026:10:00:0{n} +0000] "GET /a/{n} HTTP/1.1" 302 0 "-" "Agent"\n'
DATA = "".join(LINE.format(n=n) for n in range(3)) + "rubbish\n" + LINE.format(n=3)


def read(path: Path, position: str | None = None, **options: int) -> tuple[list[Hit | Rejected], str | None]:
    records: list[Hit | Rejected] = []
    for batch in AccessLogFile(path, **options).read(position):
        records += batch.records  # type: ignore[arg-type]
        position = batch.position
    return records, position


def names(records: list[Hit | Rejected]) -> list[str]:
    return [record.url if isinstance(record, Hit) else f"line {record.line}" for record in records]


EXPECTED = ["/a/0", "/a/1", "/a/2", "line 4", "/a/3"]


@pytest.mark.parametrize("batch_lines", [1, 2, 100])
def test_a_log_is_read_and_not_read_again(tmp_path: Path, batch_lines: int) -> None:
    log = tmp_path / "access.log"
    log.write_text(DATA)
    records, position = read(log, batch_lines=batch_lines)
    assert names(records) == EXPECTED
    assert read(log, position) == ([], position)


def test_every_cut_is_resumed(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    for cut in range(len(DATA) + 1):
        log.write_text(DATA[:cut])
        first, position = read(log)
        log.write_text(DATA)
        rest, _ = read(log, position)
        assert names(first + rest) == EXPECTED, cut


def test_a_log_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(DATA)
    _, position = read(log)
    log.write_text(DATA[: len(LINE.format(n=0))])
    assert names(read(log, position)[0]) == ["/a/0"]


@pytest.mark.parametrize("endings", [(".1",), (".2", ".1"), ("-20261120", "-20261121", ".1")])
def test_a_rotated_log_is_finished_before_the_new_one_is_begun(tmp_path: Path, endings: tuple[str, ...]) -> None:
    log = tmp_path / "access.log"
    lines = [LINE.format(n=n) for n in range(9)]
    log.write_text("".join(lines[:2]))
    records, position = read(log)
    with log.open("a") as file:
        file.write(lines[2])
    expected = ["/a/0", "/a/1", "/a/2"]
    for number, ending in enumerate(endings):
        log.rename(f"{log}{ending}")
        os.utime(f"{log}{ending}", ns=(number * 10**9, number * 10**9))
        log.write_text(lines[3 + number])
        expected.append(f"/a/{3 + number}")
    (tmp_path / "access.log.other").write_text("rubbish of another age\n")
    os.utime(tmp_path / "access.log.other", ns=(-(10**9), -(10**9)))
    more, after = read(log, position)
    assert names(records + more) == expected
    assert read(log, after) == ([], after)


def test_what_was_rotated_away_is_told(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(DATA)
    _, position = read(log)
    (tmp_path / "new").write_text(LINE.format(n=7))
    (tmp_path / "new").replace(log)
    (lost, hit), after = read(log, position)
    assert isinstance(lost, Rejected)
    assert (lost.reason, lost.line) == ("rotated-away", 6)
    assert isinstance(hit, Hit)
    assert read(log, after) == ([], after)
    log.write_text(LINE.format(n=8) * 3)
    cut, after = read(log, after)
    assert names(cut) == ["line 2", "/a/8", "/a/8", "/a/8"]
    assert isinstance(cut[0], Rejected)
    assert cut[0].reason == "truncated"
    assert read(log, after) == ([], after)


def test_a_log_that_begins_alike_and_goes_on_otherwise_is_another(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    alike = LINE.format(n=1) * 100
    log.write_text(alike + LINE.format(n=2))
    records, position = read(log)
    assert len(records) == 101
    log.write_text(alike + LINE.format(n=3) * 2)
    assert names(read(log, position)[0]) == ["/a/1"] * 100 + ["/a/3"] * 2


def test_equal_lines_are_counted_once_over_a_cut_and_a_rotation(tmp_path: Path) -> None:
    tracker = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
    page = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="1").render(message_id="7").html
    path = str(page).partition('href="https://t.example.com')[2].partition('"')[0]
    line = f'192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 302 0 "-" "Agent"\n'
    log = tmp_path / "access.log"
    store = open_store("memory:")

    def collected() -> int:
        collect({"web": AccessLogFile(log)}, store, tracker=tracker, now=datetime(2026, 11, 21, tzinfo=UTC))
        return len(list(store.scan()))

    log.write_text(line * 3)
    assert collected() == 3
    log.write_text(line * 2)
    assert collected() == 3
    log.write_text(line * 4)
    assert collected() == 4


def test_bytes_that_are_no_utf8_are_kept_readable(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(LINE.format(n=1).replace("Agent", "caf\xe9").encode("latin-1"))
    (record,), _ = read(log)
    assert isinstance(record, Hit)
    assert record.user_agent == "caf\\xe9"


def test_what_cannot_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        list(AccessLogFile(tmp_path / "nowhere").read(None))
    with pytest.raises(InvalidOption, match="nonsense"):
        AccessLogFile(tmp_path / "x", format="nonsense")
    log = tmp_path / "access.log"
    log.write_text(DATA)
    for position in ("x", "[]", json.dumps({"offset": 1})):
        with pytest.raises(SourceError, match="position"):
            list(AccessLogFile(log).read(position))
