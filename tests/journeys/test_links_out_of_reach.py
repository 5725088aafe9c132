"""The store of registered links is locked by somebody, or killed, while readers click: each is answered before it is back, each click is
kept, and means afterwards what it would have meant.
"""

from __future__ import annotations

import http.client
import itertools
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from frontend_servers import uvicorn_serving

from msgtrack import Keyring, Tracker, open_store
from msgtrack.decide import decide
from msgtrack.events import Click
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder, SegmentWriter, StoreRegistry
from msgtrack.redirect import RedirectHandler
from msgtrack.web.asgi import TrackingApp

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
FALLBACK = "https://late.example/"
PAGES = {delivery_id: f"https://{delivery_id}.example/" for delivery_id in ("known", "unasked", "later")}
ROUNDS = 20

Trouble = tuple[str, Callable[[], AbstractContextManager[object]], bool]
"""A store's address, what gives it trouble for as long as it is entered, and whether it answers its readers even then."""


@pytest.fixture
def sqlite_locked(tmp_path: Path) -> Trouble:
    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(tmp_path / "links.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute("DELETE FROM msgtrack_links")
            yield

    return f"sqlite:///{tmp_path}/links.db", locked, True


@pytest.fixture
def postgres_locked(postgres: Any) -> Iterator[Trouble]:
    with postgres.place() as url:

        @contextmanager
        def locked() -> Iterator[None]:
            with psycopg.connect(url.replace("+psycopg", "")) as other:
                other.execute("LOCK TABLE msgtrack_links IN ACCESS EXCLUSIVE MODE")
                yield

        yield url, locked, False


@pytest.fixture
def postgres_killed(engines: Any) -> Iterator[Trouble]:
    from database_servers import Missing, OwnServer, postgres_of_package

    try:
        server = postgres_of_package()
    except Missing as missing:
        engines.lacks("PostgreSQL", str(missing))
    assert isinstance(server, OwnServer)

    @contextmanager
    def killed() -> Iterator[None]:
        server.kill()
        yield
        server.start()

    with server.place() as url:
        yield url, killed, False
    server.stop()


def location(port: int, path: str) -> str | None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 302
        return answer.getheader("location")


# SQLAlchemy cannot close the cursor of a connection that is gone.
@pytest.mark.filterwarnings("ignore:.*ServerCursor.*:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*ServerCursor.*:ResourceWarning")
@pytest.mark.parametrize("trouble", ["sqlite_locked", "postgres_locked", "postgres_killed"])
def test_no_reader_waits_for_the_store_of_links(trouble: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """R25, R47."""
    url, out_of_reach, is_read = request.getfixturevalue(trouble)
    store = open_store(url)
    made = Tracker("https://t.example.com", KEYS, registry=StoreRegistry(store), link_style="registered")
    paths = {}
    for delivery_id, page in PAGES.items():
        compiled = made.compile(html=f'<a href="{page}">x</a>', delivery_id=delivery_id)
        made.registry.publish(compiled)
        html = compiled.render(message_id="7").html or ""
        (paths[delivery_id],) = re.findall(r'href="https://t\.example\.com([^"]+)"', html)
    store.close()

    store = open_store(url)
    # So fresh that each click of a delivery asks again.
    registry = StoreRegistry(store, fresh_seconds=0, retry_seconds=0.05, wait_seconds=0.05)
    tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
    clicks = 0

    def until_found(port: int, delivery_id: str) -> int:
        """How many clicks it took until one led to its own page."""
        deadline = time.monotonic() + 60
        for number in itertools.count(1):
            if location(port, paths[delivery_id]) == PAGES[delivery_id]:
                return number
            assert time.monotonic() < deadline, "the store is well, and nobody asks it"
            time.sleep(0.02)
        raise AssertionError

    with SegmentWriter(tmp_path / "hits") as writer:
        app = TrackingApp(RedirectHandler(tracker, fallback_url=FALLBACK), record=writer.write)
        with uvicorn_serving(app) as port:
            clicks += until_found(port, "known")
            with out_of_reach():
                # The store is given back when all of these were answered, and not before.
                for _ in range(ROUNDS):
                    assert location(port, paths["known"]) == PAGES["known"]
                    assert location(port, paths["unasked"]) == (PAGES["unasked"] if is_read else FALLBACK)
                    clicks += 2
            clicks += until_found(port, "later")
            clicks += until_found(port, "unasked")
    hits = [record for batch in SegmentFolder(tmp_path / "hits").read(None) for record in batch.records]
    assert len(hits) == clicks
    assert writer.health().lost == 0
    events = [decide(hit, tracker).event for hit in hits if isinstance(hit, Hit)]
    assert [type(event) for event in events] == [Click] * clicks
    assert {event.delivery_id for event in events if event is not None} == set(PAGES)
    store.close()
