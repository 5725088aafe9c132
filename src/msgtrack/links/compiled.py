"""A compiled message: parsed and signed once, rendered for any number of recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import text_id
from msgtrack.errors import InvalidOption, InvalidValue, NotOurs, NotPublished, RenderError
from msgtrack.links.compiled_bytes import pack, unpack
from msgtrack.links.decisions import Contents, Edit, Finding, LinkDecision, Placeholder, ReadContents
from msgtrack.links.formats import UrlFormat
from msgtrack.links.keyring import Keyring
from msgtrack.links.personal import Evaluators, PersonalLink, evaluators
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.signing import PLAIN_POLICY, MessageSigner
from msgtrack.links.slots import ROOT, filled_slots, template
from msgtrack.links.syntaxes import Syntax, syntax_of
from msgtrack.links.writing import fill, fill_mixed, open_texts
from msgtrack.model import Consent, Part, Policy, TrackedLink

__all__ = [
    "CompiledMessage",
    "CompiledPart",
    "RenderedMessage",
]


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

    With personalised links ``fills`` says what stands there: a text of the message token by its place, or the whole URL
    of a personalised link by the complement of its place. ``pieces_without_pixel`` and ``fills_without_pixel`` are for
    recipients whose opens must not be followed.
    """

    part: Part
    source: str
    pieces: tuple[str, ...]
    pieces_without_pixel: tuple[str, ...]
    fills: tuple[int, ...] = ()
    fills_without_pixel: tuple[int, ...] = ()


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


