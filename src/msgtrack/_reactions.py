"""The closing pass of a tally over the events of one delivery.

Events come in groups of one kind, link and day, because a group costs a few passes of C over its columns where single
events cost a dozen look-ups each. A group adds to counters, and leaves the sets of messages and persons that it shows;
what overlaps is settled when the groups are read. More events of a group may come at any time: its sets grow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from msgtrack._entries import EventEntry, MessageEntry
from msgtrack._people import People
from msgtrack._platform import Agent, Traffic
from msgtrack.counts import MOBILE_CLICK, PAGE_KINDS, REACTION_KINDS, Reached
from msgtrack.domains import OTHERS
from msgtrack.events import Click, Transaction

__all__ = ["UNKNOWN_CLASS", "Class", "Reactions", "Shown", "cells", "reach_of"]

Class = tuple[str, str]
"""Domain class and variant of a message."""

UNKNOWN_CLASS: Class = (OTHERS, "")
"""Where rows stand that name no message, or one that nobody registered."""

Shown = Mapping[str, frozenset[str] | set[str]]
"""Messages by the kind they showed."""

_Sets = defaultdict[tuple[str, str], list[set[str]]]


def cells(shown: Shown) -> list[tuple[str, frozenset[str] | set[str]]]:
    """The messages parted by all the kinds that each of them showed, the kinds in order and a space between.

    >>> sorted((kinds, sorted(cell)) for kinds, cell in cells({"open": {"7", "8"}, "click": {"8"}}))
    [('click open', ['8']), ('open', ['7'])]
    """
    found: list[tuple[str, frozenset[str] | set[str]]] = []
    for kind in sorted(shown):
        rest = shown[kind]
        parted = []
        for kinds, members in found:
            both = members & rest
            if both:
                parted.append((f"{kinds} {kind}", both))
                members, rest = members - both, rest - both
            if members:
                parted.append((kinds, members))
        found = [*parted, (kind, rest)] if rest else parted
    return found


def reach_of(shown: Shown) -> dict[str, int]:
    """Distinct messages by all the kinds that they showed."""
    return {kinds: len(members) for kinds, members in cells(shown)}


def _union(sets: Sequence[set[str]]) -> set[str]:
    return sets[0] if len(sets) == 1 else set().union(*sets)


class Reactions:
    """What the events of one delivery show.

    Args:
        messages: the delivery's messages by id.
        mobile: ids of the links that are those of notifications.
        new_people: makes an empty set of persons.
    """

    __slots__ = (
        "_class_of",
        "_day_people",
        "_day_rows",
        "_day_sets",
        "_group_people",
        "_group_sets",
        "_link_people",
        "_link_rows",
        "_link_sets",
        "_mobile",
        "_new_people",
        "_seeds",
        "agents",
        "amounts",
        "article",
        "people_by_class",
        "rows",
        "rows_by_class",
    )

    def __init__(
        self, messages: Mapping[str, MessageEntry], mobile: frozenset[str], new_people: Callable[[], People]
    ) -> None:
        self._seeds = frozenset(name for name, message in messages.items() if message.is_seed)
        classes: dict[Class, Class] = {}
        self._class_of: dict[str, Class] = {
            name: classes.setdefault(key, key)
            for name, message in messages.items()
            for key in ((message.domain, message.variant),)
        }
        self._mobile = mobile
        self._new_people = new_people
        self.rows: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self.rows_by_class: Counter[tuple[Class, str]] = Counter()
        self.agents: Counter[tuple[Agent, str]] = Counter()
        self.people_by_class: defaultdict[Class, set[str]] = defaultdict(set)
        self.amounts: list[Decimal] = []
        self.article = 0
        self._link_rows: Counter[tuple[str, str]] = Counter()
        self._day_rows: Counter[tuple[str, str]] = Counter()
        self._link_sets: _Sets = defaultdict(list)
        self._day_sets: _Sets = defaultdict(list)
        self._link_people: defaultdict[str, list[set[str]]] = defaultdict(list)
        self._day_people: defaultdict[str, list[set[str]]] = defaultdict(list)
        self._group_sets: dict[tuple[str, str, str], set[str]] = {}
        self._group_people: dict[tuple[str, str], set[str]] = {}

    def enter(self, kind: str, link_id: str, day: str, entries: Sequence[EventEntry], traffic: Traffic) -> None:
        """Take events of one kind, link and day in, but those whose messages went to seeds."""
        if self._seeds:
            entries = [entry for entry in entries if entry[3] not in self._seeds]
        if not entries:
            return
        self.rows[kind, link_id].update([entry[0] for entry in entries])
        if kind not in REACTION_KINDS:
            return
        name = self._name(kind, link_id)
        messages = [entry[3] for entry in entries]
        agents = Counter([entry[7] for entry in entries])
        classes = list(map(self._class_of.get, messages))
        self._link_rows[link_id, name] += len(entries)
        self._day_rows[day, name] += len(entries)
        for of_class, times in Counter(classes).items():
            self.rows_by_class[of_class or UNKNOWN_CLASS, name] += times
        for agent, times in agents.items():
            self.agents[agent, kind] += times
        shown = set(messages)
        shown.discard("")
        known = self._group_sets.setdefault((name, link_id, day), shown)
        if known is shown:
            self._link_sets[link_id, name].append(shown)
            self._day_sets[day, name].append(shown)
        else:
            known |= shown
        if kind in PAGE_KINDS:
            traffic.enter(day, entries, agents)
        if kind == Click.kind:
            people = {entry[5] for entry in entries}
            people.discard("")
            known = self._group_people.setdefault((link_id, day), people)
            if known is people:
                self._link_people[link_id].append(people)
                self._day_people[day].append(people)
            else:
                known |= people
            for of_class, entry in zip(classes, entries, strict=True):
                if entry[5]:
                    self.people_by_class[of_class or UNKNOWN_CLASS].add(entry[5])
        elif kind == Transaction.kind:
            self.amounts += [entry[8] for entry in entries]
            self.article += sum(entry[9] for entry in entries)

    def repeat(self, entry: EventEntry, day: str, times: int, traffic: Traffic) -> None:
        """Count an event that was entered once some times more; whom it shows is known already."""
        slot, kind, _, message_id, link_id, _, _, agent = entry[:8]
        if message_id in self._seeds:
            return
        self.rows[kind, link_id][slot] += times
        if kind not in REACTION_KINDS:
            return
        name = self._name(kind, link_id)
        self._link_rows[link_id, name] += times
        self._day_rows[day, name] += times
        self.rows_by_class[self._class_of.get(message_id, UNKNOWN_CLASS), name] += times
        self.agents[agent, kind] += times
        if kind in PAGE_KINDS:
            traffic.pages[day, agent] += times
        elif kind == Transaction.kind:
            self.amounts += [entry[8]] * times
            self.article += entry[9] * times

    def _name(self, kind: str, link_id: str) -> str:
        return MOBILE_CLICK if kind == Click.kind and link_id in self._mobile else kind

    def class_of(self, message_id: str) -> Class:
        """The class of a message, known or not."""
        return self._class_of.get(message_id, UNKNOWN_CLASS)

    def shown(self) -> dict[str, set[str]]:
        """All messages by the kinds they showed."""
        sets: defaultdict[str, list[set[str]]] = defaultdict(list)
        for (_, name), found in self._link_sets.items():
            sets[name] += found
        return {name: _union(found) for name, found in sets.items()}

    def people(self) -> People:
        """All who clicked."""
        return self._people_of([found for sets in self._link_people.values() for found in sets])

    def by_day(self) -> dict[str, Reached]:
        """What each day reached."""
        return self._reached(
            {day: (day,) for day, _ in self._day_rows}, self._day_rows, self._day_sets, self._day_people
        )

    def by_link(self, *names: Callable[[str], str]) -> list[dict[str, Reached]]:
        """What was reached by each of some names that links go by; who followed two links of one name is there once."""
        link_ids = {link_id for link_id, _ in self._link_rows}
        known: dict[tuple[str, ...], Reached] = {}
        found = []
        for name_of in names:
            links: defaultdict[str, list[str]] = defaultdict(list)
            for link_id in sorted(link_ids):
                links[name_of(link_id)].append(link_id)
            groups = {name: tuple(ids) for name, ids in links.items()}
            new = {name: ids for name, ids in groups.items() if ids not in known}
            reached = self._reached(new, self._link_rows, self._link_sets, self._link_people)
            known.update({ids: reached[name] for name, ids in new.items()})
            found.append({name: known[groups[name]] for name in sorted(groups)})
        return found

    def _reached(
        self,
        groups: Mapping[str, tuple[str, ...]],
        rows: Mapping[tuple[str, str], int],
        sets: Mapping[tuple[str, str], list[set[str]]],
        people: Mapping[str, list[set[str]]],
    ) -> dict[str, Reached]:
        """What groups of keys reached; ``rows``, ``sets`` and ``people`` go by key, the first two by kind also."""
        kinds: defaultdict[str, list[str]] = defaultdict(list)
        for key, kind in rows:
            kinds[key].append(kind)
        found = {}
        for name in sorted(groups):
            reactions: Counter[str] = Counter()
            shown: defaultdict[str, list[set[str]]] = defaultdict(list)
            for key in groups[name]:
                for kind in kinds[key]:
                    reactions[kind] += rows[key, kind]
                    shown[kind] += sets[key, kind]
            found[name] = Reached(
                reach=reach_of({kind: _union(parts) for kind, parts in shown.items()}),
                persons=len(self._people_of([part for key in groups[name] for part in people.get(key, ())])),
                reactions=reactions,
            )
        return found

    def _people_of(self, sets: Iterable[set[str]]) -> People:
        people = self._new_people()
        for found in sets:
            people.update(found)
        return people
