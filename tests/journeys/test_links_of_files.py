"""Registered links from the command line alone: compiled into a folder, served, clicked, collected, reported."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Message, open_store
from msgtrack.cli import main

HOST = "https://t.example.com"
FALLBACK = "https://late.example/"


class Site:
    """A mailer's folder, and the commands that are run there."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        self.folder = folder
        self.links = folder / "share" / "links"
        self.store = f"sqlite:///{folder / 'tracking.db'}"
        self.tracker = [f"--keys={key_file}", f"--base-url={HOST}"]
        self.registry = f"--registry={self.links}"

    def sent(self, delivery_id: str, url: str, message_id: str = "7", *options: str) -> list[str]:
        """The addresses in a message that is compiled and rendered, as paths: its links, and its open."""
        page, out = self.folder / "page.html", self.folder / "out.html"
        page.write_text(f'<body><a href="{url}" _label="Shop">x</a></body>')
        compile_ = ["compile", str(page), f"--delivery={delivery_id}", f"--message-id={message_id}", f"--out={out}"]
        assert main([*compile_, self.registry, *self.tracker, *options]) == 0
        return re.findall(rf'(?:href|src)="{re.escape(HOST)}([^"]+)"', out.read_text())

    def collect(self, *options: str) -> int:
        sources = [f"--segments={self.folder / 'segments'}", f"--store={self.store}"]
        return main(["collect", "--json", *sources, *self.tracker, *options])

    def leave(self) -> None:
        self.links.rename(self.links.with_name("away"))

    def come_back(self) -> None:
        self.links.with_name("away").rename(self.links)


@pytest.fixture
def site(tmp_path: Path, key_file: Path) -> Site:
    return Site(tmp_path, key_file)


def ask(port: int, path: str) -> tuple[int, str | None]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers={"User-Agent": "Browser/1"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("location")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_from_compile_to_report(
    site: Site, serve: Callable[..., Any], capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    spring = site.sent("spring", "https://shop.example/a/long/way?with=many&words=in#it")
    assert [path.count("/") for path in spring] == [2, 2]
    assert re.fullmatch(r"/[0-9a-z]{8}/[^/]+", spring[0]), "a registered link is its key, and who it was sent to"
    server = serve(site.registry, f"--workers={workers}")
    assert ask(server.port, spring[0]) == (302, "https://shop.example/a/long/way?with=many&words=in#it")
    assert ask(server.port, spring[1])[0] == 200
    # What is compiled later is known to a server that runs.
    autumn = site.sent("autumn", "https://shop.example/autumn")
    assert ask(server.port, autumn[0]) == (302, "https://shop.example/autumn")
    assert ask(server.port, "/00000000/" + autumn[0].rpartition("/")[2])[0] == 404
    server.stop()
    with open_store(site.store) as store:
        store.put([Message(id="7", delivery_id="spring", status="sent", address="a@gmail.com")])
    capsys.readouterr()
    assert site.collect(site.registry) == 0
    run = json.loads(capsys.readouterr().out)
    assert (run["hits"], run["events"], run["added"]) == (4, 3, 3)
    assert main(["report", f"--store={site.store}", "--delivery=spring", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    values = {key: row["value"] for key, row in report["indicators"].items()}
    assert (values["total_recipient_click"], values["total_recipient_open"]) == (1, 1)


def test_a_share_that_goes_while_it_serves(
    site: Site, serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """R25, R47."""
    asked, unasked = site.sent("spring", "https://shop.example/spring"), site.sent("autumn", "https://shop.example/a")
    (stateless,) = _stateless(site)
    with_fallback, without = serve(site.registry, f"--fallback-url={FALLBACK}"), serve(site.registry)
    ports = (with_fallback.port, without.port)
    for port in ports:
        assert ask(port, asked[0]) == (302, "https://shop.example/spring")
    site.leave()
    for _ in range(2):
        assert ask(ports[0], unasked[0]) == (302, FALLBACK)
        assert ask(ports[1], unasked[0]) == (404, None)
        for port in ports:
            assert ask(port, asked[0]) == (302, "https://shop.example/spring")
            assert ask(port, stateless) == (302, "https://shop.example/stateless")
            assert ask(port, asked[1])[0] == 200
    assert not site.links.exists()
    # Nothing is collected past a click whose link cannot be looked up now.
    capsys.readouterr()
    assert site.collect(site.registry) == 2
    assert str(site.links) in capsys.readouterr().err
    site.come_back()
    for port in ports:
        assert ask(port, unasked[0]) == (302, "https://shop.example/a")
    for server in (with_fallback, without):
        server.stop()
    assert site.collect(site.registry) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["hits"] == 2 + 2 * (2 + 3 * 2) + 2
    assert run["skipped"] == {"refused": 2}
    with open_store(site.store) as store:
        kinds = [(event.delivery_id, event.kind) for event in store.scan()]
    clicks = {name: kinds.count((name, "click")) for name in ("spring", "autumn", "stateless")}
    # Who was led to the page for such cases did click; who was told to come back did not get through.
    assert clicks == {"spring": 2 + 4, "autumn": 2 + 2, "stateless": 4}


def _stateless(site: Site) -> list[str]:
    page, out = site.folder / "page.html", site.folder / "out.html"
    page.write_text('<a href="https://shop.example/stateless">x</a>')
    made = ["compile", str(page), "--delivery=stateless", "--message-id=7", f"--out={out}", "--pixel=none"]
    assert main([*made, *site.tracker]) == 0
    return re.findall(rf'href="{re.escape(HOST)}([^"]+)"', out.read_text())


def test_a_server_starts_while_the_share_is_away(
    site: Site, serve: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    (link, _), (stateless,) = site.sent("spring", "https://shop.example/spring"), _stateless(site)
    site.leave()
    for options in ((), ("--workers=2",)):
        capfd.readouterr()
        server = serve(site.registry, f"--fallback-url={FALLBACK}", *options)
        (said,) = capfd.readouterr().err.splitlines()
        assert said.startswith(f"msgtrack: {site.links}")
        assert said.endswith("as long as the registry cannot be read, its links are unavailable")
        assert ask(server.port, link) == (302, FALLBACK)
        assert ask(server.port, stateless) == (302, "https://shop.example/stateless")
        assert not site.links.exists()
        server.stop()
    site.come_back()
    capfd.readouterr()
    server = serve(site.registry)
    assert capfd.readouterr().err == ""
    assert ask(server.port, link) == (302, "https://shop.example/spring")
