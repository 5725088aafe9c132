"""Whole messages: an ``EmailMessage`` compiled once, and rendered for any number of recipients.

Only the bodies change. Every other part, every header that is not ours, and the order of both stay as they are, down to
the byte (``docs/how-to/whole-messages.md`` says what the standard library itself does to a message).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.message import Message
from email.policy import Compat32, EmailPolicy
from typing import Any, Generic, TypeVar, cast

from attrs import evolve, field, frozen

from msgtrack._borders import text_id
from msgtrack.errors import InvalidValue, RenderError
from msgtrack.links.compiled import CompiledMessage
from msgtrack.links.decisions import Finding, LinkDecision
from msgtrack.links.findings import LINE_LIMIT
from msgtrack.links.mail_parts import (
    MAIL_FINDINGS,
    BodyPart,
    MailFinding,
    copied,
    line_end,
    put_headers,
    read_parts,
)
from msgtrack.links.rules import LinkRules
from msgtrack.links.signing import PLAIN_POLICY
from msgtrack.model import Part, Policy, TrackedLink

__all__ = ["MAIL_FINDINGS", "CompiledMail", "MailBody", "MailFinding", "compile_mail"]

M = TypeVar("M", bound=Message)

_FOLD = 76
_LINE_END = re.compile(r"\r\n|\r|\n")
# Said once of the whole message, or of no use for a second body.
_ONCE = frozenset(("missing-text-part", "address-as-id"))


class _AsWritten(EmailPolicy):
    """The policy of new messages, that leaves the lines of headers alone which it has read."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header as octets, as it was read if mail can carry it so."""
        # What a program has set is an object of the policy's own, and has a name.
        octets = None if hasattr(value, "name") else _verbatim(self, name, value)
        return super().fold_binary(name, value) if octets is None else octets


class _OlderAsWritten(Compat32):
    """The policy of older messages, that does the same."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header as octets, as it was read if mail can carry it so."""
        octets = _verbatim(self, name, value)
        return super().fold_binary(name, value) if octets is None else octets


def _verbatim(policy: Any, name: str, value: object) -> bytes | None:
    """A header line for line, or None where it needs folding or encoding."""
    if not isinstance(value, str):
        return None
    first, *others = _LINE_END.split(value)
    if len(name) + 2 + len(first) > LINE_LIMIT or not all(
        line[:1] in (" ", "\t") and len(line) <= LINE_LIMIT for line in others
    ):
        return None
    try:
        octets = f"{name}: {policy.linesep.join((first, *others))}{policy.linesep}".encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return None
    return octets if octets.isascii() or policy.cte_type == "8bit" else None


@frozen(kw_only=True)
class MailBody:
    """One tracked body of a message: its section as IMAP numbers it, what it is, and how it was encoded."""

    section: str
    part: Part
    charset: str
    transfer_encoding: str


@frozen(kw_only=True)
class _Unit:
    """What was compiled together, and the bodies that it renders."""

    compiled: CompiledMessage
    html: BodyPart | None
    text: BodyPart | None


