"""Ways to break what goes on between a store and its engine, at a place that is chosen by counting."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

from sqlalchemy import event, make_url

_MOST_SAID = 2_000
_LENGTHS = re.compile(r"[A-Za-z]\x00\x00..", re.DOTALL)
_CURSORS = re.compile(r"c_[0-9a-f]+_[0-9a-f]+")
_WORDS = re.compile(r"_pg\w+|(?<!\w)[A-Za-z_]{3,}(?!\w)", re.ASCII)


def _words_of(said: str) -> str:
    """What a step says, without what is another each time: values, names of cursors, and the lengths that protocols put before texts.

    The names of prepared statements stay: all that is said of one later is its name. Rows that are sent are the same word again and again.
    """
    said = _CURSORS.sub("", _LENGTHS.sub("\0", said[:_MOST_SAID]))
    for text in said.split("\0"):
        if words := _WORDS.findall(text):
            return " ".join(dict.fromkeys(words))
    return re.sub("[0-9]+", "#", said)[:20]


class Cuts:
    """Breaks the step of a number, before the engine hears of it or after it has done it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._left, self._text = 0, ""
        self._is_after = self._is_due = False
        self.was_cut = False
        self._said: list[str] | None = None

    def watch(self) -> None:
        """Note from now on what each step says."""
        with self._guard:
            self._said = []

    def watched(self) -> list[str]:
        """What each step said since then, without its numbers; it is noted no longer."""
        with self._guard:
            said, self._said = self._said or [], None
            return said

    def arm(self, number: int, *, is_after: bool, text: str = "") -> None:
        """Break the step of this number, counted from 1 on from now, among all or among those that say a text."""
        with self._guard:
            self._left, self._text = number, text
            self._is_after, self._is_due, self.was_cut = is_after, False, False

    def disarm(self) -> None:
        """Break nothing more."""
        with self._guard:
            self._left, self._is_due = 0, False

    def breaks_before(self, said: str) -> bool:
        """Count a step that is about to be done; whether it is to be broken now."""
        with self._guard:
            if self._said is not None:
                self._said.append(_words_of(said))
            if not self._left or (self._text and self._text != _words_of(said)):
                return False
            self._left -= 1
            if self._left:
                return False
            self._is_due, self.was_cut = self._is_after, not self._is_after
            return self.was_cut

    def breaks_after(self) -> bool:
        """Whether the step that was just done is to be broken."""
        with self._guard:
            if not self._is_due:
                return False
            self._is_due, self.was_cut = False, True
            return True


class Proxy(Cuts):
    """Stands before a server; a step is what the client sends in one piece."""

    def __init__(self, url: str) -> None:
        super().__init__()
        address = make_url(url)
        self._server = (address.host, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = address.set(port=self._listener.getsockname()[1]).render_as_string(hide_password=False)
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets |= {client, server}
                hang_up = threading.Event()
                for pump in (self._up, self._down):
                    threading.Thread(target=pump, args=(client, server, hang_up), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, hang_up: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while sent := client.recv(1 << 20):
                if self.breaks_before(sent[:_MOST_SAID].decode("latin-1")):
                    break
                if self.breaks_after():
                    hang_up.set()
                server.sendall(sent)
        if not hang_up.is_set():
            self._end(client, server)

    def _down(self, client: socket.socket, server: socket.socket, hang_up: threading.Event) -> None:
        with contextlib.suppress(OSError):
            # The server has done a step when it answers; that answer is lost.
            while (said := server.recv(1 << 20)) and not hang_up.is_set():
                client.sendall(said)
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._sockets.discard(end)

    def attach(self, store: Any) -> None:
        """Nothing: what goes by this address passes here."""

    def close(self) -> None:
        """Let go of everything."""
        self._listener.close()
        self._end(*self._sockets)


class SqliteErrors(Cuts):
    """Statements and commits of SQLite that fail as a broken disk makes them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def attach(self, store: Any) -> None:
        """Listen to a store's engine."""
        engine = store._database._engine
        event.listen(engine, "before_cursor_execute", lambda *said: self._raise_if(self.breaks_before(said[2])))
        event.listen(engine, "after_cursor_execute", lambda *_: self._raise_if(self.breaks_after()))
        event.listen(engine, "commit", lambda *_: self._raise_if(self.breaks_before("COMMIT")))

    def _raise_if(self, breaks: bool) -> None:
        if breaks:
            raise sqlite3.OperationalError("disk I/O error")

    def close(self) -> None:
        """Nothing is held."""


class DuckErrors(SqliteErrors):
    """Statements of DuckDB that fail as a broken disk makes them."""

    def attach(self, store: Any) -> None:
        """Stand between a store and its connection."""
        store._connection = _Failing(store._connection, self)


class _Failing:
    """A connection of DuckDB some of whose statements fail."""

    def __init__(self, connection: Any, cuts: Cuts) -> None:
        self._connection, self._cuts = connection, cuts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> _Failing:
        return _Failing(self._connection.cursor(), self._cuts)

    @contextlib.contextmanager
    def appender(self, table: str) -> Iterator[Any]:
        import duckdb

        if self._cuts.breaks_before(table):
            raise duckdb.IOException("IO Error: disk I/O error")
        with self._connection.appender(table) as made:
            yield made
        if self._cuts.breaks_after():
            raise duckdb.IOException("IO Error: disk I/O error")

    def execute(self, statement: str, *parameters: Any) -> Any:
        import duckdb

        # What is undone never fails on its own.
        if statement == "ROLLBACK":
            return self._connection.execute(statement, *parameters)
        if self._cuts.breaks_before(statement):
            raise duckdb.IOException("IO Error: disk I/O error")
        done = self._connection.execute(statement, *parameters)
        if self._cuts.breaks_after():
            raise duckdb.IOException("IO Error: disk I/O error")
        return done


class ClickHouseErrors(Cuts):
    """Commands to ClickHouse that its client fails at, as it does when the server is gone: before they are sent, or after."""

    def attach(self, store: Any) -> None:
        """Stand between a store and each of its clients."""
        link = store._link
        made = link._client
        link._client = lambda: _Lost(made(), self)
        link._idle[:] = [_Lost(client, self) for client in link._idle]


class _Lost:
    """A client of ClickHouse some of whose commands fail."""

    def __init__(self, client: Any, cuts: Cuts) -> None:
        self._client, self._cuts = client, cuts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._failing(found) if name in ("command", "query", "insert", "query_row_block_stream") else found

    def _failing(self, call: Any) -> Any:
        from clickhouse_connect.driver.exceptions import OperationalError

        def sent(*arguments: Any, **options: Any) -> Any:
            if self._cuts.breaks_before(str(arguments[:1])):
                raise OperationalError("the connection was refused")
            answer = call(*arguments, **options)
            if self._cuts.breaks_after():
                if hasattr(answer, "close"):
                    answer.close()
                raise OperationalError("the connection was lost")
            return answer

        return sent
