"""``msgtrack report``: a delivery's report, or any report of indicators, on the terminal and in files."""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from typing import Any

from msgtrack.cli._common import command, print_json, write_text
from msgtrack.errors import InvalidOption

__all__ = ["NAME", "add", "run"]

NAME = "report"
_LIST = "list"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="show a delivery's report",
        example="msgtrack report --store sqlite:///tracking.db --delivery spring --html report.html",
        json_help="print the report as JSON instead of a table",
    )
    parser.add_argument("--store", metavar="URL", help="such as sqlite:///tracking.db")
    parser.add_argument(
        "--delivery",
        action="append",
        default=[],
        metavar="ID",
        help="the delivery's id; with --report several times, for several deliveries together",
    )
    parser.add_argument(
        "--report", default="", metavar="NAME", help="a report of indicators by name; 'list' prints the names"
    )
    parser.add_argument("--zone", default="UTC", metavar="ZONE", help="time zone of the report (default: UTC)")
    parser.add_argument(
        "--audience",
        default="all",
        help="all, human, proxy, unsure or machine (default: all); with --report several with commas, side by side",
    )
    parser.add_argument("--top", type=int, metavar="N", help="with --report: rows of a ranking before the others")
    parser.add_argument("--html", metavar="FILE", help="write the report as one HTML file; not with --report")
    parser.add_argument("--csv", metavar="FILE", help="write the numbers as CSV; '-' is standard output")
    # What is needed depends on --report, which argparse cannot say.
    parser.set_defaults(misused=parser.error)


def run(args: argparse.Namespace) -> int:
    """Make the report and show it."""
    if args.report == _LIST:
        return _list(args)
    missing = [name for name, found in (("--store", args.store), ("--delivery", args.delivery)) if not found]
    if missing:
        args.misused(f"the following arguments are required: {', '.join(missing)}")
    return _indicators(args) if args.report else _delivery(args)


def _width() -> int:
    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))


def _delivery(args: argparse.Namespace) -> int:
    from msgtrack.reports import delivery_report
    from msgtrack.storage import open_store
    from msgtrack.web.asgi import utc_now

    if args.top is not None:
        raise InvalidOption("--top is for reports of indicators", hint="name one with --report")
    if len(args.delivery) > 1:
        raise InvalidOption("this report is about one delivery", hint="--report cumulated is about several")
    (delivery_id,) = args.delivery
    with open_store(args.store) as store:
        report = delivery_report(store, delivery_id=delivery_id, zone=args.zone, now=utc_now(), audience=args.audience)
    if args.html:
        write_text(args.html, report.html(), "report")
    if args.csv:
        write_text(args.csv, report.csv(), "report")
    if args.json:
        print_json(json.loads(report.json()))
    elif args.csv != "-":
        write_text("-", report.text(width=_width()), "report")
    return 0


def _indicators(args: argparse.Namespace) -> int:
    from msgtrack.metrics import catalogue, indicator_report, layouts, report_document
    from msgtrack.reports.tables import as_csv, as_text
    from msgtrack.storage import open_store
    from msgtrack.web.asgi import utc_now

    if args.html:
        raise InvalidOption(f"the report {args.report!r:.80} has no HTML", hint="take --csv or --json")
    audiences = tuple(name.strip() for name in args.audience.split(","))
    # Peers cost a reading of all that the platform sent in six months.
    keys = layouts[args.report].keys if args.report in layouts else ()
    peers = any(catalogue[key].undefined == "no-peers" for key in keys)
    make = partial(indicator_report, args.report, zone=args.zone, now=utc_now(), audiences=audiences, peers=peers)
    with open_store(args.store) as store:
        report = make(store, args.delivery) if args.top is None else make(store, args.delivery, top=args.top)
    if args.csv:
        write_text(args.csv, as_csv(report), "report")
    if args.json:
        print_json(report_document(report))
    elif args.csv != "-":
        write_text("-", as_text(report, width=_width()), "report")
    return 0


def _list(args: argparse.Namespace) -> int:
    from msgtrack.metrics import layouts

    if args.json:
        print_json(
            [{"name": layout.name, "title": layout.title, "keys": list(layout.keys)} for layout in layouts.values()]
        )
        return 0
    size = max(map(len, layouts))
    for name, layout in layouts.items():
        print(f"{name:<{size}}  {layout.title}")
    return 0
