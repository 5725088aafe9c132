"""``msgtrack serve``: the redirect server."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from msgtrack.cli._common import add_tracker, command, print_json, tracker_of
from msgtrack.errors import InvalidOption, MissingExtra, ServerError
from msgtrack.model import PeoplePolicy

__all__ = ["NAME", "add", "run"]

NAME = "serve"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="run the redirect server, writing hits to segments",
        example="msgtrack serve --base-url https://t.example.com --keys msgtrack.keys --segments hits/ --port 8000",
        json_help="say where it listens as JSON",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one (default: 8000)")
    parser.add_argument("--segments", required=True, metavar="DIR", help="folder for hit segments; made if missing")
    parser.add_argument("--fallback-url", metavar="URL", help="where expired links lead")
    parser.add_argument("--people", default="cookie", metavar="KEY", help="cookie, hash or none (default: cookie)")
    parser.add_argument(
        "--clock-start", metavar="TIME", help="demonstrations: the moment at which the server's clock starts"
    )
    parser.add_argument(
        "--clock-rate", type=float, default=1.0, metavar="N", help="demonstrations: its speed (default: 1)"
    )
    add_tracker(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("the server needs the package 'uvicorn'", hint="pip install 'msgtrack[server]'") from error
    from msgtrack.io import SegmentWriter
    from msgtrack.redirect import RedirectHandler
    from msgtrack.web.asgi import TrackingApp

    handler = RedirectHandler(tracker_of(args), people=PeoplePolicy(key=args.people), fallback_url=args.fallback_url)
    clock = _clock(args)
    listening = _listen(args.host, args.port)
    writer = SegmentWriter(args.segments)
    app = TrackingApp(handler, record=writer.write, on_shutdown=writer.close, clock=clock)
    host, port = listening.getsockname()[:2]
    if args.json:
        print_json({"host": host, "port": port, "segments": str(writer.folder)})
    else:
        print(f"listening on {host}:{port}, hits go to {writer.folder}")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", server_header=False)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        writer.close()
    if writer.lost:
        print(f"msgtrack: {writer.lost} hits were answered but could not be written", file=sys.stderr)
        return 1
    return 0


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise InvalidOption(f"--port {port} is not between 0 and 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as on_failure:
            listening = on_failure.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
            on_failure.pop_all()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"cannot listen on {host} port {port}: {reason}") from error
    return listening


def _clock(args: argparse.Namespace) -> Callable[[], datetime]:
    from msgtrack.web.asgi import utc_now

    if args.clock_start is None and args.clock_rate == 1.0:
        return utc_now
    if not args.clock_rate > 0:
        raise InvalidOption(f"--clock-rate {args.clock_rate} must be above zero")
    try:
        start = datetime.fromisoformat(args.clock_start) if args.clock_start else utc_now()
    except ValueError:
        raise InvalidOption(f"--clock-start {args.clock_start!r:.40} is no ISO 8601 moment") from None
    if start.tzinfo is None:
        raise InvalidOption(f"--clock-start {args.clock_start} has no time zone", hint="add +00:00")
    zero = time.monotonic()
    rate = args.clock_rate
    return lambda: (start + timedelta(seconds=(time.monotonic() - zero) * rate)).astimezone(UTC)
