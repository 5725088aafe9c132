"""Forgetting a recipient, and saying what is held about one.

Pseudonyms are made with a secret that stands in the audit trail while the work is under way and is thrown away at the end: after a
break the same ones are made again, and after the end nobody can make them. What leads from a recipient to all the rest (his
messages) is rewritten last, and the persons behind his events are renamed elsewhere first.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TypeVar

from attrs import evolve, frozen

from msgtrack._borders import optional_utc, text_id
from msgtrack.events import Event
from msgtrack.facts import (
    AddressState,
    Exclusion,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
)
from msgtrack.model import Message
from msgtrack.protocols import AuditEntry, Query, Record
from msgtrack.storage._core import CoreStore
from msgtrack.storage._purging import batches, new_entry_id

__all__ = ["erase", "export", "subject_digest"]

_R = TypeVar("_R", bound=Record)
_PREFIX = "erased-"
_MARK_DIGITS = 8
_NAME_DIGITS = 32


def subject_digest(recipient_id: str) -> str:
    """What the audit trail calls an erased recipient: the SHA-256 of his id, so that who knows the id can find the entry.

    It hides nothing from somebody who can try all ids.
    """
    return hashlib.sha256(text_id(recipient_id).encode()).hexdigest()


class _Pseudonyms:
    """A new name for each old one, the same each time; a name of its own making stays."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, name: str) -> str:
        if self._is_mine(name):
            return name
        digits = self._digits("name", name)[:_NAME_DIGITS]
        return f"{_PREFIX}{digits}{self._mark(digits)}"

    def _is_mine(self, name: str) -> bool:
        digits, mark = name[len(_PREFIX) : -_MARK_DIGITS], name[-_MARK_DIGITS:]
        return name.startswith(_PREFIX) and hmac.compare_digest(
            mark.encode("utf-8", "replace"), self._mark(digits).encode()
        )

    def _mark(self, digits: str) -> str:
        return self._digits("mark", digits)[:_MARK_DIGITS]

    def _digits(self, use: str, name: str) -> str:
        return hmac.digest(self._secret, f"{use}:{name}".encode("utf-8", "surrogatepass"), "sha256").hex()


@frozen
class _Holdings:
    """What leads from a recipient to what is held about him."""

    addresses: frozenset[str]
    source_ids: frozenset[str]
    visitor_ids: frozenset[tuple[str, str]]
    has_messages: bool


def _holdings(store: CoreStore, recipient_id: str) -> _Holdings:
    his = Query(recipient_id=recipient_id)
    addresses: set[str] = set()
    has_messages = False
    for message in store.messages(his):
        has_messages = True
        addresses.add(message.address)
    addresses.update(exclusion.address for exclusion in _about(store, Exclusion, recipient_id))
    events = store.scan(his) if has_messages else ()
    return _Holdings(
        addresses=frozenset(addresses - {""}),
        source_ids=frozenset(event.source_id for event in events if event.source_id is not None),
        visitor_ids=frozenset((visitor.delivery_id, visitor.id) for visitor in _about(store, Visitor, recipient_id)),
        has_messages=has_messages,
    )


def export(store: CoreStore, recipient_id: str) -> Iterator[Record | Event]:
    """See :meth:`msgtrack.storage.BaseStore.export`."""
    recipient_id = text_id(recipient_id)
    # All at once: a snapshot that lasted as long as somebody reads would hide from him what he writes meanwhile.
    with store.snapshot():
        held = [*_held(store, recipient_id)]
    yield from held


def _held(store: CoreStore, recipient_id: str) -> Iterator[Record | Event]:
    his = Query(recipient_id=recipient_id)
    holdings = _holdings(store, recipient_id)
    yield from store.messages(his)
    for kind in (Exclusion, Subscription, SubscriptionChange, Visitor):
        yield from _about(store, kind, recipient_id)
    yield from _nameless_exclusions(store, holdings.addresses)
    yield from _views_of(store, holdings.visitor_ids)
    yield from store.find_having(AddressState, "address", holdings.addresses)
    yield from store.find_having(StepView, "source_id", holdings.source_ids)
    yield from store.scan(his)
    if holdings.source_ids:
        yield from (event for event in store.events_by(holdings.source_ids) if event.message_id is None)


