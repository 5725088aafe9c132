"""The contract, third part: the tables that a store keeps. A database is read by versions of this library that come years later, so each
change of them has a version of the schema and a migration.

``tests/data/stores/layout`` says what tables the present version makes in each engine. A test that fails here means: raise
``SCHEMA_VERSION``, write the migration and the dump of the version before, and then renew the file. Only what an older version of the
library reads and writes as before (a codec, the size of blocks) may be renewed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy import create_mock_engine  # it may be missing

from msgtrack import open_store  # it needs SQLAlchemy for these
from msgtrack.storage._schema import SCHEMA_VERSION, tables_of  # it needs SQLAlchemy

LAYOUTS = Path(__file__).resolve().parents[1] / "data" / "stores" / "layout"


def of_sql(url: str, folder: Path) -> list[str]:
    """What SQLAlchemy would send to make the tables."""
    sent: list[str] = []
    engine = create_mock_engine(url, lambda made, *_, **__: sent.append(str(made.compile(dialect=engine.dialect))))
    tables_of().metadata.create_all(engine, checkfirst=False)
    return sent


def of_duckdb(url: str, folder: Path) -> list[str]:
    """What the engine says of a new file."""
    duckdb = pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    file = folder / "store.duckdb"
    open_store(f"duckdb:///{file}").close()
    with duckdb.connect(str(file)) as connection:
        asked = "SELECT table_name, column_index, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal"
        rows = connection.execute(asked).fetchall()
    return [
        f"{table} {number:02} {name} {kind}{'' if null else ' NOT NULL'}" for table, number, name, kind, null in rows
    ]


def of_clickhouse(url: str, folder: Path) -> Iterable[str]:
    pytest.importorskip("clickhouse_connect", reason="the extra 'clickhouse' is not installed")
    from msgtrack.storage._clickhouse_tables import layout_of

    return layout_of(database="mail", prefix="msgtrack_").statements()


ENGINES: dict[str, Callable[[str, Path], Iterable[str]]] = {
    "sqlite": of_sql,
    "postgresql+psycopg": of_sql,
    "mariadb+pymysql": of_sql,
    "duckdb": of_duckdb,
    "clickhouse": of_clickhouse,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_change_with_their_version_only(engine: str, tmp_path: Path) -> None:
    made = ["\n".join(map(str.rstrip, text.strip().splitlines())) for text in ENGINES[engine](f"{engine}://", tmp_path)]
    kept = LAYOUTS / f"{SCHEMA_VERSION}-{engine.partition('+')[0]}.txt"
    assert "\n".join(sorted(made)) + "\n" == kept.read_text(encoding="utf-8")
