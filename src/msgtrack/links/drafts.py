"""What compiling writes down while it goes: a line for each link and each decision, made into values when somebody asks.

A mailer that compiles a message for one recipient never looks at them; then their making is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from msgtrack._trusted import trusted
from msgtrack.links.decisions import Edit, LinkDecision, LinkReason
from msgtrack.links.findings import Slot
from msgtrack.links.html import LinkSite
from msgtrack.links.positions import Positions
from msgtrack.links.tokens import LinkKeys
from msgtrack.model import LinkType, Part, TrackedLink, TrackingMode

__all__ = ["DecisionDraft", "Draft", "LinkDraft"]


_LABEL_LENGTH = 200
_tracked_link = trusted(TrackedLink)


class LinkDraft(NamedTuple):
    """A tracked link; what it shares with all others of its message is in the :class:`Draft`.

    ``label`` is what its author or a rule gave it; without one it goes by the text that ``site`` shows, else by the address as
    it was ``written``.
    """

    id: str
    url: str
    label: str
    category: str
    type: LinkType
    mode: TrackingMode
    part: Part
    site: LinkSite | None
    written: str


def _label(link: LinkDraft) -> str:
    label = link.label or (link.site.text if link.site is not None else "") or link.written
    label = label[:_LABEL_LENGTH]
    # A lone surrogate stands for an octet that no charset explains; no store could write it.
    return label if label.isprintable() else label.encode("utf-8", "replace").decode()


class DecisionDraft(NamedTuple):
    """A decision; ``offset`` is the link's place in the source of its part."""

    part: Part
    offset: int
    url: str
    reason: LinkReason
    link_id: str | None
    mode: TrackingMode | None


class Draft:
    """The links, decisions and edits of one compilation, in the order of the source."""

    def __init__(self, delivery_id: str, variant: str, expires_at: datetime | None, keys: LinkKeys) -> None:
        self.delivery_id = delivery_id
        self.variant = variant
        self.expires_at = expires_at
        self.link_drafts: list[LinkDraft] = []
        self.decision_drafts: list[DecisionDraft] = []
        self.slots: list[tuple[Part, list[Slot]]] = []
        self.indexes: dict[Part, Positions] = {}
        self._keys = keys
        self._made: dict[str, str] = {}

    def key(self, link: LinkDraft) -> str:
        """The link's name in a registry."""
        key = self._made.get(link.id)
        if key is None:
            key = self._made[link.id] = self._keys.key(link.part, link.id, link.url)
        return key

    def value(self, link: LinkDraft) -> TrackedLink:
        """The link whole."""
        return _tracked_link(
            delivery_id=self.delivery_id,
            id=link.id,
            url=link.url,
            key=self.key(link),
            label=_label(link),
            category=link.category,
            type=link.type,
            mode=link.mode,
            part=link.part,
            variant=self.variant,
            expires_at=self.expires_at,
        )

    @cached_property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links."""
        return tuple(map(self.value, self.link_drafts))

    @cached_property
    def decisions(self) -> tuple[LinkDecision, ...]:
        """What became of each link."""
        return tuple(_decision(draft, self.indexes) for draft in self.decision_drafts)

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """The changes to the parts."""
        return tuple(
            Edit(part=part, start=start, end=end, kind=kind)
            for part, slots in self.slots
            for start, end, kind, _ in slots
        )


def _decision(draft: DecisionDraft, indexes: Mapping[Part, Positions]) -> LinkDecision:
    line, column = indexes[draft.part].position(draft.offset)
    return LinkDecision(
        part=draft.part,
        line=line,
        column=column,
        url=draft.url,
        tracked=draft.reason is LinkReason.TRACKED,
        reason=draft.reason,
        link_id=draft.link_id,
        mode=draft.mode,
    )
