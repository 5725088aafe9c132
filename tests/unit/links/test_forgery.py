"""Forgery, case by case: nothing but what was signed names a message, and a good link part still leads where it should.

What a forged URL comes to is asked of the redirect handler and of ``decide``, as a server and a log reader would.
"""

from __future__ import annotations

import functools
import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from attrs import field, frozen
from forgeries import (
    OTHER_SECRET,
    changed,
    of_version,
    rearranged,
    shifted,
    signed_by_others,
    spliced,
    with_the_same_key_id,
)

from msgtrack import Keyring, Policy, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.links import MemoryRegistry
from msgtrack.links.alphabet import decode_int, encode_int
from msgtrack.links.keyring import MAC_LENGTH
from msgtrack.redirect import RedirectHandler, Request

SECRET = "a secret that is long enough to sign with"
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
DESTINATION = "https://www.shop.example/Item/7?A=1&b=%2D#Top"
HTML = '<p><a href="https://www.shop.example/Item/7?A=1&amp;b=%2D#Top">Shop</a></p>'
STYLES = ("stateless", "registered")
BASES = ("https://t.example.com", "https://example.com/News/T")


@frozen(kw_only=True)
class World:
    """Whoever signs: secret, realm, delivery, variant; with the URLs that come of it."""

    style: str
    base: str = BASES[0]
    secret: str = SECRET
    realm: str = ""
    delivery_id: str = "4711"
    variant: str = ""
    message_id: str = "1234567"
    policy: Policy = field(factory=Policy)
    expires_at: datetime | None = None
    registry: MemoryRegistry = field(factory=MemoryRegistry, eq=False)
    tracker: Tracker = field(init=False, eq=False)
    click: str = field(init=False, eq=False)
    image: str = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        tracker = Tracker(
            base_url=self.base,
            keyring=Keyring.from_secrets(self.secret),
            registry=self.registry,
            link_style=self.style,
            realm=self.realm,
        )
        compiled = tracker.compile(
            html=HTML, delivery_id=self.delivery_id, variant=self.variant, expires_at=self.expires_at
        )
        self.registry.publish(compiled)
        html = compiled.render(message_id=self.message_id, policy=self.policy).html or ""
        click, image = [*re.findall(r'(?:href|src)="([^"]+)"', html), ""][:2]
        for name, value in (("tracker", tracker), ("click", click), ("image", image)):
            object.__setattr__(self, name, value)

    @property
    def link(self) -> str:
        return self.click.split("/")[-2]

    @property
    def message(self) -> str:
        return self.click.split("/")[-1]

    def url(self, link: str, message: str) -> str:
        return f"{self.base}/{link}/{message}"


@functools.cache
def world(style: str, base: str = BASES[0]) -> World:
    return World(style=style, base=base)


def named(tracker: Tracker, url: str) -> tuple[str | None, str | None]:
    """Whom the event of a click on ``url`` names, and where the click is sent; live and from a log alike."""
    event = decide(Hit(method="GET", url=url, received_at=AT), tracker).event
    outcome = RedirectHandler(tracker).handle(Request(method="GET", url=url, received_at=AT))
    assert outcome.hit is not None
    logged = decide(outcome.hit, tracker).event
    message_id = None if event is None else event.message_id
    assert message_id == (None if logged is None else logged.message_id)
    return message_id, dict(outcome.response.headers).get("location")


def names_nobody(tracker: Tracker, url: str) -> bool:
    """The short way, for the many."""
    event = decide(Hit(method="GET", url=url, received_at=AT), tracker).event
    return event is None or event.message_id is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("base", BASES)
def test_what_was_signed_is_believed(style: str, base: str) -> None:
    here = world(style, base)
    assert named(here.tracker, here.click) == ("1234567", DESTINATION)
    assert named(here.tracker, here.image)[0] == "1234567"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("base", BASES)
