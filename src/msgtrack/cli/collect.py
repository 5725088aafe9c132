"""``msgtrack collect``: the Tracking workflow, once or on a schedule."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from contextlib import ExitStack, suppress
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgtrack._borders import MAX_ID_BYTES, text_id
from msgtrack.cli._common import add_tracker, command, complain, duration_seconds, named, progress, tracker_of
from msgtrack.cli._log_formats import add_log_format, log_format_of
from msgtrack.errors import InvalidOption, StoreError, UnreadableInput
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Source, WorkflowRun

if TYPE_CHECKING:
    from msgtrack.storage import BaseStore

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
        "--segments",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="a folder of hit segments; may repeat. The name keeps the source's place (default: the whole path)",
    )
    parser.add_argument(
        "--access-log",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="an access log, compressed or not, with what it was rotated into; or a pattern without a name; may repeat",
    )
    add_log_format(parser, default="combined; auto: told by the first lines")
    parser.add_argument("--store", required=True, metavar="URL", help="such as sqlite:///tracking.db")
    parser.add_argument(
        "--people", default="cookie", metavar="KEY", help="hash: make person keys for logs without cookies"
    )
    parser.add_argument(
        "--clients",
        action="store_true",
        help="read browser, system and device out of user agents; needs the extra agents",
    )
    parser.add_argument("--every", metavar="TIME", help="go on for ever, a run each 15m, 1h, ...")
    add_tracker(parser)


def run(args: argparse.Namespace) -> int:
    """Collect, and say what came of it."""
    from msgtrack.clients import ClientReader
    from msgtrack.storage import open_store
    from msgtrack.web.asgi import utc_now
    from msgtrack.workflow import collect

    sources = _sources(args)
    tracker = tracker_of(args)
    with named("people"):
        people = PeoplePolicy(key=args.people)
    clients = ClientReader() if args.clients else None
    with named("every"):
        pause = duration_seconds(args.every) if args.every else None
    with ExitStack() as stack:
        # What does not open the first time is bad input; later it is a trouble that may pass.
        store: BaseStore | None = stack.enter_context(open_store(args.store))
        while True:
            try:
                store = store or stack.enter_context(open_store(args.store))
                with progress("Collecting hits", None, quiet=args.json) as step:
                    record = collect(
                        sources, store, tracker=tracker, now=utc_now, people=people, clients=clients, progress=step
                    )
            except (StoreError, UnreadableInput) as error:
                if pause is None:
                    raise
                complain(f"{error}; trying again in {args.every}")
                with suppress(StoreError):
                    stack.close()
                store = None
            else:
                _show(record, as_json=args.json)
                if pause is None:
                    return 0 if record.status == "finished" else 1
            time.sleep(pause)


def _sources(args: argparse.Namespace) -> dict[str, Source]:
    from msgtrack.io import AccessLogFile, SegmentFolder

    log_format = log_format_of(args) or args.format or "combined"
    found: list[tuple[str, Source]] = [(name, SegmentFolder(path)) for name, path in map(_named, args.segments)]
    for argument in args.access_log:
        found += [(name, AccessLogFile(path, format=log_format)) for name, path in _named_logs(argument)]
    sources: dict[str, Source] = {}
    for name, source in found:
        if name in sources:
            raise InvalidOption(f"two sources are called {name}", hint="name them: NAME=PATH")
        sources[name] = source
    if not sources:
        raise InvalidOption("there is nothing to collect: give --segments or --access-log")
    return sources


def _named(argument: str) -> tuple[str, str]:
    """Name and path of ``NAME=PATH``, or of a path alone, which is called by where it really is."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise InvalidOption(f"the source {argument!a:.80} is no UTF-8") from None
    name, equals, path = argument.partition("=")
    if equals and not {"/", os.sep} & set(name):
        if not path:
            raise InvalidOption(f"the source {argument!a:.80} names no path")
        return text_id(name), path
    try:
        whole = Path(argument).resolve()
    except (OSError, RuntimeError):  # a circle of links, or a working folder that is gone
        whole = Path(argument)
    return _shortened(os.fsencode(whole).decode("utf-8", "backslashreplace")), argument


def _named_logs(argument: str) -> list[tuple[str, str]]:
    """Names and paths of all logs that a pattern means, else of the one that a path does."""
    from msgtrack.io import find_logs

    name, path = _named(argument)
    if not has_magic(path) or Path(path).exists():
        return [(name, path)]
    if path != argument:
        raise InvalidOption(f"the pattern {path!a:.80} cannot have a name", hint="each log is called by its whole path")
    return [_named(str(log.absolute())) for log in find_logs(path)]


def _shortened(name: str) -> str:
    """A name that fits an id: its end, which says most, and a hash of all of it."""
    data = name.encode()
    if len(data) <= MAX_ID_BYTES:
        return name
    mark = "-" + hashlib.sha256(data).hexdigest()[:12]
    return data[len(mark) - MAX_ID_BYTES :].decode(errors="ignore") + mark


def _show(run: WorkflowRun, *, as_json: bool) -> None:
    from msgtrack.records import to_json

    if as_json:
        print(json.dumps(json.loads(to_json(run))), flush=True)
        return
    skipped = sum(run.skipped.values())
    print(
        f"{run.hits} hits, {run.events} events, {run.added} new; {run.rejected} lines rejected, {skipped} hits passed over"
        + (f"; failed: {' '.join(run.error.split())}" if run.error else ""),
        flush=True,
    )
