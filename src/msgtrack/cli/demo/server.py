"""The demonstration's redirect server: ``msgtrack serve`` as a process of its own, always stopped again."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Self

from msgtrack.errors import ServerError

__all__ = ["ServerProcess"]

_START_SECONDS = 20.0


class ServerProcess:
    """``msgtrack serve`` on a port, with a clock that starts at ``clock_start`` and runs ``clock_rate`` times as
    fast as ours.

    Use it in a ``with`` block: the server is up inside it, and stopped behind it whatever happens.

    Raises:
        ServerError: it does not come up; the message holds what it said.
    """

    def __init__(
        self, *, port: int, keys: Path, segments: Path, base_url: str, clock_start: datetime, clock_rate: float
    ) -> None:
        self._health = f"{base_url}r/test"
        self._command = [
            sys.executable,
            "-m",
            "msgtrack.cli",
            "serve",
            f"--port={port}",
            f"--keys={keys}",
            f"--segments={segments}",
            f"--base-url={base_url}",
            f"--clock-start={clock_start.isoformat()}",
            f"--clock-rate={clock_rate}",
            "--stop-with-stdin",
        ]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        # A session of its own: Ctrl-C reaches us first, and we stop it in order. Should we be killed, the pipe to its
        # standard input ends with us, and it stops by itself.
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter with arguments of our own
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._wait_until_up(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server: gently, then not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                pipe.close()

    def _wait_until_up(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = process.stderr.read().strip() if process.stderr else ""
                raise ServerError(f"the redirect server stopped at once: {said or process.returncode}")
            try:
                with urllib.request.urlopen(self._health, timeout=1) as answer:  # noqa: S310  # http on this machine
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise ServerError(f"the redirect server did not answer within {_START_SECONDS:.0f} seconds")
