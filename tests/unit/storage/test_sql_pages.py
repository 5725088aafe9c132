"""Pages of many deliveries, which are found delivery by delivery, are those that sorting everything would give."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.protocols import Query
from msgtrack.storage import MemoryStore

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = [FIRST, *(NOON + timedelta(microseconds=n // 2) for n in range(20)), LAST]
NAMES = ["1", "10", "2", "a\x00b", "é", None]


def filled(store):
    rng = random.Random(7)
    store.ingest(
        Click(
            id=f"e{n}" if n % 3 else None,
            occurred_at=rng.choice(MOMENTS),
            delivery_id=rng.choice(NAMES),
            message_id=str(n),
        )
        for n in range(150)
    )
    return store


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def stores(request, tmp_path_factory):
    """A filled store of each engine, and the same in memory."""
    if request.param == "sqlite":
        with open_store(f"sqlite:///{tmp_path_factory.mktemp('pages') / 's.db'}") as store:
            yield filled(store), filled(MemoryStore())
    else:
        with request.getfixturevalue(request.param).place() as url, open_store(url) as store:
            yield filled(store), filled(MemoryStore())


pages = st.builds(
    Query,
    limit=st.integers(0, 40),
    newest_first=st.booleans(),
    delivery_ids=st.none() | st.lists(st.sampled_from([*NAMES[:-1], "nobody"]), max_size=4),
    except_delivery_ids=st.lists(st.sampled_from(NAMES[:-1]), max_size=3),
    since=st.none() | st.sampled_from(MOMENTS),
    until=st.none() | st.sampled_from(MOMENTS),
    after=st.none() | st.tuples(st.sampled_from(MOMENTS), st.sampled_from(["e0", "e77", "z", "0"])),
)


@settings(max_examples=60)
@given(pages)
def test_pages_are_those_of_the_store_in_memory(stores, query):
    store, reference = stores
    assert list(store.scan(query)) == list(reference.scan(query))


@pytest.mark.parametrize("newest_first", [False, True])
def test_page_after_page_gives_the_whole(stores, newest_first):
    store, _ = stores
    query = Query(limit=7, newest_first=newest_first)
    seen = page = [*store.scan(query)]
    while page:
        page = [*store.scan(evolve(query, after=page[-1]))]
        seen += page
    assert seen == [*store.scan(Query(newest_first=newest_first))]


def test_a_page_is_one_state_and_ends_with_its_store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        assert list(store.scan(Query(limit=3))) == []
        filled(store)
        with store.snapshot():
            first = next(store.scan(Query(limit=3)))
            store.ingest([Click(id="new", occurred_at=FIRST, delivery_id="0")])
            assert next(store.scan(Query(limit=3))) == first
        assert "new" in [event.id for event in store.scan(Query(limit=30))]


@pytest.mark.parametrize("newest_first", [False, True])
def test_events_of_the_moment_that_a_page_begins_behind_end_no_page(tmp_path, newest_first):
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        at_once = [Click(id=f"e{n}", occurred_at=NOON, delivery_id="1") for n in range(5)]
        others = [Click(id=str(n), occurred_at=NOON + timedelta(days=n), delivery_id="1") for n in (-2, -1, 1, 2)]
        store.ingest([*at_once, *others])
        found = store.scan(Query(limit=3, after=(NOON, "e2"), newest_first=newest_first))
        assert [event.id for event in found] == (["e1", "e0", "-1"] if newest_first else ["e3", "e4", "1"])
        alone = Query(limit=2, after=(NOON - timedelta(days=9), "e"), until=NOON, newest_first=False)
        assert [event.id for event in store.scan(alone)] == ["-2", "-1"]
