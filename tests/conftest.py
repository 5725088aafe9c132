"""What all tests share: Hypothesis profiles, the folder of real samples, which marks run where, and the engines of stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import skips
from chromium import Chromium
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from database_servers import Server

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# Speed is measured in benchmarks/, so no example has a deadline; on a busy machine it would only make tests fail at random.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if IN_CI else "dev")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave ``install`` tests to the build machine, and ``faults`` to full runs, unless they are asked for."""
    _leave_faults(config, items)
    if IN_CI or "install" in config.getoption("markexpr", ""):
        return
    skip = pytest.mark.skip(reason="builds and installs the package; runs where CI is set, or with -m install")
    for item in items:
        if item.get_closest_marker("install"):
            item.add_marker(skip)


def _leave_faults(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("MSGTRACK_TEST_FULL") or "faults" in config.getoption("markexpr", ""):
        return
    # By their marks and not by their keywords: a folder that the project lies in may have any name.
    left = [item for item in items if item.get_closest_marker("faults")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("faults")]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the project."""
    return ROOT


@pytest.fixture
def browse(tmp_path: Path) -> Chromium:
    """A browser with a profile of its own."""
    return Chromium(tmp_path / "profile")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real samples, which is no part of the project; tests that need it skip without it."""
    folder = Path(os.environ.get("MSGTRACK_CORPORA") or ROOT.parent / "shared" / "corpora")
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}; MSGTRACK_CORPORA says where they are")
    return folder


class Engines:
    """Which engines of stores ran, and why others did not; said at the end.

    Where ``MSGTRACK_TEST_ENGINES`` is ``required``, a missing one is a failure.
    """

    def __init__(self) -> None:
        self.ran: dict[str, str] = {}
        self.missing: dict[str, str] = {}

    def runs(self, name: str, version: str) -> None:
        """An engine that tests use."""
        self.ran[name] = version

    def lacks(self, name: str, why: str) -> NoReturn:
        """An engine that cannot run here: the test skips, or fails where all engines are required."""
        self.missing[name] = " ".join(why.split())
        if os.environ.get("MSGTRACK_TEST_ENGINES") == "required":
            pytest.fail(f"{name} is required and does not run: {why}", pytrace=False)
        pytest.skip(f"{name} does not run here: {why}")

    def merge(self, said: dict[str, dict[str, str]]) -> None:
        """Take in what another process of the same session said."""
        self.ran.update(said["ran"])
        self.missing.update(said["missing"])

    def said(self) -> dict[str, dict[str, str]]:
        """What :meth:`merge` takes."""
        return {"ran": self.ran, "missing": self.missing}


ENGINES = pytest.StashKey[Engines]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no engine; the build machine minds what skips."""
    config.stash[ENGINES] = Engines()
    if IN_CI:
        config.pluginmanager.register(skips)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the servers; a worker says what it ran."""
    import sys

    servers = sys.modules.get("database_servers")
    if servers is not None:
        servers.stop_all()
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["engines"] = session.config.stash[ENGINES].said()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker says."""
    node.config.stash[ENGINES].merge(getattr(node, "workeroutput", {}).get("engines", Engines().said()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what the tests of faults counted, which engines ran, and why others did not."""
    _say_figures(terminalreporter)
    engines = config.stash[ENGINES]
    if not engines.ran and not engines.missing:
        return
    terminalreporter.section("engines of stores")
    for name, version in sorted(engines.ran.items()):
        terminalreporter.line(f"{name} ran: {version}")
    for name, why in sorted(engines.missing.items()):
        terminalreporter.line(f"{name} did not run: {why}")


def _say_figures(terminalreporter: Any) -> None:
    tables: dict[str, list[dict[str, object]]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, counted in report.user_properties:
                    if name == "figures":
                        tables.setdefault(counted["what"], []).append({**counted})
    if tables:
        terminalreporter.section("figures of faults")
    for what, rows in sorted(tables.items()):
        names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "what"]
        lines = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
        terminalreporter.line(f"{what}:")
        for line in lines:
            first, *others = zip(line, widths, strict=True)
            cells = [f"{first[0]:{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
            terminalreporter.line("  " + "  ".join(cells))


@pytest.fixture(scope="session")
def engines(pytestconfig: pytest.Config) -> Engines:
    """Where tests say which engine they use: ``engines.runs(name, version)``, ``engines.lacks(name, why)``."""
    return pytestconfig.stash[ENGINES]


@pytest.fixture(scope="session")
def database_server(engines: Engines) -> Callable[[str], Server]:
    """Starts the server of a name, once a session; the test skips where it cannot run."""

    def start(name: str) -> Server:
        try:
            from database_servers import Missing, server
        except ImportError as error:
            engines.lacks(name, f"a package is missing: {error}")
        try:
            found = server(name)
        except Missing as missing:
            engines.lacks(name, str(missing))
        engines.runs(name, found.version.partition(" on ")[0])
        return found

    return start


@pytest.fixture(scope="session")
def postgres(database_server: Callable[[str], Server]) -> Server:
    """PostgreSQL as PyPI brings it, or the one that ``MSGTRACK_TEST_POSTGRES`` names."""
    return database_server("PostgreSQL")


@pytest.fixture(scope="session")
def older_postgres(database_server: Callable[[str], Server]) -> Server:
    """PostgreSQL as the system brings it."""
    return database_server("PostgreSQL of the system")


@pytest.fixture(scope="session")
def mariadb(database_server: Callable[[str], Server]) -> Server:
    """MariaDB as the system brings it, or the one that ``MSGTRACK_TEST_MARIADB`` names."""
    return database_server("MariaDB")
