"""Registries: where the destinations of registered links live, by their keys.

``ManifestRegistry``, the one in a folder, is in ``msgtrack.io.manifests``: the core opens no files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from msgtrack.errors import InvalidValue
from msgtrack.model import TrackedLink

__all__ = ["HasLinks", "LinkRegistry", "MemoryRegistry", "refuse_other"]


class HasLinks(Protocol):
    """Whatever carries tracked links; a compiled message does."""

    @property
    def links(self) -> tuple[TrackedLink, ...]:
        """The tracked links."""
        ...


@runtime_checkable
class LinkRegistry(Protocol):
    """Who knows registered links by key."""

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
    """

    def __init__(self, links: Iterable[TrackedLink] = ()) -> None:
        self._links: dict[str, TrackedLink] = {}
        self._add(links)

    def publish(self, compiled: HasLinks) -> None:
        """Make the links of a compiled message known; publishing it again changes nothing.

        Raises:
            InvalidValue: a key is taken by another link (of another delivery, or with another destination).
        """
        self._add(compiled.links)

    def find(self, key: str) -> TrackedLink | None:
        """The link of a key, or None."""
        return self._links.get(key)

    def _add(self, links: Iterable[TrackedLink]) -> None:
        new = {link.key: link for link in links}
        for key, link in new.items():
            refuse_other(self._links.get(key, link), link)
        self._links.update(new)


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
