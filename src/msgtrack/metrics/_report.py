"""What a report of indicators holds: blocks of rows, each number a :class:`Value`, for one audience or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, cast, get_args

from attrs import field, frozen

from msgtrack._borders import flag, items, one_of, optional_utc, text, texts
from msgtrack.metrics._values import Unit, Value

__all__ = ["Block", "Cell", "Column", "IndicatorReport", "Row", "RowKind"]

RowKind = Literal["row", "others", "total"]


def _kind(value: object) -> RowKind:
    return cast(RowKind, one_of("kind", get_args(RowKind))(value))


def _unit(value: object) -> Unit:
    return cast(Unit, one_of("unit", get_args(Unit))(value))


@frozen(kw_only=True)
class Column:
    """A number that rows of a block may have.

    ``key``: of an indicator of the catalogue, or a name of the report's own; ``is_share``: read as a percentage.
    """

    key: str = field(converter=text)
    label: str = field(converter=text)
    unit: Unit = field(converter=_unit)
    is_share: bool = field(default=False, converter=flag)


@frozen(kw_only=True)
class Cell:
    """One number: whose reactions are in, which column it stands in, and its value."""

    audience: str = field(converter=text)
    key: str = field(converter=text)
    value: Value


def _cells(value: Iterable[Cell]) -> tuple[Cell, ...]:
    return items(value)


@frozen(kw_only=True)
class Row:
    """A line of a block.

    - ``name``: of the group (a domain, a bin, a link's label), or the title of a single number;
    - ``kind``: ``row``; ``others`` for what is beyond a ranking or in no class; ``total`` for the whole, which is computed by
      itself and is not the sum of the rows;
    - ``cells``: by audience, then column. A group that an audience has nothing of has no cells for it, but for the bins of
      a cumulated curve, which stays where it was;
    - ``note``: what the name alone does not say, such as the label of a link id.

    ``row["sends"]`` is the value of the first audience of the row, ``row["sends", "human"]`` that of another.
    """

    name: str = field(converter=text)
    kind: RowKind = field(default="row", converter=_kind)
    cells: tuple[Cell, ...] = field(converter=_cells)
    note: str = field(default="", converter=text)

    def __getitem__(self, key: str | tuple[str, str]) -> Value:
        """The value of a column, or of a column and an audience.

        Raises:
            KeyError: the row has no such number.
        """
        column, audience = key if isinstance(key, tuple) else (key, None)
        for cell in self.cells:
            if cell.key == column and audience in (None, cell.audience):
                return cell.value
        raise KeyError(key)

    def values(self, audience: str | None = None) -> dict[str, Value]:
        """The values by column, of one audience or of the first that the row has."""
        if audience is None and self.cells:
            audience = self.cells[0].audience
        return {cell.key: cell.value for cell in self.cells if cell.audience == audience}


def _columns(value: Iterable[Column]) -> tuple[Column, ...]:
    return items(value)


def _rows(value: Iterable[Row]) -> tuple[Row, ...]:
    return items(value)


@frozen(kw_only=True)
class Block:
    """A table of a report.

    ``by``: the grouping that rows are cut by, "" where each row is a number over everything. ``columns``: every number that
    a row may have, in order. ``rows``: in the order shown, others after the ranking and the total last.
    """

    name: str = field(converter=text)
    title: str = field(converter=text)
    by: str = field(default="", converter=text)
    columns: tuple[Column, ...] = field(converter=_columns)
    rows: tuple[Row, ...] = field(converter=_rows)

    def __getitem__(self, name: str) -> Row:
        """The row of this name; a group wins over the others and the total, which may be called alike.

        Raises:
            KeyError: there is none.
        """
        for kind in get_args(RowKind):
            for row in self.rows:
                if row.kind == kind and row.name == name:
                    return row
        raise KeyError(name)

    @property
    def total(self) -> Row | None:
        """The row of the whole, if the block has one."""
        return next((row for row in self.rows if row.kind == "total"), None)

    def column(self, key: str) -> Column:
        """The column of this key.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.key == key:
                return column
        raise KeyError(key)


def _blocks(value: Iterable[Block]) -> tuple[Block, ...]:
    return items(value)


@frozen(kw_only=True)
class IndicatorReport(Mapping[str, Block]):
    """A report: its blocks by name, and what it was asked for.

    ``delivery_ids``, ``since``, ``until``, ``zone`` and ``now`` are those of the tables it was made of. ``audiences``: whose
    reactions stand side by side, in words, such as ``("all", "human")``. ``is_left_out``: the deliveries are proofs or templates,
    which count nowhere.
    """

    name: str = field(converter=text)
    title: str = field(converter=text)
    delivery_ids: tuple[str, ...] = field(converter=texts)
    audiences: tuple[str, ...] = field(converter=texts)
    since: datetime | None = field(default=None, converter=optional_utc)
    until: datetime | None = field(default=None, converter=optional_utc)
    zone: str = field(default="UTC", converter=text)
    now: datetime | None = field(default=None, converter=optional_utc)
    is_left_out: bool = field(default=False, converter=flag)
    blocks: tuple[Block, ...] = field(converter=_blocks)

    def __getitem__(self, name: str) -> Block:
        """The block of this name.

        Raises:
            KeyError: there is none.
        """
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (block.name for block in self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def caveats(self) -> tuple[str, ...]:
        """The codes of what to keep in mind with any of its numbers, each once, in the order met."""
        cells = (cell for block in self.blocks for row in block.rows for cell in row.cells)
        return tuple(dict.fromkeys(code for cell in cells for code in cell.value.caveats))