def _about(store: CoreStore, kind: type[_R], recipient_id: str) -> Iterator[_R]:
    """Facts of one class that name him; a query by recipient gives those besides that name nobody."""
    return store.find_having(kind, "recipient_id", {recipient_id})


def _nameless_exclusions(store: CoreStore, addresses: AbstractSet[str]) -> Iterator[Exclusion]:
    """Exclusions of his addresses that name no recipient."""
    return (fact for fact in store.find_having(Exclusion, "address", addresses) if fact.recipient_id is None)


def _views_of(store: CoreStore, visitors: AbstractSet[tuple[str, str]]) -> Iterator[SharedView]:
    """What visitors, each known by delivery and id, were shown."""
    views = store.find_having(SharedView, "visitor_id", {visitor_id for _, visitor_id in visitors})
    return (view for view in views if (view.delivery_id, view.visitor_id) in visitors)


def erase(store: CoreStore, recipient_id: str, *, now: datetime | None, anonymise: bool) -> AuditEntry:
    """See :meth:`msgtrack.storage.BaseStore.erase`."""
    recipient_id = text_id(recipient_id)
    # An adapter that cannot rewrite anything says so before anything is written.
    store.revise()
    how = "anonymised" if anonymise else "removed"
    entry = _begun(store, recipient_id, optional_utc(now), how)
    work = _Erasure(store, recipient_id, _Pseudonyms(entry.secret), anonymise=anonymise)
    work.run()
    done = Counter(entry.done) + work.done
    finished = evolve(entry, status="finished", secret="", detail=how, done={kind: done[kind] for kind in sorted(done)})
    store.put([finished])
    return finished


def _begun(store: CoreStore, recipient_id: str, now: datetime | None, how: str) -> AuditEntry:
    """The entry of an erasure that broke off, else a new one."""
    subject = subject_digest(recipient_id)
    for entry in store.audits():
        if (entry.action, entry.status, entry.subject) == ("erase", "started", subject):
            return entry
    entry = AuditEntry(
        id=new_entry_id(store, now, "erase", subject),
        action="erase",
        started_at=now,
        subject=subject,
        secret=secrets.token_hex(32),
        detail=how,
    )
    store.put([entry])
    return entry


