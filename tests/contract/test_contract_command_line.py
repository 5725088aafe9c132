"""The contract of the command line: its verbs, and what every one of them has."""

from __future__ import annotations

import argparse

import pytest

from msgtrack.cli import main, parser

BUILT = {"audit", "demo", "serve", "compile", "collect", "logs", "report", "keys"}
PLANNED = {"verify", "doctor", "store"}


def _commands() -> dict[str, argparse.ArgumentParser]:
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the command line has no commands")


def test_the_commands_are_these() -> None:
    commands = set(_commands())
    assert commands - BUILT <= PLANNED, f"the contract knows no command {commands - BUILT - PLANNED}: is it misspelt?"
    assert not (new := commands & PLANNED), f"built now: move {sorted(new)} from PLANNED to BUILT"
    assert commands == BUILT


@pytest.mark.parametrize("name", sorted(BUILT))
def test_every_command_has_an_example_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert f"msgtrack {name}" in shown.partition("example:")[2], "the help has no example"
    assert "--json" in shown


OPTIONS = {
    "demo": ["--html", "--recipients", "--store", "--seed", "--open"],
    "compile": ["--registry", "--url-format"],
    "collect": ["--every", "--registry", "--url-format"],
    "logs": ["--registry", "--url-format"],
    "serve": [
        "--segments",
        "--sync-seconds",
        "--segment-age",
        "--compress",
        "--request-timeout",
        "--workers",
        "--trust-proxy",
        "--registry",
        "--url-format",
        "--access-log",
        "--cookie-domain",
        "--gpc",
        "--client-ip",
    ],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_commands_have_these_options(name: str) -> None:
    known = {option for action in _commands()[name]._actions for option in action.option_strings}
    assert set(OPTIONS[name]) <= known


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        [],
        ["report"],
        ["report", "--store", "mongodb://localhost", "--delivery", "1"],
        ["report", "--store", "memory:", "--delivery", "1", "--zone", "Mars/Olympus"],
        ["demo", "--recipients", "0"],
        ["demo", "--html", "no-such-file.html"],
        ["keys", "old"],
        ["audit", "no-such-folder"],
        ["audit", ".", "--syntax", "jinga"],
        ["logs", "parse", "no-such-*"],
        ["logs", "detect", "no-such.log"],
    ],
    ids=" ".join,
)
def test_bad_input_is_exit_code_2_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    try:
        code: object = main(arguments)
    except SystemExit as left:
        code = left.code
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert "Traceback" not in shown.err
    said = [line for line in shown.err.splitlines() if not line.startswith(("usage:", " "))]
    assert len(said) == 1
