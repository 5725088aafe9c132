"""The statements by which an engine gathers what counts are made of: a handful of groupings over one base of reactions.

The base is made of events that pass the query, joined with their messages, seeds left out; each row has the number of its
name among :data:`NAMES` (a click on a notification goes by a name of its own) and its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy import distinct as sql_distinct

from msgtrack.counts import MOBILE_CLICK, PAGE_KINDS, REACTION_KINDS, SLOT_SECONDS
from msgtrack.domains import OTHERS
from msgtrack.events import Click
from msgtrack.model import OPEN_LINK_ID, LinkType
from msgtrack.protocols import Query
from msgtrack.storage._conditions import NotByIndex, delivery_condition, event_conditions, kept_apart
from msgtrack.storage._operations import Operations
from msgtrack.storage._rows import key_of
from msgtrack.storage._schema import Tables, microseconds

__all__ = ["LINK_KEYS", "MICROSECONDS", "NAMES", "NO_KEYS", "Piece", "Scope", "Statements"]

NAMES = (*sorted(REACTION_KINDS), MOBILE_CLICK)
"""What reactions go by; a name's place is its number in statements, and the place of its bit in masks."""

MICROSECONDS = 1_000_000
_DAY_SECONDS = 86400
_ONE: ColumnElement[int] = literal_column("1")
"""Not a parameter: an index on some rows only is used where the statement itself says which."""
_ZERO: ColumnElement[int] = literal_column("0")
_CLICK = NAMES.index(Click.kind)
_MOBILE = NAMES.index(MOBILE_CLICK)
_PAGES = sorted({*map(NAMES.index, PAGE_KINDS), _MOBILE})

LINK_KEYS = {"label": "label_key", "url": "url_key", "category": "category_key", "type": "type"}
"""The column of links that stands for each way to group them."""

NO_KEYS = {"label": key_of(""), "url": key_of(""), "category": key_of(""), "type": int(LinkType.CLICK)}
"""What stands there for a link that nobody registered."""


class Piece(NamedTuple):
    """From this slot on local time is that many seconds ahead of UTC."""

    slot: int
    offset: int


class Scope(NamedTuple):
    """What is asked: the query, and whether proofs or templates are to be kept out that its ``delivery_ids`` do not keep out."""

    query: Query
    has_apart: bool

    def of_delivery(self, column: ColumnElement[Any], tables: Tables) -> list[ColumnElement[bool]]:
        """That what belongs to a delivery is asked for."""
        return [
            literal(True),
            *delivery_condition(column, self.query.delivery_ids, self.query.except_delivery_ids),
            *self.not_apart(column, tables),
        ]

    def not_apart(self, column: ColumnElement[Any], tables: Tables) -> list[ColumnElement[bool]]:
        """That a delivery is no proof and no template."""
        return [kept_apart(column, tables)] if self.has_apart else []


