"""Access logs of others, with requests for our own links among them, by columns and by objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from access_logs import FILES, lines_in
from odd_log_lines import PATHS, TRACKERS
from same_store import check_both_ways, two_memories

from msgtrack import open_store
from msgtrack.model import PeoplePolicy

TRACKER = TRACKERS["stateless"]
COMBINED = [file for file, (name, _) in FILES.items() if name == "combined"]


def bytes_of(file: Path) -> bytes:
    """The lines of a sample, as a server would have written them."""
    return "".join(f"{line}\n" for line in lines_in(file)).encode("utf-8", "surrogateescape")


def with_our_links(data: bytes) -> bytes:
    """A log in which every second request asks for a link of ours; all else of the lines stays."""
    paths = [path.encode() for path in PATHS["stateless"]]
    lines = data.split(b"\n")
    for number in range(0, len(lines), 2):
        before, quote, behind = lines[number].partition(b'"')
        request, end, rest = behind.partition(b'"')
        words = request.split(b" ")
        if end and len(words) == 3:
            words[1] = paths[number // 2 % len(paths)]
            lines[number] = before + quote + b" ".join(words) + end + rest
    return b"\n".join(lines)


@pytest.mark.parametrize("file", COMBINED)
def test_both_ways_keep_the_same(corpora: Path, tmp_path: Path, file: str) -> None:
    data = bytes_of(corpora / "access_logs" / file)
    log = tmp_path / "access.log"
    for number, text in enumerate((data, with_our_links(data))):
        log.write_bytes(text)
        people = PeoplePolicy(key="hash") if number else None
        check_both_ways(log, two_memories(), TRACKER, people=people, finish=True, batch_lines=700)


def test_all_of_them_into_duckdb(corpora: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'bulk' is not installed")
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(with_our_links(bytes_of(corpora / "access_logs" / file)) for file in COMBINED))
    with open_store(f"duckdb:///{tmp_path}/a.duckdb") as one, open_store(f"duckdb:///{tmp_path}/b.duckdb") as other:
        check_both_ways(log, (one, other), TRACKER, finish=True)
        assert len(list(other.scan())) > 1_000
