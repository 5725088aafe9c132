"""A job over log files on Dask: two worker processes on this machine, one of which is killed in the middle."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from msgtrack import Keyring, Tracker
from msgtrack.batch import LogTally, tally_logs
from msgtrack.errors import InvalidOption, SourceError
from msgtrack.hits import Rejected
from msgtrack.logs import formats
from msgtrack.protocols import Resolver

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="pip install 'msgtrack[dask]'")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with closing(cluster), closing(distributed.Client(cluster)) as client:
        yield client


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))


@pytest.fixture
def logs(tracker: Tracker, tmp_path: Path) -> dict[str, list[Path]]:
    """Two logs, one of them rotated and compressed; equal clicks everywhere, and rubbish between."""
    page = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
    paths = []
    for message in range(7):
        url = (page.render(message_id=str(message)).html or "").split('"')[1]
        paths.append(url.removeprefix("https://t.example.com"))

    def line(number: int) -> str:
        if number % 20 == 13:
            return f"rubbish {number}\n"
        at = AT + timedelta(seconds=number // 9)
        path = paths[number % 4 if number % 3 else number % 7]
        return f'192.0.2.7 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" 302 0 "-" "Agent"\n'

    text = [line(number) for number in range(600)]
    files = [tmp_path / name for name in ("a.log.1.gz", "a.log", "b.log")]
    files[0].write_bytes(gzip.compress("".join(text[:200]).encode()))
    files[1].write_text("".join(text[200:]))
    files[2].write_text("".join(text[:300]))
    return {"a": files[:2], "b": files[2:]}


def folded(logs: dict[str, list[Path]], tracker: Resolver, **options: Any) -> tuple[LogTally, list[Rejected]]:
    rejects: list[Rejected] = []
    found = tally_logs(logs, tracker=tracker, part_bytes=4_000, rejected=rejects.append, **options)
    return found, rejects


def same(found: tuple[LogTally, list[Rejected]], alone: tuple[LogTally, list[Rejected]]) -> None:
    # Only who was alone had nothing to read again.
    assert attrs.evolve(found[0], again=0) == alone[0]
    assert found[0].tally.counts() == alone[0].tally.counts()
    assert found[1] == alone[1]


def test_two_workers_find_what_one_process_finds(client: Any, tracker: Tracker, logs: dict[str, list[Path]]) -> None:
    alone = folded(logs, tracker)
    assert alone[0].hits == 855
    assert len(alone[1]) == 45
    same(folded(logs, tracker, executor=client), alone)


def test_a_format_of_ones_own_travels_and_so_do_errors(
    client: Any, tracker: Tracker, logs: dict[str, list[Path]], tmp_path: Path
) -> None:
    own = formats.apache('LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"" own')
    found, rejects = folded(logs, tracker, executor=client, format=own)
    assert found.hits == 855
    assert {one.reason for one in rejects} == {"not-own"}
    damaged = tmp_path / "cut.log"
    damaged.write_text("x\n" * 5_000)

    executor = client.get_executor(pure=False)
    submit = executor.submit

    def cut(*args: Any) -> Any:
        damaged.write_text("x\n")
        return submit(*args)

    executor.submit = cut
    with pytest.raises(SourceError, match="was cut while it was read"):
        tally_logs({"web": damaged}, tracker=tracker, executor=executor, part_bytes=4_000)


def test_what_cannot_be_sent_is_said_before_anything_is(client: Any, logs: dict[str, list[Path]]) -> None:
    class Bound(Tracker):
        lock = threading.Lock()

    tracker = Bound("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
    with pytest.raises(InvalidOption, match="cannot be sent to other processes"):
        folded(logs, tracker, executor=client)


def test_a_killed_worker_changes_nothing(
    client: Any, tracker: Tracker, logs: dict[str, list[Path]], tmp_path: Path
) -> None:
    alone = folded(logs, tracker)
    folder = tmp_path / "gate"
    folder.mkdir()

    class Waiting:
        """Says which worker asks it first, and lets nobody go on before the gate is open."""

        def resolve(self, url: str, *, at: datetime | None = None) -> Any:
            if not (folder / "open").exists():
                (folder / f"{os.getpid()}.began").touch()
                end = time.monotonic() + PATIENCE_SECONDS
                while not (folder / "open").exists() and time.monotonic() < end:
                    time.sleep(0.01)
            return tracker.resolve(url, at=at)

        def person_salt(self, day: str) -> bytes:
            return tracker.person_salt(day)

    killed: list[int] = []

    def kill() -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while len(began := sorted(folder.glob("*.began"))) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        killed.extend(int(path.stem) for path in began[:1])
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        (folder / "open").touch()

    before = set(client.run(os.getpid).values())
    killer = threading.Thread(target=kill)
    killer.start()
    found = folded(logs, Waiting(), executor=client)
    killer.join()
    same(found, alone)
    assert len(before) == 2
    assert set(killed) < before, "one of both was killed while it folded a part"
    client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
    assert not set(killed) & set(client.run(os.getpid).values())
