"""The suite is worth something: stores with one fault each are caught, by the clause that the fault breaks."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from msgtrack.testing import StoreAgreement
from msgtrack.testing._processes import ProcessClauses
from msgtrack.testing._size_clauses import SizeClauses
from msgtrack.testing._size_upkeep import SizeUpkeepClauses

OF_SIZES = [name for of in (SizeClauses, SizeUpkeepClauses, ProcessClauses) for name in vars(of) if "test_S" in name]
"""Tests of thousands of values, which are tried on the stores that break by size alone: the others take minutes for them, or for ever."""

BROKEN_STORES = [
    Path(__file__).with_name(name) for name in ("broken_stores.py", "broken_handles.py", "broken_sizes.py")
]
FAULTS_OF = {path.stem: runpy.run_path(str(path))["FAULTS"] for path in BROKEN_STORES}
FAULTS = {name: fault for faults in FAULTS_OF.values() for name, fault in faults.items()}
QUICK = settings(
    max_examples=150,
    derandomize=True,
    stateful_step_count=10,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def clauses_failed(tmp_path_factory):
    """By store, the clauses whose tests failed: of a broken store those of its clause are run, of the healthy one all.

    Hypothesis' own tests are left out: they would take long to shrink.
    """
    of_sizes, chosen = " or ".join(OF_SIZES), []
    for file, faults in FAULTS_OF.items():
        tests = " or ".join(
            f"(Test{name} and test_{clause}_)" if clause else f"Test{name}" for name, (_, clause) in faults.items()
        )
        chosen.append(f"(({tests}) and {'' if file == 'broken_sizes' else 'not '}({of_sizes}))")
    report = tmp_path_factory.mktemp("faults") / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        *map(str, BROKEN_STORES),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    options = [
        "-m",
        "not hypothesis",
        "-k",
        " or ".join(chosen),
        f"--junitxml={report}",
        "--tb=no",
        "-o",
        "addopts=--import-mode=importlib",
    ]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, cwd=BROKEN_STORES[0].parents[2], timeout=900
    )
    assert report.exists(), done.stdout + done.stderr
    failed = defaultdict(set)
    for case in ET.parse(report).iter("testcase"):
        name = case.get("classname").rpartition(".Test")[2]
        clause = re.match(r"test_(S\d+)_", case.get("name"))[1]
        failed[name] |= {clause} if case.find("failure") is not None or case.find("error") is not None else set()
    return failed


@pytest.mark.parametrize("name", FAULTS)
def test_the_suite_catches_the_fault(clauses_failed, name):
    store, clause = FAULTS[name]
    assert name in clauses_failed, f"the suite did not run on {store}"
    if clause:
        assert clause in clauses_failed[name]
    else:
        assert clauses_failed[name] == set()


class KeepsUntilClosed(FAULTS["healthy"][0]):
    """Writes down what came only when it is closed: a fault that only a crash shows."""

    def __init__(self, lines):
        super().__init__(dict(lines))
        self.place = lines

    def close(self):
        if not self._closed:
            self.place |= self._lines
        super().close()


MACHINE_FAULTS = {
    name: FAULTS[name][0]
    for name in (
        "LastEventWins",
        "CheckpointsInMemory",
        "WindowHoldsItsEnd",
        "CountsOfYesterday",
        "KeepsHalfABatch",
        "PagesByMomentAlone",
        "RebuildsOntoWhatIsThere",
        "RemovesAfterItPuts",
    )
} | {"KeepsUntilClosed": KeepsUntilClosed}


@pytest.mark.parametrize("name", MACHINE_FAULTS)
def test_the_agreement_machine_catches_the_fault(name):
    class Machine(StoreAgreement):
        def place(self):
            lines = {}
            return lambda: MACHINE_FAULTS[name](lines)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=QUICK)


def _clauses_of_the_page():
    page = (Path(__file__).parents[2] / "docs" / "spec" / "stores.md").read_text(encoding="utf-8")
    return {*re.findall(r"^\*\*(S\d+)\*\*", page, re.MULTILINE)}


def test_every_clause_has_a_planted_fault():
    assert {clause for _, clause in FAULTS.values() if clause} == _clauses_of_the_page()


def test_every_clause_of_the_page_is_cited_by_a_test_and_the_other_way_round():
    assert {name.split("_")[1] for name in dir(_suite()) if name.startswith("test_S")} == _clauses_of_the_page()


def _suite():
    from msgtrack.testing import StoreSuite

    return StoreSuite
