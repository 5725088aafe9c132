"""How long things are kept, and the values that keeping house leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import fields
from hypothesis import given

from msgtrack.errors import InvalidOption, InvalidValue, NaiveDatetime
from msgtrack.protocols import CAPABILITIES, AuditEntry, Capabilities, FrozenCounts
from msgtrack.testing import strategies
from msgtrack.upkeep import PURGED_KINDS, Retention, cutoffs

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def test_the_defaults_are_those_of_the_reference():
    days = {kind: (NOW - moment).days for kind, moment in Retention().before(NOW).items()}
    assert days == {"events": 360, "messages": 180, "visitors": 30, "rejects": 180, "audits": 180}


def test_every_kind_has_a_number_of_days():
    assert {attribute.name for attribute in fields(Retention)} == {f"{kind}_days" for kind in PURGED_KINDS}


@given(strategies.retentions())
def test_what_is_kept_for_ever_has_no_moment(retention):
    before = retention.before(NOW)
    assert cutoffs(before) == before
    for kind in PURGED_KINDS:
        days = getattr(retention, f"{kind}_days")
        assert before.get(kind) == (None if days is None else NOW - timedelta(days=days))


def test_one_moment_stands_for_all_kinds_but_strays():
    assert cutoffs(NOW) == dict.fromkeys(PURGED_KINDS.keys() - {"strays"}, NOW)
    assert cutoffs({"strays": NOW}) == {"strays": NOW}
    assert cutoffs({}) == {}


@pytest.mark.parametrize(
    ("before", "error"),
    [
        ({"links": NOW}, InvalidOption),
        ({"events": datetime(2026, 1, 1)}, NaiveDatetime),
        (datetime(2026, 1, 1), NaiveDatetime),
        ("2026-01-01", InvalidValue),
        (None, InvalidValue),
        ({"events": None}, InvalidValue),
    ],
)
def test_what_is_no_moment_is_refused(before, error):
    with pytest.raises(error):
        cutoffs(before)


def test_closed_lists_are_closed():
    with pytest.raises(InvalidOption):
        FrozenCounts(delivery_id="1", audience="robots", zone="UTC", frozen_at=NOW)
    for wrong in ({"action": "tidy"}, {"status": "begun"}):
        with pytest.raises(InvalidOption):
            AuditEntry(**{"id": "1", "action": "purge", "started_at": NOW} | wrong)


def test_a_secret_is_not_shown():
    entry = AuditEntry(id="1", action="erase", started_at=NOW, secret="hush")
    assert "hush" not in repr(entry)


def test_every_capability_is_described():
    assert [*CAPABILITIES] == [attribute.name for attribute in fields(Capabilities)]
    assert all(sentence and sentence[-1] != "." for sentence in CAPABILITIES.values())
    assert len(CAPABILITIES) == 10
