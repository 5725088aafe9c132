"""The two tokens of a tracked URL: the message part, made once per message, and the link part, made once per delivery.

Both are text of ``[a-z0-9.-]``: three characters of header (15 bits), fields parted by ``-``, and a signature of 16
characters over all before it. The signature covers the text itself, so a token has one spelling. Where ids are
concealed, the signature is made first and then hides the ids. The clauses: ``docs/spec/tokens.md``.
"""

from __future__ import annotations

import hmac
import re
import uuid
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from msgtrack.links.alphabet import (
    ALPHABET,
    LOW_BITS,
    TO_PYTHON,
    decode_bytes,
    decode_int,
    digest_text,
    encode_bytes,
    encode_int,
    is_token_text,
    mix_letter,
)
from msgtrack.links.keyring import MAC_LENGTH, Copies, Keyring, SigningKey
from msgtrack.links.placeholders import joined, pieces_of, tag_of
from msgtrack.model import Consent, LinkType, Part, Policy, TrackedLink
from msgtrack.protocols import MessageReader

__all__ = [
    "HEAD_LENGTH",
    "KEY_LENGTH",
    "LinkKeys",
    "LinkTexts",
    "MessageToken",
    "concealed_text",
    "decode_id",
    "encode_id",
    "is_own_link",
    "message_head",
    "message_reader",
    "message_text",
    "read_link",
    "read_message",
    "tail_text",
]

KEY_LENGTH = 8
"""Characters of a registered link's key, five bits each."""

HEAD_LENGTH = 3
"""Characters of a token's header, five bits each."""

_MOST_FAMILIES = 1_024
_PLAIN = 0
_CONCEALED = 1
_LINK_IDS = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONSENTS = (Consent.IDENTIFIED, Consent.PSEUDONYMOUS, Consent.AGGREGATE, Consent.NONE)
_POLICIES = tuple(Policy(opens=opens, clicks=clicks) for opens in _CONSENTS for clicks in _CONSENTS)
_CONSENT_BITS = {consent: bits for bits, consent in enumerate(_CONSENTS)}
_TYPES = (
    LinkType.OTHER,
    LinkType.CLICK,
    LinkType.OPEN,
    LinkType.OPT_OUT,
    LinkType.WEB,
    LinkType.TRANSACTION,
    LinkType.MIRROR_PAGE,
    LinkType.OFFER_CLICK,
    LinkType.OFFER_INTERESTED,
    LinkType.MOBILE_CLICK,
)
_TYPE_BITS = {link_type: bits for bits, link_type in enumerate(_TYPES)}
_SCHEMES = ("", "https://", "http://", "https://www.", "http://www.")
_LETTER_OF = dict(zip(_SCHEMES, ALPHABET, strict=False))
_LONGEST_FIRST = tuple(sorted(zip(ALPHABET, _SCHEMES, strict=False), key=lambda each: -len(each[1])))
# The ids of links, which count from 2.
_SMALL_IDS = {str(number): encode_int(number) for number in range(1_000)}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MessageToken(NamedTuple):
    """What a message part says; ``place`` is that of the secret that signed it."""

    place: int
    delivery_id: str
    message_id: str
    policy: Policy
    is_seed: bool
    is_proof: bool
    variant: str
    expires_at: datetime | None


def encode_id(value: str) -> str:
    """An id in our alphabet: canonical decimals as numbers, canonical UUIDs as ``..`` and 16 bytes, other text as
    ``.`` and UTF-8.
    """
    small = _SMALL_IDS.get(value)
    if small is not None:
        return small
    if value.isascii() and value.isdigit() and (value[0] != "0" or value == "0"):
        return encode_int(int(value))
    if _UUID.fullmatch(value):
        return ".." + encode_bytes(uuid.UUID(value).bytes)
    return "." + encode_bytes(value.encode())


def decode_id(text: str) -> str:
    """The id that :func:`encode_id` wrote; anything else raises ValueError."""
    if not text.startswith("."):
        return str(decode_int(text))
    if text.startswith(".."):
        return str(uuid.UUID(bytes=decode_bytes(text[2:])))
    return decode_bytes(text[1:]).decode()


# Deliveries, and what headers say, are few and come time and again.
_delivery_id = lru_cache(maxsize=1_024)(decode_id)


@lru_cache(maxsize=1_024)
def _head_bits(head: str) -> int | None:
    """What the header of a token holds, or None when it is none."""
    return decode_int(head) if len(head) == HEAD_LENGTH and is_token_text(head) else None


def _moment(text: str) -> datetime | None:
    # Seconds beyond the year 9999 do not exist as datetimes; a signed token never holds them.
    return _EPOCH + timedelta(seconds=decode_int(text)) if text else None


def _seconds(moment: datetime | None) -> str:
    return "" if moment is None else encode_int(max(0, int(moment.timestamp())))


def tail_text(expires_at: datetime | None, variant: str) -> str:
    """What follows the ids of a part: expiry and variant, empty when there is neither."""
    if variant:
        return f"-{_seconds(expires_at)}-{encode_id(variant)}"
    return f"-{_seconds(expires_at)}" if expires_at is not None else ""


