"""Links that are led elsewhere after sending: in every registry alike, with attribution kept and the trail written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from msgtrack import Keyring, Tracker, open_store
from msgtrack.decide import decide
from msgtrack.errors import InvalidValue, NaiveDatetime
from msgtrack.links import ManifestRegistry, MemoryRegistry, StoreRegistry
from msgtrack.links.syntaxes import SYNTAXES, by_name
from msgtrack.redirect import RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("k" * 32)
OWN, NEW, NEWER = (
    "https://shop.example/spring",
    "https://shop.example/summer?a=1&b=2",
    "https://www.shop.example/Autumn#x",
)
HTML = f'<a href="{OWN}">x</a> <a href="https://shop.example/other">y</a>'


class Site:
    """A registry, a second view of it as another process has it, and the links that were sent."""

    def __init__(self, registry: Any, other: Any, url_format: str = "compact") -> None:
        self.registry, self.other = registry, other
        self.tracker = Tracker(
            "https://t.example.com", KEYS, registry=registry, link_style="registered", url_format=url_format
        )
        self.compiled = self.tracker.compile(html=HTML, delivery_id="26")
        registry.publish(self.compiled)
        html = self.compiled.render(message_id="7").html or ""
        self.url, self.second = [url.replace("&amp;", "&") for url in re.findall(r'href="([^"]+)"', html)]
        self.key = self.compiled.links[0].key

    def target(self, registry: Any = None, url: str = "") -> tuple[str | None, str | None]:
        """Where a click leads, and whom it names."""
        handler = RedirectHandler(self.tracker, links=registry or self.registry)
        outcome = handler.handle(Request(method="GET", url=url or self.url, received_at=AT))
        assert outcome.hit is not None
        event = decide(outcome.hit, self.tracker).event
        return dict(outcome.response.headers).get("location"), None if event is None else event.message_id


@pytest.fixture(params=["memory", "manifests", "store", "campaign"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param in ("memory", "campaign"):
        registry = MemoryRegistry()
        yield Site(registry, registry, "campaign" if request.param == "campaign" else "compact")
    elif request.param == "manifests":
        yield Site(ManifestRegistry(tmp_path), ManifestRegistry(tmp_path))
    else:
        store = open_store(f"sqlite:///{tmp_path}/links.db")
        yield Site(StoreRegistry(store, wait_seconds=60), StoreRegistry(store, fresh_seconds=0, wait_seconds=60))
        store.close()


def test_a_link_leads_elsewhere_and_still_names_its_reader(site: Site) -> None:
    """R48."""
    assert site.target(site.other) == (OWN, "7")
    for place, url in enumerate((NEW, NEWER)):
        entry = site.registry.retarget(site.key, url, at=AT + timedelta(seconds=place), by="ann")
        assert (entry.action, entry.status, entry.done) == ("retarget", "finished", {"links": 1})
        for registry in (site.registry, site.other):
            assert site.target(registry) == (url, "7")
            assert site.target(registry, site.second) == ("https://shop.example/other", "7")
            found = registry.find(site.key)
            assert (found.url, found.target_url, found.key) == (OWN, url, site.key)
    bare = site.url.rpartition("/")[0]
    if "?" not in site.url:
        assert site.target(url=bare) == (NEWER, None)


def test_publishing_again_does_not_undo_it_and_an_empty_url_does(site: Site) -> None:
    """R48."""
    site.registry.retarget(site.key, NEW, at=AT)
    site.registry.publish(site.compiled)
    site.other.publish(site.compiled)
    assert site.target() == site.target(site.other) == (NEW, "7")
    site.registry.retarget(site.key, "", at=AT + timedelta(seconds=1))
    assert site.target() == site.target(site.other) == (OWN, "7")


def test_the_trail_says_who_led_what_where(site: Site) -> None:
    """R48."""
    first = site.registry.retarget(site.key, NEW, at=AT, by="ann")
    second = site.registry.retarget(site.key, NEWER, at=AT + timedelta(days=1), by='bob\n"}')
    assert json.loads(first.detail) == {
        "key": site.key, "delivery_id": "26", "link_id": "2", "from": OWN, "to": NEW, "by": "ann",
    }  # fmt: skip
    assert (json.loads(second.detail)["from"], json.loads(second.detail)["by"]) == (NEW, 'bob\n"}')
    assert (first.started_at, first.id != second.id) == (AT, True)
    kept = site.registry.audits() if hasattr(site.registry, "audits") else [*site.registry._store.audits()][::-1]
    assert list(kept) == [first, second]
    if hasattr(site.other, "audits"):
        assert list(site.other.audits()) == [first, second]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//a.example/", "/x", "shop", "https://", "ftp://a.example/", "https://a/<%= x %>",
     "https://a.example/\r\nX: y", " https://a.example/", 5, None],
)  # fmt: skip
def test_only_web_pages_are_taken(site: Site, url: Any) -> None:
    """R48, R50."""
    with pytest.raises(InvalidValue, match="can lead to"):
        site.registry.retarget(site.key, url, at=AT)
    assert site.target() == (OWN, "7")


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if by_name(name).marks])
def test_placeholders_of_no_language_are_taken(syntax: str) -> None:
    """R48."""
    registry = MemoryRegistry([attrs.evolve(Site(MemoryRegistry(), None).compiled.links[0], key="00000001")])
    for url in (
        f"https://a.example/{by_name(syntax).slot('name')}",
        f"https://a.example/?x={by_name(syntax).slot('name')}#y",
    ):
        with pytest.raises(InvalidValue, match="without placeholders"):
            registry.retarget("00000001", url, at=AT)


@pytest.mark.parametrize(
    "url",
    ["https://a.example/100%25?q={%22a%22:1}", "https://a.example/%20Sale%20/%C3%A9", "https://a.example/{name}/$x/*|"],
)
def test_what_only_looks_like_a_placeholder_is_taken(url: str) -> None:
    """R48."""
    registry = MemoryRegistry([attrs.evolve(Site(MemoryRegistry(), None).compiled.links[0], key="00000001")])
    registry.retarget("00000001", url, at=AT)
    link = registry.find("00000001")
    assert link is not None
    assert link.target_url == url


@pytest.mark.parametrize("target", ["javascript:alert(1)", "data:text/html,x", "//a.example/", "ftp://a.example/"])
def test_a_target_that_somebody_else_wrote_is_not_heard(target: str) -> None:
    """R48, R50."""
    site = Site(MemoryRegistry(), None)
    forged = MemoryRegistry([attrs.evolve(site.compiled.links[0], target_url=target)])
    assert Tracker("https://t.example.com", KEYS, registry=forged).resolve(site.url).destination == OWN
    assert site.target(forged) == (OWN, "7")


def test_what_is_not_there_cannot_be_led(site: Site) -> None:
    """R48."""
    for key in ("00000000", "../../..", "", "x" * 900):
        with pytest.raises(InvalidValue, match="no link of the key"):
            site.registry.retarget(key, NEW, at=AT)
    with pytest.raises(NaiveDatetime):
        site.registry.retarget(site.key, NEW, at=datetime(2026, 1, 1))


def test_a_trail_cut_short_by_a_crash_leaves_the_last_whole_word(tmp_path: Path) -> None:
    """R48."""
    site = Site(ManifestRegistry(tmp_path), None)
    index = tmp_path / "keys" / f"{site.key[:2]}.txt"
    site.registry.retarget(site.key, NEW, at=AT)
    before = index.read_bytes()
    site.registry.retarget(site.key, NEWER, at=AT)
    whole = index.read_bytes()
    for end in range(len(before), len(whole)):
        index.write_bytes(whole[:end])
        assert site.target(ManifestRegistry(tmp_path)) == (NEW, "7")
        again = ManifestRegistry(tmp_path)
        again.retarget(site.key, "https://again.example/", at=AT)
        assert site.target(ManifestRegistry(tmp_path)) == ("https://again.example/", "7")
    for junk in (b'\n%b>{"v":1}\n', b"\n%b>{\n", b'\n%b>{"v":1,"id":"x","action":"retarget","detail":"[]"}\n'):
        index.write_bytes(before + junk % site.key.encode())
        assert site.target(ManifestRegistry(tmp_path))[1] == "7"


def test_a_personalised_link_keeps_its_reader() -> None:
    """R48."""
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    compiled = tracker.compile(html='<a href="https://a.example/?n={{ name }}">x</a>', delivery_id="26", syntax="jinja")
    registry.publish(compiled)
    html = compiled.render(message_id="7", values={"name": "Zoë"}).html or ""
    url = re.findall(r'href="([^"]+)"', html)[0]
    assert tracker.resolve(url).destination == "https://a.example/?n=Zo%C3%AB"
    registry.retarget(compiled.links[0].key, NEW, at=AT)
    said = tracker.resolve(url)
    assert (said.destination, said.message_id) == (NEW, "7")


def test_a_link_led_elsewhere_still_expires() -> None:
    """R6, R48."""
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    compiled = tracker.compile(html=HTML, delivery_id="26", expires_at=AT)
    registry.publish(compiled)
    registry.retarget(compiled.links[0].key, NEW, at=AT)
    url = re.findall(r'href="([^"]+)"', compiled.render(message_id="7").html or "")[0]
    assert tracker.resolve(url, at=AT).destination is None
    assert tracker.resolve(url, at=AT - timedelta(seconds=1)).destination == NEW
