"""Access logs on disk: read once, resumed anywhere, noticed when replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_a_log_that_was_replaced_or_cut_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(DATA)
    _, position = read(log)
    log.write_text(LINE.format(n=7))
    assert names(read(log, position)[0]) == ["/a/7"]
    log.write_text(DATA[: len(LINE.format(n=0))])
    assert names(read(log, position)[0]) == ["/a/0"]


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
