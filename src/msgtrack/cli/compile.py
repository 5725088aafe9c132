"""``msgtrack compile``: what becomes of a message's links."""

from __future__ import annotations

import argparse
from typing import Any

from msgtrack._borders import name_of
from msgtrack.cli._common import (
    add_tracker,
    command,
    print_json,
    printable,
    read_html,
    read_values,
    tracker_of,
    write_text,
)
from msgtrack.errors import InvalidOption
from msgtrack.links import CompiledMessage, LinkRules
from msgtrack.links.syntaxes import SYNTAXES

__all__ = ["NAME", "add", "run"]

NAME = "compile"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="show which links of a message are tracked, and why; or render it for one recipient",
        example="msgtrack compile news.html --delivery spring --base-url https://t.example.com --keys msgtrack.keys",
        json_help="print links, decisions and findings as JSON",
    )
    parser.add_argument("html", metavar="HTML", help="the HTML part; '-' reads standard input")
    parser.add_argument("--text", metavar="FILE", help="the plain-text part")
    parser.add_argument("--delivery", required=True, metavar="ID", help="the delivery's id")
    parser.add_argument("--pixel", default="bottom", metavar="WHERE", help="bottom, top or none (default: bottom)")
    parser.add_argument("--message-id", metavar="ID", help="render the message of this id")
    parser.add_argument(
        "--out", metavar="FILE", help="where the rendered HTML goes, encoded as it came; '-' is standard output"
    )
    parser.add_argument("--out-text", metavar="FILE", help="where the rendered plain text goes")
    parser.add_argument(
        "--syntax",
        default="none",
        choices=SYNTAXES,
        metavar="NAME",
        help=f"how placeholders in links look: {', '.join(SYNTAXES)} (default: none)",
    )
    parser.add_argument("--values", metavar="FILE", help="a JSON object: what the placeholders stand for")
    parser.add_argument(
        "--skip-unfit", action="store_true", help="leave links alone whose placeholders cannot be tracked, and say so"
    )
    add_tracker(parser, registry="write the links to this folder, and short addresses that are looked up there")


def run(args: argparse.Namespace) -> int:
    """Compile, then render or show."""
    if (args.out or args.out_text) and not args.message_id:
        raise InvalidOption("--out needs --message-id: a message is rendered for one recipient")
    if args.out_text and not args.text:
        raise InvalidOption("--out-text needs --text")
    if args.values and not args.message_id:
        raise InvalidOption("--values needs --message-id: values are those of one recipient")
    values = read_values(args.values) if args.values else {}
    page = read_html(args.html)
    text = read_html(args.text, "text file") if args.text else None
    tracker = tracker_of(args, publishes=True)
    compiled = tracker.compile(
        html=page.text,
        text=text.text if text else None,
        delivery_id=args.delivery,
        pixel=args.pixel,
        syntax=args.syntax,
        rules=LinkRules(unfit_links="skip" if args.skip_unfit else "error"),
    )
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    if args.message_id:
        rendered = compiled.render(message_id=args.message_id, values=values)
        write_text(args.out or "-", rendered.html or "", "rendered HTML", encoding=page.encoding)
        if args.out_text and text:
            write_text(args.out_text, rendered.text or "", "rendered text", encoding=text.encoding)
        if not args.out or args.out == "-":
            return 0
    if args.json:
        print_json(_as_json(compiled))
    else:
        _show(compiled, args.registry)
    return 0


def _as_json(compiled: CompiledMessage) -> dict[str, object]:
    return {
        "delivery_id": compiled.delivery_id,
        "links": [
            {
                "id": link.id,
                "key": link.key,
                "part": link.part.value,
                "type": name_of(link.type),
                "label": link.label,
                "category": link.category,
                "url": link.url,
            }
            for link in compiled.links
        ],
        "placeholders": [
            {"name": each.name, "part": each.part.value, "line": each.line, "column": each.column}
            for each in compiled.placeholders
        ],
        "decisions": [
            {
                "part": decision.part.value,
                "line": decision.line,
                "column": decision.column,
                "url": decision.url,
                "tracked": decision.tracked,
                "reason": decision.reason.value,
                "link_id": decision.link_id,
            }
            for decision in compiled.decisions
        ],
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "message": finding.message,
                "part": finding.part.value,
                "line": finding.line,
                "column": finding.column,
            }
            for finding in compiled.findings
        ],
    }


def _show(compiled: CompiledMessage, registry: str | None) -> None:
    for decision in compiled.decisions:
        number = decision.link_id or "-"
        place = f"{decision.part.value}:{decision.line}:{decision.column}"
        print(f"{number:>4}  {place:<14} {decision.reason.value:<16} {printable(decision.url)}")
    for finding in compiled.findings:
        place = f"{finding.part.value}:{finding.line}:{finding.column}"
        print(f"{finding.severity}: {place}: {finding.code}: {printable(finding.message)}")
    tracked = len(compiled.links)
    where = "" if registry is None else printable(f", by the registry {registry}")
    print(f"{tracked} of {len(compiled.decisions)} links tracked{where}")
