"""Logs read by columns: the events, rejections, counts and places that reading line by line gives, whatever the log."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_log_lines import AGENTS, HTML, KEYS, PARTS, PATHS, TRACKERS, elsewhere, line_of, lines_of, moment_text
from same_store import NOW, check_both_ways, contents, two_memories

from msgtrack import Tracker, bulk, collect, open_store
from msgtrack._borders import microseconds
from msgtrack.bulk import collect_logs
from msgtrack.clients import ClientReader
from msgtrack.columns import EventColumns
from msgtrack.errors import InvalidValue, MissingExtra, StoreClosed, StoreError
from msgtrack.events import Click, Open
from msgtrack.hits import Hit
from msgtrack.io import AccessLogFile, AccessLogStream, StoreRegistry
from msgtrack.logs import _fast_columns
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Batch, Checkpoint, ColumnStore, Ingested, LineSource
from msgtrack.storage import BaseStore, MemoryStore
from msgtrack.testing import strategies
from msgtrack.webtags import WebTag, WebTags

TRACKER = TRACKERS["stateless"]
CLICKS = [path for path in PATHS["stateless"] if not path.startswith("/1/")]


def bytes_of(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogatepass")


def every_odd_line(paths: list[str]) -> list[str]:
    odd = [{part: number} for part, values in PARTS.items() for number in range(len(values))]
    return [
        line
        for path in paths
        for line in (*[line_of(path)] * 2, *(line_of(path, **choice) for choice in odd), *elsewhere(path) * 2)
    ]


def busy_log(number: int, seconds: int = 50) -> bytes:
    """Many good lines, some of them equal, and some rubbish."""
    paths = PATHS["stateless"]
    lines = []
    for n in range(number):
        behind = f'302 0 "-" "{AGENTS[0]} {n % 5}"\n'
        lines.append(
            f'203.0.113.{n % 7} - - [{moment_text(n * seconds // number, "+0000")}] "GET {paths[n * 7 % len(paths)]} HTTP/1.1" {behind}'
        )
        if n % 11 == 0:
            lines.append("rubbish\n")
    return bytes_of(lines)


@pytest.fixture
def duckdb(tmp_path: Path) -> Iterator[tuple[BaseStore, BaseStore]]:
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'bulk' is not installed")
    with open_store(f"duckdb:///{tmp_path}/a.duckdb") as one, open_store(f"duckdb:///{tmp_path}/b.duckdb") as other:
        yield one, other


damage = st.one_of(
    st.just(lambda data, at: data),
    st.just(lambda data, at: data[:at]),
    st.just(lambda data, at: data[:at] + data[at + 40 :]),
    st.just(lambda data, at: data[:at] + b"\x00\x00\x00\x00\n" + data[at:]),
    st.just(lambda data, at: data[:at] + b"\xff\xfe" + data[at:]),
    st.just(lambda data, at: data[:at] + b'\n\n "" \r\n' + data[at:]),
)


@pytest.mark.parametrize("name", TRACKERS)
@settings(max_examples=15)
@given(data=st.data())
def test_both_ways_keep_the_same(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    few = data.draw(st.lists(st.sampled_from(PATHS[name]), min_size=1, max_size=3))
    lines = data.draw(st.lists(lines_of(few), max_size=30))
    lines += data.draw(st.permutations(lines))
    whole = bytes_of(lines)
    log = tmp_path_factory.mktemp("bulk") / "access.log"
    log.write_bytes(data.draw(damage)(whole, data.draw(st.integers(0, len(whole)))))
    people = data.draw(st.sampled_from([None, PeoplePolicy(key="hash"), PeoplePolicy(key="none")]))
    options = {"batch_lines": data.draw(st.sampled_from([1, 3, 5_000])), "finish": data.draw(st.booleans())}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_LINES_AT_ONCE", data.draw(st.sampled_from([1, 7, 50_000])))
        check_both_ways(log, two_memories(), TRACKERS[name], people=people, **options)


@pytest.mark.parametrize("people", [None, PeoplePolicy(key="hash")], ids=["nobody", "hashed"])
def test_every_odd_line_into_duckdb(
    duckdb: tuple[BaseStore, BaseStore], tmp_path: Path, people: PeoplePolicy | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_LINES_AT_ONCE", 500)
    log = tmp_path / "access.log"
    log.write_bytes(bytes_of(every_odd_line(PATHS["stateless"][::5])))
    check_both_ways(log, duckdb, TRACKER, people=people, batch_lines=200)


def test_what_user_agents_say_is_kept_by_both_ways(duckdb: tuple[BaseStore, BaseStore], tmp_path: Path) -> None:
    pytest.importorskip("ua_parser", reason="the extra 'agents' is not installed")
    log = tmp_path / "access.log"
    log.write_bytes(bytes_of(every_odd_line(PATHS["stateless"][::9])))
    check_both_ways(log, duckdb, TRACKER, people=PeoplePolicy(key="hash"), clients=ClientReader())
    assert "Firefox" in {event.client.browser for event in duckdb[1].scan() if event.client is not None}


def test_equal_lines_far_apart_and_out_of_order_are_counted_alike(tmp_path: Path) -> None:
    """What is forgotten is forgotten at the same line, so that the ordinals agree."""
    lines = [
        line_of(CLICKS[0]).replace("10:00:05", f"10:{n // 60:02}:{n % 60:02}") for n in (*range(0, 40, 3), *range(40))
    ]
    log = tmp_path / "access.log"
    log.write_bytes(bytes_of(lines * 2))
    for size in (1, 2, 3, 5, 1_000):
        check_both_ways(log, two_memories(), TRACKER, batch_lines=size)


def test_most_lines_are_read_the_quick_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slowly = 0
    slow = _fast_columns.FastColumns._slow

    def counting(self: Any, line: str, number: int) -> Any:
        nonlocal slowly
        slowly += 1
        return slow(self, line, number)

    monkeypatch.setattr(_fast_columns.FastColumns, "_slow", counting)
    log = tmp_path / "access.log"
    log.write_text("".join(line_of(CLICKS[0], moment=n % 4) for n in range(200)))
    for people in (None, PeoplePolicy(key="hash")):
        slowly = 0
        run = collect_logs({"web": AccessLogFile(log)}, open_store("memory:"), tracker=TRACKER, now=NOW, people=people)
        assert (run.hits, run.events) == (200, 200)
        assert slowly <= 2


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msgtrack.logs._fast._ROOM", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MODELS", 1)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_PLACES", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MESSAGES", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MOMENTS", 1)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_AT_A_PLACE", 1)
    monkeypatch.setattr(_fast_columns, "_MOST_SALTS", 1)
    monkeypatch.setattr(bulk, "_LINES_AT_ONCE", 40)
    log = tmp_path / "access.log"
    days = [busy_log(90).replace(b"02/Mar", day) for day in (b"02/Mar", b"03/Mar", b"02/Mar")]
    log.write_bytes(b"".join(days))
    check_both_ways(log, two_memories(), TRACKER, people=PeoplePolicy(key="hash"), batch_lines=10)


class Breaking(MemoryStore):
    """Takes columns, so that another thread hands them over, and breaks when it was asked so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def ingest_columns(self, columns: EventColumns, checkpoint: Checkpoint | None = None) -> Ingested:
        self.times -= 1
        if self.times < 0:
            raise StoreError("the disk is full")
        return self.ingest(columns.events(), checkpoint)


