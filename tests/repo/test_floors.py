"""Imports point to the ground: each module imports from lower floors only, and nothing goes in circles.

All imports count: those at the top, those inside functions, and those for type checking alone.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = "msgtrack"
SOURCE = Path(__file__).resolve().parents[2] / "src"

# Adding a part means writing its floor here. A floor is a number, and within it a step; equals are strangers to each other.
# The modules inside a package may import each other, as long as nothing goes in circles.
FLOORS: dict[str, tuple[int, int]] = {
    "errors": (0, 0),
    "_borders": (0, 1),
    "_options": (0, 2),
    "_trusted": (0, 1),
    "domains": (0, 1),
    "vocabulary": (0, 2),
    "model": (1, 0),
    "events": (1, 1),
    "facts": (1, 1),
    "columns": (1, 2),
    "hits": (1, 2),
    "queries": (1, 2),
    "upkeep": (1, 2),
    "webtags": (1, 2),
    "protocols": (1, 3),
    "plugins": (1, 4),
    "counts": (2, 0),
    "_entries": (2, 1),
    "_collecting": (2, 2),
    "_people": (2, 1),
    "_platform": (2, 2),
    "_reactions": (2, 3),
    "_closing": (2, 4),
    "_books": (2, 5),
    "_ledger": (2, 6),
    "clients": (2, 1),
    "decide": (2, 1),
    "identity": (2, 1),
    "records": (2, 1),
    "tally": (2, 7),
    "quarantine": (2, 1),
    "links": (3, 0),
    "logs": (3, 0),
    "metrics": (3, 0),
    "redirect": (3, 0),
    "storage": (3, 0),
    "_by_columns": (3, 1),
    "io": (4, 0),
    "visits": (4, 0),
    "workflow": (4, 0),
    "bulk": (4, 1),
    "batch": (4, 1),
    "mailers": (5, 0),
    "reports": (5, 0),
    "testing": (5, 0),
    "web": (5, 0),
    "cli": (6, 0),
}
# The root re-exports what readers of the README need; it stands above the workflow and below the edges.
ROOT_FLOOR = (4, 1)


def _name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: dict[str, Path] = {_name_of(path): path for path in sorted((SOURCE / PACKAGE).rglob("*.py"))}


def _imports(name: str) -> list[tuple[int, str]]:
    """Line and imported module, for every import of our own; a submodule taken from its package counts as the submodule."""
    found = []
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((node.lineno, whole if whole in MODULES else node.module))
    return [(line, module) for line, module in found if module.partition(".")[0] == PACKAGE]


IMPORTS = {name: _imports(name) for name in MODULES}


def _part(module: str) -> str:
    """The part of the package that a module belongs to: ``links`` for ``msgtrack.links.rules``; empty for the root."""
    return module.split(".")[1] if "." in module else ""


def _floor(part: str) -> tuple[int, int]:
    return FLOORS[part] if part else ROOT_FLOOR


def test_every_part_has_a_floor_and_every_floor_its_part() -> None:
    parts = {_part(name) for name in MODULES} - {""}
    assert not (unknown := parts - FLOORS.keys()), (
        f"no floor is written down for {sorted(unknown)}: add a row to FLOORS in tests/repo/test_floors.py, and say in CONTRIBUTING.md "
        "where such a thing goes"
    )
    assert not (gone := FLOORS.keys() - parts), f"FLOORS names parts that are not there: {sorted(gone)}"


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    part = _part(name)
    for line, imported in IMPORTS[name]:
        other = _part(imported)
        where = f"{MODULES[name].relative_to(SOURCE.parent)}:{line}"
        assert imported in MODULES, f"{where} imports {imported}, which is not there"
        if other == part:
            continue
        assert _floor(other) < _floor(part), (
            f"{where}: {part or 'the root'} (floor {_floor(part)[0]}) imports {other} (floor {_floor(other)[0]}), which does not lie "
            "below it. Values go to floor 1, what two stages share to floor 2, and what assembles stages to floor 4 or higher"
        )


def _circle() -> list[str]:
    """Modules that import each other in a circle, or nothing."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for _, imported in IMPORTS[name]:
            if imported in MODULES and imported != name and (found := visit(imported)):
                return found
        path.pop()
        done.add(name)
        return []

    return next((found for name in MODULES if (found := visit(name))), [])


def test_nothing_goes_in_circles() -> None:
    assert not (circle := _circle()), f"modules import each other in a circle: {' -> '.join(circle)}"


def test_inside_a_package_nothing_imports_its_front() -> None:
    """``links/__init__`` gathers the names for others; the modules beside it take them from where they are defined."""
    for name, imports in IMPORTS.items():
        package, _, own = name.rpartition(".")
        if own == "__main__":
            continue
        for line, imported in imports:
            where = f"{MODULES[name].relative_to(SOURCE.parent)}:{line}"
            assert imported != package or package == PACKAGE, (
                f"{where} imports {imported}, which gathers what it defines"
            )


def test_the_ground_truth_of_the_demonstration_counts_by_itself() -> None:
    """What it is compared with must not have counted for it."""
    seen: set[str] = set()
    waiting = [f"{PACKAGE}.cli.demo.truth"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [imported for _, imported in IMPORTS[name]]
    counted = {"counts", "decide", "identity", "metrics", "reports", "storage", "tally", "workflow"}
    assert not (found := counted & {_part(name) for name in seen}), f"cli/demo/truth.py reaches {sorted(found)}"
