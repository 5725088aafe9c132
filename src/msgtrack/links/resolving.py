"""What the parts of a tracked URL come to, once they are believed or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgtrack._trusted import trusted
from msgtrack.links.alphabet import digest_text, is_token_text
from msgtrack.links.formats import ParsedUrl
from msgtrack.links.hosted import LINK_TYPES, PAGES
from msgtrack.links.keyring import Keyring
from msgtrack.links.personal import expanded, parted, read_values
from msgtrack.links.placeholders import pieces_of
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.tokens import KEY_LENGTH, MessageToken, is_own_link, read_link, read_message
from msgtrack.model import (
    OPEN_LINK_ID,
    Consent,
    HostedPage,
    LinkType,
    Part,
    Policy,
    Resolution,
    ResolutionOutcome,
    TrackedLink,
)

__all__ = ["UrlReader"]

_VALID, _ANONYMOUS = ResolutionOutcome.VALID, ResolutionOutcome.ANONYMOUS
_EXPIRED, _UNKNOWN = ResolutionOutcome.EXPIRED, ResolutionOutcome.UNKNOWN
_PSEUDONYMOUS = Consent.PSEUDONYMOUS
_OPEN, _HTML = LinkType.OPEN, Part.HTML
_POLICY = Policy()
_MAX_KNOWN = 4_096
_resolution = trusted(Resolution)


class UrlReader:
    """Reads the parts of tracked URLs, for one keyring and realm.

    It remembers the links that it has checked against its keys, some thousands, because the same come time and again.
    May be used from any number of threads.
    """

    def __init__(self, keyring: Keyring, realm: str) -> None:
        self._keyring = keyring
        self._realm = realm
        self._own: dict[int, TrackedLink] = {}
        self._read: dict[str, TrackedLink] = {}

    def read(self, parsed: ParsedUrl | None, registry: LinkRegistry | None, at: datetime | None) -> Resolution:
        """What a URL says at a moment (UTC; None: nothing expires)."""
        if parsed is None:
            return _resolution(_UNKNOWN)
        part = parsed.link
        page = PAGES.get(part)
        if page is not None:
            return self._hosted(page, parsed)
        message, tail = parsed.message, parsed.values
        if ".-" in message:
            message, tail = parted(parsed)
        said = read_message(message, self._keyring, self._realm) if message else None
        if part == OPEN_LINK_ID:
            said = None if tail else said
            return self._open(said, at, parsed.repairs)
        is_key = len(part) == KEY_LENGTH and is_token_text(part)
        link = _found(part, registry, said) if is_key else self._link(part)
        # A registry may hold what somebody else put there: only http(s) is ever followed.
        if link is None or not link.url[:8].lower().startswith(("http://", "https://")):
            return _resolution(_UNKNOWN, repairs=parsed.repairs)
        # What our signature brought is ours; what a registry brought may be of another realm, or of another key.
        if said is not None and not (_agree(said, parsed, link) and (not is_key or self._is_ours(part, link))):
            said = None
        url: str | None = link.url
        if tail or "<%" in link.url:
            url, said = self._personal(link, part, message, tail, said)
            if url is None:
                return _resolution(_UNKNOWN, repairs=parsed.repairs)
        return self._click(link, url, said, at, parsed.repairs)

    def _link(self, part: str) -> TrackedLink | None:
        """What a stateless link part says; the same for every recipient of a delivery, so it is remembered."""
        link = self._read.get(part)
        if link is None:
            link = read_link(part, self._keyring, self._realm)
            if link is not None:
                if len(self._read) >= _MAX_KNOWN:
                    self._read.clear()
                self._read[part] = link
        return link

    def _personal(
        self, link: TrackedLink, part: str, message: str, tail: tuple[str, ...], said: MessageToken | None
    ) -> tuple[str | None, MessageToken | None]:
        """Where a link with placeholders leads, and who is still believed to have it."""
        pieces = pieces_of(link.url)
        count = len(pieces) - 1
        if said is not None and count:
            key = self._keyring.key_at(said.place, "values", self._realm)
            for text in tail:
                values = read_values(text, key, message, part, count)
                if values is not None:
                    return expanded(pieces, values), said
        # Values where none belong, or none where some do: the link still leads somewhere, nameless.
        return expanded(pieces, [""] * count), None

    def _click(
        self,
        link: TrackedLink,
        url: str | None,
        said: MessageToken | None,
        at: datetime | None,
        repairs: tuple[str, ...],
    ) -> Resolution:
        outcome = _ANONYMOUS if said is None else _VALID
        end = link.expires_at
        if said is not None and said.expires_at is not None and (end is None or said.expires_at < end):
            end = said.expires_at
        destination = url
        if link.target_url and link.target_url[:8].lower().startswith(("http://", "https://")):
            destination = link.target_url
        if at is not None and end is not None and at >= end:
            outcome, destination = _EXPIRED, None
        return self._made(
            outcome, said, destination, link.delivery_id, link.id, link.type, link.part, link.variant, end, repairs
        )

    def _open(self, said: MessageToken | None, at: datetime | None, repairs: tuple[str, ...]) -> Resolution:
        if said is None:
            return _resolution(_UNKNOWN, link_type=_OPEN, link_id=OPEN_LINK_ID, repairs=repairs)
        end = said.expires_at
        outcome = _EXPIRED if at is not None and end is not None and at >= end else _VALID
        return self._made(outcome, said, None, said.delivery_id, OPEN_LINK_ID, _OPEN, _HTML, said.variant, end, repairs)

    def _hosted(self, page: HostedPage, parsed: ParsedUrl) -> Resolution:
        link_type = LINK_TYPES[page]
        said = read_message(parsed.message, self._keyring, self._realm, page.value) if parsed.message else None
        if said is None:
            return _resolution(_UNKNOWN, link_type=link_type, repairs=parsed.repairs, hosted=page)
        # Whoever wants to leave may do so at any time: an expiry, which we write into none of these, is not heard.
        return self._made(
            _VALID,
            said,
            None,
            said.delivery_id,
            None,
            link_type,
            _HTML,
            said.variant,
            None,
            parsed.repairs,
            page,
        )

    def _made(
        self,
        outcome: ResolutionOutcome,
        said: MessageToken | None,
        destination: str | None,
        delivery_id: str,
        link_id: str | None,
        link_type: LinkType,
        part: Part,
        variant: str,
        expires_at: datetime | None,
        repairs: tuple[str, ...],
        hosted: HostedPage | None = None,
    ) -> Resolution:
        message_id = pseudonym = None
        policy, is_seed, is_proof = _POLICY, False, False
        if said is not None:
            _, _, message_id, policy, is_seed, is_proof, _, _ = said
            if policy.opens is _PSEUDONYMOUS or policy.clicks is _PSEUDONYMOUS:
                pseudonym = self._pseudonym(said)
        return _resolution(
            outcome, destination, delivery_id, message_id, link_id, link_type, part, variant, policy, is_seed, is_proof,
            expires_at, pseudonym, repairs, hosted,
        )  # fmt: skip

    def _pseudonym(self, said: MessageToken) -> str:
        # By the secret that signed: a pseudonym must outlive the change to a new one.
        key = self._keyring.key_at(said.place, "pseudonym", self._realm)
        name = f"{len(said.delivery_id)}:{said.delivery_id}{said.message_id}"
        return "~" + digest_text(key.digest(name), 26)

    def _is_ours(self, part: str, link: TrackedLink) -> bool:
        if self._own.get(id(link)) is link and link.key == part:
            return True
        if link.key != part or not is_own_link(link, self._keyring, self._realm):
            return False
        # Only what cannot change is remembered; being kept here, its place in memory is nobody else's.
        if type(link) is TrackedLink:
            if len(self._own) >= _MAX_KNOWN:
                self._own.clear()
            self._own[id(link)] = link
        return True


def _found(key: str, registry: LinkRegistry | None, said: MessageToken | None) -> TrackedLink | None:
    if registry is None:
        return None
    find_in: Callable[[str, str], TrackedLink | None] | None = getattr(registry, "find_in", None)
    if find_in is not None and said is not None and (link := find_in(key, said.delivery_id)) is not None:
        return link
    return registry.find(key)


def _agree(said: MessageToken, parsed: ParsedUrl, link: TrackedLink) -> bool:
    """Whether the message part, and what the URL says in plain, are of this link."""
    return (
        said.delivery_id == link.delivery_id
        and said.variant == link.variant
        and (parsed.link_id is None or parsed.link_id == link.id)
        and (parsed.part is None or parsed.part is link.part)
    )
