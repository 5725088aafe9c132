"""Regular expressions in the source: what some versions of Python match wrongly is not used."""

from __future__ import annotations

import ast
import re
import re._constants as constants  # the parser's own names of what it has read
import re._parser as parser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

# Python 3.11.2 matches a possessive repeat of a group wrongly: ")" and a repeat, with a "+" behind.
_WRITTEN = re.compile(r"\)(?:[*+?]|\{[0-9{},]*\})\+")
_SINGLE = {constants.LITERAL, constants.NOT_LITERAL, constants.ANY, constants.IN, constants.CATEGORY}


def possessive_groups(parsed: Any) -> int:
    """How many possessive repeats of more than one character a parsed pattern holds."""
    count = 0
    for operator, argument in parsed:
        if operator is constants.POSSESSIVE_REPEAT:
            inner = list(argument[2])
            count += len(inner) != 1 or inner[0][0] not in _SINGLE
        for part in argument if isinstance(argument, tuple | list) else (argument,):
            for deeper in part if isinstance(part, list) else (part,):
                if isinstance(deeper, parser.SubPattern):
                    count += possessive_groups(deeper)
    return count


@pytest.mark.parametrize("pattern", [r"(?:ab)*+", r"(a|bc)++", r"x(?:a(?:bc)?+)*", r"(?=(?:ab){1,3}+)", r"a|(?:bc)*+"])
def test_the_search_finds(pattern: str) -> None:
    assert possessive_groups(parser.parse(pattern))
    assert _WRITTEN.search(pattern)


@pytest.mark.parametrize("pattern", [r"[ab]*+", r"a++(?:bc)*", r"\w?+[^>]{1,3}+"])
def test_the_search_finds_no_other(pattern: str) -> None:
    assert not possessive_groups(parser.parse(pattern))
    assert not _WRITTEN.search(pattern)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_no_group_repeats_possessively(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and _WRITTEN.search(node.value)
    ]
    assert not found


def test_no_pattern_of_a_module_repeats_groups_possessively() -> None:
    """As put together, which pieces of a pattern do not show."""
    import msgtrack.links.html
    import msgtrack.links.repair
    import msgtrack.links.tags
    import msgtrack.links.templates
    import msgtrack.links.text

    links = msgtrack.links
    patterns = [
        value
        for module in (links.html, links.repair, links.tags, links.templates, links.text)
        for value in vars(module).values()
        if isinstance(value, re.Pattern)
    ]
    assert len(patterns) > 15
    assert not [each.pattern for each in patterns if possessive_groups(parser.parse(each.pattern, each.flags))]
