"""The way to ClickHouse: an address, the clients made of it, and the lock of a folder that the embedded engine works in."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
from attrs import field, frozen
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from msgtrack.errors import InvalidValue, MissingExtra, StoreClosed, StoreError, UnknownOption

__all__ = ["Address", "Link", "Session", "address_of", "is_name"]

_SETTINGS: Mapping[str, Any] = {
    # Of rows with one key, readers see the one that counts, whether the engine has merged them already or not.
    "final": 1,
    # What a call wrote, the next one sees.
    "async_insert": 0,
    "lightweight_deletes_sync": 2,
    "mutations_sync": 2,
    # A query that names hundreds of ids is long.
    "max_query_size": 16_000_000,
    # A column that lacks a partner in a join is NULL, as in every other engine.
    "join_use_nulls": 1,
    # A name in a condition is that of a column, even where the answer has a column of that name made of others.
    "prefer_column_name_to_alias": 1,
}
_CLUSTER_SETTINGS: Mapping[str, Any] = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "insert_quorum": "auto",
    "select_sequential_consistency": 1,
}
_DATABASE = "msgtrack"
_LOCK_NAME = "msgtrack.lock"


@frozen(kw_only=True)
class Address:
    """Where a ClickHouse is: a server, or a folder (None for a server) for the engine inside this process."""

    folder: Path | None = None
    host: str = ""
    port: int = 0
    user: str | None = None
    password: str = field(default="", repr=False)
    secure: bool = False
    database: str = _DATABASE

    @property
    def shown(self) -> str:
        """The address for people, without the password."""
        if self.folder is not None:
            return f"chdb:///{self.folder} ({self.database})"
        return f"clickhouse://{self.host}:{self.port}/{self.database}"


def address_of(url: str) -> Address:
    """Read ``clickhouse://user:password@host:port/database?secure=1`` or ``chdb:///folder?database=name``.

    A folder is relative to the working folder, as in ``sqlite:///file.db``; four slashes make it absolute.

    Raises:
        InvalidValue: it is no such address.
        UnknownOption: something else stands behind the question mark.
    """
    try:
        url.encode()
        parts = urlsplit(url)
        port, host, options = parts.port, parts.hostname or "", parse_qsl(parts.query, keep_blank_values=True)
    except ValueError as error:
        raise InvalidValue(f"not an address of ClickHouse ({error}): {_masked(url)}") from None
    known = ("database",) if parts.scheme == "chdb" else ("secure",)
    for name, _ in options:
        if name not in known:
            raise UnknownOption(
                f"an address that begins with {parts.scheme}: has no option {name!r:.40}",
                hint=f"it has: {', '.join(known)}",
            )
    given = dict(options)
    if parts.scheme == "chdb":
        folder = unquote(parts.path).removeprefix("/")
        if parts.netloc or not folder or "\0" in folder:
            raise InvalidValue(f"no folder in {_masked(url)}", hint="as in chdb:///folder, with three slashes")
        return Address(folder=Path(os.path.realpath(folder)), database=_name(given.get("database", _DATABASE)))
    if parts.scheme != "clickhouse" or not host:
        raise InvalidValue(f"no server in {_masked(url)}", hint="as in clickhouse://host:8123/database")
    if given.get("secure", "0") not in ("0", "1"):
        raise InvalidValue(f"secure is 0 or 1, not {given['secure']!r:.40}")
    secure = given.get("secure") == "1"
    return Address(
        host=host,
        port=port or (8443 if secure else 8123),
        user=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
        secure=secure,
        database=_name(unquote(parts.path).strip("/") or _DATABASE),
    )


def _name(value: str) -> str:
    if not value or not is_name(value, 64):
        raise InvalidValue(f"a database has a name of 1 to 64 bytes without NUL, not {value!r:.80}")
    return value


def is_name(value: str, most_bytes: int) -> bool:
    """Whether the engine can have this as a name: without NUL, of so many bytes of UTF-8, which half characters are not."""
    try:
        return "\0" not in value and len(value.encode()) <= most_bytes
    except UnicodeEncodeError:
        return False


def _masked(url: str) -> str:
    return repr(re.sub(r"//[^/@]*@", "//***@", url)[:80])


@frozen
class Session:
    """One client, as long as it is lent."""

    client: Client

    def run(self, statement: str) -> None:
        """Carry out a statement that answers nothing."""
        self.client.command(statement)

    def rows(self, select: str) -> list[Sequence[Any]]:
        """All rows of an answer that is small."""
        return list(self.client.query(select).result_rows)


class Link:
    """Clients of one ClickHouse. Each does one thing at a time, so a reader that is half-way has one of its own.

    Raises:
        StoreError: it cannot be reached; for a folder also when another process works in it.
        MissingExtra: the embedded engine is not installed.
    """

    def __init__(self, address: Address, *, cluster: bool = False) -> None:
        self.address = address
        self._settings = {**_SETTINGS, **(_CLUSTER_SETTINGS if cluster else {})}
        self._idle: list[Client] = []
        self._open: set[Client] = set()
        self._pid = os.getpid()
        self._closed = False
        if address.folder is not None:
            _hold(address.folder)
        try:
            self._idle.append(self._client())
        except BaseException:
            self.close()
            raise

    def run(self, statement: str) -> None:
        """Carry out a statement that answers nothing."""
        with self.session() as session:
            session.run(statement)

    def rows(self, select: str) -> list[Sequence[Any]]:
        """All rows of an answer that is small."""
        with self.session() as session:
            return session.rows(select)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Several statements that see the same temporary tables."""
        with self._lent() as client:
            yield Session(client)

    def stream(self, select: str) -> Iterator[Sequence[Any]]:
        """The rows of an answer that may be large, some thousands of them held at a time."""
        with self._lent() as client, client.query_row_block_stream(select) as blocks:
            for block in blocks:
                for row in block:
                    if self._closed:
                        raise StoreClosed("the store was closed while it was read")
                    yield row

    def insert(self, table: str, names: Sequence[str], types: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """Insert columns of equal length; the name of the table is quoted and has its database."""
        with self._lent() as client:
            client.insert(table, columns, column_names=[*names], column_type_names=[*types], column_oriented=True)

    @property
    def alone_since(self) -> int | None:
        """Since when (microseconds since 1970) no other process can have written; None where others may write at any time."""
        return None if self.address.folder is None else _held[self.address.folder][2]

    def close(self) -> None:
        """Let go of all clients, and of the folder."""
        if self._closed:
            return
        self._closed = True
        # A forked child must not touch the engine of its parent: it would wait for threads that it does not have.
        if self.address.folder is not None and self._pid != os.getpid():
            return
        for client in [*self._open, *self._idle]:
            client.close()
        self._idle.clear()
        if self.address.folder is not None:
            _release(self.address.folder)

    @contextmanager
    def _lent(self) -> Iterator[Client]:
        if self.address.folder is not None and self._pid != os.getpid():
            raise StoreError(
                f"the store {self.address.shown} was opened by the process that this one was forked from",
                hint="open it here anew, in a process that was spawned and not forked",
            )
        with self._errors():
            client = self._idle.pop() if self._idle else self._client()
        self._open.add(client)
        is_done = False
        try:
            with self._errors():
                yield client
            is_done = True
        finally:
            self._open.discard(client)
            # One that was left in the middle of something may still be at it.
            if is_done and not self._closed:
                self._idle.append(client)
            else:
                client.close()

    def _client(self) -> Client:
        address = self.address
        settings = dict(self._settings)
        with self._errors():
            if address.folder is not None:
                return clickhouse_connect.get_client(interface="chdb", path=str(address.folder), settings=settings)
            return clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=address.password,
                secure=address.secure,
                settings=settings,
                # Each client does one thing at a time, so it may have a session of the server, and that temporary tables.
                autogenerate_session_id=True,
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClickHouseError as error:
            raise StoreError(f"the store {self.address.shown} failed: {error}") from error
        except ImportError as error:
            raise MissingExtra(
                "chdb: needs ClickHouse's engine as a package, which is not installed",
                hint="pip install chdb-core-lite",
            ) from error


# The engine has one folder in a process, and a folder one process. It says neither clearly, so both are checked here; the
# folder is the process's own state, and so is this.
_guard = threading.Lock()
_held: dict[Path, tuple[int, int, int]] = {}
"""Of each folder the lock, how many links hold it, and since when."""


def _hold(folder: Path) -> None:
    with _guard:
        for other in _held:
            if other != folder:
                raise StoreError(
                    f"ClickHouse's engine works in {str(other)!r} in this process, and in no second folder",
                    hint="close the other store, or keep both in one folder: chdb:///folder?database=name",
                )
        if folder in _held:
            lock, times, since = _held[folder]
            _held[folder] = (lock, times + 1, since)
            return
        _held[folder] = (_lock(folder), 1, time.time_ns() // 1000)


def _lock(folder: Path) -> int:
    # The embedded engine is for systems that have this module.
    import fcntl

    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the folder {str(folder)!r} cannot keep a store: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        said = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreError(
            f"another process{f' ({said})' if said.isdigit() else ''} works in {str(folder)!r}, and ClickHouse's engine admits one",
            hint="close the store there, or run a ClickHouse server: clickhouse://host:8123/database",
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _release(folder: Path) -> None:
    with _guard:
        lock, times, since = _held[folder]
        if times > 1:
            _held[folder] = (lock, times - 1, since)
            return
        del _held[folder]
        os.close(lock)
