"""``msgtrack serve``: the redirect server."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from msgtrack.cli import _workers
from msgtrack.cli._common import (
    add_tracker,
    command,
    complain,
    complain_if_away,
    duration_seconds,
    named,
    print_json,
    tracker_of,
)
from msgtrack.cli._exposure import Exposure, exposed, metrics_of_worker
from msgtrack.cli._ledger import Ledger
from msgtrack.cli._people import add_people, people_of
from msgtrack.cli._proxies import add_proxies, proxies_of
from msgtrack.errors import InvalidOption, MissingExtra, MsgtrackError, ServerError

if TYPE_CHECKING:
    from msgtrack.redirect import RedirectHandler
    from msgtrack.web.metrics import RequestMetrics

__all__ = ["NAME", "add", "run"]

NAME = "serve"
_MAX_CLOCK_RATE = 1_000_000
_MAX_WORKERS = 512
_MAX_SYNC_SECONDS = 3_600


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
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that answer (default: 1)")
    parser.add_argument(
        "--sync-seconds",
        type=float,
        default=0.05,
        metavar="N",
        help="how long a hit may wait for the disk (default: 0.05)",
    )
    parser.add_argument("--segment-age", default="1d", metavar="TIME", help="begin a new segment each 1h, 1d, ...")
    parser.add_argument("--compress", action="store_true", help="gzip segments that are closed")
    parser.add_argument(
        "--request-timeout", default="10s", metavar="TIME", help="how long a client may take to ask (default: 10s)"
    )
    parser.add_argument(
        "--fallback-url", metavar="URL", help="where links lead that expired, or whose registry is away"
    )
    add_proxies(parser)
    add_people(parser)
    parser.add_argument(
        "--access-log",
        action="store_true",
        help="one line a request on standard output; they hold addresses and tracked URLs",
    )
    parser.add_argument(
        "--metrics-port", type=int, metavar="PORT", help="serve metrics for Prometheus there; 0 takes a free one"
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="address for them (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--clock-start", metavar="TIME", help="demonstrations: the moment at which the server's clock starts"
    )
    parser.add_argument(
        "--clock-rate", type=float, default=1.0, metavar="N", help="demonstrations: its speed (default: 1)"
    )
    # The demonstration's: a server that ends with the process at the other end of its standard input.
    parser.add_argument("--stop-with-stdin", action="store_true", help=argparse.SUPPRESS)
    add_tracker(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    try:
        import uvicorn  # noqa: F401  # looked for before anything is begun
    except ImportError as error:
        raise MissingExtra("the server needs the package 'uvicorn'", hint="pip install 'msgtrack[server]'") from error
    if not 1 <= args.workers <= _MAX_WORKERS:
        raise InvalidOption(f"--workers {args.workers} is not between 1 and {_MAX_WORKERS}")
    clock = _clock(args)
    # What is wrong is refused before anything is begun.
    if not 0 <= args.sync_seconds <= _MAX_SYNC_SECONDS:
        raise InvalidOption(f"--sync-seconds {args.sync_seconds} is not between 0 and {_MAX_SYNC_SECONDS}")
    for duration in ("request_timeout", "segment_age"):
        with named(duration):
            duration_seconds(getattr(args, duration))
    with ExitStack() as stack:
        exposure = exposed(args, stack)
        listening = stack.enter_context(_listen(args.host, args.port))
        complain_if_away(args)
        if args.workers > 1:
            _answering(args)  # What is wrong with it is better said once.
            return _in_workers(args, listening, clock, exposure)
        return _serve(args, listening, clock, exposure.metrics, partial(_say, args, listening, exposure.port))


def _serve(
    args: argparse.Namespace,
    listening: socket.socket,
    clock: Callable[[], datetime],
    metrics: RequestMetrics | None,
    ready: Callable[[], None],
    place: _workers.Place | None = None,
) -> int:
    """Serve in this process."""
    import uvicorn

    from msgtrack.io import SegmentWriter
    from msgtrack.web._uvicorn import impatient
    from msgtrack.web.asgi import TrackingApp

    handler_with = _answering(args)
    patience = duration_seconds(args.request_timeout)
    writer = SegmentWriter(
        args.segments,
        max_age_seconds=duration_seconds(args.segment_age),
        sync_seconds=args.sync_seconds,
        compress=args.compress,
    )
    ledger = Ledger(writer, metrics)
    app = TrackingApp(
        handler_with(health=ledger.alarm),
        record=ledger.record,
        on_shutdown=ledger.close,
        body_seconds=patience,
        clock=clock,
        observe=None if metrics is None else metrics.observe,
    )
    config = uvicorn.Config(
        app,
        # A body that comes too late is answered; what comes later still is cut off.
        http=impatient(2 * patience),
        ws="none",
        log_level="warning",
        access_log=args.access_log,
        lifespan="on",
        server_header=False,
        # Uvicorn would believe whoever connects from this machine.
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, ceil(2 * patience)),
    )
    if args.access_log:
        # Its lines are news, and only warnings are wanted of all else. One that cannot be written is left out: to say so
        # of each request would fill another log.
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
        logging.raiseExceptions = False
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    with _signals_call(stop):
        ready()
        if place is not None:
            place.when_over(stop)
        elif args.stop_with_stdin:
            threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
        try:
            server.run(sockets=[listening])
        finally:
            # A server that had to hurry has not said goodbye to the application.
            ledger.close()
    return 0 if ledger.is_whole else 1


def _answering(args: argparse.Namespace) -> Callable[..., RedirectHandler]:
    """What makes the handler, of arguments that are fit for one."""
    from msgtrack.redirect import RedirectHandler

    handler_with = partial(
        RedirectHandler,
        tracker_of(args),
        people=people_of(args),
        fallback_url=args.fallback_url,
        proxies=proxies_of(args),
    )
    with named("fallback_url"):
        handler_with()
    return handler_with


def _in_workers(
    args: argparse.Namespace, listening: socket.socket, clock: Callable[[], datetime], exposure: Exposure
) -> int:
    workers = _workers.Workers(partial(_work, args, listening, clock, exposure.folder), args.workers)
    with _signals_call(workers.stop):
        workers.start()
        _say(args, listening, exposure.port)
        if args.stop_with_stdin:
            threading.Thread(target=_wait_for_end_of_input, args=(workers.stop,), daemon=True).start()
        return workers.run()


def _work(
    args: argparse.Namespace,
    listening: socket.socket,
    clock: Callable[[], datetime],
    counts: Path | None,
    place: _workers.Place,
) -> None:
    """What each worker does, in a process of its own with segments of its own."""
    try:
        code = _serve(args, listening, clock, metrics_of_worker(counts, place.number), place.ready, place)
    except MsgtrackError as error:
        complain(error)
        code = 2
    sys.exit(code)


def _say(args: argparse.Namespace, listening: socket.socket, metrics_port: int | None) -> None:
    host, port = listening.getsockname()[:2]
    folder = str(Path(args.segments))
    # To a log on a full disk nothing can be said, and readers wait.
    with suppress(OSError):
        if args.json:
            said = {"host": host, "port": port, "segments": folder}
            print_json(said if metrics_port is None else {**said, "metrics_port": metrics_port})
        else:
            also = "" if metrics_port is None else f", metrics are at {args.metrics_host}:{metrics_port}/metrics"
            print(f"listening on {host}:{port}, hits go to {folder}{also}")
        sys.stdout.flush()


@contextmanager
def _signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call ``stop`` inside the block, instead of ending the process.

    Uvicorn handles them itself while it serves. It raises them again when it has ended, in whoever handled them
    before, and that is us: the process lives on to say what was lost and to leave with its own exit code.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _wait_for_end_of_input(then: Callable[[], None]) -> None:
    with suppress(OSError):
        # Not through sys.stdin: a lock held there would keep the interpreter from ending.
        while os.read(0, 4096):
            pass
    then()


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
    if not 0 < args.clock_rate <= _MAX_CLOCK_RATE:
        raise InvalidOption(f"--clock-rate {args.clock_rate} is not above zero and at most {_MAX_CLOCK_RATE:,}")
    try:
        start = datetime.fromisoformat(args.clock_start) if args.clock_start else utc_now()
    except ValueError:
        raise InvalidOption(f"--clock-start {args.clock_start!r:.40} is no ISO 8601 moment") from None
    if start.tzinfo is None:
        raise InvalidOption(f"--clock-start {args.clock_start} has no time zone", hint="add +00:00")
    # Far from the ends of the calendar, which a fast clock would soon run over.
    if not 1970 <= start.year < 3000:
        raise InvalidOption(f"--clock-start {args.clock_start} is not between 1970 and 2999")
    return _Clock(start=start, zero=time.monotonic(), rate=args.clock_rate)


@frozen(kw_only=True)
class _Clock:
    """Ran ``rate`` times as fast since ``zero``; the same in every worker, because they share a monotonic clock."""

    start: datetime
    zero: float
    rate: float

    def __call__(self) -> datetime:
        return (self.start + timedelta(seconds=(time.monotonic() - self.zero) * self.rate)).astimezone(UTC)
