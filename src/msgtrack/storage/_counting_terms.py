"""What the keys and bodies in the rows of an engine mean: programs, profiles of messages, amounts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgtrack._closing import OfMessages, Profile, handled_of
from msgtrack._entries import NO_AGENT, NO_SLOT
from msgtrack._platform import Agent
from msgtrack.domains import OTHERS
from msgtrack.errors import StoreError
from msgtrack.model import MessageStatus
from msgtrack.storage._counting_sql import Statements
from msgtrack.storage._operations import Ask
from msgtrack.storage._rows import OVERSIZE, key_of

__all__ = ["ProfileRows", "Terms", "amount_of"]

_MOST_KEYS = 500


class Terms:
    """The dictionary of a store, as far as a question needs it."""

    def __init__(self, ask: Ask, say: Statements) -> None:
        self._ask = ask
        self._say = say
        self._bodies: dict[int, Any] = {}
        self._texts: dict[int, str] = {key_of(text): text for text in (OTHERS, "")}

    def agents(self, keys: Iterable[int]) -> Mapping[int, Agent]:
        """The programs of these keys; 0 is the one of which nothing is known."""
        wanted = {*keys}
        known = self._of(wanted - {0})
        return {key: tuple(known[key]) if key else NO_AGENT for key in wanted}

    def profiles(self, keys: Iterable[int]) -> Mapping[int, tuple[Profile, bool]]:
        """The profiles of these keys, each with whether it is that of seeds."""
        found = {}
        for key, (domain, variant, status, failure_type, reason, is_text, is_quarantine, is_seed) in self._of(
            keys
        ).items():
            for text in (domain, variant):
                self._texts[key_of(text)] = text
            profile = Profile(
                (domain, variant), MessageStatus(status), failure_type, reason, bool(is_text), bool(is_quarantine)
            )
            found[key] = profile, bool(is_seed)
        return found

    def text(self, key: int) -> str:
        """The domain class or the variant of a key; those of profiles that were asked for are known."""
        return self._texts[key]

    def _of(self, keys: Iterable[int]) -> dict[int, Any]:
        wanted = {*keys}
        missing = sorted(wanted - self._bodies.keys())
        for start in range(0, len(missing), _MOST_KEYS):
            for key, body in self._ask(self._say.terms(missing[start : start + _MOST_KEYS])):
                self._bodies[int(key)] = json.loads(body)
        if strange := wanted - self._bodies.keys():
            raise StoreError(f"the dictionary of the store lacks the key {min(strange)}")
        return {key: self._bodies[key] for key in wanted}


class ProfileRows:
    """The messages of a question, grouped by the engine: by delivery, profile and slot."""

    def __init__(self, ask: Ask, say: Statements, terms: Terms) -> None:
        rows = [(name, *map(_whole, rest)) for name, *rest in ask(say.messages())]
        self.is_oversized = any(row[-1] == OVERSIZE for row in rows)
        self.deliveries = {row[0] for row in rows}
        known = terms.profiles({row[1] for row in rows if row[1] is not None})
        self.has_seeds = any(is_seed for _, is_seed in known.values())
        self._profiles: defaultdict[str, Counter[Profile]] = defaultdict(Counter)
        self._handled: defaultdict[str, list[tuple[MessageStatus, int, int, int, int]]] = defaultdict(list)
        for name, key, slot, messages, unsized, size_bytes, _ in rows:
            profile, is_seed = known[key or 0]
            if not is_seed:
                self._profiles[name][profile] += messages or 0
                when = NO_SLOT if slot is None else slot
                self._handled[name].append((profile.status, when, messages or 0, unsized or 0, size_bytes or 0))
        self._addresses: defaultdict[str, list[str]] = defaultdict(list)
        in_quarantine = [key for key, (profile, is_seed) in known.items() if profile.is_quarantine and not is_seed]
        for start in range(0, len(in_quarantine), _MOST_KEYS):
            for name, body in ask(say.message_bodies(in_quarantine[start : start + _MOST_KEYS])):
                self._addresses[name].append(json.loads(body).get("address", ""))

    def of(self, delivery_id: str) -> OfMessages:
        """What a delivery's numbers are made of."""
        addresses = self._addresses.get(delivery_id, [])
        return OfMessages(
            self._profiles.get(delivery_id, Counter()),
            handled_of(self._handled.get(delivery_id, [])),
            frozenset(filter(None, addresses)),
            addresses.count(""),
        )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def amount_of(body: str | None) -> tuple[Decimal, int]:
    """The amount and the number of articles in the body of a transaction."""
    rest = {} if body is None else json.loads(body)
    return Decimal(rest.get("amount") or 0), int(rest.get("article") or 0)
