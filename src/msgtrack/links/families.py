"""Families of tracked URLs: those that say the same but for the message that they name.

Whoever reads millions of URLs resolves one of each family, and of the others learns the message alone. Nothing is
believed that :class:`~msgtrack.links.resolving.UrlReader` would not believe: each message part's signature is checked.
"""

from __future__ import annotations

from collections.abc import Callable

from msgtrack.links.keyring import Keyring
from msgtrack.links.tokens import plain_reader

__all__ = ["Family", "FamilyReader", "family_reader"]

Family = tuple[str, str]
"""A link part, and all that a message part says beside the message."""

FamilyReader = Callable[[str], "tuple[Family, str] | None"]
"""From a URL to its family and its message's id; None for a URL that is of none, which says nothing about it."""

_MAX_KNOWN = 1 << 15
# Far below the length from which URLs are cut, so that no message part is long enough to make a difference.
_MAX_LINK = 4_096


def family_reader(keyring: Keyring, realm: str, base_path: str) -> FamilyReader:
    """Reads path and query of URLs in the compact format, below ``base_path`` (``/``, or such as ``/t/``).

    It remembers some ten thousand message parts that held. Not to be shared between threads.
    """
    known: dict[str, tuple[str, str]] = {}
    known_of = known.get
    read_token = plain_reader(keyring, realm)

    def read(url: str) -> tuple[Family, str] | None:
        try:
            before, link, token = url.split("/")
        except ValueError:
            return None
        said = known_of(token)
        if said is None:
            said = read_token(token)
            if said is None:
                return None
            if len(known) >= _MAX_KNOWN:
                known.clear()
            known[token] = said
        if before or len(link) > _MAX_LINK:
            return None
        return (link, said[0]), said[1]

    if base_path == "/":
        return read

    def read_below(url: str) -> tuple[Family, str] | None:
        # A proxy may have taken the path of the base off.
        return read("/" + url.removeprefix(base_path) if url.startswith(base_path) else url)

    return read_below
