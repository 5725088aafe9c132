"""The store in memory, saved to a file and loaded again."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack.errors import StoreClosed, UnreadableInput
from msgtrack.facts import FACT_KEYS
from msgtrack.model import Delivery
from msgtrack.protocols import Checkpoint
from msgtrack.storage import MemoryStore
from msgtrack.testing import strategies


def contents(store):
    facts = [fact for kind in FACT_KEYS for fact in store.facts(kind)]
    listings = (store.deliveries(), store.messages(), store.links(), store.runs(), store.frozen(), store.audits())
    return [[*listing] for listing in listings], facts, [*store.scan()], store.counts()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    world=strategies.worlds(),
    others=st.lists(strategies.runs() | strategies.audits() | strategies.deliveries() | strategies.links(), max_size=4),
    events=st.lists(strategies.events(), max_size=4),
    checkpoint=strategies.checkpoints(),
)
def test_what_was_saved_is_loaded(tmp_path_factory, world, others, events, checkpoint):
    path = tmp_path_factory.mktemp("saved") / "store.jsonl"
    store = MemoryStore()
    store.put([*world.records, *others])
    store.ingest([*world.events, *events], checkpoint)
    store.save(path)
    loaded = MemoryStore.load(path)
    assert contents(loaded) == contents(store)
    assert loaded.checkpoint(checkpoint.source) == checkpoint
    assert not any(loaded.ingest(store.scan()).added for _ in range(2))
    loaded.save(str(path))
    assert contents(MemoryStore.load(path)) == contents(store)
    assert [*path.parent.iterdir()] == [path]


def test_a_save_that_fails_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "store.jsonl"
    store = MemoryStore()
    store.put([Delivery(id="1")])
    store.save(path)
    store.put([Delivery(id="2")])
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UnreadableInput, match=r"store\.jsonl: the store cannot be saved: No space left"):
        store.save(path)
    assert [delivery.id for delivery in MemoryStore.load(path).deliveries()] == ["1"]
    assert [*tmp_path.iterdir()] == [path]
    with pytest.raises(UnreadableInput, match="cannot be saved"):
        store.save(tmp_path / "none" / "store.jsonl")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("?", "line 3: .*Expecting value"),
        ("[]", "line 3: expected an object of one kind"),
        ('{"Delivery":{"v":1,"id":"1"},"Message":{}}', "line 3: expected an object of one kind"),
        ('{"Store":{}}', "line 3: a store keeps nothing of the kind 'Store'"),
        ('{"Delivery":{"v":1}}', r"line 3: Delivery\.id is missing"),
        ('{"Delivery":[]}', "line 3: Delivery: expected an object"),
        ('{"Event":{"v":9,"kind":"open"}}', "line 3: Event was written by schema version 9"),
        ("[" * 100_000, "line 3"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path, line, said):
    path = tmp_path / "store.jsonl"
    store = MemoryStore()
    store.put([Delivery(id="1")])
    store.save(path)
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(line)
    with pytest.raises(UnreadableInput, match=said):
        MemoryStore.load(path)


def test_other_files_are_no_stores(tmp_path):
    with pytest.raises(UnreadableInput, match="cannot be read"):
        MemoryStore.load(tmp_path / "none")
    for text in ("{}\n", json.dumps({"msgtrack": "store", "version": 2})):
        (tmp_path / "other").write_text(text, encoding="utf-8")
        with pytest.raises(UnreadableInput, match="not a store saved by this version"):
            MemoryStore.load(tmp_path / "other")
    store = MemoryStore()
    store.close()
    with pytest.raises(StoreClosed):
        store.save(tmp_path / "closed")


def test_checkpoints_are_saved(tmp_path):
    store = MemoryStore()
    for source in ("web", "WEB"):
        store.ingest([], Checkpoint(source=source, position=source))
    store.save(tmp_path / "s")
    assert MemoryStore.load(tmp_path / "s").checkpoint("WEB").position == "WEB"
