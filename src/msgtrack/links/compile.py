"""Compiling: find the links of a message, decide on each, sign them, and cut the text into pieces around the
message token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from msgtrack import vocabulary
from msgtrack.errors import InvalidOption
from msgtrack.links.compiled import CompiledPart, Edit, Finding, LinkDecision, LinkReason
from msgtrack.links.destinations import destination, is_url_text
from msgtrack.links.findings import LENGTH_BUDGET, MESSAGE_TOKEN_LENGTH, Slot, new_finding, part_findings
from msgtrack.links.html import HtmlScan, LinkSite, holds_template_tag, scan_html
from msgtrack.links.keyring import Keyring
from msgtrack.links.markers import Markup, emitted, markup_of
from msgtrack.links.positions import LineIndex
from msgtrack.links.rules import LinkRules
from msgtrack.links.text import scan_text
from msgtrack.links.tokens import link_key
from msgtrack.links.utm import with_parameters
from msgtrack.links.writing import Texts, UrlWriter
from msgtrack.model import LinkType, Part, TrackedLink, TrackingMode

__all__ = ["TRAP_CATEGORY", "Compiler"]

TRAP_CATEGORY = "trap"
"""The category of the link that only machines follow; its type is ``other``."""

_LABEL_LENGTH = 200
_PIXEL_START = '<img src="'
_PIXEL_END = '" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'
_TRAP_START = '<a href="'
_TRAP_END = '" style="display:none" aria-hidden="true" tabindex="-1" rel="nofollow"></a>'
_TRACKED_MODES = {TrackingMode.ENABLED, TrackingMode.ALWAYS, TrackingMode.OPT_OUT, TrackingMode.MIRROR_PAGE}
_TYPE_OF_MODE = {TrackingMode.OPT_OUT: LinkType.OPT_OUT, TrackingMode.MIRROR_PAGE: LinkType.MIRROR_PAGE}
# Their URLs may be signed, or be matched as they are: nothing is put behind them.
_BARE_TYPES = (LinkType.OPT_OUT, LinkType.MIRROR_PAGE)
_NO_MARKUP = Markup()
_Place = tuple[int, int]


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
    writer: UrlWriter
    own: str
    links_before: int = 0
    links: list[TrackedLink] = field(factory=list)
    decisions: list[LinkDecision] = field(factory=list)
    findings: list[Finding] = field(factory=list)
    edits: list[Edit] = field(factory=list)

    def html(self, source: str) -> CompiledPart:
        """The HTML part, its links tracked, the open image and the trap put in."""
        scan = scan_html(source)
        lines = LineIndex(source)
        if scan.is_amp:
            return self._amp(source, scan, lines)
        slots: list[Slot] = []
        for site in scan.sites:
            self._html_link(source, site, scan.base_href, lines.position(site.start), slots)
        if self.rules.trap and self.rules.track_links:
            at = scan.end if scan.body_end is None else scan.body_end
            first, *between, last = self._prepare(self._trap_link(), lines.position(at))
            slots.append((at, at, "trap", (_TRAP_START + first, *between, last + _TRAP_END)))
        without = slots = sorted(slots)
        if self.pixel != "none" and self.rules.track_opens:
            at = _pixel_offset(self.pixel, scan)
            first, *between, last = self.writer.open
            slots = sorted([*slots, (at, at, "pixel", (_PIXEL_START + first, *between, last + _PIXEL_END))])
        return self._part(Part.HTML, source, lines, slots, without)

    def text(self, source: str) -> CompiledPart:
        """The plain-text part, its URLs tracked."""
        lines = LineIndex(source)
        slots: list[Slot] = []
        for site in scan_text(source):
            url, reason, mode = self._reason(site.url, site.url, _NO_MARKUP, "", Part.TEXT)
            place = lines.position(site.start)
            link = self._link(url, reason, mode, _NO_MARKUP, None, Part.TEXT, place)
            if link is not None:
                slots.append((site.start, site.end, "link", self._prepare(link, place)))
        return self._part(Part.TEXT, source, lines, slots, slots)

    def finish(self, parts: Sequence[CompiledPart], *, are_ids_concealed: bool) -> None:
        """Look at the message as a whole, when all its parts are there."""
        if [part.part for part in parts] == [Part.HTML]:
            self._find("missing-text-part", "there is an HTML part and no plain text", Part.HTML, (1, 1))
        if "@" in self.delivery_id and not are_ids_concealed:
            message = f"the delivery id {self.delivery_id!r} looks like an address, and whoever sees a link can read it"
            self._find("address-as-id", message, parts[0].part, (1, 1))

    def _html_link(self, source: str, site: LinkSite, base: str, place: _Place, slots: list[Slot]) -> None:
        rules = self.rules
        markup = markup_of(site)
        url, reason, mode = self._reason(site.url, site.raw, markup, base, Part.HTML)
        if reason is LinkReason.TRACKED and is_url_text(site.text):
            if rules.url_as_text == "skip" and mode is not TrackingMode.ALWAYS:
                reason = LinkReason.URL_AS_TEXT
            self._find(
                "url-as-text", "the visible text is a URL; tracked, text and destination differ", Part.HTML, place
            )
        link = self._link(url, reason, mode, markup, site, Part.HTML, place)
        if rules.markers != "keep":
            slots += [(span.start, span.end, "marker", ("",)) for span in markup.marker_spans]
        provider = rules.markers.partition(":")[2]
        if provider and (link is not None or reason is LinkReason.MARKER):
            slots.append((site.name_end, site.name_end, "marker", (emitted(provider, source, site.name_end),)))
        if link is not None:
            slots.append((site.start, site.end, "link", self._prepare(link, place)))

    def _amp(self, source: str, scan: HtmlScan, lines: LineIndex) -> CompiledPart:
        for site in scan.sites:
            self._link(site.url, LinkReason.AMP, None, _NO_MARKUP, site, Part.HTML, lines.position(site.start))
        self._find("amp", "the part is AMP for mail and is left alone", Part.HTML, (1, 1))
        return self._part(Part.HTML, source, lines, [], [])

    def _part(
        self, part: Part, source: str, lines: LineIndex, slots: list[Slot], without_pixel: list[Slot]
    ) -> CompiledPart:
        self.edits += [Edit(part=part, start=start, end=end, kind=kind) for start, end, kind, _ in slots]
        self.findings += part_findings(part, source, lines, slots)
        pieces = _pieces(source, slots)
        without = pieces if slots is without_pixel else _pieces(source, without_pixel)
        return CompiledPart(part=part, source=source, pieces=pieces, pieces_without_pixel=without)

    def _reason(
        self, url: str, raw: str, markup: Markup, base: str, part: Part
    ) -> tuple[str, LinkReason, TrackingMode | None]:
        if holds_template_tag(raw) or holds_template_tag(url):
            return url, LinkReason.TEMPLATE_TAG, None
        whole, reason = destination(url, base=base, own=self.own)
        if reason is not LinkReason.TRACKED:
            return whole, reason, None
        if not self.rules.track_links:
            return whole, LinkReason.SWITCHED_OFF, None
        mode: TrackingMode | None = self.rules.first("mode", whole, part)
        if mode is not None:
            return whole, LinkReason.TRACKED if mode in _TRACKED_MODES else LinkReason.RULE, mode
        if markup.off:
            return whole, LinkReason.MARKER, None
        mode = self.rules.memory.mode_of(whole)
        return whole, LinkReason.MEMORY if mode is TrackingMode.NEVER else LinkReason.TRACKED, mode

    def _link(
        self,
        url: str,
        reason: LinkReason,
        mode: TrackingMode | None,
        markup: Markup,
        site: LinkSite | None,
        part: Part,
        place: _Place,
    ) -> TrackedLink | None:
        tracked = reason is LinkReason.TRACKED
        link = self._tracked_link(url, mode, markup, site, part, place) if tracked else None
        self.decisions.append(
            LinkDecision(
                part=part,
                line=place[0],
                column=place[1],
                url=url,
                tracked=tracked,
                reason=reason,
                link_id=link.id if link else None,
                mode=mode,
            )
        )
        if reason is LinkReason.TEMPLATE_TAG:
            self._find("template-tag", f"the link {url!r:.80} holds a template tag and is left alone", part, place)
        elif reason is LinkReason.ALREADY_TRACKED:
            self._find(
                "already-tracked", f"the link {url!r:.80} leads to our own server and is left alone", part, place
            )
        elif tracked and url[:5].lower() == "http:" and self.own.startswith("https:"):
            self._find("http-downgrade", f"the link {url!r:.80} leads from https to http", part, place)
        return link

    def _tracked_link(
        self,
        url: str,
        mode: TrackingMode | None,
        markup: Markup,
        site: LinkSite | None,
        part: Part,
        place: _Place,
    ) -> TrackedLink:
        rules = self.rules
        mode = mode or TrackingMode.ENABLED
        kind = rules.first("type", url, part) or _TYPE_OF_MODE.get(mode) or self._markup_type(markup, part, place)
        label = rules.first("label", url, part) or markup.label or (site.text if site else "") or url
        utm = rules.first("utm", url, part)
        parameters = rules.utm if utm is None else utm
        return self._kept(
            url=with_parameters(url, parameters) if parameters and kind not in _BARE_TYPES else url,
            label=label[:_LABEL_LENGTH],
            category=rules.first("category", url, part) or markup.category or "",
            kind=kind,
            mode=mode,
            part=part,
        )

    def _trap_link(self) -> TrackedLink:
        return self._kept(
            url=destination(self.rules.trap, base="", own="")[0],
            label=TRAP_CATEGORY,
            category=TRAP_CATEGORY,
            kind=LinkType.OTHER,
            mode=TrackingMode.ENABLED,
            part=Part.HTML,
        )

    def _kept(
        self, *, url: str, label: str, category: str, kind: LinkType, mode: TrackingMode, part: Part
    ) -> TrackedLink:
        ordinal = self.links_before + len(self.links) + 2
        link = TrackedLink(
            delivery_id=self.delivery_id,
            id=str(ordinal),
            url=url,
            key=link_key(
                self.keyring,
                self.realm,
                delivery_id=self.delivery_id,
                variant=self.variant,
                part=part,
                ordinal=ordinal,
                url=url,
            ),
            label=label,
            category=category,
            type=kind,
            mode=mode,
            part=part,
            variant=self.variant,
            expires_at=self.expires_at,
        )
        self.links.append(link)
        return link

    def _markup_type(self, markup: Markup, part: Part, place: _Place) -> LinkType:
        if not markup.type:
            return LinkType.CLICK
        try:
            kind = vocabulary.link_type(markup.type)
        except InvalidOption:
            kind = None
        # The open is no link: whoever followed one of its type would be shown an image.
        if kind is None or kind is LinkType.OPEN:
            self._find(
                "unknown-type", f"no link has the type {markup.type!r:.80}; the link counts as a click", part, place
            )
            return LinkType.CLICK
        return kind

    def _prepare(self, link: TrackedLink, place: _Place) -> Texts:
        texts = self.writer.link(link)
        length = sum(map(len, texts)) + MESSAGE_TOKEN_LENGTH
        if length > LENGTH_BUDGET:
            self._find(
                "long-url",
                f"the tracked URL of link {link.id} has about {length} characters, over {LENGTH_BUDGET}; registered links are short",
                link.part,
                place,
            )
        return texts

    def _find(self, code: str, message: str, part: Part, place: _Place) -> None:
        self.findings.append(new_finding(code, message, part, place))


def _pixel_offset(pixel: str, scan: HtmlScan) -> int:
    if pixel == "top":
        return 0 if scan.body_start is None else scan.body_start
    return scan.end if scan.body_end is None else scan.body_end


def _pieces(source: str, slots: list[Slot]) -> tuple[str, ...]:
    pieces: list[str] = []
    piece: list[str] = []
    done = 0
    for start, end, _, (first, *others) in slots:
        piece += (source[done:start], first)
        for text in others:
            pieces.append("".join(piece))
            piece = [text]
        done = end
    piece.append(source[done:])
    pieces.append("".join(piece))
    return tuple(pieces)
