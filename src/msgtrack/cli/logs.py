"""``msgtrack logs``: what stands in access logs, which format they have, and what could not be read of them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from msgtrack.cli._common import URL_FORMATS, command, complain, print_json, printable, progress, tracker_of
from msgtrack.cli._log_formats import add_log_format, log_format_of
from msgtrack.clients import ClientReader
from msgtrack.decide import decide
from msgtrack.errors import InvalidOption, SourceError
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.logs import formats
from msgtrack.records import to_dict, to_json

if TYPE_CHECKING:
    from msgtrack.events import Event
    from msgtrack.io import RejectWriter
    from msgtrack.protocols import Resolver, Source

__all__ = ["NAME", "add", "run"]

NAME = "logs"

_ACTIONS = ("parse", "detect", "rejects")
_ONLY_PARSE = ("rejects", "rotated", "follow", "base_url", "keys", "realm", "registry", "url_format", "clients")
_EXAMPLES = 3
_WIDTH = 200


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="read access logs: what stands in them (parse), their format (detect), what could not be read (rejects)",
        example="msgtrack logs parse '/var/log/nginx/access.log*' --rejects rejects.jsonl\n"
        "  msgtrack logs detect access.log.gz\n"
        "  msgtrack logs rejects rejects.jsonl",
        json_help="print JSON lines (parse) or one document (detect, rejects)",
    )
    parser.add_argument(
        "action", choices=_ACTIONS, help="parse and detect read logs, rejects reads what --rejects wrote"
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, compressed or not, a pattern, or '-' for standard input"
    )
    add_log_format(parser, default="told by the first lines")
    parser.add_argument(
        "--rejects", metavar="FILE", help="parse: append the lines that could not be read, as JSON lines"
    )
    parser.add_argument(
        "--rotated", action="store_true", help="parse: begin with the files that a log was rotated into"
    )
    parser.add_argument("--follow", action="store_true", help="parse: go on for ever, as tail -F does; of one log")
    parser.add_argument(
        "--base-url", metavar="URL", help="parse: where the redirect server is reached, for events and not hits"
    )
    parser.add_argument("--keys", metavar="FILE", help="parse: secrets, one a line; goes with --base-url")
    parser.add_argument(
        "--realm", default="", metavar="NAME", help="parse: the tenant, bound in the keys (default: none)"
    )
    parser.add_argument("--registry", metavar="DIR", help="parse: the folder where registered links are looked up")
    parser.add_argument(
        "--url-format",
        choices=URL_FORMATS,
        help="parse: how tracked URLs look; campaign needs --registry (default: compact)",
    )
    parser.add_argument(
        "--clients",
        action="store_true",
        help="parse: read browser, system and device out of user agents, for events; needs the extra agents",
    )
    parser.add_argument("--reason", metavar="CODE", help="rejects: the lines with this reason, all of them")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    stray = [name for name in _ONLY_PARSE if getattr(args, name) and args.action != "parse"]
    if args.reason is not None and args.action != "rejects":
        stray.append("reason")
    if stray:
        raise InvalidOption(f"--{stray[0].replace('_', '-')} does not go with {args.action}")
    if args.action == "rejects":
        return _rejects(args)
    return _detect(args) if args.action == "detect" else _parse(args)


def _parse(args: argparse.Namespace) -> int:
    from msgtrack.io import RejectWriter

    if (args.base_url is None) != (args.keys is None):
        raise InvalidOption("events need both --base-url and --keys", hint="leave both out for hits")
    tracker = None if args.base_url is None else tracker_of(args)
    for_events = [name for name in ("clients", "registry", "url_format") if getattr(args, name)]
    if for_events and tracker is None:
        raise InvalidOption(f"--{for_events[0].replace('_', '-')} is for events, which need --base-url and --keys")
    clients = ClientReader() if args.clients else None
    paths = _paths(args.paths)
    if args.follow and (len(paths) > 1 or paths == ["-"]):
        raise InvalidOption("--follow is for one log, and not for standard input")
    total = None if args.follow or "-" in paths else sum(map(_size, paths))
    failed = False
    with ExitStack() as stack:
        kept = stack.enter_context(RejectWriter(args.rejects)) if args.rejects else None
        shown = _Shown(tracker, kept, clients, as_json=args.json)
        # A bar would stand between the lines of a terminal.
        advance = stack.enter_context(progress("Reading logs", total, quiet=args.follow or sys.stdout.isatty()))
        for path in paths:
            try:
                shown.source(_source(path, args, advance), path)
            except SourceError as error:
                complain(error)
                failed = True
    shown.tell()
    return 1 if failed or (shown.reasons and not shown.read) else 0


def _paths(arguments: Iterable[str]) -> list[str]:
    from msgtrack.io import find_logs

    paths: dict[str, None] = {}
    for argument in arguments:
        paths |= dict.fromkeys(["-"] if argument == "-" else map(str, find_logs(argument)))
    return list(paths)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _source(path: str, args: argparse.Namespace, advance: Callable[[int], None]) -> Source:
    from msgtrack.io import AccessLogFile, AccessLogStream

    log_format = log_format_of(args) or "auto"
    if path == "-":
        return AccessLogStream(sys.stdin.buffer, format=log_format, progress=advance)
    return AccessLogFile(
        path,
        format=log_format,
        # A log whose rotated files alone are there was found by them.
        rotated=args.rotated or not Path(path).exists(),
        finish=not args.follow,
        follow=args.follow,
        progress=advance,
    )


class _Shown:
    """Prints what was read, keeps what could not be, and counts both."""

    def __init__(
        self, tracker: Resolver | None, kept: RejectWriter | None, clients: ClientReader | None, *, as_json: bool
    ) -> None:
        self._tracker, self._kept, self._clients, self._as_json = tracker, kept, clients, as_json
        self.read = self.events = 0
        self.reasons: Counter[str] = Counter()

    def source(self, source: Source, path: str) -> None:
        """All of a source; its events are made as ``msgtrack.logs.parse`` makes them."""
        scope, ordinals = "", Ordinals()
        for batch in source.read(None):
            if batch.scope != scope:
                scope, ordinals = batch.scope, Ordinals()
            for record in batch.records:
                if isinstance(record, Rejected):
                    self._rejected(record if record.source else evolve(record, source=path))
                elif isinstance(record, Hit):
                    self._hit(record, ordinals)
            # Who follows a log through a pipe does not wait for a buffer to fill.
            sys.stdout.flush()

    def _hit(self, hit: Hit, ordinals: Ordinals) -> None:
        self.read += 1
        if self._tracker is None:
            self._print(hit, f"{_moment(hit.received_at)} {hit.status or '-':>3} {hit.method} {hit.url}")
            return
        event = decide(hit, self._tracker).event
        if event is None:
            return
        self.events += 1
        event = identified(event, ordinals)
        if self._clients is not None:
            event = self._clients.event(event)
        ids = " ".join(name or "-" for name in (event.delivery_id, event.message_id, event.link_id))
        self._print(event, f"{_moment(event.occurred_at)} {event.kind:<10} {ids}")

    def _rejected(self, rejected: Rejected) -> None:
        self.reasons[rejected.reason] += 1
        if self._kept is not None:
            self._kept.write(rejected)

    def _print(self, record: Hit | Event, line: str) -> None:
        print(to_json(record) if self._as_json else printable(line))

    def tell(self) -> None:
        """One line of sums, where it is no part of the output."""
        sys.stdout.flush()
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common())
        events = "" if self._tracker is None else f", {self.events} events"
        rejected = f"{self.reasons.total()} lines rejected" + (f" ({reasons})" if reasons else "")
        print(f"{self.read} hits{events}; {printable(rejected)}", file=sys.stderr)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _detect(args: argparse.Namespace) -> int:
    from msgtrack.io import sample_lines

    if any(getattr(args, name) is not None for name in ("format", "nginx", "apache", "fields")):
        raise InvalidOption("detect tells the format, and takes none")
    found = {
        path: formats.detect(sample_lines(sys.stdin.buffer if path == "-" else path)) for path in _paths(args.paths)
    }
    if args.json:
        print_json(
            [
                {"path": path, "format": one.name, "reason": one.reason, "lines": one.lines, "read": dict(one.read)}
                for path, one in found.items()
            ]
        )
    else:
        for path, one in found.items():
            print(printable(f"{path}: {one.name or 'unknown'} ({one.reason})"))
    return 0 if all(one.name for one in found.values()) else 1


def _rejects(args: argparse.Namespace) -> int:
    from msgtrack.io import read_rejects

    if any(getattr(args, name) is not None for name in ("format", "nginx", "apache", "fields")):
        raise InvalidOption("rejects reads what --rejects wrote, which has no format")
    reasons: Counter[str] = Counter()
    examples: dict[str, list[Rejected]] = {}
    for path in args.paths:
        for rejected in read_rejects("/dev/stdin" if path == "-" else path):
            if args.reason is not None:
                if rejected.reason == args.reason:
                    print(to_json(rejected) if args.json else _line(rejected))
                continue
            reasons[rejected.reason] += 1
            few = examples.setdefault(rejected.reason, [])
            if len(few) < _EXAMPLES:
                few.append(rejected)
    if args.reason is not None:
        return 0
    if args.json:
        print_json(
            [
                {"reason": reason, "lines": count, "examples": [to_dict(one) for one in examples[reason]]}
                for reason, count in reasons.most_common()
            ]
        )
        return 0
    for reason, count in reasons.most_common():
        print(printable(f"{count} {reason}"))
        for one in examples[reason]:
            print(f"    {_line(one)}"[:_WIDTH])
    return 0


def _line(rejected: Rejected) -> str:
    where = f"{rejected.source}:{rejected.line}" if rejected.source else str(rejected.line)
    return printable(f"{where}: {rejected.text}")
