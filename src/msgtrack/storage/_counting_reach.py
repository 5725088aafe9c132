"""Whom reactions reached, as the engine grouped them: distinct messages by the kinds they showed, distinct persons, visitors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select

from msgtrack._borders import zone_of
from msgtrack._closing import GROUPS_OF_LINKS
from msgtrack._reactions import Class
from msgtrack.counts import MOBILE_CLICK, REACTION_KINDS, LinkFacts, Reached
from msgtrack.events import Click
from msgtrack.model import LinkType
from msgtrack.storage._counting_sql import LINK_KEYS, NAMES, Piece, Statements
from msgtrack.storage._counting_terms import Terms
from msgtrack.storage._operations import Ask
from msgtrack.storage._rows import key_of

__all__ = ["BaseOf", "Reach", "SlotRows", "pieces_of"]

SlotRows = defaultdict[str, dict[tuple[str, str], dict[int, int]]]
"""Rows by delivery, then kind and link, then slot."""

BaseOf = Callable[[Select[Any]], FromClause]
"""What several statements read the rows of a select from."""

_MOST_PIECES = 100
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_UNREGISTERED = LinkFacts()


def pieces_of(slots: SlotRows, zone: str) -> list[Piece] | None:
    """How far local time is ahead at the slots of reactions, in as many pieces as it changes between them; None: too many."""
    found = [Piece(0, 0)]
    if zone == "UTC":
        return found
    there = sorted(
        {
            slot
            for of_delivery in slots.values()
            for (kind, _), at in of_delivery.items()
            if kind in REACTION_KINDS
            for slot in at
        }
    )
    tz = zone_of(zone)
    for place, slot in enumerate(there):
        at = datetime.fromtimestamp(slot, UTC)
        try:
            local = at.astimezone(tz)
        except OverflowError:
            # The first and last day of the calendar have no local time in every zone; the day of UTC stands for it.
            offset = 0
        else:
            offset = round((local.replace(tzinfo=UTC) - at).total_seconds())
        if not place:
            found = [Piece(slot, offset)]
        elif offset != found[-1].offset:
            found.append(Piece(slot, offset))
    return found if len(found) <= _MOST_PIECES else None


class _Group(NamedTuple):
    """Several links of one delivery that go by one name: the way, and the key that stands for the name."""

    way: str
    key: int


class Reach:
    """What the statements over the base of reactions found; the whole of it is asked for at once.

    Args:
        ask: runs a statement.
        say: the statements.
        terms: the dictionary.
        slots: rows by delivery, kind and link, those of seeds taken out.
        links: the tracked links by delivery.
        pieces: how far local time is ahead.
        base_of: gives what to read the rows of a select from.
    """

    def __init__(
        self,
        ask: Ask,
        say: Statements,
        terms: Terms,
        slots: SlotRows,
        links: Mapping[str, Mapping[str, LinkFacts]],
        pieces: list[Piece],
        base_of: BaseOf,
    ) -> None:
        self._ask = ask
        self._say = say
        self._terms = terms
        self._links = links
        self._followed = _followed(slots)
        self._groups, ways = self._ways()
        self.rows_by_class: defaultdict[str, Counter[tuple[Class, str]]] = defaultdict(Counter)
        self.reach_by_class: defaultdict[str, defaultdict[Class, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        self.persons: Counter[str] = Counter()
        self.persons_by_domain: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.persons_by_variant: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._link_rows: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._day_rows: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._reach: dict[str, defaultdict[tuple[str, object], Counter[str]]] = {}
        self._persons: dict[str, dict[tuple[str, object], int]] = {}
        self._masks: Counter[int] = Counter()
        self._known_recipients = 0
        self._names: list[int] = []
        if not self._followed:
            return
        mobile = any(
            link.type is LinkType.MOBILE_CLICK for of_delivery in links.values() for link in of_delivery.values()
        )
        self._base = base_of(say.base(pieces, mobile=mobile, by=ways))
        self._read_rows()
        self._read_classes()
        for column in ("link_id", "day", *(LINK_KEYS[way] for way in ways)):
            self._read_groups(column)

    @property
    def _clicked(self) -> bool:
        return any(NAMES[name] in (Click.kind, MOBILE_CLICK) for name in self._names)

    def _ways(self) -> tuple[dict[tuple[str, tuple[str, ...]], _Group], list[str]]:
        """Of the groups of several links what stands for them, and the ways to group that statements must go."""
        known: dict[tuple[str, tuple[str, ...]], _Group] = {}
        ways = []
        for way in GROUPS_OF_LINKS:
            new = {
                (delivery_id, link_ids): _Group(way, self._key(way, delivery_id, link_ids[0]))
                for delivery_id in self._followed
                for link_ids in self._by_name(way, delivery_id).values()
                if len(link_ids) > 1 and (delivery_id, link_ids) not in known
            }
            if new:
                ways.append(way)
                known |= new
        return known, ways

    def _by_name(self, way: str, delivery_id: str) -> dict[str, tuple[str, ...]]:
        """The links that were followed, by the name that they go by, both in order."""
        name_of, links = GROUPS_OF_LINKS[way], self._links.get(delivery_id, {})
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for link_id in self._followed[delivery_id]:
            groups[name_of(links.get(link_id, _UNREGISTERED))].append(link_id)
        return {name: tuple(groups[name]) for name in sorted(groups)}

    def _key(self, way: str, delivery_id: str, link_id: str) -> int:
        link = self._links.get(delivery_id, {}).get(link_id, _UNREGISTERED)
        return int(link.type) if way == "type" else key_of(GROUPS_OF_LINKS[way](link))

    def _read_rows(self) -> None:
        names = set()
        for delivery_id, link_id, day, number, times in self._ask(self._say.rows_by_link_and_day(self._base)):
            name, of = NAMES[int(number)], delivery_id or ""
            names.add(int(number))
            self._link_rows[of][link_id or ""][name] += int(times)
            self._day_rows[of][int(day)][name] += int(times)
        self._names = sorted(names)
        for delivery_id, domain, variant, number, times in self._ask(self._say.rows_by_class(self._base)):
            self.rows_by_class[delivery_id or ""][self._class(domain, variant), NAMES[int(number)]] += int(times)

    def _read_classes(self) -> None:
        rows = self._ask(self._say.reach_by_class(self._base, self._names)) if self._names else ()
        for delivery_id, domain, variant, mask, messages, known in rows:
            self.reach_by_class[delivery_id or ""][self._class(domain, variant)][_shown(int(mask))] += int(messages)
            self._masks[int(mask)] += int(messages) - int(known)
            self._known_recipients += int(known)
        if not self._clicked:
            return
        for delivery_id, persons in self._ask(self._say.persons(self._base, "delivery_id")):
            self.persons[delivery_id or ""] = int(persons)
        for column, found in (("domain_key", self.persons_by_domain), ("variant_key", self.persons_by_variant)):
            for delivery_id, key, persons in self._ask(self._say.persons(self._base, "delivery_id", column)):
                found[delivery_id or ""][self._terms.text(int(key))] = int(persons)

    def _class(self, domain: int, variant: int) -> Class:
        return self._terms.text(int(domain)), self._terms.text(int(variant))

    def _read_groups(self, column: str) -> None:
        reach: defaultdict[tuple[str, object], Counter[str]] = defaultdict(Counter)
        found = self._ask(self._say.reach_by(self._base, column, self._names)) if self._names else ()
        for delivery_id, key, mask, messages in found:
            reach[delivery_id or "", _plain(key)][_shown(int(mask))] += int(messages)
        self._reach[column] = reach
        rows = self._ask(self._say.persons(self._base, "delivery_id", column)) if self._clicked else ()
        self._persons[column] = {(delivery_id or "", _plain(key)): int(persons) for delivery_id, key, persons in rows}

    def groups(self, delivery_id: str) -> dict[str, dict[str, Reached]]:
        """What the groups of a delivery reached."""
        links = {
            link_id: self._reached("link_id", delivery_id, link_id, of_link)
            for link_id, of_link in sorted(self._link_rows[delivery_id].items())
        }
        days = {
            _day(day): self._reached("day", delivery_id, day, of_day)
            for day, of_day in sorted(self._day_rows[delivery_id].items())
        }
        found = {"day": days, "link": links}
        for way in GROUPS_OF_LINKS:
            groups = self._by_name(way, delivery_id) if delivery_id in self._followed else {}
            found[way] = {
                name: links[ids[0]] if len(ids) == 1 else self._of_group(delivery_id, ids)
                for name, ids in groups.items()
            }
        return found

    def _of_group(self, delivery_id: str, link_ids: tuple[str, ...]) -> Reached:
        way, key = self._groups[delivery_id, link_ids]
        rows: Counter[str] = Counter()
        for link_id in link_ids:
            rows.update(self._link_rows[delivery_id][link_id])
        return self._reached(LINK_KEYS[way], delivery_id, key, rows)

    def _reached(self, column: str, delivery_id: str, key: object, rows: Mapping[str, int]) -> Reached:
        place = (delivery_id, key)
        return Reached(
            reach=self._reach[column].get(place, {}), persons=self._persons[column].get(place, 0), reactions=rows
        )

    def rows_by_agent(self) -> defaultdict[str, Counter[tuple[int, str]]]:
        """Reactions by delivery, key of the program and kind."""
        rows: defaultdict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
        for delivery_id, key, number, times in self._ask(self._say.rows_by_agent(self._base)) if self._names else ():
            name = NAMES[int(number)]
            rows[delivery_id or ""][int(key), Click.kind if name == MOBILE_CLICK else name] += int(times)
        return rows

    def recipients(self) -> dict[str, int]:
        """Distinct recipients over all deliveries by the kinds they showed; a message of none known stands for one."""
        masks = Counter(self._masks)
        if self._known_recipients:
            for mask, recipients in self._ask(self._say.reach_of_recipients(self._base, self._names)):
                masks[int(mask)] += int(recipients)
        return {_shown(mask): times for mask, times in masks.items()}

    def persons_of_all(self, deliveries: Iterable[str]) -> int:
        """Distinct persons over all deliveries."""
        if len({*deliveries}) == 1 or not self._clicked:
            return sum(self.persons.values())
        return sum(int(persons) for (persons,) in self._ask(self._say.persons(self._base)))

    def persons_by_domain_of_all(self) -> dict[str, int]:
        """Distinct persons over all deliveries, by domain class."""
        found = [of_delivery for of_delivery in self.persons_by_domain.values() if of_delivery]
        if len(found) <= 1:
            return dict(*found)
        rows = self._ask(self._say.persons(self._base, "domain_key"))
        return {self._terms.text(int(key)): int(persons) for key, persons in rows}

    def persons_by_channel(self, channels: Mapping[str, str]) -> dict[str, int]:
        """Distinct persons over all deliveries, by the channel of each delivery."""
        names = {*channels.values()}
        if len(names) <= 1 or not self._clicked:
            return dict.fromkeys(names, self.persons_of_all(channels))
        texts = {key_of(name): name for name in names}
        rows = self._ask(self._say.persons_by_channel(self._base, key_of("email")))
        return {texts[int(key)]: int(persons) for key, persons in rows}

    def visits(self) -> list[tuple[str, int, int, int]]:
        """(day, key of the program, visitors, pages) over all deliveries."""
        if not self._names:
            return []
        rows = self._ask(self._say.visits(self._base))
        return [(_day(int(day)), int(key), int(visitors), int(pages)) for day, key, visitors, pages in rows]


def _followed(slots: SlotRows) -> dict[str, list[str]]:
    """The links with reactions by delivery, in order."""
    found = {}
    for delivery_id, rows in slots.items():
        links = {link_id for (kind, link_id), times in rows.items() if kind in REACTION_KINDS and any(times.values())}
        if links:
            found[delivery_id] = sorted(links)
    return found


def _plain(key: object) -> object:
    """The value of a column as groups go by it: text, "" for none, or a whole number."""
    return key if isinstance(key, str) else int(str(key)) if key is not None else ""


def _shown(mask: int) -> str:
    return " ".join(name for place, name in sorted(enumerate(NAMES), key=itemgetter(1)) if mask >> place & 1)


def _day(number: int) -> str:
    return date.fromordinal(number + _EPOCH_DAY).isoformat()
