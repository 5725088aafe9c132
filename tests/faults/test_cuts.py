"""Connections that break, and statements that fail, at every step of every call in turn: before it is done and after."""

from __future__ import annotations

import gc
import json

import pytest
import writer as program
from calls import MESSAGES, READING, WRITING, Calls, break_every_read, break_every_step, lower_limits, steps_of
from cuts import DuckErrors, Proxy, SqliteErrors
from harness import TIMEOUT_SECONDS, Writer

from msgtrack import open_store
from msgtrack.errors import StoreError

pytestmark = [
    pytest.mark.faults,
    # SQLAlchemy cannot close the cursor of a connection that is gone.
    pytest.mark.filterwarnings("ignore:.*ServerCursor.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*ServerCursor.*:ResourceWarning"),
]

ENGINES = ("SQLite", "PostgreSQL", "MariaDB", "DuckDB")


@pytest.fixture
def cuts(place):
    kinds = {"SQLite": SqliteErrors, "DuckDB": DuckErrors}
    made = kinds.get(place.engine, Proxy)(place.url)
    yield made
    made.close()
    gc.collect()


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_call_that_writes_is_broken(place, cuts, name, figures, monkeypatch):
    lower_limits(monkeypatch.setattr)
    with open_store(cuts.url) as store, open_store(place.url) as seen:
        cuts.attach(store)
        store.put(program.records(MESSAGES))
        counted = break_every_step(Calls(store, seen), name, cuts)
    assert counted["errors of ours"] > 0
    figures("broken at every step", engine=place.engine, call=name, **counted)


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_a_call_that_reads_is_broken(place, cuts, figures):
    """What it gives is all or an error, never a part."""
    with open_store(cuts.url) as store:
        store.put(program.records(MESSAGES))
        program.bring(store, 0, 3)
        cuts.attach(store)
        for name in READING:
            counted = break_every_read(store, name, cuts)
            assert counted["errors of ours"] > 0
            figures("broken at every step", engine=place.engine, call=name, **counted)


@pytest.mark.parametrize("name", [*WRITING, "reading"])
@pytest.mark.parametrize("place", ["ClickHouse"], indirect=True)
def test_a_command_of_clickhouse_is_broken(place, name, figures):
    """In a process of its own, since the engine is never loaded into one of pytest."""
    running = Writer("break_clickhouse", place.url, name)
    running.finish(5 * TIMEOUT_SECONDS)
    said = [json.loads(line) for line in running.said("figures")]
    assert [counted["call"] for counted in said] == ([*READING] if name == "reading" else [name])
    for counted in said:
        assert counted["errors of ours"] > 0
        figures("broken at every step", engine=place.engine, **counted)


@pytest.mark.parametrize("place", ["PostgreSQL", "MariaDB"], indirect=True)
def test_opening_is_broken(place, cuts, figures):
    """Each time with other tables, which are made, or gone on with, by whoever opens next."""
    broken = survived = 0
    cuts.watch()
    open_store(cuts.url, prefix="t9_").close()
    said = cuts.watched()
    for is_after in (False, True):
        for number, (step, text) in enumerate(steps_of(said, is_after=is_after)):
            prefix = f"t{int(is_after)}_{number}_"
            cuts.arm(step, is_after=is_after, text=text)
            try:
                open_store(cuts.url, prefix=prefix).close()
            except StoreError:
                broken += 1
            else:
                survived += cuts.was_cut
            finally:
                was_cut = cuts.was_cut
                cuts.disarm()
            with open_store(place.url, prefix=prefix) as store:
                program.bring(store, 0, 1)
                assert len(list(store.scan())) == program.SIZES[0]
            if not was_cut and not text:
                break
    assert broken >= len({*said})
    figures(
        "broken at every step",
        engine=place.engine,
        call="open_store",
        steps=len(said),
        **{"steps broken": broken + survived, "errors of ours": broken, "done all the same": survived},
    )
