"""Several processes that do the same work, until they are told to stop."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from attrs import define, frozen

from msgtrack.cli._common import complain
from msgtrack.errors import ServerError

__all__ = ["Place", "Workers"]

_READY = b"ready"
_STOP = b"stop"
_PAUSE_SECONDS = 1.0


@frozen
class Place:
    """What a worker knows of the process that started it."""

    number: int
    """Which of the workers it is, from 0; one that is started in the place of another has its number."""
    _line: Connection

    def ready(self) -> None:
        """Say that the work has begun."""
        with suppress(OSError):
            self._line.send_bytes(_READY)

    def when_over(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` when it is time to end: we were told, or nobody is there any more who could tell."""

        def listen() -> None:
            with suppress(OSError, EOFError):
                self._line.recv_bytes()
            stop()

        threading.Thread(target=listen, daemon=True).start()


@define
class _Worker:
    process: SpawnProcess
    line: Connection


class Workers:
    """Worker processes, each started anew when it dies.

    Args:
        work: what each does, given its :class:`Place`; it can be pickled, and leaves by ``sys.exit``.
        count: how many there are.
    """

    def __init__(self, work: Callable[[Place], None], count: int) -> None:
        self._work = work
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        # A signal comes while the main thread waits for its workers: a pipe wakes it.
        self._woken, self._waker = self._context.Pipe(duplex=False)
        self._stopping = False

    def stop(self) -> None:
        """Let :meth:`run` end; may be called from a signal handler."""
        self._stopping = True
        with suppress(OSError):
            self._waker.send_bytes(_STOP)

    def start(self) -> None:
        """Start all, and wait until each has begun.

        Raises:
            ServerError: one ended before it had.
        """
        self._workers = [self._begun(number) for number in range(self._count)]
        for worker in self._workers:
            try:
                worker.line.recv_bytes()
            except (EOFError, OSError):
                self._end()
                if not self._stopping:
                    raise ServerError("a worker did not start; what it said stands above") from None

    def run(self) -> int:
        """Watch over them until :meth:`stop`; the highest exit code with which one left in order."""
        try:
            while not self._stopping:
                wait([*(worker.process.sentinel for worker in self._workers), self._woken])
                if not self._stopping:
                    self._renew()
        finally:
            code = self._end()
        return code

    def _begun(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=self._work, args=(Place(number, theirs),), daemon=False)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _renew(self) -> None:
        # One that cannot start would otherwise be tried without a pause; and a signal may be for all of us.
        if self._woken.poll(_PAUSE_SECONDS):
            return
        for number, worker in enumerate(self._workers):
            if not worker.process.is_alive():
                complain(f"worker {worker.process.pid} ended with {worker.process.exitcode}; another takes its place")
                worker.line.close()
                self._workers[number] = self._begun(number)

    def _end(self) -> int:
        for worker in self._workers:
            with suppress(OSError):
                worker.line.send_bytes(_STOP)
        codes = [0]
        for worker in self._workers:
            worker.process.join()
            codes.append(max(worker.process.exitcode or 0, 0))
            worker.line.close()
        self._workers = []
        self._woken.close()
        self._waker.close()
        return max(codes)
