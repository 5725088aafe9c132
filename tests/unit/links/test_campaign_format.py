"""The campaign format: its shape, its ids, what survives mail, and what nobody can make of a link."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.errors import InvalidId, InvalidOption, NotOurs
from msgtrack.links import CampaignFormat, CompiledMessage, MemoryRegistry
from msgtrack.model import Resolution, ResolutionOutcome
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.testing import gateways

BASE = "https://t.example.com"
KEYS = Keyring.from_secrets("k" * 32)
HTML = "<p><a href=\"https://a.example/?x=1&amp;y=2\">A</a> <a href='https://b.example/'>B</a></p>"
TEXT = "see https://c.example/ now"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make(delivery_id: str = "7471011", *, base: str = BASE, **options: object) -> tuple[Tracker, CompiledMessage]:
    registry = MemoryRegistry()
    tracker = Tracker(base, KEYS, registry, link_style="registered", url_format="campaign")
    compiled = tracker.compile(html=HTML, text=TEXT, delivery_id=delivery_id, **options)  # type: ignore[arg-type]
    registry.publish(compiled)
    return tracker, compiled


def urls(compiled: CompiledMessage, message_id: str | int = 6387601, **options: object) -> list[str]:
    rendered = compiled.render(message_id=message_id, **options)  # type: ignore[arg-type]
    return re.findall(r"https://t\.[^\"' ]+", f"{rendered.html} {rendered.text}")


TRACKER, COMPILED = make()
FIRST, SECOND, OPEN, IN_TEXT = urls(COMPILED)


def test_the_shape_is_that_of_the_reference() -> None:
    shape = r"https://t\.example\.com/r/\?id=([ht])617791,71ffa3,([0-9a-f]+)&s=[0-9a-z]{%d}"
    for url, letter, link, length in (
        (FIRST, "h", "2", 27),
        (SECOND, "h", "3", 27),
        (OPEN, "h", "1", 19),
        (IN_TEXT, "t", "4", 27),
    ):
        found = re.fullmatch(shape % length, url)
        assert found is not None, url
        assert found.groups() == (letter, link)


@pytest.mark.parametrize(
    ("url", "destination"), [(FIRST, "https://a.example/?x=1&y=2"), (OPEN, None), (IN_TEXT, "https://c.example/")]
)
def test_it_says_all_that_it_was_made_of(url: str, destination: str | None) -> None:
    said = TRACKER.resolve(url)
    assert said.outcome is ResolutionOutcome.VALID
    assert (said.delivery_id, said.message_id, said.destination, said.repairs) == (
        "7471011",
        "6387601",
        destination,
        (),
    )
    assert TRACKER.resolve(url[len(BASE) :]) == said


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(clicks="aggregate"), Policy(opens="pseudonymous", clicks="pseudonymous")]
)
@pytest.mark.parametrize("seed", [False, True])
@pytest.mark.parametrize("options", [{}, {"kind": "proof", "variant": "größer"}, {"expires_at": NOW}])
def test_policy_and_flags_travel(policy: Policy, seed: bool, options: dict[str, object]) -> None:
    tracker, compiled = make(**options)
    for url in urls(compiled, policy=policy, seed=seed):
        said = tracker.resolve(url)
        assert (said.message_id, said.policy, said.is_seed) == ("6387601", policy, seed)
        assert (said.is_proof, said.variant) == (options.get("kind") == "proof", options.get("variant", ""))
    clicked = tracker.resolve(urls(compiled)[0], at=NOW)
    assert clicked.outcome is (ResolutionOutcome.EXPIRED if "expires_at" in options else ResolutionOutcome.VALID)


@pytest.mark.parametrize("number", [0, 1, 2**32, 2**63, 2**64 - 1])
def test_ids_have_up_to_64_bits(number: int) -> None:
    tracker, compiled = make(str(number))
    said = tracker.resolve(urls(compiled, str(number))[0])
    assert (said.delivery_id, said.message_id) == (str(number), str(number))
    assert f"h{number:x},{number:x}," in urls(compiled, str(number))[0]


@pytest.mark.parametrize(
    "name", ["spring", "007", "-1", "1.0", "a@b.example", str(2**64), "٣", "123e4567-e89b-12d3-a456-426614174000"]
)
def test_other_ids_are_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidId, match=r"delivery_id=.*64 bits"):
        make(name)
    with pytest.raises(InvalidId, match=r"message_id=.*64 bits"):
        COMPILED.render(message_id=name)


def test_the_delivery_is_checked_even_without_a_link() -> None:
    tracker = make()[0]
    with pytest.raises(InvalidId, match="delivery_id"):
        tracker.compile(text="no link", delivery_id="spring")


def test_it_needs_registered_links() -> None:
    with pytest.raises(InvalidOption, match="link_style='registered'"):
        Tracker(BASE, KEYS, url_format="campaign")
    with pytest.raises(InvalidOption, match="conceal_ids"):
        Tracker(BASE, KEYS, MemoryRegistry(), link_style="registered", url_format="campaign", conceal_ids=True)
    with pytest.raises(InvalidOption, match="registered"):
        Tracker(BASE, KEYS, url_format=CampaignFormat(BASE)).compile(html=HTML, delivery_id="1")


def test_restore_gives_the_author_s_text() -> None:
    for options in ({}, {"seed": True}, {"policy": Policy(opens="none")}):
        rendered = COMPILED.render(message_id=5, **options)  # type: ignore[arg-type]
        assert COMPILED.restore(rendered.html or "") == HTML
        assert COMPILED.restore(rendered.text or "") == TEXT


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_restore_refuses_what_was_changed(place: int) -> None:
    html = COMPILED.render(message_id=5).html or ""
    place %= len(html)
    changed = html[:place] + ("x" if html[place] != "x" else "y") + html[place + 1 :]
    with pytest.raises(ValueError, match="not made by"):
        COMPILED.restore(changed)


@pytest.mark.parametrize("damage", gateways.DAMAGES, ids=lambda damage: damage.name)
@pytest.mark.parametrize("url", [FIRST, OPEN, IN_TEXT])
def test_mail_does_not_hurt_it(url: str, damage: gateways.Damage) -> None:
    said = TRACKER.resolve(damage(url))
    assert (said.outcome, said.message_id, said.delivery_id) == (ResolutionOutcome.VALID, "6387601", "7471011")
    assert said.destination == TRACKER.resolve(url).destination
    assert set(said.repairs) >= set(damage.repairs) - {"leading-punctuation", "doubled-slashes", "case-folding"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("upper-case ids", lambda url: url.replace("71ffa3", "71FFA3")),
        ("encoded commas", lambda url: url.replace(",", "%2C")),
        ("encoded commas twice", lambda url: url.replace(",", "%252c")),
        ("ampersand as entity", lambda url: url.replace("&", "&amp;")),
        ("ampersand as entity twice", lambda url: url.replace("&", "&amp;amp;")),
        ("equals signs in quoted-printable", lambda url: url.replace("=", "=3D")),
        ("a line break after the name", lambda url: url.replace("id=", "id=\r\n")),
        ("a soft break after an encoded sign", lambda url: url.replace("id=", "id=3D=\r\n")),
        ("a soft break in the ids", lambda url: url.replace(",71", ",7=\n1")),
        ("parameters between", lambda url: url.replace("&s=", "&utm_source=x&s=")),
        ("parameters after", lambda url: url + "&p1=x&id=h1,2,3&s=0"),
        ("a base path in front", lambda url: url.replace(".com/r/", ".com/news/r/")),
    ],
)  # fmt: skip
def test_its_own_damages_are_undone(name: str, change: object) -> None:
    for url in (FIRST, OPEN, IN_TEXT):
        assert TRACKER.resolve(change(url)).message_id == "6387601", name  # type: ignore[operator]


def same_reader(said: Resolution) -> bool:
    return said.message_id is not None


def test_no_single_character_change_gives_an_attributed_event() -> None:
    """Only upper case for lower case is damage; a whole link with any other change redirects at most."""
    for url in (FIRST, OPEN, IN_TEXT):
        start = url.index("id=") + 3
        for place in range(start, len(url)):
            for letter in "0123456789abcdefghijklmnopqrstuvwxyz,-._~!":
                if letter == url[place] or (letter in ".-_!~" and place == len(url)):
                    continue
                said = TRACKER.resolve(url[:place] + letter + url[place + 1 :])
                assert not same_reader(said), (url, place, letter, said)
                assert said.destination in (None, TRACKER.resolve(url).destination)


def test_a_character_put_in_or_left_out_names_nobody() -> None:
    for url in (FIRST, OPEN):
        start = url.index("id=") + 3
        for place in range(start, len(url)):
            assert not same_reader(TRACKER.resolve(url[:place] + url[place + 1 :]))
            for letter in "0a9f":
                assert not same_reader(TRACKER.resolve(url[:place] + letter + url[place:]))


def test_a_good_link_with_a_bad_identity_still_redirects() -> None:
    for changed in (
        FIRST[:-1],
        FIRST[:-1] + ("0" if FIRST[-1] != "0" else "1"),
        FIRST.replace("h617791", "h617792"),
        FIRST.replace("71ffa3", "71ffa4"),
        FIRST.replace(",2&", ",3&"),
        FIRST.replace("=h", "=t"),
        FIRST.replace("=h", "=s"),
        FIRST.replace("h6", "h06"),
        FIRST[:-19],
    ):
        said = TRACKER.resolve(changed)
        assert (said.outcome, said.destination, said.message_id) == (
            ResolutionOutcome.ANONYMOUS, "https://a.example/?x=1&y=2", None,
        ), changed  # fmt: skip
    request = Request(method="GET", url=FIRST[len(BASE) : -1], received_at=NOW)
    response = RedirectHandler(TRACKER).handle(request).response
    assert response.status == 302


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url[: url.index("&s=")],
        lambda url: url.replace("&s=", "&x="),
        lambda url: url.replace("&s=", "&s=0"),
    ],
)
def test_without_its_key_a_link_is_unknown(change: object) -> None:
    assert TRACKER.resolve(change(FIRST)).outcome is ResolutionOutcome.UNKNOWN  # type: ignore[operator]


def test_splices_across_deliveries_realms_and_variants_name_nobody() -> None:
    registry = MemoryRegistry()
    made = {}
    for name, realm, delivery, variant in (
        ("one", "", "1", ""),
        ("two", "", "2", ""),
        ("b", "", "1", "B"),
        ("realm", "r", "1", ""),
    ):
        tracker = Tracker(BASE, KEYS, registry, link_style="registered", url_format="campaign", realm=realm)
        compiled = tracker.compile(text=TEXT, delivery_id=delivery, variant=variant)
        registry.publish(compiled)
        made[name] = (tracker, urls(compiled, 9)[0])
    for name, (tracker, url) in made.items():
        assert tracker.resolve(url).message_id == "9"
        for other, (_, donor) in made.items():
            if other == name:
                continue
            link, identity = url.partition("&s=")[2][:8], donor.partition("&s=")[2][8:]
            for ids in (url, donor):
                spliced = f"{ids.partition('&s=')[0]}&s={link}{identity}"
                assert tracker.resolve(spliced).message_id is None, (name, other)


def test_a_base_with_a_path() -> None:
    tracker, compiled = make(base="https://t.example.com/News/T")
    url = urls(compiled)[0]
    assert url.startswith("https://t.example.com/News/T/r/?id=h")
    for seen in (url, url.upper(), url.replace("/News/T", "")):
        assert tracker.resolve(seen).message_id == "6387601"


@given(st.text(max_size=200))
def test_any_text_whatever_gives_an_answer(text: str) -> None:
    for url in (text, f"/r/?id={text}", f"/r/?id=h1,2,3&s={text}", FIRST + text, text + FIRST):
        TRACKER.resolve(url)


def test_reading_takes_time_linear_in_the_text() -> None:
    for text in ("r/?id=h1,1,", "/r/?id=h1,1,1&", "http://", "&amp;", "=3D", "%25", "?u=http-3A__", "/a", "="):
        TRACKER.resolve("/" + text * 200_000)


def test_restore_undoes_no_damage() -> None:
    """A text that mail has changed is no longer the one that was made, though its links still lead on."""
    html = COMPILED.render(message_id=0xABCDEF).html or ""
    with pytest.raises(NotOurs):
        COMPILED.restore(html.replace("abcdef", "ABCDEF"))
