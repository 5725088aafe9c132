"""The repository itself: notes of changes, no traces of machines, pages in the table of contents."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}
CHANGES = sorted(path for path in (ROOT / "changes").glob("*") if path.name != "README.md")

# A path below somebody's home or a build folder, and hosts that only an installer speaks to.
_MACHINE = re.compile(
    r"(?<![\w/.])/(?:home/\w+|root/|Users/\w+|work/|tmp/bash)|(?:pypi\.org|files\.pythonhosted|registry\.npmjs|index-url|devpi|artifactory)",
    re.IGNORECASE,
)
_TEXT = {
    "",
    ".css",
    ".cfg",
    ".html",
    ".in",
    ".ini",
    ".js",
    ".json",
    ".jsonl",
    ".md",
    ".py",
    ".pyi",
    ".sh",
    ".sql",
    ".svg",
    ".toml",
    ".txt",
}


def _files() -> list[Path]:
    """Every file that is or will be committed; without git, everything outside the folders of tools."""
    try:
        said = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        found = [ROOT / name for name in said.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        hidden = {
            ".git",
            ".venv",
            "build",
            "dist",
            "__pycache__",
            ".hypothesis",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
        }
        found = [path for path in ROOT.rglob("*") if not hidden & set(path.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file()]


@pytest.mark.parametrize("path", CHANGES, ids=lambda path: path.name)
def test_a_note_is_one_sentence_for_those_who_upgrade(path: Path) -> None:
    match = re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*\.([a-z]+)\.md", path.name)
    name = f"changes/{path.name}: name it <few-words>.<kind>.md, kind one of {sorted(KINDS)}"
    assert match is not None, name
    assert match[1] in KINDS, name
    text = path.read_text(encoding="utf-8")
    assert re.search(r"[^\n]\n\Z", text), "one line, with its end"
    sentence = text.strip()
    assert "\n" not in sentence, "one line"
    assert sentence[:1].isupper() or sentence[:1] == "`", "a sentence begins with a capital letter or with code"
    assert sentence.endswith("."), "a sentence ends with a full stop"
    plain = re.sub(r"`[^`]*`", "", sentence)
    assert not re.search(r"[.!?] +[A-Z]", plain), "one sentence, not two"
    assert len(sentence) <= 240, "short enough to be read"


def test_there_are_notes_and_a_page_that_explains_them() -> None:
    assert (ROOT / "changes" / "README.md").is_file()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert CHANGES or f"## {version}" in log, "neither a note in changes/ nor an entry in CHANGELOG.md"


def test_no_file_names_a_machine_or_a_registry() -> None:
    this = Path(__file__).resolve()
    found = []
    for path in _files():
        if path.suffix not in _TEXT or path == this or path.name == "LICENSE" or "data" in path.relative_to(ROOT).parts:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := _MACHINE.search(line))
        ]
    assert not found


# Put together here, so that this file names none either.
@pytest.mark.parametrize("place", ["home/ann/x", "work/main", "root/.cache"])
def test_the_search_for_machines_finds(place: str) -> None:
    assert _MACHINE.search(f"cd /{place}")


@pytest.mark.parametrize("line", ["https://artifactory.example/simple", "--index-" + "url x"])
def test_the_search_for_registries_finds(line: str) -> None:
    assert _MACHINE.search(line)


@pytest.mark.parametrize(
    "line", ["homework/main", "src/works/x", "https://shop.example/homes/", "a/roots/b", "a framework/ b"]
)
def test_the_search_for_machines_leaves_alone(line: str) -> None:
    assert not _MACHINE.search(line)


def test_no_lock_file_is_committed() -> None:
    assert not {"uv.lock", "pylock.toml"} & {path.name for path in _files()}


def test_every_page_is_in_a_table_of_contents() -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")} - {"index"}
    listed: set[str] = set()
    for page in docs.rglob("*.md"):
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            names = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith(":")]
            listed |= {(page.parent / name).resolve().relative_to(docs).as_posix() for name in names}
    assert pages == listed


def test_no_unfinished_business() -> None:
    """Nothing is left to do in code that ships; what is planned stands in docs/not-supported.md."""
    word = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "src").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if word.search(line)
    ]
    assert not found


def test_what_is_refused_is_on_the_page_of_what_is_not_supported() -> None:
    """Each module that raises NotSupported is named there, so that the page cannot forget a part."""
    page = (ROOT / "docs" / "not-supported.md").read_text(encoding="utf-8")
    missing = []
    for path in sorted((ROOT / "src" / "msgtrack").rglob("*.py")):
        if re.search(r"raise NotSupported\(", path.read_text(encoding="utf-8")):
            name = path.relative_to(ROOT / "src" / "msgtrack").as_posix()
            if f"<!-- {name} -->" not in page:
                missing.append(name)
    assert not missing, (
        f"docs/not-supported.md says nothing of {missing}: add what each refuses, with the mark <!-- file -->"
    )
