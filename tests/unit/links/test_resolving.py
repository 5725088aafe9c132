"""Reading tracked URLs the short way says what the long way says, and remembers only what it checked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack import Keyring, TrackedLink, Tracker
from msgtrack._trusted import trusted
from msgtrack.links import MemoryRegistry, resolving
from msgtrack.links.formats import CompactFormat, ParsedUrl
from msgtrack.model import Policy, Resolution

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
BASES = ("https://t.example.com", "https://example.com/t", "https://example.com/News/T", "http://h/a.b/c-d/e_f")
segments = st.sampled_from(
    ["t", "T", "news", "a.b", "ab", "c-d", "a", "1", "u", "x" * 8, "abc-", ".", "-", "", "e_f", "%41", "0z"]
)
urls = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(["", "/", "//", "https://h/", "HTTP://h:1/", "https:///", "x://", "https://h?/", "a:/"]),
    st.lists(segments, max_size=6),
    st.sampled_from(["", "/", "//", ".", ")", "?a", "#", "\n", " "]),
)


class LongWay(CompactFormat):
    """The format without its short cut."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self._undamaged = lambda url: None


@given(st.sampled_from(BASES), urls)
@example("https://example.com/t", "/t/x")
@example("https://example.com/t", "/t/t/x")
@example("https://example.com/t", "/tt/x")
@example("https://t.example.com", "/a/b\n")
def test_the_short_way_reads_what_the_long_way_reads(base: str, url: str) -> None:
    assert CompactFormat(base).parse(url) == LongWay(base).parse(url)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("text", ["-", ".", "a", "/", "a/", "a.", "a-/"])
def test_long_urls_take_the_time_of_their_length(base: str, text: str) -> None:
    for start in ("/a/", "/", "https://h/", base + "/"):
        CompactFormat(base).parse(start + text * (16_000 // len(text)) + "!")


def _registered() -> tuple[Tracker, MemoryRegistry, str]:
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    compiled = tracker.compile(html='<a href="https://shop.example/">Shop</a>', delivery_id="1")
    registry.publish(compiled)
    (url, _) = re.findall(r"https://t[^\"]+", compiled.render(message_id="7").html or "")
    return tracker, registry, url


class Fixed:
    """A registry that says one thing to everybody."""

    def __init__(self, link: Any) -> None:
        self.link = link

    def publish(self, compiled: object) -> None:
        """Nothing is kept."""

    def find(self, key: str) -> Any:
        return self.link


def test_a_link_that_was_checked_is_not_taken_for_another() -> None:
    """What a registry gives later under the same key is checked anew."""
    tracker, registry, url = _registered()
    key = url.split("/")[3]
    link = registry.find(key)
    assert link is not None
    assert tracker.resolve(url).message_id == "7"
    assert tracker.resolve(url).message_id == "7"
    for change in (
        {"url": "https://evil.example/"},
        {"id": "3"},
        {"delivery_id": "2"},
        {"variant": "B"},
        {"key": "00000000"},
    ):
        tracker.registry = Fixed(attrs.evolve(link, **change))
        assert tracker.resolve(url).message_id is None, change
    tracker.registry = Fixed(link)
    assert tracker.resolve(url).message_id == "7"
    other = url.replace(key, "00000000")
    assert tracker.resolve(other).message_id is None


def test_a_link_that_can_change_is_never_remembered() -> None:
    tracker, registry, url = _registered()
    link = registry.find(url.split("/")[3])

    class Loose(TrackedLink):
        """A subclass with a dictionary of its own."""

    loose = Loose(**attrs.asdict(link, recurse=False))  # type: ignore[arg-type]
    tracker.registry = Fixed(loose)
    assert tracker.resolve(url).message_id == "7"
    object.__setattr__(loose, "url", "https://evil.example/")
    assert tracker.resolve(url).message_id is None


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_MAX_KNOWN", 3)
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    html = "".join(f'<a href="https://shop.example/{number}">Shop</a>' for number in range(10))
    compiled = tracker.compile(html=html, delivery_id="1")
    registry.publish(compiled)
    found = re.findall(r"https://t[^\"]+", compiled.render(message_id="7").html or "")
    for url in (*found, *reversed(found)):
        assert tracker.resolve(url).message_id == "7"
    assert len(tracker._reader._own) <= 3


@attrs.frozen(kw_only=True, weakref_slot=False)
class Sample:
    """A value with a converter, a default and a factory."""

    number: int = attrs.field(converter=int)
    text: str = "a"
    policy: Policy = attrs.field(factory=Policy)


def test_a_trusted_value_is_like_any_other() -> None:
    make = trusted(Sample)
    made = make(5)
    assert made == Sample(number=5) == make(number=5, text="a", policy=Policy())
    assert type(made) is Sample
    assert hash(made) == hash(Sample(number=5))
    assert repr(made) == repr(Sample(number=5))
    assert make("5") != made
    assert trusted(Sample, text="b")(5).text == "b"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.text = "b"  # type: ignore[misc]
    for cls in (Resolution, ParsedUrl):
        assert "__weakref__" not in cls.__slots__


def test_a_resolution_made_by_hand_is_equal() -> None:
    tracker, _, url = _registered()
    said = tracker.resolve(url, at=datetime(2026, 3, 1, tzinfo=UTC))
    by_hand = Resolution(
        outcome="valid",
        destination="https://shop.example/",
        delivery_id="1",
        message_id="7",
        link_id="2",
        link_type="click",
    )
    assert (said, hash(said), repr(said)) == (by_hand, hash(by_hand), repr(by_hand))
    assert attrs.evolve(said, message_id="8") == attrs.evolve(by_hand, message_id=8)
