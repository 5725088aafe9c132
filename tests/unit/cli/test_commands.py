"""The command line: what each command says, and how bad input ends (exit code 2, one line, no traceback)."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from msgtrack.cli import main
from msgtrack.cli._common import progress

HTML = (
    '<html><body><a href="https://shop.example/" _label="Shop">x</a> <a href="mailto:a@b.example">y</a></body></html>'
)


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(tmp_path / "test.keys")
    assert main(["keys", "new", "--out", path]) == 0
    capsys.readouterr()
    return path


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "page.html"
    path.write_text(HTML)
    return str(path)


def tracker(keys: str) -> list[str]:
    return ["--keys", keys, "--base-url", "https://t.example.com"]


def test_keys_are_strong_private_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new"]) == 0
    one = capsys.readouterr().out.strip()
    assert main(["keys", "new", "--json"]) == 0
    two = json.loads(capsys.readouterr().out)
    assert one != two["secret"]
    assert len(one) >= 43
    path = tmp_path / "a.keys"
    assert main(["keys", "new", "--out", str(path)]) == 0
    before = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["keys", "new", "--out", str(path)]) == 2
    assert path.read_text() == before


def test_compile_shows_links_and_reasons(keys: str, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", page, "--delivery", "spring", *tracker(keys)]) == 0
    shown = capsys.readouterr().out
    assert "tracked" in shown
    assert "scheme" in shown
    assert "1 of 2 links tracked" in shown
    assert main(["compile", page, "--delivery", "spring", "--json", *tracker(keys)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(link["id"], link["label"], link["type"]) for link in said["links"]] == [("2", "Shop", "click")]
    assert [decision["reason"] for decision in said["decisions"]] == ["tracked", "scheme"]


def test_compile_renders(keys: str, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "page.txt"
    text.write_text("See https://shop.example/\n")
    out, out_text = tmp_path / "out.html", tmp_path / "out.txt"
    arguments = ["compile", page, "--delivery", "1", "--message-id", "7", *tracker(keys)]
    assert main([*arguments, "--text", str(text), "--out", str(out), "--out-text", str(out_text)]) == 0
    assert re.search(r'href="https://t\.example\.com/[a-z0-9.-]+/[a-z0-9.-]+">x</a>', out.read_text())
    assert out_text.read_text().startswith("See https://t.example.com/")
    capsys.readouterr()
    assert main(arguments) == 0
    assert "https://t.example.com/1/" in capsys.readouterr().out


def test_a_page_in_another_charset_is_read(keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = '<meta charset="{}"><a href="https://shop.example/é">é</a>'
    pages = {
        "latin": body.format("iso-8859-1").encode("latin-1"),
        "utf8": body.format("utf-8").encode(),
        "bom": b"\xef\xbb\xbf" + body.format("iso-8859-1").encode(),
        "utf16": body.format("x").encode("utf-16"),
        "wrong": body.format("no-such-charset").encode("windows-1252"),
    }
    for name, data in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_bytes(data)
        assert main(["compile", str(path), "--delivery", "1", "--json", *tracker(keys)]) == 0
        assert json.loads(capsys.readouterr().out)["links"][0]["url"] == "https://shop.example/é", name


def bad_inputs(tmp_path: Path, keys: str, page: str) -> dict[str, tuple[list[str], str]]:
    weak, empty, binary = tmp_path / "weak", tmp_path / "empty", tmp_path / "binary.html"
    weak.write_text("short\n")
    empty.write_text("# nothing\n")
    binary.write_bytes(b"\x89PNG\0\0\0")
    base = ["--base-url", "https://t.example.com"]
    compile_page = ["compile", page, "--delivery"]
    return {
        "a short secret": ([*compile_page, "1", "--keys", str(weak), *base], "sign_secret has 5 bytes"),
        "no secret": ([*compile_page, "1", "--keys", str(empty), *base], "holds no secret"),
        "no key file": ([*compile_page, "1", "--keys", str(tmp_path / "none"), *base], "key file"),
        "no page": (["compile", str(tmp_path / "none.html"), "--delivery", "1", *tracker(keys)], "none.html"),
        "a binary page": (["compile", str(binary), "--delivery", "1", *tracker(keys)], "zero bytes"),
        "a folder as a page": (["compile", str(tmp_path), "--delivery", "1", *tracker(keys)], "cannot read"),
        "a long id": ([*compile_page, "x" * 65, *tracker(keys)], "64 bytes"),
        "a bad pixel": ([*compile_page, "1", "--pixel", "left", *tracker(keys)], "pixel='left'"),
        "a bad base": ([*compile_page, "1", "--keys", keys, "--base-url", "t.example.com"], "base_url="),
        "out without message": ([*compile_page, "1", "--out", "x", *tracker(keys)], "--message-id"),
        "an unknown store": (["report", "--store", "mongo://x", "--delivery", "1"], "mongo"),
        "an unknown delivery": (["report", "--store", f"sqlite:///{tmp_path / 'a.db'}", "--delivery", "nix"], "nix"),
        "nothing to collect": (["collect", "--store", "memory:", *tracker(keys)], "--segments"),
        "a bad duration": (
            ["collect", "--store", "memory:", "--segments", str(tmp_path), "--every", "soon", *tracker(keys)], "soon"
        ),
        "a bad format": (
            ["collect", "--store", "memory:", "--access-log", page, "--format", "odd", *tracker(keys)], "odd"
        ),
        "a bad people key": (
            ["serve", "--segments", str(tmp_path / "s"), "--people", "dna", *tracker(keys)], "dna"
        ),
        "a negative wait": (
            ["serve", "--port=0", "--segments", str(tmp_path / "s"), "--sync-seconds", "-1", *tracker(keys)], "--sync-seconds -1.0"
        ),
        "a bad age": (
            ["serve", "--segments", str(tmp_path / "s"), "--segment-age", "old", *tracker(keys)], "old"
        ),
        "a naive clock": (
            ["serve", "--segments", str(tmp_path / "s"), "--clock-start", "2026-01-01T00:00", *tracker(keys)], "time zone"
        ),
        "an endless duration": (
            ["collect", "--store", "memory:", "--segments", str(tmp_path), "--every", "9" * 20 + "d", *tracker(keys)],
            "longer than 366 days",
        ),
        "an endless clock": (["serve", "--segments", str(tmp_path / "s"), "--clock-rate", "inf", *tracker(keys)], "inf"),
        "a clock of no rate": (["serve", "--segments", str(tmp_path / "s"), "--clock-rate", "nan", *tracker(keys)], "nan"),
        "a clock out of range": (
            ["serve", "--segments", str(tmp_path / "s"), "--clock-rate", "1e300", *tracker(keys)], "1e+300"
        ),
        "a clock at the end of time": (
            ["serve", "--segments", str(tmp_path / "s"), "--clock-start", "9999-12-31T23:59:59+00:00", *tracker(keys)],
            "between 1970 and 2999",
        ),
        "a folder that cannot be": (["demo", "--folder", f"{page}/x", "--store", "memory:"], "cannot make the folder"),
        "no recipients": (["demo", "--recipients", "0"], "--recipients 0"),
        "an unreadable newsletter": (["demo", "--html", str(tmp_path / "none.html")], "none.html"),
    }  # fmt: skip


def test_bad_input_is_one_line_and_exit_code_two(
    tmp_path: Path, keys: str, page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (arguments, expected) in bad_inputs(tmp_path, keys, page).items():
        assert main(arguments) == 2, name
        said = capsys.readouterr()
        assert said.err.startswith("msgtrack: "), name
        assert said.err.count("\n") == 1, name
        assert expected in said.err, name


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_folder_that_takes_no_files_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--folder", "/proc", "--store", "memory:", "--recipients", "1"]) == 2
    assert re.fullmatch(r"msgtrack: cannot make the folder /proc/\S+: .+\n", capsys.readouterr().err)


def test_a_terminal_without_the_letters_is_no_error(keys: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a href="https://shop.example/é">x</a>', encoding="utf-8")
    command = [sys.executable, "-m", "msgtrack.cli", "compile", str(page), "--delivery", "1", *tracker(keys)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"https://shop.example/\\xe9" in done.stdout
    # A page is no message to a terminal: it goes out as it came.
    done = subprocess.run([*command, "--message-id=1"], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    asked = [*command, "--json"]
    assert json.loads(subprocess.run(asked, capture_output=True, env=environment, check=True).stdout)["links"][0][
        "url"
    ].endswith("é")


def test_without_rich_there_is_no_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Working", 3) as step:
        step(1)
    assert capsys.readouterr().err == ""


def test_a_busy_port_is_named(keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert main(["serve", "--segments", str(tmp_path), "--port", str(port), *tracker(keys)]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1 port {port}" in said
    assert said.count("\n") == 1
    assert main(["serve", "--segments", str(tmp_path), "--port", "99999", *tracker(keys)]) == 2


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "--nonsense"], ["report"], ["keys", "old"]])
def test_usage_errors_leave_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo", "serve", "compile", "collect", "report", "keys"])
def test_every_command_has_help_with_an_example_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([name, "--help"])
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert f"msgtrack {name}" in shown.partition("example:")[2]
    assert "--json" in shown


def test_a_reader_that_goes_away_is_no_error(keys: str, page: str) -> None:
    command = [sys.executable, "-m", "msgtrack.cli", "compile", page, "--delivery", "1", *tracker(keys)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert b"Traceback" not in said
