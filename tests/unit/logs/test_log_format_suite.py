"""Every row of the table of formats keeps what formats promise, on a folder of samples each; so does somebody else's."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from msgtrack.logs import formats
from msgtrack.testing import LogFormatSuite

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests" / "data" / "logs"

# Their lines are combined ones to the letter, or begin as such.
READ_AS_COMBINED = {"common", "lighttpd", "varnish"}

for _name, _format in formats.FORMATS.items():
    _class = "Test" + _name.title().replace("-", "")
    globals()[_class] = type(_class, (LogFormatSuite,), {"format": _format, "samples": SAMPLES / _name})


class TestBrief(LogFormatSuite):
    """The example of a third party's format."""

    format = runpy.run_path(str(ROOT / "examples" / "log_format_brief.py"))["BRIEF"]
    samples = SAMPLES / "brief"


def test_every_folder_of_samples_is_of_a_format() -> None:
    assert {folder.name for folder in SAMPLES.iterdir()} == {*formats.names(), "brief"}


@pytest.mark.parametrize("name", formats.names())
def test_a_format_is_detected_by_its_samples(name: str) -> None:
    for log in (SAMPLES / name).glob("*.log"):
        good = [
            line
            for line, expected in zip(
                log.read_text("utf-8").split("\n"),
                log.with_suffix(".expected.jsonl").read_text("utf-8").split("\n"),
                strict=True,
            )
            if not expected.startswith('"')
        ]
        found = formats.detect(good).name
        assert found == ("combined" if name in READ_AS_COMBINED else name)
        read, same = formats.get(found).reader(), formats.get(name).reader()
        assert [read(line, 1) for line in good] == [same(line, 1) for line in good]
