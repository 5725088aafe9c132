"""The registry in a store: asked as seldom as possible, and not at all while the store is down."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Keyring, TrackedLink, Tracker, open_store
from msgtrack.errors import InvalidOption, InvalidValue, StoreError
from msgtrack.io import StoreRegistry
from msgtrack.links import StoreRegistry as ByItsOtherName
from msgtrack.protocols import Query

KEYS = Keyring.from_secrets("k" * 32)
HTML = '<a href="https://a.example/">A</a> <a href="https://b.example/">B</a>'


class Watched:
    """A store that counts what it is asked, and fails when it is told to."""

    def __init__(self) -> None:
        self.store: Any = open_store("memory:")
        self.asked: list[tuple[str, ...] | None] = []
        self.error: Exception | None = None

    def links(self, query: Query | None = None) -> Iterator[TrackedLink]:
        self.asked.append(query.delivery_ids if query is not None else None)
        if self.error is not None:
            raise self.error
        yield from self.store.links(query or Query())

    def put(self, records: Any) -> None:
        self.store.put(records)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Links:
    def __init__(self, *links: TrackedLink) -> None:
        self.links = links


def link(number: int, delivery_id: str = "", **more: Any) -> TrackedLink:
    made: dict[str, Any] = {"id": "2", "url": f"https://a.example/{number}", **more}
    return TrackedLink(key=f"{number:08d}", delivery_id=delivery_id or f"d{number}", **made)


def made(**options: Any) -> tuple[StoreRegistry, Watched, Clock]:
    watched, clock = Watched(), Clock()
    return StoreRegistry(watched, clock=clock, **{"wait_seconds": 60, **options}), watched, clock  # type: ignore[arg-type]


def test_it_is_a_registry_under_both_names(tmp_path: Path) -> None:
    """R46."""
    assert ByItsOtherName is StoreRegistry
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    registry = StoreRegistry(store)
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    compiled = tracker.compile(html=HTML, delivery_id="spring")
    registry.publish(compiled)
    registry.publish(compiled)
    urls = re.findall(r'href="([^"]+)"', compiled.render(message_id="7").html or "")
    for resolver in (tracker, Tracker("https://t.example.com", KEYS, registry=StoreRegistry(store))):
        said = [resolver.resolve(url) for url in urls]
        assert [one.destination for one in said] == ["https://a.example/", "https://b.example/"]
        assert [one.message_id for one in said] == ["7", "7"]
        bare = resolver.resolve(urls[1].rpartition("/")[0])
        assert (bare.destination, bare.message_id) == ("https://b.example/", None)
    # Links of a store are what reports read.
    assert {one.url for one in store.links()} == {"https://a.example/", "https://b.example/"}
    store.close()


def test_a_delivery_is_asked_for_once() -> None:
    """R46."""
    registry, watched, clock = made(fresh_seconds=100)
    registry.publish(Links(link(1), link(2, "d1", id="3")))
    watched.asked.clear()
    for _ in range(50):
        assert registry.find_in("00000001", "d1") is not None
        assert registry.find_in("00000002", "d1") is not None
    assert watched.asked == [("d1",)]
    clock.now = 99.9
    registry.find_in("00000001", "d1")
    assert len(watched.asked) == 1
    clock.now = 100
    registry.find_in("00000001", "d1")
    assert watched.asked == [("d1",)] * 2


def test_what_is_unknown_is_asked_for_once_and_again_after_its_time() -> None:
    """R46."""
    registry, watched, clock = made(unknown_seconds=10)
    registry.publish(Links(link(1)))
    watched.asked.clear()
    for _ in range(20):
        assert registry.find_in("00000009", "d9") is None
        assert registry.find("00000009") is None
        assert registry.find("00000008") is None
    assert watched.asked == [("d9",), None]
    # Another process publishes it.
    watched.store.put([link(9)])
    assert registry.find("00000009") is None
    clock.now = 10
    assert registry.find("00000009") is not None
    assert registry.find_in("00000009", "d9") is not None


def test_a_new_link_of_a_known_delivery_is_found_after_a_while() -> None:
    """R46."""
    registry, watched, clock = made(unknown_seconds=10, fresh_seconds=1_000)
    registry.publish(Links(link(1)))
    assert registry.find_in("00000001", "d1") is not None
    watched.store.put([link(7, "d1", id="3")])
    assert registry.find_in("00000007", "d1") is None
    clock.now = 10
    assert registry.find_in("00000007", "d1") is not None


def test_what_is_published_here_is_found_at_once() -> None:
    """R46."""
    registry, _, _ = made(unknown_seconds=1_000)
    assert registry.find("00000001") is None
    assert registry.find_in("00000001", "d1") is None
    registry.publish(Links(link(1)))
    assert registry.find_in("00000001", "d1") == link(1)
    assert registry.find("00000001") == link(1)


def test_what_is_kept_is_bounded() -> None:
    """R46."""
    registry, watched, _ = made(keep=3)
    for number in range(20):
        registry.publish(Links(link(number)))
    for number in range(20):
        assert registry.find_in(f"{number:08d}", f"d{number}") == link(number)
    for number in range(1_000, 2_000):
        assert registry.find(f"{number:08d}") is None
        assert registry.find_in(f"{number:08d}", f"d{number}") is None
    assert len(registry._known) <= 3
    assert len(registry._strangers) <= 24
    watched.asked.clear()
    registry.find_in("00000019", "d19")
    registry.find_in("00000019", "d19")
    assert len(watched.asked) == 1


def test_without_scanning_links_are_found_by_their_delivery_alone() -> None:
    """R46."""
    registry, watched, _ = made(scan=False)
    registry.publish(Links(link(1)))
    watched.asked.clear()
    assert registry.find("00000001") is None
    assert watched.asked == []
    assert registry.find_in("00000001", "d1") == link(1)


@pytest.mark.parametrize("error", [StoreError("down"), OSError(5, "x")])
def test_a_store_that_is_down_is_left_alone_and_what_is_known_goes_on(error: Exception) -> None:
    """R47."""
    registry, watched, clock = made(fresh_seconds=10, retry_seconds=5)
    registry.publish(Links(link(1), link(2)))
    assert registry.find_in("00000001", "d1") == link(1)
    watched.error = error
    watched.asked.clear()
    clock.now = 50
    for _ in range(10):
        assert registry.find_in("00000001", "d1") == link(1)
        with pytest.raises(StoreError):
            registry.find_in("00000002", "d2")
        with pytest.raises(StoreError):
            registry.find("00000002")
    assert len(watched.asked) == 1
    clock.now = 55
    with pytest.raises(type(error)):
        registry.find_in("00000002", "d2")
    assert len(watched.asked) == 2
    watched.error = None
    clock.now = 60
    assert registry.find_in("00000002", "d2") == link(2)
    assert registry.find("00000002") == link(2)


def test_anything_else_that_a_store_raises_comes_through() -> None:
    """R25, R47."""
    registry, watched, _ = made()
    watched.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        registry.find_in("00000001", "d1")


@pytest.mark.parametrize("key", ["", "0", "../../..", "0000000i", "00000000 ", "￿" * 8, "x" * 900])
def test_what_is_no_key_asks_nobody(key: str) -> None:
    """R46."""
    registry, watched, _ = made()
    assert registry.find(key) is None
    with pytest.raises(InvalidValue, match="no key"):
        registry.publish(Links(link(1), TrackedLink(key=key, delivery_id="d", id="3", url="https://a.example/")))
    assert watched.asked == []


def test_keys_and_ids_are_taken_once() -> None:
    """R46."""
    registry, _, _ = made()
    registry.publish(Links(link(1, "d")))
    for other, complaint in (
        (link(1, "d", url="https://other.example/"), "taken"),
        (link(1, "d", id="3"), "taken"),
        (link(2, "d", variant="B"), "links_before"),
    ):
        with pytest.raises(InvalidValue, match=complaint):
            registry.publish(Links(link(5, "d", id="9"), other))
        assert registry.find_in("00000005", "d") is None
    registry.publish(Links(link(2, "d", variant="B", id="3")))
    registry.publish(Links())


@pytest.mark.parametrize(
    "options",
    [
        {"keep": 0},
        {"keep": True},
        {"keep": 1.5},
        {"fresh_seconds": -1},
        {"unknown_seconds": "x"},
        {"retry_seconds": float("nan")},
        {"wait_seconds": -0.1},
        {"scan": "x"},
        {"scan": None},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    """R46."""
    with pytest.raises(InvalidOption, match=next(iter(options))):
        StoreRegistry(open_store("memory:"), **options)


def test_a_registry_needs_a_store_and_a_clock() -> None:
    """R46."""
    for store in (None, "sqlite:///x", 5, {}, type(open_store("memory:"))):
        with pytest.raises(InvalidValue, match="store must be a Store"):
            StoreRegistry(store)  # type: ignore[arg-type]
    for clock in (None, 5):
        with pytest.raises(InvalidValue, match="clock"):
            StoreRegistry(open_store("memory:"), clock=clock)  # type: ignore[arg-type]


def test_a_store_that_is_slow_is_not_waited_for_and_what_it_says_in_the_end_is_kept() -> None:
    """R47."""
    registry, watched, _ = made(wait_seconds=0.01, fresh_seconds=0, retry_seconds=0)
    may_answer, links = threading.Event(), watched.links
    registry.publish(Links(link(1), link(2)))
    watched.asked.clear()

    def slow(query: Query | None = None) -> Iterator[TrackedLink]:
        may_answer.wait(30)
        return links(query)

    watched.links = slow  # type: ignore[method-assign]
    with pytest.raises(StoreError, match=r"has not answered within 0\.01 seconds"):
        registry.find_in("00000001", "d1")
    # Nobody asks while an answer is awaited, and nobody waits.
    for _ in range(20):
        with pytest.raises(StoreError, match="still busy"):
            registry.find_in("00000002", "d2")
    assert watched.asked == []
    may_answer.set()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "msgtrack-store-of-links"]
    thread.join()
    assert watched.asked == [("d1",)]
    watched.error = StoreError("down")
    assert registry.find_in("00000001", "d1") == link(1)
    may_answer.clear()
    # What is in memory goes on while the store is slow, too.
    assert registry.find_in("00000001", "d1") == link(1)
    may_answer.set()


def test_a_store_that_has_answered_may_be_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """R47."""
    # A thread that lives on behind its answer, as each does for a moment.
    monkeypatch.setattr(threading.Thread, "is_alive", lambda _: True)
    registry, watched, _ = made()
    watched.store.put([link(1), link(2)])
    # The whole store, and then the delivery that the link turned out to be of.
    assert registry.find("00000001") == link(1)
    assert registry.find_in("00000002", "d2") == link(2)
    assert watched.asked == [None, ("d1",), ("d2",)]


def test_threads_that_miss_together_ask_once() -> None:
    """R46."""
    registry, watched, _ = made()
    registry.publish(Links(link(1)))
    watched.asked.clear()
    start = threading.Barrier(8)
    found: list[TrackedLink | None] = []

    def work() -> None:
        start.wait()
        found.append(registry.find_in("00000001", "d1"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [link(1)] * 8
    assert watched.asked == [("d1",)]
