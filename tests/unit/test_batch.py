"""Many log files in parts: whatever the parts and whoever folds them, what comes out is what one process reads."""

from __future__ import annotations

import bz2
import gzip
import multiprocessing
import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_log_lines import AGENTS, TRACKERS, lines_of
from odd_log_lines import PATHS as ODD_PATHS
from odd_log_lines import line_of as line_of_path

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack._collecting import Collecting
from msgtrack.batch import LogTally, tally_logs
from msgtrack.clients import ClientReader
from msgtrack.errors import InvalidOption, InvalidValue, SourceError
from msgtrack.events import Event
from msgtrack.hits import Hit, Rejected
from msgtrack.io import AccessLogFile, ManifestRegistry, RejectWriter, StoreRegistry, read_rejects
from msgtrack.io._parts import parts_of
from msgtrack.logs import formats
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Checkpoint, Ingested
from msgtrack.storage import MemoryStore
from msgtrack.tally import Tally
from msgtrack.webtags import WebTag, WebTags

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")


def path_of(message_id: str, kind: str) -> str:
    html = PAGE.render(message_id=message_id).html or ""
    url = html.partition({"click": 'href="', "open": '<img src="'}[kind])[2].partition('"')[0]
    return url.removeprefix("https://t.example.com")


PATHS = [path_of("1", "click"), path_of("2", "click"), path_of("1", "open"), "/favicon.ico"]
LINES: list[str] = [f'"GET {path} HTTP/1.1" 302 0 "-" "Agent"' for path in PATHS]


def line_of(second: int, what: int) -> bytes:
    if what >= len(LINES):
        return ("rubbish " + "é" * what).encode()
    at = AT + timedelta(seconds=second)
    return f"192.0.2.7 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] {LINES[what]}".encode()


def log_of(*seconds: int, what: int = 0) -> bytes:
    return b"".join(line_of(second, what) + b"\n" for second in seconds)


