"""On the build machine a test may skip only for a reason that is written down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from skips import surprising

HERE = """
import pytest
def test_one():
    pytest.skip("{}")
"""
MODULE = """
import pytest
pytest.importorskip("no_such_package", reason="the extra 'none' is not installed")
def test_one():
    pass
"""


def test_reasons_are_told_apart():
    assert surprising(["no samples at x", "needs a server", "this store does not say snapshots: one state"]) == []
    assert surprising(["b", "nginx is not installed", "b"]) == ["b", "nginx is not installed"]
    assert surprising(["well, no samples at x"]) == ["well, no samples at x"]


def test_what_stores_and_servers_cannot_do_may_stand(root: Path) -> None:
    said = [
        match
        for path in (root / "src" / "msgtrack" / "testing").glob("*.py")
        for match in re.findall(r'pytest\.skip\(\s*f?"(this [^"{]+)', path.read_text(encoding="utf-8"))
    ]
    assert len(said) >= 3
    assert surprising(f"{reason}x: " for reason in said) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(HERE.format("needs a server"), 0, id="allowed"),
        pytest.param(HERE.format("nginx is not installed"), 1, id="surprising"),
        pytest.param(MODULE, 1, id="file"),
    ],
)
@pytest.mark.parametrize("processes", ["0", "1"])
def test_a_surprising_skip_fails_the_run(root: Path, tmp_path: Path, body, status, processes):
    (tmp_path / "test_that_skips.py").write_text(body, encoding="utf-8")
    (tmp_path / "test_that_passes.py").write_text("def test_one(): pass", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-n", processes, "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "PYTHONPATH": str(root / "tests" / "support"), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("may not skip here" in done.stdout) == bool(status)
