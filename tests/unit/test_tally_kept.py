"""A report works on what came since the last one: the work is counted, and what comes late is counted as well."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack._books import Book
from msgtrack._reactions import Reactions
from msgtrack.events import Click, Open
from msgtrack.facts import AddressState, Exclusion, Subscription
from msgtrack.model import Delivery, Message, TrackedLink, Verdict
from msgtrack.tally import Fact, Tally

START = datetime(2026, 3, 1, 22, tzinfo=UTC)


def folded(facts: Iterable[Fact]) -> Tally:
    tally = Tally()
    tally.extend(facts)
    return tally


class _Work:
    """What was read while it watched: events entered, and deliveries closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered: list[str] = []
        self.closed = 0
        enter, close = Reactions.enter, Book.close

        def entering(reactions: Reactions, kind: str, link_id: str, day: str, entries: Any, traffic: Any) -> None:
            self.entered += [f"{entry[2]}/{entry[3]}" for entry in entries]
            enter(reactions, kind, link_id, day, entries, traffic)

        def closing(book: Book, delivery: Any) -> Any:
            self.closed += 1
            return close(book, delivery)

        monkeypatch.setattr(Reactions, "enter", entering)
        monkeypatch.setattr(Book, "close", closing)

    def seen(self) -> tuple[list[str], int]:
        """And forgotten."""
        found = (sorted(self.entered), self.closed)
        self.entered, self.closed = [], 0
        return found


def click(delivery_id: str, message_id: str, **more: Any) -> Click:
    return Click(occurred_at=START, delivery_id=delivery_id, message_id=message_id, link_id="2", **more)


@pytest.fixture
def world() -> list[Fact]:
    """Three deliveries of ten messages, each clicked."""
    deliveries = [Delivery(id=name) for name in "123"]
    messages = [Message(id=str(n), delivery_id=d.id, recipient_id=f"r{n}") for d in deliveries for n in range(10)]
    clicks = [click(m.delivery_id, m.id, id=f"{m.delivery_id}/{m.id}", source_id=f"s{m.id}") for m in messages]
    return [*deliveries, *messages, *clicks]


def test_one_more_event_is_entered_alone(monkeypatch: pytest.MonkeyPatch, world: list[Fact]) -> None:
    tally = folded(world)
    work = _Work(monkeypatch)
    first = tally.counts()
    assert work.seen() == (sorted(f"{d}/{m}" for d in "123" for m in range(10)), 3)
    tally.add(click("2", "7", id="new", source_id="somebody"))
    second = tally.counts()
    assert work.seen() == (["2/7"], 1)
    assert second.deliveries["1"] is first.deliveries["1"]
    assert second.deliveries["2"] != first.deliveries["2"]
    assert (first.persons, second.persons) == (10, 11)
    tally.extend([click("3", "1"), click("3", "1")])
    tally.counts()
    assert work.seen() == (["3/1", "3/1"], 1)
    assert tally.counts() is tally.counts()
    assert work.seen() == ([], 0)


def test_what_is_known_is_no_news(monkeypatch: pytest.MonkeyPatch, world: list[Fact]) -> None:
    tally = folded(world)
    report = tally.counts()
    work = _Work(monkeypatch)
    tally.extend(world)
    tally.absorb(folded(world))
    assert tally.counts() is report
    assert work.seen() == ([], 0)


@pytest.mark.parametrize(
    ("fact", "entered"),
    [
        (Message(id="7", delivery_id="2", is_seed=True, status="sent"), 10),
        (TrackedLink(delivery_id="2", id="2", url="https://a.example/", type="mobile_click"), 10),
        (click("2", "7", id="2/8", source_id="s8"), 10),
        (Open(id="2/8", occurred_at=START - timedelta(days=1), delivery_id="2"), 10),
        (Delivery(id="2", to_deliver=4), 0),
        (Exclusion(delivery_id="2", id="x"), 0),
        (Message(id="new", delivery_id="2"), 10),
    ],
)
def test_what_changes_a_delivery_closes_that_one_alone(
    monkeypatch: pytest.MonkeyPatch, world: list[Fact], fact: Fact, entered: int
) -> None:
    for take in (Tally.add, lambda tally, fact: tally.absorb(folded([fact]))):
        tally = folded(world)
        tally.counts()
        with monkeypatch.context() as patch:
            work = _Work(patch)
            take(tally, fact)
            counts = tally.counts()
            seen, closed = work.seen()
        assert (closed, len(seen)) == (1, entered)
        assert {name[:2] for name in seen} <= {"2/"}
        assert counts == folded([*world, fact]).counts()


