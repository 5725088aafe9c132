"""``msgtrack logs``, and the formats that ``collect`` takes."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from msgtrack import Keyring, Tracker, open_store
from msgtrack.cli import main

SECRET = "a secret that is long enough to sign with"  # no one's
LINE = '192.0.2.1 - - [01/Mar/2026:10:00:0{n} +0000] "GET {path} HTTP/1.1" {status} 0 "-" "x"\n'
LOG = LINE.format(n=1, path="/a", status=302) + "rubbish\n" + LINE.format(n=2, path="/b\x1b[31m", status=404)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "access.log"
    path.write_text(LOG)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(["logs", *arguments]) == code
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_parse_shows_hits_and_tells_the_rest(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, "parse", "access.log")
    assert out.splitlines() == ["2026-03-01 10:00:01 302 GET /a", "2026-03-01 10:00:02 404 GET /b\ufffd[31m"]
    assert err == "2 hits; 1 lines rejected (not-combined 1)\n"
    out, _ = told(capsys, "parse", "access.log", "--json")
    assert [json.loads(line)["url"] for line in out.splitlines()] == ["/a", "/b\x1b[31m"]


def test_parse_gives_events_where_it_can_read_the_urls(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("keys").write_text(SECRET)
    tracker = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
    page = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring").render(message_id="7")
    path = str(page.html).partition('href="https://t.example.com')[2].partition('"')[0]
    log.write_text(LINE.format(n=1, path=path, status=302) * 2)
    keyed = ["--base-url", "https://t.example.com", "--keys", "keys"]
    out, err = told(capsys, "parse", "access.log", *keyed)
    assert out == "2026-03-01 10:00:01 click      spring 7 2\n" * 2
    assert err == "2 hits, 2 events; 0 lines rejected\n"
    out, _ = told(capsys, "parse", "access.log", "--json", *keyed)
    assert len({json.loads(line)["id"] for line in out.splitlines()}) == 2
    assert "both" in told(capsys, "parse", "access.log", "--keys", "keys", code=2)[1]


def test_rejected_lines_are_kept_and_shown(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        told(capsys, "parse", "access.log", "access.log", "--rejects", "bad.jsonl")
    (kept, _) = (json.loads(line) for line in Path("bad.jsonl").read_text().splitlines())
    assert kept == {"v": 1, "line": 2, "reason": "not-combined", "text": "rubbish", "source": str(Path("access.log"))}
    with Path("bad.jsonl").open("a") as file:
        file.write('{"v": 1, "line": 5, "reason": "line-too-')
    out, _ = told(capsys, "rejects", "bad.jsonl")
    assert out.splitlines()[:3] == ["2 not-combined", *["    access.log:2: rubbish"] * 2]
    assert out.splitlines()[3] == "1 not-a-reject"
    (first, second) = json.loads(told(capsys, "rejects", "bad.jsonl", "--json")[0])
    assert (first["reason"], first["lines"], len(first["examples"]), second["lines"]) == ("not-combined", 2, 2, 1)
    assert told(capsys, "rejects", "bad.jsonl", "--reason", "not-combined")[0] == "access.log:2: rubbish\n" * 2
    assert "cannot read" in told(capsys, "rejects", "nowhere", code=2)[1]
    assert "no such folder" in told(capsys, "parse", "access.log", "--rejects", "no/where", code=2)[1]
    # Where nothing is rejected, no file is made.
    log.write_text(LINE.format(n=1, path="/a", status=302))
    told(capsys, "parse", "access.log", "--rejects", "none.jsonl")
    assert not Path("none.jsonl").exists()


def test_detect_names_the_format_or_says_why_not(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.gz").write_bytes(gzip.compress(LOG.encode()))
    Path("c").write_text("rubbish\n")
    out, _ = told(capsys, "detect", "access.log", "b.gz")
    assert out.splitlines() == [f"{name}: combined (combined reads 2 of 3 lines)" for name in ("access.log", "b.gz")]
    out, _ = told(capsys, "detect", "access.log", "c", "--json", code=1)
    assert [one["format"] for one in json.loads(out)] == ["combined", None]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("1772359201.500 /a GET", ["--nginx", "$msec $request_uri $request_method"]),
        ("[01/Mar/2026:10:00:01 +0000] GET /a", ["--apache", "%t %m %U"]),
        (
            '{"when": "2026-03-01T10:00:01Z", "how": "GET", "what": "/a"}',
            ["--fields", '{"at": "when", "method": "how", "url": "what"}'],
        ),
        ('{"when": "2026-03-01T10:00:01Z", "how": "GET", "what": "/a"}', ["--fields", "fields.json"]),
        (LOG.splitlines()[0], ["--format", "combined"]),
        (LOG.splitlines()[0], ["--format", "auto"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_formats_are_named_or_told(
    line: str, options: list[str], log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("fields.json").write_text('{"at": "when", "method": "how", "url": ["what"]}')
    Path("keys").write_text(SECRET)
    log.write_text(line + "\n")
    assert told(capsys, "parse", "access.log", *options)[0].endswith("GET /a\n")
    # The same arguments lead the collector.
    collect = ["collect", "--store=memory:", "--keys=keys", "--base-url=https://t.example.com", "--json"]
    assert main([*collect, "--access-log=access.log", *options]) == 0
    assert json.loads(capsys.readouterr().out)["hits"] == 1


def test_collect_takes_a_pattern_of_logs(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("keys").write_text(SECRET)
    for name in ("web1", "web2"):
        Path(name).mkdir()
        Path(name, "access.log").write_text(LOG)
        Path(name, "access.log.1").write_text(LOG)
    collect = ["collect", "--store=memory:", "--keys=keys", "--base-url=https://t.example.com", "--json"]
    assert main([*collect, "--access-log=web*/access.log*"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert (run["hits"], [Path(name).parent.name for name in run["sources"]]) == (4, ["web1", "web2"])
    assert main([*collect, "--access-log=name=web*/access.log"]) == 2
    assert main([*collect, "--access-log=no*/where"]) == 2
    assert main([*collect, "--access-log=access.log", "--nginx=$msec"]) == 2


def test_standard_input_is_a_log(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for action, expected in (("parse", "2026-03-01 10:00:01 302 GET /a"), ("detect", "-: combined")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LOG.encode()))))
        assert told(capsys, action, "-")[0].startswith(expected)


def test_rotated_files_come_first_where_they_are_asked_for(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("access.log.1.gz").write_bytes(gzip.compress(LINE.format(n=0, path="/old", status=302).encode()))
    assert len(told(capsys, "parse", "access.log")[0].splitlines()) == 2
    out, _ = told(capsys, "parse", "access.log*", "--rotated")
    assert [line.split()[-1] for line in out.splitlines()] == ["/old", "/a", "/b\ufffd[31m"]


def test_what_cannot_be_read_is_said_and_the_rest_is_read(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, "parse", "nowhere.log", "access.log", "--format", "combined", code=1)
    assert len(out.splitlines()) == 2
    assert "nowhere.log" in err
    log.write_text("rubbish\n" * 3)
    assert "cannot tell the format" in told(capsys, "parse", "access.log", code=1)[1]
    assert "3 lines rejected" in told(capsys, "parse", "access.log", "--format=combined", code=1)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["parse", "access.log", "--format", "nonsense"],
        ["parse", "access.log", "--nginx", "$nothing"],
        ["parse", "access.log", "--fields", "[]"],
        ["parse", "access.log", "--fields", "{"],
        ["parse", "access.log", "--fields", '{"at": 1}'],
        ["parse", "access.log", "--reason", "x"],
        ["parse", "-", "--follow"],
        ["parse", "access.log", "other.log", "--follow"],
        ["parse", "no*thing"],
        ["detect", "access.log", "--follow"],
        ["detect", "access.log", "--format=w3c"],
        ["rejects", "access.log", "--base-url=https://t.example.com"],
        ["rejects", "access.log", "--apache=%t %r"],
    ],
    ids=" ".join,
)
def test_bad_input_is_said_in_one_line(arguments: list[str], log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, *arguments, code=2)
    assert (out, err.count("\n")) == ("", 1)


def test_clients_are_read_where_asked(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ua_parser_rs", reason="ua-parser's compiled matcher is not installed")
    Path("keys").write_text(SECRET)
    tracker = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
    page = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring").render(message_id="7")
    path = str(page.html).partition('href="https://t.example.com')[2].partition('"')[0]
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/117.0"
    log.write_text(LINE.format(n=1, path=path, status=302).replace('"x"', f'"{agent}"'))
    keyed = ["--base-url", "https://t.example.com", "--keys", "keys"]
    out, _ = told(capsys, "parse", "access.log", *keyed, "--json", "--clients")
    assert (json.loads(out)["client"]["browser"], json.loads(out)["client"]["os"]) == ("Firefox", "Windows")
    out, _ = told(capsys, "parse", "access.log", *keyed, "--json")
    assert json.loads(out)["client"] == {"user_agent": agent}
    assert "events" in told(capsys, "parse", "access.log", "--clients", code=2)[1]
    assert "detect" in told(capsys, "detect", "access.log", "--clients", code=2)[1]
    for clients, browser in (([], ""), (["--clients"], "Firefox")):
        store = f"sqlite:///a{len(clients)}.db"
        assert main(["collect", "--access-log", "access.log", "--store", store, *keyed, *clients]) == 0
        with open_store(store) as kept:
            (event,) = kept.scan()
        assert event.client is not None
        assert event.client.browser == browser
