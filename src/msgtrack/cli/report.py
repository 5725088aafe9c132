"""``msgtrack report``: a delivery's report on the terminal and in files."""

from __future__ import annotations

import argparse
import json
import shutil
from typing import Any

from msgtrack.cli._common import command, print_json, write_text

__all__ = ["NAME", "add", "run"]

NAME = "report"


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
    parser.add_argument("--store", required=True, metavar="URL", help="such as sqlite:///tracking.db")
    parser.add_argument("--delivery", required=True, metavar="ID", help="the delivery's id")
    parser.add_argument("--zone", default="UTC", metavar="ZONE", help="time zone of the report (default: UTC)")
    parser.add_argument("--audience", default="all", help="all, human, proxy, unsure or machine (default: all)")
    parser.add_argument("--html", metavar="FILE", help="write the report as one HTML file")
    parser.add_argument("--csv", metavar="FILE", help="write the numbers as CSV; '-' is standard output")


def run(args: argparse.Namespace) -> int:
    """Make the report and show it."""
    from msgtrack.reports import delivery_report
    from msgtrack.storage import open_store
    from msgtrack.web.asgi import utc_now

    with open_store(args.store) as store:
        report = delivery_report(
            store, delivery_id=args.delivery, zone=args.zone, now=utc_now(), audience=args.audience
        )
    if args.html:
        write_text(args.html, report.html(), "report")
    if args.csv:
        write_text(args.csv, report.csv(), "report")
    if args.json:
        print_json(json.loads(report.json()))
    elif args.csv != "-":
        width = shutil.get_terminal_size((100, 24)).columns
        write_text("-", report.text(width=max(60, min(width, 140))), "report")
    return 0
