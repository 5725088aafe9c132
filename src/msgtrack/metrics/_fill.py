"""From a layout and tables to a report: every number is asked of a table, and none is computed here but the share of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from attrs import evolve, frozen

from msgtrack.domains import OTHERS
from msgtrack.metrics._bounds import OpenBounds
from msgtrack.metrics._catalogue import catalogue
from msgtrack.metrics._groups import curve_width, link_name, path_part
from msgtrack.metrics._layout import (
    BlockLayout,
    DifferencesLayout,
    IntervalLayout,
    Layout,
    LinesLayout,
    RowsLayout,
    SharesLayout,
)
from msgtrack.metrics._report import Block, Cell, Column, IndicatorReport, Row, RowKind
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import of_rows
from msgtrack.metrics._table import Table
from msgtrack.metrics._values import Value, quotient
from msgtrack.metrics._variants import Comparison, Difference, compare_variants

__all__ = ["Made", "fill"]

_TOTAL = "Total"
_WITH_OTHERS = ("domain", "browser", "os")
_BINS = ("bin", "bin-success", "bin-error")
_DATES = ("day", "month")
_LINKS = ("link", "place")


@frozen(kw_only=True)
class Made:
    """What a report is made of: a table for each audience by its name, and how wide and how long its blocks are to be."""

    tables: Mapping[str, Table]
    top: int
    bin_seconds: int | None
    bounds: OpenBounds | None = None


@frozen(kw_only=True)
class _Line:
    """A row as one audience has it."""

    name: str
    values: Mapping[str, Value]
    kind: RowKind = "row"
    note: str = ""


def fill(layout: Layout, made: Made) -> IndicatorReport:
    """The report that the layout describes.

    Raises:
        InvalidOption: an indicator does not come by the grouping of its block, or bins have no such width.
        UnknownIndicator: a key that the catalogue does not have.
    """
    first = next(iter(made.tables.values()))
    return IndicatorReport(
        name=layout.name,
        title=layout.title,
        delivery_ids=first.delivery_ids,
        audiences=made.tables,
        since=first.since,
        until=first.until,
        zone=first.zone,
        now=first.now,
        is_left_out=first.is_left_out,
        blocks=[_block(block, made) for block in layout.blocks],
    )


def _block(layout: BlockLayout, made: Made) -> Block:
    by = ""
    match layout:
        case LinesLayout():
            columns = [_column(key) for key in layout.keys]
            found = {name: _of_lines(layout, table) for name, table in made.tables.items()}
        case RowsLayout():
            by = layout.by
            titles = layout.titles or [""] * len(layout.columns)
            columns = [_column(key, title) for key, title in zip(layout.columns, titles, strict=True)]
            found = _of_curve(layout, made) if _is_curve(layout) else _of_audiences(layout, made)
        case SharesLayout():
            columns, by = list(_SHARE_COLUMNS), "variant"
            found = {name: _of_shares(_compared(layout.kind, table)) for name, table in made.tables.items()}
        case DifferencesLayout():
            columns, by = list(_DIFFERENCE_COLUMNS), "variants"
            found = {name: _of_differences(_compared(layout.kind, table)) for name, table in made.tables.items()}
        case IntervalLayout():
            columns = list(_INTERVAL_COLUMNS)
            found = {name: _of_bounds(made.bounds) for name in made.tables}
    return Block(name=layout.name, title=layout.title, by=by, columns=columns, rows=_side_by_side(found, by))


def _column(key: str, title: str = "") -> Column:
    indicator = catalogue[key]
    return Column(key=key, label=title or indicator.label, unit=indicator.unit, is_share=indicator.is_share)


def _of_lines(layout: LinesLayout, table: Table) -> list[_Line]:
    return [
        _Line(name=line.title or catalogue[line.keys[0]].label, values={key: table[key] for key in line.keys})
        for line in layout.lines
    ]


def _is_curve(layout: RowsLayout) -> bool:
    return layout.by == "bin" and all(catalogue[key].is_cumulated for key in layout.columns)


def _of_audiences(layout: RowsLayout, made: Made) -> dict[str, list[_Line]]:
    return {name: _of_rows(layout, table, made) for name, table in made.tables.items()}


def _of_curve(layout: RowsLayout, made: Made) -> dict[str, list[_Line]]:
    """Cumulated rows: all audiences have the same bins, and a value goes on where an audience has no events."""
    if made.bin_seconds is None:
        widths = [width for table in made.tables.values() if (width := curve_width(table.counts))]
        made = evolve(made, bin_seconds=max(widths, default=None))
    found = _of_audiences(layout, made)
    starts = sorted({line.name for lines in found.values() for line in lines}, key=datetime.fromisoformat)
    for name, lines in found.items():
        of_start = {line.name: line for line in lines}
        nothing = of_rows({}, Scope(counts=made.tables[name].counts))
        values: Mapping[str, Value] = {key: catalogue[key].value(nothing) for key in layout.columns}
        found[name] = []
        for start in starts:
            values = of_start[start].values if start in of_start else values
            found[name].append(_Line(name=start, values=values))
    return found


def _of_rows(layout: RowsLayout, table: Table, made: Made) -> list[_Line]:
    width = made.bin_seconds if layout.bin_seconds is None else layout.bin_seconds
    series = partial(table.series, by=layout.by, bin_seconds=width, top=made.top)
    columns = {key: series(key) for key in layout.columns}
    notes = _link_titles(table) if layout.by in _LINKS else {}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    lines = [
        _Line(
            name=name,
            values={key: column[name] for key, column in columns.items() if name in column},
            kind="others" if name == OTHERS and layout.by in _WITH_OTHERS else "row",
            note=notes.get(name, ""),
        )
        for name in names
    ]
    if layout.others and len(lines) > made.top:
        beyond = [line.values for line in lines[made.top :]]
        (number,) = series(layout.others).values()
        first, *shares = layout.columns
        values = {first: number}
        for key in shares:
            parts = [values[key] for values in beyond if key in values]
            # Only shares of one whole add up; a distinct number of the others is not known here.
            if parts and len({part.denominator for part in parts}) == 1 and parts[0].denominator is not None:
                values[key] = _together(parts)
        lines = [*lines[: made.top], _Line(name=OTHERS, values=values, kind="others")]
    if layout.has_total:
        lines.append(_Line(name=_TOTAL, values={key: table[key] for key in layout.columns}, kind="total"))
    return lines


def _together(shares: Sequence[Value]) -> Value:
    """Shares of one denominator, added up from what they are made of."""
    first = shares[0]
    numerator = sum((share.numerator or 0 for share in shares), Decimal(0))
    whole = int(numerator) if all(isinstance(share.numerator, int) for share in shares) else numerator
    number = quotient(whole, first.denominator, first.unit) if first.denominator else None
    caveats = {code for share in shares for code in share.caveats}
    return evolve(first, value=number, numerator=whole, caveats=caveats)


def _link_titles(table: Table) -> dict[str, str]:
    scope = Scope(counts=table.counts, is_several=len(table.delivery_ids) > 1)
    return {
        link_name(scope, delivery_id, link_id): link.label or link.url
        for delivery_id, delivery in table.counts.deliveries.items()
        for link_id, link in delivery.links.items()
    }


def _side_by_side(found: Mapping[str, Iterable[_Line]], by: str) -> list[Row]:
    """Rows of several audiences, each once: in the order of the first, those that only others have after them."""
    lines: dict[tuple[RowKind, str, int], dict[str, _Line]] = {}
    for audience, of_audience in found.items():
        # Two lines of a layout may bear one title, and stay two.
        before: Counter[tuple[RowKind, str]] = Counter()
        for line in of_audience:
            lines.setdefault((line.kind, line.name, before[line.kind, line.name]), {})[audience] = line
            before[line.kind, line.name] += 1
    order = sorted(lines, key=lambda key: _RANKS[key[0]])
    if by in _BINS:
        order.sort(key=lambda key: (_RANKS[key[0]], datetime.fromisoformat(key[1]) if key[0] == "row" else _FIRST))
    elif by in _DATES:
        # The month of those who do not say when they came has no name, and stands last.
        order.sort(key=lambda key: (_RANKS[key[0]], not key[1], key[1]))
    return [
        Row(
            name=name,
            kind=kind,
            cells=[
                Cell(audience=audience, key=key, value=value)
                for audience, line in lines[kind, name, number].items()
                for key, value in line.values.items()
            ],
            note=next((line.note for line in lines[kind, name, number].values() if line.note), ""),
        )
        for kind, name, number in order
    ]


_RANKS: Mapping[RowKind, int] = {"row": 0, "others": 1, "total": 2}
_FIRST = datetime.min.replace(tzinfo=UTC)


def _ratio(key: str, label: str, *, is_share: bool = True) -> Column:
    return Column(key=key, label=label, unit="ratio", is_share=is_share)


_SHARE_COLUMNS = (
    _ratio("share", "Share"),
    _ratio("low", "At least"),
    _ratio("high", "At most"),
)
_DIFFERENCE_COLUMNS = (
    _ratio("difference", "Difference"),
    _ratio("low", "At least"),
    _ratio("high", "At most"),
    _ratio("p_value", "p", is_share=False),
    _ratio("adjusted_p_value", "p, adjusted", is_share=False),
)
_INTERVAL_COLUMNS = (
    Column(key="messages", label="Messages", unit="count"),
    _ratio("rate", "Of those delivered"),
    _ratio("hidden_rate", "Of those who clicked"),
)


def _compared(kind: str, table: Table) -> Comparison | None:
    """The variants compared, or None when there are not two."""
    names = {name for delivery in table.counts.deliveries.values() for name in delivery.variants if name}
    return compare_variants(table, kind) if len(names) > 1 else None


def _of_shares(comparison: Comparison | None) -> list[_Line]:
    if comparison is None:
        return []
    lines = []
    for name, share in comparison.shares.items():
        low, high = share.interval(comparison.confidence) or (None, None)
        ends = {key: _plain(end, is_share=True, caveats=share.caveats) for key, end in (("low", low), ("high", high))}
        lines.append(_Line(name=name, values={"share": share, **ends}))
    return lines


def _of_differences(comparison: Comparison | None) -> list[_Line]:
    if comparison is None:
        return []
    return [
        _Line(
            name=f"{path_part(found.first)}/{path_part(found.second)}",
            values={
                "difference": _plain(found.value, is_share=True, caveats=found.caveats),
                "low": _plain(found.low, is_share=True, caveats=found.caveats),
                "high": _plain(found.high, is_share=True, caveats=found.caveats),
                "p_value": _plain(found.p_value, caveats=found.caveats),
                "adjusted_p_value": _plain(found.adjusted_p_value, caveats=found.caveats),
            },
            note=_verdict(found, comparison.confidence),
        )
        for found in comparison.differences
    ]


def _verdict(found: Difference, confidence: float) -> str:
    if found.adjusted_p_value is None:
        return "not to be compared"
    name = "z test" if found.test == "z" else "Fisher's exact test"
    verdict = "differs" if found.is_significant else "no difference shown"
    return f"{verdict} at {confidence:g}, {name}, adjusted p {found.adjusted_p_value:.3g}"


def _plain(number: float | None, *, is_share: bool = False, caveats: Iterable[str] = ()) -> Value:
    return Value(value=number, unit="ratio", is_share=is_share, caveats=caveats)


def _of_bounds(bounds: OpenBounds | None) -> list[_Line]:
    if bounds is None:
        return []
    return [
        _Line(name="At least", values={"messages": bounds.lower, "rate": bounds.lower_rate}),
        _Line(name="Published estimate", values={"messages": bounds.estimate}),
        _Line(name="At most", values={"messages": bounds.upper, "rate": bounds.upper_rate}),
        _Line(name="Readers whom no image showed", values={"hidden_rate": bounds.hidden_rate}),
    ]
