"""The two ends of a run of mutmut: ``_mutants.py copy TREE TESTS FILE ...`` and ``_mutants.py report TREE``.

``copy`` makes a tree of the sources and the tests with the settings of the run; ``report`` says how many changes the tests
noticed, and names the others (``mutmut show NAME`` in the tree shows one).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "docs", "examples", "scripts", "changes", "benchmarks", "pyproject.toml", "README.md")
# What mutmut notes of a change, by the exit code of the tests.
KILLED: dict[int | None, str] = {1: "killed", 3: "killed", **dict.fromkeys((24, 36, 152, 255, -24), "out of time")}
NOT_KILLED: dict[int | None, str] = {0: "survived", 5: "no tests", 33: "no tests"}
_OUTCOMES = {**KILLED, **NOT_KILLED}


def copy(tree: Path, tests: str, files: list[str]) -> int:
    """Lay the tree out anew; 1 when no file fits."""
    package = ROOT / "src" / "msgtrack"
    chosen = sorted({path for name in files for path in package.glob(name) if path.suffix == ".py"})
    if not chosen:
        return 1
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [path.relative_to(ROOT).as_posix() for path in chosen],
        "also_copy": [name for name in COPIED if name not in ("src", "tests", "pyproject.toml")],
        "pytest_add_cli_args_test_selection": tests.split(),
        # One seed, so that whether a change is noticed does not depend on the day.
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "--hypothesis-seed=0", "-n", "0", "-W", "default"],
        "use_git_change_detection": ["false"],
    }
    lines = ["[mutmut]", *(f"{key} =\n    " + "\n    ".join(values) for key, values in settings.items())]
    (tree / "setup.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def report(tree: Path) -> int:
    """Print the rate of changes noticed, by file, and the names of those that were not."""
    survivors: list[str] = []
    everywhere: Counter[str] = Counter()
    for path in sorted((tree / "mutants").rglob("*.py.meta")):
        codes: dict[str, int | None] = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        found = Counter(_OUTCOMES.get(code, "not run") for code in codes.values())
        survivors += [name for name, code in codes.items() if code not in KILLED]
        if found:
            everywhere += found
            print(f"{_rate(found)}  {path.relative_to(tree / 'mutants').with_suffix('')}  {dict(found)}")
    print("not noticed:", *survivors or ["nothing"], sep="\n  ")
    print(f"{_rate(everywhere)}  of {sum(everywhere.values())} changes noticed")
    return 0


def _rate(found: Counter[str]) -> str:
    return f"{(found['killed'] + found['out of time']) / max(found.total(), 1):6.1%}"


if __name__ == "__main__":
    if sys.argv[1] == "copy":
        sys.exit(copy(Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
    sys.exit(report(Path(sys.argv[2])))