@attrs.define
class AtOnce(Executor):
    """Folds what is handed in at once, and every third part twice, as when a worker was lost with what it had done."""

    submitted: int = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        if self.submitted % 3 == 0:
            fn(*args, **kwargs)
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Folding(MemoryStore):
    """Folds what it is given. Of events with one id, such as opens within a minute, a store keeps the first, a tally the lesser."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        given = [*events]
        self.tally.extend(given)
        return super().ingest(given, checkpoint)


def of_one_process(
    logs: dict[str, Path], format: Any = "combined", **options: Any
) -> tuple[Tally, list[tuple[int, str, str, str]], Any]:
    """The events that the collector gives to a store, and the rejected lines: number, reason, text, file."""
    store = Folding()
    wanted = {name: AccessLogFile(path, finish=True, rotated=True, format=format) for name, path in logs.items()}
    options = {"tracker": TRACKER, "people": PeoplePolicy(key="hash")} | options
    run = collect(wanted, store, now=AT, **options)
    rejects = [
        (one.line, one.reason, one.text, one.source or logs[name].name)
        for name, source in wanted.items()
        for batch in source.read(None)
        for one in batch.records
        if isinstance(one, Rejected)
    ]
    return store.tally, rejects, run


def folded(logs: dict[str, Path], **options: Any) -> tuple[LogTally, list[Rejected]]:
    rejects: list[Rejected] = []
    options = {"tracker": TRACKER, "people": PeoplePolicy(key="hash"), "rotated": True} | options
    found = tally_logs(logs, rejected=rejects.append, **options)
    assert list(found.rejects) == rejects[:100]
    assert sum(found.rejected.values()) == len(rejects)
    return found, rejects


def agree(logs: dict[str, Path], **options: Any) -> LogTally:
    """Alone and in parts, the same as the collector."""
    how = {name: value for name, value in options.items() if name not in ("part_bytes", "executor")}
    collected, rejects, run = of_one_process(logs, **how)
    for executor in (None, AtOnce()):
        found, rejected = folded(logs, executor=executor, **options)
        assert found.tally == collected
        assert found.tally.counts() == collected.counts()
        assert [(one.line, one.reason, one.text, Path(one.source).name) for one in rejected] == rejects
        assert (found.hits, found.events, found.skipped) == (run.hits, run.events, run.skipped)
    return found


seconds = st.one_of(
    st.lists(st.integers(0, 3), max_size=20),
    st.lists(st.sampled_from([0, 1, 9, 10, 11, 12, 20, 21, 22, 40]), max_size=20),
)
lines = seconds.flatmap(lambda at: st.tuples(*(st.tuples(st.just(second), st.integers(0, 5)) for second in at)))


@given(
    lines, lines, st.lists(st.integers(0, 20), max_size=2).map(sorted), st.integers(1, 600), st.sampled_from(["", "gz"])
)
@example(((0, 0), (0, 0)), (), [], 100, "")
@example(((0, 0), (0, 0)), (), [1], 100, "gz")
@example(((10, 0), (0, 1), (11, 0), (0, 0), (0, 0)), (), [3], 10, "")
def test_any_log_in_any_parts(
    first: tuple[tuple[int, int], ...],
    second: tuple[tuple[int, int], ...],
    rotations: list[int],
    part_bytes: int,
    packed: str,
) -> None:
    with TemporaryDirectory() as folder:
        logs = {}
        for name, log in (("one", first), ("two", second)):
            path = logs[name] = Path(folder, f"{name}.log")
            stretches = [log[start:end] for start, end in pairwise([0, *rotations, 100])]
            for age, stretch in enumerate(reversed(stretches)):
                data = b"\n".join(line_of(*line) for line in stretch) + (b"\n" if stretch and age else b"")
                file = path if not age else path.with_name(f"{path.name}.{age}")
                if packed and age:
                    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(data))
                else:
                    file.write_bytes(data)
        agree(logs, part_bytes=part_bytes)


@pytest.mark.parametrize("name", TRACKERS)
@settings(max_examples=15)
@given(data=st.data())
def test_odd_lines_of_any_tracker_in_any_parts(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Read by columns where ``collect`` makes an event of each line."""
    few = data.draw(st.lists(st.sampled_from(ODD_PATHS[name]), min_size=1, max_size=3))
    lines = data.draw(st.lists(lines_of(few), max_size=20))
    lines += data.draw(st.permutations(lines))
    whole = "".join(lines).encode("utf-8", "surrogatepass")
    people = data.draw(st.sampled_from([None, PeoplePolicy(key="hash"), PeoplePolicy(key="none")]))
    part_bytes = data.draw(st.sampled_from([1, 300, 1_000, 1 << 20]))
    logs = one(tmp_path_factory.mktemp("odd"), whole)
    agree(logs, tracker=TRACKERS[name], people=people, part_bytes=part_bytes)


def test_most_lines_are_read_by_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Hit] = []
    event = Collecting.event

    def looking(self: Collecting, record: Hit, *args: Any) -> Any:
        looked_at.append(record)
        return event(self, record, *args)

    monkeypatch.setattr(Collecting, "event", looking)
    logs = one(tmp_path, log_of(*range(50)))
    tags = WebTags(tags=[WebTag(identifier="home", label="Home")], mode="permanent-last")
    by_columns: list[dict[str, Any]] = [{}, {"people": PeoplePolicy(key="hash")}, {"format": "auto"}]
    for options in by_columns:
        assert tally_logs(logs, tracker=TRACKER, **options).hits == 50
    assert not looked_at
    alike = formats.apache('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"')
    each_by_itself: list[dict[str, Any]] = [{"tags": tags}, {"format": alike}]
    for options in each_by_itself:
        assert tally_logs(logs, tracker=TRACKER, **options).hits == 50
    assert len(looked_at) == 100


def test_what_user_agents_and_web_tags_say_is_the_same_in_parts(tmp_path: Path) -> None:
    pytest.importorskip("ua_parser", reason="the extra 'agents' is not installed")
    lines = [line_of_path(path, agent=n % len(AGENTS)) for n, path in enumerate(ODD_PATHS["stateless"][::5])]
    logs = one(tmp_path, "".join(lines).encode("utf-8", "surrogatepass"))
    how = {"tracker": TRACKERS["stateless"], "part_bytes": 2_000}
    assert agree(logs, clients=ClientReader(), **how).events > 50
    tags = WebTags(tags=[WebTag(identifier="home", label="Home")], mode="permanent-last")
    assert agree(logs, tags=tags, **how).events > 50