CHANGES: dict[str, list[Fact]] = {
    "messages": [Message(id="7", delivery_id="2", status=s) for s in ("prepared", "sent", "failed")],
    "links": [TrackedLink(delivery_id="2", id="2", url="https://a.example/", label=label) for label in "abc"],
    "an event": [click("2", "7", id="2/7", verdict=Verdict(audience=a)) for a in ("proxy", "machine", "human")],
    "exclusions": [Exclusion(delivery_id="2", id=name) for name in "abc"],
    "one exclusion": [Exclusion(delivery_id="2", id="x", rule=rule) for rule in "abc"],
    "one exclusion of two": [Exclusion(delivery_id="2", id=i, rule=rule) for i, rule in ("ya", "xa", "xb", "xc")],
    "what a delivery says": [Delivery(id="2", to_deliver=number) for number in (1, 2, 3)],
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_a_row_is_in_the_next_report(world: list[Fact], name: str) -> None:
    tally = folded(world)
    tally.counts()
    facts = list(world)
    for fact in CHANGES[name]:
        tally.add(fact)
        facts.append(fact)
        assert tally.counts() == folded(facts).counts()
        assert tally.counts(audience="human") == folded(facts).counts(audience="human")


@pytest.mark.parametrize("is_first", [False, True])
def test_one_change_among_what_is_known_is_a_change(world: list[Fact], is_first: bool) -> None:
    messages = [Message(id="7", delivery_id="2", status="sent"), Message(id="8", delivery_id="2", recipient_id="r8")]
    links = [TrackedLink(delivery_id="2", id=name, url="https://a.example/") for name in "89"]
    relabelled = TrackedLink(delivery_id="2", id="8", url="https://a.example/", label="Shop")
    for early, late in (([], messages), (links, [relabelled, links[1]])):
        facts: list[Fact] = [*world, *early]
        tally = folded(facts)
        tally.counts()
        tally.absorb(folded(late if is_first else late[::-1]))
        assert tally.counts() == folded([*facts, *late]).counts()


def test_a_report_of_some_deliveries_is_of_those_that_there_are(world: list[Fact]) -> None:
    tally = folded(world)
    for names in (["2"], ["3", "1"], ["2", "nobody's"], ["nobody's"], [], ["1", "2", "3"]):
        found = tally.counts(delivery_ids=names)
        assert list(found.deliveries) == sorted({*names} & {"1", "2", "3"})
        assert found.persons == (10 if found.deliveries else 0)
        alone = [fact for fact in world if (getattr(fact, "delivery_id", None) or fact.id) in names]
        assert found == folded(alone).counts()


def test_an_event_that_moves_closes_both_deliveries(monkeypatch: pytest.MonkeyPatch, world: list[Fact]) -> None:
    tally = folded(world)
    tally.counts()
    work = _Work(monkeypatch)
    moved = Click(id="3/7", occurred_at=START - timedelta(hours=1), delivery_id="1", message_id="7", link_id="2")
    tally.add(moved)
    counts = tally.counts()
    assert work.seen() == (sorted(["1/7", *(f"3/{n}" for n in range(10) if n != 7)]), 2)
    assert counts == folded([*world, moved]).counts()


@pytest.mark.parametrize("has_id", [False, True])
def test_an_audience_is_counted_and_the_others_are_not(has_id: bool) -> None:
    audiences = ["human"] * 3 + ["proxy"] * 2 + ["unsure"]
    clicks = [
        click("1", f"m{n}", id=f"e{n}" if has_id else None, source_id=f"s{n}", verdict=Verdict(audience=audience))
        for n, audience in enumerate(audiences)
    ]
    tally = folded([Delivery(id="1"), *clicks])
    asked: dict[Any, int] = {
        "human": 3,
        "proxy": 2,
        "unsure": 1,
        "machine": 0,
        "all": 6,
        None: 6,
        ("proxy", "human"): 5,
    }
    for audience, number in [*asked.items(), *asked.items()]:
        found = tally.counts(audience=audience)
        assert (found.persons, found.deliveries["1"].rows("click")) == (number, number)


@pytest.mark.parametrize("moved", [["a"], ["b"], ["a", "c"], ["a", "b", "c"]])
def test_of_events_alike_but_for_their_ids_some_may_turn_out_otherwise(moved: list[str]) -> None:
    alike = [click("1", "7", id=name, source_id="s") for name in "abc"]
    others = [Open(id=name, occurred_at=START - timedelta(hours=1), delivery_id="1") for name in moved]
    tally = folded(alike)
    tally.counts()
    tally.extend(others)
    found = tally.counts()
    assert found == folded([*alike, *others]).counts()
    assert found.deliveries["1"].rows("click") == 3 - len(moved)
    tally.extend([click("1", "8", id="a", source_id="t"), click("1", "7", id="d", source_id="s")])
    assert tally.counts() == tally.copy().counts()


def test_each_way_to_ask_has_books_of_its_own_up_to_eight(monkeypatch: pytest.MonkeyPatch, world: list[Fact]) -> None:
    tally = folded(world)
    zones = [f"Etc/GMT+{n}" for n in range(9)]
    work = _Work(monkeypatch)
    for zone in zones:
        tally.counts(zone=zone)
        assert work.seen()[1] == 3
    tally.counts(zone=zones[1])
    tally.counts(zone=zones[-1])
    assert work.seen() == ([], 0)
    tally.counts(zone=zones[0])
    assert work.seen()[1] == 3


def test_a_report_that_breaks_off_is_made_anew(monkeypatch: pytest.MonkeyPatch, world: list[Fact]) -> None:
    tally = folded(world)
    tally.counts()
    tally.add(click("2", "7", id="new"))

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Book, "close", broken)
        with pytest.raises(KeyboardInterrupt):
            tally.counts()
    assert tally.counts() == tally.copy().counts()


