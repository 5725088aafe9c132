"""Registries: where the destinations of registered links live, by their keys.

``ManifestRegistry``, the one in a folder, and ``StoreRegistry``, the one in a store, are in ``msgtrack.io``: the core opens
no files and reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import evolve

from msgtrack._borders import items, shown
from msgtrack.errors import InvalidValue
from msgtrack.links.retargeting import retargeted
from msgtrack.model import TrackedLink
from msgtrack.upkeep import AuditEntry

__all__ = ["HasLinks", "LinkRegistry", "MemoryRegistry", "links_of", "refuse_other"]


class HasLinks(Protocol):
    """Whatever carries tracked links; a compiled message does."""

    @property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links."""
        ...


@runtime_checkable
class LinkRegistry(Protocol):
    """Who knows registered links by key.

    A registry that keeps links by delivery may have one method more, ``find_in(key, delivery_id)``: it is asked first
    where the URL says the delivery under a signature, and ``find`` when it gives None.
    """

    def publish(self, compiled: HasLinks) -> None:
        """Make the links of a compiled message known. Idempotent; must be done before rendering."""
        ...

    def find(self, key: str) -> TrackedLink | None:
        """The link of a key, or None. Any text may be asked for."""
        ...


class MemoryRegistry:
    """A registry in this process' memory: for tests, and for mailers that serve their own redirects.

    >>> registry = MemoryRegistry()
    >>> registry.find("00000000") is None
    True

    Raises:
        InvalidValue: ``links`` are none.
    """

    def __init__(self, links: Iterable[TrackedLink] = ()) -> None:
        self._links: dict[str, TrackedLink] = {}
        self._audits: list[AuditEntry] = []
        self._add(links)

    def publish(self, compiled: HasLinks) -> None:
        """Make the links of a compiled message known; publishing it again changes nothing.

        Raises:
            InvalidValue: a key is taken by another link (of another delivery, or with another destination), or it is no
                compiled message.
        """
        self._add(links_of(compiled))

    def find(self, key: str) -> TrackedLink | None:
        """The link of a key, or None."""
        return self._links.get(key)

    def retarget(self, key: str, url: str, *, at: datetime, by: str = "") -> AuditEntry:
        """Lead the link of a key to ``url`` from now on (empty: to its own again); what was done is an entry of the audit
        trail.

        Raises:
            InvalidValue: there is no such link, or ``url`` is no http(s) URL without placeholders.
        """
        self._links[key], entry = retargeted(self._links.get(key), key, url, at=at, by=by)
        self._audits.append(entry)
        return entry

    def audits(self) -> tuple[AuditEntry, ...]:
        """What was led elsewhere, in the order it was done."""
        return tuple(self._audits)

    def _add(self, links: Iterable[TrackedLink]) -> None:
        new = {link.key: link for link in _links(links, "a registry holds TrackedLinks")}
        for key, link in new.items():
            known = self._links.get(key, link)
            refuse_other(known, link)
            # Publishing again does not lead back what was led elsewhere since.
            new[key] = evolve(link, target_url=known.target_url) if known.target_url else link
        self._links.update(new)


def links_of(compiled: HasLinks) -> tuple[TrackedLink, ...]:
    """The links to publish.

    Raises:
        InvalidValue: it carries none.
    """
    try:
        links: object = compiled.links
    except AttributeError:
        raise InvalidValue(
            f"publish takes a compiled message, not {shown(compiled)}", hint="Tracker.compile(...)"
        ) from None
    return _links(links, "publish takes what has TrackedLinks as its links")


def _links(links: object, rule: str) -> tuple[TrackedLink, ...]:
    found = items(links) if isinstance(links, Iterable) and not isinstance(links, str | bytes) else (links,)
    for link in found:
        if not isinstance(link, TrackedLink):
            raise InvalidValue(f"{rule}, not {shown(link)}")
    return found


def refuse_other(known: TrackedLink, link: TrackedLink) -> None:
    """Nothing, if both are the same link as far as a registry cares.

    Raises:
        InvalidValue: they are not, and so the key is taken.
    """
    if (known.delivery_id, known.variant, known.id, known.url) != (link.delivery_id, link.variant, link.id, link.url):
        raise InvalidValue(
            f"the key {link.key!r} of link {link.id} of delivery {link.delivery_id!r} is taken by link {known.id} of "
            f"delivery {known.delivery_id!r}"
        )
