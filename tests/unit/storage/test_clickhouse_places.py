"""A recipient's events on ClickHouse are sought by the moments at which his messages have any."""

from __future__ import annotations

import re

import pytest

from msgtrack.protocols import Query

pytest.importorskip("sqlalchemy", reason="the extra 'clickhouse' is not installed")

from msgtrack.storage._clickhouse_dialect import text_of
from msgtrack.storage._clickhouse_places import placed
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._schema import tables_of

TABLES = tables_of("msgtrack_", "stats")


def said(query, *answers):
    """What the engine is asked, given these answers to what is asked first, the names of the database left out."""
    asked = []
    left = iter(answers)

    def rows(statement):
        asked.append(statement)
        return next(left)

    asked += [text_of(statement) for statement in placed(rows, TABLES, query)]
    assert next(left, None) is None
    return [" ".join(re.sub(r"`stats`\.|`msgtrack_\w+`\.(?=`)|`", "", text).split()) for text in asked]


def test_first_his_messages_then_their_moments_then_the_rows():
    named, moments, rows = said(Query(recipient_id="r1", limit=50), [("a", "1")], [(5,), (7,)])
    assert named == "SELECT delivery_id, id FROM msgtrack_messages WHERE recipient_id = 'r1' LIMIT 501"
    theirs = "WHERE delivery_id IN ('a') AND message_id IN ('1')"
    assert moments == f"SELECT DISTINCT occurred_at FROM msgtrack_events {theirs} LIMIT 5001 SETTINGS final = 0"
    assert f"FROM msgtrack_events {theirs} AND occurred_at IN (5, 7) ORDER BY occurred_at" in rows
    assert rows.endswith("LIMIT 50 SETTINGS use_skip_indexes_if_final = 0, optimize_move_to_prewhere_if_final = 1")


def test_messages_of_several_deliveries_are_found_by_both_ids_together():
    *_, rows = said(Query(recipient_id="r1"), [("a", "1"), ("b", "2")], [(5,)])
    assert "(delivery_id, message_id) IN (('a', '1'), ('b', '2'))" in rows


def test_whatever_else_is_asked_holds_for_the_moments_too():
    query = Query(
        recipient_id="r1", delivery_ids=["a", "c"], kinds=["click"], labels=["Shop"], except_delivery_ids=["d"]
    )
    named, moments, rows = said(query, [("a", "1")], [(5,)])
    assert named.endswith("WHERE recipient_id = 'r1' AND delivery_id IN ('a', 'c') LIMIT 501")
    conditions = rows.split(" WHERE ", 1)[1].split(" AND occurred_at IN")[0]
    assert "kind IN ('click')" in conditions
    assert "label_key IN" in conditions
    assert conditions in moments


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([[("a", str(n)) for n in range(MAX_IN + 1)]], id="messages"),
        pytest.param([[("a", "1")], [(n,) for n in range(5001)]], id="moments"),
    ],
)
def test_of_too_many_the_engine_reads_all(answers):
    rows = said(Query(recipient_id="r1"), *answers)[-1]
    assert "(SELECT delivery_id, id FROM msgtrack_messages WHERE recipient_id = 'r1')" in rows
    assert "SETTINGS" not in rows


def test_of_somebody_without_messages_nothing_more_is_asked():
    assert len(said(Query(recipient_id="r1"), [])) == 1


def test_of_messages_without_events_no_rows_are_asked():
    assert len(said(Query(recipient_id="r1"), [("a", "1")], [])) == 2


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_page_begins_with_the_moments_that_it_most_likely_shows(newest_first):
    """What was replaced may have stood at one of them, so the others follow, in ever larger steps."""
    query = Query(recipient_id="r1", limit=2, newest_first=newest_first)
    moments = [(at,) for at in (3, 8, 1, 7, 2, 6, 5, 4)]
    _, _, *rows = said(query, [("a", "1")], moments)
    there = [[int(at) for at in re.findall(r"occurred_at IN \((.*?)\)", row)[0].split(", ")] for row in rows]
    ordered = sorted(range(1, 9), reverse=newest_first)
    assert there == [ordered[:2], ordered[2:6], ordered[6:]]


@pytest.mark.parametrize("query", [Query(), Query(message_ids=["1"]), Query(recipient_id="r1", domains=["Gmail"])])
def test_other_questions_are_asked_at_once(query):
    assert len(said(query)) == 1
