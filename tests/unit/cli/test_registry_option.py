"""``--registry``: ``compile`` writes links to a folder, ``collect`` and ``logs parse`` look them up there."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from msgtrack.cli import main

HOST = "https://t.example.com"
LINE = '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 302 0 "-" "Browser/1"\n'
PAGE = '<a href="https://shop.example/spring">x</a> <a href="https://shop.example/summer">y</a>'


@pytest.fixture
def tracker(tmp_path: Path) -> list[str]:
    (tmp_path / "test.keys").write_text("a secret that is long enough to sign with\n")
    (tmp_path / "page.html").write_text(PAGE)
    return [f"--keys={tmp_path / 'test.keys'}", f"--base-url={HOST}"]


def compiled(folder: Path, *options: str) -> int:
    return main(["compile", str(folder / "page.html"), "--delivery=spring", "--pixel=none", *options])


def log_of_a_click(folder: Path, tracker: list[str]) -> str:
    out = folder / "out.html"
    assert compiled(folder, "--message-id=7", f"--out={out}", f"--registry={folder / 'links'}", *tracker) == 0
    (spring, _) = re.findall(rf'href="{re.escape(HOST)}([^"]+)"', out.read_text())
    (folder / "access.log").write_text(LINE.format(path=spring))
    return str(folder / "access.log")


def test_compile_publishes_what_it_shows(
    tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    links = tmp_path / "deep" / "links"
    assert compiled(tmp_path, f"--registry={links}", *tracker) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"2 of 2 links tracked, by the registry {links}"
    (manifest,) = (links / "manifests").iterdir()
    rows = json.loads(manifest.read_text())["links"]
    assert {row["url"] for row in rows} == {"https://shop.example/spring", "https://shop.example/summer"}
    assert {row["delivery_id"] for row in rows} == {"spring"}
    before = manifest.read_bytes()
    # Each recipient's message is compiled anew, and publishes the same.
    for message_id in "78":
        assert compiled(tmp_path, f"--registry={links}", f"--message-id={message_id}", *tracker) == 0
    assert list((links / "manifests").iterdir()) == [manifest]
    assert manifest.read_bytes() == before
    assert compiled(tmp_path, *tracker) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 links tracked"


def test_what_cannot_be_compiled_is_not_published(
    tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.html").write_text('<a href="https://{{ host }}/">x</a>')
    links = tmp_path / "links"
    assert compiled(tmp_path, f"--registry={links}", "--syntax=jinja", *tracker) == 2
    assert not list(links.glob("*/*"))
    (tmp_path / "file").write_text("")
    assert compiled(tmp_path, f"--registry={tmp_path / 'file'}", *tracker) == 2
    assert compiled(tmp_path, "--registry=", *tracker) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "msgtrack: --registry names no folder"


def test_logs_are_read_with_the_registry(
    tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log, links = log_of_a_click(tmp_path, tracker), tmp_path / "links"
    capsys.readouterr()
    assert main(["logs", "parse", log, f"--registry={links}", *tracker]) == 0
    assert capsys.readouterr().out == "2026-03-01 10:00:00 click      spring 7 2\n"
    assert main(["logs", "parse", log, *tracker]) == 0
    assert capsys.readouterr().out == ""
    links.rename(tmp_path / "away")
    assert main(["logs", "parse", log, f"--registry={links}", *tracker]) == 2
    assert str(links) in capsys.readouterr().err
    assert not links.exists()
    for wrong, said in (
        (["parse", log], "--registry is for events, which need --base-url and --keys"),
        (["detect", log], "--registry does not go with detect"),
    ):
        assert main(["logs", *wrong, f"--registry={links}"]) == 2
        assert said in capsys.readouterr().err


def test_a_schedule_outlives_a_registry_that_is_away(
    tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, links = log_of_a_click(tmp_path, tracker), tmp_path / "links"
    links.rename(tmp_path / "away")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            (tmp_path / "away").rename(links)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    capsys.readouterr()
    store = f"--store=sqlite:///{tmp_path / 'a.db'}"
    command = ["collect", f"--access-log={log}", "--json", "--every=15m", store, f"--registry={links}", *tracker]
    assert main(command) == 130
    said = capsys.readouterr()
    assert [json.loads(line)["added"] for line in said.out.splitlines()] == [1]
    *away, interrupted = said.err.splitlines()
    assert len(away) == 2
    assert all(str(links) in line and line.endswith("trying again in 15m") for line in away)
    assert interrupted == "msgtrack: interrupted"
