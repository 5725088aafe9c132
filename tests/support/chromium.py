"""A real browser, for tests that look at a page."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["Chromium", "needs_chromium"]

_PROGRAM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--timeout=15000",
)  # fmt: skip

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(_PROGRAM is None, reason="no Chromium on this machine"),
]
"""The marks of a file whose tests need a browser."""


class Chromium:
    """Opens pages, each time as a new process with the same profile, so that cookies and caches last."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile

    def __call__(self, url: str, *more: str) -> tuple[str, str]:
        """The document after its scripts ran, and what the browser logged. ``more`` are flags of Chromium."""
        command = [str(_PROGRAM), *_FLAGS, f"--user-data-dir={self.profile}", "--dump-dom", *more, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.stdout, done.stderr[-2000:]
        return done.stdout, done.stderr
