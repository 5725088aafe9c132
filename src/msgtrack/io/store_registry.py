"""Registered links in a store, read through a cache: a click asks the store for a delivery's links once, and not again for a while,
and waits for no answer that is long in coming.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from attrs import frozen

from msgtrack._borders import shown
from msgtrack._options import functions, switch, zero_or_more
from msgtrack.errors import InvalidOption, InvalidValue, MsgtrackError, StoreError
from msgtrack.io._patience import Patience
from msgtrack.links.alphabet import is_token_text
from msgtrack.links.registry import HasLinks, links_of, refuse_other
from msgtrack.links.retargeting import retargeted
from msgtrack.links.tokens import KEY_LENGTH
from msgtrack.model import TrackedLink
from msgtrack.protocols import Query, Store
from msgtrack.upkeep import AuditEntry

__all__ = ["StoreRegistry"]

_T = TypeVar("_T")

_MAX_KEPT_KEYS = 8


@frozen
class _Known:
    """The links of a delivery by key, none for a delivery that is unknown, and when they were asked for."""

    links: Mapping[str, TrackedLink]
    asked_at: float


class StoreRegistry:
    """Registered links in a store.

    Args:
        store: where they are; a handle of its own, that nothing else uses. It is asked by one thread at a time, whatever
            threads look up, and not by theirs.
        keep: deliveries whose links stay in memory, those last used.
        fresh_seconds: how long the links of a delivery are believed; a link led elsewhere by another process leads there
            after this time at most.
        unknown_seconds: how long it is believed that a delivery, or a key, is unknown.
        retry_seconds: how long a store that failed is left alone. Meanwhile what is in memory goes on, however old.
        wait_seconds: how long a lookup waits for the store, at most. A store that takes longer counts as down until it has
            answered; what it says then is kept, for the next who asks.
        scan: whether links of URLs whose identity does not hold are looked for in the whole store, at most once in
            ``unknown_seconds``; it keeps the delivery of each key in memory, some 200 bytes each. Without it they lead
            nowhere.
        clock: gives seconds that only grow.

    Raises:
        InvalidOption: ``keep`` is below 1, a time is negative, ``scan`` is neither True nor False, or ``clock`` no function.
        InvalidValue: ``store`` is no store.

    A store keeps one link by delivery and id: the contents of one delivery must number theirs apart, by
    ``compile(links_before=...)``. Safe to use from any number of threads.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep: int = 1_000,
        fresh_seconds: float = 300.0,
        unknown_seconds: float = 60.0,
        retry_seconds: float = 5.0,
        wait_seconds: float = 0.5,
        scan: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise InvalidOption(f"keep={shown(keep)} must be a whole number of at least 1")
        zero_or_more(
            fresh_seconds=fresh_seconds,
            unknown_seconds=unknown_seconds,
            retry_seconds=retry_seconds,
            wait_seconds=wait_seconds,
        )
        functions(clock=clock)
        methods = (getattr(store, name, None) for name in ("links", "put"))
        if isinstance(store, type) or not all(callable(method) for method in methods):
            raise InvalidValue(f"store must be a Store, not {shown(store)}", hint='open_store("sqlite:///...")')
        self._store = store
        self._keep = keep
        self._fresh, self._unknown, self._retry = fresh_seconds, unknown_seconds, retry_seconds
        self._scan = switch("scan", scan)
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._strangers: OrderedDict[str, float] = OrderedDict()
        self._deliveries: dict[str, str] = {}
        self._scanned_at: float | None = None
        self._failed_at: float | None = None
        self._patience = Patience(wait_seconds)
        # Held in this order: by who looks up, as long as patience lasts; by who uses the store; by who changes what is known.
        self._asking = threading.Lock()
        self._using = threading.Lock()
        self._changing = threading.Lock()

    def publish(self, compiled: HasLinks) -> None:
        """Make the links of a compiled message known; publishing it again changes nothing.

        Raises:
            InvalidValue: a key is none, or is taken by another link; or the store has another link of this delivery and
                id; or it is no compiled message.
            StoreError: the store fails.
        """
        links = {link.key: link for link in links_of(compiled)}
        if not links:
            return
        for key in links:
            if not _is_key(key):
                raise InvalidValue(f"{key!r:.80} is no key of a link: eight characters of our alphabet")
        delivery_ids = {link.delivery_id for link in links.values()}
        with self._using:
            known = list(self._store.links(Query(delivery_ids=delivery_ids)))
            by_key = {link.key: link for link in known}
            by_id = {(link.delivery_id, link.id): link for link in known}
            for key, link in links.items():
                refuse_other(by_key.get(key, link), link)
                other = by_id.get((link.delivery_id, link.id), link)
                if other.key not in ("", key):
                    raise InvalidValue(
                        f"the store has another link {link.id} of delivery {link.delivery_id!r}, of the key {other.key!r}",
                        hint="number the links of further contents apart: compile(links_before=...)",
                    )
            self._store.put([link for key, link in links.items() if key not in by_key])
        with self._changing:
            for delivery_id in delivery_ids:
                self._known.pop(delivery_id, None)
            for key, link in links.items():
                self._strangers.pop(key, None)
                if self._scan:
                    self._deliveries[key] = link.delivery_id

    def find(self, key: str) -> TrackedLink | None:
        """The link of a key, or None. Any text may be asked for.

        Raises:
            StoreError: the store fails, and nothing in memory answers instead.
        """
        if not _is_key(key):
            return None
        with self._changing:
            delivery_id = self._deliveries.get(key)
            asked_at = self._strangers.get(key)
        if delivery_id is not None:
            return self.find_in(key, delivery_id)
        now = self._clock()
        if not self._scan or (asked_at is not None and now - asked_at < self._unknown):
            return None
        self._scan_all(now)
        with self._changing:
            delivery_id = self._deliveries.get(key)
            if delivery_id is None:
                self._strangers[key] = now
                self._strangers.move_to_end(key)
                while len(self._strangers) > self._keep * _MAX_KEPT_KEYS:
                    self._strangers.popitem(last=False)
        return None if delivery_id is None else self.find_in(key, delivery_id)

    def find_in(self, key: str, delivery_id: str) -> TrackedLink | None:
        """The link of a key among those of a delivery, or None.

        Raises:
            StoreError: the store fails, and nothing in memory answers instead.
        """
        found = self._fresh_of(delivery_id, key)
        if found is None:
            with self._asking:
                # Whoever waited for another thread's answer takes that.
                found = self._fresh_of(delivery_id, key) or self._asked(delivery_id)
        return found.links.get(key)

    def retarget(self, key: str, url: str, *, at: datetime, by: str = "") -> AuditEntry:
        """Lead the link of a key to ``url`` from now on (empty: to its own again); link and entry of the audit trail are kept
        together.

        Raises:
            InvalidValue: there is no such link, or ``url`` is no http(s) URL without placeholders.
            StoreError: the store fails.
        """
        with self._using:
            found = [link for link in self._store.links() if link.key == key] if _is_key(key) else []
            link, entry = retargeted(found[0] if found else None, key, url, at=at, by=by)
            self._store.put([link, entry])
        with self._changing:
            self._known.pop(link.delivery_id, None)
        return entry

    def _fresh_of(self, delivery_id: str, key: str) -> _Known | None:
        """What is in memory of a delivery, if it is still believed about this key."""
        with self._changing:
            known = self._known.get(delivery_id)
            if known is None:
                return None
            self._known.move_to_end(delivery_id)
        lasts = self._fresh if key in known.links else min(self._fresh, self._unknown)
        return known if self._clock() - known.asked_at < lasts else None

    def _asked(self, delivery_id: str) -> _Known:
        """The links of a delivery as the store has them, or as they were while it fails."""
        with self._changing:
            old = self._known.get(delivery_id)

        def ask() -> _Known:
            asked_at = self._clock()
            made = _Known({link.key: link for link in self._links(Query(delivery_ids=(delivery_id,)))}, asked_at)
            with self._changing:
                self._known[delivery_id] = made
                self._known.move_to_end(delivery_id)
                while len(self._known) > self._keep:
                    self._known.popitem(last=False)
            return made

        try:
            return self._answer(ask)
        except (MsgtrackError, OSError):
            if old is None or not old.links:
                raise
            return old

    def _scan_all(self, now: float) -> None:
        def ask() -> None:
            deliveries = {link.key: link.delivery_id for link in self._links(Query())}
            with self._changing:
                self._deliveries = deliveries
                self._scanned_at = now

        with self._asking:
            if self._scanned_at is None or now - self._scanned_at >= self._unknown:
                self._answer(ask)

    def _answer(self, question: Callable[[], _T]) -> _T:
        """What the store says; one that failed a moment ago is left alone."""
        if self._failed_at is not None and self._clock() - self._failed_at < self._retry:
            raise StoreError("the store of links failed a moment ago, and is left alone for a while")

        def in_turn() -> _T:
            with self._using:
                return question()

        return self._patience.ask(in_turn)

    def _links(self, query: Query) -> list[TrackedLink]:
        """The links that the store has, however long it takes."""
        failed = True
        try:
            links = [link for link in self._store.links(query) if link.key]
            failed = False
        finally:
            self._failed_at = self._clock() if failed else None
        return links


def _is_key(key: str) -> bool:
    return isinstance(key, str) and len(key) == KEY_LENGTH and is_token_text(key)
