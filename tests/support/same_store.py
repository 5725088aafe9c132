"""What a store holds, to hold one against another; and the same log read both ways."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve

from msgtrack import Tracker, collect, open_store
from msgtrack.bulk import collect_logs
from msgtrack.io import AccessLogFile
from msgtrack.protocols import Checkpoint
from msgtrack.storage import BaseStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
START = '{"position": null, "scope": "", "equal": {}}'
"""The position of a source of which nothing was read."""

_TABLES = ("slots", "agent_days", "terms", "checkpoints", "runs")
_EVENTS = "id, kind, occurred_at, delivery_id, message_id, link_id, source_id, audience, agent_key, left_out, request_id, body, message_key"


def contents(store: BaseStore, sources: Iterable[str] = ("web",)) -> dict[str, Any]:
    """Events, checkpoints and runs; of a DuckDB store the rows of its tables, too."""
    held: dict[str, Any] = {
        "events": list(store.scan()),
        "checkpoints": [store.checkpoint(name) for name in sources],
        "runs": list(store.runs()),
        "slots": store.live_slots(),
    }
    run = getattr(store, "_run", None)
    if run is not None:
        held |= {name: sorted(run(f"SELECT * FROM msgtrack_{name}"), key=repr) for name in _TABLES}
        held["rows"] = sorted(run(f"SELECT {_EVENTS} FROM msgtrack_events"), key=repr)
    return held


def check_both_ways(log: Path, stores: tuple[BaseStore, BaseStore], tracker: Tracker, **options: Any) -> None:
    """A log read by objects and by columns says the same, and neither adds anything to what the other kept."""
    how = {
        "tracker": tracker,
        "now": NOW,
        **{name: options.pop(name) for name in ("people", "tags", "clients") if name in options},
    }
    by_objects, by_columns = stores
    first = collect({"web": AccessLogFile(log, **options)}, by_objects, **how)
    second = collect_logs({"web": AccessLogFile(log, **options)}, by_columns, **how)
    assert second == first
    assert contents(by_columns) == contents(by_objects)
    for store in stores:
        store.ingest((), Checkpoint(source="web", position=START))
    again = collect_logs({"web": AccessLogFile(log, **options)}, by_objects, **how)
    assert (again.added, again.known) == (0, first.events)
    assert evolve(again, id="-", added=0, known=0) == evolve(first, id="-", added=0, known=0)
    again = collect({"web": AccessLogFile(log, **options)}, by_columns, **how)
    assert (again.added, again.known) == (0, first.events)
    assert contents(by_columns) == contents(by_objects)


def two_memories() -> tuple[BaseStore, BaseStore]:
    """Two empty stores in memory."""
    return open_store("memory:"), open_store("memory:")
