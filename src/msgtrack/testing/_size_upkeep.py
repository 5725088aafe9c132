"""Clauses S29 to S35 once more, where more is to be taken out, purged or erased than one batch holds."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

import pytest
from attrs import evolve

from msgtrack.events import Event, PageVisit
from msgtrack.facts import StepView
from msgtrack.hits import Rejected
from msgtrack.model import Client, Message
from msgtrack.protocols import AuditEntry, WorkflowRun
from msgtrack.storage import BaseStore
from msgtrack.testing._cases import NOON, Broken, breaking, click, needs
from msgtrack.testing._house import DAY, LATER, broken_after, sent, thawed
from msgtrack.testing._sizes import BATCHES, crowd, strewn

__all__ = ["SizeUpkeepClauses"]

_HIS_MESSAGES = 600


class SizeUpkeepClauses:
    """Keeping house where there is much to do."""

    def test_S29_thousands_are_taken_out_and_rewritten(self, revisable: BaseStore) -> None:
        """S29: records and events, in one call; the others stay."""
        events = crowd(3 * BATCHES)
        messages = [Message(delivery_id="1", id=str(n), variant="old") for n in range(2 * BATCHES)]
        revisable.put(messages)
        revisable.ingest(events)
        gone, changed, rest = events[:BATCHES], events[BATCHES : 2 * BATCHES], events[2 * BATCHES :]
        rewritten = [evolve(event, source_id="new") for event in changed]
        revisable.revise(
            remove=strewn(messages[:BATCHES]),
            records=(evolve(message, variant="new") for message in messages[BATCHES:]),
            remove_events=[event.id for event in strewn(gone)],
            events=(event for event in strewn(rewritten)),
        )
        assert list(revisable.scan()) == [*rewritten, *rest]
        assert {(int(message.id), message.variant) for message in revisable.messages()} == {
            (n, "new") for n in range(BATCHES, 2 * BATCHES)
        }
        revisable.rebuild()
        slots = [rows for of in revisable.slots().values() for links in of.values() for rows in links.values()]
        assert sum(sum(rows.values()) for rows in slots) == 2 * BATCHES

    def test_S29_a_long_revision_is_all_or_nothing(self, revisable: BaseStore) -> None:
        """S29, where ``atomic_ingest`` holds: an iterable that raises after thousands leaves everything as it was."""
        needs(revisable.capabilities, "atomic_ingest")
        events = crowd(2 * BATCHES)
        revisable.ingest(events)
        rewritten = (evolve(event, source_id="new") for event in events[BATCHES:])
        with pytest.raises(Broken):
            revisable.revise(remove_events=[event.id for event in events[:BATCHES]], events=breaking(rewritten))
        assert list(revisable.scan()) == events

    def test_S30_more_strays_rejects_and_entries_go_than_one_batch(self, revisable: BaseStore) -> None:
        """S30: those that are old, and no others."""
        moments = [LATER if n % 20 == 19 else NOON for n in range(BATCHES)]
        rejects = [Rejected(line=1, reason="x", text="t")]
        runs = [WorkflowRun(id=str(n), started_at=at, rejects=rejects) for n, at in enumerate(moments)]
        revisable.put([*runs, *(AuditEntry(id=f"a{n}", action="purge", started_at=at) for n, at in enumerate(moments))])
        revisable.ingest(PageVisit(occurred_at=at, id=str(n)) for n, at in enumerate(moments))
        entry = revisable.purge(dict.fromkeys(("strays", "rejects", "audits"), LATER), now=LATER)
        old = moments.count(NOON)
        assert dict(entry.done) == {"strays": old, "rejects": old, "audits": old}
        assert {event.occurred_at for event in revisable.scan()} == {LATER}
        assert {run.id: len(run.rejects) for run in revisable.runs()} == {r.id: r.started_at == LATER for r in runs}
        assert len(list(revisable.audits())) == BATCHES - old + 1

    def test_S32_a_purge_may_break_off_between_its_batches(self, revisable: BaseStore) -> None:
        """S32: some thousands are gone, others not; counts stay, and the same call goes on."""
        _put_old(revisable)
        before = revisable.counts()
        for writes in (3, 2, 2):
            with broken_after(revisable, writes):
                revisable.purge(LATER, now=LATER + writes * DAY)
            assert thawed(revisable.counts()) == before
        revisable.purge(LATER, now=LATER + 9 * DAY)
        assert [*revisable.scan(), *revisable.messages()] == []
        assert thawed(revisable.counts()) == before

    def test_S33_what_identifies_goes_from_more_than_one_batch(self, revisable: BaseStore) -> None:
        """S33: of all his messages and events, and of all that his browsers did; others keep theirs."""
        _put_busy(revisable)
        before, others = revisable.counts(), list(revisable.export("r2"))
        entry = revisable.erase("r1", now=LATER)
        assert revisable.counts() == before
        assert entry.done["events"] == BATCHES
        assert {entry.done[kind] for kind in ("messages", "events elsewhere", "step views")} == {_HIS_MESSAGES}
        _is_forgotten(revisable)
        assert list(revisable.export("r2")) == others
        assert (len(list(revisable.scan())), len(list(revisable.messages()))) == (
            BATCHES + _HIS_MESSAGES + 50,
            _HIS_MESSAGES + 50,
        )

    def test_S34_whoever_is_removed_goes_with_more_than_one_batch(self, revisable: BaseStore) -> None:
        """S34: all his messages, and all events that name them."""
        _put_busy(revisable)
        others = list(revisable.export("r2"))
        revisable.erase("r1", now=LATER, anonymise=False)
        _is_forgotten(revisable)
        assert list(revisable.export("r2")) == others
        assert len(list(revisable.scan())) == _HIS_MESSAGES + 50
        counts = revisable.counts().deliveries
        assert counts["1"].rows("click") == 50
        assert revisable.slots() == {name: of.slots for name, of in counts.items() if of.slots}

    def test_S35_an_export_of_thousands_is_whole(self, store: BaseStore) -> None:
        """S35: messages, events and steps, each once."""
        _put_busy(store)
        exported = list(store.export("r1"))
        assert len([value for value in exported if isinstance(value, Message)]) == _HIS_MESSAGES
        assert len([value for value in exported if isinstance(value, StepView)]) == _HIS_MESSAGES
        assert len({value.id for value in exported if isinstance(value, Event)}) == BATCHES + _HIS_MESSAGES
        assert len(exported) == BATCHES + 3 * _HIS_MESSAGES


def _put_old(store: BaseStore) -> None:
    """A delivery that is over, with more events and messages than one batch holds."""
    store.put(sent("1", str(n), recipient_id=f"r{n}", address=f"{n}@gmail.com") for n in range(BATCHES))
    store.ingest(click(n % 20, id=str(n), message_id=str(n), source_id=f"b{n % 300}") for n in range(BATCHES))


def _put_busy(store: BaseStore) -> None:
    """Somebody with more events than one batch holds, and with many messages and browsers, which did more; and somebody else."""
    his, client = range(_HIS_MESSAGES), Client(user_agent="Mozilla/1", browser="Firefox")
    store.put(sent("1", str(n), recipient_id="r1", address=f"r1-{n % 3}@mail.example", is_quarantine=True) for n in his)
    store.put(StepView(application_id="app", source_id=f"b{n}!", step="one", occurred_at=NOON) for n in his)
    store.ingest(
        click(n % 20, id=f"c{n}", message_id=str(name), source_id=f"b{name}!", client=client)
        for n in range(BATCHES)
        for name in (n % _HIS_MESSAGES,)
    )
    store.ingest(PageVisit(occurred_at=NOON, id=f"v{n}", source_id=f"b{n}!", client=client) for n in his)
    store.put(sent("1", f"o{n}", recipient_id="r2", address="r2@mail.example") for n in range(50))
    store.ingest(click(n, id=f"o{n}", message_id=f"o{n}", source_id="b of r2") for n in range(50))


def _is_forgotten(store: BaseStore) -> None:
    """Whether nothing leads to the busy one any more."""
    assert list(store.export("r1")) == []
    assert [message for message in store.messages() if "r1" in (message.recipient_id, message.address[:2])] == []
    persons = [*(event.source_id for event in store.scan()), *(view.source_id for view in store.facts(StepView))]
    assert [person for person in persons if person is not None and person.endswith("!")] == []
    assert {event.client.user_agent for event in store.scan() if event.client is not None} <= {""}
