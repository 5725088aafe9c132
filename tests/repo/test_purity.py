"""The core, floors 0 to 3, is pure: no clock, no randomness, no environment, no files, no network. And nothing shipped asserts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "msgtrack"
EDGES = ("batch.py", "io", "visits.py", "workflow.py", "web", "mailers", "reports", "testing", "cli", "__init__.py")
MAX_LINES = 400

IMPURE_MODULES = {
    "glob", "http", "locale", "multiprocessing", "os", "pathlib", "platform", "random", "secrets", "shutil", "signal", "socket",
    "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "asyncio", "logging",
}  # fmt: skip
IMPURE_CALLS = {
    "open", "print", "input", "exec", "eval", "globals",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "uuid.uuid1", "uuid.uuid4", "uuid4", "uuid1",
}  # fmt: skip

# What the core may do all the same, and why. A row that is no longer needed fails too.
ALLOWED: dict[tuple[str, str], str] = {
    ("redirect/visitors.py", "secrets"): "the default of new_source_id, which callers may replace",
    (
        "redirect/visitors.py",
        "os",
    ): "the number of the process, because keys drawn before a fork are not given out on both sides",
    (
        "storage/_erasing.py",
        "secrets",
    ): "nobody, the caller included, may be able to make the pseudonyms of an erased recipient again",
}
# Who may catch whatever is raised, and why.
CATCHES_ALL: dict[str, str] = {
    "decide.py": "a function of the application raises what it likes, and is told as an error of ours that names it",
    "redirect/guarding.py": "functions and registries of the application raise what they like, and no reader is left with a 500",
    "io/_patience.py": "what a question raises in its thread is raised again in the thread that waits for the answer",
    "web/_edge.py": "what records and counts raises what it likes too, and another call for each click would be felt",
    "storage/__init__.py": "the package behind an entry point raises what it likes while it is imported; an error of ours names it",
}
# The database stores are edges that live on floor 3, beside what they implement.
DATABASE_STORES = {
    f"storage/{name}.py"
    for name in (
        "sql",
        "_connections",
        "_lines",
        "_sqlite",
        "duckdb",
        "_duckdb",
        "_duckdb_parquet",
        "_clickhouse_arrivals",
        "_clickhouse_link",
    )
}

# Files past the limit, and why. Each is one idea that reads worse in pieces.
LONG_FILES: dict[str, str] = {}


def _files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _is_core(path: Path) -> bool:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] not in EDGES and relative.as_posix() not in DATABASE_STORES


def _impurities(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in IMPURE_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in IMPURE_MODULES:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            short = ".".join(called.split(".")[-2:])
            if short in IMPURE_CALLS:
                yield node.lineno, short


CORE = [path for path in _files() if _is_core(path)]


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_core_is_pure(path: Path) -> None:
    name = path.relative_to(SOURCE).as_posix()
    for line, what in _impurities(path):
        assert (name, what) in ALLOWED, (
            f"src/msgtrack/{name}:{line} uses {what}: the core takes the present, randomness and text as arguments. "
            "Files belong into io/, clocks and environments into cli/"
        )


def test_no_exception_outlives_its_need() -> None:
    found = {(path.relative_to(SOURCE).as_posix(), what) for path in CORE for _, what in _impurities(path)}
    assert not (stale := ALLOWED.keys() - found), f"ALLOWED holds what nobody does any more: {sorted(stale)}"


@pytest.mark.parametrize(
    "code", ["import time", "from os import environ", "x = datetime.now(UTC)", "y = dt.datetime.now()", "open('f')"]
)
def test_the_search_finds(tmp_path: Path, code: str) -> None:
    (tmp_path / "m.py").write_text(code, encoding="utf-8")
    assert list(_impurities(tmp_path / "m.py"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_nothing_shipped_asserts_or_swallows(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] == "testing":
        return  # suites assert: that is what they are for
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.relative_to(SOURCE.parent.parent)}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Assert), f"{where}: raise an error of ours, assert vanishes under -O"
        if isinstance(node, ast.ExceptHandler):
            caught = (
                {ast.unparse(item) for item in getattr(node.type, "elts", [node.type])} if node.type else {"everything"}
            )
            is_passed_on = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
            if path.relative_to(SOURCE).as_posix() in CATCHES_ALL:
                continue
            assert is_passed_on or not caught & {"everything", "Exception", "BaseException"}, (
                f"{where} catches too much"
            )
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "NotImplementedError" not in ast.unparse(node.exc), f"{where}: raise msgtrack.errors.NotSupported"


def test_files_are_one_idea_each() -> None:
    lengths = {
        path.relative_to(SOURCE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in _files()
    }
    too_long = {name: length for name, length in lengths.items() if length > MAX_LINES and name not in LONG_FILES}
    assert not too_long, f"over {MAX_LINES} lines, without a reason in LONG_FILES: {too_long}"
    assert not (short := {name for name in LONG_FILES if lengths.get(name, 0) <= MAX_LINES}), f"no longer long: {short}"
