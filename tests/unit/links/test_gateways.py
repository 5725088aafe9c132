"""Tracked URLs survive what gateways do to them: every damage, both link styles, any base; and the page that says so."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.links import MemoryRegistry
from msgtrack.links.repair import MAX_LENGTH, REPAIRS, canonical_path
from msgtrack.model import LinkType, ResolutionOutcome
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.testing import gateways
from msgtrack.testing.gateways import DAMAGES, Damage

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
DESTINATION = "https://www.shop.example/Item/7?A=1&b=%2D#Top"
HTML = '<p><a href="https://www.shop.example/Item/7?A=1&amp;b=%2D#Top">Shop</a></p>'
BASES = (
    "https://t.example.com",
    "https://example.com/News/T",
    "http://127.0.0.1:8000",
    "https://www.news.example/a/b.c/",
)
IDS = (("4711", "1234567"), ("spring-26", "ann@mail.example"), ("c0ffee00-0000-4000-8000-00000000beef", "0"))


def _mail(style: str, base: str, delivery_id: str, message_id: str, variant: str = "") -> tuple[Tracker, str, str]:
    """A tracker, and the URLs of a click and of an open."""
    registry = MemoryRegistry()
    tracker = Tracker(base_url=base, keyring=KEYS, registry=registry, link_style=style)
    compiled = tracker.compile(html=HTML, delivery_id=delivery_id, variant=variant)
    registry.publish(compiled)
    html = compiled.render(message_id=message_id).html or ""
    click, image = re.findall(r'(?:href|src)="([^"]+)"', html)
    return tracker, click, image


@pytest.mark.parametrize("style", ["stateless", "registered"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_every_link_and_open_survives_every_damage(damage: Damage, style: str) -> None:
    for base in BASES:
        for delivery_id, message_id in IDS:
            tracker, click, image = _mail(style, base, delivery_id, message_id, "B")
            clicked, opened = tracker.resolve(damage(click), at=AT), tracker.resolve(damage(image), at=AT)
            for said in (clicked, opened):
                assert (said.outcome, said.delivery_id, said.message_id, said.variant) == (
                    ResolutionOutcome.VALID, delivery_id, message_id, "B",
                )  # fmt: skip
                if base == BASES[0]:
                    assert set(said.repairs) == set(damage.repairs)
            assert clicked.destination == DESTINATION
            assert opened.link_type is LinkType.OPEN


@pytest.mark.parametrize("style", ["stateless", "registered"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_server_that_sees_the_path_alone_reads_the_same(damage: Damage, style: str) -> None:
    """What arrives at our server has lost scheme and host, where it had them; wrapped links arrive at others."""
    for base in BASES:
        tracker, click, _ = _mail(style, base, "4711", "1234567")
        damaged = damage(click)
        if not damaged.startswith(base) or "\n" in damaged[: len(base)]:
            continue
        path = damaged[len("://") + damaged.index("://") + len(urlsplit(base).netloc) :]
        said = tracker.resolve(path, at=AT)
        assert (said.message_id, said.destination) == ("1234567", DESTINATION)


@pytest.mark.parametrize("style", ["stateless", "registered"])
def test_a_link_without_identity_survives_too(style: str) -> None:
    for base in BASES:
        tracker, click, _ = _mail(style, base, "4711", "1234567")
        alone = click[: click.rindex("/")]
        for damage in DAMAGES:
            said = tracker.resolve(damage(alone), at=AT)
            assert (said.outcome, said.destination) == (ResolutionOutcome.ANONYMOUS, DESTINATION), damage.name


OTHER_WAYS = (
    {"link_style": "registered", "url_format": "campaign"},
    {"link_style": "registered", "conceal_ids": True},
    {"link_style": "stateless", "conceal_ids": True},
)


@pytest.mark.parametrize("options", OTHER_WAYS, ids=str)
def test_other_ways_to_write_them_survive_too(options: dict[str, Any]) -> None:
    registry = MemoryRegistry()
    tracker = Tracker(base_url=BASES[1], keyring=KEYS, registry=registry, **options)
    compiled = tracker.compile(html=HTML, delivery_id="4711")
    registry.publish(compiled)
    for written in re.findall(r'(?:href|src)="([^"]+)"', compiled.render(message_id="1234567").html or ""):
        for damage in DAMAGES:
            said = tracker.resolve(damage(unescape(written)), at=AT)
            assert (said.outcome, said.message_id) == (ResolutionOutcome.VALID, "1234567"), damage.name


@pytest.mark.parametrize("style", ["stateless", "registered"])
def test_two_damages_at_once_never_name_another_message(style: str) -> None:
    """Most pairs are undone as well; those that are not lose the name or the link, and never mislead."""
    tracker, click, _ = _mail(style, BASES[1], "4711", "1234567")
    undone = 0
    for first in DAMAGES:
        for second in DAMAGES:
            said = tracker.resolve(second(first(click)), at=AT)
            assert said.message_id in ("1234567", None)
            assert said.destination in (DESTINATION, None)
            undone += said.message_id is not None
    assert undone > 0.8 * len(DAMAGES) ** 2


def test_a_damaged_click_redirects_and_is_logged_with_its_repairs_undone() -> None:
    tracker, click, _ = _mail("registered", BASES[0], "4711", "1234567")
    handler = RedirectHandler(tracker)
    for name in ("upper-case-path", "trailing-bracket", "appended-parameter", "line-break-encoded"):
        outcome = handler.handle(Request(method="GET", url=gateways.by_name(name)(click), received_at=AT))
        assert outcome.reason == "click"
        assert ("location", DESTINATION) in outcome.response.headers


def test_names_are_said_once_and_repairs_are_known() -> None:
    names = [damage.name for damage in DAMAGES]
    assert len(set(names)) == len(names)
    used = {repair for damage in DAMAGES for repair in damage.repairs}
    assert used == set(REPAIRS), "every repair answers to a damage, and the other way round"
    with pytest.raises(KeyError):
        gateways.by_name("no-such-damage")


@given(st.sampled_from(DAMAGES), st.sampled_from(DAMAGES), st.text(max_size=60))
@example(gateways.by_name("quoted-printable"), gateways.by_name("upper-case-path"), "[")
@example(gateways.by_name("upper-case-path"), gateways.by_name("upper-case-path"), "\ud800[")
def test_no_text_breaks_the_reading(first: Damage, second: Damage, tail: str) -> None:
    path, repairs = canonical_path(second(first("https://t.example.com/a/b" + tail)))
    assert len(path) <= MAX_LENGTH
    assert len(set(repairs)) == len(repairs)
    assert set(repairs) <= set(REPAIRS)


@given(st.sampled_from(DAMAGES), st.one_of(st.text(st.characters()), st.text("ab:/?#[]@%=. \n", max_size=30)))
@example(gateways.by_name("upper-case-path"), "https://[")
@example(gateways.by_name("double-percent-encoding"), "//]a")
@example(gateways.by_name("whole-url-encoded"), "\ud800")
def test_a_damage_takes_any_text(damage: Damage, text: str) -> None:
    assert isinstance(damage(text), str)


ALIEN = "https://check.example/?url=https%3A%2F%2Fother.example%2Fa%2Fb"


@pytest.mark.parametrize(
    "url",
    [ALIEN, "https://check.example/v2/url?u=https-3A__other.example_a&d=x", "https://check.example/v2/url?u=https-3", "https://x/__https://__;",
     "?url=", "https://", "://", "&#99999999;&#x110000;", "=?utf-8?q?a?=", "%", "%%%", "https://a.example/https:/", "\ud800/%ff"],
)  # fmt: skip
def test_what_is_not_ours_stays_unknown(url: str) -> None:
    tracker, _, _ = _mail("stateless", BASES[0], "4711", "1234567")
    assert tracker.resolve(url, at=AT).outcome is ResolutionOutcome.UNKNOWN


PIECES = (
    "=", "=\r", "= ", "=3D", "%", "%25", "%2525", "&", "&#", "&#x", "&amp;", "&#38;#38;", " ", "\u200b", "<", '3D"', "?u=https-3A_", "?u=",
    "-3A", "https://", "https:/", "https://a/", "https://a/bbbbbbbb/", "/", "//", "a/", "a.", "..", ".", "_", "A", "a-", "\u00e9", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    """Each is the worst case of some pattern. Twice the work for twice the text would be 16 times here; squares give 256."""

    def seconds(size: int) -> float:
        text = "/" + piece * (size // len(piece)) + "!"
        best = 1.0
        for _ in range(5):
            start = time.process_time()
            canonical_path(text)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(MAX_LENGTH) < 100 * max(seconds(MAX_LENGTH // 16), 1e-4)


EXAMPLE = "https://t.example.com/yg57fgbv/6404k7-15nm74jhsv42fqb7fhtmc"


INTRODUCTION = """\
# What gateways do to links

