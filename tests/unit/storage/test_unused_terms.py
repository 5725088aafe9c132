"""The dictionary of a store: what nobody refers to goes by rebuilding all, and no handle takes for granted what it wrote before."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from msgtrack import open_store
from msgtrack.events import Click, Open
from msgtrack.model import Client, Delivery, Message
from msgtrack.protocols import Query

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy import func, select

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mariadb"])
def url(request, tmp_path):
    """An empty store of each engine that keeps a dictionary and forgets in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    elif request.param == "duckdb":
        pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
        yield f"duckdb:///{tmp_path / 'store.duckdb'}"
    else:
        with request.getfixturevalue(request.param).place() as address:
            yield address


def message(number, **fields):
    return Message(delivery_id="1", id=str(number), status="sent", event_at=NOON, variant=f"v{number}", **fields)


def click(number, browser, **fields):
    at = NOON + timedelta(seconds=number)
    return Click(
        id=f"e{number}", occurred_at=at, delivery_id="1", message_id="1", client=Client(browser=browser), **fields
    )


def terms(store):
    [(number,)] = store._rows(select(func.count()).select_from(store._tables.terms))
    return number


def test_rebuilding_all_drops_the_terms_that_nobody_refers_to(url):
    with open_store(url) as store:
        store.put([Delivery(id="1"), message(1), message(2), message(3)])
        store.ingest([click(1, "Firefox"), click(2, "Edge"), click(3, "Opera", is_seed=True), click(4, "Edge")])
        store.ingest([Open(id="bare", occurred_at=NOON, delivery_id="1")])
        before, there = store.counts(), terms(store)
        assert there == 3 + 3
        store.rebuild(["1"])
        store.rebuild()
        assert (store.counts(), terms(store)) == (before, there)
        store.revise(remove=[message(2)], remove_events=["e1", "e3"])
        store.put([message(3, is_quarantine=True)])
        store.rebuild(["1"])
        after = store.counts()
        assert terms(store) == there + 1
        store.rebuild()
        # Of programs Edge, of messages the first and the third as it is now.
        assert terms(store) == 1 + 2
        assert store.counts() == after
        store.revise(remove=[message(1), message(3)], remove_events=["e2", "e4", "bare"])
        store.rebuild()
        assert terms(store) == 0
        assert store.counts().deliveries["1"].slots == {}


def test_a_handle_writes_terms_again_that_another_dropped(url):
    with ExitStack() as stack:
        one, other = (stack.enter_context(open_store(url)) for _ in range(2))
        one.put([message(1)])
        one.ingest([click(1, "Firefox")])
        first = one.counts()
        other.revise(remove=[message(1)], remove_events=["e1"])
        other.rebuild()
        assert terms(one) == 0
        one.put([message(1)])
        one.ingest([click(1, "Firefox")])
        assert one.counts() == other.counts() == first
        assert one.counts(Query(audience="unsure")).deliveries["1"] == first.deliveries["1"]
        # A call that is under way while the other drops terms brings its own along; on SQLite the other waits.
        other.ingest(under_way(one, "sqlite" not in url))
        assert terms(one) == 1 + 3
        assert one.counts() == other.counts()
        assert {row.browser for row in one.counts().visits} == {"Firefox", "Edge", "Opera"}


def under_way(another, may_write):
    yield from (click(number, "Edge") for number in range(10, 7000))
    if may_write:
        another.rebuild()
    yield click(3, "Opera")