def test_every_change_of_one_character(style: str, base: str) -> None:
    """All places of the path, all characters; a change of case alone is damage that is undone."""
    here = world(style, base)
    start = len("https://") + len(base.split("/")[2])
    message_starts = here.click.rindex("/") + 1
    for url in (here.click, here.image):
        for place, character, forged in changed(url, start):
            assert names_nobody(here.tracker, forged), forged
            if url is here.click and place >= message_starts and character not in "/%":
                assert here.tracker.resolve(forged, at=AT).destination == DESTINATION, forged
            elif url is here.click and place < message_starts - 1:
                assert here.tracker.resolve(forged, at=AT).destination is None, forged


@pytest.mark.parametrize("style", STYLES)
def test_every_character_left_out_doubled_or_moved(style: str) -> None:
    here = world(style)
    for message in rearranged(here.message):
        assert names_nobody(here.tracker, here.url(here.link, message)), message
        assert here.tracker.resolve(here.url(here.link, message), at=AT).destination == DESTINATION


@pytest.mark.parametrize("style", STYLES)
def test_truncations_at_every_length(style: str) -> None:
    here = world(style)
    link_ends = here.click.rindex("/")
    for length in range(len(here.click)):
        message_id, location = named(here.tracker, here.click[:length])
        assert message_id is None
        assert (location == DESTINATION) == (length >= link_ends)
    for start in range(1, len(here.message) + 1):
        assert named(here.tracker, here.url(here.link, here.message[start:])) == (None, DESTINATION)
        assert names_nobody(here.tracker, here.url("1", here.message[start:]))
        assert names_nobody(here.tracker, here.url("1", here.message[: len(here.message) - start]))
    for start in range(1, len(here.link) + 1):
        assert named(here.tracker, here.url(here.link[start:], here.message))[0] is None


def _worlds(style: str, registry: MemoryRegistry) -> list[World]:
    """Worlds that differ in one thing each from the first; all registered links lie in one registry."""
    changes: list[dict[str, object]] = [
        {}, {"delivery_id": "4712"}, {"delivery_id": "b-4711"}, {"variant": "B"}, {"variant": "b"}, {"realm": "north"},
        {"realm": "north", "variant": "B"}, {"secret": OTHER_SECRET}, {"expires_at": AT + timedelta(days=9)},
    ]  # fmt: skip
    return [
        World(style=style, message_id=str(1_000_001 + number), registry=registry, **change)  # type: ignore[arg-type]
        for number, change in enumerate(changes)
    ]


@pytest.mark.parametrize("style", STYLES)
def test_every_link_part_with_every_message_part(style: str) -> None:
    """Within one delivery and variant any message part fits any link part, by design; across them none does."""
    worlds = _worlds(style, MemoryRegistry())
    for reader, link, message in itertools.product(worlds, repeat=3):
        message_id, location = named(reader.tracker, reader.url(link.link, message.message))
        signer = (reader.secret, reader.realm)
        believed = (message.secret, message.realm) == signer and (message.delivery_id, message.variant) == (
            link.delivery_id, link.variant,
        )  # fmt: skip
        believed = believed and (link.secret, link.realm) == signer
        if style == "stateless":
            assert (location == DESTINATION) == ((link.secret, link.realm) == signer)
        else:
            assert location == DESTINATION
        assert message_id == (message.message_id if believed else None)


@pytest.mark.parametrize("style", STYLES)
def test_opens_of_others_are_not_believed(style: str) -> None:
    worlds = _worlds(style, MemoryRegistry())
    for reader, message in itertools.product(worlds, repeat=2):
        trusted = (message.secret, message.realm) == (reader.secret, reader.realm)
        assert names_nobody(reader.tracker, reader.url("1", message.message)) != trusted


