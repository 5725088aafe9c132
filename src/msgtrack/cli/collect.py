"""``msgtrack collect``: the Tracking workflow, once or on a schedule."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from msgtrack.cli._common import add_tracker, command, duration_seconds, progress, tracker_of
from msgtrack.errors import InvalidOption
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Source, WorkflowRun

__all__ = ["NAME", "add", "run"]

NAME = "collect"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="collect what happened into a store, on from where the last run stopped",
        example="msgtrack collect --segments hits/ --store sqlite:///tracking.db "
        "--base-url https://t.example.com --keys msgtrack.keys",
        json_help="print the run record as JSON, one line a run",
    )
    parser.add_argument(
        "--segments", action="append", default=[], metavar="DIR", help="a folder of hit segments; may repeat"
    )
    parser.add_argument("--access-log", action="append", default=[], metavar="FILE", help="an access log; may repeat")
    parser.add_argument("--format", default="combined", help="the access logs' format (default: combined)")
    parser.add_argument("--store", required=True, metavar="URL", help="such as sqlite:///tracking.db")
    parser.add_argument(
        "--people", default="cookie", metavar="KEY", help="hash: make person keys for logs without cookies"
    )
    parser.add_argument("--every", metavar="TIME", help="go on for ever, a run each 15m, 1h, ...")
    add_tracker(parser)


def run(args: argparse.Namespace) -> int:
    """Collect, and say what came of it."""
    from msgtrack.io import AccessLogFile, SegmentFolder
    from msgtrack.storage import open_store
    from msgtrack.web.asgi import utc_now
    from msgtrack.workflow import collect

    sources: dict[str, Source] = {_name(path): SegmentFolder(path) for path in args.segments}
    sources |= {_name(path): AccessLogFile(path, format=args.format) for path in args.access_log}
    if not sources:
        raise InvalidOption("there is nothing to collect: give --segments or --access-log")
    if len(sources) != len(args.segments) + len(args.access_log):
        raise InvalidOption("two sources have the same name")
    tracker, people = tracker_of(args), PeoplePolicy(key=args.people)
    pause = duration_seconds(args.every) if args.every else None
    with open_store(args.store) as store:
        while True:
            with progress("Collecting hits", None, quiet=args.json) as step:
                record = collect(sources, store, tracker=tracker, now=utc_now, people=people, progress=step)
            _show(record, as_json=args.json)
            if pause is None:
                return 0 if record.status == "finished" else 1
            time.sleep(pause)


def _name(path: str) -> str:
    name = Path(path).name or Path(path).resolve().name
    return name if len(name.encode()) <= 64 else name[-16:]


def _show(run: WorkflowRun, *, as_json: bool) -> None:
    from msgtrack.records import to_json

    if as_json:
        print(json.dumps(json.loads(to_json(run))), flush=True)
        return
    skipped = sum(run.skipped.values())
    print(
        f"{run.hits} hits, {run.events} events, {run.added} new; {run.rejected} lines rejected, {skipped} hits passed over"
        + (f"; failed: {run.error}" if run.error else ""),
        flush=True,
    )
