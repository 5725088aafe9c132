"""The tracker: what a mailer holds in its hand. It compiles messages and resolves the tracked URLs that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from msgtrack._borders import count, one_of, optional_utc, text_id, utc
from msgtrack.errors import CompileError, InvalidOption, InvalidValue, NotSupported, UnknownOption
from msgtrack.links.alphabet import digest_text, is_token_text
from msgtrack.links.campaign import CampaignFormat
from msgtrack.links.compile import Compiler
from msgtrack.links.compiled import CompiledMessage
from msgtrack.links.formats import CompactFormat, ParsedUrl, UrlFormat, base_of
from msgtrack.links.keyring import Keyring
from msgtrack.links.mail import CompiledMail, M, compile_mail
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.rules import LinkRules
from msgtrack.links.signing import MessageSigner
from msgtrack.links.tokens import KEY_LENGTH, MessageToken, is_own_link, read_link, read_message
from msgtrack.links.verp import MailAddresses
from msgtrack.links.writing import UrlWriter
from msgtrack.model import (
    OPEN_LINK_ID,
    Consent,
    LinkType,
    Policy,
    Resolution,
    ResolutionOutcome,
    TrackedLink,
)

__all__ = ["Tracker"]

_UNKNOWN = ResolutionOutcome.UNKNOWN
_SYNTAXES = ("none", "campaign", "jinja", "django", "liquid", "handlebars", "merge", "percent")
_syntax = one_of("syntax", _SYNTAXES)
_pixel = one_of("pixel", ("bottom", "top", "none"))
_kind = one_of("kind", ("normal", "proof"))
_link_style = one_of("link_style", ("stateless", "registered"))


class Tracker(MailAddresses):
    """Makes tracked messages and reads tracked URLs, for one base URL and one realm.

    Args:
        base_url: where the redirect server is reached, such as ``https://t.example.com``.
        keyring: the secrets that sign.
        registry: where registered links live; needed for ``link_style="registered"``, and to resolve such links.
        link_style: ``stateless`` (the destination travels in the link) or ``registered`` (short links, the
            destination stays in the registry).
        url_format: ``compact``, ``campaign`` (ids in hex, whole numbers only, with registered links), or an object of
            your own with the methods of ``UrlFormat``.
        realm: a tenant's name, bound in the keys: what one realm signed, no other believes.
        conceal_ids: hide message, delivery and link ids from those who see links and logs; no link gets longer.

    Raises:
        InvalidOption: an option has a value outside its list, or the base URL is unfit.
        UnknownOption: there is no option of this name.

    A tracker holds no state beside its keys; one may serve any number of threads.
    """

    def __init__(
        self,
        base_url: str,
        keyring: Keyring,
        registry: LinkRegistry | None = None,
        link_style: str = "stateless",
        url_format: str | UrlFormat = "compact",
        realm: str = "",
        conceal_ids: bool = False,
        **unknown: Never,
    ) -> None:
        _refuse("Tracker", unknown)
        if not isinstance(keyring, Keyring):
            raise InvalidValue(
                f"keyring must be a Keyring, not {type(keyring).__name__}", hint="Keyring.from_secrets(...)"
            )
        if not isinstance(realm, str):
            raise InvalidValue(f"realm must be text, not {type(realm).__name__}")
        self.base_url = base_of(base_url)
        self.keyring = keyring
        self.registry = registry
        self.link_style = _link_style(link_style)
        self.realm = realm
        self.url_format = _format(url_format, self.base_url)
        self.conceal_ids = _flag("conceal_ids", conceal_ids)
        if self.link_style == "registered" and registry is None:
            raise InvalidOption(
                "link_style='registered' needs a registry", hint="Tracker(..., registry=MemoryRegistry())"
            )
        if isinstance(self.url_format, CampaignFormat):
            if self.link_style != "registered":
                raise InvalidOption(
                    "url_format='campaign' holds no destinations, it needs link_style='registered'",
                    hint="Tracker(..., link_style='registered', registry=...)",
                )
            if self.conceal_ids:
                raise InvalidOption(
                    "url_format='campaign' shows ids by its nature, so conceal_ids=True cannot hide them"
                )

    def compile(
        self,
        *,
        html: str | None = None,
        text: str | None = None,
        delivery_id: str | int,
        variant: str = "",
        rules: LinkRules | None = None,
        syntax: str = "none",
        loaders: Mapping[str, Any] | None = None,
        pixel: str = "bottom",
        expires_at: datetime | None = None,
        kind: str = "normal",
        links_before: int = 0,
        **unknown: Never,
    ) -> CompiledMessage:
        """Find the links of a message and make them tracked, once for all its recipients.

        Args:
            html: the HTML part, or None.
            text: the plain-text part, or None.
            delivery_id: the delivery's id, at most 64 bytes of UTF-8.
            variant: the name of this content among several of one delivery.
            rules: which links, and how; None is ``LinkRules()``.
            syntax: how placeholders look; ``none`` says there are none, links that hold template tags are left alone.
            loaders: what the instructions of a syntax may include.
            pixel: where the open image stands: ``bottom``, ``top`` or ``none``.
            expires_at: the moment from which the links lead to the substitution page; None is never. Opens do not
                expire.
            kind: ``normal``, or ``proof``, whose reactions are left out of indicators.
            links_before: links of the delivery that were numbered already, in another part of the same message.

        Raises:
            CompileError: there is neither an HTML nor a text part.
            InvalidValue: a part is not text; the id or an option is unfit.
            InvalidId: the URL format cannot write the delivery's id.
            NotSupported: a syntax other than ``none``.
        """
        _refuse("compile", unknown)
        for name, part in (("html", html), ("text", text)):
            if part is not None and not isinstance(part, str):
                raise InvalidValue(
                    f"{name} must be text, not {type(part).__name__}", hint="decode it with its charset first"
                )
        if html is None and text is None:
            raise CompileError("there is nothing to compile: html and text are both None")
        if rules is not None and not isinstance(rules, LinkRules):
            raise InvalidValue(f"rules must be LinkRules, not {type(rules).__name__}")
        if _syntax(syntax) != "none" or loaders:
            raise NotSupported(f"placeholders (syntax={syntax!r}) are not there yet", hint="use syntax='none'")
        delivery, variant = text_id(delivery_id), text_id(variant) if variant else ""
        compiler = Compiler(
            delivery_id=delivery,
            variant=variant,
            rules=rules or LinkRules(),
            expires_at=optional_utc(expires_at),
            pixel=_pixel(pixel),
            keyring=self.keyring,
            realm=self.realm,
            writer=UrlWriter(
                self.url_format,
                self.keyring,
                self.realm,
                delivery_id=delivery,
                variant=variant,
                registered=self.link_style == "registered",
                conceal=self.conceal_ids,
            ),
            own=self.base_url,
            links_before=count(links_before),
        )
        parts = []
        if html is not None:
            parts.append(compiler.html(html))
        if text is not None:
            parts.append(compiler.text(text))
        compiler.finish(parts, are_ids_concealed=self.conceal_ids)
        return CompiledMessage(
            delivery_id=compiler.delivery_id,
            variant=compiler.variant,
            kind=_kind(kind),
            links=tuple(compiler.links),
            decisions=tuple(compiler.decisions),
            findings=tuple(compiler.findings),
            edits=tuple(compiler.edits),
            placeholders=(),
            parts=tuple(parts),
            signer=MessageSigner(
                self.keyring,
                self.realm,
                self.url_format,
                self.registry if self.link_style == "registered" else None,
                delivery_id=delivery,
                variant=variant,
                is_proof=_kind(kind) == "proof",
                conceal=self.conceal_ids,
                opened=compiler.writer.open,
            ),
        )

    def load(self, data: bytes) -> CompiledMessage:
        """The compiled message that ``compiled.to_bytes()`` wrote, fit to be rendered with this tracker's keys.

        Raises:
            InvalidValue: these are no such bytes, they are damaged, or a newer version wrote them.
            NotOurs: other keys or another realm wrote them, or somebody changed them since.
            InvalidOption: this tracker writes other URLs, or the links are registered and it has no registry.
        """
        return CompiledMessage.from_bytes(data, tracker=self)

    def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
        """What a tracked URL says: an absolute URL, or path and query as a server sees them.

        Known gateway damage is undone first. Any text gives a resolution, nothing is raised for bad URLs. With
        ``at``, links past their expiry are ``expired``.
        """
        parsed = self.url_format.parse(url)
        if parsed is None:
            return Resolution(outcome=_UNKNOWN)
        said = read_message(parsed.message, self.keyring, self.realm) if parsed.message else None
        moment = None if at is None else utc(at)
        if parsed.link == OPEN_LINK_ID:
            return self._open(said, moment, parsed.repairs)
        link = self._find(parsed.link)
        if link is None:
            return Resolution(outcome=_UNKNOWN, repairs=parsed.repairs)
        if said is not None and not (_agree(said, parsed, link) and self._is_ours(parsed.link, link)):
            said = None
        outcome = ResolutionOutcome.ANONYMOUS if said is None else ResolutionOutcome.VALID
        ends = [end for end in (link.expires_at, said.expires_at if said else None) if end is not None]
        if moment is not None and ends and moment >= min(ends):
            outcome = ResolutionOutcome.EXPIRED
        return Resolution(
            outcome=outcome,
            destination=None if outcome is ResolutionOutcome.EXPIRED else link.url,
            delivery_id=link.delivery_id,
            link_id=link.id,
            link_type=link.type,
            part=link.part,
            variant=link.variant,
            expires_at=min(ends, default=None),
            repairs=parsed.repairs,
            **self._identity(said),
        )

    def person_salt(self, day: str) -> bytes:
        """A secret of one day, for person keys made by hashing; see ``PeoplePolicy``."""
        return self.keyring.signing_key("people", self.realm).digest(day)

    def compile_message(self, email_message: M, *, delivery_id: str | int, **options: Any) -> CompiledMail[M]:
        """A whole message, compiled once for all its recipients; ``render`` makes a new message of each.

        Args:
            email_message: an ``EmailMessage``, or a ``Message`` of any kind; it is not changed.
            delivery_id: the delivery's id, at most 64 bytes of UTF-8.
            options: what :meth:`compile` takes beside the parts.

        Raises:
            InvalidValue: it is no message; an id or an option is unfit.
            UnknownOption: there is no option of this name.
        """
        return compile_mail(self.compile, email_message, delivery_id=delivery_id, **options)

    def track(
        self,
        email_message: M,
        *,
        delivery_id: str | int,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        rules: LinkRules | None = None,
        policy: Policy | None = None,
        unsubscribe: str | Sequence[str] | None = None,
        seed: bool = False,
        **options: Any,
    ) -> M:
        """A whole message, its bodies tracked, for one recipient: a new message of the same class.

        The bodies are the HTML and plain-text parts that are no attachments; every other part stays as it is, byte for
        byte, and so do signed and encrypted ones. Sign the message after this, not before. For many recipients
        :meth:`compile_message` does the work once, and says what was left alone and why.

        Args:
            email_message: an ``EmailMessage``, or a ``Message`` of any kind; it is not changed.
            delivery_id: the delivery's id, at most 64 bytes of UTF-8.
            message_id: the message's id; not the header ``Message-ID``.
            values: what the placeholders stand for.
            rules: which links, and how.
            policy: how far this recipient may be followed.
            unsubscribe: addresses for ``List-Unsubscribe``, in place of the one that was there.
            seed: whether the recipient is a seed address.
            options: what else :meth:`compile` takes.

        Registered links are published to the tracker's registry on the way.

        Raises:
            InvalidValue: it is no message; an id, an address or an option is unfit.
            UnknownOption: there is no option of this name.
        """
        mail = self.compile_message(email_message, delivery_id=delivery_id, rules=rules, **options)
        if self.registry is not None and self.link_style == "registered":
            self.registry.publish(mail)
        return mail.render(
            message_id=message_id, values=values, policy=policy or Policy(), seed=seed, unsubscribe=unsubscribe
        )

    def _open(self, said: MessageToken | None, at: datetime | None, repairs: tuple[str, ...]) -> Resolution:
        if said is None:
            return Resolution(outcome=_UNKNOWN, link_type=LinkType.OPEN, link_id=OPEN_LINK_ID, repairs=repairs)
        expired = at is not None and said.expires_at is not None and at >= said.expires_at
        return Resolution(
            outcome=ResolutionOutcome.EXPIRED if expired else ResolutionOutcome.VALID,
            delivery_id=said.delivery_id,
            link_id=OPEN_LINK_ID,
            link_type=LinkType.OPEN,
            variant=said.variant,
            expires_at=said.expires_at,
            repairs=repairs,
            **self._identity(said),
        )

    def _find(self, link: str) -> TrackedLink | None:
        if _is_key(link):
            found = self.registry.find(link) if self.registry is not None else None
        else:
            found = read_link(link, self.keyring, self.realm)
        # A registry may hold what somebody else put there: only http(s) is ever followed.
        return found if found is not None and found.url[:8].lower().startswith(("http://", "https://")) else None

    def _is_ours(self, part: str, link: TrackedLink) -> bool:
        # What our signature brought is ours; what a registry brought may be of another realm, or of another key.
        return not _is_key(part) or (link.key == part and is_own_link(link, self.keyring, self.realm))

    def _identity(self, said: MessageToken | None) -> dict[str, Any]:
        if said is None:
            return {}
        pseudonym = None
        if Consent.PSEUDONYMOUS in (said.policy.opens, said.policy.clicks):
            # By the secret that signed: a pseudonym must outlive the change to a new one.
            key = self.keyring.key_at(said.place, "pseudonym", self.realm)
            name = f"{len(said.delivery_id)}:{said.delivery_id}{said.message_id}"
            pseudonym = "~" + digest_text(key.digest(name), 26)
        return {
            "message_id": said.message_id,
            "policy": said.policy,
            "is_seed": said.is_seed,
            "is_proof": said.is_proof,
            "pseudonym": pseudonym,
        }


def _is_key(part: str) -> bool:
    return len(part) == KEY_LENGTH and is_token_text(part)


def _agree(said: MessageToken, parsed: ParsedUrl, link: TrackedLink) -> bool:
    """Whether the message part, and what the URL says in plain, are of this link."""
    return (
        (said.delivery_id, said.variant) == (link.delivery_id, link.variant)
        and parsed.link_id in (None, link.id)
        and parsed.part in (None, link.part)
    )


def _refuse(where: str, unknown: Mapping[str, object]) -> None:
    if unknown:
        raise UnknownOption(f"{where} has no option {', '.join(map(repr, unknown))}")


def _format(url_format: str | UrlFormat, base_url: str) -> UrlFormat:
    if url_format == "compact":
        return CompactFormat(base_url)
    if url_format == "campaign":
        return CampaignFormat(base_url)
    if not isinstance(url_format, str) and isinstance(url_format, UrlFormat):
        return url_format
    raise InvalidOption(
        f"url_format={url_format!r:.80} is neither 'compact', 'campaign' nor an object with prepare and parse"
    )


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidOption(f"{name}={value!r:.80} must be True or False")
