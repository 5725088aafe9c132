"""The command line: one file per command, each with ``NAME``, ``add(commands)`` and ``run(args)``.

Exit codes: 0 all went well; 1 the answer is no (numbers that do not agree, a source that failed, hits that were lost);
2 bad input, said in one line; 130 interrupted, 143 and 129 the same by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence

from msgtrack.cli import audit, collect, compile, keys, logs, report, serve
from msgtrack.cli import demo as demo
from msgtrack.cli._common import complain
from msgtrack.errors import InvalidOption, MsgtrackError

__all__ = ["main"]

_COMMANDS = (demo, compile, audit, serve, collect, logs, report, keys)
_PLACES = {
    "DIR": "folder",
    "FILE": "file",
    "HTML": "file",
    "PATH": "path",
    "[NAME=]DIR": "folder",
    "[NAME=]FILE": "file",
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    return _assembled()[0]


def _assembled() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The whole command line, and each command's part of it."""
    top = argparse.ArgumentParser(prog="msgtrack", description="Message tracking: links, hits, events, indicators.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return top, commands.choices


def _refuse_empty(command: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """No file or folder is called by an empty text, which a variable of a shell is that nobody has set.

    To the system it is the folder at hand, and where an option may be left out it would pass for that.
    """
    for action in command._actions:
        given = getattr(args, action.dest, None)
        if "" in (given if isinstance(given, list) else [given]) and str(action.metavar) in _PLACES:
            name = action.option_strings[0] if action.option_strings else action.metavar
            raise InvalidOption(f"{name} names no {_PLACES[str(action.metavar)]}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Usage errors leave by ``SystemExit(2)``, as argparse does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or pipe that cannot show a character gets its number instead.
        sys.stdout.reconfigure(errors="backslashreplace")
    top, commands = _assembled()
    args = top.parse_args(argv)
    try:
        _refuse_empty(commands[args.command], args)
        return int(args.run(args))
    except MsgtrackError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (``| head``); nothing is left to say, not even at exit.
        sys.stderr.close()
        return 1
