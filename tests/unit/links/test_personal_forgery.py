"""Values that nobody signed are never attributed; a good link part redirects all the same, its values empty and nameless.

And what gateways do to personalised links: in the compact format nothing is lost.
"""

from __future__ import annotations

import functools
import itertools
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from attrs import field, frozen

from msgtrack import Keyring, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.links.alphabet import ALPHABET, encode_bytes
from msgtrack.links.keyring import MAC_LENGTH
from msgtrack.links.personal import PARTING
from msgtrack.model import ResolutionOutcome
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.testing.gateways import DAMAGES, Damage, by_name

SECRET = "a secret that is long enough to sign with"
OTHER_SECRET = "another secret that is long enough to sign"
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
HTML = (
    '<a href="https://shop.example/{{ a }}?x={{ b }}">one</a><a href="https://shop.example/two/{{ a }}?x={{ b }}">two</a>'
    '<a href="https://plain.example/">plain</a><a href="https://shop.example/?one={{ a }}">three</a>'
)
VALUES = {"a": "Zoë-9", "b": "& Co"}
FULL = "https://shop.example/Zo%C3%AB-9?x=%26%20Co"
EMPTY = "https://shop.example/?x="
WAYS: dict[str, dict[str, Any]] = {
    "stateless": {},
    "registered": {"link_style": "registered"},
    "concealed": {"conceal_ids": True},
    "campaign": {"link_style": "registered", "url_format": "campaign"},
}
COMPACT = ("stateless", "registered", "concealed")


@frozen(kw_only=True)
class World:
    """Whoever signs, and the URLs of the four links of one message."""

    way: str
    secret: str = SECRET
    realm: str = ""
    delivery_id: str = "4711"
    variant: str = ""
    message_id: str = "1234567"
    values: dict[str, str] = field(factory=lambda: VALUES)
    registry: MemoryRegistry = field(factory=MemoryRegistry, eq=False)
    tracker: Tracker = field(init=False, eq=False)
    compiled: CompiledMessage = field(init=False, eq=False)
    urls: tuple[str, ...] = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        tracker = Tracker(
            "https://t.example.com",
            Keyring.from_secrets(self.secret),
            registry=self.registry,
            realm=self.realm,
            **WAYS[self.way],
        )
        compiled = tracker.compile(html=HTML, delivery_id=self.delivery_id, variant=self.variant, syntax="jinja")
        self.registry.publish(compiled)
        html = compiled.render(message_id=self.message_id, values=self.values).html or ""
        urls = tuple(unescape(url) for url in re.findall(r'href="([^"]+)"', html))
        for name, value in (("tracker", tracker), ("compiled", compiled), ("urls", urls)):
            object.__setattr__(self, name, value)

    def parts(self, place: int) -> tuple[str, str, str]:
        """Link part, message part and what it carries, of a compact URL."""
        link, token = self.urls[place].split("/")[-2:]
        message, _, tail = token.partition(PARTING)
        return link, message, tail


@functools.cache
def world(way: str) -> World:
    return World(way=way)


def named(tracker: Tracker, url: str) -> tuple[str | None, str | None]:
    """Whom a click on ``url`` names, and where it is sent: by the event, the redirect and the log alike."""
    event = decide(Hit(method="GET", url=url, received_at=AT), tracker).event
    outcome = RedirectHandler(tracker).handle(Request(method="GET", url=url, received_at=AT))
    message_id = None if event is None else event.message_id
    assert outcome.hit is not None
    logged = decide(outcome.hit, tracker).event
    assert message_id == (None if logged is None else logged.message_id)
    return message_id, dict(outcome.response.headers).get("location")


def safe(tracker: Tracker, url: str, *honest: tuple[str, str]) -> str | None:
    """Where a forged URL leads; if it names anybody, then only as one of the ``honest`` pairs of name and destination."""
    said = tracker.resolve(url, at=AT)
    if said.message_id is not None:
        assert (said.message_id, said.destination) in honest, url
    return said.destination


def honest_pairs(here: World) -> list[tuple[str, str]]:
    return [(here.message_id, here.tracker.resolve(url).destination or "") for url in here.urls]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_signed_is_believed(way: str) -> None:
    here = world(way)
    assert named(here.tracker, here.urls[0]) == ("1234567", FULL)
    assert named(here.tracker, here.urls[2]) == ("1234567", "https://plain.example/")


