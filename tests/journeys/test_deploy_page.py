"""What the page on deploying says is what our programs, and systemd, understand; its nginx settings are tried elsewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from msgtrack.cli import parser
from msgtrack.logs import formats

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
COMMAND = re.compile(
    r"^(?:ExecStart=|[#$] (?:runuser -u msgtrack -- )?)(?:/opt/msgtrack/bin/)?msgtrack (.*)$", re.MULTILINE
)


@pytest.mark.parametrize("place", [0, 1], ids=["serve", "collect"])
def test_the_units_on_the_page_are_some(place: int, tmp_path: Path) -> None:
    unit = re.findall(r"^```ini\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[place]
    # Quick failures do not stop it for good.
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(unit.splitlines())
    assert "RestartSec=" in unit
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


def test_the_log_is_read_by_the_format_it_is_written_in(tmp_path: Path) -> None:
    """What the page's ``grep`` finds in the page's settings is the whole of the format, and tells all that it should."""
    (settings,) = re.findall(r"^```nginx\n# proxy\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    commands = [shlex.split(command) for command in COMMAND.findall(PAGE.replace("\\\n", " "))]
    (given,) = [command[command.index("--nginx") + 1] for command in commands if "--nginx" in command]
    (tmp_path / "msgtrack.conf").write_text(settings)
    found = subprocess.run(
        ["sh", "-c", f'printf %s "{given.replace("/etc/nginx/conf.d", str(tmp_path))}"'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    log_format = formats.nginx(found)
    assert log_format.name == "msgtrack"
    assert f"access_log /var/log/nginx/msgtrack.log {log_format.name};" in settings
    becomes = {reads.becomes for reads in log_format.reads}
    assert becomes == {"client_ip", "received_at", "request", "status", "referrer", "user_agent", "privacy", "purpose"}
