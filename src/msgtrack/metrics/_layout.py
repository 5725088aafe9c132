"""Layouts: what stands where in a report, as data. Numbers come in when a layout is filled (:mod:`msgtrack.metrics._fill`)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from msgtrack._borders import flag, items, optional_count, text, texts
from msgtrack.errors import InvalidValue

__all__ = [
    "BlockLayout",
    "DifferencesLayout",
    "IntervalLayout",
    "Layout",
    "LineLayout",
    "LinesLayout",
    "RowsLayout",
    "SharesLayout",
]


@frozen(kw_only=True)
class LineLayout:
    """A line of a block: one indicator, or one and the rate that stands beside it.

    ``title``: what it is called; left out, the label of its first indicator.
    """

    keys: tuple[str, ...] = field(converter=texts)
    title: str = field(default="", converter=text)


def _lines(value: Iterable[LineLayout]) -> tuple[LineLayout, ...]:
    return items(value)


@frozen(kw_only=True)
class LinesLayout:
    """A block of single numbers, each over everything that was asked for."""

    name: str = field(converter=text)
    title: str = field(converter=text)
    lines: tuple[LineLayout, ...] = field(converter=_lines)

    @property
    def keys(self) -> tuple[str, ...]:
        """The indicators of the block, in order."""
        return tuple(key for line in self.lines for key in line.keys)


def _as_many(layout: RowsLayout, _: object, titles: tuple[str, ...]) -> None:
    if titles and len(titles) != len(layout.columns):
        raise InvalidValue(f"the block {layout.name!r:.80} has {len(layout.columns)} columns and {len(titles)} titles")


@frozen(kw_only=True)
class RowsLayout:
    """A block of rows by one grouping, with a column for each indicator.

    - ``columns``: the keys of indicators; ``titles``: what their columns are called, as many, or none for their labels;
    - ``by``: the grouping, one that every indicator of ``keys`` comes by;
    - ``has_total``: a last row with the indicators over everything, computed anew and never added up from the rows;
    - ``others``: the indicator that is the first column of the row after the first ``top`` rows, where other columns are left out
      unless they are shares of one whole; "" where all rows are shown,
      or where the grouping itself keeps to the first and the others;
    - ``bin_seconds``: the width of the bins of this block; None for the width that the report is asked for.
    """

    name: str = field(converter=text)
    title: str = field(converter=text)
    by: str = field(converter=text)
    columns: tuple[str, ...] = field(converter=texts)
    titles: tuple[str, ...] = field(default=(), converter=texts, validator=_as_many)
    has_total: bool = field(default=False, converter=flag)
    others: str = field(default="", converter=text)
    bin_seconds: int | None = field(default=None, converter=optional_count)

    @property
    def keys(self) -> tuple[str, ...]:
        """The indicators of the block, in order."""
        return (*self.columns, self.others) if self.others else self.columns


@frozen(kw_only=True)
class _OwnNumbers:
    """A block whose numbers are no indicators of the catalogue."""

    name: str = field(converter=text)
    title: str = field(converter=text)

    @property
    def keys(self) -> tuple[str, ...]:
        """None."""
        return ()


@frozen(kw_only=True)
class SharesLayout(_OwnNumbers):
    """A block of variants: of the messages delivered of each, the share that showed a reaction, with its interval."""

    kind: str = field(converter=text)


@frozen(kw_only=True)
class DifferencesLayout(_OwnNumbers):
    """A block of pairs of variants: by how much their shares of a reaction differ, and whether by more than chance."""

    kind: str = field(converter=text)


@frozen(kw_only=True)
class IntervalLayout(_OwnNumbers):
    """A block with the bounds between which the number of messages read lies; it needs the facts of every audience."""


BlockLayout = LinesLayout | RowsLayout | SharesLayout | DifferencesLayout | IntervalLayout
"""What a block of a report can be."""


def _blocks(value: Iterable[BlockLayout]) -> tuple[BlockLayout, ...]:
    return items(value)


def _named_apart(layout: Layout, _: object, blocks: tuple[BlockLayout, ...]) -> None:
    names = [block.name for block in blocks]
    if len(names) != len(set(names)):
        raise InvalidValue(f"the layout {layout.name!r:.80} has two blocks of one name: {', '.join(names)}")


@frozen(kw_only=True)
class Layout:
    """A report before it has numbers: its name, its title and its blocks, in the order in which they are shown."""

    name: str = field(converter=text)
    title: str = field(converter=text)
    blocks: tuple[BlockLayout, ...] = field(converter=_blocks, validator=_named_apart)

    @property
    def keys(self) -> tuple[str, ...]:
        """The indicators of the catalogue that it shows, each once."""
        return tuple(dict.fromkeys(key for block in self.blocks for key in block.keys))
