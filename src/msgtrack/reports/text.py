"""A report for a terminal: plain text of a given width, the same whether it is shown or piped.

Foreign text is made visible first (:func:`msgtrack.reports.formats.visible`), so a label cannot move the cursor,
recolour the screen or turn the writing direction. Columns are aligned by display width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from msgtrack.reports.data import Curve, Facts, Figure, LinkRow, ReportData, Section
from msgtrack.reports.formats import cut, moment, period, printed, span, visible, width
from msgtrack.reports.layout import DOMAIN_COLUMNS

__all__ = ["MIN_WIDTH", "aligned", "render", "wrapped"]

MIN_WIDTH = 60
_MOMENTS = 12
"""At most so many points of the curve are shown; the other renderings have them all."""
_GAP = "  "
_LEAST = 8


def render(data: ReportData, *, columns: int) -> str:
    """The report as lines of at most ``columns`` columns, with a line break at the end."""
    return "\n".join(line.rstrip() for line in _lines(data, columns)) + "\n"


def _lines(data: ReportData, columns: int) -> Iterator[str]:
    yield from _head(data.facts, columns)
    notes = dict(zip(data.caveats, "abcdefghijklmnopqrstuvwxyz", strict=False))
    titles = max(width(line.title) for section in data.shown_sections for line in section.lines)
    for section in data.shown_sections:
        yield from ("", section.title.upper())
        yield from _section(section, notes, titles, columns)
    yield from ("", "BY INTERNET DOMAIN")
    yield from _domains(data, columns)
    yield from ("", "LINKS")
    yield from _links(data.links, columns)
    yield from ("", "OPENS AND CLICKS OVER TIME, CUMULATED")
    yield from _curve(data.curve, data.facts, columns)
    yield ""
    yield "≈ estimate    – undefined, which is not zero"
    for code, letter in notes.items():
        yield from wrapped(f"[{letter}] {data.caveats[code]}", columns)


def _head(facts: Facts, columns: int) -> Iterator[str]:
    title = cut(visible(facts.title), columns)
    yield from (title, "=" * width(title))
    launch = "" if facts.contact_at is None else f", launched {moment(facts.contact_at, facts.tzinfo)}"
    yield from wrapped(f"Delivery {visible(facts.delivery_id)}, {visible(facts.channel)}{launch}", columns)
    yield from wrapped(f"Audience: {facts.audience}. Period: {period(facts)}.", columns)
    yield from wrapped(f"Generated {moment(facts.generated_at, facts.tzinfo)}. Times in {facts.zone}.", columns)


def _section(section: Section, notes: dict[str, str], titles: int, columns: int) -> Iterator[str]:
    rows = [
        (
            line.title,
            _marked(line.figure) if not line.figure.is_share else "",
            _marked(line.figure) if line.figure.is_share else "" if line.rate is None else _marked(line.rate),
            "".join(f"[{notes[code]}]" for code in line.caveats),
        )
        for line in section.lines
    ]
    yield from aligned(rows, columns, wide=0, left=(0, 3), least=(titles, 9, 11))


def _marked(figure: Figure) -> str:
    return printed(figure.value, is_share=figure.is_share)


def _domains(data: ReportData, columns: int) -> Iterator[str]:
    header = ["Domain"]
    for spec in DOMAIN_COLUMNS:
        header += [spec.title, "%"] if spec.rate else [spec.title]
    rows = [[visible(row.name), *map(_marked, row.figures)] for row in (*data.domains, data.domains_total)]
    yield from aligned([header, *rows], columns, wide=0, left=(0,), has_header=True)


def _links(links: Sequence[LinkRow], columns: int) -> Iterator[str]:
    if not links:
        yield "No link is tracked."
        return
    rows = [("Link", "Category", "Clicks", "Share", "URL")]
    rows += [
        (
            cut(visible(link.name), 40),
            cut(visible(link.category), 16),
            _marked(link.clicks),
            _marked(link.share),
            visible(link.url) if link.is_registered else "(not registered)",
        )
        for link in links
    ]
    yield from aligned(rows, columns, wide=4, left=(0, 1, 4), has_header=True)


def _curve(curve: Curve, facts: Facts, columns: int) -> Iterator[str]:
    if not curve.points or curve.launch_at is None:
        yield "Nothing was opened or clicked yet."
        return
    step = -(-len(curve.points) // _MOMENTS)
    # The last point is always there: it is the total.
    points = curve.points[(len(curve.points) - 1) % step :: step]
    rows = [("Bin from", "Since launch", "Opens", "Clicks")]
    rows += [
        (
            moment(point.at, facts.tzinfo),
            span((point.at - curve.launch_at).total_seconds()),
            printed(point.opens),
            printed(point.clicks),
        )
        for point in points
    ]
    some = f"{len(points)} of {len(curve.points)}"
    yield from wrapped(f"Up to the end of bins of {span(curve.bin_seconds)}, {some}:", columns)
    yield from aligned(rows, columns, wide=0, left=(0,), has_header=True)


def aligned(
    rows: Sequence[Sequence[str]],
    columns: int,
    *,
    wide: int,
    left: Sequence[int],
    least: Sequence[int] = (),
    has_header: bool = False,
) -> Iterator[str]:
    """Rows in aligned columns of ``least`` size or more; ``wide`` is the one that is cut when the line is too long.

    Where even that is not enough, a table with a header is written row by row, each cell after its title.
    """
    sizes = [max(map(width, column)) for column in zip(*rows, strict=True)]
    sizes = [max(pair) for pair in zip_longest(sizes, least, fillvalue=0)]
    room = columns - sum(sizes) + sizes[wide] - len(_GAP) * (len(sizes) - 1)
    if room < _LEAST and has_header:
        yield from _stacked(rows, columns)
        return
    sizes[wide] = min(sizes[wide], max(room, _LEAST))
    for row in rows:
        cells = zip(row, sizes, strict=True)
        yield _GAP.join(_fitted(cell, size, is_left=index in left) for index, (cell, size) in enumerate(cells))


def _stacked(rows: Sequence[Sequence[str]], columns: int) -> Iterator[str]:
    header, *others = rows
    for row in others:
        yield cut(row[0], columns)
        pairs = (f"{title} {cell}".lstrip() for title, cell in zip(header[1:], row[1:], strict=True) if cell)
        yield from wrapped(", ".join(pairs), columns, indent=_GAP)


def _fitted(cell: str, size: int, *, is_left: bool) -> str:
    shown = cut(cell, size)
    blank = " " * (size - width(shown))
    return shown + blank if is_left else blank + shown


def wrapped(text: str, columns: int, *, indent: str = "") -> Iterator[str]:
    """Text in lines that fit; the first begins with ``indent``, the others further in."""
    line = ""
    for word in text.split(" "):
        if line and len(indent) + width(line) + 1 + width(word) > columns:
            yield cut(indent + line, columns)
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    yield cut(indent + line, columns)