@pytest.mark.parametrize("times", range(8))
@pytest.mark.parametrize("then", [collect, collect_logs])
def test_a_store_that_breaks_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, then: Any
) -> None:
    monkeypatch.setattr(bulk, "_LINES_AT_ONCE", 100)
    log = tmp_path / "access.log"
    log.write_bytes(busy_log(600))
    whole, broken = open_store("memory:"), Breaking(times)
    assert isinstance(broken, ColumnStore)
    first = collect({"web": AccessLogFile(log, batch_lines=50)}, whole, tracker=TRACKER, now=NOW)
    source = AccessLogFile(log, batch_lines=50)
    assert isinstance(source, LineSource)
    if times < 7:
        with pytest.raises(StoreError, match="the disk is full"):
            collect_logs({"web": source}, broken, tracker=TRACKER, now=NOW)
        assert (broken.checkpoint("web") is None) == (times == 0)
        assert len(list(broken.scan())) < first.added
    broken.times = 100
    then({"web": source}, broken, tracker=TRACKER, now=NOW)
    assert list(broken.scan()) == list(whole.scan())
    assert broken.checkpoint("web") == whole.checkpoint("web")


def test_a_log_that_grows_is_read_by_turns(duckdb: tuple[BaseStore, BaseStore], tmp_path: Path) -> None:
    by_objects, by_turns = duckdb
    data, log = busy_log(500), tmp_path / "access.log"
    doors = [collect_logs, collect]
    for turn, end in enumerate([100, 5_000, 5_000, 40_000, len(data)]):
        log.write_bytes(data[:end])
        first = collect({"web": AccessLogFile(log)}, by_objects, tracker=TRACKER, now=NOW)
        assert doors[turn % 2]({"web": AccessLogFile(log)}, by_turns, tracker=TRACKER, now=NOW) == first
        assert contents(by_turns) == contents(by_objects)


