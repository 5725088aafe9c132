"""Every code block of the README and the pages runs: a page top to bottom, in one namespace, in an empty folder.

Python blocks are executed. Of a ``console`` block every line that begins with ``$ msgtrack`` must be understood by the command line, and
those that begin with ``$ scripts/`` must name a script that is there. A block that cannot run says why, in the line above it::

    <!-- not run: needs a web server -->

Three more such lines may stand anywhere on a page, and speak of the whole of it::

    <!-- needs: django, aiosmtpd -->                     skipped where one of these modules is not installed
    <!-- own process: settings are given once -->        run by a Python of its own
    <!-- output checked -->                              what it prints is what its ``text`` blocks show, all of them in order
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from msgtrack.cli import parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LANGUAGES = {
    "python",
    "console",
    "text",
    "html",
    "json",
    "toml",
    "sh",
    "nginx",
    "ini",
    "sql",
    "{eval-rst}",
    "{toctree}",
    "{include}",
    "{literalinclude}",
    "{note}",
}

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})(?P<language>\S*) *(?P<argument>[^\n]*)\n(?P<code>.*?)^(?P=fence)\s*$",
    re.MULTILINE | re.DOTALL,
)
_NOT_RUN = re.compile(r"<!-- not run: (?P<why>[^>\n]{5,}) -->\n\Z")
_NEEDS = re.compile(r"^<!-- needs: ([a-z0-9_, ]+) -->$", re.MULTILINE)
_OWN_PROCESS = re.compile(r"^<!-- own process: [^>\n]{5,} -->$", re.MULTILINE)
_CHECKED = "\n<!-- output checked -->\n"


@attrs.frozen
class Block:
    """A fenced block: where its code begins, its language, and why it does not run, if it does not."""

    page: Path
    line: int
    language: str
    code: str
    not_run: str
    argument: str = ""


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        why = _NOT_RUN.search(before)
        yield Block(
            page, before.count("\n") + 2, match["language"], match["code"], why["why"] if why else "", match["argument"]
        )


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
WITH_PYTHON = [page for page in PAGES if any(block.page == page and block.language == "python" for block in BLOCKS)]


def _name(item: Path | Block) -> str:
    if isinstance(item, Block):
        return f"{item.page.relative_to(ROOT)}:{item.line}"
    return str(item.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_PYTHON, ids=_name)
def test_python_of_a_page_runs_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    for needed in _NEEDS.findall(text):
        if missing := [name for name in needed.split(", ") if importlib.util.find_spec(name) is None]:
            pytest.skip(f"needs {', '.join(missing)}, which is not installed")
    blocks = [block for block in BLOCKS if block.page == page]
    code = _code_of([block for block in blocks if block.language == "python" and not block.not_run])
    if _OWN_PROCESS.search(text):
        printed = _in_a_process_of_its_own(code, tmp_path)
    else:
        monkeypatch.chdir(tmp_path)
        module = f"page_{page.stem.lower().replace('-', '_')}"
        namespace: dict[str, object] = {"__name__": module}
        monkeypatch.setitem(sys.modules, module, type(sys)(module))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, str(page), "exec"), namespace)
        printed = said.getvalue()
    if _CHECKED in text:
        assert printed == "".join(block.code for block in blocks if block.language == "text")


def _code_of(blocks: list[Block]) -> str:
    """The blocks one after another, each at its line of the page, so that a traceback points there."""
    code = ""
    for block in blocks:
        code += "\n" * (block.line - 1 - code.count("\n")) + block.code
    return code


def _in_a_process_of_its_own(code: str, folder: Path) -> str:
    path = folder / "page.py"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("console", "sh")], ids=_name)
def test_commands_of_a_page_are_understood(block: Block) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    for line in block.code.replace("\\\n", " ").splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:], comments=True)
        if words[0] == "msgtrack":
            arguments = words[
                1 : next((place for place, word in enumerate(words) if word in ("|", ">", "&", "&&")), None)
            ]
            if "--help" not in arguments:
                parser().parse_args(arguments)
        elif "scripts/" in words[0]:
            assert (ROOT / words[0]).is_file(), f"{_name(block)}: there is no {words[0]}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "{literalinclude}"], ids=_name)
def test_an_included_file_is_there_and_is_tested(block: Block) -> None:
    """Whole files on a page stand in a folder of their own, and some test runs them."""
    path = block.page.parent / block.argument
    assert path.is_file(), f"{_name(block)} includes {block.argument}, which is not there"
    tests = (ROOT / "tests").rglob("*.py")
    assert any(path.stem in test.read_text(encoding="utf-8") for test in tests), f"no test runs {block.argument}"


def test_blocks_name_their_language() -> None:
    odd = [f"{_name(block)}: {block.language or 'none'}" for block in BLOCKS if block.language not in LANGUAGES]
    assert not odd, f"a block names one of {sorted(LANGUAGES)}: {odd}"


def test_the_readme_and_the_tutorial_run() -> None:
    """That pages are found at all."""
    names = {_name(page) for page in WITH_PYTHON}
    assert {"README.md", "docs/tutorial.md"} <= names
    assert len([block for block in BLOCKS if block.language == "python" and not block.not_run]) >= 10


def _doctests() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: list[doctest.DocTest] = []
    for path in sorted((ROOT / "src" / "msgtrack").rglob("*.py")):
        if ">>>" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT / "src").with_suffix("").parts
            module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
            found += [test for test in finder.find(module) if test.examples]
    return found


@pytest.mark.parametrize("example", _doctests(), ids=lambda example: example.name)
def test_examples_in_docstrings_hold(example: doctest.DocTest) -> None:
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not result.failed, "".join(said)


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.partition("#")[0]
            if path and "://" not in path and not path.startswith("mailto:") and not (page.parent / path).exists():
                broken.append(f"{_name(page)}: {target}")
    assert not broken