def _header(bits: int) -> str:
    return encode_int(bits).rjust(HEAD_LENGTH, "0")


def message_head(key_id: int, policy: Policy, *, is_seed: bool, is_proof: bool, conceal: bool = False) -> str:
    """The three characters before a message part's ids: version (whether they are concealed), key id, policy and
    flags.
    """
    bits = conceal << 13 | key_id << 6 | _CONSENT_BITS[policy.opens] << 4 | _CONSENT_BITS[policy.clicks] << 2
    return _header(bits | is_seed << 1 | is_proof)


def message_text(head: str, delivery: str, message_id: str, tail: str, key: SigningKey) -> str:
    """A message part; ``delivery`` and ``tail`` are encoded already, once per delivery."""
    text = f"{head}{delivery}-{encode_id(message_id)}{tail}"
    return text + key.sign(text)


def concealed_text(token: str, key: SigningKey) -> str:
    """A message part whose ids are hidden; its head must say so. ``key`` is that of the purpose ``conceal``."""
    return _conceal(token, key)


def read_message(token: str, keyring: Keyring, realm: str, purpose: str = "message") -> MessageToken | None:
    """What a message part says, or None when it is no token of ours."""
    found = _open(token, keyring, realm, purpose)
    if found is None:
        return None
    bits, fields, key = found
    count = len(fields)
    if not 2 <= count <= 4:
        return None
    try:
        # In the order of its fields: names take longer than all the rest.
        return MessageToken(
            key.place,
            _delivery_id(fields[0]),
            decode_id(fields[1]),
            _POLICIES[bits >> 2 & 15],
            bool(bits & 2),
            bool(bits & 1),
            decode_id(fields[3]) if count > 3 else "",
            _moment(fields[2]) if count > 2 else None,
        )
    except (ValueError, OverflowError):
        return None


def message_reader(keyring: Keyring, realm: str) -> MessageReader:
    """Reads message parts: the *family*, which is all that one says beside the message, as one text; and the message's id.

    Two parts of one family read alike but for the message. None for what is no message part of ours, and for those that only
    :func:`read_message` can tell: ids are concealed, or more than one secret might have signed. May be used from any
    number of threads.
    """
    # By what stands before the message's id, in parts that were ours: what checks them, and that text once and for all.
    known: dict[bytes, tuple[Copies, str]] = {}
    is_equal = hmac.compare_digest

    def candidate(before: bytes) -> tuple[Copies, str] | None:
        text = before.decode("utf-8", "replace")
        bits = _head_bits(text[:HEAD_LENGTH])
        if bits is None:
            return None
        keys = keyring.verifying_keys(bits >> 6 & 127, "message", realm) if bits >> 13 == _PLAIN else []
        return (keys[0].copies, text) if len(keys) == 1 else None

    def read(token: str) -> tuple[str, str] | None:
        # As SigningKey.verify does it, on bytes; written out, for logs ask this of each message. What has values behind it is
        # signed twice, and not so: it is read elsewhere.
        try:
            data = token.encode()
        except UnicodeEncodeError:
            return None
        signed = data[:-MAC_LENGTH]
        before, _, number = signed.partition(b"-")
        found = known.get(before)
        is_new = found is None
        if found is None:
            found = candidate(before)
            if found is None:
                return None
        (copy_inner, copy_outer), family = found
        inner = copy_inner()
        inner.update(signed)
        outer = copy_outer()
        outer.update(inner.digest())
        if not is_equal(outer.digest()[:MAC_LENGTH].translate(LOW_BITS), data[-MAC_LENGTH:]):
            return None
        try:
            if number.isalnum():
                message_id = str(int(number.translate(TO_PYTHON), 32))
            else:
                text, hyphen, behind = number.decode().partition("-")
                message_id = decode_id(text)
                family = f"{family}-{behind}" if hyphen else family
        except (ValueError, OverflowError):
            return None
        if is_new:
            if len(known) >= _MOST_FAMILIES:
                known.clear()
            known[before] = found
        return family, message_id

    return read


class LinkTexts:
    """Writes the link parts of one delivery's stateless links: destination, expiry and variant, signed.

    With ``conceal`` the two ids are hidden; the destination never is.
    """

    def __init__(
        self,
        keyring: Keyring,
        realm: str,
        *,
        delivery_id: str,
        variant: str,
        expires_at: datetime | None,
        conceal: bool = False,
    ) -> None:
        self._sign = keyring.signing_key("link", realm).sign
        self._hider = keyring.signing_key("conceal", realm) if conceal else None
        self._bits = conceal << 13 | keyring.key_id << 6
        self._heads: dict[int, str] = {}
        self._delivery = f"-{encode_id(delivery_id)}-"
        self._tail = tail_text(expires_at, variant)

    def text(self, part: Part, link_id: str, url: str, link_type: LinkType) -> str:
        """The link part of one link."""
        bits = self._bits | (part is Part.TEXT) << 5 | _TYPE_BITS[link_type] << 1
        head = self._heads.get(bits)
        if head is None:
            head = self._heads[bits] = _header(bits)
        scheme, length = _scheme(url)
        if "<%" in url:
            url = "\0".join(pieces_of(url))
        destination = encode_bytes(url[length:].encode())
        text = f"{head}{encode_id(link_id)}{self._delivery}{scheme}{destination}{self._tail}"
        token = text + self._sign(text)
        return token if self._hider is None else _conceal(token, self._hider, _LINK_IDS)


