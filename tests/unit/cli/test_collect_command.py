"""``msgtrack collect``: what its sources are called, and that a schedule outlives trouble."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from msgtrack import open_store
from msgtrack.cli import main
from msgtrack.errors import StoreError

LINE = '192.0.2.1 - - [01/Mar/2026:10:00:{second:02} +0000] "GET /nothing HTTP/1.1" 404 0 "-" "x"\n'


@pytest.fixture
def tracked(tmp_path: Path) -> list[str]:
    keys = tmp_path / "test.keys"
    keys.write_text("a secret that is long enough to sign with\n")
    return [f"--store=sqlite:///{tmp_path / 'a.db'}", "--keys", str(keys), "--base-url", "https://t.example.com"]


def log(path: Path, lines: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(LINE.format(second=second) for second in range(lines)))
    return str(path)


def records(out: str) -> list[dict[str, Any]]:
    """The run records printed; what is nought is left out of them."""
    return [{"hits": 0, **json.loads(line)} for line in out.splitlines()]


def collected(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["collect", "--json", *arguments]) == 0
    (record,) = records(capsys.readouterr().out)
    return record


def test_logs_of_one_name_in_two_folders_keep_apart(
    tmp_path: Path, tracked: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = log(tmp_path / "web1" / "access.log", 3), log(tmp_path / "web2" / "access.log", 5)
    assert collected(["--access-log", one, *tracked], capsys)["hits"] == 3
    assert collected(["--access-log", two, *tracked], capsys)["hits"] == 5
    both = collected(["--access-log", one, "--access-log", two, *tracked], capsys)
    assert both["hits"] == 0
    # The same log by another path is the same source.
    monkeypatch.chdir(tmp_path / "web1")
    assert collected(["--access-log", "../web2/access.log", *tracked], capsys)["hits"] == 0


def test_folders_of_one_name_go_together(
    tmp_path: Path, tracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / ("deep" * 30) / "a" / "hits", tmp_path / ("deep" * 30) / "b" / "hits"]
    for folder in folders:
        folder.mkdir(parents=True)
    names = collected([f"--segments={folder}" for folder in folders] + tracked, capsys)["sources"]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 64 for name in names)
    assert ["/a/hits-" in name or "/b/hits-" in name for name in names] == [True, True]


def test_a_source_may_be_named(tmp_path: Path, tracked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path / "k=v.log", 2)
    assert collected([f"--access-log=web 1={path}", *tracked], capsys)["sources"] == ["web 1"]
    # Moved and named as before, it goes on; an equals sign behind a slash is part of the path.
    moved = Path(path).rename(tmp_path / "other.log")
    assert collected([f"--access-log=web 1={moved}", *tracked], capsys)["hits"] == 0
    moved.rename(path)
    assert collected([f"--access-log={path}", *tracked], capsys)["hits"] == 2


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["web=a", "web=b"], "two sources are called web"),
        (["a", "./a"], "two sources are called"),
        (["/tmp/x\udcff"], "no UTF-8"),
        (["x\udcff=a"], "no UTF-8"),
        (["web="], "names no path"),
        ([""], "--segments names no folder"),
        (["x" * 65 + "=a"], "64 bytes"),
    ],
)
def test_bad_names_are_told_in_one_line(
    sources: list[str], expected: str, tracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", *(f"--segments={source}" for source in sources), *tracked]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert expected in said


def test_a_schedule_outlives_a_store_in_trouble(
    tmp_path: Path, tracked: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgtrack.workflow

    whole, turns = msgtrack.workflow.collect, iter([False, True, False, False])

    def shaky(*args: Any, **options: Any) -> Any:
        if next(turns):
            raise StoreError("the database is locked\nfor a while")
        return whole(*args, **options)

    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(msgtrack.workflow, "collect", shaky)
    monkeypatch.setattr(time, "sleep", nap)
    path = log(tmp_path / "access.log", 2)
    assert main(["collect", "--access-log", path, "--every", "15m", "--json", *tracked]) == 130
    said = capsys.readouterr()
    assert [record["hits"] for record in records(said.out)] == [2, 0, 0]
    assert said.err.splitlines() == [
        "msgtrack: the database is locked for a while; trying again in 15m",
        "msgtrack: interrupted",
    ]
    assert naps == [900.0] * 4
    with open_store(tracked[0].partition("=")[2]) as store:
        assert len(list(store.runs())) == 3


def test_once_a_store_in_trouble_is_the_end(
    tmp_path: Path, tracked: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgtrack.workflow

    def broken(*_: Any, **__: Any) -> Any:
        raise StoreError("the database is locked")

    monkeypatch.setattr(msgtrack.workflow, "collect", broken)
    assert main(["collect", "--access-log", log(tmp_path / "access.log", 1), *tracked]) == 2
    assert capsys.readouterr().err == "msgtrack: the database is locked\n"
