"""The clauses of docs/spec/redirect.md and the tests that hold them: each is cited, and each test of the redirect cites one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "spec" / "redirect.md"
UNIT = ROOT / "tests" / "unit"
FILES = sorted(
    [
        *(UNIT / "redirect").glob("test_*.py"),
        *(UNIT / name for name in ("test_redirect.py", "test_hosted_pages.py", "io/test_store_registry.py")),
        *(UNIT / "links" / name for name in ("test_retargeting.py", "test_checking.py")),
        *(ROOT / "tests" / "properties" / name for name in ("test_live_and_replayed.py", "test_shortcut.py")),
    ]
)


def cited(text: str | None) -> set[str]:
    """The clauses that a docstring names: ``R7``, and ``R1 to R10`` for all between."""
    text = text or ""
    found = set(re.findall(r"\bR\d+\b", text))
    for first, last in re.findall(r"\bR(\d+) to R(\d+)\b", text):
        found |= {f"R{number}" for number in range(int(first), int(last) + 1)}
    return found


def functions_of(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


WRITTEN = re.findall(r"^\*\*(R\d+)\.\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_clauses_count_from_one_without_a_gap() -> None:
    assert [f"R{number}" for number in range(1, len(WRITTEN) + 1)] == WRITTEN


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_test_of_the_redirect_cites_a_clause_that_is_there(path: Path) -> None:
    tests = functions_of(path)
    assert tests
    for test in tests:
        names = cited(ast.get_docstring(test))
        assert names, f"{path.name}: {test.name} cites no clause of {PAGE.name}"
        assert names <= set(WRITTEN), f"{path.name}: {test.name} cites {names - set(WRITTEN)}, which is not there"


def test_every_clause_is_held_by_a_test() -> None:
    named = {name for path in FILES for test in functions_of(path) for name in cited(ast.get_docstring(test))}
    # The edge has tests of its own, which cite in the head of their file.
    named |= cited(ast.get_docstring(ast.parse((UNIT / "web" / "test_asgi.py").read_text(encoding="utf-8"))))
    assert set(WRITTEN) <= named, f"no test cites {sorted(set(WRITTEN) - named)}"
