"""A second implementation of the tokens, written from docs/spec/tokens.md alone, agrees with the frozen vectors and with the library.

The class below imports nothing of msgtrack. Both read and write each vector; on random input they agree with each other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, TrackedLink, Tracker
from msgtrack.links import MemoryRegistry
from msgtrack.links.campaign import CampaignFormat
from msgtrack.links.tokens import (
    LinkKeys,
    LinkTexts,
    concealed_text,
    encode_id,
    message_head,
    message_text,
    read_link,
    read_message,
    tail_text,
)
from msgtrack.links.writing import fill
from msgtrack.model import Part

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "tokens" / "vectors.json").read_text(encoding="utf-8"))
SECRETS: dict[str, str] = VECTORS["secrets"]


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


class Spec:
    """Tokens after the clauses, for one secret and realm."""

    LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # T1
    POLICIES = ("identified", "pseudonymous", "aggregate", "none")  # T9
    TYPES = (
        "other", "click", "open", "opt-out", "web", "transaction", "mirror-page", "offer-click", "offer-interested", "mobile-click",
    )  # T11  # fmt: skip
    STARTS = ("", "https://", "http://", "https://www.", "http://www.")  # T10

    def __init__(self, secret: str, realm: str) -> None:
        self.secret, self.realm = secret.encode(), realm

    def mac(self, purpose: str, text: str, realm: str | None = None) -> bytes:  # T5
        name = "\0".join(("msgtrack/1", purpose, self.realm if realm is None else realm))
        key = hmac.new(self.secret, name.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    def key_id(self) -> int:  # T6
        return self.mac("key-id", "", "")[0] & 127

    def sign(self, purpose: str, text: str, length: int = 16) -> str:  # T7
        return "".join(self.LETTERS[byte & 31] for byte in self.mac(purpose, text)[:length])

    def number(self, value: int) -> str:  # T2
        text = ""
        while value or not text:
            value, digit = divmod(value, 32)
            text = self.LETTERS[digit] + text
        return text

    def read_number(self, text: str) -> int:
        value = 0
        for letter in text:
            value = value * 32 + self.LETTERS.index(letter)
        return value

    def data(self, data: bytes) -> str:  # T3
        text = base64.b32encode(data).decode().rstrip("=")
        return "".join(self.LETTERS["ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(letter)] for letter in text)

    def read_data(self, text: str) -> bytes:
        standard = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[self.LETTERS.index(letter)] for letter in text)
        return base64.b32decode(standard + "=" * (-len(standard) % 8))

    def id(self, value: str) -> str:  # T4
        if re.fullmatch("0|[1-9][0-9]*", value):
            return self.number(int(value))
        if re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
            return ".." + self.data(bytes.fromhex(value.replace("-", "")))
        return "." + self.data(value.encode())

    def read_id(self, text: str) -> str:
        if text.startswith(".."):
            return str(uuid.UUID(bytes=self.read_data(text[2:])))
        return self.read_data(text[1:]).decode() if text.startswith(".") else str(self.read_number(text))

    def head(self, bits: int, *, conceal: bool) -> str:  # T9, T11
        return self.number(conceal << 13 | self.key_id() << 6 | bits).rjust(3, "0")

    def tail(self, expires_at: int | None, variant: str) -> str:  # T8
        expiry = "" if expires_at is None else self.number(expires_at)
        return f"-{expiry}-{self.id(variant)}" if variant else f"-{expiry}" * (expires_at is not None)

    def conceal(self, token: str, count: int) -> str:  # T17
        head, text, signature = token[:3], token[3:-16], token[-16:]
        stream = b"".join(self.mac("conceal", f"{signature}{block}") for block in range(count // 32 + 1))
        mixed = [
            self.LETTERS[self.LETTERS.index(letter) ^ byte & 31] if letter in self.LETTERS else letter
            for letter, byte in zip(text[:count], stream, strict=False)
        ]
        return head + "".join(mixed) + text[count:] + signature

    def message(self, of: dict[str, Any]) -> str:
        bits = self.POLICIES.index(of["opens"]) << 4 | self.POLICIES.index(of["clicks"]) << 2
        text = self.head(bits | of["seed"] << 1 | of["proof"], conceal=of["conceal"])
        text += f"{self.id(of['delivery_id'])}-{self.id(of['message_id'])}{self.tail(of['expires_at'], of['variant'])}"
        token = text + self.sign(of.get("page", "message"), text)  # T24
        return self.conceal(token, len(text) - 3) if of["conceal"] else token

    def hosted(self, of: dict[str, Any], form: str) -> str:
        letter = {"opt-out": "u", "mirror": "m", "preferences": "p"}[of["page"]]
        if form == "campaign":  # T26
            return self.campaign({**of, "part": letter, "link_id": "0", "link_key": ""})
        return f"https://t.example.com/{letter}/{self.message(of)}"  # T25

    def opened(self, token: str, purpose: str, hidden: int) -> tuple[int, list[str]]:
        bits = self.read_number(token[:3])
        if bits >> 13 == 1:
            token = self.conceal(token, hidden)
        assert bits >> 6 & 127 == self.key_id()
        assert hmac.compare_digest(self.sign(purpose, token[:-16]), token[-16:])
        return bits, token[3:-16].split("-")

    def read_message(self, token: str) -> dict[str, Any]:
        bits, (delivery, message, *rest) = self.opened(token, "message", len(token) - 19)
        return {
            "delivery_id": self.read_id(delivery),
            "message_id": self.read_id(message),
            "opens": self.POLICIES[bits >> 4 & 3],
            "clicks": self.POLICIES[bits >> 2 & 3],
            "seed": bool(bits & 2),
            "proof": bool(bits & 1),
            "conceal": bits >> 13 == 1,
            **self.read_tail(rest),
        }

    def read_tail(self, rest: list[str]) -> dict[str, Any]:
        return {
            "expires_at": self.read_number(rest[0]) if rest and rest[0] else None,
            "variant": self.read_id(rest[1]) if len(rest) > 1 else "",
        }

    def link(self, of: dict[str, Any]) -> str:
        text = self.head((of["part"] == "text") << 5 | self.TYPES.index(of["type"]) << 1, conceal=of["conceal"])
        start = max((start for start in self.STARTS if of["url"].startswith(start)), key=len)
        ids = f"{self.id(of['link_id'])}-{self.id(of['delivery_id'])}"
        text += f"{ids}-{self.STARTS.index(start)}{self.data(of['url'][len(start) :].encode())}"
        text += self.tail(of["expires_at"], of["variant"])
        token = text + self.sign("link", text)
        return self.conceal(token, len(ids)) if of["conceal"] else token

    def read_link(self, token: str) -> dict[str, Any]:
        hidden = len("-".join(token[3:].split("-")[:2]))
        bits, (link, delivery, url, *rest) = self.opened(token, "link", hidden)
        return {
            "delivery_id": self.read_id(delivery),
            "link_id": self.read_id(link),
            "url": self.STARTS[int(url[0])] + self.read_data(url[1:]).decode(),
            "type": self.TYPES[bits >> 1 & 15],
            "part": "text" if bits >> 5 & 1 else "html",
            "conceal": bits >> 13 == 1,
            **self.read_tail(rest),
        }

    def link_key(self, of: dict[str, Any]) -> str:  # T12
        fields = (of["delivery_id"], of["variant"], of["part"], of["link_id"], of["url"])
        return self.sign("link-key", "".join(f"{len(field)}:{field}" for field in fields), 8)

    def campaign(self, of: dict[str, Any]) -> str:  # T19, T20
        token = self.message({**of, "conceal": False})
        ids = f"{self.id(of['delivery_id'])}-{self.id(of['message_id'])}"
        s = of["link_key"] + token[:3] + token[3 + len(ids) :]
        hexes = ",".join(f"{int(of[name]):x}" for name in ("message_id", "delivery_id", "link_id"))
        return f"https://t.example.com/r/?id={of['part'][0]}{hexes}&s={s}"

    def values(self, of: dict[str, Any]) -> tuple[str, str, str, str]:  # T30
        registered = {**of, "url": of["registered_url"]}
        link = (
            self.link_key(registered)
            if of["style"] == "registered"
            else self.link({**of, "url": "\0".join(of["pieces"])})
        )
        message = self.message({**of, "expires_at": None})
        fields = "-".join(self.data(value.encode()) for value in of["values"])
        return link, message, fields, self.sign("values", f"{message}/{link}/{fields}")

    def personal(self, of: dict[str, Any]) -> str:
        link, message, fields, signature = self.values(of)
        if of["format"] == "compact":  # T31
            return f"https://t.example.com/{link}/{message}.-{fields}{signature}"
        front, s = self.campaign({**of, "link_key": link, "expires_at": None}).split("&s=")  # T32
        shown = "".join(f"&p{place}={self.percent(value)}" for place, value in enumerate(of["values"], 1))
        return f"{front}{shown}&s={s}{signature}"

    def percent(self, value: str) -> str:
        plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
        return "".join(chr(byte) if chr(byte) in plain else f"%{byte:02X}" for byte in value.encode())

    def destination(self, of: dict[str, Any], url: str) -> str | None:  # T33
        """Where a compact URL of a link with these pieces leads; None where its values are not believed."""
        link, _, token = url.removeprefix("https://t.example.com/").partition("/")
        message, parting, tail = token.partition(".-")
        fields = tail[:-16].split("-")
        if not parting or self.sign("values", f"{message}/{link}/{tail[:-16]}") != tail[-16:]:
            return None
        if len(fields) != len(of["pieces"]) - 1:
            return None
        texts = [self.percent(self.read_data(field).decode()) for field in fields]
        return of["pieces"][0] + "".join(text + piece for text, piece in zip(texts, of["pieces"][1:], strict=True))

    def address(self, of: dict[str, Any]) -> str:  # T35
        token = self.message({**of, "expires_at": None, "variant": "", "page": of["purpose"]}).replace(".", "_")
        return f"bounce+{token}@m.example" if of["purpose"] == "bounce" else f"<{token}@m.example>"


def spec_of(vector: dict[str, Any]) -> Spec:
    return Spec(SECRETS[vector["secret"]], vector["realm"])


def keys_of(vector: dict[str, Any]) -> Keyring:
    return Keyring.from_secrets(SECRETS[vector["secret"]])


def moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def our_message(of: dict[str, Any]) -> str:
    keys, conceal = keys_of(of), of.get("conceal", False)
    policy = Policy(opens=of["opens"], clicks=of["clicks"])
    head = message_head(keys.key_id, policy, is_seed=of["seed"], is_proof=of["proof"], conceal=conceal)
    tail = tail_text(moment(of["expires_at"]), of["variant"])
    token = message_text(
        head, encode_id(of["delivery_id"]), of["message_id"], tail, keys.signing_key("message", of["realm"])
    )
    return concealed_text(token, keys.signing_key("conceal", of["realm"])) if conceal else token


def our_link(of: dict[str, Any]) -> TrackedLink:
    return TrackedLink(
        delivery_id=of["delivery_id"],
        id=of["link_id"],
        url=of["url"],
        type=of["type"],
        part=of["part"],
        expires_at=moment(of["expires_at"]),
        variant=of["variant"],
    )


def told(of: dict[str, Any], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in of.items() if name not in {"token", "realm", "secret", *without}}


def test_key_ids_follow_from_secrets() -> None:
    for name, secret in SECRETS.items():
        assert Spec(secret, "").key_id() == Keyring.from_secrets(secret).key_id == VECTORS["key_ids"][name]


@pytest.mark.parametrize("vector", VECTORS["message_parts"], ids=lambda vector: vector["token"][:20])
def test_message_parts(vector: dict[str, Any]) -> None:
    assert spec_of(vector).message(vector) == vector["token"]
    assert spec_of(vector).read_message(vector["token"]) == told(vector)
    assert our_message(vector) == vector["token"]
    said = read_message(vector["token"], keys_of(vector), vector["realm"])
    assert said is not None
    assert (said.delivery_id, said.message_id, said.variant) == tuple(
        vector[name] for name in ("delivery_id", "message_id", "variant")
    )
    assert said.policy == Policy(opens=vector["opens"], clicks=vector["clicks"])
    assert (said.is_seed, said.is_proof) == (vector["seed"], vector["proof"])
    assert said.expires_at == moment(vector["expires_at"])


@pytest.mark.parametrize("vector", VECTORS["link_parts"], ids=lambda vector: vector["token"][:20])
def test_link_parts(vector: dict[str, Any]) -> None:
    assert spec_of(vector).link(vector) == vector["token"]
    assert spec_of(vector).read_link(vector["token"]) == told(vector)
    assert link_text(our_link(vector), keys_of(vector), vector["realm"], conceal=vector["conceal"]) == vector["token"]
    assert read_link(vector["token"], keys_of(vector), vector["realm"]) == our_link(vector)


@pytest.mark.parametrize("vector", VECTORS["link_keys"], ids=lambda vector: vector["key"])
def test_link_keys(vector: dict[str, Any]) -> None:
    assert spec_of(vector).link_key(vector) == vector["key"]
    ours = LinkKeys(keys_of(vector), vector["realm"], delivery_id=vector["delivery_id"], variant=vector["variant"])
    assert ours.key(Part(vector["part"]), vector["link_id"], vector["url"]) == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["campaign_urls"], ids=lambda vector: vector["url"][22:50])
def test_campaign_urls(vector: dict[str, Any]) -> None:
    assert spec_of(vector).campaign(vector) == vector["url"]
    assert our_message(vector) == vector["message_part"]
    campaign = CampaignFormat("https://t.example.com")
    link = TrackedLink(delivery_id=vector["delivery_id"], id=vector["link_id"], url="", part=vector["part"])
    texts = campaign.prepare_link(link, vector["link_key"] or "1")
    assert fill(texts, campaign.spread(vector["message_part"])) == vector["url"]
    parsed = campaign.parse(vector["url"])
    assert parsed is not None
    assert (parsed.link, parsed.message, parsed.repairs) == (vector["link_key"] or "1", vector["message_part"], ())


def our_hosted(of: dict[str, Any], form: str) -> str:
    registered = {"link_style": "registered", "registry": MemoryRegistry()} if form == "campaign" else {}
    tracker = Tracker(
        "https://t.example.com",
        keys_of(of),
        realm=of["realm"],
        url_format=form,
        conceal_ids=of["conceal"],
        **registered,  # type: ignore[arg-type]
    )
    make = {"opt-out": tracker.opt_out_url, "mirror": tracker.mirror_url, "preferences": tracker.preferences_url}
    return make[of["page"]](
        delivery_id=of["delivery_id"],
        message_id=of["message_id"],
        variant=of["variant"],
        policy=Policy(opens=of["opens"], clicks=of["clicks"]),
        seed=of["seed"],
        kind="proof" if of["proof"] else "normal",
    )


@pytest.mark.parametrize("vector", VECTORS["hosted_urls"], ids=lambda vector: vector["url"][22:50])
def test_hosted_urls(vector: dict[str, Any]) -> None:
    assert spec_of(vector).hosted(vector, vector["format"]) == vector["url"]
    assert our_hosted(vector, vector["format"]) == vector["url"]


def our_personal(of: dict[str, Any]) -> tuple[str, str | None]:
    """The URL that a real message gets, and where it leads."""
    tracker = Tracker(
        "https://t.example.com",
        keys_of(of),
        MemoryRegistry(),
        realm=of["realm"],
        link_style=of["style"],
        url_format=of["format"],
        conceal_ids=of["conceal"],
    )
    names = [f"n{place}" for place in range(1, len(of["pieces"]))]
    source = "".join(
        piece + tag for piece, tag in zip(of["pieces"], [*(f"{{{{ {name} }}}}" for name in names), ""], strict=True)
    )
    compiled = tracker.compile(
        html=f"<a href='{source.replace('&', '&amp;')}'>x</a>" if of["part"] == "html" else None,
        text=f"<{source}>" if of["part"] == "text" else None,
        delivery_id=of["delivery_id"],
        variant=of["variant"],
        links_before=int(of["link_id"]) - 2,
        expires_at=moment(of["expires_at"]),
        syntax="jinja",
        kind="proof" if of["proof"] else "normal",
        pixel="none",
    )
    assert [link.url for link in compiled.links] == [of["registered_url"]]
    tracker.registry.publish(compiled)  # type: ignore[union-attr]
    rendered = compiled.render(
        message_id=of["message_id"],
        values=dict(zip(names, of["values"], strict=True)),
        policy=Policy(opens=of["opens"], clicks=of["clicks"]),
        seed=of["seed"],
    )
    url = (rendered.html or rendered.text or "").removeprefix("<a href='").strip("<>").partition("'")[0]
    said = tracker.resolve(url)
    assert said.outcome == "valid"
    return url, said.destination


@pytest.mark.parametrize("vector", VECTORS["personal_urls"], ids=lambda vector: vector["url"][22:50])
def test_personal_urls(vector: dict[str, Any]) -> None:
    assert spec_of(vector).personal(vector) == vector["url"]
    assert our_personal(vector) == (vector["url"], vector["leads_to"])
    if vector["format"] == "compact":
        assert spec_of(vector).destination(vector, vector["url"]) == vector["leads_to"]
        assert spec_of(vector).destination(vector, vector["url"][:-1]) is None


def our_address(of: dict[str, Any]) -> str:
    tracker = Tracker("https://t.example.com", keys_of(of), realm=of["realm"], conceal_ids=of["conceal"])
    ids = {"delivery_id": of["delivery_id"], "message_id": of["message_id"]}
    if of["purpose"] == "bounce":
        address = tracker.return_path("m.example", **ids)
        assert tracker.read_return_path(address.upper()) == (of["delivery_id"], of["message_id"])
        return address
    address = tracker.message_id_header("m.example", **ids)
    assert tracker.read_message_id_header(address) == (of["delivery_id"], of["message_id"])
    assert tracker.read_return_path(address) is None
    return address


@pytest.mark.parametrize("vector", VECTORS["addresses"], ids=lambda vector: vector["address"][:24])
def test_addresses(vector: dict[str, Any]) -> None:
    assert spec_of(vector).address(vector) == vector["address"]
    assert our_address(vector) == vector["address"]


ids = st.one_of(
    st.integers(min_value=0, max_value=2**70).map(str),
    st.uuids().map(str),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=16),
)
COMMON = {
    "delivery_id": ids,
    "expires_at": st.none() | st.integers(min_value=0, max_value=2**33),
    "variant": st.just("") | ids,
    "realm": st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    "secret": st.sampled_from(sorted(SECRETS)),
    "conceal": st.booleans(),
}
messages = st.fixed_dictionaries(
    {
        **COMMON,
        "message_id": ids,
        "opens": st.sampled_from(Spec.POLICIES),
        "clicks": st.sampled_from(Spec.POLICIES),
        "seed": st.booleans(),
        "proof": st.booleans(),
    }
)
links = st.fixed_dictionaries(
    {
        **COMMON,
        "link_id": ids,
        "url": st.builds(
            str.__add__, st.sampled_from(Spec.STARTS), st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
        ),
        "type": st.sampled_from(Spec.TYPES),
        "part": st.sampled_from(["html", "text"]),
    }
)


@given(messages)
def test_both_write_the_same_message_parts(message: dict[str, Any]) -> None:
    token = our_message(message)
    assert token == spec_of(message).message(message)
    assert spec_of(message).read_message(token) == told(message)


@given(messages, st.sampled_from(["opt-out", "mirror", "preferences"]))
def test_both_write_the_same_hosted_urls(message: dict[str, Any], page: str) -> None:
    said = {**message, "page": page, "expires_at": None}
    assert our_hosted(said, "compact") == spec_of(said).hosted(said, "compact")


@given(links)
def test_both_write_the_same_link_parts(link: dict[str, Any]) -> None:
    token = link_text(our_link(link), keys_of(link), link["realm"], conceal=link["conceal"])
    assert token == spec_of(link).link(link)
    assert spec_of(link).read_link(token) == told(link)


personal = st.fixed_dictionaries(
    {
        **COMMON,
        "message_id": ids,
        "opens": st.sampled_from(Spec.POLICIES),
        "clicks": st.sampled_from(Spec.POLICIES),
        "seed": st.booleans(),
        "proof": st.booleans(),
        "expires_at": st.none(),
        "style": st.sampled_from(["stateless", "registered"]),
        "format": st.just("compact"),
        "part": st.sampled_from(["html", "text"]),
        "link_id": st.integers(min_value=2, max_value=10**6).map(str),
        "type": st.just("click"),
        "values": st.lists(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12), min_size=1, max_size=4
        ),
    }
)


@given(personal)
def test_both_write_the_same_personal_urls(link: dict[str, Any]) -> None:
    count = len(link["values"])
    pieces = ["https://www.shop.example/?a=", *(f"&p{place}=" for place in range(count - 1)), "#end"]
    tags = [*(f"<%= n{place} %>" for place in range(1, count + 1)), ""]
    whole = "".join(piece + tag for piece, tag in zip(pieces, tags, strict=True))
    said = {**link, "pieces": pieces, "registered_url": whole}
    url, leads_to = our_personal(said)
    assert url == spec_of(said).personal(said)
    assert leads_to == spec_of(said).destination(said, url)
