"""Tracking messages as Django knows them: a body, alternatives, attachments and extra headers.

Only these fields are looked at, and the message is built from them later by whoever sends it. So it works in front of
SMTP as well as of a provider's API.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, Protocol, TypeVar

from attrs import evolve, field, frozen

from msgtrack._borders import shown, text_id
from msgtrack.errors import InvalidOption, InvalidValue, UnknownOption
from msgtrack.links import CompiledMessage, LinkRules, Tracker

__all__ = ["ANYMAIL", "MailTracking", "SendsMessages", "identify_by_attribute"]

ANYMAIL = "anymail"
"""The provider's name for all that Anymail speaks to: ids travel as its metadata, not in headers."""

M = TypeVar("M")
Identify = Callable[[Any], Mapping[str, Any] | None]

_SETTINGS = ("BACKEND", "IDENTIFY", "OPTIONS", "PROVIDER", "TRACKER")
_FOR_RENDERING = frozenset(("values", "policy", "seed", "unsubscribe"))
# The message itself says these.
_OWN = frozenset(("html", "text", "links_before"))
_BODY = -1
_PARTS = {"text/html": "html", "text/plain": "text"}


class SendsMessages(Protocol):
    """A backend that sends: Django's, Flask-Mailman's, Anymail's."""

    def send_messages(self, email_messages: Sequence[Any], /) -> int | None:
        """Send, and say how many."""
        ...


def identify_by_attribute(message: Any) -> Mapping[str, Any] | None:
    """What the message says of itself in its attribute ``msgtrack``, or None where it has none."""
    said: Mapping[str, Any] | None = getattr(message, "msgtrack", None)
    return said


@frozen
class _Body:
    """One text of a message: its part, and its place among the alternatives (-1 is the body itself)."""

    part: str
    place: int
    content: str


@frozen
class _Compiled:
    """What was compiled of one content: the compiled messages, each with its bodies."""

    bodies: tuple[_Body, ...]
    options: Mapping[str, Any]
    units: tuple[tuple[CompiledMessage, tuple[_Body, ...]], ...]


