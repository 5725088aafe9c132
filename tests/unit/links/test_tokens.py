"""Tokens: what goes in comes out, one spelling each, and nothing forged is believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from msgtrack import Tracker
from msgtrack.errors import InvalidOption, InvalidValue, WeakSecret
from msgtrack.links.alphabet import ALPHABET, decode_bytes, decode_int, encode_bytes, encode_int
from msgtrack.links.keyring import MAC_LENGTH, Keyring
from msgtrack.links.tokens import (
    HEAD_LENGTH,
    LinkKeys,
    LinkTexts,
    concealed_text,
    decode_id,
    encode_id,
    message_head,
    message_reader,
    message_text,
    read_link,
    read_message,
    tail_text,
)
from msgtrack.model import Consent, LinkType, Part, Policy, ResolutionOutcome, TrackedLink

SECRET = "a secret that is long enough to sign with"
OTHER = "another secret that is long enough to sign"
KEYS = Keyring.from_secrets(SECRET)

ids = st.one_of(
    st.integers(min_value=0, max_value=2**70).map(str),
    st.uuids().map(str),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=16),
    st.sampled_from(["0", "007", "-1", "a@b.example", "\u0663", "1.5", " ", "²"]),
)
policies = st.builds(Policy, opens=st.sampled_from(Consent), clicks=st.sampled_from(Consent))
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


def link_text(link: TrackedLink, keyring: Keyring, realm: str, *, conceal: bool = False) -> str:
    texts = LinkTexts(
        keyring,
        realm,
        delivery_id=link.delivery_id,
        variant=link.variant,
        expires_at=link.expires_at,
        conceal=conceal,
    )
    return texts.text(link.part, link.id, link.url, link.type)


def make_message(
    delivery_id: str = "1",
    message_id: str = "2",
    policy: Policy | None = None,
    *,
    seed: bool = False,
    proof: bool = False,
    expires_at: datetime | None = None,
    variant: str = "",
    keys: Keyring = KEYS,
    realm: str = "",
    purpose: str = "message",
    conceal: bool = False,
) -> str:
    head = message_head(keys.key_id, policy or Policy(), is_seed=seed, is_proof=proof, conceal=conceal)
    tail = tail_text(expires_at, variant)
    token = message_text(head, encode_id(delivery_id), message_id, tail, keys.signing_key(purpose, realm))
    return concealed_text(token, keys.signing_key("conceal", realm)) if conceal else token


@given(st.integers(min_value=0, max_value=2**130))
def test_integers_round_trip_in_their_shortest_form(number: int) -> None:
    text = encode_int(number)
    assert decode_int(text) == number
    assert set(text) <= set(ALPHABET)
    assert text == "0" or text[0] != "0"


@given(
    st.characters().filter(lambda character: character not in ALPHABET), st.sampled_from(["{}", "1{}", "{}1", "1{}1"])
)
def test_integers_have_no_letters_but_ours(character: str, text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_int(text.format(character))


def test_no_text_is_no_integer() -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_int("")


@given(st.binary(max_size=64))
def test_bytes_round_trip(data: bytes) -> None:
    assert decode_bytes(encode_bytes(data)) == data


@pytest.mark.parametrize("text", ["i", "l", "o", "u", "A", "é", "0 ", "zz"])
def test_text_that_no_bytes_give_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_bytes(text)


@given(
    st.text(ALPHABET, max_size=4),
    st.sampled_from(["", *map(chr, range(256)), "\u0663", "\ud800"]),
    st.text(ALPHABET, max_size=4),
)
def test_only_letters_of_ours_are_a_number(before: str, letter: str, after: str) -> None:
    text = before + letter + after
    if text and set(text) <= set(ALPHABET):
        assert decode_int(text) == sum(ALPHABET.index(each) * 32**place for place, each in enumerate(reversed(text)))
    else:
        with pytest.raises(ValueError, match=r".*"):
            decode_int(text)


@given(ids)
def test_ids_come_out_character_for_character(value: str) -> None:
    text = encode_id(value)
    assert decode_id(text) == value
    assert "-" not in text
    assert not text.endswith(".")


@given(ids, ids, policies, st.booleans(), st.booleans(), st.none() | moments, st.just("") | ids, st.booleans())
def test_message_parts_round_trip(
    delivery_id: str,
    message_id: str,
    policy: Policy,
    seed: bool,
    proof: bool,
    expires_at: datetime | None,
    variant: str,
    conceal: bool,
) -> None:
    token = make_message(
        delivery_id, message_id, policy, seed=seed, proof=proof, expires_at=expires_at, variant=variant, conceal=conceal
    )
    said = read_message(token, KEYS, "")
    assert said is not None
    assert (said.delivery_id, said.message_id, said.policy) == (delivery_id, message_id, policy)
    assert (said.is_seed, said.is_proof, said.expires_at, said.variant) == (seed, proof, expires_at, variant)
    assert set(token) <= set(ALPHABET + ".-")


@given(
    ids,
    ids,
    # NUL stands for a placeholder, and no link that is tracked holds one.
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60),
    st.sampled_from(["https://", "http://", "https://www.", "HTTPS://", "http://www."]),
    st.sampled_from(LinkType),
    st.sampled_from(Part),
    st.none() | moments,
    st.just("") | ids,
)
def test_link_parts_round_trip(
    link_id: str,
    delivery_id: str,
    rest: str,
    scheme: str,
    kind: LinkType,
    part: Part,
    expires_at: datetime | None,
    variant: str,
) -> None:
    link = TrackedLink(
        id=link_id,
        delivery_id=delivery_id,
        url=scheme + rest,
        type=kind,
        part=part,
        expires_at=expires_at,
        variant=variant,
    )
    assert read_link(link_text(link, KEYS, ""), KEYS, "") == link


@pytest.mark.parametrize("conceal", [False, True])
def test_every_single_character_change_is_noticed(conceal: bool) -> None:
    token = make_message("spring", "1001", variant="B", conceal=conceal)
    for place in range(len(token)):
        for character in ALPHABET + ".-":
            changed = token[:place] + character + token[place + 1 :]
            assert (read_message(changed, KEYS, "") is None) == (changed != token)


@given(st.text(alphabet=ALPHABET + ".-", max_size=80))
def test_no_text_but_ours_is_believed(text: str) -> None:
    assert read_message(text, KEYS, "") is None
    assert read_link(text, KEYS, "") is None


@given(st.text(max_size=80))
def test_any_text_whatever_gives_an_answer(text: str) -> None:
    assert read_message(text, KEYS, "") is None
    assert read_link(text, KEYS, "") is None


def test_purposes_realms_and_secrets_do_not_mix() -> None:
    assert read_message(make_message(realm="a"), KEYS, "a") is not None
    assert read_message(make_message(realm="a"), KEYS, "b") is None
    assert read_message(make_message(purpose="opt-out"), KEYS, "") is None
    assert read_message(make_message(keys=Keyring.from_secrets(OTHER)), KEYS, "") is None
    link = TrackedLink(id="2", delivery_id="1", url="https://shop.example/")
    assert read_message(link_text(link, KEYS, ""), KEYS, "") is None


def test_an_old_secret_still_verifies_and_keeps_its_id() -> None:
    old = make_message()
    rotated = Keyring.from_secrets(OTHER, verify_only=(SECRET,))
    assert read_message(old, rotated, "") is not None
    assert read_message(make_message(keys=rotated), Keyring.from_secrets(OTHER), "") is not None
    assert read_message(make_message(keys=rotated), KEYS, "") is None


def test_secrets_whose_key_ids_collide_are_all_tried() -> None:
    by_id: dict[int, str] = {}
    for number in range(2_000):
        secret = f"secret number {number:06d} that is long enough"
        key_id = Keyring.from_secrets(secret).key_id
        if key_id in by_id:
            both = Keyring.from_secrets(secret, verify_only=(by_id[key_id],))
            old = make_message(keys=Keyring.from_secrets(by_id[key_id]))
            assert read_message(old, both, "") is not None
            return
        by_id[key_id] = secret
    pytest.fail("2,000 secrets without two of one key id")


@pytest.mark.parametrize("secret", ["", "short", b"", b"x" * 31, "é" * 15])
def test_weak_secrets_are_refused_by_name(secret: str | bytes) -> None:
    with pytest.raises(WeakSecret, match="sign_secret"):
        Keyring.from_secrets(secret)
    with pytest.raises(WeakSecret, match=r"verify_only\[0\]"):
        Keyring.from_secrets(SECRET, verify_only=[secret])


def test_a_secret_must_be_text_or_bytes() -> None:
    with pytest.raises(InvalidValue, match="sign_secret"):
        Keyring.from_secrets(12)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="sequence"):
        Keyring.from_secrets(SECRET, verify_only=OTHER)


def test_secrets_do_not_show() -> None:
    assert SECRET not in repr(KEYS)


@given(ids, ids)
def test_link_keys_differ_by_each_of_their_parts(delivery_id: str, other: str) -> None:
    assume(delivery_id != other)

    def key(**changes: object) -> str:
        fields = {"delivery_id": delivery_id, "variant": "", "part": Part.HTML, "link_id": "2", "url": "https://a/"}
        fields |= changes  # type: ignore[arg-type]
        said = {name: fields.pop(name) for name in ("delivery_id", "variant")}
        return LinkKeys(KEYS, "", **said).key(**fields)  # type: ignore[arg-type]

    assert key() == key()
    changes: list[dict[str, object]] = [
        {"delivery_id": other},
        {"variant": other},
        {"part": Part.TEXT},
        {"link_id": "3"},
        {"url": "https://b/"},
    ]
    for change in changes:
        assert key(**change) != key()
    assert len(key()) == 8


@pytest.mark.parametrize(("delivery_bits", "message_bits", "longest"), [(24, 40, 64), (32, 63, 74)])
def test_registered_urls_stay_within_their_budget(delivery_bits: int, message_bits: int, longest: int) -> None:
    token = make_message(str(2**delivery_bits - 1), str(2**message_bits - 1))
    assert len(f"https://t.example.com/{'0' * 8}/{token}") <= longest


# Concealed ids


@given(ids, ids, st.just("") | ids)
def test_concealing_keeps_the_length_and_the_hyphens(delivery_id: str, message_id: str, variant: str) -> None:
    plain = make_message(delivery_id, message_id, variant=variant)
    hidden = make_message(delivery_id, message_id, variant=variant, conceal=True)
    shape = [[place for place, letter in enumerate(token[:-MAC_LENGTH]) if letter in ".-"] for token in (plain, hidden)]
    assert len(hidden) == len(plain)
    assert shape[0] == shape[1]


def test_concealed_ids_cannot_be_read_or_compared() -> None:
    tokens = [make_message("spring", f"reader-{number}", conceal=True) for number in range(200)]
    delivery, message = encode_id("spring"), encode_id("reader-1")
    assert not [token for token in tokens if delivery in token or message in token]
    fields = [token[HEAD_LENGTH:-MAC_LENGTH].split("-") for token in tokens]
    assert len({field[0] for field in fields}) == len({field[1] for field in fields}) == 200
    for place in range(1, len(delivery)):
        assert len({field[0][place] for field in fields}) > 16


def test_a_concealed_link_hides_its_ids_and_shows_its_destination() -> None:
    link = TrackedLink(id="12345678", delivery_id="spring", url="https://shop.example/", variant="B")
    plain, hidden = (link_text(link, KEYS, "", conceal=conceal) for conceal in (False, True))
    assert read_link(hidden, KEYS, "") == link
    assert len(hidden) == len(plain)
    first, second = (token[HEAD_LENGTH:-MAC_LENGTH].split("-") for token in (plain, hidden))
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert first[2:] == second[2:]
    for place in range(len(hidden)):
        for character in ALPHABET + ".-":
            changed = hidden[:place] + character + hidden[place + 1 :]
            assert (read_link(changed, KEYS, "") is None) == (changed != hidden)


def test_plain_and_concealed_do_not_mix() -> None:
    plain, hidden = make_message("1", "2"), make_message("1", "2", conceal=True)
    assert read_message(hidden[:HEAD_LENGTH] + plain[HEAD_LENGTH:], KEYS, "") is None
    assert read_message(plain[:HEAD_LENGTH] + hidden[HEAD_LENGTH:], KEYS, "") is None
    for version in (2, 3):
        head = encode_int(decode_int(plain[:HEAD_LENGTH]) | version << 13)
        text = head + plain[HEAD_LENGTH:-MAC_LENGTH]
        assert read_message(text + KEYS.signing_key("message").sign(text), KEYS, "") is None


def test_a_rotated_secret_reveals_what_it_concealed() -> None:
    rotated = Keyring.from_secrets(OTHER, verify_only=(SECRET,))
    said = read_message(make_message("spring", "9", conceal=True), rotated, "")
    assert said is not None
    assert (said.delivery_id, said.message_id) == ("spring", "9")


# Trackers: rotation, realm and expiry


BASE = "https://t.example.com"
TEXT = "see https://shop.example/ now"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def click(tracker: Tracker, message_id: str = "1001", **options: object) -> str:
    compiled = tracker.compile(text=TEXT, delivery_id="spring", **options)  # type: ignore[arg-type]
    return (compiled.render(message_id=message_id).text or "").split()[1]


@pytest.mark.parametrize("conceal", [False, True])
def test_a_link_lives_through_rotations(conceal: bool) -> None:
    secrets = [f"secret number {number} that is long enough" for number in range(4)]
    made = {}
    for newest in range(len(secrets)):
        keys = Keyring.from_secrets(secrets[newest], verify_only=secrets[:newest])
        tracker = Tracker(BASE, keys, conceal_ids=conceal)
        made[newest] = click(tracker)
        for url in made.values():
            assert tracker.resolve(url).message_id == "1001"
    assert len(set(made.values())) == 4
    dropped = Tracker(BASE, Keyring.from_secrets(secrets[3], verify_only=secrets[1:3]))
    assert dropped.resolve(made[0]).outcome is ResolutionOutcome.UNKNOWN
    assert dropped.resolve(made[1]).outcome is ResolutionOutcome.VALID


def test_a_realm_believes_itself_alone() -> None:
    trackers = [Tracker(BASE, KEYS, realm=realm) for realm in ("", "a", "b", "a\0b", "ä")]
    for tracker in trackers:
        url = click(tracker)
        assert [other.resolve(url).message_id for other in trackers if other is not tracker] == [None] * 4
        assert tracker.resolve(url).message_id == "1001"
        assert len({one.person_salt("2026-03-01") for one in trackers}) == 5


def test_a_link_ends_at_its_moment() -> None:
    tracker = Tracker(BASE, KEYS)
    url = click(tracker, expires_at=NOW)
    before, after = (tracker.resolve(url, at=at) for at in (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), NOW))
    assert (before.outcome, before.destination) == (ResolutionOutcome.VALID, "https://shop.example/")
    assert (after.outcome, after.destination, after.expires_at) == (ResolutionOutcome.EXPIRED, None, NOW)
    assert tracker.resolve(url).outcome is ResolutionOutcome.VALID


def test_a_message_part_may_end_before_its_link() -> None:
    tracker = Tracker(BASE, KEYS)
    link = click(tracker, expires_at=NOW).rsplit("/", 1)[0]
    early = datetime(2026, 1, 1, tzinfo=UTC)
    url = f"{link}/{make_message('spring', '7', expires_at=early)}"
    assert tracker.resolve(url, at=early).outcome is ResolutionOutcome.EXPIRED
    assert tracker.resolve(url).expires_at == early


def test_an_address_as_id_is_found_and_concealing_helps() -> None:
    plain, concealing = Tracker(BASE, KEYS), Tracker(BASE, KEYS, conceal_ids=True)
    for tracker, message_id, codes in (
        (plain, "a@b.example", ["address-as-id"]),
        (plain, "1001", []),
        (concealing, "a@b.example", []),
    ):
        rendered = tracker.compile(text=TEXT, delivery_id="spring").render(message_id=message_id)
        assert [finding.code for finding in rendered.findings] == codes
        assert tracker.resolve((rendered.text or "").split()[1]).message_id == message_id
    with pytest.raises(InvalidOption, match="conceal_ids"):
        Tracker(BASE, KEYS, conceal_ids="yes")  # type: ignore[arg-type]


def test_a_concealed_click_shows_no_id_and_says_them_to_the_tracker() -> None:
    tracker = Tracker(BASE, KEYS, conceal_ids=True)
    url = click(tracker, "reader-1001")
    assert encode_id("spring") not in url
    assert encode_id("reader-1001") not in url
    assert len(url) == len(click(Tracker(BASE, KEYS), "reader-1001"))
    said = Tracker(BASE, KEYS).resolve(url)
    assert (said.delivery_id, said.message_id, said.link_id) == ("spring", "reader-1001", "2")


@given(ids, ids, policies, st.booleans(), st.none() | moments, st.just("") | ids, st.data())
def test_the_reader_of_many_says_what_read_message_says(
    delivery_id: str,
    message_id: str,
    policy: Policy,
    seed: bool,
    expires_at: datetime | None,
    variant: str,
    data: st.DataObject,
) -> None:
    read = message_reader(KEYS, "")
    part = make_message(delivery_id, message_id, policy, seed=seed, expires_at=expires_at, variant=variant)
    found = read(part)
    assert found is not None
    assert found[1] == message_id
    other = read(make_message(delivery_id, "another", policy, seed=seed, expires_at=expires_at, variant=variant))
    assert other == (found[0], "another")
    assert (
        read(make_message(delivery_id, message_id, policy, seed=not seed, expires_at=expires_at, variant=variant))
        != found
    )
    plain = read(make_message(delivery_id, message_id, policy, seed=seed))
    assert (plain == found) == (expires_at is None and not variant)
    at = data.draw(st.integers(0, len(part) - 1))
    changed = part[:at] + data.draw(st.characters()) + part[at + data.draw(st.integers(0, 2)) :]
    assert (read(changed) is None) == (read_message(changed, KEYS, "") is None)


@pytest.mark.parametrize("room", [1, 2, 1_024])
def test_what_a_reader_remembers_is_bounded_and_changes_nothing(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgtrack.links.tokens._MOST_FAMILIES", room)
    read = message_reader(KEYS, "")
    parts = [make_message(delivery, message_id) for message_id in ("2", "a-b") for delivery in ("1", "x-y", "spring")]
    expected = [read(part) for part in parts]
    assert [found[1] for found in expected if found is not None] == ["2"] * 3 + ["a-b"] * 3
    assert len({found[0] for found in expected if found is not None}) == 3
    for part, found in [*zip(parts, expected, strict=True), *zip(reversed(parts), reversed(expected), strict=True)]:
        assert read(part) == found
        # What is no part of ours, though it begins as one does.
        for other in (
            part[:-1],
            part + "0",
            part.rpartition("-")[0] + part[-16:],
            part[:6] + "\ud800" + part[6:],
            part[:3],
        ):
            assert read(other) is None
