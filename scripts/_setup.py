"""Ready the project's own environment: ``_setup.py ROOT EXTRA NAME`` prints the path of its interpreter.

Uses nothing but the standard library. Running again is quick and safe: a stamp says what was installed, from which ``pyproject.toml`` and
where; it is written last, so an interrupted installation is done again. Two runs at once wait for each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

STAMP = "msgtrack-setup.json"
LOG = "msgtrack-setup.log"


class SetupError(Exception):
    """What is missing, in one line."""


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold a lock that dies with the process."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        file = (root / ".venv.lock").open("w")
    except OSError as error:
        raise SetupError(f"cannot write in {root}: {error.strerror}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def extras_of(pyproject: bytes, extra: str) -> set[str]:
    """The extra and all extras of our own that it brings along."""
    extras = tomllib.loads(pyproject.decode())["project"]["optional-dependencies"]
    found, waiting = set(), [extra]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            own = (item for item in extras[name] if item.startswith("msgtrack["))
            waiting += [part.strip() for item in own for part in item[9 : item.index("]")].split(",")]
    return found


def interpreter_of(venv: Path) -> Path:
    """The environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp_of(venv: Path) -> dict[str, object]:
    """What the stamp says, or nothing when there is none to believe."""
    try:
        said = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def runs(python: Path) -> bool:
    """Whether the environment's interpreter is there, new enough, and can install."""
    check = (
        "import sys; from importlib.util import find_spec; sys.exit(sys.version_info < (3, 11) or not find_spec('pip'))"
    )
    try:
        return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make(venv: Path) -> None:
    """A fresh environment in place of whatever is there."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"the {module} module of {sys.executable} is missing (Debian and Ubuntu: apt-get install python3-venv)"
            )
    if venv.is_symlink():
        raise SetupError(f"{venv} is a link to an environment that others use; remove the link to make one here")
    said = subprocess.run([sys.executable, "-m", "venv", "--clear", venv], capture_output=True, text=True, check=False)
    if said.returncode:
        words = " ".join((said.stderr or said.stdout).split())
        raise SetupError(f"cannot make the environment {venv}: {words[:300]}")


def install(root: Path, venv: Path, extra: str) -> None:
    """The project itself, editable, with an extra."""
    settings = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    hidden = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | settings
    command: list[str | Path] = [
        interpreter_of(venv),
        "-m",
        "pip",
        "install",
        "--retries",
        "3",
        "--editable",
        f".[{extra}]",
    ]
    log = venv / LOG
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        why = next(
            (line.strip() for line in reversed(lines) if line.strip().startswith("ERROR:")), f"pip ended with {code}"
        )
        raise SetupError(f"pip cannot install .[{extra}]: {why[:300]} (all of it: {log})")


def ready(root: Path, extra: str, name: str) -> Path:
    """The interpreter of an environment that has what the extra needs."""
    venv = root / ".venv"
    python = interpreter_of(venv)
    pyproject = (root / "pyproject.toml").read_bytes()
    wanted: dict[str, object] = {"pyproject": hashlib.sha256(pyproject).hexdigest(), "root": str(root)}
    with alone(root):
        stamp = stamp_of(venv)
        is_usable = runs(python) and stamp.get("root", str(root)) == str(root)
        installed = stamp.get("extras") if is_usable and stamp.get("pyproject") == wanted["pyproject"] else None
        installed = installed if isinstance(installed, list) else []
        if extra in installed:
            return python
        print(f"{name}: setting up {venv} (once; it takes a minute or two)", file=sys.stderr, flush=True)
        if not is_usable:
            make(venv)
        (venv / STAMP).unlink(missing_ok=True)
        install(root, venv, extra)
        wanted["extras"] = sorted({*installed, *extras_of(pyproject, extra)})
        (venv / STAMP).write_text(json.dumps(wanted), encoding="utf-8")
    return python


def main() -> int:
    """Set up; one line on standard error when something is missing."""
    root, extra, name = sys.argv[1:]
    try:
        print(ready(Path(root), extra, name))
    except SetupError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
