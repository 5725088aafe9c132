"""A compiled message: parsed and signed once, rendered for any number of recipients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from attrs import field, frozen

from msgtrack._borders import text_id
from msgtrack.errors import InvalidOption, InvalidValue, NotOurs, NotPublished, NotSupported
from msgtrack.links.keyring import Keyring
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.tokens import encode_id, message_head, message_tail, message_text, read_message
from msgtrack.model import Consent, Part, Policy, TrackedLink

__all__ = [
    "CompiledMessage",
    "CompiledPart",
    "Edit",
    "Finding",
    "LinkDecision",
    "LinkReason",
    "Placeholder",
    "RenderedMessage",
]

_TOKEN = re.compile(r"[a-z0-9.-]+")
_POLICY = Policy()


class LinkReason(StrEnum):
    """Why a link is tracked or left alone; a closed list.

    ``tracked``: it is. ``marker``: an opt-out marker stands on it. ``rule``: a rule leaves it out.
    ``switched-off``: links are not tracked in this message. ``empty``, ``fragment``: there is nowhere to go, or
    only within the page. ``scheme``: mailto, tel and whatever is not http(s). ``relative``: there is no ``<base
    href>`` to make it whole. ``template-tag``: it holds a tag of a template language. ``invalid-url``: no browser
    could follow it. ``already-tracked``: it leads to our own server. ``url-as-text``: its visible text is a URL,
    and the rules say to skip those.
    """

    TRACKED = "tracked"
    MARKER = "marker"
    RULE = "rule"
    SWITCHED_OFF = "switched-off"
    EMPTY = "empty"
    FRAGMENT = "fragment"
    SCHEME = "scheme"
    RELATIVE = "relative"
    TEMPLATE_TAG = "template-tag"
    INVALID_URL = "invalid-url"
    ALREADY_TRACKED = "already-tracked"
    URL_AS_TEXT = "url-as-text"


@frozen(kw_only=True)
class LinkDecision:
    """What became of one link of the message: where it stands (line and column from 1), and why."""

    part: Part
    line: int
    column: int
    url: str
    tracked: bool
    reason: LinkReason
    link_id: str | None = None


@frozen(kw_only=True)
class Finding:
    """Something a sender should look at before sending; ``severity`` is ``info``, ``warning`` or ``error``."""

    code: str
    severity: str
    message: str
    part: Part
    line: int
    column: int


@frozen(kw_only=True)
class Edit:
    """One change to the author's text: the characters from ``start`` to ``end`` of the source give way.

    ``kind`` is ``link`` (a destination), ``marker`` (removed) or ``pixel`` (inserted; start equals end).
    """

    part: Part
    start: int
    end: int
    kind: str


@frozen(kw_only=True)
class Placeholder:
    """A place that each message fills; ``name`` is the key of ``values``."""

    name: str
    part: Part
    line: int
    column: int


@frozen(kw_only=True)
class RenderedMessage:
    """One recipient's message: its parts (None where there is none) and the headers to add."""

    html: str | None
    text: str | None
    headers: Mapping[str, str]


@frozen(kw_only=True)
class CompiledPart:
    """One part: its source, and its pieces; the message token stands between each two of them.

    ``pieces_without_pixel`` is for recipients whose opens must not be followed.
    """

    part: Part
    source: str
    pieces: tuple[str, ...]
    pieces_without_pixel: tuple[str, ...]