def test_kept_books_are_no_part_of_the_facts(world: list[Fact]) -> None:
    asked, fresh = folded(world), folded(world)
    asked.counts()
    assert asked == fresh
    assert pickle.dumps(asked) == pickle.dumps(fresh)
    twin = asked.copy()
    twin.add(click("2", "7", id="new"))
    assert asked.counts() == fresh.counts() != twin.counts()


LATE: dict[str, tuple[list[Fact], list[Fact], dict[str, Any]]] = {
    "another message of a group that was entered": ([click("1", "a", id="e")], [click("1", "b", id="f")], {}),
    "another person of a group that was entered": (
        [click("1", "a", id="e", source_id="s")],
        [click("1", "a", id="f", source_id="t")],
        {},
    ),
    "another person, by whom no number of the delivery changes": (
        [click("1", "a", id="e", source_id="s1"), click("2", "a", id="f", source_id="s1")],
        [click("1", "a", id="e", source_id="s0")],
        {},
    ),
    "another recipient of a group that was entered": (
        [*(Message(id=name, delivery_id="1", recipient_id=f"r{name}") for name in "ab"), click("1", "a", id="e")],
        [click("1", "b", id="f")],
        {},
    ),
    "the last fact of a delivery goes to another": (
        [AddressState(address="x@a.example", status="quarantine", delivery_id="1")],
        [AddressState(address="x@a.example", status="quarantine", delivery_id="2", last_modified_at=START)],
        {},
    ),
    "the last fact of a delivery goes to another, and a message comes": (
        [AddressState(address="x@a.example", status="quarantine", delivery_id="1"), click("1", "a")],
        [
            AddressState(address="x@a.example", status="quarantine", delivery_id="2", last_modified_at=START),
            Message(id="a", delivery_id="1", address="a@gmail.com", status="sent"),
        ],
        {},
    ),
    "events without ids, of two audiences": (
        [click("1", "a", verdict=Verdict(audience="human"))],
        [click("1", "a", verdict=Verdict(audience=audience)) for audience in ("human", "proxy", "proxy")],
        {"audience": "human"},
    ),
    "a delivery that is a proof after all": (
        [Delivery(id="1"), click("1", "a")],
        [Delivery(id="1", is_proof=True)],
        {},
    ),
    "a subscription": ([], [Subscription(service_id="s", recipient_id="r", created_at=START)], {}),
}


@pytest.mark.parametrize("name", LATE)
def test_what_comes_late_is_counted(name: str) -> None:
    early, late, asked = LATE[name]
    tally = folded(early)
    before = tally.counts(**asked)
    tally.extend(late)
    after = tally.counts(**asked)
    assert after == folded([*early, *late]).counts(**asked) != before
    assert before == folded(early).counts(**asked), "a report stays as it was"