Mail gateways, mail clients and people damage links on their way. A tracked URL in the `compact` format survives every damage of the
first table, with its link and with the message it names. The second table says why each repair is safe. There is one reading of a URL,
nothing is tried out: after the repairs the signature must hold as ever, so a repair can lose a reaction and never invent one.

The tables are made from `msgtrack.testing.gateways` and `msgtrack.links.repair`, and a test holds them to that. The names of the repairs
that were made are in `Resolution.repairs`. The URL is `{example}`, a registered link.

## Damages

| Damage | What happens | The URL afterwards | Undone by |
| --- | --- | --- | --- |
"""
REASONS = """
## Repairs

In the order they are tried.

| Repair | Reason |
| --- | --- |
"""
VALUES = """
## Values of personalised links

In the `compact` format they survive every damage of the first table. In the `campaign` format they are text that anybody can
read, and text has a case: after {losing}
such a link still redirects, with its values empty, and names nobody.
"""
LIMITS = """
## Limits

Of a longer URL the first {longest:,} characters are read. Escapes are undone up to three deep. A service that keeps the original to itself,
behind a key of its own, leaves nothing to read. Two damages at once are mostly undone; where they are not, the link leads nowhere or
names nobody.
"""


def _losing() -> list[str]:
    """The damages after which a personalised link of the campaign format names nobody; it redirects after every one."""
    tracker = Tracker(BASES[0], KEYS, registry=MemoryRegistry(), link_style="registered", url_format="campaign")
    compiled = tracker.compile(
        html='<a href="https://shop.example/?name={{ name }}">x</a>', delivery_id="4711", syntax="jinja"
    )
    tracker.registry.publish(compiled)  # type: ignore[union-attr]
    html = compiled.render(message_id="7", values={"name": "Zo\u00eb & O'Hara-9"}).html or ""
    said = {damage.name: tracker.resolve(damage(html.split('"')[1])) for damage in DAMAGES}
    assert all(one.destination for one in said.values())
    return [name for name, one in said.items() if one.message_id is None]


def _page() -> str:
    page = INTRODUCTION.format(example=EXAMPLE)
    for damage, damaged in gateways.table(EXAMPLE):
        undone = ", ".join(damage.repairs) or "nothing to undo"
        page += f"| {damage.name} | {damage.sentence} | `` {damaged} `` | {undone} |\n"
    page += REASONS + "".join(f"| {name} | {reason} |\n" for name, reason in REPAIRS.items())
    losing = _losing()
    page += VALUES.format(losing=f"{', '.join(losing[:-1])} and {losing[-1]}")
    return page + LIMITS.format(longest=MAX_LENGTH)


def test_the_page_says_what_the_code_does(root: Path, request: pytest.FixtureRequest) -> None:
    """To write the page anew, delete it and run this test."""
    page = root / "docs" / "spec" / "gateway-damage.md"
    if not page.exists():
        page.write_text(_page(), encoding="utf-8")
        pytest.fail(f"{page.name} was written anew; look at it, and run again")
    assert page.read_text(encoding="utf-8") == _page()
