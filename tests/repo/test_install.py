"""The bare install: importing the package loads nothing that an extra brings, and the package works with its four dependencies alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

BARE = {"attrs", "cattrs", "itsdangerous", "python-dateutil"}
FROM_EXTRAS = (
    "aiosmtpd", "altair", "clickhouse_connect", "crawlerdetect", "django", "duckdb", "flask", "granian", "httptools", "httpx",
    "hypothesis", "jinja2", "prometheus_client", "psycopg", "pyarrow", "pytest", "rich", "sqlalchemy", "starlette", "ua_parser", "uvicorn",
    "uvloop", "vl_convert",
)  # fmt: skip
JOURNEY = """
from datetime import UTC, datetime
from msgtrack import Delivery, Keyring, Message, Tracker, open_store
from msgtrack.events import Open
from msgtrack.metrics import indicators
from msgtrack.reports import delivery_report

noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
tracker = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets("k" * 32))
compiled = tracker.compile(html='<a href="https://shop.example/">Shop</a>', delivery_id="spring")
assert "https://t.example.com/" in compiled.render(message_id="7").html
with open_store("memory:") as store:
    store.put([Delivery(id="spring"), Message(id="7", delivery_id="spring", status="sent"), *compiled.links])
    store.ingest([Open(occurred_at=noon, delivery_id="spring", message_id="7")])
    assert indicators(store, delivery_id="spring")["recipient_open"].value == 1
    report = delivery_report(store, delivery_id="spring", now=noon)
    assert report.json() and report.csv() and report.text()
from msgtrack.errors import MissingExtra
for needs_an_extra in (lambda: open_store("sqlite://"), report.html):
    try:
        needs_an_extra()
    except MissingExtra as error:
        assert "pip install 'msgtrack[" in str(error), error
    else:
        raise SystemExit("an extra is not needed after all")
print("works")
"""


def _python(python: str | Path, code: str, cwd: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        [python, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=kept | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_of_an_extra(root: Path, tmp_path: Path) -> None:
    code = f"import sys, msgtrack; print(*sorted({set(FROM_EXTRAS)!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    assert _python(sys.executable, code, tmp_path, PYTHONPATH=str(root / "src")) == ""


def test_the_bare_install_needs_four_packages(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {item.split(">")[0] for item in project["dependencies"]} == BARE
    extras = project["optional-dependencies"]
    users = {
        "sql",
        "postgres",
        "mariadb",
        "duckdb",
        "bulk",
        "clickhouse",
        "server",
        "agents",
        "reports",
        "cli",
        "django",
        "flask",
        "starlette",
        "prometheus",
        "sketches",
        "dask",
        "zstd",
        "testing",
    }
    assert extras.keys() == users | {"all", "demo", "dev"}
    assert extras["all"] == [f"msgtrack[{','.join(name for name in extras if name in users)}]"]


@pytest.mark.install
def test_the_built_package_works_in_an_environment_of_its_own(root: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "src"):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, tree)
    environment = os.environ | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    environment.pop("PYTHONPATH", None)

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, tree)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.rmtree(tree)

    shipped = zipfile.ZipFile(wheel).namelist()
    assert "msgtrack/py.typed" in shipped
    assert not [name for name in shipped if not name.startswith(("msgtrack/", "msgtrack-"))], shipped
    in_tree = (path for path in (root / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert not {path.relative_to(root / "src").as_posix() for path in in_tree} - set(shipped)

    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", wheel)
    assert _python(python, JOURNEY, tmp_path) == "works"
    run(python.with_name("msgtrack"), "--help")
    run(python.with_name("msgtrack"), "keys", "new")