@frozen(kw_only=True, eq=False)
class CompiledMessage:
    """What ``Tracker.compile`` makes of a message: render it, look into it, undo it."""

    delivery_id: str
    variant: str
    kind: str
    links: tuple[TrackedLink, ...]
    decisions: tuple[LinkDecision, ...]
    findings: tuple[Finding, ...]
    edits: tuple[Edit, ...]
    placeholders: tuple[Placeholder, ...]
    parts: tuple[CompiledPart, ...] = field(repr=False)
    _keyring: Keyring = field(repr=False)
    _realm: str = field(repr=False)
    _registry: LinkRegistry | None = field(repr=False)
    _delivery_token: str = field(init=False, repr=False)
    _tail: str = field(init=False, repr=False)
    _default_head: str = field(init=False, repr=False)
    _html: CompiledPart | None = field(init=False, repr=False)
    _text: CompiledPart | None = field(init=False, repr=False)
    _known: list[bool] = field(init=False, repr=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Work out once what every rendering needs."""
        by_part = {part.part: part for part in self.parts}
        put = object.__setattr__
        put(self, "_html", by_part.get(Part.HTML))
        put(self, "_text", by_part.get(Part.TEXT))
        put(self, "_delivery_token", encode_id(self.delivery_id))
        put(self, "_tail", message_tail(None, self.variant))
        put(self, "_default_head", self._head(_POLICY, is_seed=False))

    def render(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = _POLICY,
        seed: bool = False,
        unsubscribe: str | Sequence[str] | None = None,
    ) -> RenderedMessage:
        """One recipient's message.

        Args:
            message_id: the message's id; at most 64 bytes of UTF-8.
            values: what the placeholders stand for; a missing one is an error.
            policy: how far this recipient may be followed; frozen in the links. ``opens="none"`` leaves the open
                image out.
            seed: whether the recipient is a seed address, left out of indicators.
            unsubscribe: addresses (https, http or mailto) for the ``List-Unsubscribe`` header; an https one adds
                the one-click header of RFC 8058.

        Raises:
            InvalidId: the message id is empty or too long.
            NotPublished: the links are registered and nobody published them.
        """
        if self._registry is not None and not self._known:
            self._check_published(self._registry)
        head = self._default_head if policy is _POLICY and not seed else self._head(policy, is_seed=seed)
        key = self._keyring.signing_key("message", self._realm)
        token = message_text(head, self._delivery_token, text_id(message_id), self._tail, key)
        followed = policy.opens is not Consent.NONE
        html, text = self._html, self._text
        return RenderedMessage(
            html=None if html is None else token.join(html.pieces if followed else html.pieces_without_pixel),
            text=None if text is None else token.join(text.pieces),
            headers={} if unsubscribe is None else _unsubscribe_headers(unsubscribe),
        )

    def restore(self, text: str) -> str:
        """The author's text of a rendered part (html or text): the edits undone in the text given.

        Raises:
            NotOurs: this compiled message did not make the text, or somebody changed it since.
        """
        for part in self.parts:
            for pieces in (part.pieces, part.pieces_without_pixel):
                if self._made(text, pieces):
                    return part.source
        raise NotOurs(f"this text of {len(text)} characters was not made by delivery {self.delivery_id!r}")

    def slots(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = _POLICY,
    ) -> dict[str, str]:
        """What an outside template engine needs to fill :meth:`source`.

        Raises:
            NotSupported: always; templates of outside engines are not there yet.
        """
        raise NotSupported("slots for outside template engines are not there yet", hint="use render()")

    def source(self, syntax: str) -> str:
        """The template back, with tracked slots in an engine's own notation.

        Raises:
            NotSupported: always; templates of outside engines are not there yet.
        """
        raise NotSupported(f"the template in {syntax!r} notation is not there yet", hint="use render()")

    def to_bytes(self) -> bytes:
        """The compiled message as bytes, for queues and caches.

        Raises:
            NotSupported: always; compile the message again where it is needed, the result is the same.
        """
        raise NotSupported(
            "compiled messages cannot be written to bytes yet", hint="compile again, it is deterministic"
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> CompiledMessage:
        """The compiled message that :meth:`to_bytes` wrote.

        Raises:
            NotSupported: always; see :meth:`to_bytes`.
        """
        raise NotSupported("compiled messages cannot be read from bytes yet", hint="compile again, it is deterministic")

    def _head(self, policy: Policy, *, is_seed: bool) -> str:
        return message_head(self._keyring.key_id, policy, is_seed=is_seed, is_proof=self.kind == "proof")

    def _check_published(self, registry: LinkRegistry) -> None:
        for link in self.links:
            if registry.find(link.key) is None:
                raise NotPublished(
                    f"link {link.id} of delivery {self.delivery_id!r} is not in the registry",
                    hint="call registry.publish(compiled) before rendering",
                )
        self._known.append(True)

    def _made(self, text: str, pieces: tuple[str, ...]) -> bool:
        if len(pieces) == 1:
            return text == pieces[0]
        slots = len(pieces) - 1
        length, rest = divmod(len(text) - sum(map(len, pieces)), slots)
        if rest or length < 1:
            return False
        token = text[len(pieces[0]) : len(pieces[0]) + length]
        if not _TOKEN.fullmatch(token) or token.join(pieces) != text:
            return False
        said = read_message(token, self._keyring, self._realm)
        return said is not None and (said.delivery_id, said.variant) == (self.delivery_id, self.variant)


def _unsubscribe_headers(unsubscribe: str | Sequence[str]) -> dict[str, str]:
    addresses = (unsubscribe,) if isinstance(unsubscribe, str) else tuple(unsubscribe)
    if not addresses:
        raise InvalidOption("unsubscribe holds no address")
    for address in addresses:
        if address == "hosted":
            raise NotSupported(
                "the hosted opt-out is not there yet", hint="give an https or mailto address of your own"
            )
        if not isinstance(address, str):
            raise InvalidValue(f"an unsubscribe address must be text, not {address!r:.80}")
        if not re.fullmatch(r"(?:https?://|mailto:)[!#-;=?-Z\[\]_a-z~]+", address):
            raise InvalidOption(f"unsubscribe={address!r:.120} is no https, http or mailto address fit for a header")
    headers = {"List-Unsubscribe": ", ".join(f"<{address}>" for address in addresses)}
    if any(address.startswith("https://") for address in addresses):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
