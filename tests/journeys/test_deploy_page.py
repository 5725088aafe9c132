"""What the page on deploying says is what our programs, and systemd, understand; its nginx settings are tried elsewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from msgtrack.cli import parser

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
COMMAND = re.compile(
    r"^(?:ExecStart=|[#$] (?:runuser -u msgtrack -- )?)(?:/opt/msgtrack/bin/)?msgtrack (.*)$", re.MULTILINE
)


@pytest.mark.parametrize("place", [0, 1], ids=["serve", "collect"])
def test_the_units_on_the_page_are_some(place: int, tmp_path: Path) -> None:
    unit = re.findall(r"^```ini\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[place]
    # The program is nowhere on this machine, and the user is not known.
    (tmp_path / "msgtrack.service").write_text(
        unit.replace("/opt/msgtrack/bin/msgtrack", "/bin/true").replace("User=msgtrack\n", "")
    )
    try:
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / "msgtrack.service")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        return
    assert "msgtrack.service" not in done.stderr, done.stderr


def test_the_commands_on_the_page_are_some() -> None:
    commands = COMMAND.findall(PAGE.replace("\\\n", " "))
    programs = [vars(parser().parse_args(shlex.split(command)))["command"] for command in commands]
    assert programs == ["keys", "serve", "collect", "collect", "keys", "collect"]
