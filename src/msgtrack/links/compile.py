"""Compiling: find the links of a message, decide on each, sign them, and cut the text into pieces around the
message token.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from msgtrack import vocabulary
from msgtrack.errors import InvalidOption
from msgtrack.links.compiled import CompiledPart
from msgtrack.links.decisions import Finding, LinkReason
from msgtrack.links.destinations import destination, is_url_text
from msgtrack.links.drafts import DecisionDraft, Draft, LinkDraft
from msgtrack.links.findings import LENGTH_BUDGET, MESSAGE_TOKEN_LENGTH, Slot, new_finding, part_findings
from msgtrack.links.html import HtmlScan, LinkSite, holds_template_tag, scan_html
from msgtrack.links.markers import Markup, emitted, markup_of
from msgtrack.links.positions import LineIndex
from msgtrack.links.rules import LinkRules
from msgtrack.links.text import scan_text
from msgtrack.links.utm import with_parameters
from msgtrack.links.writing import Texts, UrlWriter
from msgtrack.model import LinkType, Part, TrackingMode

__all__ = ["TRAP_CATEGORY", "Compiler"]

TRAP_CATEGORY = "trap"
"""The category of the link that only machines follow; its type is ``other``."""

_LABEL_LENGTH = 200
# "1" is the open.
_FIRST_ID = 2
_PIXEL_START = '<img src="'
_PIXEL_END = '" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px">'
_TRAP_START = '<a href="'
_TRAP_END = '" style="display:none" aria-hidden="true" tabindex="-1" rel="nofollow"></a>'
_TRACKED_MODES = {TrackingMode.ENABLED, TrackingMode.ALWAYS, TrackingMode.OPT_OUT, TrackingMode.MIRROR_PAGE}
_TYPE_OF_MODE = {TrackingMode.OPT_OUT: LinkType.OPT_OUT, TrackingMode.MIRROR_PAGE: LinkType.MIRROR_PAGE}
# Their URLs may be signed, or be matched as they are: nothing is put behind them.
_BARE_TYPES = (LinkType.OPT_OUT, LinkType.MIRROR_PAGE)
_NO_MARKUP = Markup()


@define(kw_only=True)
class Compiler:
    """One compilation: writes down links, decisions, findings and edits while it walks through the parts."""

    draft: Draft
    writer: UrlWriter
    rules: LinkRules
    pixel: str
    own: str
    links_before: int = 0
    provider: str = field(init=False)
    findings: list[Finding] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Whose marker is written on links, if anybody's."""
        self.provider = self.rules.markers.partition(":")[2]

    def html(self, source: str) -> CompiledPart:
        """The HTML part, its links tracked, the open image and the trap put in."""
        scan = scan_html(source)
        self.draft.indexes[Part.HTML] = LineIndex(source)
        if scan.is_amp:
            return self._amp(source, scan)
        slots: list[Slot] = []
        for site in scan.sites:
            self._html_link(source, site, scan.base_href, slots)
        if self.rules.trap and self.rules.track_links:
            at = scan.end if scan.body_end is None else scan.body_end
            first, *between, last = self._prepare(self._trap_link(), at)
            slots.append((at, at, "trap", (_TRAP_START + first, *between, last + _TRAP_END)))
        if self.pixel != "none" and self.rules.track_opens:
            at = _pixel_offset(self.pixel, scan)
            first, *between, last = self.writer.opened
            slots.append((at, at, "pixel", (_PIXEL_START + first, *between, last + _PIXEL_END)))
        return self._part(Part.HTML, source, sorted(slots))

    def text(self, source: str) -> CompiledPart:
        """The plain-text part, its URLs tracked."""
        self.draft.indexes[Part.TEXT] = LineIndex(source)
        slots: list[Slot] = []
        for site in scan_text(source):
            url, reason, mode = self._reason(site.url, site.url, _NO_MARKUP, "", Part.TEXT)
            link = self._link(url, reason, mode, _NO_MARKUP, "", Part.TEXT, site.start)
            if link is not None:
                slots.append((site.start, site.end, "link", self._prepare(link, site.start)))
        return self._part(Part.TEXT, source, slots)

    def finish(self, parts: Sequence[CompiledPart], *, are_ids_concealed: bool) -> None:
        """Look at the message as a whole, when all its parts are there."""
        if [part.part for part in parts] == [Part.HTML]:
            self._find("missing-text-part", "there is an HTML part and no plain text", Part.HTML)
        delivery_id = self.draft.delivery_id
        if "@" in delivery_id and not are_ids_concealed:
            message = f"the delivery id {delivery_id!r} looks like an address, and whoever sees a link can read it"
            self._find("address-as-id", message, parts[0].part)

    def _html_link(self, source: str, site: LinkSite, base: str, slots: list[Slot]) -> None:
        rules = self.rules
        markup = markup_of(site)
        text = site.text
        url, reason, mode = self._reason(site.url, site.raw, markup, base, Part.HTML)
        if reason is LinkReason.TRACKED and is_url_text(text):
            if rules.url_as_text == "skip" and mode is not TrackingMode.ALWAYS:
                reason = LinkReason.URL_AS_TEXT
            message = "the visible text is a URL; tracked, text and destination differ"
            self._find("url-as-text", message, Part.HTML, site.start)
        link = self._link(url, reason, mode, markup, text, Part.HTML, site.start)
        if markup.marker_spans and rules.markers != "keep":
            slots += [(span.start, span.end, "marker", ("",)) for span in markup.marker_spans]
        provider = self.provider
        if provider and (link is not None or reason is LinkReason.MARKER):
            slots.append((site.name_end, site.name_end, "marker", (emitted(provider, source, site.name_end),)))
        if link is not None:
            slots.append((site.start, site.end, "link", self._prepare(link, site.start)))

    def _amp(self, source: str, scan: HtmlScan) -> CompiledPart:
        for site in scan.sites:
            self._link(site.url, LinkReason.AMP, None, _NO_MARKUP, "", Part.HTML, site.start)
        self._find("amp", "the part is AMP for mail and is left alone", Part.HTML)
        return self._part(Part.HTML, source, [])

    def _part(self, part: Part, source: str, slots: list[Slot]) -> CompiledPart:
        self.draft.slots.append((part, slots))
        pieces = _pieces(source, slots)
        self.findings += part_findings(part, source, self.draft.indexes[part], slots, pieces)
        return CompiledPart(part=part, source=source, pieces=pieces, pieces_without_pixel=_without_pixel(pieces, slots))

    def _reason(
        self, url: str, raw: str, markup: Markup, base: str, part: Part
    ) -> tuple[str, LinkReason, TrackingMode | None]:
        if holds_template_tag(raw) or (url != raw and holds_template_tag(url)):
            return url, LinkReason.TEMPLATE_TAG, None
        whole, reason = destination(url, base=base, own=self.own)
        if reason is not LinkReason.TRACKED:
            return whole, reason, None
        rules = self.rules
        if not rules.track_links:
            return whole, LinkReason.SWITCHED_OFF, None
        mode: TrackingMode | None = rules.first("mode", whole, part)
        if mode is not None:
            return whole, LinkReason.TRACKED if mode in _TRACKED_MODES else LinkReason.RULE, mode
        if markup.off:
            return whole, LinkReason.MARKER, None
        mode = rules.memory.mode_of(whole)
        return whole, LinkReason.MEMORY if mode is TrackingMode.NEVER else LinkReason.TRACKED, mode

    def _link(
        self,
        url: str,
        reason: LinkReason,
        mode: TrackingMode | None,
        markup: Markup,
        text: str,
        part: Part,
        offset: int,
    ) -> LinkDraft | None:
        link = None
        if reason is LinkReason.TRACKED:
            link = self._tracked_link(url, mode, markup, text, part, offset)
            if url[:5].lower() == "http:" and self.own.startswith("https:"):
                self._find("http-downgrade", f"the link {url!r:.80} leads from https to http", part, offset)
        elif reason is LinkReason.TEMPLATE_TAG:
            self._find("template-tag", f"the link {url!r:.80} holds a template tag and is left alone", part, offset)
        elif reason is LinkReason.ALREADY_TRACKED:
            message = f"the link {url!r:.80} leads to our own server and is left alone"
            self._find("already-tracked", message, part, offset)
        self.draft.decision_drafts.append(
            DecisionDraft(part, offset, url, reason, None if link is None else link.id, mode)
        )
        return link

    def _tracked_link(
        self, url: str, mode: TrackingMode | None, markup: Markup, text: str, part: Part, offset: int
    ) -> LinkDraft:
        rules = self.rules
        mode = mode or TrackingMode.ENABLED
        label, category = markup.label or text or url, markup.category
        kind = _TYPE_OF_MODE.get(mode)
        parameters = rules.utm
        if rules.rules:
            kind = rules.first("type", url, part) or kind
            label = rules.first("label", url, part) or label
            category = rules.first("category", url, part) or category
            utm = rules.first("utm", url, part)
            parameters = parameters if utm is None else utm
        kind = kind or self._markup_type(markup, part, offset)
        if parameters and kind not in _BARE_TYPES:
            url = with_parameters(url, parameters)
        return self._kept(url, label[:_LABEL_LENGTH], category, kind, mode, part)

    def _trap_link(self) -> LinkDraft:
        url = destination(self.rules.trap, base="", own="")[0]
        return self._kept(url, TRAP_CATEGORY, TRAP_CATEGORY, LinkType.OTHER, TrackingMode.ENABLED, Part.HTML)

    def _kept(self, url: str, label: str, category: str, kind: LinkType, mode: TrackingMode, part: Part) -> LinkDraft:
        links = self.draft.link_drafts
        link = LinkDraft(str(self.links_before + len(links) + _FIRST_ID), url, label, category, kind, mode, part)
        links.append(link)
        return link

    def _markup_type(self, markup: Markup, part: Part, offset: int) -> LinkType:
        if not markup.type:
            return LinkType.CLICK
        try:
            kind = vocabulary.link_type(markup.type)
        except InvalidOption:
            kind = None
        # The open is no link: whoever followed one of its type would be shown an image.
        if kind is None or kind is LinkType.OPEN:
            message = f"no link has the type {markup.type!r:.80}; the link counts as a click"
            self._find("unknown-type", message, part, offset)
            return LinkType.CLICK
        return kind

    def _prepare(self, link: LinkDraft, offset: int) -> Texts:
        texts = self.writer.link(link)
        length = sum(map(len, texts)) + MESSAGE_TOKEN_LENGTH
        if length > LENGTH_BUDGET:
            message = f"the tracked URL of link {link.id} has about {length} characters, over {LENGTH_BUDGET}"
            self._find("long-url", f"{message}; registered links are short", link.part, offset)
        return texts

    def _find(self, code: str, message: str, part: Part, offset: int | None = None) -> None:
        place = (1, 1) if offset is None else self.draft.indexes[part].position(offset)
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


def _without_pixel(pieces: tuple[str, ...], slots: list[Slot]) -> tuple[str, ...]:
    """The pieces of the part without its open image."""
    gap = 0
    for _, _, kind, texts in slots:
        if kind == "pixel":
            behind = gap + len(texts) - 1
            joined = pieces[gap].removesuffix(texts[0]) + pieces[behind].removeprefix(texts[-1])
            return (*pieces[:gap], joined, *pieces[behind + 1 :])
        gap += len(texts) - 1
    return pieces
