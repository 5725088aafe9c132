"""What links, days, domains and variants each show, number by number, in a world small enough to count by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack.counts import DomainCounts, LinkFacts, Reached
from msgtrack.events import Click, Event, Open, OptOutClick
from msgtrack.model import LinkType, Message, TrackedLink
from msgtrack.tally import Fact, Tally, fold

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
SLOT = int(AT.timestamp())

LINKS = [
    TrackedLink(delivery_id="1", id="1", url="", type="open"),
    TrackedLink(delivery_id="1", id="2", url=" https://a.example/ ", label=" Shop ", category=" Shoes "),
    TrackedLink(delivery_id="1", id="3", url="https://b.example/", label="Shop", category="Hats"),
    TrackedLink(delivery_id="1", id="4", url="https://b.example/", category="Hats"),
    TrackedLink(delivery_id="1", id="5", url="https://out.example/", label="Out", type="opt_out"),
    TrackedLink(delivery_id="1", id="6", url="https://n.example/", label="Note", category="Hats", type="mobile_click"),
    TrackedLink(delivery_id="1", id="7", url="https://quiet.example/", label="Quiet"),
]
MESSAGES = [
    Message(id="a", delivery_id="1", address="a@gmail.com", variant="A", status="sent"),
    Message(id="b", delivery_id="1", address="b@gmail.com", variant="B", status="sent"),
    Message(id="c", delivery_id="1", address="c@corp.example", variant="B", status="sent"),
]


def event(kind: type[Event], message_id: str | None, link_id: str | None = None, days: int = 0, **fields: Any) -> Event:
    at = AT + timedelta(days=days)
    return kind(**{"occurred_at": at, "delivery_id": "1", "message_id": message_id, "link_id": link_id} | fields)


EVENTS = [
    event(Open, "a", "1"),
    event(Open, "a", "1", days=1),
    event(Click, "a", "2", source_id="s"),
    event(Click, "a", "3", source_id="s", days=1),
    event(Click, "b", "3", source_id="t"),
    event(Click, "c", "4", source_id="t"),
    event(OptOutClick, "b", "5", days=1),
    event(Click, "b", "6", source_id="u"),
    event(Click, None, "9", source_id="v"),
    event(Click, "nobody", "2"),
]


@pytest.fixture
def tally() -> Tally:
    return fold([], MESSAGES, LINKS, EVENTS)


def reached(persons: int, reactions: dict[str, int], **reach: int) -> Reached:
    """``reach`` with _ for the space and the hyphens of a kind written as they are in ``KINDS``."""
    names = {"opt_out": "opt-out-click", "mobile": "mobile-click", "click_open": "click open"}
    return Reached(persons=persons, reactions=reactions, reach={names.get(key, key): reach[key] for key in reach})


def test_links_are_trimmed_and_opens_are_none_of_them(tally: Tally) -> None:
    links = tally.counts().deliveries["1"].links
    assert list(links) == ["2", "3", "4", "5", "6", "7"]
    assert links["2"] == LinkFacts(label="Shop", url="https://a.example/", category="Shoes", type=LinkType.CLICK)
    assert links["5"].type is LinkType.OPT_OUT


def test_an_open_link_is_none_by_its_type_or_by_its_number() -> None:
    links = [
        TrackedLink(delivery_id="1", id="1", url="https://a.example/", type="click"),
        TrackedLink(delivery_id="1", id="8", url="https://a.example/", type="open"),
        TrackedLink(delivery_id="1", id="9", url="https://a.example/", type="click"),
    ]
    found = fold([], [Message(id="a", delivery_id="1")], links, []).counts()
    assert list(found.deliveries["1"].links) == ["9"]


GROUPS = {
    "link": {
        "1": reached(0, {"open": 2}, open=1),
        "2": reached(1, {"click": 2}, click=2),
        "3": reached(2, {"click": 2}, click=2),
        "4": reached(1, {"click": 1}, click=1),
        "5": reached(0, {"opt-out-click": 1}, opt_out=1),
        "6": reached(1, {"mobile-click": 1}, mobile=1),
        "9": reached(1, {"click": 1}),
    },
    "label": {
        "": reached(1, {"open": 2, "click": 1}, open=1),
        "Note": reached(1, {"mobile-click": 1}, mobile=1),
        "Out": reached(0, {"opt-out-click": 1}, opt_out=1),
        "Shop": reached(2, {"click": 4}, click=3),
        "https://b.example/": reached(1, {"click": 1}, click=1),
    },
    "url": {
        "": reached(1, {"open": 2, "click": 1}, open=1),
        "https://a.example/": reached(1, {"click": 2}, click=2),
        "https://b.example/": reached(2, {"click": 3}, click=3),
        "https://n.example/": reached(1, {"mobile-click": 1}, mobile=1),
        "https://out.example/": reached(0, {"opt-out-click": 1}, opt_out=1),
    },
    "category": {
        "": Reached(
            persons=1, reactions={"open": 2, "click": 1, "opt-out-click": 1}, reach={"open": 1, "opt-out-click": 1}
        ),
        "Hats": Reached(
            persons=3, reactions={"click": 3, "mobile-click": 1}, reach={"click": 2, "click mobile-click": 1}
        ),
        "Shoes": reached(1, {"click": 2}, click=2),
    },
    "type": {
        # A link that nobody registered, and the open, which is none: both pass for links to click on.
        "click": reached(3, {"click": 6, "open": 2}, click=3, click_open=1),
        "mobile_click": reached(1, {"mobile-click": 1}, mobile=1),
        "opt_out": reached(0, {"opt-out-click": 1}, opt_out=1),
    },
    "day": {
        "2026-03-01": Reached(
            persons=4,
            reactions={"click": 5, "mobile-click": 1, "open": 1},
            reach={"click": 2, "click mobile-click": 1, "click open": 1},
        ),
        "2026-03-02": Reached(
            persons=1,
            reactions={"click": 1, "open": 1, "opt-out-click": 1},
            reach={"click open": 1, "opt-out-click": 1},
        ),
    },
}


@pytest.mark.parametrize("by", GROUPS)
def test_each_group_shows_what_a_count_by_hand_finds(tally: Tally, by: str) -> None:
    found = tally.counts().deliveries["1"].groups
    assert found.keys() == GROUPS.keys()
    assert found[by] == GROUPS[by]
    assert list(found[by]) == sorted(GROUPS[by])


def test_domains_and_variants_show_what_a_count_by_hand_finds(tally: Tally) -> None:
    found = tally.counts().deliveries["1"]
    of_nobody = {"reacted": 1, "clicked": 1, "reach": {"click": 1}}
    assert found.domains == {
        "Gmail": DomainCounts(
            statuses={1: 2},
            reacted=2,
            clicked=2,
            reactions={"click": 3, "mobile-click": 1, "open": 2, "opt-out-click": 1},
            reach={"click mobile-click opt-out-click": 1, "click open": 1},
            persons=3,
        ),
        "Others": DomainCounts(
            statuses={1: 1}, reacted=2, clicked=2, reactions={"click": 3}, reach={"click": 2}, persons=2
        ),
    }
    assert found.variants == {
        "": DomainCounts(**of_nobody, reactions={"click": 2}, persons=1),
        "A": DomainCounts(
            statuses={1: 1}, reacted=1, clicked=1, reactions={"click": 2, "open": 2}, reach={"click open": 1}, persons=1
        ),
        "B": DomainCounts(
            statuses={1: 2},
            reacted=2,
            clicked=2,
            reactions={"click": 2, "mobile-click": 1, "opt-out-click": 1},
            reach={"click": 1, "click mobile-click opt-out-click": 1},
            persons=2,
        ),
    }


def test_what_came_in_two_parts_is_what_came_at_once(tally: Tally) -> None:
    for cut in range(len(EVENTS) + 1):
        late = fold([], MESSAGES, LINKS, EVENTS[:cut])
        late.counts()
        late.extend(EVENTS[cut:])
        assert late.counts() == tally.counts()


def test_repeats_add_rows_and_nobody(tally: Tally) -> None:
    again: list[Fact] = [*EVENTS, *EVENTS]
    once = tally.counts()
    tally.extend(again)
    for found in (tally.counts(), fold([], MESSAGES, LINKS, [*EVENTS, *EVENTS, *EVENTS]).counts()):
        one, other = once.deliveries["1"], found.deliveries["1"]
        assert {by: {name: row.reach for name, row in group.items()} for by, group in other.groups.items()} == {
            by: {name: row.reach for name, row in group.items()} for by, group in one.groups.items()
        }
        assert (found.persons, found.recipients, found.persons_by) == (once.persons, once.recipients, once.persons_by)
        assert [(row.day, row.visitors, row.pages) for row in found.visits] == [
            (row.day, row.visitors, 3 * row.pages) for row in once.visits
        ]
        for kind, links in one.slots.items():
            for link_id, slots in links.items():
                assert other.slots[kind][link_id] == {slot: 3 * times for slot, times in slots.items()}
        for name, domain in one.domains.items():
            assert other.domains[name].reactions == {kind: 3 * times for kind, times in domain.reactions.items()}
            assert other.domains[name].persons == domain.persons
        assert [agent.reactions for agent in other.agents] == [
            {kind: 3 * times for kind, times in agent.reactions.items()} for agent in one.agents
        ]
        for by, group in one.groups.items():
            for name, row in group.items():
                assert other.groups[by][name].reactions == {kind: 3 * n for kind, n in row.reactions.items()}


def test_seeds_show_nothing_however_often(tally: Tally) -> None:
    seed = Message(id="seed", delivery_id="1", address="s@gmail.com", is_seed=True, status="sent", recipient_id="r")
    before = tally.counts()
    tally.extend([seed, *[event(Click, "seed", "2", source_id="seed")] * 3, event(Open, "seed", "1", id="one")])
    assert tally.counts() == before


def test_recipients_of_all_deliveries_are_those_of_each_taken_together() -> None:
    messages = [Message(id=name, delivery_id=of, recipient_id=f"r{name}") for name, of in ("a1", "b2", "b1", "c3")]
    clicks = [event(Click, message.id, delivery_id=message.delivery_id) for message in messages]
    found = fold([], messages, [], [*clicks, event(Open, "a", "1"), event(Click, "x", delivery_id="3")]).counts()
    assert found.recipients == {"click": 3, "click open": 1}


def test_messages_of_no_known_recipient_are_as_many_recipients() -> None:
    messages = [Message(id=name, delivery_id="1") for name in "abc"]
    found = fold([], messages, [], [event(Open, name, "1") for name in "abcd"]).counts()
    assert found.recipients == {"open": 4}