@frozen(kw_only=True, eq=False)
class CompiledMessage:
    """What ``Tracker.compile`` makes of a message: render it, look into it, undo it."""

    delivery_id: str
    variant: str
    kind: str
    syntax: str
    findings: tuple[Finding, ...]
    placeholders: tuple[Placeholder, ...]
    parts: tuple[CompiledPart, ...] = field(repr=False)
    personal: tuple[PersonalLink, ...] = field(default=(), repr=False)
    _contents: Contents = field(repr=False)
    _signer: MessageSigner | None = field(repr=False)
    _html: CompiledPart | None = field(init=False, repr=False)
    _text: CompiledPart | None = field(init=False, repr=False)
    _known: list[bool] = field(init=False, repr=False, factory=list)
    _evaluate: tuple[Evaluators, ...] = field(init=False, repr=False, default=())

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
            values: what the placeholders stand for, text or numbers; by name, or mappings in mappings for names with
                dots. A missing one is an error; what no link asks for is left alone.
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
            MissingValue: a placeholder has no value, or None.
            InvalidValue: a value is neither text nor number, is over 2,000 characters long, or holds control characters;
                all of them make a URL too long to be read again; ``values`` is no mapping.
            RenderError: the message was read from bytes without a tracker; an expression cannot be worked out.
        """
        signer, token = self._token(message_id, policy, seed=seed)
        texts = None if signer.spread is None else signer.texts(token)
        urls = self._personal_urls(signer, token, values) if self.personal else ()

        def join(pieces: tuple[str, ...], fills: tuple[int, ...]) -> str:
            if fills:
                return fill_mixed(pieces, fills, texts or (token,), urls)
            return token.join(pieces) if texts is None else fill(pieces, texts)

        html, text = self._html, self._text
        if html is not None:
            is_followed = policy.opens is not Consent.NONE
            shown = (html.pieces, html.fills) if is_followed else (html.pieces_without_pixel, html.fills_without_pixel)
        return RenderedMessage(
            html=None if html is None else join(*shown),
            text=None if text is None else join(text.pieces, text.fills),
            headers={} if unsubscribe is None else signer.headers(unsubscribe, token),
            findings=(_ADDRESS,) if "@" in str(message_id) and not signer.conceal else (),
        )

    def _token(self, message_id: str | int, policy: Policy, *, seed: bool) -> tuple[MessageSigner, str]:
        """Who signs, and the message part of one message."""
        signer = self._signer
        if signer is None:
            raise self._keyless()
        if signer.registry is not None and not self._known:
            self._check_published(signer.registry)
        return signer, signer.part(text_id(message_id), policy, is_seed=seed)

    def _personal_urls(self, signer: MessageSigner, token: str, values: Mapping[str, object] | None) -> list[str]:
        if values is None:
            values = {}
        elif not isinstance(values, Mapping):
            raise InvalidValue(f"values must be a mapping of names to values, not {type(values).__name__}")
        evaluate = self._evaluate
        if not evaluate:
            # Put there whole: another thread may be rendering.
            evaluate = tuple(map(evaluators, self.personal))
            object.__setattr__(self, "_evaluate", evaluate)
        return [
            signer.personal_url(link, token, link.filled(values, each))
            for link, each in zip(self.personal, evaluate, strict=True)
        ]

    def restore(self, text: str) -> str:
        """The author's text of a rendered part (html or text): the edits undone in the text given.

        Raises:
            NotOurs: this compiled message did not make the text, or somebody changed it since.
            RenderError: the message was read from bytes without a tracker.
        """
        if self._signer is None:
            raise self._keyless()
        signer = self._signer
        for part in self.parts:
            for pieces, fills in (
                (part.pieces, part.fills),
                (part.pieces_without_pixel, part.fills_without_pixel),
            ):
                if signer.made_personal(text, pieces, fills, self.personal) if fills else signer.made(text, pieces):
                    return part.source
        raise NotOurs(f"this text of {len(text)} characters was not made by delivery {self.delivery_id!r}")

    def slots(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = PLAIN_POLICY,
        seed: bool = False,
    ) -> dict[str, object]:
        """What fills the slots of :meth:`source` for one message: names and texts for the context of its engine.

        The arguments are those of :meth:`render`, and so are the errors. ``values`` are asked for the placeholders of
        links alone; a placeholder that only a loop of the template knows cannot be given. For Handlebars and Mustache
        the same names stand in ``@root`` as well.
        """
        signer, token = self._token(message_id, policy, seed=seed)
        urls = self._personal_urls(signer, token, values)
        slots = filled_slots(signer.texts(token), urls, signer.opened, is_followed=policy.opens is not Consent.NONE)
        return {**slots, ROOT: slots} if self.syntax in _ROOTED else {**slots}

    def source(self, syntax: str | Syntax, *, part: str | Part | None = None) -> str:
        """A part as a template of an outside engine: the author's tags as they were, tracked slots in its notation.

        Args:
            syntax: that engine's; the one that the message was compiled with, if it was with any.
            part: ``html`` or ``text``; None is the HTML part, where there is one.

        Raises:
            InvalidOption: the message was compiled with another syntax, the syntax has no notation for slots, or there
                is no such part.
            RenderError: the engine would not fill a slot, because it stands in a comment, say; or the message was read
                from bytes without a tracker.
        """
        signer = self._signer
        if signer is None:
            raise self._keyless()
        notation = syntax_of(syntax)
        if self.syntax not in ("none", notation.name):
            raise InvalidOption(f"the message was compiled with syntax={self.syntax!r:.80}, not {notation.name!r:.80}")
        wanted = (Part.TEXT if self._html is None else Part.HTML) if part is None else vocabulary.part(part)
        chosen = next((each for each in self.parts if each.part is wanted), None)
        if chosen is None:
            raise InvalidOption(f"the message has no {wanted.value} part")
        return template(
            wanted,
            chosen.pieces,
            chosen.fills,
            chosen.pieces_without_pixel,
            chosen.fills_without_pixel,
            signer.opened,
            notation,
        )

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
        contents = ReadContents(**{name: found.pop(name) for name in ("links", "decisions", "edits")})
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


# Without a syntax nobody knows yet whose template the source will be.
_ROOTED = ("handlebars", "none")

_WRITTEN: Mapping[str, Any] = {
    "delivery_id": str,
    "variant": str,
    "kind": str,
    "syntax": str,
    "links": tuple[TrackedLink, ...],
    "decisions": tuple[LinkDecision, ...],
    "findings": tuple[Finding, ...],
    "edits": tuple[Edit, ...],
    "placeholders": tuple[Placeholder, ...],
    "parts": tuple[CompiledPart, ...],
    "personal": tuple[PersonalLink, ...],
}
_SETTINGS: Mapping[str, Any] = {"opened": tuple[str, ...], "conceal": bool, "registered": bool}
