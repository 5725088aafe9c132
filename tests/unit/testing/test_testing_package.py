"""``msgtrack.testing`` as a stranger meets it: without its packages, with a fixture forgotten, with a failure to read."""

from __future__ import annotations

import builtins
import subprocess
import sys

import pytest

from msgtrack.errors import MissingExtra

FORGETFUL = """
from msgtrack.testing import StoreSuite
class TestMine(StoreSuite):
    pass
"""
WRONG = """
import pytest
from msgtrack.storage import MemoryStore
from msgtrack.testing import StoreSuite
class Wrong(MemoryStore):
    def checkpoint(self, source):
        return None
class TestMine(StoreSuite):
    @pytest.fixture
    def store_factory(self):
        return Wrong
"""


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_what_is_missing_is_said(monkeypatch, package):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **named)

    for name in [name for name in sys.modules if name == "msgtrack.testing" or name.startswith("msgtrack.testing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=rf"{package}.*pip install 'msgtrack\[testing\]'"):
        real("msgtrack.testing")


def run(tmp_path, text, *options):
    (tmp_path / "test_mine.py").write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *options,
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    return done.stdout


def test_a_forgotten_fixture_is_named(tmp_path):
    assert "TestMine must override the fixture store_factory" in run(tmp_path, FORGETFUL, "-k", "test_S8")


def test_a_failure_shows_what_was_compared(tmp_path):
    shown = run(tmp_path, WRONG, "-k", "test_S9_each_source")
    assert "At index 0 diff: None != Checkpoint(source=" in shown
