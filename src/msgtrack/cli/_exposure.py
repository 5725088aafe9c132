"""What the redirect server counts, served for Prometheus; of several workers together, which count in files that they share.

Those files are written through memory. On a disk that is full the system ends a process for that, so their room is taken
before anybody counts in them, and in memory where there is a place for such files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from msgtrack.cli._common import complain
from msgtrack.errors import InvalidOption, MissingExtra, ServerError

if TYPE_CHECKING:
    from msgtrack.web.metrics import RequestMetrics

__all__ = ["Exposure", "exposed", "metrics_of_worker", "shared_folder"]

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made there, by a name that nobody can foresee
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_BEGUN = "msgtrack-begun-"
_PREFIX = "msgtrack-counts-"
# What prometheus_client makes for its kinds of metrics, as far as we have them, and how large it makes it. Our outcomes
# and buckets need a tenth of that.
_KINDS = ("counter", "histogram")
_ROOM = 1 << 16


@frozen(kw_only=True)
class Exposure:
    """Where metrics are served, if anywhere, and where they are counted: in this process, or in a folder of workers."""

    port: int | None = None
    metrics: RequestMetrics | None = None
    folder: Path | None = None


def exposed(args: argparse.Namespace, stack: ExitStack) -> Exposure:
    """Serve metrics, if they are asked for, until the stack is left.

    When no place has room for what workers count there are no metrics: readers are led on, and that is said.

    Raises:
        MissingExtra: a package is not installed.
        InvalidOption: the port is none.
        ServerError: nobody can listen there.
    """
    if args.metrics_port is None:
        return Exposure()
    try:
        import prometheus_client
        from prometheus_client.multiprocess import MultiProcessCollector
    except ImportError as error:
        raise MissingExtra(
            "metrics need the package 'prometheus-client'", hint="pip install 'msgtrack[prometheus]'"
        ) from error
    if not 0 <= args.metrics_port <= 65_535:
        raise InvalidOption(f"--metrics-port {args.metrics_port} is not between 0 and 65535")
    registry = prometheus_client.CollectorRegistry()
    metrics, folder = None, None
    if args.workers > 1:
        folder = stack.enter_context(shared_folder(_places(), args.workers))
        if folder is None:
            complain("no place has room for what workers count: there will be no metrics until the next start")
            return Exposure()
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]  # it says nothing of its types
    else:
        metrics = _metrics(registry)
    try:
        server, _ = prometheus_client.start_http_server(args.metrics_port, args.metrics_host, registry)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"cannot serve metrics on {args.metrics_host} port {args.metrics_port}: {reason}") from error
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return Exposure(port=server.server_port, metrics=metrics, folder=folder)


def metrics_of_worker(folder: Path | None, number: int) -> RequestMetrics | None:
    """Where a worker counts on from its predecessors; None where nobody counts, or there is no room."""
    if folder is None:
        return None
    try:
        # Somebody may have cleaned up there.
        folder.mkdir(mode=0o700, exist_ok=True)
        _take_room(folder, number)
        os.environ[_SHARED] = str(folder)

        from prometheus_client import values

        # By the place of a worker, not by its process: whoever is started in it finds room, however often that is.
        values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
        return _metrics()
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        # As of a disk without room, or a file that is damaged.
        complain(f"a worker cannot count for the metrics: {getattr(error, 'strerror', None) or error}")
        return None


@contextmanager
def shared_folder(places: Iterable[Path], workers: int) -> Iterator[Path | None]:
    """A folder with the room that workers need to count, in the first place that has it; None when none has."""
    with ExitStack() as stack:
        yield _folder_in_one_of(places, workers, stack)


def _folder_in_one_of(places: Iterable[Path], workers: int, stack: ExitStack) -> Path | None:
    for place in places:
        with suppress(OSError):
            _sweep(place)
            return stack.enter_context(_folder_in(place, workers))
    return None


def _metrics(registry: Any = None) -> RequestMetrics:
    import prometheus_client

    from msgtrack.web.metrics import RequestMetrics

    return RequestMetrics(registry or prometheus_client.CollectorRegistry())


def _places() -> Iterator[Path]:
    if _IN_MEMORY.is_dir():
        yield _IN_MEMORY
    # Where nothing can be written there is no folder for temporary files, either.
    with suppress(OSError):
        yield Path(tempfile.gettempdir())


@contextmanager
def _folder_in(place: Path, workers: int) -> Iterator[Path]:
    with ExitStack() as stack:
        made = Path(tempfile.mkdtemp(prefix=_BEGUN, dir=place))
        folder = made.with_name(_PREFIX + made.name.removeprefix(_BEGUN))
        for path in (made, folder):
            stack.callback(shutil.rmtree, path, ignore_errors=True)
        # Where folders cannot be held, none is swept away.
        with suppress(OSError):
            _hold(made, stack)
        # Under its own name others would sweep it away if nobody held it.
        made.rename(folder)
        for number in range(workers):
            _take_room(folder, number)
        yield folder


def _take_room(folder: Path, number: int) -> None:
    for kind in _KINDS:
        path = folder / f"{kind}_{number}.db"
        if path.exists():
            continue
        try:
            path.write_bytes(bytes(_ROOM))
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _sweep(place: Path) -> None:
    """Remove what servers that were killed have left: what is ours and nobody holds."""
    if sys.platform == "win32":
        return
    for folder in place.glob(f"{_PREFIX}*"):
        with ExitStack() as stack, suppress(OSError):
            state = folder.lstat()
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and _hold(folder, stack):
                shutil.rmtree(folder)


def _hold(folder: Path, stack: ExitStack) -> bool:
    """Hold a folder until the stack is left, or this process ends in any way; False when another one holds it."""
    from msgtrack.io._segment_files import take_lock

    fd = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, fd)
    return take_lock(fd)
