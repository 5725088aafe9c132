"""What a report holds, before anybody formats it: one value from which every rendering is made.

Numbers are :class:`msgtrack.metrics.Value` throughout, so a page, a table and a JSON document cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from attrs import field, frozen

from msgtrack.metrics import CAVEATS, Value

__all__ = ["Curve", "Facts", "Figure", "GroupRow", "Line", "LinkRow", "Point", "ReportData", "Section"]


def _encodable(text: str) -> str:
    # A lone surrogate cannot be written as UTF-8, and one bad label must not cost the report.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


@frozen(kw_only=True)
class Figure:
    """One value with the key, label and formula of its indicator; ``is_share``: to be read as a percentage."""

    key: str
    label: str
    value: Value
    formula: str = ""
    is_share: bool = False


@frozen(kw_only=True)
class Line:
    """A printed line: a figure under a title, and the rate that goes with it, if there is one."""

    title: str
    figure: Figure
    rate: Figure | None = None

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figure, and its rate."""
        return (self.figure,) if self.rate is None else (self.figure, self.rate)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to keep in mind with them: codes, each once."""
        return tuple(dict.fromkeys(code for figure in self.figures for code in figure.value.caveats))


@frozen(kw_only=True)
class Section:
    """A block of lines. ``is_optional``: the renderings for people leave it out while it is empty."""

    name: str
    title: str
    lines: tuple[Line, ...]
    is_optional: bool = False

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure of the block, in order."""
        return tuple(figure for line in self.lines for figure in line.figures)

    @property
    def is_shown(self) -> bool:
        """Whether people see it: always, unless it is optional and every number in it is 0 or undefined."""
        return not self.is_optional or any(figure.value.value for figure in self.figures)


@frozen(kw_only=True)
class GroupRow:
    """A row of a grouping: its name (a domain, a link's label, ``Total``) and its figures, in the table's order."""

    name: str = field(converter=_encodable)
    figures: tuple[Figure, ...]


@frozen(kw_only=True)
class LinkRow:
    """A tracked link: what is known of it, its clicks, and its share of all clicks.

    A link that was clicked though nobody registered it has neither label nor URL; ``is_registered`` is then False.
    """

    id: str = field(converter=_encodable)
    label: str = field(default="", converter=_encodable)
    url: str = field(default="", converter=_encodable)
    category: str = field(default="", converter=_encodable)
    type: str = ""
    is_registered: bool = True
    clicks: Figure
    share: Figure

    @property
    def name(self) -> str:
        """What it goes by: its label, else its URL, else its id."""
        return self.label.strip() or self.url.strip() or f"Link {self.id}"


@frozen(kw_only=True)
class Point:
    """All opens and clicks up to the end of the bin that starts at ``at``."""

    at: datetime
    opens: Value
    clicks: Value


@frozen(kw_only=True)
class Curve:
    """Cumulated opens and clicks over time; bins in which nothing happened are not there.

    ``launch_at``: the delivery's contact date, else the start of the first bin; None when there is neither.
    ``bin_seconds``: the width of the bins.
    """

    launch_at: datetime | None
    bin_seconds: int
    points: tuple[Point, ...]


@frozen(kw_only=True)
class Facts:
    """What the report is about and how it was made; moments in UTC, to be shown in ``zone``."""

    delivery_id: str = field(converter=_encodable)
    label: str = field(default="", converter=_encodable)
    internal_name: str = field(default="", converter=_encodable)
    channel: str = field(default="email", converter=_encodable)
    contact_at: datetime | None = None
    is_left_out: bool = False
    """The delivery is a proof or a template, which indicators pass over."""
    audiences: tuple[str, ...] = ()
    """Whose reactions are in; empty for everybody's."""
    since: datetime | None = None
    until: datetime | None = None
    zone: str
    tzinfo: tzinfo
    language: str = "en"
    generated_at: datetime

    @property
    def title(self) -> str:
        """What the delivery goes by: its label, else its internal name, else its id."""
        return self.label.strip() or self.internal_name.strip() or f"Delivery {self.delivery_id}"

    @property
    def audience(self) -> str:
        """Whose reactions are in, in words: ``all``, or several as in ``human, proxy``."""
        return ", ".join(self.audiences) or "all"


@frozen(kw_only=True)
class ReportData:
    """A whole report.

    - ``tiles``: the headline lines, each a line of some section;
    - ``sections``: the block "Tracking indicators";
    - ``domains``: by Internet domain class, every row with the same figures; ``domains_total``: their total;
    - ``links``: by clicks, downwards; ``labels``: clicks and share by link label;
    - ``curve``: opens and clicks over time.
    """

    facts: Facts
    tiles: tuple[Line, ...]
    sections: tuple[Section, ...]
    domains: tuple[GroupRow, ...]
    domains_total: GroupRow
    links: tuple[LinkRow, ...]
    labels: tuple[GroupRow, ...]
    curve: Curve

    @property
    def shown_sections(self) -> tuple[Section, ...]:
        """The sections that people see."""
        return tuple(section for section in self.sections if section.is_shown)

    @property
    def caveats(self) -> dict[str, str]:
        """The caveats of the sections people see, code and sentence, in the order of the closed list."""
        codes = {code for section in self.shown_sections for figure in section.figures for code in figure.value.caveats}
        return {code: sentence for code, sentence in CAVEATS.items() if code in codes}

    def figures(self) -> Iterator[tuple[str, str, Figure]]:
        """Every figure with its section and group: ``("domains", "Gmail", …)``; the group is empty for scalars."""
        for section in self.sections:
            for figure in section.figures:
                yield section.name, "", figure
        for row in (*self.domains, self.domains_total):
            section_name = "domains" if row is not self.domains_total else "domains_total"
            for figure in row.figures:
                yield section_name, row.name, figure
        for link in self.links:
            yield "links", link.id, link.clicks
            yield "links", link.id, link.share
        for row in self.labels:
            for figure in row.figures:
                yield "labels", row.name, figure