def one(tmp_path: Path, data: bytes) -> dict[str, Path]:
    path = tmp_path / "access.log"
    path.write_bytes(data)
    return {"web": path}


def test_equal_clicks_on_both_sides_of_a_border_are_counted_and_only_such_parts_read_again(tmp_path: Path) -> None:
    logs = one(tmp_path, log_of(0, 0, 1, 2, 3, 4))
    found = agree(logs, part_bytes=len(log_of(0)))
    assert (found.parts, found.again) == (6, 1)
    assert clicks(found) == 6
    agree(one(tmp_path, log_of(*range(0, 60, 2), *range(0, 60, 3))), part_bytes=500)


def test_the_head_of_a_log_holds_for_all_its_parts(tmp_path: Path) -> None:
    url, query = PATHS[0], "-"
    row = f"2026-11-21 10:00:00 192.0.2.7 GET {url} {query} 302 Agent\n"
    other = f"10:00:0%d GET {url} {query} 302 192.0.2.7 Agent\n"
    data = (
        "#Software: a server\n#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)\n"
        + row * 8
        + "#Date: 2026-11-22 00:00:00\n#Fields: time cs-method cs-uri-stem cs-uri-query sc-status c-ip cs(User-Agent)\n"
        + "".join(other % n for n in range(8))
    )
    found = agree(one(tmp_path, data.encode()), format="w3c", part_bytes=150)
    assert found.parts > 8
    assert found.hits == 16
    again = row.replace("10:00:00", "10:00:%02d")
    rows = "".join(again % n for n in range(30))
    found = agree(one(tmp_path, (data[: data.index("2026")] + rows).encode()), format="w3c", part_bytes=150)
    assert (found.hits, found.again) == (30, 0), "nothing of it was read twice"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(log_of(0, 0, 1)[:-1], id="no-last-end"),
        pytest.param(b"\xef\xbb\xbf" + log_of(*range(9)), id="mark"),
        pytest.param(log_of(*range(9)).replace(b"\n", b"\r\n"), id="carriage-returns"),
        pytest.param(("Ж\u010a\n" + log_of(*range(9)).decode() + "Ж").encode("utf-16"), id="utf-16"),
        pytest.param(gzip.compress(log_of(*range(9))), id="gzip"),
        pytest.param(bz2.compress(log_of(*range(9))[:-1]), id="bzip2"),
        pytest.param(log_of(0, 1) + b"\x00" * 4_000 + log_of(2, 3) + b"\x00" * 500 + b"\n" + log_of(4), id="holes"),
        pytest.param(log_of(0) + b"x" * (1 << 20) + b"xy\n" + log_of(1) + b"\n\n" + log_of(2), id="long-line"),
        pytest.param(log_of(0) + line_of(1, 0).decode().encode("utf-16-le") + b"\n\x00" + log_of(2), id="odd-line"),
        pytest.param(b"\xe9\xff\n" + log_of(0) + b"\x1f\x8b\n" + log_of(1), id="no-utf-8"),
    ],
)
def test_odd_bytes(tmp_path: Path, data: bytes) -> None:
    for part_bytes in (1, 150, 1 << 30):
        agree(one(tmp_path, data), part_bytes=part_bytes)


def test_every_size_of_parts(tmp_path: Path) -> None:
    data = log_of(0, 0, 1) + b"rubbish\n\n" + log_of(1, 1)
    logs = one(tmp_path, data)
    collected, rejects, _ = of_one_process(logs)
    for part_bytes in range(1, len(data) + 2):
        found, rejected = folded(logs, part_bytes=part_bytes, executor=AtOnce())
        assert found.tally == collected
        assert (
            [(one.line, one.reason) for one in rejected]
            == [(one[0], one[1]) for one in rejects]
            == [(4, "not-combined")]
        )
        assert found.lines == 7


def test_parts_meet_and_end_between_lines(tmp_path: Path) -> None:
    data = log_of(*range(20)) + b"no end"
    (log,) = one(tmp_path, data).values()
    parts = parts_of(str(log), format="combined", part_bytes=250)
    assert parts[0].start == 0
    assert parts[-1].end == len(data)
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert {data[part.start - 1 : part.start] for part in parts[1:]} == {b"\n"}
    assert all(250 <= (part.end or 0) - part.start < 250 + len(log_of(0)) for part in parts[:-1])


