"""The scripts on a machine that lacks something: one line that says what, and a code that is not zero."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = ("bench", "check", "demo", "docs", "fuzz", "mutants", "test")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the scripts are for POSIX shells")


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A project with our scripts and nothing to install, in a folder with a space."""
    folder = tmp_path / "a project"
    shutil.copytree(root / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", folder)
    return folder


def _run(script: Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(
        [script, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=kept | environment,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _program(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _says(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode not in (0, 127)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "setting up" not in line]
    assert len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in words), done.stderr


@pytest.mark.parametrize("name", [*SCRIPTS, "../.ci/run"])
def test_scripts_are_programs_that_a_plain_shell_reads(root: Path, name: str) -> None:
    path = root / "scripts" / name
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    for shell in filter(None, map(shutil.which, ("sh", "dash", "bash"))):
        subprocess.run([shell, "-n", path], check=True)


def test_no_such_python(project: Path, tmp_path: Path) -> None:
    _says(_run(project / "scripts/demo", cwd=tmp_path, PYTHON="no-such-python"), "demo:", "no-such-python")


def test_an_old_python(project: Path, tmp_path: Path) -> None:
    old = _program(tmp_path / "python3.9", "#!/bin/sh\nexit 1\n")
    _says(_run(project / "scripts/test", cwd=tmp_path, PYTHON=str(old)), "test:", "3.11")


def test_no_python_at_all(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname", "basename"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    _says(_run(project / "scripts/demo", cwd=tmp_path, PATH=str(tools)), "demo:", "3.11 or newer is missing")


def test_no_ensurepip(project: Path, tmp_path: Path) -> None:
    hide = "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    lame = _program(
        tmp_path / "lame-python",
        f'#!/bin/sh\n[ "$1" = -c ] && exec "{sys.executable}" "$@"\nexec "{sys.executable}" -c "{hide}" "$@"\n',
    )
    _says(_run(project / "scripts/demo", cwd=tmp_path, PYTHON=str(lame)), "demo:", "ensurepip", "python3-venv")
    assert not (project / ".venv" / "msgtrack-setup.json").exists()


@pytest.mark.slow
def test_no_packages_to_be_had(project: Path, tmp_path: Path) -> None:
    nowhere = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHON": sys.executable,
    }
    done = _run(project / "scripts/demo", cwd=tmp_path, **nowhere)
    _says(done, "demo:", "pip cannot install")
    assert not (project / ".venv" / "msgtrack-setup.json").exists(), "what failed must be tried again"


def _ready(project: Path, extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, project / "scripts/_setup.py", project, extra, "name"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_installed_is_not_installed_again(project: Path, tmp_path: Path) -> None:
    """The stamp of ``dev`` is good for ``demo``, which it holds; another project file, or another place, is not."""
    venv = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip"
    pip.mkdir()
    # A pip that notes that it was asked.
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(
        "import sys\nwith open('asked', 'a') as file:\n    print(sys.argv[-1], file=file)\n", encoding="utf-8"
    )

    def asked() -> list[str]:
        return (project / "asked").read_text(encoding="utf-8").split()

    for extra in ("dev", "dev", "demo"):
        done = _ready(project, extra)
        assert (done.returncode, Path(done.stdout.strip()).parent.parent) == (0, venv), done.stderr
    assert asked() == [".[dev]"]
    assert {"demo", "dev", "sql"} <= set(
        json.loads((venv / "msgtrack-setup.json").read_text(encoding="utf-8"))["extras"]
    )

    changed = (project / "pyproject.toml").read_text(encoding="utf-8") + "\n# changed\n"
    (project / "pyproject.toml").write_text(changed, encoding="utf-8")
    assert _ready(project, "demo").returncode == 0
    assert asked() == [".[dev]", ".[demo]"]

    (venv / "msgtrack-setup.json").write_text("{", encoding="utf-8")
    assert _ready(project, "demo").returncode == 0
    assert asked() == [".[dev]", ".[demo]", ".[demo]"]
