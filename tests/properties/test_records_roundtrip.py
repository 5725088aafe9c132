"""Whatever is written comes back; whatever is read is a value or an error of ours."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

from attrs import fields
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack.errors import MsgtrackError
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import FACT_KEYS
from msgtrack.hits import Hit
from msgtrack.records import WRITTEN_KINDS, _explainer, from_dict, from_json, to_dict, to_json
from msgtrack.testing import strategies

VALUES = {
    strategy: kind
    for kind, strategy in {
        "Delivery": strategies.deliveries(),
        "Message": strategies.messages(),
        "TrackedLink": strategies.links(),
        "WorkflowRun": strategies.runs(),
        "Checkpoint": strategies.checkpoints(),
        "FrozenCounts": strategies.frozen_counts(),
        "AuditEntry": strategies.audits(),
        "Hit": strategies.hits(),
        "Rejected": strategies.rejects(),
        "Verdict": strategies.verdicts(),
        "Client": strategies.clients(),
        "Policy": strategies.policies(),
        "events": strategies.events(),
        **{kind.__name__: strategies.facts(kind) for kind in FACT_KEYS},
    }.items()
}
values = st.one_of(list(VALUES))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def test_every_class_that_has_a_written_form_is_tried_here():
    named = {kind.__name__ for kind in WRITTEN_KINDS} - {cls.__name__ for cls in EVENT_KINDS.values()}
    assert named | {"events"} == {*VALUES.values()}


FULL = Hit(
    method="GET",
    url="/\ud800",
    received_at=datetime(1, 1, 1, tzinfo=UTC),
    status=0,
    source_id="p",
    **{field.name: f'{field.name} "ä' for field in fields(Hit) if field.default == "" and field.name != "privacy"},
    privacy="no-key",
)


@given(strategies.hits())
@example(FULL)
def test_a_hit_is_written_as_anything_else_is(hit):
    assert to_json(hit) == json.dumps(to_dict(hit), separators=(",", ":"))


def test_every_field_of_a_hit_is_tried_there():
    assert {*to_dict(FULL)} == {"v", *(field.name for field in fields(Hit))}


@given(values)
def test_what_was_written_comes_back(value):
    line = to_json(value)
    back = from_json(line, type(value))
    assert back == value
    assert type(back) is type(value)
    assert line.isascii()
    assert "\n" not in line
    assert to_json(back) == line


@given(strategies.events())
def test_an_event_needs_no_class_to_be_read(event):
    back = from_json(to_json(event), Event)
    assert (type(back), back, back.has_own_id, back.id) == (type(event), event, event.has_own_id, event.id)


@given(values)
def test_both_readers_agree(value):
    mapping = to_dict(value)
    fields = {name: part for name, part in mapping.items() if name not in ("v", "kind")}
    assert _explainer(type(value))(fields, type(value)) == from_dict(mapping, type(value))


@given(st.sampled_from([*WRITTEN_KINDS, Event]), json_values)
def test_any_json_gives_a_value_or_our_error(kind, mapping):
    for read in (lambda: from_dict(mapping, kind), lambda: from_json(json.dumps(mapping), kind)):
        with suppress(MsgtrackError):
            assert isinstance(read(), kind)


@given(values, st.data())
def test_a_value_with_one_field_spoilt_gives_a_value_or_our_error(value, data):
    mapping = to_dict(value)
    name = data.draw(st.sampled_from(sorted(mapping)))
    spoilt = data.draw(json_values)
    try:
        read = from_dict(mapping | {name: spoilt}, type(value))
    except MsgtrackError as error:
        complaint = str(error)
    else:
        assert isinstance(read, type(value))
        return
    assert name in complaint


@given(st.sampled_from([*WRITTEN_KINDS, Event]), st.text(max_size=40))
def test_any_text_gives_a_value_or_our_error(kind, text):
    with suppress(MsgtrackError):
        from_json(text, kind)