def test_a_damaged_file_gives_what_stands_before_the_damage(tmp_path: Path) -> None:
    random = Random(7)
    lines = b"".join(line_of(random.randrange(3_000), random.randrange(3)) + b"\n" for _ in range(3_000))
    whole, cut = tmp_path / "whole.gz", tmp_path / "cut.gz"
    whole.write_bytes(gzip.compress(lines))
    cut.write_bytes(gzip.compress(lines)[:-3_000])
    found, (told,) = folded({"web": [cut, whole]})
    assert (told.reason, told.source) == ("damaged-file", str(cut))
    assert "damaged behind line" in told.text
    before = told.line - 1
    assert 1_000 < before < 3_000
    assert found.lines == before + 3_000


def test_lines_that_could_not_be_read_are_told_with_file_number_and_reason(tmp_path: Path) -> None:
    logs = {}
    for name in ("one", "two"):
        logs[name] = tmp_path / f"{name}.log"
        logs[name].write_bytes((log_of(0) + b"rubbish\n") * 80)
    with RejectWriter(tmp_path / "rejects.jsonl") as writer:
        found = tally_logs(logs, tracker=TRACKER, part_bytes=1_000, executor=AtOnce(), rejected=writer.write)
    wanted = [(str(path), number, "not-combined") for path in logs.values() for number in range(2, 161, 2)]
    assert [(one.source, one.line, one.reason) for one in read_rejects(tmp_path / "rejects.jsonl")] == wanted
    assert len(found.rejects) == 100
    assert (found.rejected, found.lines, found.hits) == ({"not-combined": 160}, 320, 160)


def test_two_logs_with_equal_lines_are_two_logs_and_two_files_of_one_are_one(tmp_path: Path) -> None:
    one, two = tmp_path / "a.log", tmp_path / "b.log"
    for path in (one, two):
        path.write_bytes(log_of(0))
    assert clicks(tally_logs({"a": one, "b": two}, tracker=TRACKER)) == 2
    assert clicks(tally_logs({"a": [one, two]}, tracker=TRACKER)) == 2
    assert clicks(tally_logs({"a": one}, tracker=TRACKER)) == 1
    one.write_bytes(log_of(*range(60, 120)))
    assert agree({"a": one, "b": two}, part_bytes=500).again == 0, "they have nothing to do with each other"


def clicks(found: LogTally) -> int:
    return found.tally.counts().deliveries["spring"].domains["Others"].reactions["click"]


def test_a_rotated_log_is_read_whole_the_oldest_file_first(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(log_of(0, 0)))
    (tmp_path / "access.log.1").write_bytes(log_of(0))
    found = agree({"web": log})
    assert found.hits == 3
    log.write_bytes(log_of(0, 1))
    assert agree({"web": log}).hits == 5
    assert folded({"web": log}, rotated=False)[0].hits == 2
    (tmp_path / "access.log-20261121").hardlink_to(log)
    assert folded({"web": log})[0].hits == 5


def test_formats_are_told_and_travel_by_name(tmp_path: Path) -> None:
    (path,) = one(tmp_path, log_of(*range(5))).values()
    found = agree({"web": path}, format="auto", part_bytes=100)
    assert found.hits == 5
    assert {part.format for part in parts_of(str(path), format="auto", part_bytes=200)} == {"combined"}
    own = formats.nginx("log_format own '$msec $request_method $request_uri $status';")
    path.write_text("1772442000.000 GET /x 404\n" * 5)
    assert agree({"web": path}, format=own, part_bytes=50).hits == 5
    path.write_bytes(b"nothing that anybody knows\n")
    with pytest.raises(SourceError, match="cannot tell the format"):
        tally_logs({"web": path}, tracker=TRACKER, format="auto")


def test_progress_is_told_by_parts(tmp_path: Path) -> None:
    steps: list[int] = []
    found = tally_logs(one(tmp_path, log_of(*range(8))), tracker=TRACKER, part_bytes=300, progress=steps.append)
    assert steps == [1] * found.parts
    assert found.parts == 4


