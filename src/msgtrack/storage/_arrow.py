"""Events by column as a table of Arrow, which engines read without a look at each value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgtrack.columns import EventColumns
from msgtrack.errors import MissingExtra
from msgtrack.storage._event_rows import EventWriter
from msgtrack.storage._rows import EVENT_COLUMNS, Term
from msgtrack.storage._types import pack_ids, tagged_ids

__all__ = ["event_table"]

_OWN = frozenset({"id", "occurred_at", "message_id", "source_id"})
_TEXTS = frozenset({"kind", "delivery_id", "link_id", "audience", "request_id", "body"})
_HEX_DIGITS = 32


def event_table(columns: EventColumns) -> tuple[Any, list[Term]]:
    """The rows of events, with the columns of :data:`EVENT_COLUMNS` and before them ``n``, their place in the call; and their terms.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra(
            "taking events by column needs the package 'pyarrow', which is not installed",
            hint="pip install 'msgtrack[bulk]'",
        ) from error
    writer = EventWriter()
    # The ids of examples stand in no row.
    shared = dict(zip(EVENT_COLUMNS, writer.columns([""] * len(columns.examples), columns.examples), strict=True))
    which = pa.array(columns.example, pa.int32())

    def like_its_example(name: str) -> Any:
        if name in _TEXTS:
            return pa.DictionaryArray.from_arrays(which, pa.array(shared[name], pa.string()))
        return pa.array(shared[name], pa.int64()).take(which)

    of_each = {
        "id": _ids(pa, columns.ids),
        "occurred_at": pa.array(columns.occurred_us, pa.int64()),
        "message_id": pa.array(columns.message_ids, pa.string()),
        "source_id": pa.array(columns.source_ids, pa.string()),
    }
    table = {"n": pa.array(range(len(columns)), pa.int64())}
    table |= {name: of_each[name] if name in _OWN else like_its_example(name) for name in EVENT_COLUMNS}
    return pa.table(table), writer.terms()


def _ids(pyarrow: Any, ids: Sequence[str]) -> Any:
    """Event ids as :func:`tagged_ids` writes them."""
    # Our own are of one length, so that their bytes lie in a row; the mark before each is a byte 0.
    together = "00" + "00".join(ids)
    if {*map(len, ids)} == {_HEX_DIGITS}:
        with suppress(ValueError):
            packed = bytes.fromhex(together)
            if packed.hex() == together:
                buffers = [None, pyarrow.py_buffer(packed)]
                return pyarrow.FixedSizeBinaryArray.from_buffers(
                    pyarrow.binary(1 + _HEX_DIGITS // 2), len(ids), buffers
                )
    return pyarrow.array(tagged_ids(pack_ids(ids)), pyarrow.binary())
