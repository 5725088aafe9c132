"""Texts as engines keep them: each comes back, and their order is that of their characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy.dialects import mysql, postgresql, sqlite

from msgtrack.storage._types import EventId, IdText, pack_id
from msgtrack.testing import strategies

DIALECTS = [sqlite.dialect(), postgresql.dialect(), mysql.dialect()]
LOW = st.text(st.sampled_from("\0\1\2a\U0010ffff"), min_size=1, max_size=6)


def comparable(text):
    """What PostgreSQL compares by in the collation C, and everybody else by bytes."""
    return text.encode() if isinstance(text, str) else text


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@given(one=LOW | strategies.ids(), other=LOW | strategies.ids())
def test_ids_come_back_and_keep_their_order(dialect, one, other):
    kept = [IdText().process_bind_param(text, dialect) for text in (one, other)]
    assert [IdText().process_result_value(value, dialect) for value in kept] == [one, other]
    assert (comparable(kept[0]) < comparable(kept[1])) == (one < other)
    assert dialect.name != "postgresql" or "\0" not in kept[0]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@given(texts=st.lists(st.none() | LOW | strategies.ids(), max_size=4))
def test_columns_of_rows_are_kept_as_values_of_statements_are(dialect, texts):
    convert = IdText().to_engine(dialect)
    assert [*(convert(texts) if convert else texts)] == [IdText().process_bind_param(text, dialect) for text in texts]
    event_ids = [text for text in texts if text]
    convert = EventId().to_engine(dialect)
    packed = [*map(pack_id, event_ids)]
    kept = [EventId().process_bind_param(text, dialect) for text in event_ids]
    assert [*(convert(packed) if convert else packed)] == kept
    assert [EventId().process_result_value(value, dialect) for value in kept] == event_ids
