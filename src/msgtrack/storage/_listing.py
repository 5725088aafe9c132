"""What stores that keep rows in tables list alike: records, facts and frozen counts, and records by a field that has no column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import Select

from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.protocols import FrozenCounts, Query
from msgtrack.storage._asking import (
    all_facts_asked,
    deliveries_of_facts_asked,
    facts_asked,
    frozen_asked,
    frozen_names_asked,
    having_asked,
    records_asked,
)
from msgtrack.storage._rows import SHELVES, read_fact
from msgtrack.storage._schema import Tables
from msgtrack.storage.base import EVERYTHING, BaseStore, RecordT, admits

__all__ = ["ListingStore"]

_MOST_VALUES = 50
_FACTS = {kind.__name__: kind for kind in FACT_KEYS}


class ListingStore(BaseStore):
    """A store whose records are rows of ``_tables``."""

    _tables: Tables

    @abstractmethod
    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        """The rows of a statement, one after the other."""

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        asked = facts_asked if kind in FACT_KEYS else records_asked
        records = self._records(kind, asked(self._tables, kind, query))
        return (record for record in records if admits(query, record))

    def _records(self, kind: type[RecordT], statement: Select[Any]) -> Iterator[RecordT]:
        is_fact = kind in FACT_KEYS
        for row in self._rows(statement):
            yield read_fact(row[0], kind) if is_fact else SHELVES[kind].record(row, kind)

    def find_having(self, kind: type[RecordT], name: str, values: AbstractSet[str]) -> Iterator[RecordT]:
        """Records of one class whose field has one of these values, sought by the engine, in order."""
        if not 0 < len(values) <= _MOST_VALUES:
            return super().find_having(kind, name, values)
        self.check_open()
        records = self._records(kind, having_asked(self._tables, kind, name, values))
        # The text that the engine looks for may stand in another place of the body, too.
        return (record for record in records if getattr(record, name) in values)

    def frozen_deliveries(self, query: Query = EVERYTHING) -> set[str]:
        """The ids of those of the query's deliveries whose counts are frozen."""
        self.check_open()
        names = self._rows(frozen_names_asked(self._tables, query))
        return {name for (name,) in names if query.admits_delivery(name)}

    def frozen_for(self, query: Query, audiences: Collection[str], zone: str) -> Iterator[FrozenCounts]:
        """Frozen counts for some audiences in one zone, in order."""
        self.check_open()
        found = self._records(FrozenCounts, frozen_asked(self._tables, query, audiences, zone))
        return (kept for kept in found if admits(query, kept))

    def all_facts(self, query: Query = EVERYTHING) -> Iterator[Fact]:
        """Facts of all classes, by one statement."""
        self.check_open()
        rows = self._rows(all_facts_asked(self._tables, query))
        facts = (read_fact(body, _FACTS[kind]) for kind, body in rows)
        return (fact for fact in facts if admits(query, fact))

    def deliveries_of_facts(self) -> set[str]:
        """The ids of all deliveries that facts belong to."""
        self.check_open()
        return {name for (name,) in self._rows(deliveries_of_facts_asked(self._tables))}
