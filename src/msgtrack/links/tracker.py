"""The tracker: what a mailer holds in its hand. It compiles messages and resolves the tracked URLs that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from msgtrack._borders import count, one_of, optional_utc, text_id, utc
from msgtrack._options import base_of, refuse_unknown, switch
from msgtrack.errors import CompileError, InvalidOption, InvalidValue
from msgtrack.links.addresses import is_script
from msgtrack.links.campaign import CampaignFormat
from msgtrack.links.compile import Compiler
from msgtrack.links.compiled import CompiledMessage
from msgtrack.links.destinations import OwnBase
from msgtrack.links.drafts import Draft
from msgtrack.links.formats import CompactFormat, UrlFormat
from msgtrack.links.hosted_urls import HostedUrls, read_kind
from msgtrack.links.instructions import expand
from msgtrack.links.keyring import Keyring
from msgtrack.links.mail import CompiledMail, M, compile_mail
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.resolving import UrlReader
from msgtrack.links.rules import LinkRules
from msgtrack.links.sessions import SessionTokens
from msgtrack.links.signing import MessageSigner
from msgtrack.links.syntaxes import Syntax, syntax_of
from msgtrack.links.tokens import LinkKeys, LinkTexts, message_reader
from msgtrack.links.verp import MailAddresses
from msgtrack.links.writing import UrlWriter, open_texts
from msgtrack.model import Part, Policy, Resolution
from msgtrack.protocols import MessageReader

__all__ = ["Tracker"]

_RULES = LinkRules()
_pixel = one_of("pixel", ("bottom", "top", "none"))

_link_style = one_of("link_style", ("stateless", "registered"))


class Tracker(HostedUrls, MailAddresses, SessionTokens):
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

    A tracker holds no state beside its keys and what it has checked with them; one may serve any number of threads.
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
        refuse_unknown("Tracker", unknown)
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
        self.conceal_ids = switch("conceal_ids", conceal_ids)
        self._own = OwnBase(self.base_url)
        self._reader = UrlReader(keyring, realm)
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
        syntax: str | Syntax = "none",
        loaders: Mapping[str, object] | None = None,
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
            syntax: how placeholders in links look: ``none`` (there are none, links that hold template tags are left
                alone), ``campaign``, ``jinja``, ``django``, ``liquid``, ``handlebars``, ``merge``, ``percent``, or an
                object of your own with the methods of ``Syntax``. Tags outside of links stay as they are.
            loaders: what the instructions of the campaign syntax may include; see ``msgtrack.links.instructions``.
            pixel: where the open image stands: ``bottom``, ``top`` or ``none``.
            expires_at: the moment from which the links lead to the substitution page; None is never. Opens do not
                expire.
            kind: ``normal``, or ``proof``, whose reactions are left out of indicators.
            links_before: links of the delivery that were numbered already, in another part of the same message.

        Raises:
            CompileError: there is neither an HTML nor a text part; a link with placeholders must not be tracked (see
                ``LINK_PROBLEMS``), or an instruction is wrong (``INSTRUCTION_ERRORS``): ``code``, line and column say
                what and where.
            InvalidValue: a part is not text; the id or an option is unfit.
            InvalidId: the URL format cannot write the delivery's id.
        """
        refuse_unknown("compile", unknown)
        for name, part in (("html", html), ("text", text)):
            if part is not None and not isinstance(part, str):
                raise InvalidValue(
                    f"{name} must be text, not {type(part).__name__}", hint="decode it with its charset first"
                )
        if html is None and text is None:
            raise CompileError("there is nothing to compile: html and text are both None")
        if rules is not None and not isinstance(rules, LinkRules):
            raise InvalidValue(f"rules must be LinkRules, not {type(rules).__name__}")
        notation = syntax_of(syntax)
        if loaders and not is_script(notation):
            raise InvalidOption(
                f"loaders are for the instructions of syntax='campaign', not for syntax={notation.name!r:.80}"
            )
        delivery, variant = text_id(delivery_id), text_id(variant) if variant else ""
        said = {"delivery_id": delivery, "variant": variant}
        expires = optional_utc(expires_at)
        draft = Draft(delivery, variant, expires, LinkKeys(self.keyring, self.realm, **said))
        stateless = None
        if self.link_style == "stateless":
            stateless = LinkTexts(self.keyring, self.realm, **said, expires_at=expires, conceal=self.conceal_ids)
        opened = open_texts(self.url_format, **said)
        compiler = Compiler(
            draft=draft,
            writer=UrlWriter(self.url_format, opened, draft, stateless),
            rules=rules or _RULES,
            pixel=_pixel(pixel),
            own=self._own,
            syntax=None if notation.name == "none" else notation,
            reserved="id" if isinstance(self.url_format, CampaignFormat) else "",
            links_before=count(links_before),
        )
        parts = []
        if html is not None:
            parts.append(compiler.html(_expanded(draft, notation, html, loaders, Part.HTML)))
        if text is not None:
            parts.append(compiler.text(_expanded(draft, notation, text, loaders, Part.TEXT)))
        compiler.finish(parts, are_ids_concealed=self.conceal_ids)
        return CompiledMessage(
            **said,
            kind=read_kind(kind),
            syntax=notation.name,
            findings=tuple(compiler.findings),
            placeholders=tuple(compiler.placeholders),
            parts=tuple(parts),
            personal=tuple(compiler.personal),
            contents=draft,
            signer=MessageSigner(
                self.keyring,
                self.realm,
                self.url_format,
                self.registry if self.link_style == "registered" else None,
                **said,
                is_proof=read_kind(kind) == "proof",
                conceal=self.conceal_ids,
                opened=opened,
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
        return self._reader.read(self.url_format.parse(url), self.registry, None if at is None else utc(at))

    def message_reader(self) -> MessageReader | None:
        """What tells tracked URLs apart by message, for whoever reads many: of each family one must be resolved, not all.

        It is given the last segment of a path, and gives its family (a text) and the message's id when its
        signature holds; else None, which says nothing. Of two URLs that are equal up to there, in at most 4,096
        characters, and were resolved without repairs, last segments of one family make no difference at any one moment
        but in ``message_id`` and ``pseudonym``, as long as the registry says the same of their link. None where the URL
        format does not end in message parts.
        """
        # Whoever reads URLs in a way of their own may read these in another way, too.
        if type(self).resolve is not Tracker.resolve or type(self.url_format) is not CompactFormat:
            return None
        return message_reader(self.keyring, self.realm)

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


def _expanded(draft: Draft, syntax: Syntax, source: str, loaders: Mapping[str, object] | None, part: Part) -> str:
    """A part with its instructions carried out, where its syntax has any."""
    if not is_script(syntax) or "<%" not in source:
        return source
    expanded = expand(source, loaders, part=part)
    left = expanded.text.find("<%@")
    if left >= 0:
        line, column = expanded.position(left)
        raise CompileError(
            f"an instruction of the {part.value} part came out of a value, where none is carried out",
            line=line,
            column=column,
            code="malformed-instruction",
        )
    draft.indexes[part] = expanded
    return expanded.text


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
