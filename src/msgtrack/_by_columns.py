"""Who may read lines by columns: the same for logs that go into a store and for jobs over many files."""

from __future__ import annotations

from msgtrack._collecting import Collecting
from msgtrack.logs._fast_columns import FastColumns
from msgtrack.protocols import message_reader_of

__all__ = ["FastColumns", "columns_of"]


def columns_of(collecting: Collecting, source: str) -> FastColumns | None:
    """What reads lines in the combined format to columns of the events that ``collecting`` makes of them; None where each line must
    be looked at by itself.
    """
    reader = message_reader_of(collecting.tracker) if collecting.tags is None else None
    if reader is None:
        return None
    return FastColumns(collecting.tracker, reader, source=source, people=collecting.people, clients=collecting.clients)
