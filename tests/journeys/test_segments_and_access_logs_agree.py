"""The same readers, counted from our segments and from nginx's log: the same indicators."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from msgtrack import Delivery, Keyring, Message, Tracker, collect, open_store
from msgtrack.io import AccessLogFile, SegmentFolder
from msgtrack.metrics import indicators
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Source

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(
    html='<a href="https://shop.example/" _label="Shop">x</a><a href="https://shop.example/late" _label="Late">y</a>'
    '<a href="https://shop.example/out" _type="optout" _label="Out">z</a>',
    delivery_id="spring",
)
HASH = PeoplePolicy(key="hash")


def paths_of(message_id: int) -> list[str]:
    return re.findall(r'(?:href|src)="https://t\.example\.com([^"]+)"', PAGE.render(message_id=message_id).html or "")


def play(port: int) -> int:
    random = Random(5)  # a repeatable audience
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    requests = 0

    def ask(method: str, path: str, agent: str, **headers: str) -> None:
        nonlocal requests
        connection.request(method, path, headers={"User-Agent": agent, **headers})
        connection.getresponse().read()
        requests += 1

    for message_id in range(1, 61):
        shop, late, out, image = paths_of(message_id)
        agents = [f'Browser/{random.randrange(9)} ("quoted" \\ é {message_id % 7})' for _ in range(2)]
        if random.random() < 0.7:
            ask("GET", image, agents[0])
        for agent in agents:
            for path in (shop, late, out):
                if random.random() < 0.3:
                    ask("GET", path, agent)
        if message_id % 5 == 0:
            ask("HEAD", shop, agents[0])
            ask("GET", shop.upper() + ")", agents[0])
            ask("GET", late[:-3] + "zzz", agents[0])
            ask("GET", "/no/such/thing", agents[0])
    connection.close()
    return requests


def table_of(source: Source, store: Any) -> dict[str, Any]:
    store.put([Delivery(id="spring"), *PAGE.links])
    store.put([Message(id=n, delivery_id="spring", address=f"{n}@gmail.com", status="sent") for n in range(1, 61)])
    run = collect({"web": source}, store, tracker=TRACKER, now=datetime.now(UTC), people=HASH)
    assert (run.status, run.rejected) == ("finished", 0)
    table = indicators(store, delivery_id="spring")
    found = {key: value.value for key, value in table.items()}
    for key, by in (("url_clicks", "label"), ("domain_click_rate", "domain")):
        found |= {f"{key} {group}": value.value for group, value in table.series(key, by=by).items()}
    assert found["total_recipient_click"] > 20
    assert found["person_click"] > 5
    return found


def test_segments_and_nginx_log_give_the_same_indicators(
    serve: Callable[..., Any], nginx_before: Callable[[int], tuple[Any, Path]], tmp_path: Path
) -> None:
    # The persons' keys are of the day, and both logs must see the same minutes: keep off their edges.
    while datetime.now(UTC).second > 50:
        time.sleep(0.5)
    server = serve("--people=hash")
    nginx, log = nginx_before(server.port)
    requests = play(nginx.port)
    server.stop()
    nginx.stop()
    assert len(log.read_text().splitlines()) == requests
    with open_store("memory:") as one, open_store(f"sqlite:///{tmp_path / 'two.db'}") as two:
        from_segments = table_of(SegmentFolder(tmp_path / "segments"), one)
        from_log = table_of(AccessLogFile(log), two)
    assert from_log == from_segments


@pytest.mark.parametrize("store_url", ["memory:", "sqlite:///{folder}/a.db"])
def test_collecting_twice_and_replaying_add_nothing(store_url: str, serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve()
    play(server.port)
    server.stop()
    with open_store(store_url.format(folder=tmp_path)) as store:
        source = SegmentFolder(tmp_path / "segments")
        first = collect({"web": source}, store, tracker=TRACKER, now=datetime.now(UTC))
        assert first.added > 50
        again = collect({"web": source}, store, tracker=TRACKER, now=datetime.now(UTC))
        assert (again.hits, again.added) == (0, 0)
        replayed = collect({"another name": source}, store, tracker=TRACKER, now=datetime.now(UTC))
        assert (replayed.hits, replayed.added) == (first.hits, 0)
        (path,) = (tmp_path / "segments").iterdir()
        (tmp_path / "copies").mkdir()
        (tmp_path / "copies" / "copy.hits.jsonl").write_bytes(path.read_bytes())
        copied = collect({"web 2": SegmentFolder(tmp_path / "copies")}, store, tracker=TRACKER, now=datetime.now(UTC))
        assert (copied.hits, copied.added) == (first.hits, 0)
