"""How a link with placeholders stands in a :class:`~msgtrack.model.TrackedLink`: one notation, whatever syntax its author used.

``https://shop.example/?name=<%= user.name %>``: no address holds ``<%=`` by itself, so the link needs no second field to
say where its placeholders are. A link of the ``campaign`` syntax stands there as its author wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["GAP", "joined", "pieces_of", "tag_of", "tagged", "tags_of"]

GAP = "\ufdd0"
"""What stands for a placeholder while a link is looked at as an address: a character that means nothing by itself."""

_TAG = re.compile(r"<%=.*?%>", re.DOTALL)


def tag_of(name: str) -> str:
    """The tag that stands for a placeholder of this name.

    >>> tag_of("user.name")
    '<%= user.name %>'
    """
    return f"<%= {name.replace('%>', '% >')} %>"


def pieces_of(url: str) -> tuple[str, ...]:
    """The fixed pieces of a link, a placeholder between each two.

    >>> pieces_of("https://shop.example/?name=<%= user.name %>&a=1")
    ('https://shop.example/?name=', '&a=1')
    """
    return tuple(_TAG.split(url)) if "<%=" in url else (url,)


def tags_of(url: str) -> list[str]:
    """The tags of a link, in order."""
    return _TAG.findall(url)


def joined(pieces: Sequence[str], tags: Sequence[str]) -> str:
    """Pieces with tags between them."""
    return pieces[0] + "".join([tag + piece for tag, piece in zip(tags, pieces[1:], strict=True)])


def tagged(text: str, tags: Sequence[str]) -> str:
    """A link in which :data:`GAP` stands for each placeholder, with its tags."""
    return joined(text.split(GAP), tags) if tags else text
