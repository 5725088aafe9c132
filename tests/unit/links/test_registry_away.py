"""A registry in a folder that is away for a moment, as a share is whose network fails: nobody takes that for an unknown link."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.errors import InvalidOption, UnreadableInput
from msgtrack.hits import Hit
from msgtrack.links import CompiledMessage, ManifestRegistry
from msgtrack.redirect import RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("k" * 32)
FALLBACK = "https://late.example/"


def tracker_with(registry: ManifestRegistry) -> Tracker:
    return Tracker("https://t.example.com", KEYS, registry, link_style="registered")


def published(folder: Path, delivery_id: str = "spring") -> CompiledMessage:
    registry = ManifestRegistry(folder)
    html = f'<a href="https://{delivery_id}.example/">x</a>'
    compiled = tracker_with(registry).compile(html=html, delivery_id=delivery_id)
    registry.publish(compiled)
    return compiled


def url_of(compiled: CompiledMessage) -> str:
    (url,) = re.findall(r'href="([^"]+)"', compiled.render(message_id="7").html or "")
    return url


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "share" / "links"


def leave(shared: Path, how: str) -> None:
    """The share goes; where it was mounted a folder may be left, with nothing in it."""
    shared.rename(shared.with_name("away"))
    if how == "empty":
        shared.mkdir()
    elif how == "gone":
        shared.parent.rename(shared.parent.with_name("away"))


def come_back(shared: Path, how: str) -> None:
    if how == "empty":
        shared.rmdir()
    elif how == "gone":
        shared.parent.with_name("away").rename(shared.parent)
    shared.with_name("away").rename(shared)


WAYS = ["empty", "missing", "gone"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("is_asked_before", [True, False])
@pytest.mark.parametrize("make", [True, False])
def test_a_folder_that_is_away_is_no_unknown_link(shared: Path, how: str, is_asked_before: bool, make: bool) -> None:
    spring, other = published(shared), published(shared, "autumn")
    (link,), (unasked,) = spring.links, other.links
    registry = ManifestRegistry(shared, make=make)
    if is_asked_before:
        assert registry.find(link.key) == link
        assert registry.find("zzzzzzzz") is None
    leave(shared, how)
    for _ in range(2):
        for key in (unasked.key, "zzzzzzzz", link.key[:7] + ("0" if link.key[7] != "0" else "1")):
            with pytest.raises(UnreadableInput, match=re.escape(str(shared))):
                registry.find(key)
        # What was read once is known for as long as it is in memory.
        if is_asked_before:
            assert registry.find(link.key) == link
        else:
            with pytest.raises(UnreadableInput):
                registry.find(link.key)
    come_back(shared, how)
    assert [registry.find(one.key) for one in (link, unasked)] == [link, unasked]
    assert registry.find("zzzzzzzz") is None


@pytest.mark.parametrize("how", WAYS)
def test_nothing_is_done_to_a_registry_that_is_away(shared: Path, how: str) -> None:
    compiled = published(shared)
    (link,) = compiled.links
    registry = ManifestRegistry(shared)
    assert registry.find(link.key) == link
    leave(shared, how)
    with pytest.raises(UnreadableInput):
        registry.publish(compiled)
    with pytest.raises(UnreadableInput):
        registry.retarget(link.key, "https://other.example/", at=AT)
    with pytest.raises(UnreadableInput):
        registry.audits()
    assert list(shared.iterdir() if how == "empty" else []) == []


def test_who_only_reads_makes_no_folder(shared: Path) -> None:
    """A folder that the reader made where a share is not mounted would look like a registry without links."""
    registry = ManifestRegistry(shared, make=False)
    with pytest.raises(UnreadableInput, match=re.escape(str(shared))):
        registry.find("00000000")
    assert not shared.parent.exists()
    copy = pickle.loads(pickle.dumps(ManifestRegistry(shared, keep=7)))
    leave(shared, "missing")
    again = pickle.loads(pickle.dumps(copy))
    with pytest.raises(UnreadableInput):
        again.find("00000000")
    assert not shared.exists()
    come_back(shared, "missing")
    (link,) = published(shared).links
    assert registry.find(link.key) == again.find(link.key) == link
    with pytest.raises(InvalidOption, match="make"):
        ManifestRegistry(shared, make=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("fallback", [None, FALLBACK])
@pytest.mark.parametrize("how", WAYS)
def test_a_reader_is_led_somewhere_safe(shared: Path, how: str, fallback: str | None) -> None:
    """As redirect.md says of a registry that raises: R25, R47."""
    spring, autumn = url_of(published(shared)), url_of(published(shared, "autumn"))
    handler = RedirectHandler(tracker_with(ManifestRegistry(shared, make=False)), fallback_url=fallback)

    def ask(url: str) -> tuple[int, str | None, str]:
        outcome = handler.handle(Request(method="GET", url=url, received_at=AT))
        return outcome.response.status, dict(outcome.response.headers).get("location"), outcome.reason

    assert ask(spring) == (302, "https://spring.example/", "click")
    leave(shared, how)
    assert ask(spring) == (302, "https://spring.example/", "click")
    assert ask(autumn) == (404 if fallback is None else 302, fallback, "unavailable")
    come_back(shared, how)
    assert ask(autumn) == (302, "https://autumn.example/", "click")


def test_no_click_is_lost_for_a_registry_that_is_away(shared: Path) -> None:
    url = url_of(published(shared))
    hits = [Hit(method="GET", url=url, received_at=AT, user_agent="Browser/1")]
    leave(shared, "missing")
    tracker = tracker_with(ManifestRegistry(shared, make=False))
    with open_store("memory:") as store:
        with pytest.raises(UnreadableInput):
            collect({"web": hits}, store, tracker=tracker, now=AT)
        assert store.checkpoint("web") is None
        come_back(shared, "missing")
        assert collect({"web": hits}, store, tracker=tracker, now=AT).added == 1
