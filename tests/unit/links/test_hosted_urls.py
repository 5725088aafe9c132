"""URLs of our own pages (T24 to T28): every format, every damage, one purpose each; and the headers that carry the opt-out."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack import Keyring, Policy, Tracker
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue
from msgtrack.links import MemoryRegistry, ParsedUrl
from msgtrack.links.alphabet import encode_int
from msgtrack.links.keyring import MAC_LENGTH
from msgtrack.links.tokens import tail_text
from msgtrack.model import HostedPage, LinkType, Resolution, ResolutionOutcome
from msgtrack.testing.gateways import DAMAGES, Damage

SECRET = "a secret that is long enough to sign with"
OLD_SECRET = "an older secret that is long enough to sign"
BASE = "https://t.example.com"
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
PAGES = tuple(HostedPage)
POLICIES = ("identified", "pseudonymous", "aggregate", "none")
HTML = '<a href="https://shop.example/">Shop</a>'


class Spread:
    """A format of one's own that parts the signature from the rest, and writes ids in plain."""

    PATTERN = re.compile(r"/go/([a-z0-9.-]+)/([a-z0-9.-]+)\?sig=([a-z0-9]{16})")

    def prepare(self, link: str) -> tuple[str, ...]:
        return f"{BASE}/go/{link}/", "?sig=", ""

    def spread(self, message: str) -> tuple[str, ...]:
        return message[:-16], message[-16:]

    def parse(self, url: str) -> ParsedUrl | None:
        found = self.PATTERN.search(url)
        return ParsedUrl(link=found[1], message=found[2] + found[3]) if found else None


KINDS: dict[str, dict[str, Any]] = {
    "stateless": {},
    "registered": {"link_style": "registered"},
    "concealed": {"conceal_ids": True},
    "realm": {"realm": "north"},
    "campaign": {"link_style": "registered", "url_format": "campaign"},
    "own": {"url_format": Spread()},
    "own, concealed": {"url_format": Spread(), "conceal_ids": True},
}


def tracker_of(kind: str, secret: str = SECRET, base: str = BASE, **more: Any) -> Tracker:
    return Tracker(base, Keyring.from_secrets(secret), registry=MemoryRegistry(), **{**KINDS[kind], **more})


def url_of(tracker: Tracker, page: HostedPage, **said: Any) -> str:
    make = {
        HostedPage.OPT_OUT: tracker.opt_out_url,
        HostedPage.MIRROR: tracker.mirror_url,
        HostedPage.PREFERENCES: tracker.preferences_url,
    }[page]
    return make(**{"delivery_id": "4711", "message_id": "1234567", **said})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_back_as_it_was_written(kind: str, page: HostedPage) -> None:
    """T24, T27: all that a message part says is there, whatever the policy."""
    tracker = tracker_of(kind)
    for opens, clicks in itertools.product(POLICIES, repeat=2):
        policy = Policy(opens=opens, clicks=clicks)
        url = url_of(tracker, page, policy=policy, variant="B", seed=True, kind="proof")
        for asked in (url, url.removeprefix(BASE)):
            said = tracker.resolve(asked, at=AT + timedelta(days=36_500))
            assert said == Resolution(
                outcome="valid",
                hosted=page,
                delivery_id="4711",
                message_id="1234567",
                link_type={"opt-out": "opt-out", "mirror": "mirror-page", "preferences": "other"}[page.value],
                variant="B",
                policy=policy,
                is_seed=True,
                is_proof=True,
                pseudonym=said.pseudonym,
            )
            assert (said.pseudonym is not None) == ("pseudonymous" in (opens, clicks))


def test_the_forms() -> None:
    """T25, T26: letters that stand for pages, in both formats."""
    compact, campaign = tracker_of("registered"), tracker_of("campaign")
    said = {"delivery_id": "7470995", "message_id": "6387601"}
    for page, letter in zip(PAGES, "ump", strict=True):
        assert re.fullmatch(rf"{BASE}/{letter}/[a-z0-9-]+", url_of(compact, page, **said))
        assert re.fullmatch(rf"{BASE}/r/\?id={letter}617791,71ff93,0&s=[a-z0-9]{{19}}", url_of(campaign, page, **said))


