"""Stores: where deliveries, messages, links, events, checkpoints and run records are kept.

The contract is :class:`msgtrack.protocols.Store`; :class:`BaseStore` makes an adapter out of six methods; ``docs/how-to/write-a-store.md``
shows how.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from msgtrack import plugins
from msgtrack._borders import shown
from msgtrack.errors import InvalidValue, MsgtrackError, StoreError, UnknownOption, UnknownStore
from msgtrack.plugins import Builtin
from msgtrack.protocols import Store
from msgtrack.storage.base import (
    EVERYTHING,
    RECORD_KINDS,
    BaseStore,
    RecordT,
    admits,
    in_order,
    kept_events,
    one_id,
    paged,
    rebuilt_ids,
    record_key,
    some_ids,
    subject_digest,
)
from msgtrack.storage.memory import MemoryStore

__all__ = [
    "EVERYTHING",
    "RECORD_KINDS",
    "BaseStore",
    "MemoryStore",
    "RecordT",
    "admits",
    "in_order",
    "kept_events",
    "one_id",
    "open_store",
    "paged",
    "rebuilt_ids",
    "record_key",
    "some_ids",
    "subject_digest",
]

GROUP = "msgtrack.stores"
"""The entry-point group of stores: name is the scheme, value a callable ``(url, **options) -> Store``."""

_BUILTINS = {
    "chdb": Builtin("msgtrack.storage.clickhouse:open_clickhouse", extra="clickhouse"),
    "clickhouse": Builtin("msgtrack.storage.clickhouse:open_clickhouse", extra="clickhouse"),
    "memory": Builtin("msgtrack.storage.memory:open_memory"),
    "duckdb": Builtin("msgtrack.storage.duckdb:open_duckdb", extra="duckdb"),
    "duckdb+parquet": Builtin("msgtrack.storage.duckdb:open_duckdb", extra="duckdb"),
    "sqlite": Builtin("msgtrack.storage.sql:open_sql", extra="sql"),
    "postgres": Builtin("msgtrack.storage.sql:open_sql", extra="postgres"),
    "postgresql": Builtin("msgtrack.storage.sql:open_sql", extra="postgres"),
    "mariadb": Builtin("msgtrack.storage.sql:open_sql", extra="mariadb"),
    "mysql": Builtin("msgtrack.storage.sql:open_sql", extra="mariadb"),
}


def open_store(url: str, **options: Any) -> BaseStore:
    """The store at an address.

    ``memory:`` is new and empty each time. ``sqlite:///file.db`` is a file, relative to the working folder, and ``sqlite:////var/lib/file.db``
    an absolute one; it is made when missing. ``postgresql://user@host/database``, ``mariadb://`` and ``mysql://`` are databases on servers.
    ``duckdb:///file.duckdb`` is a file for one process at a time, ``duckdb+parquet:folder`` what it exported.
    ``clickhouse://host:8123/database`` is a ClickHouse server, and ``chdb:///folder`` its engine inside this process.
    Other packages add schemes by the entry-point group ``msgtrack.stores``.

    Args:
        url: scheme, colon, and what the store makes of the rest.
        options: those of the store; on SQL: ``busy_seconds``, how long to wait for another writer, ``schema`` and ``prefix``; on
            ClickHouse: ``prefix``, and ``cluster``, the name of a cluster.

    Raises:
        UnknownStore: nobody registered the scheme.
        UnknownOption: the store has no option of this name.
        NotSupported: a way to keep things that the engine has and this store has not, such as SQLite in memory.
        MissingExtra: what the store needs is not installed.
        StoreError: the store cannot be opened, or the package that registered its scheme is broken;
            ``SchemaMismatch`` when its schema is not one that this version reads.
    """
    if not isinstance(url, str):
        raise InvalidValue(f"the address of a store must be text, not {type(url).__name__}: {url!r:.80}")
    head, colon, _ = url.partition(":")
    # "postgresql+psycopg" names a driver behind the scheme, as SQLAlchemy writes it; unless the whole is a scheme.
    for scheme in dict.fromkeys((head, head.partition("+")[0]) if colon else ()):
        if scheme in _BUILTINS:
            factory: Callable[..., BaseStore] = plugins.load(scheme, _BUILTINS, GROUP)
            _check_options(scheme, factory, options)
            return factory(url, **options)
        point = plugins.find(scheme, GROUP)
        if point is not None:
            return _plugged_in(point, url, options)
    known = ", ".join(f"{name}:" for name in plugins.names(_BUILTINS, GROUP))
    said = f"an unknown scheme {head!r:.40}" if colon else f"no scheme: {url!r:.80}"
    raise UnknownStore(f"the address of the store has {said}", hint=f"known are {known} as in sqlite:///file.db")


def _plugged_in(point: EntryPoint, url: str, options: dict[str, Any]) -> BaseStore:
    try:
        factory: Callable[..., BaseStore] = point.load()
    except MsgtrackError:
        raise
    except Exception as error:  # a package may fail in any way while it is imported
        raise StoreError(
            f"{plugins.described(point)} cannot be loaded: {type(error).__name__}: {error}",
            hint="repair that package, or remove it",
        ) from error
    if not callable(factory):
        raise StoreError(f"{plugins.described(point)} names no function that opens a store, but {shown(factory)}")
    _check_options(point.name, factory, options)
    store = factory(url, **options)
    names = [*(name for name in dir(Store) if not name.startswith("_")), "__enter__", "__exit__"]
    # What hands on to another store has its methods without its class having them.
    missing = [name for name in names if not hasattr(type(store), name) and not hasattr(store, name)]
    if missing or isinstance(store, type):
        without = f"; it has no {', '.join(missing[:5])}{', …' * (len(missing) > 5)}" if missing else ""
        raise StoreError(
            f"{plugins.described(point)} gave no store, but {shown(store)}{without}",
            hint="a store is made from msgtrack.storage.BaseStore",
        )
    return store


def _check_options(scheme: str, factory: Callable[..., object], options: dict[str, Any]) -> None:
    parameters = [*inspect.signature(factory).parameters.values()][1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for name in options:
        if name not in known:
            there = f"its options are: {', '.join(known)}" if known else "it has none"
            raise UnknownOption(f"a store of the scheme {scheme}: has no option {name!r}", hint=there)
