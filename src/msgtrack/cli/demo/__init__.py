"""``msgtrack demo``: one newsletter from HTML to report, everything real, and every number checked against the
truth.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from msgtrack.cli._common import command, complain
from msgtrack.errors import InvalidOption

__all__ = ["NAME", "add", "run"]

NAME = "demo"
FOLDER = "msgtrack-demo"
MAX_RECIPIENTS = 1_000_000


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="send a newsletter to a simulated audience over real SMTP and HTTP, and check every indicator",
        example="msgtrack demo --html newsletter.html --recipients 1000 --open",
        json_help="print the outcome and the report as JSON",
    )
    parser.add_argument("--html", metavar="FILE", help="any email's HTML (default: an example newsletter)")
    parser.add_argument("--recipients", type=int, default=1_000, metavar="N", help="how many (default: 1000)")
    parser.add_argument("--store", metavar="URL", help=f"where to keep it (default: SQLite under ./{FOLDER}/)")
    parser.add_argument("--seed", type=int, metavar="N", help="makes the audience repeatable (default: a random one)")
    parser.add_argument("--folder", default=FOLDER, metavar="DIR", help=f"where reports go (default: ./{FOLDER}/)")
    parser.add_argument("--open", action="store_true", help="open the report in a browser")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; 0 only when every indicator equals the ground truth."""
    from msgtrack.cli.demo.journey import travel

    if not 1 <= args.recipients <= MAX_RECIPIENTS:
        raise InvalidOption(f"--recipients {args.recipients} is not between 1 and {MAX_RECIPIENTS:,}")
    seed = args.seed if args.seed is not None else secrets.randbelow(1_000_000)
    stopped_by: list[signal.Signals] = []
    try:
        with _ended_like_ctrl_c(stopped_by):
            outcome = travel(
                html=args.html,
                recipients=args.recipients,
                store_url=args.store,
                seed=seed,
                folder=args.folder,
                quiet=args.json,
            )
    except KeyboardInterrupt:
        if not stopped_by:
            raise
        complain(f"stopped by {stopped_by[0].name}")
        return 128 + stopped_by[0]
    if args.json:
        sys.stdout.write(outcome.as_json() + "\n")
    else:
        outcome.show()
    if args.open:
        webbrowser.open(outcome.html_path.resolve().as_uri())
    return 0 if outcome.agrees else 1


@contextmanager
def _ended_like_ctrl_c(stopped_by: list[signal.Signals]) -> Iterator[None]:
    """Lets SIGTERM and SIGHUP end the block the way Ctrl-C does, so that nothing is left running; notes which came."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        stopped_by.append(signal.Signals(number))
        # Whoever handles Ctrl-C at this moment, such as asyncio, knows how to end in order.
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):
            raise KeyboardInterrupt
        on_ctrl_c(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    # What is ignored stays ignored: nohup means it.
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, interrupt)
    # A shell's background job is born ignoring Ctrl-C; asyncio ends in order only where somebody handles it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
        ours.append(signal.SIGINT)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number] or signal.SIG_DFL)