@pytest.mark.parametrize("way", COMPACT)
def test_every_change_of_one_character_behind_the_link(way: str) -> None:
    """Changed, left out, doubled or put in: the values are empty, nobody is named, and the link still leads on."""
    here = world(way)
    url = here.urls[0]
    start = url.rindex("/") + 1
    letters = ALPHABET + "-._~ilou\u00e9"
    forged = {url[:at] + letter + url[at + 1 :] for at in range(start, len(url)) for letter in letters}
    forged |= {url[:at] + letter + url[at:] for at in range(start, len(url)) for letter in ALPHABET + "-."}
    forged |= {url[:at] + url[at + 1 :] for at in range(start, len(url))}
    forged |= {url[:at] for at in range(start, len(url))}
    forged |= {url + letter for letter in ALPHABET}
    forged.discard(url)
    for each in forged:
        assert safe(here.tracker, each) == EMPTY, each
    for each in sorted(forged)[::97]:
        assert named(here.tracker, each) == (None, EMPTY)


def test_every_change_of_one_character_of_a_campaign_url() -> None:
    """What changes the values, or the signature over them, changes whom it names: nobody."""
    here = world("campaign")
    url = here.urls[0]
    honest = honest_pairs(here)
    start, shown = url.index("id=") + 3, url.index("&p1=")
    characters = "0123456789abcdefghjkmnpqrstvwxyzXZ-._~%&=+;#, /'\u00e9"
    named_still = 0
    for at in range(start, len(url)):
        for character in characters:
            if character == url[at]:
                continue
            each = url[:at] + character + url[at + 1 :]
            found = here.tracker.resolve(each, at=AT)
            if found.message_id is not None:
                # A spelling of the same values: %C3 and %c3, or a name in another case.
                assert (found.message_id, found.destination) == honest[0], each
                named_still += 1
            elif at < shown or url[at:].startswith("&s") or at > url.index("&s=") + 2 + 8:
                assert found.destination in (EMPTY, None), each
        for each in (url[:at] + url[at + 1 :], url[:at] + url[at] + url[at:], url[:at]):
            safe(here.tracker, each, honest[0])
    assert named_still < 40
    for value in ("p1=x", "p1=", "p2=x", "p3=x", "p1=Zo%C3%AB-9&p1=x", "p1=x&p1=Zo%C3%AB-9", "p01=x", "p1[]=x"):
        safe(here.tracker, url.replace("p1=Zo%C3%AB-9", value), honest[0])
        safe(here.tracker, url + "&" + value, honest[0])
        safe(here.tracker, url.replace("?id", f"?{value}&id"), honest[0])


def _others(way: str, registry: MemoryRegistry) -> list[World]:
    """Worlds that differ from the first in one thing each."""
    changes: list[dict[str, Any]] = [
        {}, {"message_id": "1234568"}, {"values": {"a": "eve", "b": "& Co"}}, {"values": {"a": "", "b": ""}},
        {"values": {"a": "Zoë", "b": "-9& Co"}}, {"delivery_id": "4712"}, {"variant": "B"}, {"realm": "north"}, {"secret": OTHER_SECRET},
    ]  # fmt: skip
    return [World(way=way, registry=registry, **change) for change in changes]


@pytest.mark.parametrize("way", COMPACT)
def test_splices_across_messages_links_deliveries_realms_and_variants(way: str) -> None:
    """Link part, message part and values of any two or three of them, over all four links."""
    worlds = _others(way, MemoryRegistry())
    here = worlds[0]
    honest = {url: named(one.tracker, url) for one in worlds for url in one.urls}
    own = {(one.secret, one.realm): set() for one in worlds}
    for one in worlds:
        own[one.secret, one.realm] |= {named(one.tracker, url) for url in one.urls}
    believed = own[SECRET, ""]
    parts = [(one, place, one.parts(place)) for one in worlds for place in range(4)]
    links = {part[0] for _, _, part in parts}
    messages = {part[1] for _, _, part in parts}
    tails = {part[2] for _, _, part in parts}
    for link, message, tail in itertools.product(links, messages, tails):
        url = f"https://t.example.com/{link}/{message}{PARTING * bool(tail)}{tail}"
        said = here.tracker.resolve(url, at=AT)
        if said.message_id is None:
            continue
        assert (said.message_id, said.destination) in believed, url
        if tail:
            assert url in honest, "values fit the message and the link that they were signed with, and no other"
        else:
            assert said.destination == "https://plain.example/", "a link that needs values names nobody without"


