"""A compiled message: parsed and signed once, rendered for any number of recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from msgtrack._borders import text_id
from msgtrack.errors import InvalidOption, NotOurs, NotPublished, NotSupported, RenderError
from msgtrack.links.compiled_bytes import pack, unpack
from msgtrack.links.decisions import Edit, Finding, LinkDecision
from msgtrack.links.formats import UrlFormat
from msgtrack.links.keyring import Keyring
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.signing import PLAIN_POLICY, MessageSigner
from msgtrack.links.writing import open_texts
from msgtrack.model import Consent, Part, Policy, TrackedLink

__all__ = [
    "CompiledMessage",
    "CompiledPart",
    "Contents",
    "Placeholder",
    "RenderedMessage",
]


@frozen(kw_only=True)
class Placeholder:
    """A place that each message fills; ``name`` is the key of ``values``."""

    name: str
    part: Part
    line: int
    column: int


@frozen(kw_only=True)
class RenderedMessage:
    """One recipient's message: its parts (None where there is none) and the headers to add.

    ``findings`` has one of the code ``address-as-id`` when the message's id looks like an address (it holds an
    ``@``) and is not concealed: whoever sees the links can read it.
    """

    html: str | None
    text: str | None
    headers: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


@frozen(kw_only=True)
class CompiledPart:
    """One part: its source, and its pieces; the message token stands between each two of them.

    ``pieces_without_pixel`` is for recipients whose opens must not be followed.
    """

    part: Part
    source: str
    pieces: tuple[str, ...]
    pieces_without_pixel: tuple[str, ...]


_ADDRESS = Finding(
    code="address-as-id",
    severity="warning",
    message="the message's id looks like an address, and whoever sees a link can read it; use an id, or conceal_ids=True",
    part=Part.HTML,
    line=1,
    column=1,
)


class HoldsKeys(Protocol):
    """What a compiled message needs of a tracker, when it is read from bytes."""

    @property
    def keyring(self) -> Keyring:
        """The secrets."""
        ...

    @property
    def realm(self) -> str:
        """The realm bound in the keys."""
        ...

    @property
    def url_format(self) -> UrlFormat:
        """How URLs look."""
        ...

    @property
    def registry(self) -> LinkRegistry | None:
        """Where registered links live."""
        ...


class Contents(Protocol):
    """What a compiled message tells of the author's text; it may be made when it is first asked for."""

    @property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links."""
        ...

    @property
    def decisions(self) -> tuple[LinkDecision, ...]:
        """What became of each link."""
        ...

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The changes."""
        ...


@frozen(kw_only=True)
class _ReadContents:
    links: tuple[TrackedLink, ...]
    decisions: tuple[LinkDecision, ...]
    edits: tuple[Edit, ...]


