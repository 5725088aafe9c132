"""Change the code and see whether the tests notice: ``_mutants.py FILE ...``, files of src/msgtrack such as metrics/_time.py.

The changes are those of mutmut, and are made to all of a function, decorated ones too, and to lambdas and numbers of the module.
mutmut itself switches a change on once everything is imported: too late for what makes a catalogue. So every change has a process
of its own here, forked before anything of ours is imported, that compiles the changed text in place of the file. Nothing is written.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path

import libcst as cst
import pytest
from hypothesis import Phase, settings
from libcst import matchers
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "msgtrack"
KILLED, SURVIVED, OUT_OF_TIME, BROKEN = "killed", "survived", "out of time", "not run"
# What the tests import and takes its time, once for all processes; nothing of ours.
PRELOADED = (
    "cattrs",
    "dateutil.rrule",
    "dateutil.tz",
    "itsdangerous",
    "sqlalchemy",
    "scipy.stats",
    "statsmodels.stats.api",
)
# One seed, so that whether a change is noticed does not depend on the day; no shrinking, as nobody reads the example.
OPTIONS: tuple[str, ...] = ("-x", "-q", "--tb=no", "--no-header", "--assert=plain", "-p", "no:cacheprovider")
OPTIONS += ("-p", "_hypothesis_pytestplugin", "--hypothesis-seed=0", "--hypothesis-profile=mutants", "-W", "default")


def _skips(self: MutationVisitor, node: cst.CSTNode) -> bool:
    """Go into decorated functions too: mutmut cannot copy them, and nothing is copied here."""
    return not isinstance(node, cst.FunctionDef) and bool(MutationVisitor._skip_node_and_children(self, node))


_Visitor = type("_Visitor", (MutationVisitor,), {"_skip_node_and_children": _skips})


def changes(code: str, first: int, every: int) -> Iterator[tuple[int, str, str]]:
    """Each change: the line, what becomes of it, the whole changed text."""
    wrapper = cst.MetadataWrapper(cst.parse_module(code))
    visitor = _Visitor(mutation_operators, get_ignored_lines("", code, wrapper))
    module = cst.ensure_type(wrapper.visit(visitor), cst.Module)
    in_lambdas = {id(node) for found in matchers.findall(module, matchers.Lambda()) for node in _walk(found)}
    before = code.splitlines()
    meant = [change for change in visitor.mutations if _is_meant(change, in_lambdas)]
    for change in meant[first::every]:
        text = module.deep_replace(change.original_node, change.mutated_node).code
        pairs = enumerate(zip(before, text.splitlines(), strict=False), 1)
        line, old, new = next(((at, old, new) for at, (old, new) in pairs if old != new), (len(before), "", ""))
        yield line, f"{old.strip()}  ->  {new.strip()}", text


def _is_meant(change: Mutation, in_lambdas: set[int]) -> bool:
    """Outside of functions and lambdas, not texts, arguments and assignments: most changes there only break the import."""
    inside = change.contained_by_top_level_function is not None or id(change.original_node) in in_lambdas
    return inside or not isinstance(change.original_node, cst.Call | cst.BaseString | cst.Assign | cst.AnnAssign)


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def run(path: Path, text: str | None, tests: list[str], seconds: float) -> str:
    """What the tests say when ``text`` stands in for the file."""
    child = os.fork()
    if not child:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        if text is not None:
            _stand_in(path, text)
        code: int = 1
        with contextlib.suppress(BaseException):
            code = int(pytest.main([*OPTIONS, *tests]))
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGALRM:
        return OUT_OF_TIME
    # 1: a test failed; 2 and 4: with an import that fails nothing is collected.
    return SURVIVED if code == 0 else KILLED if code in (1, 2, 3, 4) else BROKEN


def _stand_in(path: Path, text: str) -> None:
    ours = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> object:
        return compile(text, str(path), "exec") if Path(self.path) == path else ours(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]  # for this process, which ends soon


def measure(path: Path, tests: list[str], every: int, first: int, lines: set[int]) -> Counter[str]:
    """Try every ``every``-th change of a file and print what nobody noticed."""
    name = path.relative_to(PACKAGE).as_posix()
    started = time.monotonic()
    if run(path, None, tests, 600) != SURVIVED:
        print(f"{name}: the tests fail, or there are none, without a change")
        return Counter({BROKEN: 1})
    limit = 10 + 5 * (time.monotonic() - started)
    found: Counter[str] = Counter()
    for line, what, text in changes(path.read_text(encoding="utf-8"), first, every):
        if lines and line not in lines:
            continue
        outcome = run(path, text, tests, limit)
        found[outcome] += 1
        if outcome != KILLED:
            print(f"  {outcome}  {name}:{line}  {what}", flush=True)
    sampled = f", one in {every}" if every > 1 else ""
    print(f"{_rate(found)}  {name}  {dict(found)}{sampled}, {time.monotonic() - started:.0f} s", flush=True)
    return found


def _rate(found: Counter[str]) -> str:
    return f"{found[KILLED] / max(found.total(), 1):6.1%}"


def main() -> int:
    """Measure the files that were named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--tests", default="tests/unit/metrics")
    parser.add_argument("--every", type=int, default=1, help="try one change in so many")
    parser.add_argument("--lines", default="", help="only the changes of these, as in 12,40")
    parser.add_argument("--first", type=int, default=0, help="the change to begin with")
    options = parser.parse_args()
    chosen = sorted({path for name in options.files for path in PACKAGE.glob(name) if path.suffix == ".py"})
    if not chosen:
        return 1
    os.chdir(ROOT)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    settings.register_profile(
        "mutants", max_examples=50, deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
    )
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    gc.freeze()
    everywhere: Counter[str] = Counter()
    for path in chosen:
        everywhere += measure(
            path,
            options.tests.split(),
            options.every,
            options.first,
            {int(line) for line in options.lines.split(",") if line},
        )
    print(f"{_rate(everywhere)}  of {everywhere.total()} changes noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
