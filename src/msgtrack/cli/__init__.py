"""The command line: one file per command, each with ``NAME``, ``add(commands)`` and ``run(args)``.

Exit codes: 0 all went well; 1 the answer is no (numbers that do not agree, a source that failed, hits that were lost);
2 bad input, said in one line; 130 interrupted, 143 and 129 the same by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from msgtrack.cli import audit, collect, compile, keys, logs, report, serve
from msgtrack.cli import demo as demo
from msgtrack.cli._common import complain
from msgtrack.errors import MsgtrackError

__all__ = ["main"]

_COMMANDS = (demo, compile, audit, serve, collect, logs, report, keys)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="msgtrack", description="Message tracking: links, hits, events, indicators.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Usage errors leave by ``SystemExit(2)``, as argparse does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or pipe that cannot show a character gets its number instead.
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    try:
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
