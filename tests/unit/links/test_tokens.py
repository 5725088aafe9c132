"""Tokens: what goes in comes out, one spelling each, and nothing forged is believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from msgtrack.errors import InvalidValue, WeakSecret
from msgtrack.links.alphabet import ALPHABET, decode_bytes, decode_int, encode_bytes, encode_int
from msgtrack.links.keyring import Keyring
from msgtrack.links.tokens import (
    decode_id,
    encode_id,
    link_key,
    link_text,
    message_head,
    message_tail,
    message_text,
    read_link,
    read_message,
)
from msgtrack.model import Consent, LinkType, Part, Policy, TrackedLink

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
) -> str:
    head = message_head(keys.key_id, policy or Policy(), is_seed=seed, is_proof=proof)
    tail = message_tail(expires_at, variant)
    return message_text(head, encode_id(delivery_id), message_id, tail, keys.signing_key(purpose, realm))


@given(st.integers(min_value=0, max_value=2**130))
def test_integers_round_trip_in_their_shortest_form(number: int) -> None:
    text = encode_int(number)
    assert decode_int(text) == number
    assert set(text) <= set(ALPHABET)
    assert text == "0" or text[0] != "0"


@given(st.binary(max_size=64))
def test_bytes_round_trip(data: bytes) -> None:
    assert decode_bytes(encode_bytes(data)) == data


@pytest.mark.parametrize("text", ["i", "l", "o", "u", "A", "é", "0 ", "zz"])
def test_text_that_no_bytes_give_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"{re.escape(text)}|[Ii]ncorrect padding|[Nn]on-base32"):
        decode_bytes(text)


@given(ids)
def test_ids_come_out_character_for_character(value: str) -> None:
    text = encode_id(value)
    assert decode_id(text) == value
    assert "-" not in text
    assert not text.endswith(".")


@given(ids, ids, policies, st.booleans(), st.booleans(), st.none() | moments, st.just("") | ids)
def test_message_parts_round_trip(
    delivery_id: str,
    message_id: str,
    policy: Policy,
    seed: bool,
    proof: bool,
    expires_at: datetime | None,
    variant: str,
) -> None:
    token = make_message(
        delivery_id, message_id, policy, seed=seed, proof=proof, expires_at=expires_at, variant=variant
    )
    said = read_message(token, KEYS, "")
    assert said is not None
    assert (said.delivery_id, said.message_id, said.policy) == (delivery_id, message_id, policy)
    assert (said.is_seed, said.is_proof, said.expires_at, said.variant) == (seed, proof, expires_at, variant)
    assert set(token) <= set(ALPHABET + ".-")


@given(
    ids,
    ids,
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
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


def test_every_single_character_change_is_noticed() -> None:
    token = make_message("spring", "1001")
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
        fields = {"delivery_id": delivery_id, "variant": "", "part": Part.HTML, "ordinal": 2, "url": "https://a/"}
        return link_key(KEYS, "", **{**fields, **changes})  # type: ignore[arg-type]

    assert key() == key()
    changes: list[dict[str, object]] = [
        {"delivery_id": other},
        {"variant": other},
        {"part": Part.TEXT},
        {"ordinal": 3},
        {"url": "https://b/"},
    ]
    for change in changes:
        assert key(**change) != key()
    assert len(key()) == 8


@pytest.mark.parametrize(("delivery_bits", "message_bits", "longest"), [(24, 40, 64), (32, 63, 74)])
def test_registered_urls_stay_within_their_budget(delivery_bits: int, message_bits: int, longest: int) -> None:
    token = make_message(str(2**delivery_bits - 1), str(2**message_bits - 1))
    assert len(f"https://t.example.com/{'0' * 8}/{token}") <= longest