class _Erasure:
    def __init__(self, store: CoreStore, recipient_id: str, rename: _Pseudonyms, *, anonymise: bool) -> None:
        self.store = store
        self.recipient_id = recipient_id
        self.his = Query(recipient_id=recipient_id)
        self.rename = rename
        self.anonymise = anonymise
        self.done: Counter[str] = Counter()
        self.touched: set[str] = set()

    def run(self) -> None:
        holdings = _holdings(self.store, self.recipient_id)
        self._people(holdings.source_ids)
        self._events()
        self._about_him(holdings)
        self._addresses(holdings.addresses)
        if not self.anonymise:
            # Before the messages go: without them a repeated call would not know which deliveries to rebuild.
            self.touched |= {message.delivery_id for message in self.store.messages(self.his)}
        if self.touched:
            self.store.rebuild(sorted(self.touched))
        self._messages()
        if self.touched:
            self.store.rebuild(sorted(self.touched))

    def _people(self, source_ids: frozenset[str]) -> None:
        """Rename his browsers wherever they show up without him."""
        if not source_ids:
            return
        theirs = self.store.messages_of(self.recipient_id)
        elsewhere = (
            event
            for event in self.store.events_by(source_ids)
            if (event.delivery_id, event.message_id) not in theirs and self._is_named(event.source_id)
        )
        for batch in batches(elsewhere):
            self.store.revise(events=[self._elsewhere(event) for event in batch])
            self.done["events elsewhere"] += len(batch)
        views = self.store.find_having(StepView, "source_id", source_ids)
        for views_batch in batches(view for view in views if self._is_named(view.source_id)):
            renamed = [evolve(view, source_id=self.rename(view.source_id)) for view in views_batch]
            self.store.revise(records=renamed, remove=views_batch)
            self.done["step views"] += len(views_batch)

    def _elsewhere(self, event: Event) -> Event:
        # What names no message is nobody else's, so it is his as a whole.
        renamed = evolve(event, id=event.id, source_id=self._renamed(event.source_id))
        return self._anonymous(event) if event.message_id is None else renamed

    def _events(self) -> None:
        for batch in batches(self.store.scan(self.his)):
            if self.anonymise:
                self.store.revise(events=[self._anonymous(event) for event in batch])
            else:
                self.touched |= {event.delivery_id for event in batch if event.delivery_id is not None}
                self.store.revise(remove_events=[event.id for event in batch])
            self.done["events"] += len(batch)

    def _anonymous(self, event: Event) -> Event:
        bare = evolve(
            event,
            id=event.id,
            source_id=self._renamed(event.source_id),
            client=None if event.client is None else evolve(event.client, user_agent=""),
            request_id="",
        )
        # The texts of mail servers quote the address.
        return evolve(bare, diagnostic="") if hasattr(bare, "diagnostic") else bare  # type: ignore[call-arg]  # it has it

    def _about_him(self, holdings: _Holdings) -> None:
        new = self.rename(self.recipient_id)
        self._rewrite(
            "shared views",
            _views_of(self.store, holdings.visitor_ids),
            lambda view: evolve(view, visitor_id=self._renamed(view.visitor_id)),
        )
        self._rewrite(
            "visitors",
            _about(self.store, Visitor, self.recipient_id),
            lambda fact: evolve(fact, id=self.rename(fact.id), recipient_id=new, origin=""),
        )
        self._rewrite(
            "exclusions",
            _about(self.store, Exclusion, self.recipient_id),
            lambda fact: evolve(fact, recipient_id=new, address=self._renamed_address(fact.address)),
        )
        self._rewrite(
            "subscriptions",
            _about(self.store, Subscription, self.recipient_id),
            lambda fact: evolve(fact, recipient_id=new),
        )
        self._rewrite(
            "subscription changes",
            _about(self.store, SubscriptionChange, self.recipient_id),
            lambda fact: evolve(fact, recipient_id=new, origin=""),
        )

    def _addresses(self, addresses: frozenset[str]) -> None:
        """The records of his addresses, and exclusions by address alone, but those which somebody else has as well."""
        states = [*self.store.find_having(AddressState, "address", addresses)]
        exclusions = [*_nameless_exclusions(self.store, addresses)]
        wanted = {state.address for state in states} | {fact.address for fact in exclusions}
        if not wanted:
            return
        shared = {
            message.address
            for message in self.store.find_having(Message, "address", wanted)
            if message.recipient_id != self.recipient_id
        }
        self._rewrite(
            "addresses",
            (state for state in states if state.address not in shared),
            lambda state: evolve(state, address=self._renamed_address(state.address)),
        )
        self._rewrite(
            "exclusions",
            (fact for fact in exclusions if fact.address not in shared),
            lambda fact: evolve(fact, address=self._renamed_address(fact.address)),
        )

    def _messages(self) -> None:
        new = self.rename(self.recipient_id)

        def anonymous(message: Message) -> Message:
            return evolve(
                message, recipient_id=new, address=self._renamed_address(message.address), domain=message.domain
            )

        self._rewrite("messages", self.store.messages(self.his), anonymous)

    def _rewrite(self, name: str, records: Iterable[_R], anonymous: Callable[[_R], _R]) -> None:
        for batch in batches(records):
            self.touched |= set() if self.anonymise else {*filter(None, map(_delivery_of, batch))}
            kept = [anonymous(record) for record in batch] if self.anonymise else []
            self.store.revise(records=kept, remove=batch)
            self.done[name] += len(batch)

    def _is_named(self, source_id: str | None) -> bool:
        return source_id is not None and self.rename(source_id) != source_id

    def _renamed(self, name: str | None) -> str | None:
        return None if name is None else self.rename(name)

    def _renamed_address(self, address: str) -> str:
        return self.rename(address) if address else ""


def _delivery_of(record: Record) -> str | None:
    return getattr(record, "delivery_id", None)