@pytest.mark.parametrize("style", STYLES)
def test_every_splice_of_two_message_parts(style: str) -> None:
    """The head of one and the tail of another, cut at all pairs of places in their first ids and at equal places throughout."""
    worlds = _worlds(style, MemoryRegistry())
    reader = worlds[0]
    valid = {one.message for one in worlds}
    for one, other in itertools.permutations((each.message for each in worlds), 2):
        for forged in spliced(one, other) - valid:
            assert names_nobody(reader.tracker, reader.url(reader.link, forged)), forged
            assert names_nobody(reader.tracker, reader.url("1", forged)), forged


def test_every_splice_of_two_signed_link_parts() -> None:
    worlds = _worlds("stateless", MemoryRegistry())
    valid = {one.link for one in worlds}
    for one, other in itertools.permutations(worlds, 2):
        hyphens = itertools.product(
            *([found.start() for found in re.finditer("-", each.link)] for each in (one, other))
        )
        cuts = {(place, place) for place in range(min(len(one.link), len(other.link)))} | set(hyphens)
        for left, right in cuts:
            forged = one.link[:left] + other.link[right:]
            if forged not in valid:
                assert worlds[0].tracker.resolve(one.url(forged, one.message), at=AT).destination is None, forged


@pytest.mark.parametrize("style", STYLES)
def test_a_part_does_not_pass_for_the_other(style: str) -> None:
    here = world(style)
    assert named(here.tracker, here.url(here.message, here.message)) == (None, None)
    assert named(here.tracker, here.url(here.message, here.link)) == (None, None)
    assert named(here.tracker, here.url(here.link, here.link)) == (None, DESTINATION)
    assert names_nobody(here.tracker, here.url("1", here.link))
    for url in (here.url(here.message, ""), here.click + "/" + here.message, here.url("1/" + here.link, here.message)):
        assert named(here.tracker, url)[0] is None


@pytest.mark.parametrize("style", STYLES)
def test_signatures_of_other_purposes_realms_and_secrets(style: str) -> None:
    """The same text, signed by every key that is not the one."""
    here = world(style)
    assert here.message == of_version(here.message, SECRET, "message", 0)
    for forged in signed_by_others(here.message, SECRET, "message"):
        assert named(here.tracker, here.url(here.link, forged)) == (None, DESTINATION)


@pytest.mark.parametrize("style", STYLES)
def test_another_secret_with_the_same_key_id_signs_nothing_of_ours(style: str) -> None:
    here = world(style)
    forger = World(style=style, secret=with_the_same_key_id(SECRET), registry=here.registry)
    assert forger.message[:3] == here.message[:3]
    assert named(here.tracker, here.url(here.link, forger.message)) == (None, DESTINATION)
    assert names_nobody(here.tracker, here.url("1", forger.message))
    if style == "stateless":
        assert named(here.tracker, forger.click) == (None, None)


@pytest.mark.parametrize("style", STYLES)
def test_every_other_head(style: str) -> None:
    """Version, key id, policy and flags: one bit or all of them, none changes under the same signature."""
    here = world(style)
    bits = decode_int(here.message[:3])
    for other in range(2**15):
        head = encode_int(other).rjust(3, "0")
        said = here.tracker.resolve(here.url("1", head + here.message[3:]))
        assert (said.message_id is not None) == (other == bits)
    if style == "stateless":
        bits = decode_int(here.link[:3])
        for bit in range(15):
            head = encode_int(bits ^ 1 << bit).rjust(3, "0")
            assert named(here.tracker, here.url(head + here.link[3:], here.message)) == (None, None)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_other_versions_are_refused_even_when_signed(style: str, version: int) -> None:
    """A reader that took a version it does not know for its own would let a forger choose the rules."""
    here = world(style)
    message = of_version(here.message, SECRET, "message", version)
    assert named(here.tracker, here.url(here.link, message)) == (None, DESTINATION)
    assert names_nobody(here.tracker, here.url("1", message))
    if style == "stateless":
        link = of_version(here.link, SECRET, "link", version)
        assert named(here.tracker, here.url(link, here.message)) == (None, None)