@frozen(kw_only=True)
class MailTracking:
    """Tracks messages on their way to a backend.

    Args:
        tracker: makes the links.
        identify: gives a mapping for a message: ``delivery_id``, ``message_id``, and what ``Tracker.compile`` and
            ``render`` take beside (``rules``, ``variant``, ``policy``, ``unsubscribe``, …). None, and the message is
            sent as it is. Left out, it is the message's attribute ``msgtrack``.
        options: what holds for all messages that do not say otherwise, such as ``{"unsubscribe": "hosted"}``.
        provider: whose webhooks shall find the message again; its headers are added (``Tracker.correlation``), or with
            ``anymail`` the metadata of Anymail. Empty is nobody.

    Raises:
        InvalidOption: the provider is unknown, or takes no headers.
        InvalidValue: the tracker is none, or what identifies cannot be called.
    """

    tracker: Tracker
    identify: Identify = identify_by_attribute
    options: Mapping[str, Any] = field(factory=dict)
    provider: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse what could not work, before the first message."""
        if not isinstance(self.tracker, Tracker):
            raise InvalidValue(f"TRACKER must be a Tracker, not {type(self.tracker).__name__}")
        if not callable(self.identify):
            raise InvalidValue(f"IDENTIFY must be a function of a message, not {type(self.identify).__name__}")
        if not isinstance(self.options, Mapping):
            raise InvalidValue(f"OPTIONS must be a mapping, not {type(self.options).__name__}")
        if self.provider and self.provider != ANYMAIL:
            ids: Any = {"delivery_id": "1", "message_id": "1"}
            if self.tracker.correlation(self.provider, **ids) == self.tracker.correlation(
                self.provider, **ids, form="metadata"
            ):
                raise InvalidOption(f"PROVIDER={self.provider!r} takes ids through its API alone, not in headers")

    @classmethod
    def from_settings(cls, settings: object) -> MailTracking:
        """The tracking that a framework's settings describe.

        Args:
            settings: a mapping with ``TRACKER`` (a tracker, a function that makes one, or the dotted name of either),
                and perhaps ``IDENTIFY`` (a function or its dotted name), ``OPTIONS``, ``PROVIDER``; ``BACKEND`` is left
                to the caller.

        Raises:
            InvalidOption: there is no tracker, or a name leads nowhere.
            UnknownOption: there is no setting of a name.
        """
        if not isinstance(settings, Mapping) or "TRACKER" not in settings:
            raise InvalidOption(
                "the setting MSGTRACK must be a mapping with TRACKER in it",
                hint='MSGTRACK = {"TRACKER": "shop.tracking.tracker"}',
            )
        if unknown := sorted(map(str, settings.keys() - set(_SETTINGS))):
            raise UnknownOption(f"the setting MSGTRACK has no {', '.join(unknown)}; it has: {', '.join(_SETTINGS)}")
        tracker = _named("TRACKER", settings["TRACKER"])
        return cls(
            tracker=tracker() if callable(tracker) else tracker,
            identify=_named("IDENTIFY", settings.get("IDENTIFY") or identify_by_attribute),
            options=settings.get("OPTIONS") or {},
            provider=settings.get("PROVIDER") or "",
        )

    def send_through(self, backend: SendsMessages, messages: Iterable[Any]) -> int | None:
        """Track messages and send them; what the backend writes down on one (Anymail's status) is put on the original.

        Nothing is sent when one of them cannot be tracked.

        Raises:
            MsgtrackError: as :meth:`prepare`; the errors of sending are the backend's own.
        """
        originals = list(messages)
        tracked = self.prepare(originals)
        before = [dict(vars(message)) for message in tracked]
        try:
            return backend.send_messages(tracked)
        finally:
            for original, sent, known in zip(originals, tracked, before, strict=True):
                for name, value in vars(sent).items():
                    if known.get(name, self) is not value:
                        setattr(original, name, value)

    def prepare(self, messages: Iterable[M]) -> list[M]:
        """The messages tracked: copies, where they are identified, and themselves where they are not.

        Messages of one delivery with the same content are compiled once. Registered links are published.

        Raises:
            InvalidValue: an id is missing or unfit, or the message has a header that the provider's ids would replace.
            UnknownOption: there is no option of a name.
            RenderError: a message cannot be rendered.
        """
        known: dict[tuple[str, str], _Compiled] = {}
        return [self._prepared(message, known) for message in messages]

    def _prepared(self, message: M, known: dict[tuple[str, str], _Compiled]) -> M:
        said = self.identify(message)
        if said is None:
            return message
        options = {**self.options, **_checked(said)}
        delivery_id, message_id = text_id(options.pop("delivery_id")), text_id(options.pop("message_id"))
        rendering = {name: options.pop(name) for name in _FOR_RENDERING & options.keys()}
        bodies = tuple(_bodies(message))
        # The latest content of each delivery is kept, so that memory does not grow with the messages.
        key = (delivery_id, str(options.get("variant", "")))
        compiled = known.get(key)
        if compiled is None or compiled.bodies != bodies or compiled.options != options:
            compiled = known[key] = self._compiled(bodies, delivery_id, options)
        out = copy.copy(message)
        headers: dict[str, str] = {}
        for unit, parts in compiled.units:
            rendered = unit.render(message_id=message_id, **rendering)
            headers |= rendered.headers
            for body in parts:
                _put(out, body.place, str(rendered.html if body.part == "html" else rendered.text))
        _put_headers(out, headers, replaced=("list-unsubscribe", "list-unsubscribe-post") if headers else ())
        self._put_correlation(out, delivery_id, message_id)
        return out

    def _compiled(self, bodies: tuple[_Body, ...], delivery_id: str, options: Mapping[str, Any]) -> _Compiled:
        units: list[tuple[CompiledMessage, tuple[_Body, ...]]] = []
        taken = 0
        for parts in _units(bodies):
            texts: dict[str, Any] = {body.part: body.content for body in parts} or {"text": ""}
            chosen = options if not units else _for_a_further_body(options)
            unit = self.tracker.compile(delivery_id=delivery_id, links_before=taken, **texts, **chosen)
            if self.tracker.registry is not None and self.tracker.link_style == "registered":
                self.tracker.registry.publish(unit)
            taken += len(unit.links)
            units.append((unit, parts))
        return _Compiled(bodies, dict(options), tuple(units))

    def _put_correlation(self, message: Any, delivery_id: str, message_id: str) -> None:
        if not self.provider:
            return
        if self.provider == ANYMAIL:
            pairs = self.tracker.correlation(ANYMAIL, delivery_id=delivery_id, message_id=message_id, form="metadata")
            message.metadata = {**(getattr(message, "metadata", None) or {}), **pairs}
            return
        headers = self.tracker.correlation(self.provider, delivery_id=delivery_id, message_id=message_id)
        taken = {name.lower() for name in message.extra_headers} & {name.lower() for name in headers}
        if taken:
            raise InvalidValue(
                f"the message has a header {', '.join(sorted(taken))} of its own, which the ids for {self.provider} "
                "would replace",
                hint="put Tracker.correlation(..., form='metadata') into it, and leave PROVIDER empty",
            )
        _put_headers(message, headers)


def _named(name: str, value: Any) -> Any:
    """What a dotted name stands for; anything else stands for itself."""
    if not isinstance(value, str):
        return value
    try:
        return resolve_name(value)
    except (AttributeError, ImportError, ValueError) as error:
        raise InvalidOption(f"{name}={value!r:.120} leads nowhere: {error}") from error


def _checked(said: object) -> dict[str, Any]:
    if not isinstance(said, Mapping):
        raise InvalidValue(f"a message is identified by a mapping, not by {shown(said)}")
    if missing := [name for name in ("delivery_id", "message_id") if said.get(name) is None]:
        raise InvalidValue(
            f"a tracked message needs {' and '.join(missing)}",
            hint='message.msgtrack = {"delivery_id": "spring", "message_id": "1001"}',
        )
    if own := sorted(_OWN & said.keys()):
        raise UnknownOption(f"a message takes {', '.join(own)} from its own body, not from its options")
    return dict(said)


def _bodies(message: Any) -> Iterator[_Body]:
    """The texts of a message that are HTML or plain text; what is empty, or anything else, is left alone."""
    part = _PARTS.get(f"text/{message.content_subtype}".lower())
    if part is not None and isinstance(message.body, str) and message.body:
        yield _Body(part, _BODY, message.body)
    for place, (content, mimetype) in enumerate(getattr(message, "alternatives", None) or ()):
        part = _PARTS.get(str(mimetype).lower())
        if part is not None and isinstance(content, str) and content:
            yield _Body(part, place, content)


def _units(bodies: Sequence[_Body]) -> list[tuple[_Body, ...]]:
    """What is compiled together: the first HTML with the first text, then each further body alone."""
    firsts = {body.part: body for body in reversed(bodies)}.values()
    main = tuple(body for body in bodies if any(body is first for first in firsts))
    return [main, *((body,) for body in bodies if not any(body is first for first in firsts))]


def _for_a_further_body(options: Mapping[str, Any]) -> dict[str, Any]:
    """One open image and one trap in all."""
    rules = options.get("rules")
    chosen = {"rules": evolve(rules, trap="")} if isinstance(rules, LinkRules) and rules.trap else {}
    return {**options, **chosen, "pixel": "none"}


def _put(message: Any, place: int, content: str) -> None:
    if place == _BODY:
        message.body = content
        return
    # A list of its own: the copy shares the author's.
    alternatives = list(message.alternatives)
    old = alternatives[place]
    alternatives[place] = old._replace(content=content) if hasattr(old, "_replace") else (content, old[1])
    message.alternatives = alternatives


def _put_headers(message: Any, headers: Mapping[str, str], replaced: Sequence[str] = ()) -> None:
    """The extra headers with these, in place of those that are ``replaced`` (in small letters)."""
    kept = {name: value for name, value in (message.extra_headers or {}).items() if name.lower() not in replaced}
    message.extra_headers = {**kept, **headers}