class Statements:
    """The statements for one scope on the tables of one store."""

    def __init__(self, tables: Tables, operations: Operations, scope: Scope) -> None:
        self._tables = tables
        self._operations = operations
        self._scope = scope
        self._events = [
            *event_conditions(scope.query, tables),
            *scope.not_apart(tables.events.c.delivery_id, tables),
            tables.events.c.left_out == 0,
        ]

    # What is asked of events as they are

    def slots(self) -> Select[Any]:
        """(delivery, kind, link, slot, rows), those of seeds included."""
        return self._by_slot(self._events, joined=False)

    def slots_of_seeds(self) -> Select[Any]:
        """The rows of seeds among :meth:`slots`."""
        return self._by_slot(self._events, joined=True)

    def _by_slot(self, conditions: list[ColumnElement[bool]], *, joined: bool) -> Select[Any]:
        events = self._tables.events.c
        slot = self._operations.floor(events.occurred_at, SLOT_SECONDS * MICROSECONDS) * SLOT_SECONDS
        name: ColumnElement[Any] = events.delivery_id
        if joined:
            name, conditions = NotByIndex(name), [*conditions, self._of_seeds()]
        rows = select(name.label("of"), events.kind, events.link_id, slot.label("slot"), func.count().label("times"))
        return rows.where(and_(*conditions)).group_by(name, events.kind, events.link_id, slot)

    def _seeds(self) -> Select[Any]:
        """The messages of seeds, those of proofs among them: who keeps proofs out has done so with the events, and what is looked at
        in a glance, where what was a proof once may still seem to be one, must not leave out any.
        """
        messages, query = self._tables.messages.c, self._scope.query
        asked = delivery_condition(messages.delivery_id, query.delivery_ids, query.except_delivery_ids)
        return select(messages.delivery_id, messages.id).where(messages.is_seed == _ONE, *asked)

    def _of_seeds(self) -> ColumnElement[bool]:
        """That an event is of a seed's message; said so that engines begin with the seeds, who are few."""
        events = self._tables.events.c
        return tuple_(events.delivery_id, events.message_id).in_(self._seeds())

    def kept_out(self) -> Select[Any]:
        """(delivery, 0) of each proof or template, and one row (…, 1) where some message is a seed's: what may have to be kept out."""
        deliveries, query = self._tables.deliveries.c, self._scope.query
        asked = delivery_condition(deliveries.id, query.delivery_ids, query.except_delivery_ids)
        apart = select(deliveries.id.label("of"), _ZERO.label("is_seed")).where(deliveries.is_apart == 1, *asked)
        # Of seeds it is enough to know that there may be some, those of proofs among them.
        seed = self._operations.glanced(self._seeds().limit(1)).subquery("seed").c
        both = apart.union_all(select(seed.delivery_id, _ONE)).subquery("kept_out").c
        return select(both.of, both.is_seed)

    def kept_slots(self) -> Select[Any]:
        """As :meth:`slots`, from what was consolidated; "" stands for no delivery and no link. A slot may have a row for each audience."""
        slots = self._tables.slots.c
        place = (slots.delivery_id.label("of"), slots.kind, slots.link_id, slots.slot)
        conditions = and_(*self._of_consolidated(slots))
        if not self._operations.adds_up_slots:
            return select(*place, slots.times).where(conditions)
        return select(*place, func.sum(slots.times).label("times")).where(conditions).group_by(*place)

    def _of_consolidated(self, columns: Any) -> list[ColumnElement[bool]]:
        query = self._scope.query
        conditions: list[ColumnElement[bool]] = self._scope.of_delivery(columns.delivery_id, self._tables)
        if query.kinds is not None:
            conditions.append(columns.kind.in_([*query.kinds]))
        if query.audience is not None:
            conditions.append(columns.audience.in_([audience.value for audience in query.audience]))
        if "slot" in columns and query.link_ids is not None:
            conditions.append(columns.link_id.in_([*query.link_ids]))
        place, unit = ("slot", MICROSECONDS) if "slot" in columns else ("day", _DAY_SECONDS * MICROSECONDS)
        if query.since is not None:
            conditions.append(columns[place] >= microseconds(query.since) // unit)
        if query.until is not None:
            conditions.append(columns[place] < microseconds(query.until) // unit)
        return conditions

    def kept_agents(self) -> Select[Any]:
        """As :meth:`rows_by_agent`, with kinds for names, from what was consolidated; those of seeds included."""
        days = self._tables.agent_days.c
        group = (days.delivery_id, days.agent_key, days.kind)
        return select(*group, func.sum(days.times)).where(and_(*self._of_consolidated(days))).group_by(*group)

    def agents_of_seeds(self) -> Select[Any]:
        """The rows of seeds among :meth:`kept_agents`."""
        events = self._tables.events.c
        group = (NotByIndex(events.delivery_id), events.agent_key, events.kind)
        return select(*group, func.count()).where(and_(*self._events, self._of_seeds())).group_by(*group)

    def transactions(self, kind: str) -> Select[Any]:
        """(delivery, body, rows) of transactions."""
        events, messages = self._tables.events, self._tables.messages
        return (
            select(events.c.delivery_id, events.c.body, func.count())
            .select_from(self._with_messages())
            .where(and_(*self._events, events.c.kind == kind, func.coalesce(messages.c.is_seed, 0) == 0))
            .group_by(events.c.delivery_id, events.c.body)
        )

    # What is asked of messages

    def messages(self) -> Select[Any]:
        """(delivery, profile, slot, messages, those without a size, bytes, the least size) by delivery, profile and slot."""
        columns = self._tables.messages.c
        group = (columns.delivery_id, columns.profile_key, columns.handled_slot)
        sized = func.coalesce(func.sum(columns.size_bytes), 0)
        counted = (func.count(), func.count() - func.count(columns.size_bytes), sized, func.min(columns.size_bytes))
        conditions = self._scope.of_delivery(columns.delivery_id, self._tables)
        return select(*group, *counted).where(and_(*conditions)).group_by(*group)

    def message_bodies(self, profiles: Iterable[int]) -> Select[Any]:
        """(delivery, body) of messages of these profiles."""
        columns = self._tables.messages.c
        conditions = self._scope.of_delivery(columns.delivery_id, self._tables)
        return select(columns.delivery_id, columns.body).where(and_(*conditions, columns.profile_key.in_([*profiles])))

    def terms(self, keys: Iterable[int]) -> Select[Any]:
        """(key, body) of the dictionary."""
        columns = self._tables.terms.c
        return select(columns.key, columns.body).where(columns.key.in_([*keys]))

    # What is asked of reactions

    def _with_messages(self) -> FromClause:
        events, messages = self._tables.events, self._tables.messages
        return events.outerjoin(
            messages, and_(messages.c.delivery_id == events.c.delivery_id, messages.c.id == events.c.message_id)
        )

    def base(self, pieces: Sequence[Piece], *, mobile: bool, by: Iterable[str]) -> Select[Any]:
        """The rows that the statements below read: the reactions, with the keys of these ways to group links; ``mobile``: some links
        are those of notifications.
        """
        events, messages, links = self._tables.events, self._tables.messages, self._tables.links
        from_ = self._with_messages()
        by = [*by]
        if mobile or by:
            from_ = from_.outerjoin(
                links,
                and_(
                    links.c.delivery_id == events.c.delivery_id,
                    links.c.id == events.c.link_id,
                    links.c.id != OPEN_LINK_ID,
                    links.c.type != int(LinkType.OPEN),
                ),
            )
        names: list[tuple[ColumnElement[bool], ColumnElement[int]]] = [
            (events.c.kind == name, literal_column(str(place))) for place, name in enumerate(NAMES[:_MOBILE])
        ]
        if mobile:
            is_mobile = and_(events.c.kind == Click.kind, links.c.type == int(LinkType.MOBILE_CLICK))
            names.insert(0, (is_mobile, literal_column(str(_MOBILE))))
        rows = select(
            events.c.delivery_id,
            events.c.message_id,
            events.c.link_id,
            events.c.source_id,
            type_coerce(case(*names), Integer).label("name"),
            type_coerce(self._day(pieces), Integer).label("day"),
            func.coalesce(events.c.agent_key, 0).label("agent_key"),
            func.coalesce(messages.c.domain_key, key_of(OTHERS)).label("domain_key"),
            func.coalesce(messages.c.variant_key, key_of("")).label("variant_key"),
            messages.c.recipient_id,
            *(func.coalesce(links.c[LINK_KEYS[way]], NO_KEYS[way]).label(LINK_KEYS[way]) for way in by),
        )
        kinds = [kind for kind in NAMES[:_MOBILE] if self._scope.query.kinds is None or kind in self._scope.query.kinds]
        return rows.select_from(from_).where(
            and_(*self._events, events.c.kind.in_(kinds), func.coalesce(messages.c.is_seed, 0) == 0)
        )

    def _day(self, pieces: Sequence[Piece]) -> ColumnElement[int]:
        """The local day, as days since 1970, that the slot of an event begins on."""
        at: ColumnElement[int] = self._tables.events.c.occurred_at
        floor, unit = self._operations.floor, MICROSECONDS
        if any(piece.offset % SLOT_SECONDS for piece in pieces):
            # Before time zones there were offsets of odd seconds, so midnight may lie inside a slot.
            at, unit = floor(at, SLOT_SECONDS * MICROSECONDS) * SLOT_SECONDS, 1
        offsets: list[ColumnElement[int]] = [literal_column(str(piece.offset * unit)) for piece in pieces]
        if len(pieces) > 1:
            until = zip((at < piece.slot * unit for piece in pieces[1:]), offsets, strict=False)
            at = at + case(*until, else_=offsets[-1])
        elif pieces[0].offset:
            at = at + offsets[0]
        return floor(at, _DAY_SECONDS * unit)

    def rows_by_class(self, base: FromClause) -> Select[Any]:
        """(delivery, domain, variant, name, rows)."""
        return _counted(base, "delivery_id", "domain_key", "variant_key", "name")

    def rows_by_link_and_day(self, base: FromClause) -> Select[Any]:
        """(delivery, link, day, name, rows)."""
        return _counted(base, "delivery_id", "link_id", "day", "name")

    def rows_by_agent(self, base: FromClause) -> Select[Any]:
        """(delivery, program, name, rows)."""
        return _counted(base, "delivery_id", "agent_key", "name")

    def reach_by_class(self, base: FromClause, names: Iterable[int]) -> Select[Any]:
        """(delivery, domain, variant, mask, messages, those of known recipients)."""
        c = base.c
        keys = (c.delivery_id, c.domain_key, c.variant_key, c.recipient_id)
        per = (
            select(*keys, self._mask(c, names).label("mask"))
            .where(c.message_id.is_not(None))
            .group_by(*keys, c.message_id)
            .subquery()
        ).c
        group = (per.delivery_id, per.domain_key, per.variant_key, per.mask)
        return select(*group, func.count(), func.count(per.recipient_id)).group_by(*group)

    def reach_of_recipients(self, base: FromClause, names: Iterable[int]) -> Select[Any]:
        """(mask, recipients)."""
        c = base.c
        per = (
            select(c.recipient_id, self._mask(c, names).label("mask"))
            .where(c.recipient_id.is_not(None))
            .group_by(c.recipient_id)
            .subquery()
        ).c
        return select(per.mask, func.count()).group_by(per.mask)

    def reach_by(self, base: FromClause, column: str, names: Iterable[int]) -> Select[Any]:
        """(delivery, group, mask, messages)."""
        c = base.c
        keys = (c.delivery_id, c[column])
        per = (
            select(*keys, self._mask(c, names).label("mask"))
            .where(c.message_id.is_not(None))
            .group_by(*keys, c.message_id)
            .subquery()
        ).c
        group = (per.delivery_id, per[column], per.mask)
        return select(*group, func.count()).group_by(*group)

    def _mask(self, columns: Any, names: Iterable[int]) -> ColumnElement[int]:
        return self._operations.mask([(columns.name == name, 1 << name) for name in names])

    def persons(self, base: FromClause, *columns: str) -> Select[Any]:
        """(…, persons): distinct source ids that clicked, by these columns."""
        c = base.c
        group = [c[name] for name in columns]
        clicked = and_(c.name.in_([_CLICK, _MOBILE]), c.source_id.is_not(None))
        return select(*group, func.count(sql_distinct(c.source_id))).where(clicked).group_by(*group)

    def persons_by_channel(self, base: FromClause, channel: int) -> Select[Any]:
        """(channel, persons); ``channel`` stands for that of a delivery that nobody registered."""
        c, deliveries = base.c, self._tables.deliveries
        by: ColumnElement[Any] = func.coalesce(deliveries.c.channel_key, channel)
        clicked = and_(c.name.in_([_CLICK, _MOBILE]), c.source_id.is_not(None))
        return (
            select(by, func.count(sql_distinct(c.source_id)))
            .select_from(base.outerjoin(deliveries, deliveries.c.id == c.delivery_id))
            .where(clicked)
            .group_by(by)
        )

    def visits(self, base: FromClause) -> Select[Any]:
        """(day, program, visitors, pages): a visitor is a person, or the message where there is none."""
        c = base.c
        nobody = c.source_id.is_(None)
        who = (
            c.source_id,
            case((nobody, c.delivery_id)).label("of_delivery"),
            case((nobody, c.message_id)).label("of_message"),
        )
        per = (
            select(c.day, c.agent_key, *who, func.count().label("pages"))
            .where(c.name.in_(_PAGES))
            .group_by(c.day, c.agent_key, *who)
            .subquery()
        ).c
        is_somebody = per.source_id.is_not(None) | per.of_message.is_not(None)
        return select(per.day, per.agent_key, func.sum(case((is_somebody, 1), else_=0)), func.sum(per.pages)).group_by(
            per.day, per.agent_key
        )


def _counted(base: FromClause, *columns: str) -> Select[Any]:
    group = [base.c[name] for name in columns]
    return select(*group, func.count()).group_by(*group)
