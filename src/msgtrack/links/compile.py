"""Compiling: find the links of a message, decide on each, sign them, and cut the text into pieces around the
message token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from msgtrack import vocabulary
from msgtrack.errors import CompileError, InvalidOption
from msgtrack.links.addresses import Address, AddressReader, Names, is_script, step_problem
from msgtrack.links.compiled import CompiledPart
from msgtrack.links.decisions import Finding, LinkReason, Placeholder
from msgtrack.links.destinations import OwnBase, destination, is_url_text
from msgtrack.links.drafts import DecisionDraft, Draft, LinkDraft
from msgtrack.links.findings import LENGTH_BUDGET, MESSAGE_TOKEN_LENGTH, Slot, new_finding, part_findings
from msgtrack.links.html import HtmlScan, LinkSite, scan_html
from msgtrack.links.instructions import Expression
from msgtrack.links.markers import Markup, emitted, markup_of
from msgtrack.links.personal import PersonalLink
from msgtrack.links.placeholders import GAP, pieces_of, tagged, tags_of
from msgtrack.links.positions import LineIndex
from msgtrack.links.rules import LinkRules
from msgtrack.links.syntaxes import Syntax
from msgtrack.links.text import scan_text
from msgtrack.links.utm import with_parameters
from msgtrack.links.writing import PIXEL_END, PIXEL_START, Texts, UrlWriter
from msgtrack.model import LinkType, Part, TrackingMode

__all__ = ["TRAP_CATEGORY", "Compiler"]

TRAP_CATEGORY = "trap"
"""The category of the link that only machines follow; its type is ``other``."""

# "1" is the open.
_FIRST_ID = 2
_TRAP_START = '<a href="'
_TRAP_END = '" style="display:none" aria-hidden="true" tabindex="-1" rel="nofollow"></a>'
_TRACKED_MODES = {TrackingMode.ENABLED, TrackingMode.ALWAYS, TrackingMode.OPT_OUT, TrackingMode.MIRROR_PAGE}
_TYPE_OF_MODE = {TrackingMode.OPT_OUT: LinkType.OPT_OUT, TrackingMode.MIRROR_PAGE: LinkType.MIRROR_PAGE}
# Their URLs may be signed, or be matched as they are: nothing is put behind them.
_BARE_TYPES = (LinkType.OPT_OUT, LinkType.MIRROR_PAGE)
_NO_MARKUP = Markup()
_WHOLE_URL = ("", "")


@define(kw_only=True)
class Compiler:
    """One compilation: writes down links, decisions, findings and edits while it walks through the parts."""

    draft: Draft
    writer: UrlWriter
    rules: LinkRules
    pixel: str
    own: OwnBase
    syntax: Syntax | None = None
    reserved: str = ""
    links_before: int = 0
    provider: str = field(init=False)
    findings: list[Finding] = field(factory=list)
    placeholders: list[Placeholder] = field(factory=list)
    personal: list[PersonalLink] = field(factory=list)
    personal_slots: dict[tuple[Part, int], int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Whose marker is written on links, if anybody's."""
        self.provider = self.rules.markers.partition(":")[2]

    def html(self, source: str) -> CompiledPart:
        """The HTML part, its links tracked, the open image and the trap put in."""
        reader = self._begin(Part.HTML, source)
        scan = scan_html(source, [(tag.start, tag.end) for tag in reader.tags])
        if scan.is_amp:
            return self._amp(source, scan)
        slots: list[Slot] = []
        # Where a tag decides the base, only the engine knows where relative links lead.
        base = None if reader.holds_tag(scan.base_href) else scan.base_href
        for site in scan.sites:
            self._html_link(source, site, base, slots, reader)
        if self.rules.trap and self.rules.track_links:
            at = scan.end if scan.body_end is None else scan.body_end
            first, *between, last = self._prepare(self._trap_link(), at)
            slots.append((at, at, "trap", (_TRAP_START + first, *between, last + _TRAP_END)))
        if self.pixel != "none" and self.rules.track_opens:
            at = _pixel_offset(self.pixel, scan)
            first, *between, last = self.writer.opened
            slots.append((at, at, "pixel", (PIXEL_START + first, *between, last + PIXEL_END)))
        return self._part(Part.HTML, source, sorted(slots))

    def text(self, source: str) -> CompiledPart:
        """The plain-text part, its URLs tracked."""
        reader = self._begin(Part.TEXT, source)
        slots: list[Slot] = []
        for site in scan_text(source, reader.tags):
            address = reader.read(site.url, site.url, site.start, decode=False)
            url, reason, mode = self._reason(address, _NO_MARKUP, "", Part.TEXT, site.start)
            link = self._link(url, reason, mode, _NO_MARKUP, None, Part.TEXT, site.start)
            if link is not None:
                slots.append((site.start, site.end, "link", self._prepare(link, site.start, address.names)))
        return self._part(Part.TEXT, source, slots)

    def finish(self, parts: Sequence[CompiledPart], *, are_ids_concealed: bool) -> None:
        """Look at the message as a whole, when all its parts are there."""
        if [part.part for part in parts] == [Part.HTML]:
            self._find("missing-text-part", "there is an HTML part and no plain text", Part.HTML)
        delivery_id = self.draft.delivery_id
        if "@" in delivery_id and not are_ids_concealed:
            message = f"the delivery id {delivery_id!r} looks like an address, and whoever sees a link can read it"
            self._find("address-as-id", message, parts[0].part)

    def _begin(self, part: Part, source: str) -> AddressReader:
        self.draft.indexes.setdefault(part, LineIndex(source))
        return AddressReader(self.syntax, source, self.reserved)

    def _html_link(
        self, source: str, site: LinkSite, base: str | None, slots: list[Slot], reader: AddressReader
    ) -> None:
        rules = self.rules
        markup = markup_of(site)
        address = reader.read(site.url, site.raw, site.start, decode=True)
        url, reason, mode = self._reason(address, markup, base, Part.HTML, site.start)
        if reason is LinkReason.TRACKED and site.may_show_url and is_url_text(site.text):
            if rules.url_as_text == "skip" and mode is not TrackingMode.ALWAYS:
                reason = LinkReason.URL_AS_TEXT
            message = "the visible text is a URL; tracked, text and destination differ"
            self._find("url-as-text", message, Part.HTML, site.start)
        link = self._link(url, reason, mode, markup, site, Part.HTML, site.start)
        if markup.marker_spans and rules.markers != "keep":
            slots += [(span.start, span.end, "marker", ("",)) for span in markup.marker_spans]
        provider = self.provider
        if provider and (link is not None or reason is LinkReason.MARKER):
            slots.append((site.name_end, site.name_end, "marker", (emitted(provider, source, site.name_end),)))
        if link is not None:
            slots.append((site.start, site.end, "link", self._prepare(link, site.start, address.names)))

    def _amp(self, source: str, scan: HtmlScan) -> CompiledPart:
        for site in scan.sites:
            self._link(site.url, LinkReason.AMP, None, _NO_MARKUP, None, Part.HTML, site.start)
        self._find("amp", "the part is AMP for mail and is left alone", Part.HTML)
        return self._part(Part.HTML, source, [])

    def _part(self, part: Part, source: str, slots: list[Slot]) -> CompiledPart:
        self.draft.slots.append((part, slots))
        pieces = _pieces(source, slots)
        fills: tuple[int, ...] = ()
        index = self.draft.indexes[part]
        if any(of is part for of, _ in self.personal_slots):
            fills = tuple(fill for slot in slots for fill in self._fills(part, slot))
            # Lengths are those of the URLs that messages will hold, their values apart.
            whole = [self._with_texts(part, slot) for slot in slots]
            self.findings += part_findings(part, source, index, whole, _pieces(source, whole))
        else:
            self.findings += part_findings(part, source, index, slots, pieces)
        pieces_without, fills_without = _without_pixel(pieces, fills, slots)
        return CompiledPart(
            part=part,
            source=source,
            pieces=pieces,
            fills=fills,
            pieces_without_pixel=pieces_without,
            fills_without_pixel=fills_without,
        )

    def _with_texts(self, part: Part, slot: Slot) -> Slot:
        """A slot with the fixed texts of its URL, where every message writes the whole."""
        start, end, kind, texts = slot
        personal = self.personal_slots.get((part, start)) if kind == "link" else None
        return start, end, kind, texts if personal is None else self.personal[personal].texts

    def _fills(self, part: Part, slot: Slot) -> Iterable[int]:
        """What goes into the gaps of a slot: the texts of the message part by their place, or a link of its own."""
        start, _, kind, texts = slot
        personal = self.personal_slots.get((part, start)) if kind == "link" else None
        return range(len(texts) - 1) if personal is None else (~personal,)

    def _reason(
        self, address: Address, markup: Markup, base: str | None, part: Part, offset: int
    ) -> tuple[str, LinkReason, TrackingMode | None]:
        if address.is_foreign:
            return tagged(address.url, address.tags), LinkReason.TEMPLATE_TAG, None
        rules, tags = self.rules, address.tags
        whole, reason = address.url, LinkReason.TRACKED
        if not address.problems:
            whole, reason = destination(whole, base=base or "", own=self.own)
            if base is None and reason is LinkReason.RELATIVE:
                reason = LinkReason.TEMPLATE_TAG
            if tags and whole.count(GAP) == len(tags):
                whole = tagged(whole, tags)
            elif tags:
                address = address._replace(problems=(step_problem(address.names[0][1]),))
            if reason is not LinkReason.TRACKED:
                return whole, reason, None
        if not rules.track_links:
            return whole, LinkReason.SWITCHED_OFF, None
        mode: TrackingMode | None = rules.first("mode", whole, part)
        if mode is not None and mode not in _TRACKED_MODES:
            return whole, LinkReason.RULE, mode
        if mode is None and markup.off:
            return whole, LinkReason.MARKER, None
        if address.problems:
            self._refuse(address, part, offset)
            return whole, LinkReason.TEMPLATE_TAG, mode
        if mode is not None:
            return whole, LinkReason.TRACKED, mode
        mode = rules.memory.mode_of(whole)
        return whole, LinkReason.MEMORY if mode is TrackingMode.NEVER else LinkReason.TRACKED, mode

    def _refuse(self, address: Address, part: Part, offset: int) -> None:
        """Say what is wrong with a link; as an error, unless the rules ask for less."""
        problem = address.problems[0]
        if self.rules.unfit_links == "skip":
            message = f"the link cannot be tracked ({problem.code}): {problem.message}"
            self._find("unfit-link", message, part, offset + problem.offset)
            return
        line, column = self.draft.indexes[part].position(offset + problem.offset)
        raise CompileError(
            f"a link of the {part.value} part cannot be tracked: {problem.message}",
            line=line,
            column=column,
            code=problem.code,
            hint="mark it as not tracked, or leave such links alone with LinkRules(unfit_links='skip')",
        )

    def _link(
        self,
        url: str,
        reason: LinkReason,
        mode: TrackingMode | None,
        markup: Markup,
        site: LinkSite | None,
        part: Part,
        offset: int,
    ) -> LinkDraft | None:
        link = None
        if reason is LinkReason.TRACKED:
            link = self._tracked_link(url, mode, markup, site, part, offset)
            if url[:5].lower() == "http:" and self.own.is_https:
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
        self, url: str, mode: TrackingMode | None, markup: Markup, site: LinkSite | None, part: Part, offset: int
    ) -> LinkDraft:
        rules = self.rules
        mode = mode or TrackingMode.ENABLED
        label, category, written = markup.label, markup.category, url
        kind = _TYPE_OF_MODE.get(mode)
        parameters = rules.utm
        if rules.rules:
            said = rules.first("type", url, part)
            kind = kind if said is None else said
            label = rules.first("label", url, part) or label
            category = rules.first("category", url, part) or category
            utm = rules.first("utm", url, part)
            parameters = parameters if utm is None else utm
        if kind is None:
            kind = self._markup_type(markup, part, offset)
        if parameters and kind not in _BARE_TYPES:
            url = tagged(with_parameters(GAP.join(pieces_of(url)), parameters), tags_of(url))
        return self._kept(url, label, category, kind, mode, part, site, written)

    def _trap_link(self) -> LinkDraft:
        url = destination(self.rules.trap, base="")[0]
        return self._kept(url, TRAP_CATEGORY, TRAP_CATEGORY, LinkType.OTHER, TrackingMode.ENABLED, Part.HTML)

    def _kept(
        self,
        url: str,
        label: str,
        category: str,
        kind: LinkType,
        mode: TrackingMode,
        part: Part,
        site: LinkSite | None = None,
        written: str = "",
    ) -> LinkDraft:
        links = self.draft.link_drafts
        number = self.links_before + len(links) + _FIRST_ID
        link = LinkDraft(str(number), url, label, category, kind, mode, part, site, written)
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

    def _prepare(self, link: LinkDraft, offset: int, names: Names = ()) -> Texts:
        texts = self.writer.link(link)
        length = sum(map(len, texts)) + MESSAGE_TOKEN_LENGTH
        if length > LENGTH_BUDGET:
            message = f"the tracked URL of link {link.id} has about {length} characters, over {LENGTH_BUDGET}"
            self._find("long-url", f"{message}; registered links are short", link.part, offset)
        if not names:
            return texts
        self.personal_slots[link.part, offset] = len(self.personal)
        self.personal.append(
            PersonalLink(
                texts=texts,
                part=self.writer.part(link),
                pieces=pieces_of(link.url),
                names=tuple(name for name, _ in names),
                is_script=is_script(self.syntax),
            )
        )
        for name, place in names:
            line, column = self.draft.indexes[link.part].position(offset + place)
            asked = Expression.parse(name).names if is_script(self.syntax) else (name,)
            self.placeholders += [Placeholder(name=each, part=link.part, line=line, column=column) for each in asked]
        # Each message writes the whole URL.
        return _WHOLE_URL

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


def _without_pixel(
    pieces: tuple[str, ...], fills: tuple[int, ...], slots: list[Slot]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The pieces of the part, and what goes between them, without its open image."""
    gap = 0
    for _, _, kind, texts in slots:
        if kind == "pixel":
            behind = gap + len(texts) - 1
            joined = pieces[gap].removesuffix(texts[0]) + pieces[behind].removeprefix(texts[-1])
            return (*pieces[:gap], joined, *pieces[behind + 1 :]), fills[:gap] + fills[behind:]
        gap += len(texts) - 1
    return pieces, fills