def test_rotated_files_and_damaged_ones_are_named(tmp_path: Path) -> None:
    data = busy_log(400)
    packed = gzip.compress(data)
    (tmp_path / "access.log.3.gz").write_bytes(packed[: len(packed) - 30])
    (tmp_path / "access.log.2.gz").write_bytes(
        gzip.compress(data.replace(b"10:00", b"10:02") + b"rubbish\n" + b"x" * 2_000_000)
    )
    (tmp_path / "access.log.1").write_bytes(data.replace(b"10:00", b"10:05"))
    log = tmp_path / "access.log"
    log.write_bytes(data.replace(b"10:00", b"10:07"))
    check_both_ways(log, two_memories(), TRACKER, rotated=True, batch_lines=64)


def test_a_log_that_cannot_be_read_to_its_end_fails_the_run_behind_what_was_good(tmp_path: Path) -> None:
    packed = gzip.compress(busy_log(20_000), 1)
    log = tmp_path / "access.log.gz"
    log.write_bytes(packed[: len(packed) // 2])
    stores = two_memories()
    for store, door in zip(stores, (collect, collect_logs), strict=True):
        run = door(
            {"gone": AccessLogFile(tmp_path / "no.log"), "web": AccessLogFile(log)}, store, tracker=TRACKER, now=NOW
        )
        assert run.status == "failed"
        assert run.events > 1_000
    assert contents(stores[1]) == contents(stores[0])


def test_sources_and_trackers_of_other_kinds_go_the_usual_way(tmp_path: Path) -> None:
    common = tmp_path / "common.log"
    common.write_text("".join(line_of(CLICKS[0], tail=5) for _ in range(3)))
    log = tmp_path / "access.log"
    log.write_bytes(busy_log(50))
    hit = Hit(method="GET", url=CLICKS[0], received_at=NOW, source_id="me")
    tags = WebTags(tags=[WebTag(identifier="shop")])

    class Own(Tracker):
        def resolve(self, url: str, *, at: datetime | None = None) -> Any:
            return super().resolve(url, at=at)

    def sources() -> dict[str, Any]:
        return {
            "common": AccessLogFile(common, format="common"),
            "auto": AccessLogFile(log, format="auto"),
            "stream": AccessLogStream(io.BytesIO(log.read_bytes())),
            "hits": [hit, hit],
        }

    for tracker, more in ((TRACKER, {}), (TRACKER, {"tags": tags}), (Own("https://t.example.com", KEYS), {})):
        stores = two_memories()
        for store, door in zip(stores, (collect, collect_logs), strict=True):
            assert door(sources(), store, tracker=tracker, now=NOW, **more).events > 40
        assert contents(stores[1], sources()) == contents(stores[0], sources())


def test_a_source_may_mix_what_is_read_and_what_is_not(tmp_path: Path) -> None:
    """Records come before the lines of a batch, and batches of records alone are kept at once, in their order."""
    log = tmp_path / "access.log"
    log.write_bytes(busy_log(60))

    class Mixed:
        def __init__(self) -> None:
            self.log = AccessLogFile(log, batch_lines=10)

        def read(self, position: str | None) -> Iterator[Batch]:
            hit = Hit(method="GET", url=CLICKS[0], received_at=NOW, user_agent="x")
            for number, batch in enumerate(self.log.read(position)):
                yield evolve(batch, records=(hit, *batch.records) if number % 3 else batch.records)

        def read_lines(self, position: str | None) -> Iterator[Batch]:
            hit = Hit(method="GET", url=CLICKS[0], received_at=NOW, user_agent="x")
            both = zip(self.log.read(position), self.log.read_lines(position), strict=True)
            for number, (read, unread) in enumerate(both):
                batch = (unread, read)[number % 2]
                yield evolve(batch, records=(hit, *batch.records) if number % 3 else batch.records)

    stores = MemoryStore(), Breaking(100)
    told: dict[Any, list[int]] = {collect: [], collect_logs: []}
    for store, door in zip(stores, (collect, collect_logs), strict=True):
        door({"web": Mixed()}, store, tracker=TRACKER, now=NOW, progress=told[door].append)
    assert contents(stores[1]) == contents(stores[0])
    assert told[collect_logs] == told[collect]


def test_a_log_that_is_followed_is_kept_batch_by_batch(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(busy_log(40))
    store = open_store("memory:")

    class Enough(Exception):
        pass

    def look(seconds: float) -> None:
        assert len(list(store.scan())) > 10
        raise Enough

    with pytest.raises(Enough):
        collect_logs({"web": AccessLogFile(log, follow=True, sleep=look)}, store, tracker=TRACKER, now=NOW)


def test_what_is_missing_is_said(
    duckdb: tuple[BaseStore, BaseStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(busy_log(10))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="pyarrow") as caught:
        collect_logs({"web": AccessLogFile(log)}, duckdb[0], tracker=TRACKER, now=NOW)
    assert "msgtrack[bulk]" in str(caught.value)
    assert list(duckdb[0].scan()) == []


def test_arguments_are_checked_as_by_collect() -> None:
    store = open_store("memory:")
    with pytest.raises(InvalidValue, match="sources must be a mapping"):
        collect_logs([], store, tracker=TRACKER, now=NOW)  # type: ignore[arg-type]  # that is what is refused
    with pytest.raises(InvalidValue, match="people must be"):
        collect_logs({}, store, tracker=TRACKER, now=NOW, people="hash")  # type: ignore[arg-type]


AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def columns_of(events: list[Any]) -> EventColumns:
    return EventColumns(
        examples=events,
        example=range(len(events)),
        ids=[event.id for event in events],
        occurred_us=[microseconds(event.occurred_at) for event in events],
        message_ids=[event.message_id for event in events],
        source_ids=[event.source_id for event in events],
    )


def test_columns_are_events_like_their_examples() -> None:
    example = Click(occurred_at=AT, delivery_id="spring", message_id="1", link_id="2", source="web")
    columns = EventColumns(
        examples=[example],
        example=[0, 0],
        ids=["a", "b"],
        occurred_us=[1_772_445_600_000_001, 0],
        message_ids=["7", None],
        source_ids=[None, "me"],
    )
    assert len(columns) == 2
    assert list(columns.events()) == [
        evolve(example, id="a", occurred_at=AT.replace(microsecond=1), message_id="7"),
        evolve(example, id="b", occurred_at=datetime(1970, 1, 1, tzinfo=UTC), message_id=None, source_id="me"),
    ]


@pytest.mark.parametrize(
    "wrong", [{"ids": ["a"]}, {"source_ids": []}, {"example": [0, 1]}, {"example": [-1, 0]}, {"examples": ["x"]}]
)
def test_columns_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "examples": [Open(occurred_at=AT)],
        "example": [0, 0],
        "ids": ["a", "b"],
        "occurred_us": [0, 0],
        "message_ids": [None, None],
        "source_ids": [None, None],
    }
    EventColumns(**right)
    with pytest.raises(InvalidValue):
        EventColumns(**{**right, **wrong})


@settings(max_examples=5)
@given(batches=st.lists(st.lists(strategies.events(), max_size=12), max_size=4))
def test_duckdb_takes_columns_as_it_takes_events(
    batches: list[list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'bulk' is not installed")
    folder = tmp_path_factory.mktemp("columns")
    with open_store(f"duckdb:///{folder}/a.duckdb") as one, open_store(f"duckdb:///{folder}/b.duckdb") as other:
        assert isinstance(other, ColumnStore)
        for number, batch in enumerate(batches):
            events = [event if event.has_own_id else evolve(event, id=f"{number}-{n}") for n, event in enumerate(batch)]
            checkpoint = Checkpoint(source="web", position=str(number))
            assert other.ingest_columns(columns_of(events), checkpoint) == one.ingest(events, checkpoint)
        assert contents(other) == contents(one)


def test_columns_of_nothing_move_the_checkpoint_and_a_closed_store_says_so(duckdb: tuple[BaseStore, BaseStore]) -> None:
    store = duckdb[0]
    assert isinstance(store, ColumnStore)
    checkpoint = Checkpoint(source="web", position="7")
    assert store.ingest_columns(columns_of([]), checkpoint) == Ingested()
    assert store.checkpoint("web") == checkpoint
    event = Click(occurred_at=AT, delivery_id="spring", message_id="1", link_id="2", id="a")
    assert store.ingest_columns(columns_of([event, event, evolve(event, id="b")])) == Ingested(added=2, known=1)
    assert store.ingest_columns(columns_of([event])) == Ingested(known=1)
    store.close()
    with pytest.raises(StoreClosed):
        store.ingest_columns(columns_of([event]))


def test_links_may_be_registered_in_the_store_that_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another handle on the file is read while a thread writes."""
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'bulk' is not installed")
    monkeypatch.setattr(bulk, "_LINES_AT_ONCE", 50)
    url = f"duckdb:///{tmp_path}/a.duckdb"
    with open_store(url) as store, open_store(url) as of_links, open_store("memory:") as other:
        registry = StoreRegistry(of_links, keep=1, wait_seconds=60)
        tracker = Tracker("https://t.example.com", KEYS, registry=registry, link_style="registered")
        paths = []
        for delivery in range(5):
            mail = tracker.compile(html=HTML, delivery_id=f"d{delivery}")
            registry.publish(mail)
            html = mail.render(message_id="1").html or ""
            paths += [piece.partition('"')[0].removeprefix("https://t.example.com") for piece in html.split('="')[1:]]
        ours = [path for path in paths if path.startswith("/")]
        log = tmp_path / "access.log"
        log.write_text("".join(line_of(path, moment=turn % 4) for turn in range(20) for path in ours))
        source = AccessLogFile(log, batch_lines=25)
        run = collect_logs({"web": source}, store, tracker=tracker, now=NOW)
        assert run == collect({"web": source}, other, tracker=tracker, now=NOW)
        assert run.added > 20
        assert list(store.scan()) == list(other.scan())
