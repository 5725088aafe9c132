"""What a compiled message tells of the author's text: a decision on every link, findings, and edits."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from attrs import frozen

from msgtrack.model import Part, TrackedLink, TrackingMode

__all__ = ["Contents", "Edit", "Finding", "LinkDecision", "LinkReason", "Placeholder", "ReadContents"]


class LinkReason(StrEnum):
    """Why a link is tracked or left alone; a closed list.

    ``tracked``: it is. ``marker``: an opt-out marker stands on it. ``rule``: a rule leaves it out.
    ``switched-off``: links are not tracked in this message. ``empty``, ``fragment``: there is nowhere to go, or
    only within the page. ``scheme``: mailto, tel and whatever is not http(s). ``relative``: there is no ``<base
    href>`` to make it whole. ``template-tag``: it holds a tag of a template language. ``invalid-url``: no browser
    could follow it. ``already-tracked``: it leads to our own server. ``url-as-text``: its visible text is a URL,
    and the rules say to skip those. ``memory``: it is remembered as never tracked. ``amp``: the part is AMP for mail.
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
    MEMORY = "memory"
    AMP = "amp"


@frozen(kw_only=True)
class LinkDecision:
    """What became of one link of the message: where it stands (line and column from 1), and why.

    ``url`` is where the author's link leads; ``mode`` the one that the rules or the memory gave it, None where neither
    had a word on it.
    """

    part: Part
    line: int
    column: int
    url: str
    tracked: bool
    reason: LinkReason
    link_id: str | None = None
    mode: TrackingMode | None = None


@frozen(kw_only=True)
class Finding:
    """Something a sender should look at before sending; ``severity`` is ``info`` or ``warning``.

    ``code`` is one of ``msgtrack.links.FINDINGS``. What concerns a part as a whole stands at line 1, column 1.
    """

    code: str
    severity: str
    message: str
    part: Part
    line: int
    column: int


@frozen(kw_only=True)
class Edit:
    """One change to the author's text: the characters from ``start`` to ``end`` of the source give way.

    ``kind`` is ``link`` (a destination), ``marker`` (removed, or inserted for a provider), ``pixel`` or ``trap`` (both
    inserted). Where something is inserted, start equals end.
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
class ReadContents:
    """Contents that were written down."""

    links: tuple[TrackedLink, ...]
    decisions: tuple[LinkDecision, ...]
    edits: tuple[Edit, ...]
