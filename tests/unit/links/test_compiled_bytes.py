"""Compiled messages as bytes: the same message comes back, and nothing but what was written is believed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Rule, Tracker
from msgtrack.errors import InvalidOption, InvalidValue, MsgtrackError, NotOurs, NotPublished, RenderError
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.links.compiled_bytes import VERSION

SECRET, OTHER = "s" * 32, "t" * 32
KEYS = Keyring.from_secrets(SECRET)
BASE = "https://t.example.com"
TRACKER = Tracker(BASE, KEYS)
HTML = (
    '<p>Grüße <a href="https://shop.example/?a=1&amp;b=2" _label="Shop">Shop</a> <a href="mailto:a@b.example">mail</a>\r\n'
    '<a href="https://{{ host }}/">https://x.example</a> \ud800 <a clicktracking="off" href="https://no.example/">no</a></body>'
)
TEXT = "see (https://shop.example/a) 'n more"
SHOWN = ("delivery_id", "variant", "kind", "links", "decisions", "findings", "edits", "placeholders", "parts")


def make(tracker: Tracker = TRACKER, **options: object) -> CompiledMessage:
    settings: dict[str, object] = {"html": HTML, "text": TEXT, "delivery_id": "1", **options}
    return tracker.compile(**settings)  # type: ignore[arg-type]


def same(first: CompiledMessage, second: CompiledMessage) -> bool:
    return all(getattr(first, name) == getattr(second, name) for name in SHOWN)


@pytest.mark.parametrize("style", ["stateless", "registered"])
@pytest.mark.parametrize("conceal", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"variant": "B", "kind": "proof"},
        {"pixel": "none"},
        {"html": None},
        {"text": None, "html": "no link"},
        {"rules": LinkRules(rules=(Rule(host="shop.example", category="x"),))},
    ],
)
def test_what_comes_back_is_what_was_written(style: str, conceal: bool, options: dict[str, object]) -> None:
    registry = MemoryRegistry()
    tracker = Tracker(BASE, KEYS, registry, link_style=style, conceal_ids=conceal)
    compiled = make(tracker, **options)
    registry.publish(compiled)
    read = tracker.load(compiled.to_bytes())
    assert same(read, compiled)
    for message in ({}, {"seed": True}, {"policy": Policy(opens="none")}, {"policy": Policy(clicks="aggregate")}):
        rendered = compiled.render(message_id="7", **message)  # type: ignore[arg-type]
        assert read.render(message_id="7", **message) == rendered  # type: ignore[arg-type]
        for part, text in zip(compiled.parts, filter(None, (rendered.html, rendered.text)), strict=True):
            assert read.restore(text) == part.source
    assert read.to_bytes() == compiled.to_bytes()


def test_campaign_links_come_back_too() -> None:
    registry = MemoryRegistry()
    tracker = Tracker(BASE, KEYS, registry, link_style="registered", url_format="campaign")
    compiled = make(tracker)
    registry.publish(compiled)
    read = tracker.load(compiled.to_bytes())
    assert read.render(message_id=8) == compiled.render(message_id=8)
    with pytest.raises(InvalidOption, match="URLs"):
        Tracker(BASE, KEYS, registry, link_style="registered").load(compiled.to_bytes())


def test_without_a_tracker_it_can_be_looked_at_only() -> None:
    compiled = make()
    read = CompiledMessage.from_bytes(compiled.to_bytes())
    assert same(read, compiled)
    for call in (lambda: read.render(message_id="1"), lambda: read.restore("x"), read.to_bytes):
        with pytest.raises(RenderError, match="without keys"):
            call()


def test_keys_are_not_in_the_bytes() -> None:
    data = make().to_bytes()
    plain = zlib.decompress(data[38:])
    for part in (data, plain):
        assert SECRET.encode() not in part
        assert KEYS.signing_key("message").key not in part


def test_registered_links_must_be_published_where_it_is_read() -> None:
    data = make(Tracker(BASE, KEYS, MemoryRegistry(), link_style="registered")).to_bytes()
    with pytest.raises(InvalidOption, match="registry"):
        Tracker(BASE, KEYS).load(data)
    read = Tracker(BASE, KEYS, MemoryRegistry()).load(data)
    with pytest.raises(NotPublished):
        read.render(message_id="1")


def test_keys_may_rotate_in_between() -> None:
    compiled = make()
    rotated = Tracker(BASE, Keyring.from_secrets(OTHER, verify_only=[SECRET]))
    read = rotated.load(compiled.to_bytes())
    text = read.render(message_id="5").text or ""
    assert read.restore(text) == TEXT
    url = text.partition("(")[2].partition(")")[0]
    assert rotated.resolve(url).message_id == "5"
    assert TRACKER.resolve(url).message_id is None


@pytest.mark.parametrize(
    "tracker",
    [Tracker(BASE, Keyring.from_secrets(OTHER)), Tracker(BASE, KEYS, realm="another")],
    ids=["other keys", "other realm"],
)
def test_strangers_are_refused(tracker: Tracker) -> None:
    with pytest.raises(NotOurs, match="keys and realm"):
        tracker.load(make().to_bytes())


def test_another_base_is_refused() -> None:
    with pytest.raises(InvalidOption, match=r"other\.example"):
        Tracker("https://other.example", KEYS).load(make().to_bytes())


def test_every_changed_byte_is_noticed() -> None:
    data = make(html=None, text="https://a.example/").to_bytes()
    for place in range(len(data)):
        changed = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        with pytest.raises((InvalidValue, NotOurs)):
            TRACKER.load(changed)


def test_another_version_is_refused_by_name() -> None:
    data = bytearray(make().to_bytes())
    data[4] = VERSION + 1
    with pytest.raises(InvalidValue, match=r"version 2.*upgrade"):
        CompiledMessage.from_bytes(bytes(data))


@pytest.mark.parametrize("data", [b"", b"mtcm", b"\x80\x04K\x01.", "text", None, b"mtcm\x01\x00" + bytes(32)])
def test_what_is_no_compiled_message_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        CompiledMessage.from_bytes(data)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"1", b"nul", b'{"delivery_id":1}', b"[" * 100_000, b'{"delivery_id":"1","links":[{}]}', b"\xff"],
)
def test_hostile_text_inside_gives_our_error(body: bytes) -> None:
    for data in (zlib.compress(body), zlib.compress(body)[:-1], zlib.compress(body) + b"x"):
        with pytest.raises(InvalidValue, match="damaged"):
            CompiledMessage.from_bytes(b"mtcm\x01\x00" + bytes(32) + data)


@given(st.binary(max_size=120))
def test_any_bytes_give_a_message_or_our_error(data: bytes) -> None:
    for start in (b"", b"mtcm\x01\x00"):
        for call in (CompiledMessage.from_bytes, TRACKER.load):
            with pytest.raises(MsgtrackError):
                call(start + data)


@given(st.text(st.characters(), max_size=80), st.text(max_size=80))
def test_any_message_comes_back(html: str, text: str) -> None:
    compiled = make(html=html, text=text)
    read = TRACKER.load(compiled.to_bytes())
    assert same(read, compiled)
    assert read.render(message_id="1") == compiled.render(message_id="1")
