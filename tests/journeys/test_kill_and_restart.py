"""A server killed in the middle of its audience: whoever got an answer is counted, once."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.events import Click
from msgtrack.io import SegmentFolder
from msgtrack.protocols import Query

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")


def path_of(message_id: int) -> str:
    found = re.search(r'href="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html or "")
    assert found is not None
    return found[1]


class Audience:
    """Readers who click as fast as they can, each message once; notes who was answered."""

    def __init__(self, first: int, port: int) -> None:
        self.answered: list[int] = []
        self.asked = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(first, port))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self, first: int, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        message_id = first
        while not self._stop.is_set():
            try:
                self.asked += 1
                connection.request("GET", path_of(message_id))
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                break
            if answer.status == 302:
                self.answered.append(message_id)
            message_id += 1
        connection.close()


def test_every_answered_hit_is_collected_exactly_once_after_kill_9(serve: Callable[..., Any], tmp_path: Path) -> None:
    answered: list[int] = []
    asked = 0
    store_url = f"sqlite:///{tmp_path / 'tracking.db'}"
    for life in range(4):
        server = serve()
        audiences = [Audience(1_000_000 * (life * 4 + number + 1), server.port) for number in range(4)]
        until = time.monotonic() + 60
        while min(len(audience.answered) for audience in audiences) < 20 and time.monotonic() < until:
            time.sleep(0.02)
        if life < 3:
            server.kill()
        for audience in audiences:
            audience.stop()
            answered += audience.answered
            asked += audience.asked
        server.stop()
        # Collecting between two lives, while a torn segment may lie there, must not disturb what comes later.
        with open_store(store_url) as store:
            source = SegmentFolder(tmp_path / "segments")
            collect({"web": source}, store, tracker=TRACKER, now=datetime.now(UTC))
    assert len(answered) >= 4 * 4 * 20
    with open_store(store_url) as store:
        clicks = [event for event in store.scan(Query(kinds=Click)) if event.message_id is not None]
        run = collect({"web": SegmentFolder(tmp_path / "segments")}, store, tracker=TRACKER, now=datetime.now(UTC))
    collected = sorted(int(event.message_id or 0) for event in clicks)
    assert len(collected) == len(set(collected))
    assert set(answered) <= set(collected)
    # Beyond those, at most what was written and whose answer died on the way: one request per reader and life.
    assert len(collected) <= len(answered) + 16
    assert len(collected) <= asked
    assert (run.hits, run.rejected) == (0, 0)