def test_a_pool_of_processes_folds_the_same(tmp_path: Path) -> None:
    logs = one(tmp_path, log_of(*range(40), *range(30, 60)) + b"rubbish\n")
    alone, rejects = folded(logs)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found, told = folded(logs, part_bytes=1_500, executor=pool)
        assert found.tally == alone.tally
        assert told == rejects
        own = formats.nginx("log_format own '$msec $request_method $request_uri $status';")
        with pytest.raises(InvalidOption, match="cannot be sent"):
            tally_logs(logs, tracker=TRACKER, format=own, executor=pool)
    with ThreadPoolExecutor(2) as threads:
        assert tally_logs(logs, tracker=TRACKER, format=own, executor=threads).rejected == {"not-own": 71}


def test_what_a_part_needs_travels(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path / "links", keep=7)
    keys = Keyring.from_secrets("a secret that is long enough to sign with")
    tracker = Tracker("https://t.example.com", keys, registry=registry, link_style="registered")
    compiled = tracker.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")
    registry.publish(compiled)
    url = (compiled.render(message_id="1").html or "").split('"')[1]
    tags = WebTags(tags=[WebTag(identifier="home", label="Home")], mode="permanent-last")
    assert tracker.resolve(url).destination == "https://shop.example/"
    there, tags_there = pickle.loads(pickle.dumps((tracker, tags)))
    assert there.resolve(url) == tracker.resolve(url)
    assert there.registry._keep == 7
    assert tags_there == tags
    with pytest.raises(TypeError):
        tags_there.tags["home"] = None

    log = tmp_path / "access.log"
    log.write_bytes(log_of(0))
    with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        bound = Tracker(
            "https://t.example.com", keys, registry=StoreRegistry(store, wait_seconds=60), link_style="registered"
        )
        with ProcessPoolExecutor(1) as pool, pytest.raises(InvalidOption, match="cannot be sent"):
            tally_logs({"web": log}, tracker=bound, executor=pool)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    logs = one(tmp_path, log_of(0))
    with pytest.raises(InvalidValue, match="mapping"):
        tally_logs([tmp_path], tracker=TRACKER)  # type: ignore[arg-type]
    for files in ([], None, [7]):
        with pytest.raises(InvalidValue, match="'web'"):
            tally_logs({"web": files}, tracker=TRACKER)  # type: ignore[dict-item]
    with pytest.raises(SourceError, match="no such file"):
        tally_logs({"web": tmp_path / "missing.log"}, tracker=TRACKER)
    with pytest.raises(SourceError, match="cannot read"):
        tally_logs({"web": tmp_path}, tracker=TRACKER)
    for part_bytes in (0, True, 1.5):
        with pytest.raises(InvalidOption, match="part_bytes"):
            tally_logs(logs, tracker=TRACKER, part_bytes=part_bytes)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="executor"):
        tally_logs(logs, tracker=TRACKER, executor="dask")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="format="):
        tally_logs(logs, tracker=TRACKER, format="csv")
    with pytest.raises(InvalidValue, match="PeoplePolicy"):
        tally_logs(logs, tracker=TRACKER, people="hash")  # type: ignore[arg-type]


def test_a_file_that_is_cut_meanwhile_fails_the_job(tmp_path: Path) -> None:
    logs = one(tmp_path, log_of(*range(10)))

    @attrs.define
    class Cutting(AtOnce):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            logs["web"].write_bytes(log_of(0))
            return super().submit(fn, *args, **kwargs)

    with pytest.raises(SourceError, match="was cut while it was read"):
        tally_logs(logs, tracker=TRACKER, part_bytes=300, executor=Cutting())


def test_a_failure_leaves_no_work_behind(tmp_path: Path) -> None:
    logs = one(tmp_path, log_of(*range(10)))

    class Never(Executor):
        futures: list[Future[Any]]

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            if not self.futures:
                future.set_exception(SourceError("the disk is on fire"))
            self.futures.append(future)
            return future

    never = Never()
    never.futures = []
    with pytest.raises(SourceError, match="on fire"):
        tally_logs(logs, tracker=TRACKER, part_bytes=100, executor=never)
    assert [future.cancelled() for future in never.futures] == [False] + [True] * 9