def test_splices_in_the_campaign_format() -> None:
    worlds = _others("campaign", MemoryRegistry())
    here = worlds[0]
    pieces = []
    for one in worlds:
        for url in one.urls:
            found = re.fullmatch(r"(.*\?)(id=[^&]*)((?:&p\d=[^&]*)*)&s=(.{8})(.*?)(.{16})(.{16})?", url)
            assert found is not None
            pieces.append((url, found))
    believed = {named(here.tracker, url) for one in worlds[:7] for url in one.urls}
    for (_, one), (_, other) in itertools.permutations(pieces, 2):
        for mixed in (
            f"{one[1]}{one[2]}{other[3]}&s={one[4]}{one[5]}{one[6]}{one[7] or ''}",
            f"{one[1]}{one[2]}{other[3]}&s={one[4]}{one[5]}{one[6]}{other[7] or ''}",
            f"{one[1]}{other[2]}{one[3]}&s={one[4]}{one[5]}{one[6]}{one[7] or ''}",
            f"{one[1]}{one[2]}{one[3]}&s={one[4]}{one[5]}{one[6]}",
            f"{one[1]}{one[2]}&s={one[4]}{one[5]}{one[6]}{one[7] or ''}",
            f"{one[1]}{one[2]}{one[3]}&s={other[4]}{one[5]}{one[6]}{one[7] or ''}",
        ):
            said = here.tracker.resolve(mixed, at=AT)
            if said.message_id is not None:
                assert (said.message_id, said.destination) in believed, mixed


@pytest.mark.parametrize("way", COMPACT)
def test_signatures_of_other_keys_purposes_and_texts(way: str) -> None:
    """Only the secret, realm and purpose of values, over message part, link part and fields, will do."""
    here = world(way)
    link, message, _ = here.parts(0)
    fields = "-".join(encode_bytes(value.encode()) for value in ("eve", "x"))
    texts = {
        "right": f"{message}/{link}/{fields}", "no link": f"{message}//{fields}", "no message": f"/{link}/{fields}",
        "fields alone": fields, "turned": f"{link}/{message}/{fields}", "joined": f"{message}{link}{fields}",
        "parted": f"{message}{PARTING}{fields}",
    }  # fmt: skip
    purposes = (
        *("values", "message", "link", "link-key", "conceal", "compiled", "people", "pseudonym", "key-id"),
        *("opt-out", "mirror", "preferences", "bounce", "message-id", ""),
    )
    for secret, realm, purpose in itertools.product((SECRET, OTHER_SECRET), ("", "north"), purposes):
        key = Keyring.from_secrets(secret).signing_key(purpose, realm)
        for name, text in texts.items():
            url = f"https://t.example.com/{link}/{message}{PARTING}{fields}{key.sign(text)}"
            is_right = (secret, realm, purpose, name) == (SECRET, "", "values", "right")
            said = here.tracker.resolve(url, at=AT)
            assert (said.message_id, said.destination) == (
                ("1234567", "https://shop.example/eve?x=x") if is_right else (None, EMPTY)
            )


@pytest.mark.parametrize("way", WAYS)
def test_after_rotation_old_values_are_read_by_the_old_key_alone(way: str) -> None:
    here = world(way)
    rotated = Keyring.from_secrets(OTHER_SECRET, verify_only=[SECRET])
    tracker = Tracker("https://t.example.com", rotated, registry=here.registry, **WAYS[way])
    assert named(tracker, here.urls[0]) == ("1234567", FULL)
    loaded = tracker.load(here.compiled.to_bytes())
    renewed = unescape((loaded.render(message_id="1", values=VALUES).html or "").split('href="')[1].split('"')[0])
    assert named(tracker, renewed) == ("1", FULL)
    if way in COMPACT:
        link, message, _ = here.parts(0)
        fields = "-".join(encode_bytes(value.encode()) for value in ("eve", "x"))
        mixed = fields + rotated.signing_key("values").sign(f"{message}/{link}/{fields}")
        assert named(tracker, f"https://t.example.com/{link}/{message}{PARTING}{mixed}") == (None, EMPTY)


@pytest.mark.parametrize("way", COMPACT)
def test_numbers_of_values_that_the_link_has_not(way: str) -> None:
    """Even signed: fewer, more, none, or values on a link that has no placeholder."""
    here = world(way)
    key = Keyring.from_secrets(SECRET).signing_key("values")
    for place, expected in ((0, EMPTY), (2, "https://plain.example/"), (3, "https://shop.example/?one=")):
        link, message, _ = here.parts(place)
        count = (2, 0, 0, 1)[place]
        for number in range(5):
            fields = "-".join(["6d"] * number)
            if number == count or (number == 0 and count == 1):
                continue
            tail = fields + key.sign(f"{message}/{link}/{fields}")
            url = f"https://t.example.com/{link}/{message}{PARTING}{tail}"
            assert named(here.tracker, url) == (None, expected)
        assert named(here.tracker, f"https://t.example.com/{link}/{message}") == (
            "1234567" if place == 2 else None, expected,
        )  # fmt: skip
        assert named(here.tracker, f"https://t.example.com/{link}") == (None, expected)


