"""``msgtrack demo``: one newsletter from HTML to report, everything real, and every number checked against the
truth.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import webbrowser
from typing import Any

from msgtrack.cli._common import command
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
    outcome = travel(
        html=args.html,
        recipients=args.recipients,
        store_url=args.store,
        seed=seed,
        folder=args.folder,
        quiet=args.json,
    )
    if args.json:
        sys.stdout.write(outcome.as_json() + "\n")
    else:
        outcome.show()
    if args.open:
        webbrowser.open(outcome.html_path.resolve().as_uri())
    return 0 if outcome.agrees else 1
