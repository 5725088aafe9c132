"""What an engine gives up because of others is done again, and not for ever."""

from __future__ import annotations

import threading
import time

import pytest
import writer as program
from harness import check
from sqlalchemy import NullPool, create_engine

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.protocols import Checkpoint

pytestmark = pytest.mark.faults

ATTEMPTS = 6
"""How often a call is tried."""

GIVEN_UP = {
    "PostgreSQL": {
        "serialisation failure": "RAISE EXCEPTION 'not in this order' USING ERRCODE = '40001'",
        "deadlock": "RAISE EXCEPTION 'in a ring' USING ERRCODE = '40P01'",
    },
    "MariaDB": {
        "deadlock": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'in a ring'",
        "overtaken snapshot": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020, MESSAGE_TEXT = 'changed since'",
    },
}
"""By engine and fault the statement that makes it."""


def run(url, *statements):
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rows = [connection.exec_driver_sql(statement) for statement in statements]
        return rows[-1].scalar() if rows[-1].returns_rows else None


def provoke(place, times, statement):
    """Let the first writes of a checkpoint fail. A sequence counts on, whatever is rolled back."""
    if place.engine == "PostgreSQL":
        run(
            place.url,
            "CREATE SEQUENCE IF NOT EXISTS tries",
            "ALTER SEQUENCE tries RESTART",
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('tries') <= {times} THEN {statement}; END IF; RETURN NEW; END $$",
            "CREATE OR REPLACE TRIGGER failing BEFORE INSERT ON msgtrack_checkpoints FOR EACH ROW EXECUTE FUNCTION fail()",
        )
    else:
        run(
            place.url,
            "CREATE OR REPLACE SEQUENCE tries NOCACHE",
            "CREATE OR REPLACE TRIGGER failing BEFORE INSERT ON msgtrack_checkpoints FOR EACH ROW BEGIN "
            f"IF NEXTVAL(tries) <= {times} THEN {statement}; END IF; END",
        )


def tries(place):
    is_postgres = place.engine == "PostgreSQL"
    return run(place.url, "SELECT last_value FROM tries" if is_postgres else "SELECT LASTVAL(tries)") or (
        run(place.url, "SELECT next_not_cached_value - 1 FROM tries")
    )


@pytest.mark.parametrize("batch", [2, 1, 3], ids=["short", "middling", "long"])
@pytest.mark.parametrize(
    ("place", "fault"), [(engine, fault) for engine, faults in GIVEN_UP.items() for fault in faults], indirect=["place"]
)
def test_a_call_that_the_server_gives_up_is_done_again(place, fault, batch, figures, monkeypatch):
    program.lower_limit_of_postgres(monkeypatch.setattr)
    statement = GIVEN_UP[place.engine][fault]
    with open_store(place.url) as store:
        store.put(program.records())
        program.bring(store, 0, batch)
        events = [program.event_of(number) for number in program.numbers_of(batch)]
        mark = Checkpoint(source=program.source_of(0), position=str(batch))
        provoke(place, 1000, statement)
        with pytest.raises(StoreError, match=r"ring|order|changed"):
            store.ingest(iter(events), mark)
        in_the_end = tries(place)
        check(place, place.look(), batch - 1)
        assert place.look()["positions"] == [batch - 1]
        provoke(place, ATTEMPTS - 2, statement)
        assert store.ingest(iter(events), mark).added == len(events) - program.OVERLAP
        again = tries(place)
        check(place, place.look(), batch)
    assert (again, in_the_end) == (ATTEMPTS - 1, ATTEMPTS)
    figures(
        "calls given up by the server",
        engine=place.engine,
        fault=fault,
        call={2: "short", 1: "middling", 3: "long"}[batch],
        **{"failed before it worked": again - 1, "tries before a StoreError": in_the_end},
    )


def held_by_another(place):
    """What begins and ends a change by somebody else that writers have to wait for."""
    if place.engine == "SQLite":
        import sqlite3

        other = sqlite3.connect(place.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
        return other, ["BEGIN IMMEDIATE"]
    import duckdb

    other = duckdb.connect(place.url.removeprefix("duckdb:///"))
    return other, ["BEGIN", "UPDATE msgtrack_turns SET next = next + 1"]


@pytest.mark.parametrize("place", ["SQLite", "DuckDB"], indirect=True)
def test_a_file_that_another_holds_is_waited_for_and_not_for_ever(place, figures):
    waits = []
    with open_store(place.url, busy_seconds=0.4) as store, open_store(place.url, busy_seconds=30) as patient:
        store.put(program.records())
        program.bring(store, 0, 1)
        other, hold = held_by_another(place)
        for statement in hold:
            other.execute(statement)
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"(?i)locked|conflict"):
            program.bring(store, 0, 2)
        waits.append(time.monotonic() - begun)
        release = threading.Timer(0.6, lambda: other.execute("ROLLBACK"))
        release.start()
        begun = time.monotonic()
        program.bring(patient, 0, 2)
        waits.append(time.monotonic() - begun)
        release.join()
        other.close()
        program.bring(store, 0, 3)
    check(place, place.look(), 2)
    assert waits[1] > 0.3
    figures(
        "files that another holds",
        engine=place.engine,
        **{"waited before a StoreError": f"{waits[0]:.2f} s", "waited before it worked": f"{waits[1]:.2f} s"},
    )
