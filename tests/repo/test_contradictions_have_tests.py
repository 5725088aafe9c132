"""Each contradiction of the reference (7.9) has one test that bears its number, and one row on the page about them."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "contradictions.md"
CORPORA = Path(os.environ.get("MSGTRACK_CORPORA", ROOT.parent / "shared" / "corpora"))
REFERENCE = CORPORA.parent / "spec" / "tracking-reference.md"
NUMBERS = range(1, 37)

_NAME = re.compile(r"test_c(\d+)_\w+")
_ROW = re.compile(r"^\| C(\d+) \| .+ \| .+ \|$", re.MULTILINE)


def _tests() -> dict[int, list[str]]:
    """The names of tests by the number that they bear."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                match = _NAME.fullmatch(node.name)
                if match:
                    found.setdefault(int(match[1]), []).append(node.name)
    return found


def test_each_contradiction_is_named_by_one_test() -> None:
    found = _tests()
    assert sorted(found) == list(NUMBERS)
    assert {number: names for number, names in found.items() if len(names) > 1} == {}


def test_each_contradiction_has_a_row_on_the_page() -> None:
    assert [int(number) for number in _ROW.findall(PAGE.read_text(encoding="utf-8"))] == list(NUMBERS)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not beside the project (../shared/spec)")
def test_the_numbers_are_those_of_the_reference() -> None:
    _, _, after = REFERENCE.read_text(encoding="utf-8").partition("### 7.9 ")
    section = after.partition("\n## ")[0]
    assert [int(number) for number in re.findall(r"^\| C(\d+) \|", section, re.MULTILINE)] == list(NUMBERS)