def test_an_expiry_is_not_heard() -> None:
    """T27: none is written; one that was signed all the same takes nobody's way out."""
    tracker = tracker_of("stateless")
    url = url_of(tracker, HostedPage.OPT_OUT)
    text = url.rsplit("/", 1)[1][:-MAC_LENGTH] + tail_text(AT, "")
    signed = f"{BASE}/u/{text}{tracker.keyring.signing_key('opt-out').sign(text)}"
    for at in (None, AT, AT + timedelta(days=1)):
        said = tracker.resolve(signed, at=at)
        assert (said.outcome, said.message_id, said.expires_at) == ("valid", "1234567", None)


@pytest.mark.parametrize("kind", ["stateless", "concealed"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_every_page_survives_every_damage(damage: Damage, kind: str) -> None:
    for base in (BASE, "https://example.com/News/T", "http://127.0.0.1:8000"):
        tracker = tracker_of(kind, base=base)
        for page in PAGES:
            said = tracker.resolve(
                damage(url_of(tracker, page, delivery_id="spring-26", message_id="ann@mail.example"))
            )
            assert (said.outcome, said.hosted, said.message_id) == ("valid", page, "ann@mail.example")


@pytest.mark.parametrize(
    "damage",
    [
        str.upper,
        lambda url: url.replace(",", "%2C"),
        lambda url: url.replace("&", "&amp;"),
        lambda url: url + ")",
        lambda url: url + "&utm_source=x",
        lambda url: url[:30] + "=\r\n" + url[30:],
        lambda url: url.replace("=", "=3D"),
    ],
)
def test_campaign_pages_survive_what_campaign_links_do(damage: Any) -> None:
    tracker = tracker_of("campaign")
    for page in PAGES:
        said = tracker.resolve(damage(url_of(tracker, page)))
        assert (said.outcome, said.hosted, said.message_id) == ("valid", page, "1234567")
        assert said.repairs


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_no_key_knows_is_still_that_page(kind: str) -> None:
    """T28."""
    tracker, other = tracker_of(kind), tracker_of(kind, secret=OLD_SECRET)
    for page in PAGES:
        said = tracker.resolve(url_of(other, page))
        assert (said.outcome, said.hosted, said.message_id, said.delivery_id) == ("unknown", page, None, None)
    if kind in ("stateless", "registered"):
        for url in ("/u", "/u/", "/U/x", "/u/x", "/u/%00"):
            said = tracker.resolve(url)
            assert (said.outcome, said.hosted) == (ResolutionOutcome.UNKNOWN, HostedPage.OPT_OUT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_secret_still_lets_people_leave(kind: str) -> None:
    url = url_of(tracker_of(kind, secret=OLD_SECRET), HostedPage.OPT_OUT)
    keys = Keyring.from_secrets(SECRET, verify_only=[OLD_SECRET])
    tracker = Tracker(BASE, keys, registry=MemoryRegistry(), **KINDS[kind])
    assert tracker.resolve(url).message_id == "1234567"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", [Policy(), Policy(opens="none", clicks="none")])
def test_hosted_headers(kind: str, policy: Policy) -> None:
    tracker = tracker_of(kind)
    compiled = tracker.compile(html=HTML, delivery_id="4711", variant="B", kind="proof")
    assert tracker.registry is not None
    tracker.registry.publish(compiled)
    url = url_of(tracker, HostedPage.OPT_OUT, variant="B", kind="proof", seed=True, policy=policy)
    for message in (compiled, tracker.load(compiled.to_bytes())):
        alone = message.render(message_id="1234567", policy=policy, seed=True, unsubscribe="hosted").headers
        assert alone == {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        both = message.render(
            message_id="1234567", policy=policy, seed=True, unsubscribe=("mailto:u@a.example", "hosted")
        )
        assert both.headers["List-Unsubscribe"] == f"<mailto:u@a.example>, <{url}>"
        assert "List-Unsubscribe-Post" in both.headers
        assert compiled.restore(both.html or "") == HTML
    assert tracker.resolve(url).message_id == "1234567"


def test_one_click_needs_https() -> None:
    tracker = tracker_of("stateless", base="http://t.example.com")
    headers = tracker.compile(html=HTML, delivery_id="1").render(message_id="1", unsubscribe="hosted").headers
    assert list(headers) == ["List-Unsubscribe"]


def test_what_cannot_be_written_is_named() -> None:
    campaign = tracker_of("campaign")
    for said in ({"message_id": "x"}, {"delivery_id": "x"}, {"message_id": 2**64}):
        with pytest.raises(InvalidId, match="whole numbers"):
            campaign.opt_out_url(**{"delivery_id": "1", "message_id": "1", **said})
    tracker = tracker_of("stateless")
    with pytest.raises(InvalidId):
        tracker.mirror_url(delivery_id="", message_id="1")
    with pytest.raises(InvalidId):
        tracker.preferences_url(delivery_id="1", message_id="")
    with pytest.raises(InvalidOption, match="kind"):
        tracker.opt_out_url(delivery_id="1", message_id="1", kind="test")
    with pytest.raises(InvalidOption, match="seed"):
        tracker.opt_out_url(delivery_id="1", message_id="1", seed="no")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="policy"):
        tracker.opt_out_url(delivery_id="1", message_id="1", policy="none")  # type: ignore[arg-type]
    compiled = tracker.compile(html=HTML, delivery_id="1")
    for bad in (5, b"hosted", ["hosted", 5], [None]):
        with pytest.raises(InvalidValue, match=r"expected a sequence|must be text"):
            compiled.render(message_id="1", unsubscribe=bad)  # type: ignore[arg-type]


BREAKS = ("https://a.example/>, <https://b.example/", "https://a.example/\r\nBcc: b", "https://\u00fc.example/", "a b")


@pytest.mark.parametrize("text", [*BREAKS, "javascript:"])
def test_the_fixed_texts_of_a_format_cannot_break_out_of_the_header(text: str) -> None:
    class Fixed(Spread):
        def prepare(self, link: str) -> tuple[str, ...]:
            return text, "?sig=", ""

    with pytest.raises(InvalidOption, match="header"):
        Tracker(BASE, Keyring.from_secrets(SECRET), url_format=Fixed()).opt_out_url(delivery_id="1", message_id="1")


@pytest.mark.parametrize("text", BREAKS)
def test_the_spread_texts_of_a_format_cannot_break_out_of_the_header(text: str) -> None:
    class Loose(Spread):
        def spread(self, message: str) -> tuple[str, ...]:
            return text, message

    with pytest.raises(InvalidOption, match="header"):
        Tracker(BASE, Keyring.from_secrets(SECRET), url_format=Loose()).opt_out_url(delivery_id="1", message_id="1")


# Forgery


def _material(tracker: Tracker) -> dict[str, str]:
    """Every token that a log may show of one message: by what it was made for."""
    compiled = tracker.compile(html=HTML, delivery_id="4711")
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    html = compiled.render(message_id="1234567").html or ""
    click, image = re.findall(r'(?:href|src)="([^"]+)"', html)
    found = {"click": click, "open": image}
    return found | {page.value: url_of(tracker, page) for page in PAGES}


@pytest.mark.parametrize("kind", ["stateless", "registered", "concealed", "realm"])
def test_purposes_do_not_cross(kind: str) -> None:
    """Every token of one message behind every link part: it is believed where it was made for, and nowhere else."""
    tracker = tracker_of(kind)
    urls = _material(tracker)
    parts = {name: url.split("/")[-2] for name, url in urls.items()}
    tokens = {name: url.split("/")[-1] for name, url in urls.items()}
    assert tokens["click"] == tokens["open"]
    assert len(set(tokens.values())) == 4
    for place, made_for in itertools.product(parts, tokens):
        said = tracker.resolve(f"{BASE}/{parts[place]}/{tokens[made_for]}")
        fits = place == made_for or {place, made_for} == {"click", "open"}
        assert (said.message_id is not None) == fits, (place, made_for)


def test_purposes_do_not_cross_in_the_campaign_format() -> None:
    tracker = tracker_of("campaign")
    urls = _material(tracker)
    signed = {name: url.split("&s=")[1][-19:] for name, url in urls.items()}
    assert len(set(signed.values())) == 4
    for made_for, page in itertools.product(signed, PAGES):
        for link in ("0", "1", "2"):
            letter = {"opt-out": "u", "mirror": "m", "preferences": "p"}[page.value]
            said = tracker.resolve(f"{BASE}/r/?id={letter}12d687,1267,{link}&s={signed[made_for]}")
            assert (said.message_id is not None) == (made_for == page.value and link == "0")
            assert said.hosted is page
    key = urls["click"].split("&s=")[1][:8]
    for page in PAGES:
        for start, link in (("h", "1"), ("h", "2"), ("t", "2"), ("h", "0")):
            for before in ("", key):
                said = tracker.resolve(f"{BASE}/r/?id={start}12d687,1267,{link}&s={before}{signed[page.value]}")
                assert said.message_id is None


@pytest.mark.parametrize("kind", ["stateless", "concealed"])
def test_no_splice_and_no_head_makes_an_opt_out_of_a_click(kind: str) -> None:
    tracker = tracker_of(kind)
    urls = _material(tracker)
    click, leave = (urls[name].rsplit("/", 1)[1] for name in ("click", "opt-out"))
    others = [url_of(tracker, HostedPage.OPT_OUT, message_id=other).rsplit("/", 1)[1] for other in ("1234568", "7")]
    for start in (click, *others):
        for left, right in itertools.product(range(len(start) + 1), range(len(leave) + 1)):
            for forged in (start[:left] + leave[right:], leave[:right] + start[left:]):
                if forged in (leave, *others):
                    continue
                assert tracker.resolve(f"/u/{forged}").message_id is None, forged
    for bits in range(2**15):
        forged = encode_int(bits).rjust(3, "0") + click[3:]
        assert tracker.resolve(f"/u/{forged}").message_id is None


@pytest.mark.parametrize("kind", ["stateless", "concealed"])
@pytest.mark.parametrize("page", PAGES)
def test_every_change_of_one_character_of_a_page(kind: str, page: HostedPage) -> None:
    tracker = tracker_of(kind)
    url = url_of(tracker, page)
    start = url.rindex("/") + 1
    for place in range(start, len(url)):
        for character in "0123456789abcdefghijklmnopqrstuvwxyz.-_~":
            if character != url[place]:
                said = tracker.resolve(url[:place] + character + url[place + 1 :])
                assert (said.message_id, said.hosted) == (None, page)


def test_signatures_of_other_purposes_realms_and_secrets() -> None:
    tracker = tracker_of("stateless")
    text = url_of(tracker, HostedPage.OPT_OUT).rsplit("/", 1)[1][:-MAC_LENGTH]
    purposes = ("opt-out", "mirror", "preferences", "message", "link", "link-key", "people", "pseudonym", "key-id", "")
    for secret, purpose, realm in itertools.product((SECRET, OLD_SECRET), purposes, ("", "north", "opt-out")):
        key = Keyring.from_secrets(secret).signing_key(purpose, realm)
        said = tracker.resolve(f"/u/{text}{key.sign(text)}")
        assert (said.message_id is not None) == ((secret, purpose, realm) == (SECRET, "opt-out", ""))


def test_the_authors_own_opt_out_link_is_told_apart() -> None:
    tracker = tracker_of("stateless")
    html = '<a href="https://shop.example/bye" _type="optout">Bye</a>'
    out = tracker.compile(html=html, delivery_id="1").render(message_id="1").html or ""
    said = tracker.resolve(out.split('"')[1])
    assert (said.link_type, said.hosted) == (LinkType.OPT_OUT, None)
    hosted = tracker.resolve(tracker.opt_out_url(delivery_id="1", message_id="1"))
    assert (hosted.link_type, hosted.hosted, hosted.destination) == (LinkType.OPT_OUT, HostedPage.OPT_OUT, None)