@frozen(kw_only=True, eq=False)
class CompiledMail(Generic[M]):
    """What ``Tracker.compile_message`` makes of a message: render it, look into it.

    ``compiled`` holds one compiled message as a rule: the first HTML and the first plain text, as ``Tracker.compile``
    takes them. Each further body is one of its own, and its links are numbered on. ``registry.publish`` takes the whole.
    """

    delivery_id: str
    bodies: tuple[MailBody, ...]
    findings: tuple[MailFinding, ...]
    _units: tuple[_Unit, ...] = field(repr=False)
    _message: M = field(repr=False)

    @property
    def compiled(self) -> tuple[CompiledMessage, ...]:
        """The compiled messages, the main one first; an empty one when there is no body."""
        return tuple(unit.compiled for unit in self._units)

    @property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links of all bodies; their ids are unique in the message."""
        return tuple(link for compiled in self.compiled for link in compiled.links)

    @property
    def decisions(self) -> tuple[LinkDecision, ...]:
        """What became of every link of all bodies."""
        return tuple(decision for compiled in self.compiled for decision in compiled.decisions)

    def render(
        self,
        *,
        message_id: str | int,
        values: Mapping[str, object] | None = None,
        policy: Policy = PLAIN_POLICY,
        seed: bool = False,
        unsubscribe: str | Sequence[str] | None = None,
    ) -> M:
        """One recipient's message, a new one of the same class; set ``To`` and sign it after this.

        Args:
            message_id: the message's id; at most 64 bytes of UTF-8. (Not the header ``Message-ID``.)
            values: what the placeholders stand for.
            policy: how far this recipient may be followed.
            seed: whether the recipient is a seed address.
            unsubscribe: addresses for ``List-Unsubscribe``, which takes the place of the one that was there; so does
                ``List-Unsubscribe-Post`` (RFC 8058), and without an https address there is none.

        Raises:
            InvalidId: the message id is empty or too long, or the URL format cannot write it.
            InvalidOption: an unsubscribe address is unfit.
            NotPublished: the links are registered and nobody published them.
            RenderError: a value has letters that a body's charset does not.
        """
        name = text_id(message_id)
        copies = copied(self._message)
        root = copies[0]
        headers: Mapping[str, str] = {}
        for number, unit in enumerate(self._units):
            asked = {"unsubscribe": unsubscribe} if number == 0 else {}
            out = unit.compiled.render(message_id=name, values=values, policy=policy, seed=seed, **asked)
            headers = {**out.headers, **headers}
            for part, text in ((unit.html, out.html), (unit.text, out.text)):
                if part is not None and text is not None:
                    _write(copies[part.place], root, part, text)
        if headers:
            put_headers(root, {"List-Unsubscribe-Post": None, **_folded(headers)})
        return cast("M", root)


def compile_mail(
    compiling: Callable[..., CompiledMessage], message: M, *, delivery_id: str | int, **options: Any
) -> CompiledMail[M]:
    """A whole message, compiled by ``Tracker.compile``; see ``Tracker.compile_message``.

    Raises:
        InvalidValue: it is no message of the standard library.
    """
    if not isinstance(message, Message):
        raise InvalidValue(
            f"a whole message is an EmailMessage, not {type(message).__name__}",
            hint="email.message_from_bytes(data, policy=email.policy.default)",
        )
    own = copied(message)[0]
    newline = line_end(own)
    own.policy = _keeping(own.policy, newline)
    bodies, findings = read_parts(own, own.policy.linesep)
    units: list[_Unit] = []
    taken = 0
    for html, text in _units(bodies):
        chosen = options if not units else _for_a_further_body(options)
        sources = {part.part.value: part.body.text for part in (html, text) if part is not None}
        compiled = compiling(delivery_id=delivery_id, links_before=taken, **sources, **chosen)
        taken += len(compiled.links)
        findings += _lifted(compiled.findings, html, text, is_main=not units)
        units.append(_Unit(compiled=compiled, html=html, text=text))
    if not units:
        # A message without a body has headers all the same, and a misspelt option must not wait for one with a body.
        nothing = compiling(delivery_id=delivery_id, text="", **options)
        units.append(_Unit(compiled=nothing, html=None, text=None))
    return CompiledMail(
        delivery_id=text_id(delivery_id),
        bodies=tuple(
            MailBody(
                section=part.section,
                part=part.part,
                charset=part.body.charset,
                transfer_encoding=part.body.transfer_encoding,
            )
            for part in bodies
        ),
        findings=tuple(findings),
        units=tuple(units),
        message=cast("M", own),
    )


def _units(bodies: Iterable[BodyPart]) -> list[tuple[BodyPart | None, BodyPart | None]]:
    """What is compiled together: the first HTML with the first text, then each body alone, in order."""
    html = [part for part in bodies if part.part is Part.HTML]
    text = [part for part in bodies if part.part is Part.TEXT]
    if not html and not text:
        return []
    rest = sorted((*html[1:], *text[1:]), key=lambda part: part.place)
    further = [(part, None) if part.part is Part.HTML else (None, part) for part in rest]
    return [(html[0] if html else None, text[0] if text else None), *further]


def _for_a_further_body(options: Mapping[str, Any]) -> dict[str, Any]:
    """One open image and one trap in all."""
    rules = options.get("rules")
    if isinstance(rules, LinkRules) and rules.trap:
        return {**options, "pixel": "none", "rules": evolve(rules, trap="")}
    return {**options, "pixel": "none"}


def _lifted(
    findings: Iterable[Finding], html: BodyPart | None, text: BodyPart | None, *, is_main: bool
) -> list[MailFinding]:
    bodies = {part.part: part for part in (html, text) if part is not None}
    return [
        MailFinding(
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            section=bodies[finding.part].section if finding.part in bodies else "",
            part=finding.part,
            line=finding.line,
            column=finding.column,
        )
        for finding in findings
        if (is_main or finding.code not in _ONCE) and not _is_mended(finding, bodies)
    ]


def _is_mended(finding: Finding, bodies: Mapping[Part, BodyPart]) -> bool:
    """Whether writing the message does what the finding asks for: a long line is encoded, except where lines may be long."""
    return finding.code == "long-line" and bodies[finding.part].body.transfer_encoding != "binary"


def _keeping(policy: Any, newline: str) -> Any:
    """The policy of a message, made to write headers and line ends as they were read."""
    ends = newline if policy.linesep == "\n" else policy.linesep
    if type(policy) is EmailPolicy:
        return _AsWritten(**{**vars(policy), "linesep": ends, "refold_source": "none"})
    if type(policy) is Compat32:
        return _OlderAsWritten(**{**vars(policy), "linesep": ends})
    # Somebody's own: its class knows what it does.
    return policy.clone(linesep=ends, **({"refold_source": "none"} if isinstance(policy, EmailPolicy) else {}))


def _write(part: Message, root: Message, body: BodyPart, text: str) -> None:
    try:
        written = body.body.write(text)
    except UnicodeEncodeError as error:
        raise RenderError(
            f"section {body.section or 'of the whole message'}: the charset {body.body.charset} cannot write "
            f"{error.object[error.start : error.end]!r:.40}",
            hint="send the part as UTF-8",
        ) from None
    part.set_payload(written.payload)
    if written.transfer_encoding is not None:
        put_headers(part, {"Content-Transfer-Encoding": written.transfer_encoding})
        if "mime-version" not in {name.lower() for name, _ in root.raw_items()}:
            put_headers(root, {"MIME-Version": "1.0"})


def _folded(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values with a line for each address where one line would be too long, as RFC 2369 has them."""
    folded = {}
    for name, value in headers.items():
        if "\r" in value or "\n" in value:
            raise InvalidValue(f"the header {name} must not hold a line break: {value!r:.80}")
        folded[name] = value if len(name) + 2 + len(value) <= _FOLD else value.replace(", ", ",\n ")
    return folded
