"""Compiling: find the links of a message, decide on each, sign them, and cut the text into pieces around the
message token.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, evolve, field

from msgtrack import vocabulary
from msgtrack.errors import InvalidOption
from msgtrack.links.compiled import CompiledPart, Edit, Finding, LinkDecision, LinkReason
from msgtrack.links.destinations import destination, is_url_text
from msgtrack.links.formats import UrlFormat
from msgtrack.links.html import LinkSite, holds_template_tag, scan_html
from msgtrack.links.keyring import Keyring
from msgtrack.links.markers import Markup, markup_of
from msgtrack.links.positions import LineIndex
from msgtrack.links.rules import LinkRules
from msgtrack.links.text import scan_text
from msgtrack.links.tokens import link_key, link_text
from msgtrack.model import OPEN_LINK_ID, LinkType, Part, TrackedLink, TrackingMode

__all__ = ["Compiler"]

LENGTH_BUDGET = 2_000
"""Characters of a tracked URL past which a finding names the link; some clients cut longer ones."""

_MESSAGE_TOKEN_LENGTH = 64
_LABEL_LENGTH = 200
_PIXEL_START = '<img src="'
_PIXEL_END = '" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'
_TRACKED_MODES = {TrackingMode.ENABLED, TrackingMode.ALWAYS, TrackingMode.OPT_OUT, TrackingMode.MIRROR_PAGE}
_TYPE_OF_MODE = {TrackingMode.OPT_OUT: LinkType.OPT_OUT, TrackingMode.MIRROR_PAGE: LinkType.MIRROR_PAGE}
_NO_MARKUP = Markup()

_Slot = tuple[int, int, str, str, str]
"""An edit with what takes its place: start, end, kind, text before the token, text after it; a removal has neither."""


@define(kw_only=True)
class Compiler:
    """One compilation: collects links, decisions, findings and edits while it walks through the parts."""

    delivery_id: str
    variant: str
    rules: LinkRules
    expires_at: datetime | None
    pixel: str
    keyring: Keyring
    realm: str
    url_format: UrlFormat
    own: str
    registered: bool
    links: list[TrackedLink] = field(factory=list)
    decisions: list[LinkDecision] = field(factory=list)
    findings: list[Finding] = field(factory=list)
    edits: list[Edit] = field(factory=list)

    def html(self, source: str) -> CompiledPart:
        """The HTML part, its links tracked and the open image put in."""
        scan = scan_html(source)
        lines = LineIndex(source)
        slots: list[_Slot] = []
        for site in scan.sites:
            markup = markup_of(site)
            if self.rules.markers == "remove":
                slots += [(span.start, span.end, "marker", "", "") for span in markup.marker_spans]
            url, reason = self._reason(site.url, site.raw, markup, scan.base_href, Part.HTML)
            place = lines.position(site.start)
            if reason is LinkReason.TRACKED and is_url_text(site.text):
                if self.rules.url_as_text == "skip":
                    reason = LinkReason.URL_AS_TEXT
                self._find(
                    "url-as-text", "the visible text is a URL; tracked, text and destination differ", Part.HTML, place
                )
            link = self._link(url, reason, markup, site, Part.HTML, place)
            if link is not None:
                before, after = self._prepare(link, place)
                slots.append((site.start, site.end, "link", before, after))
        without = _pieces(source, slots)
        if self.pixel == "none" or not self.rules.track_opens:
            self._keep(Part.HTML, slots)
            return CompiledPart(part=Part.HTML, source=source, pieces=without, pieces_without_pixel=without)
        at = _pixel_offset(self.pixel, scan.body_start, scan.body_end, scan.end)
        before, after = self.url_format.prepare(OPEN_LINK_ID)
        slots.append((at, at, "pixel", _PIXEL_START + before, after + _PIXEL_END))
        self._keep(Part.HTML, slots)
        return CompiledPart(part=Part.HTML, source=source, pieces=_pieces(source, slots), pieces_without_pixel=without)

    def text(self, source: str) -> CompiledPart:
        """The plain-text part, its URLs tracked."""
        lines = LineIndex(source)
        slots: list[_Slot] = []
        for site in scan_text(source):
            url, reason = self._reason(site.url, site.url, _NO_MARKUP, "", Part.TEXT)
            place = lines.position(site.start)
            link = self._link(url, reason, _NO_MARKUP, None, Part.TEXT, place)
            if link is not None:
                before, after = self._prepare(link, place)
                slots.append((site.start, site.end, "link", before, after))
        pieces = _pieces(source, slots)
        self._keep(Part.TEXT, slots)
        return CompiledPart(part=Part.TEXT, source=source, pieces=pieces, pieces_without_pixel=pieces)

    def _reason(self, url: str, raw: str, markup: Markup, base: str, part: Part) -> tuple[str, LinkReason]:
        if holds_template_tag(raw) or holds_template_tag(url):
            return url, LinkReason.TEMPLATE_TAG
        whole, reason = destination(url, base=base, own=self.own)
        if reason is not LinkReason.TRACKED:
            return whole, reason
        if not self.rules.track_links:
            return whole, LinkReason.SWITCHED_OFF
        mode = self.rules.first("mode", whole, part)
        if mode is not None:
            return whole, LinkReason.TRACKED if mode in _TRACKED_MODES else LinkReason.RULE
        return whole, LinkReason.MARKER if markup.off else LinkReason.TRACKED

    def _link(
        self, url: str, reason: LinkReason, markup: Markup, site: LinkSite | None, part: Part, place: tuple[int, int]
    ) -> TrackedLink | None:
        tracked = reason is LinkReason.TRACKED
        link = self._tracked_link(url, markup, site, part, place) if tracked else None
        if link is not None:
            self.links.append(link)
        self.decisions.append(
            LinkDecision(
                part=part,
                line=place[0],
                column=place[1],
                url=url,
                tracked=tracked,
                reason=reason,
                link_id=link.id if link else None,
            )
        )
        if reason is LinkReason.TEMPLATE_TAG:
            self._find("template-tag", f"the link {url!r:.80} holds a template tag and is left alone", part, place)
        elif reason is LinkReason.ALREADY_TRACKED:
            self._find(
                "already-tracked", f"the link {url!r:.80} leads to our own server and is left alone", part, place
            )
        return link

    def _tracked_link(
        self, url: str, markup: Markup, site: LinkSite | None, part: Part, place: tuple[int, int]
    ) -> TrackedLink:
        rules = self.rules
        ordinal = len(self.links) + 2
        mode = rules.first("mode", url, part) or TrackingMode.ENABLED
        kind = rules.first("type", url, part) or _TYPE_OF_MODE.get(mode) or self._markup_type(markup, part, place)
        label = rules.first("label", url, part) or markup.label or (site.text if site else "") or url
        link = TrackedLink(
            delivery_id=self.delivery_id,
            id=str(ordinal),
            url=url,
            label=label[:_LABEL_LENGTH],
            category=rules.first("category", url, part) or markup.category or "",
            type=kind,
            mode=mode,
            part=part,
            variant=self.variant,
            expires_at=self.expires_at,
        )
        key = link_key(
            self.keyring,
            self.realm,
            delivery_id=self.delivery_id,
            variant=self.variant,
            part=part,
            ordinal=ordinal,
            url=url,
        )
        return evolve(link, key=key)

    def _markup_type(self, markup: Markup, part: Part, place: tuple[int, int]) -> LinkType:
        if not markup.type:
            return LinkType.CLICK
        try:
            return vocabulary.link_type(markup.type)
        except InvalidOption:
            self._find(
                "unknown-type", f"no link type is called {markup.type!r:.80}; the link counts as a click", part, place
            )
            return LinkType.CLICK

    def _prepare(self, link: TrackedLink, place: tuple[int, int]) -> tuple[str, str]:
        token = link.key if self.registered else link_text(link, self.keyring, self.realm)
        before, after = self.url_format.prepare(token)
        length = len(before) + len(after) + _MESSAGE_TOKEN_LENGTH
        if length > LENGTH_BUDGET:
            self._find(
                "long-url",
                f"the tracked URL of link {link.id} has about {length} characters, over {LENGTH_BUDGET}; registered links are short",
                link.part,
                place,
            )
        return before, after

    def _find(self, code: str, message: str, part: Part, place: tuple[int, int]) -> None:
        self.findings.append(
            Finding(code=code, severity="warning", message=message, part=part, line=place[0], column=place[1])
        )

    def _keep(self, part: Part, slots: list[_Slot]) -> None:
        self.edits += [Edit(part=part, start=start, end=end, kind=kind) for start, end, kind, _, _ in sorted(slots)]


def _pixel_offset(pixel: str, body_start: int | None, body_end: int | None, end: int) -> int:
    if pixel == "top":
        return 0 if body_start is None else body_start
    return end if body_end is None else body_end


def _pieces(source: str, slots: list[_Slot]) -> tuple[str, ...]:
    pieces: list[str] = []
    piece: list[str] = []
    done = 0
    for start, end, kind, before, after in sorted(slots):
        piece += (source[done:start], before)
        if kind != "marker":
            pieces.append("".join(piece))
            piece = [after]
        done = end
    piece.append(source[done:])
    pieces.append("".join(piece))
    return tuple(pieces)
