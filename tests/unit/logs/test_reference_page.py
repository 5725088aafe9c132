"""The page of log formats is what the table of formats says now."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import msgtrack.logs
from msgtrack.logs import apache, formats, nginx

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "log-formats.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == formats.reference_page(), "scripts/docs makes it anew"


def test_it_lists_every_format_and_every_field() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, log_format in formats.FORMATS.items():
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert log_format.reads
        for reads in log_format.reads:
            assert f"| `{reads.field}` | `{reads.becomes}` |" in section


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "nginx",
            {f"${variable}": becomes for variable, becomes in nginx.VARIABLES.items()} | {"$msec": "received_at"},
        ),
        ("apache", apache.DIRECTIVES | {"%t": "received_at"}),
    ],
)
def test_it_lists_what_is_read_of_a_format_of_the_server_s_own(name: str, fields: dict[str, str]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"## `formats.{name}`\n")[2].partition("\n## ")[0]
    for field, becomes in fields.items():
        assert f"| `{field}` | `{becomes}` |" in section


def test_every_file_that_has_a_format_has_a_row() -> None:
    modules = [
        importlib.import_module(f"msgtrack.logs.{found.name}") for found in pkgutil.iter_modules(msgtrack.logs.__path__)
    ]
    written = {module.__name__: module.FORMAT for module in modules if hasattr(module, "FORMAT")}
    rows = list(formats.FORMATS.values())
    assert [name for name, log_format in written.items() if log_format not in rows] == []
    assert len(written) == len(rows)
