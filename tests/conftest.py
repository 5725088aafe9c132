"""What all tests share: Hypothesis profiles, the folder of real samples, and which marks run where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
    """Leave ``install`` tests to the build machine, unless they are asked for."""
    if IN_CI or "install" in config.getoption("markexpr", ""):
        return
    skip = pytest.mark.skip(reason="builds and installs the package; runs where CI is set, or with -m install")
    for item in items:
        if "install" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the project."""
    return ROOT


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real samples, which is no part of the project; tests that need it skip without it."""
    folder = Path(os.environ.get("MSGTRACK_CORPORA") or ROOT.parent / "shared" / "corpora")
    if not folder.is_dir():
        pytest.skip(f"no samples at {folder}; MSGTRACK_CORPORA says where they are")
    return folder
