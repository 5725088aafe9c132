"""The Tracking workflow: everything once, whatever is read twice, cut, equal or broken."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker, collect, open_store
from msgtrack.clients import ClientReader
from msgtrack.errors import InvalidValue, NaiveDatetime, NotSupported, SourceError
from msgtrack.events import Click, Event, Open
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, collected_id, identified
from msgtrack.protocols import Batch, Query

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring")


def url_of(message_id: str, kind: str) -> str:
    out = PAGE.render(message_id=message_id).html or ""
    start = {"click": 'href="', "open": '<img src="'}[kind]
    return out.partition(start)[2].partition('"')[0]


def hit(kind: str = "click", message_id: str = "7", seconds: float = 0, **fields: Any) -> Hit:
    return Hit(
        **{"method": "GET", "url": url_of(message_id, kind), "received_at": AT + timedelta(seconds=seconds), **fields}
    )


@attrs.define
class Lines:
    """A source of records in one file; its position is how many were read."""

    records: list[Hit | Event | Rejected]
    batch: int = 1_000
    scope: str = "file"

    def read(self, position: str | None) -> Iterator[Batch]:
        start = int(position or 0)
        for at in range(start, len(self.records), self.batch):
            part = self.records[at : at + self.batch]
            yield Batch(records=tuple(part), position=str(at + len(part)), scope=self.scope)


@attrs.define
class Broken:
    records: list[Hit]

    def read(self, position: str | None) -> Iterator[Batch]:
        if position is None:
            yield Batch(records=tuple(self.records), position="1")
        raise SourceError("the disk is on fire")


def test_hits_become_events_once() -> None:
    store = open_store("memory:")
    source = Lines(
        [
            hit("open"),
            hit("click", seconds=5),
            hit("click", method="HEAD"),
            hit(url="/x"),
            Rejected(line=5, reason="bad", text="?"),
        ]
    )
    run = collect({"web-1": source}, store, tracker=TRACKER, now=NOW)
    assert (run.hits, run.events, run.added, run.known, run.rejected) == (4, 2, 2, 0, 1)
    assert run.skipped == {"head": 1, "unknown": 1}
    assert [(reject.line, reject.source) for reject in run.rejects] == [(5, "web-1")]
    assert (run.status, run.started_at, run.sources) == ("finished", NOW, ("web-1",))
    events = list(store.scan(Query()))
    assert [(type(event), event.message_id, event.source) for event in events] == [
        (Open, "7", "web-1"),
        (Click, "7", "web-1"),
    ]
    again = collect({"web-1": source}, store, tracker=TRACKER, now=NOW)
    assert (again.hits, again.added) == (0, 0)
    replayed = collect({"web-1": Lines(source.records)}, _without_checkpoints(store), tracker=TRACKER, now=NOW)
    assert (replayed.hits, replayed.added, replayed.known) == (4, 0, 2)
    assert list(store.scan(Query())) == events
    assert len({run.id for run in store.runs()}) == 3


def _without_checkpoints(store: Any) -> Any:
    class Forgetful:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def checkpoint(self, source: str) -> None:
            return None

    return Forgetful()


def test_a_request_that_its_server_named_is_one_event_from_any_source() -> None:
    store = open_store("memory:")
    named = hit(request_id="r1")
    run = collect(
        {"a": Lines([named]), "b": Lines([named]), "c": Lines([hit(), hit()])}, store, tracker=TRACKER, now=NOW
    )
    assert (run.added, run.known) == (3, 1)


@given(st.integers(1, 7), st.lists(st.sampled_from([0, 0, 0, 1, 2, 30]), max_size=12))
@settings(max_examples=50)
def test_equal_hits_are_all_kept_wherever_reading_stops(batch: int, gaps: list[int]) -> None:
    moments = [sum(gaps[:count]) for count in range(len(gaps))]
    records: list[Hit | Event | Rejected] = [hit(seconds=moment) for moment in moments]
    whole, parts = open_store("memory:"), open_store("memory:")
    collect({"web": Lines(list(records))}, whole, tracker=TRACKER, now=NOW)
    for stop in range(len(records) + 1):
        collect({"web": Lines(records[:stop], batch)}, parts, tracker=TRACKER, now=NOW)
    assert list(parts.scan(Query())) == list(whole.scan(Query()))
    assert len(list(whole.scan(Query()))) == len(records)


def test_opens_of_one_message_within_a_minute_are_one_in_any_order() -> None:
    moments = (0, 1, 59, 60, 3_600)
    for order in permutations(moments):
        store = open_store("memory:")
        collect({"web": Lines([hit("open", seconds=moment) for moment in order])}, store, tracker=TRACKER, now=NOW)
        collect({"cdn": Lines([hit("open", seconds=2), hit("open", "8")])}, store, tracker=TRACKER, now=NOW)
        assert len(list(store.scan(Query(message_ids="7")))) == 3
        assert len(list(store.scan(Query(message_ids="8")))) == 1
    clicks = open_store("memory:")
    collect({"web": Lines([hit(seconds=moment) for moment in moments])}, clicks, tracker=TRACKER, now=NOW)
    assert len(list(clicks.scan(Query()))) == 5


def test_ready_events_are_kept_with_their_own_ids() -> None:
    store = open_store("memory:")
    events = [Click(id="mine", occurred_at=AT, delivery_id="1"), Click(occurred_at=AT, delivery_id="1")]
    collect({"crm": Lines(events)}, store, tracker=TRACKER, now=NOW)
    assert "mine" in {event.id for event in store.scan(Query())}
    assert len(list(store.scan(Query()))) == 2


def test_hits_at_hand_are_a_source() -> None:
    store = open_store("memory:")
    hits = [hit("open"), hit(), hit()]
    assert collect({"web": hits}, store, tracker=TRACKER, now=NOW).added == 3
    again = collect({"web": iter(hits)}, store, tracker=TRACKER, now=NOW)
    assert (again.hits, again.added, again.known) == (3, 0, 3)
    with pytest.raises(InvalidValue, match="not 'hit'"):
        collect({"web": ["hit"]}, store, tracker=TRACKER, now=NOW)  # type: ignore[list-item]


def test_a_broken_source_fails_the_run_and_hurts_no_other() -> None:
    store = open_store("memory:")
    run = collect({"bad": Broken([hit()]), "good": Lines([hit("open")])}, store, tracker=TRACKER, now=NOW)
    assert run.status == "failed"
    assert run.error == "bad: the disk is on fire"
    assert run.added == 2
    assert next(iter(store.runs())) == run


def test_a_store_that_fails_moves_no_checkpoint() -> None:
    store = open_store("memory:")

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def ingest(self, events: Any, checkpoint: Any) -> None:
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        collect({"web": Lines([hit()])}, Failing(), tracker=TRACKER, now=NOW)  # type: ignore[arg-type]
    assert store.checkpoint("web") is None
    assert collect({"web": Lines([hit()])}, store, tracker=TRACKER, now=NOW).added == 1


def test_rejects_are_counted_all_and_kept_some() -> None:
    store = open_store("memory:")
    rejects: list[Hit | Event | Rejected] = [Rejected(line=n, reason="bad", text="x") for n in range(1, 301)]
    run = collect({"web": Lines(rejects)}, store, tracker=TRACKER, now=NOW)
    assert (run.rejected, len(run.rejects)) == (300, 100)


def test_progress_is_told() -> None:
    steps: list[int] = []
    collect(
        {"web": Lines([hit(seconds=n) for n in range(7)], 3)},
        open_store("memory:"),
        tracker=TRACKER,
        now=lambda: NOW,
        progress=steps.append,
    )
    assert steps == [3, 3, 1]


def test_bad_arguments_are_named() -> None:
    store = open_store("memory:")
    for option in ("judge", "consent"):
        with pytest.raises(NotSupported, match=option):
            collect({}, store, tracker=TRACKER, now=NOW, **{option: object()})  # type: ignore[arg-type]
    with pytest.raises(NaiveDatetime):
        collect({}, store, tracker=TRACKER, now=datetime(2026, 1, 1))
    with pytest.raises(InvalidValue, match="'web'"):
        collect({"web": "hits/"}, store, tracker=TRACKER, now=NOW)  # type: ignore[dict-item]
    with Path(__file__).open() as file, pytest.raises(InvalidValue, match="SegmentFolder"):
        collect({"web": file}, store, tracker=TRACKER, now=NOW)  # type: ignore[dict-item]
    with pytest.raises(InvalidValue, match="mapping"):
        collect([hit()], store, tracker=TRACKER, now=NOW)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="PeoplePolicy"):
        collect({}, store, tracker=TRACKER, now=NOW, people="hash")  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([0, 1, 5, 9, 11, 40]), max_size=10), st.integers(0, 10))
def test_ordinals_go_on_from_their_state(gaps: list[int], stop: int) -> None:
    keys = [
        Click(occurred_at=AT + timedelta(seconds=sum(gaps[:n])), delivery_id="1").derived_id() for n in range(len(gaps))
    ]
    whole = Ordinals()
    expected = [whole.next(key) for key in keys]
    first = Ordinals()
    found = [first.next(key) for key in keys[:stop]]
    second = Ordinals(first.state())
    found += [second.next(key) for key in keys[stop:]]
    assert found == expected


def test_identity_leaves_what_has_one() -> None:
    event = Click(id="mine", occurred_at=AT)
    assert identified(event, Ordinals()) is event
    assert collected_id(event) is event
    nobody = Open(id="x", occurred_at=AT, delivery_id="1")
    assert collected_id(nobody) is nobody


def test_user_agents_are_read_where_somebody_does() -> None:
    pytest.importorskip("ua_parser_rs", reason="ua-parser's compiled matcher is not installed")
    read = ClientReader()
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/117.0"
    plain, told = open_store("memory:"), open_store("memory:")
    hits = [hit(user_agent=agent), hit("open", "8")]
    came = Click(id="p1", occurred_at=AT, delivery_id="spring", message_id="9", client=agent)
    for store, clients in ((plain, None), (told, read)):
        collect({"web": [*hits, came]}, store, tracker=TRACKER, now=NOW, clients=clients)
    assert [event.id for event in plain.scan()] == [event.id for event in told.scan()]
    clients = {event.message_id: event.client for event in told.scan()}
    assert clients == {"7": read(agent), "8": None, "9": read(agent)}
    assert read(agent).browser == "Firefox"
    assert {event.client.browser for event in plain.scan() if event.client} == {""}
    with pytest.raises(InvalidValue, match="ClientReader"):
        collect({}, plain, tracker=TRACKER, now=NOW, clients=str)  # type: ignore[arg-type]


def test_a_tracker_that_was_used_travels() -> None:
    assert TRACKER.resolve(url_of("7", "click")).message_id == "7"
    again = pickle.loads(pickle.dumps(TRACKER))
    assert again.resolve(url_of("7", "click")) == TRACKER.resolve(url_of("7", "click"))
    assert again.person_salt("2026-11-21") == TRACKER.person_salt("2026-11-21")