@frozen(kw_only=True, eq=False)
class CompiledMessage:
    """What ``Tracker.compile`` makes of a message: render it, look into it, undo it."""

    delivery_id: str
    variant: str
    kind: str
    findings: tuple[Finding, ...]
    placeholders: tuple[Placeholder, ...]
    parts: tuple[CompiledPart, ...] = field(repr=False)
    _contents: Contents = field(repr=False)
    _signer: MessageSigner | None = field(repr=False)
    _html: CompiledPart | None = field(init=False, repr=False)
    _text: CompiledPart | None = field(init=False, repr=False)
    _known: list[bool] = field(init=False, repr=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Work out once what every rendering needs."""
        by_part = {part.part: part for part in self.parts}
        put = object.__setattr__
        put(self, "_html", by_part.get(Part.HTML))
        put(self, "_text", by_part.get(Part.TEXT))

    @property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links, in the order of the source; HTML first."""
        return self._contents.links

    @property
    def decisions(self) -> tuple[LinkDecision, ...]:
        """What became of each link, tracked or not, in the order of the source."""
        return self._contents.decisions

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All changes to the author's text, in the order of the source."""
        return self._contents.edits

    def render(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = PLAIN_POLICY,
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
            unsubscribe: one or several for the ``List-Unsubscribe`` header: addresses (https, http or mailto), or the
                word ``hosted`` for the opt-out page of our own server, whatever the policy. An https one adds the
                one-click header of RFC 8058.

        Raises:
            InvalidId: the message id is empty or too long, or the URL format cannot write it.
            InvalidOption: an address of ``unsubscribe`` is unfit for a header.
            NotPublished: the links are registered and nobody published them.
            RenderError: the message was read from bytes without a tracker.
        """
        signer = self._signer
        if signer is None:
            raise self._keyless()
        if signer.registry is not None and not self._known:
            self._check_published(signer.registry)
        name = text_id(message_id)
        token = signer.part(name, policy, is_seed=seed)
        join = token.join if signer.spread is None else signer.joiner(token)
        html, text = self._html, self._text
        return RenderedMessage(
            html=None
            if html is None
            else join(html.pieces if policy.opens is not Consent.NONE else html.pieces_without_pixel),
            text=None if text is None else join(text.pieces),
            headers={} if unsubscribe is None else signer.headers(unsubscribe, token),
            findings=(_ADDRESS,) if "@" in name and not signer.conceal else (),
        )

    def restore(self, text: str) -> str:
        """The author's text of a rendered part (html or text): the edits undone in the text given.

        Raises:
            NotOurs: this compiled message did not make the text, or somebody changed it since.
            RenderError: the message was read from bytes without a tracker.
        """
        if self._signer is None:
            raise self._keyless()
        for part in self.parts:
            for pieces in (part.pieces, part.pieces_without_pixel):
                if self._signer.made(text, pieces):
                    return part.source
        raise NotOurs(f"this text of {len(text)} characters was not made by delivery {self.delivery_id!r}")

    def slots(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = PLAIN_POLICY,
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
        """The compiled message as bytes, for queues and caches: versioned, compressed, signed; no keys are in it.

        Raises:
            RenderError: the message was itself read from bytes without a tracker.
        """
        signer = self._signer
        if signer is None:
            raise self._keyless()
        values = {name: getattr(self, name) for name in _WRITTEN}
        values |= {"opened": signer.opened, "conceal": signer.conceal, "registered": signer.registry is not None}
        return pack(values, signer.key, signer.key_id)

    @classmethod
    def from_bytes(cls, data: bytes, *, tracker: HoldsKeys | None = None) -> CompiledMessage:
        """The compiled message that :meth:`to_bytes` wrote.

        Args:
            data: the bytes.
            tracker: who signs what is rendered; its keys must be those of the tracker that compiled (they may have
                rotated since), and so must realm, base URL and URL format. Without one the signature of the bytes
                is not checked, and the message can be looked at but neither rendered nor restored.

        Raises:
            InvalidValue: these are no such bytes, they are damaged, or a newer version wrote them.
            NotOurs: other keys or another realm wrote them, or somebody changed them since.
            InvalidOption: the tracker writes other URLs, or the links are registered and it has no registry.
        """
        if tracker is None:
            found = unpack(data, {**_WRITTEN, **_SETTINGS}, None)
            for name in _SETTINGS:
                del found[name]
            return cls._read(found, None)
        keyring, realm = tracker.keyring, tracker.realm
        found = unpack(
            data, {**_WRITTEN, **_SETTINGS}, lambda key_id: keyring.verifying_keys(key_id, "compiled", realm)
        )
        opened, conceal, registered = (found.pop(name) for name in _SETTINGS)
        said = {"delivery_id": found["delivery_id"], "variant": found["variant"]}
        written = open_texts(tracker.url_format, **said)
        if written != opened:
            raise InvalidOption(
                f"the message was compiled for URLs such as {'…'.join(opened)!r}, this tracker writes "
                f"{'…'.join(written)!r}"
            )
        if registered and tracker.registry is None:
            raise InvalidOption(
                "the message has registered links, and the tracker has no registry", hint="Tracker(..., registry=...)"
            )
        signer = MessageSigner(
            keyring,
            realm,
            tracker.url_format,
            tracker.registry if registered else None,
            **said,
            is_proof=found["kind"] == "proof",
            conceal=conceal,
            opened=opened,
        )
        return cls._read(found, signer)

    @classmethod
    def _read(cls, found: dict[str, Any], signer: MessageSigner | None) -> CompiledMessage:
        contents = _ReadContents(**{name: found.pop(name) for name in ("links", "decisions", "edits")})
        return cls(**found, contents=contents, signer=signer)

    def _keyless(self) -> RenderError:
        return RenderError(
            f"the compiled message of delivery {self.delivery_id!r} was read from bytes without keys",
            hint="read it with tracker.load(data)",
        )

    def _check_published(self, registry: LinkRegistry) -> None:
        for link in self.links:
            if registry.find(link.key) is None:
                raise NotPublished(
                    f"link {link.id} of delivery {self.delivery_id!r} is not in the registry",
                    hint="call registry.publish(compiled) before rendering",
                )
        self._known.append(True)


_WRITTEN: Mapping[str, Any] = {
    "delivery_id": str,
    "variant": str,
    "kind": str,
    "links": tuple[TrackedLink, ...],
    "decisions": tuple[LinkDecision, ...],
    "findings": tuple[Finding, ...],
    "edits": tuple[Edit, ...],
    "placeholders": tuple[Placeholder, ...],
    "parts": tuple[CompiledPart, ...],
}
_SETTINGS: Mapping[str, Any] = {"opened": tuple[str, ...], "conceal": bool, "registered": bool}