GAMES = (
    "1", "12", "2", "21", "0", "00", "01", "-", "--", "1-2", "-1", "1-", ".", "..", ".1", "..1", "a", "A", "a-", "a.b", "/", "a/b", "%2d",
    "3f", "c0ffee00-0000-4000-8000-00000000beef", "C0FFEE00-0000-4000-8000-00000000BEEF", "00000000-0000-0000-0000-000000000000",
    " ", "\u00e9", "e\u0301",
)  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_ids_that_look_like_separators_numbers_or_each_other(style: str) -> None:
    """Every pair of ids has a text of its own, and comes out as it went in; no two of them share a token."""
    seen: dict[str, tuple[str, str]] = {}
    registry = MemoryRegistry()
    tracker = Tracker(BASES[0], Keyring.from_secrets(SECRET), registry=registry, link_style=style)
    for delivery_id in GAMES:
        compiled = tracker.compile(html=HTML, delivery_id=delivery_id)
        registry.publish(compiled)
        for message_id in GAMES:
            click = (compiled.render(message_id=message_id).html or "").split('href="')[1].split('"')[0]
            said = tracker.resolve(click, at=AT)
            assert (said.delivery_id, said.message_id, said.repairs) == (delivery_id, message_id, ())
            text = click.split("/")[-1][:-MAC_LENGTH]
            assert seen.setdefault(text, (delivery_id, message_id)) == (delivery_id, message_id)
    assert len(seen) == len(GAMES) ** 2


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("ids", [("12", "3456789"), ("spring", "ann"), ("1", "1")])
def test_fields_moved_across_their_boundaries(style: str, ids: tuple[str, str]) -> None:
    """Each hyphen taken out and put everywhere else, taken away, and doubled; and the boundary to the signature moved."""
    here = World(style=style, delivery_id=ids[0], message_id=ids[1], variant="v-1", expires_at=AT + timedelta(days=9))
    for purpose, token in (("message", here.message), ("link", here.link)):
        for other in shifted(token):
            if purpose == "message":
                assert names_nobody(here.tracker, here.url(here.link, other)), other
                assert names_nobody(here.tracker, here.url("1", other)), other
            elif style == "stateless":
                assert here.tracker.resolve(here.url(other, here.message), at=AT).destination is None, other


@pytest.mark.parametrize("style", STYLES)
def test_a_pseudonym_or_a_silence_cannot_be_turned_into_a_name(style: str) -> None:
    """Policies travel in the token; the token of one policy cannot be given another."""
    registry = MemoryRegistry()
    full, quiet = (
        World(style=style, message_id=number, policy=Policy(clicks=consent, opens=consent), registry=registry)
        for number, consent in (("1", "identified"), ("2", "none"))
    )
    shadow = World(
        style=style, message_id="3", policy=Policy(clicks="pseudonymous", opens="pseudonymous"), registry=registry
    )
    assert named(full.tracker, full.click)[0] == "1"
    assert named(full.tracker, quiet.click) == (None, DESTINATION)
    assert (named(full.tracker, shadow.click)[0] or "").startswith("~")
    for other in (quiet, shadow):
        assert named(full.tracker, full.url(full.link, full.message[:3] + other.message[3:])) == (None, DESTINATION)
        assert (
            named(full.tracker, full.url(full.link, other.message[:-MAC_LENGTH] + full.message[-MAC_LENGTH:]))[0]
            is None
        )


@pytest.mark.parametrize("style", STYLES)
def test_an_expiry_cannot_be_moved(style: str) -> None:
    registry = MemoryRegistry()
    over = World(style=style, expires_at=AT - timedelta(days=1), registry=registry)
    assert named(over.tracker, over.click) == (None, None)
    endless = World(style=style, message_id="7", registry=MemoryRegistry())
    assert named(over.tracker, over.url(over.link, endless.message))[0] is None, "the link has an end of its own"