def read_link(token: str, keyring: Keyring, realm: str) -> TrackedLink | None:
    """The link that a stateless link part says, or None when it is no token of ours."""
    found = _open(token, keyring, realm, "link", _LINK_IDS)
    if found is None:
        return None
    bits, fields, _ = found
    if not 3 <= len(fields) <= 5:
        return None
    try:
        url = _SCHEMES[decode_int(fields[2][:1])] + decode_bytes(fields[2][1:]).decode()
        if "\0" in url:
            pieces = url.split("\0")
            url = joined(pieces, [tag_of(f"p{number}") for number in range(1, len(pieces))])
        return TrackedLink(
            id=decode_id(fields[0]),
            delivery_id=decode_id(fields[1]),
            url=url,
            type=_TYPES[bits >> 1 & 15],
            part=Part.TEXT if bits >> 5 & 1 else Part.HTML,
            expires_at=_moment(fields[3]) if len(fields) > 3 else None,
            variant=decode_id(fields[4]) if len(fields) > 4 else "",
        )
    except (ValueError, IndexError, OverflowError):
        return None


def _open(
    token: str, keyring: Keyring, realm: str, purpose: str, hidden: int | None = None
) -> tuple[int, list[str], SigningKey] | None:
    bits = _head_bits(token[:HEAD_LENGTH])
    if bits is None or len(token) < HEAD_LENGTH + MAC_LENGTH or not token.isascii():
        return None
    text, signature = token[:-MAC_LENGTH], token[-MAC_LENGTH:]
    version, key_id = bits >> 13, bits >> 6 & 127
    if version == _PLAIN:
        for key in keyring.verifying_keys(key_id, purpose, realm):
            if key.verify(text, signature):
                return bits, text[HEAD_LENGTH:].split("-"), key
    elif version == _CONCEALED:
        hiding = keyring.verifying_keys(key_id, "conceal", realm)
        for key, hider in zip(keyring.verifying_keys(key_id, purpose, realm), hiding, strict=True):
            plain = _conceal(token, hider, hidden)[:-MAC_LENGTH]
            if key.verify(plain, signature):
                return bits, plain[HEAD_LENGTH:].split("-"), key
    return None


def _conceal(token: str, key: SigningKey, fields: int | None = None) -> str:
    # Done twice it is undone: each character of the alphabet changes to another, hyphens and dots stay where they are.
    head, text, signature = token[:HEAD_LENGTH], token[HEAD_LENGTH:-MAC_LENGTH], token[-MAC_LENGTH:]
    parts = text.split("-")
    shown = "".join("-" + part for part in parts[fields:]) if fields is not None else ""
    hidden = text[: len(text) - len(shown)]
    blocks = range(-(-len(hidden) // 32))
    stream = b"".join(key.digest(f"{signature}{block}") for block in blocks)
    mixed = (mix_letter(letter, byte) for letter, byte in zip(hidden, stream, strict=False))
    return f"{head}{''.join(mixed)}{shown}{signature}"


def _scheme(url: str) -> tuple[str, int]:
    """The letter that stands for the beginning of a URL, and the length of that."""
    # Written out, for each link asks: a beginning that holds another must be tried first.
    if url.startswith("https://"):
        return (_LETTER_OF["https://www."], 12) if url.startswith("www.", 8) else (_LETTER_OF["https://"], 8)
    for letter, start in _LONGEST_FIRST:
        if start and url.startswith(start):
            return letter, len(start)
    return ALPHABET[0], 0


class LinkKeys:
    """Makes the keys of one delivery's registered links: 40 bits of HMAC each, the same whenever the same message is
    compiled again.
    """

    def __init__(self, keyring: Keyring, realm: str, *, delivery_id: str, variant: str) -> None:
        self._digest = keyring.signing_key("link-key", realm).digest
        self._start = _link_facts(delivery_id, variant)

    def key(self, part: Part, link_id: str, url: str) -> str:
        """The key of one link."""
        return digest_text(self._digest(self._start + _link_facts(part.value, link_id, url)), KEY_LENGTH)


def is_own_link(link: TrackedLink, keyring: Keyring, realm: str) -> bool:
    """Whether one of our secrets made a registered link's key, in this realm.

    Registries may be shared, and may hold links of secrets that are gone; such a link still redirects.
    """
    text = _link_facts(link.delivery_id, link.variant, link.part.value, link.id, link.url)
    keys = keyring.all_keys("link-key", realm)
    return any(key.verify(text, link.key, KEY_LENGTH) for key in keys)


def _link_facts(*facts: str) -> str:
    return "".join([f"{len(fact)}:{fact}" for fact in facts])
