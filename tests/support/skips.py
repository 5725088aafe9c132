"""Which tests may skip on the build machine, where everything that they need is installed, and why.

Any other skip fails the run there: a package or a program that is suddenly missing must not turn tests off in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

__all__ = ["ALLOWED", "pytest_sessionfinish", "pytest_terminal_summary", "surprising"]

ALLOWED = {
    r"this store does not say \w+: ": "a clause that holds where a store says a capability; which it says is asserted",
    r"this server does not (hand on|take|tell) ": "a clause that not every server lets its application keep; the suite says which",
    r"needs (a server|database servers)$|find is not on every system$": "an example of a page that is shown and not run",
    r"no samples at |the table of the reference is not there|the reference is not beside the project": (
        "what lies beside the project is no part of it"
    ),
    r"html5lib-tests are not here": "cases of others, which are fetched where they can be",
    r"no small disk can be mounted here": "only root may",
}
"""Patterns of reasons, and why each may stand."""


def surprising(reasons: Iterable[str]) -> list[str]:
    """The reasons that no row of :data:`ALLOWED` explains, each once."""
    return sorted({reason for reason in reasons if not any(re.match(pattern, reason) for pattern in ALLOWED)})


def _surprising_in(config: pytest.Config) -> list[str]:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    # A worker has none, and what it says comes to the one that has.
    reports = [] if reporter is None else reporter.stats.get("skipped", [])
    return surprising(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail."""
    if session.exitstatus == pytest.ExitCode.OK and _surprising_in(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say why."""
    for reason in _surprising_in(config):
        terminalreporter.line(f"may not skip here: {reason}", red=True)
