"""The page of log formats is what the table of formats says now."""

from __future__ import annotations

from pathlib import Path

from msgtrack.logs import formats

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
