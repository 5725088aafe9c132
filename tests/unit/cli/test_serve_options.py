"""What ``msgtrack serve`` and its kin pass on to the library: how people are told apart, how URLs look, a log of requests."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.cli import main
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder

HOST = "https://t.example.com"
SECRET = "a secret that is long enough to sign with"
PAGE = '<a href="https://shop.example/spring">x</a>'
COMPILED = Tracker(HOST, Keyring.from_secrets(SECRET)).compile(html=PAGE, delivery_id="spring", pixel="none")

Started = tuple["subprocess.Popen[str]", int]


@pytest.fixture
def tracker(tmp_path: Path) -> list[str]:
    (tmp_path / "test.keys").write_text(SECRET + "\n")
    (tmp_path / "page.html").write_text(PAGE)
    return [f"--keys={tmp_path / 'test.keys'}", f"--base-url={HOST}"]


@pytest.fixture
def started(tmp_path: Path, tracker: list[str]) -> Iterator[Callable[..., Started]]:
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Started:
        command = [sys.executable, "-m", "msgtrack.cli", "serve", "--port=0", *tracker, *options]
        command.append(f"--segments={tmp_path / 'segments'}")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        listening = re.match(r"listening on 127\.0\.0\.1:(\d+)", said)
        assert listening is not None, said + (process.stderr.read() if process.stderr else "")
        return process, int(listening[1])

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def target(html: str | None) -> str:
    found = re.search(rf'href="{re.escape(HOST)}([^"]+)"', html or "")
    assert found is not None
    return found[1].replace("&amp;", "&")


def ask(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.getheader("location", ""), answer.getheader("set-cookie", "")


def stopped(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)
    assert process.returncode == 0
    return said


def kept(folder: Path) -> list[Hit]:
    return [record for batch in SegmentFolder(folder).read(None) for record in batch.records if isinstance(record, Hit)]


CLICK = target(COMPILED.render(message_id=7).html)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_log_of_requests_is_kept_when_it_is_asked_for(started: Callable[..., Started], workers: str) -> None:
    process, port = started("--access-log", f"--workers={workers}")
    for path in (CLICK, "/nothing/%0ahere", CLICK):
        ask(port, path)
    out, err = stopped(process)
    assert err == ""
    assert [re.sub(r":\d+", "", line.split(maxsplit=1)[1]) for line in out.splitlines()] == [
        f'127.0.0.1 - "GET {CLICK} HTTP/1.1" 302 Found',
        '127.0.0.1 - "GET /nothing/%0Ahere HTTP/1.1" 404 Not Found',
        f'127.0.0.1 - "GET {CLICK} HTTP/1.1" 302 Found',
    ]


def test_no_log_of_requests_is_kept_otherwise(started: Callable[..., Started]) -> None:
    process, port = started()
    assert ask(port, CLICK)[0] == 302
    assert stopped(process) == ("", "")


def test_a_log_that_cannot_be_written_stops_nobody(started: Callable[..., Started]) -> None:
    process, port = started("--access-log")
    assert process.stdout is not None
    process.stdout.close()
    assert [ask(port, CLICK)[0] for _ in range(3)] == [302] * 3
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_the_cookie_goes_to_the_domain(started: Callable[..., Started]) -> None:
    _, port = started("--cookie-domain=example.com")
    assert "; Domain=example.com;" in ask(port, CLICK)[2]
    _, port = started()
    assert "Domain" not in ask(port, CLICK)[2]


@pytest.mark.parametrize(("word", "cookie", "named"), [("no-key", 0, 1), ("aggregate", 0, 0), ("ignore", 1, 1)])
def test_the_signal_of_a_browser_comes_to_what_was_said(
    started: Callable[..., Started], tmp_path: Path, tracker: list[str], word: str, cookie: int, named: int
) -> None:
    process, port = started(f"--gpc={word}")
    assert bool(ask(port, CLICK, Sec_GPC="1")[2]) == bool(cookie)
    stopped(process)
    assert events(tmp_path, tracker) == [("spring", "7" if named else "")]


@pytest.mark.parametrize(("options", "expected"), [([], ""), (["--client-ip=truncated"], "127.0.0.0")])
def test_addresses_are_kept_as_was_said(
    started: Callable[..., Started], tmp_path: Path, options: list[str], expected: str
) -> None:
    process, port = started(*options)
    ask(port, CLICK)
    stopped(process)
    assert [hit.client_ip for hit in kept(tmp_path / "segments")] == [expected]


def events(folder: Path, tracker: list[str], *options: str) -> list[tuple[str, str]]:
    """Delivery and message of each event that the segments come to."""
    from msgtrack.storage import open_store

    store = f"sqlite:///{folder / 'a.db'}"
    assert main(["collect", f"--segments={folder / 'segments'}", f"--store={store}", *tracker, *options]) == 0
    with open_store(store) as opened:
        return [(event.delivery_id or "", event.message_id or "") for event in opened.scan()]


def test_urls_of_the_campaign_format_go_all_the_way(
    started: Callable[..., Started], tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--registry={tmp_path / 'links'}", "--url-format=campaign"]
    out = tmp_path / "out.html"
    page = ["compile", str(tmp_path / "page.html"), "--delivery=230", "--message-id=7", "--pixel=none"]
    assert main([*page, f"--out={out}", *options, *tracker]) == 0
    click = target(out.read_text())
    assert re.fullmatch(r"/r/\?id=h7,e6,2&s=[0-9a-z.-]+", click)
    process, port = started(*options)
    assert ask(port, click)[:2] == (302, "https://shop.example/spring")
    stopped(process)
    assert events(tmp_path, tracker, *options) == [("230", "7")]
    line = '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 302 0 "-" "Browser/1"\n'
    (tmp_path / "access.log").write_text(line.format(path=click))
    capsys.readouterr()
    assert main(["logs", "parse", str(tmp_path / "access.log"), *options, *tracker]) == 0
    assert capsys.readouterr().out == "2026-03-01 10:00:00 click      230 7 2\n"
    # What is not written in hex is said before anything is.
    assert main(["compile", str(tmp_path / "page.html"), "--delivery=spring", *options, *tracker]) == 2
    assert "whole number" in capsys.readouterr().err


def test_the_campaign_format_needs_a_registry(
    tmp_path: Path, tracker: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "access.log").write_text("")
    needs = "msgtrack: --url-format campaign needs --registry: such URLs hold no destinations\n"
    for command in (
        ["compile", str(tmp_path / "page.html"), "--delivery=230"],
        ["serve", "--port=0", f"--segments={tmp_path / 'segments'}"],
        ["serve", "--port=0", f"--segments={tmp_path / 'segments'}", "--workers=2"],
        ["collect", "--store=memory:", f"--segments={tmp_path}"],
        ["logs", "parse", str(tmp_path / "access.log")],
    ):
        assert main([*command, "--url-format=campaign", *tracker]) == 2
        assert capsys.readouterr().err == needs
    assert not (tmp_path / "segments").exists()
    for action, said in (("parse", "is for events, which need"), ("detect", "does not go with detect")):
        assert main(["logs", action, str(tmp_path / "access.log"), "--url-format=compact"]) == 2
        assert f"--url-format {said}" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--sync-seconds=-1", "--sync-seconds -1.0 is not between 0 and 3600"),
        ("--sync-seconds=nan", "--sync-seconds nan is not between 0 and 3600"),
        ("--people=x", "--people: key='x' is not one of: cookie, hash, none"),
        ("--gpc=x", "--gpc: gpc='x' is not one of: no-key, aggregate, ignore"),
        ("--client-ip=whole", "--client-ip: client_ip='whole' is not one of: none, truncated"),
        ("--cookie-domain=a;b", "--cookie-domain: cookie_domain='a;b' may hold letters, digits, '.', '_' and '-' only"),
        ("--cookie-domain=", "--cookie-domain names no domain"),
        ("--cookie-domain=a.b --people=hash", "--cookie-domain does nothing with --people hash"),
        ("--fallback-url=ftp://a", "--fallback-url: fallback_url='ftp://a' is no http(s) URL"),
        ("--trust-proxy=x", "--trust-proxy: networks holds 'x', which is no address and no network"),
        (
            "--trust-proxy=::1 --proxy-header=via",
            "--proxy-header: header='via' is not one of: x-forwarded-for, forwarded",
        ),
        ("--segment-age=x", "--segment-age: 'x' is no duration (such as 90s, 15m, 1h or 2d)"),
        ("--request-timeout=x", "--request-timeout: 'x' is no duration (such as 90s, 15m, 1h or 2d)"),
    ],
)
def test_what_is_wrong_is_said_once_and_of_the_option(
    option: str, complaint: str, workers: str, tmp_path: Path, tracker: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    segments = f"--segments={tmp_path / 'segments'}"
    assert main(["serve", "--port=0", segments, f"--workers={workers}", *tracker, *option.split()]) == 2
    assert capfd.readouterr() == ("", f"msgtrack: {complaint}\n")
    assert not (tmp_path / "segments").exists()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("serve --segments=", "--segments names no folder"),
        ("serve --segments=s --keys=", "--keys names no file"),
        ("serve --segments=s --registry=", "--registry names no folder"),
        ("collect --store=memory: --segments=", "--segments names no folder"),
        ("collect --store=memory: --access-log=", "--access-log names no file"),
        ("compile page.html --delivery=1 --out=", "--out names no file"),
        ("compile page.html --delivery=1 --text=", "--text names no file"),
        ("compile page.html --delivery=1 --values=", "--values names no file"),
        ("keys new --out=", "--out names no path"),
        ("logs parse page.html --rejects=", "--rejects names no file"),
        ("logs parse page.html --registry=", "--registry names no folder"),
        ("report --store=memory: --delivery=1 --html=", "--html names no file"),
        ("report --store=memory: --delivery=1 --csv=", "--csv names no file"),
        ("demo --folder=", "--folder names no folder"),
    ],
)
def test_an_empty_text_names_no_place(
    command: str,
    complaint: str,
    tmp_path: Path,
    tracker: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    name, *given = command.split()
    assert main([name, *(tracker if name in ("serve", "collect", "compile") else []), *given]) == 2
    assert capfd.readouterr() == ("", f"msgtrack: {complaint}\n")
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_text_is_no_folder_of_templates(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["audit", ""], ["logs", "detect", ""]):
        assert main(command) == 2
        assert capfd.readouterr() == ("", "msgtrack: PATH names no path\n")
