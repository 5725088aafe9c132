"""The parts of a whole message: which are its bodies, which are left alone and why, and copies that share nothing
that anybody could change.

Headers are read as they stand, by the standard library's oldest and most forgiving reader, whatever policy the message
has: its newer one raises errors of many kinds on headers that the wild holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import copy
from email.message import Message
from email.policy import compat32
from types import MappingProxyType
from typing import Any

from attrs import frozen

from msgtrack.links.mail_text import BodyText, read_text
from msgtrack.model import Part

__all__ = ["MAIL_FINDINGS", "BodyPart", "MailFinding", "copied", "line_end", "parts_of", "put_headers", "read_parts"]

MAIL_FINDINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "amp": ("info", "The part is AMP for mail and is left alone."),
        "arc-signed": ("warning", "There is an ARC seal. It does not hold for the tracked message: take it off."),
        "attached-message": ("info", "A message is attached. It is left alone, links and all."),
        "attachment": ("info", "A text is attached as a file, or is a resource of another part. It is left alone."),
        "calendar": ("info", "The part is an invitation and is left alone."),
        "dkim-signed": (
            "warning",
            "There is a DKIM signature. It does not hold for the tracked message: track first, then sign.",
        ),
        "encrypted": ("info", "The part is encrypted and is left alone."),
        "no-body": ("warning", "There is no HTML and no plain text that could be tracked."),
        "signed": ("info", "The part is signed, and its signature would break. It is left alone."),
        "unknown-bytes": (
            "warning",
            "The part holds bytes that its charset does not know. They stay as they are, and a link that holds one is left alone.",
        ),
        "unreadable": ("warning", "The part's charset or transfer encoding is unknown or damaged. It is left alone."),
    }
)
"""The findings that only whole messages have, each code with its severity and what it means."""

_ENCRYPTED = ("multipart/encrypted", "application/pgp-encrypted")
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_LEFT_ALONE = {
    "multipart/signed": "signed",
    "text/x-amp-html": "amp",
    "text/calendar": "calendar",
    "application/ics": "calendar",
    **dict.fromkeys(_ENCRYPTED, "encrypted"),
}
_BODIES = {"text/html": Part.HTML, "text/plain": Part.TEXT}
_ARMOR = re.compile(r"^-----BEGIN PGP (SIGNED )?MESSAGE-----[ \t]*\r?$", re.MULTILINE)


@frozen(kw_only=True)
class MailFinding:
    """Something a sender should look at before sending a whole message.

    ``code`` is one of ``msgtrack.links.FINDINGS`` or of ``MAIL_FINDINGS``; ``severity`` is ``info`` or ``warning``.
    ``section`` numbers the part as IMAP does ("1.2" is the second part of the first; empty is the message itself), and
    ``part`` says what it is, where it is a body; line and column are those in its decoded text.
    """

    code: str
    severity: str
    message: str
    section: str = ""
    part: Part | None = None
    line: int = 1
    column: int = 1


@frozen(kw_only=True)
class BodyPart:
    """One body of a message: its place among all parts in their order, its section, and its text."""

    place: int
    section: str
    part: Part
    body: BodyText


@frozen(kw_only=True)
class _Found:
    message: Message
    section: str
    view: Message
    above: str
    is_first: bool
    is_root_of_related: bool


def mail_finding(code: str, section: str = "", detail: str = "") -> MailFinding:
    """A finding of the list, its severity and words looked up."""
    severity, message = MAIL_FINDINGS[code]
    return MailFinding(code=code, severity=severity, message=f"{message} {detail}".rstrip(), section=section)


def parts_of(message: Message) -> Iterator[Message]:
    """A message and all its parts, each before its own parts; however deep they lie."""
    stack = [message]
    while stack:
        part = stack.pop()
        yield part
        stack += reversed(_inner(part))


def copied(message: Message) -> list[Message]:
    """A copy of a message and of all its parts, in the order of :func:`parts_of`.

    Texts and header values are shared, because nobody can change them.
    """
    copies: list[Message] = []
    stack: list[tuple[Message, list[Message | str] | None]] = [(message, None)]
    while stack:
        part, siblings = stack.pop()
        twin = copy(part)
        # A shallow copy shares the list of headers, and `set_raw` appends to it.
        vars(twin)["_headers"] = list(part.raw_items())
        twin.defects = list(part.defects)
        inner = _inner(part)
        if inner:
            children: list[Message | str] = []
            twin.set_payload(children)
            stack += [(child, children) for child in reversed(inner)]
        if siblings is not None:
            siblings.append(twin)
        copies.append(twin)
    return copies


def put_headers(message: Message, headers: Mapping[str, str | None]) -> None:
    """Set headers, each in the place of the first of its name or behind all others; None takes them out.

    Everything else keeps its place and its bytes.
    """
    waiting = {name.lower(): (name, value) for name, value in headers.items()}
    known = frozenset(waiting)
    kept: list[tuple[str, Any]] = []
    for name, value in message.raw_items():
        if name.lower() not in known:
            kept.append((name, value))
        elif name.lower() in waiting:
            kept.append(waiting.pop(name.lower()))
    kept += waiting.values()
    vars(message)["_headers"] = [(name, value) for name, value in kept if value is not None]


def line_end(message: Message) -> str:
    """How the lines of a message end, by what it holds: CRLF or LF."""
    breaks = ends = 0
    for part in parts_of(message):
        texts = [str(value) for _, value in part.raw_items()]
        texts += [text for text in (_payload(part), part.preamble, part.epilogue) if isinstance(text, str)]
        ends += sum(text.count("\n") for text in texts)
        breaks += sum(text.count("\r\n") for text in texts)
    return "\r\n" if 2 * breaks > ends else "\n"


def read_parts(message: Message, newline: str) -> tuple[list[BodyPart], list[MailFinding]]:
    """The bodies of a message, and what is to be said of it and of the parts that are left alone."""
    places = {id(part): place for place, part in enumerate(parts_of(message))}
    bodies: list[BodyPart] = []
    findings: list[MailFinding] = []
    names = {name.lower() for name, _ in message.raw_items()}
    if "dkim-signature" in names:
        findings.append(mail_finding("dkim-signed"))
    if not names.isdisjoint(("arc-seal", "arc-message-signature")):
        findings.append(mail_finding("arc-signed"))
    for found in _reachable(message, findings):
        part = _BODIES[found.view.get_content_type()]
        body = _read_body(found, newline)
        armor = _ARMOR.search(body.text) if body is not None and part is Part.TEXT else None
        if body is None:
            findings.append(mail_finding("unreadable", found.section))
        elif armor is not None:
            findings.append(mail_finding("signed" if armor[1] else "encrypted", found.section))
        else:
            if not body.exact:
                findings.append(mail_finding("unknown-bytes", found.section))
            place = places[id(found.message)]
            bodies.append(BodyPart(place=place, section=found.section, part=part, body=body))
    if not bodies:
        findings.append(mail_finding("no-body"))
    return bodies, findings


def _reachable(message: Message, findings: list[MailFinding]) -> Iterator[_Found]:
    """The parts that are HTML or plain text and not to be left alone."""
    root = _Found(message=message, section="", view=_view(message), above="", is_first=True, is_root_of_related=True)
    stack = [root]
    while stack:
        found = stack.pop()
        kind = found.view.get_content_type()
        code = _left_alone(found, kind)
        if code is not None:
            if code:
                findings.append(mail_finding(code, found.section, f"({kind[:80]})"))
        elif kind.startswith("multipart/"):
            stack += reversed(_children(found, kind))
        elif kind in _BODIES and isinstance(_payload(found.message), str):
            yield found


def _left_alone(found: _Found, kind: str) -> str | None:
    """The code of what is said of a part that is left alone, empty for one that nobody would track; None for others."""
    is_text = kind in _BODIES or kind.startswith("multipart/")
    if kind in _LEFT_ALONE:
        return _LEFT_ALONE[kind]
    if kind in _SMIME:
        return "signed" if _parameter(found.view, "smime-type").lower() == "signed-data" else "encrypted"
    if kind.startswith("message/"):
        return "attached-message"
    if not is_text:
        return ""
    if _is_file(found) or (found.above == "multipart/related" and not found.is_root_of_related):
        return "attachment"
    return None


def _is_file(found: _Found) -> bool:
    view = found.view
    disposition = str(view.get("content-disposition", "")).partition(";")[0].strip().lower()
    if disposition == "attachment" or _has_parameter(view, "filename", "content-disposition"):
        return True
    # Older mailers name attachments in the type alone; some name the body, too, which comes first or among alternatives.
    is_body = found.is_first or found.above == "multipart/alternative"
    return not is_body and _has_parameter(view, "name", "content-type")


def _children(found: _Found, kind: str) -> list[_Found]:
    prefix = f"{found.section}." if found.section else ""
    start = _parameter(found.view, "start").strip() if kind == "multipart/related" else ""
    children = []
    for number, part in enumerate(_inner(found.message), 1):
        view = _view(part)
        name = str(view.get("content-id", "")).strip()
        # A part of multipart/related that has no name cannot be anybody's resource (RFC 2387).
        is_nameless = not name and "content-location" not in view
        is_root = is_nameless or (name == start if start else number == 1)
        children.append(
            _Found(
                message=part,
                section=f"{prefix}{number}",
                view=view,
                above=kind,
                is_first=number == 1,
                is_root_of_related=is_root,
            )
        )
    return children


def _read_body(found: _Found, newline: str) -> BodyText | None:
    try:
        payload = str(_payload(found.message)).encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return None
    return read_text(
        payload,
        charset=_parameter(found.view, "charset"),
        transfer_encoding=str(found.view.get("content-transfer-encoding", "")),
        newline=newline.encode(),
    )


def _inner(part: Message) -> list[Message]:
    inner = _payload(part)
    return inner if isinstance(inner, list) and all(isinstance(each, Message) for each in inner) else []


def _payload(part: Message) -> Any:
    # What stands in the message; `get_payload` would read headers under the message's policy, and guess at charsets.
    return vars(part).get("_payload")


def _view(part: Message) -> Message:
    """The headers about content, ASCII and nothing else, in a message of the forgiving kind."""
    view: Message = Message(policy=compat32)
    for name, value in part.raw_items():
        if name.lower().startswith("content-"):
            view.set_raw(name, str(value).encode("ascii", "replace").decode())
    view.set_default_type(part.get_default_type())
    return view


def _has_parameter(view: Message, name: str, header: str) -> bool:
    try:
        return view.get_param(name, header=header) is not None
    except (TypeError, ValueError):
        # Continued parameters (RFC 2231) that are numbered and not, or by numbers of thousands of digits.
        return True


def _parameter(view: Message, name: str) -> str:
    try:
        value = view.get_param(name)
    except (TypeError, ValueError):
        return ""
    if isinstance(value, tuple):
        value = value[2]
    return value if isinstance(value, str) else ""