@pytest.mark.parametrize("way", COMPACT)
def test_fields_that_are_no_text_even_when_signed(way: str) -> None:
    here = world(way)
    link, message, _ = here.parts(3)
    key = Keyring.from_secrets(SECRET).signing_key("values")
    for fields in (encode_bytes(b"\xff"), encode_bytes(b"\xed\xa0\x80"), "1", "0z", ".", "6d.", "6d ", "é", "6D"):
        url = f"https://t.example.com/{link}/{message}{PARTING}{fields}{key.sign(f'{message}/{link}/{fields}')}"
        said = here.tracker.resolve(url, at=AT)
        if said.message_id is not None:
            assert said.destination == "https://shop.example/?one=m", fields


@pytest.mark.parametrize("way", COMPACT)
def test_values_behind_opens_and_hosted_pages_are_of_nobody(way: str) -> None:
    here = world(way)
    link, message, tail = here.parts(0)
    for other in ("1", "u", "m", "p"):
        assert here.tracker.resolve(f"https://t.example.com/{other}/{message}{PARTING}{tail}").message_id is None
    opened = (here.compiled.render(message_id=8, values=VALUES).html or "").split('src="')[1].split('"')[0]
    assert here.tracker.resolve(opened).message_id == "8"
    assert here.tracker.resolve(f"{opened}{PARTING}{tail}").message_id is None
    assert here.tracker.resolve(f"https://t.example.com/{message}/{message}{PARTING}{tail}").destination is None
    assert len(tail) > MAC_LENGTH
    assert link


@pytest.mark.parametrize("way", COMPACT)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_personalised_links_survive_every_damage_with_their_values(damage: Damage, way: str) -> None:
    here = world(way)
    for url in here.urls:
        whole = here.tracker.resolve(url, at=AT)
        said = here.tracker.resolve(damage(url), at=AT)
        assert (said.outcome, said.message_id, said.destination) == (
            ResolutionOutcome.VALID, "1234567", whole.destination,
        ), damage(url)  # fmt: skip


# Damages that change the case of letters, or leave it to chance: values are text, and text has a case.
FOLDS = {"upper-case", "upper-case-path", "lower-case", "swapped-case", "wrapped-upper-case"}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_campaign_links_always_redirect_and_keep_values_where_case_is_kept(damage: Damage) -> None:
    for values in (
        VALUES,
        {"a": "Ann", "b": "a=b;c"},
        {"a": "50%25", "b": "&amp;="},
        {"a": "", "b": "https://x.example/?a=1"},
    ):
        here = World(way="campaign", values=values)
        for place, url in enumerate(here.urls):
            whole = here.tracker.resolve(url, at=AT)
            said = here.tracker.resolve(damage(url), at=AT)
            if damage.name in FOLDS and place != 2:
                assert said.destination is not None, damage(url)
                assert said.message_id is None or said.destination == whole.destination
            else:
                assert (said.message_id, said.destination) == ("1234567", whole.destination), damage(url)


def test_two_damages_at_once_never_give_other_values() -> None:
    for way in ("registered", "campaign"):
        here = world(way)
        kept = 0
        for first, second in itertools.product(DAMAGES, repeat=2):
            said = here.tracker.resolve(second(first(here.urls[0])), at=AT)
            if said.message_id is not None:
                assert (said.message_id, said.destination) == ("1234567", FULL), (first.name, second.name)
                kept += 1
            assert said.destination in (FULL, EMPTY, None), (first.name, second.name)
        assert kept > (0.8 if way == "registered" else 0.4) * len(DAMAGES) ** 2


def test_values_that_look_like_damage_stay_what_they_are() -> None:
    for value in (
        "=3D",
        "&amp;",
        "%2B",
        "=\r".strip(),
        "a+b",
        "&s=1",
        "p1=2",
        "&#61;",
        "https-3A__x",
        "=\u00ad",
        "\u200b",
        "A%C3%A4",
        "==",
        "=41",
    ):
        for way in WAYS:
            here = World(way=way, values={"a": "x" + value, "b": value})
            said = here.tracker.resolve(here.urls[1], at=AT)
            assert said.message_id == "1234567"
            damaged = by_name("percent-encoding")(here.urls[1])
            assert here.tracker.resolve(damaged, at=AT).destination == said.destination, (way, value)
