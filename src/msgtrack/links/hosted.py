"""Pages of our own server: how their URLs are written, and which reserved link part stands for which page.

Each page has a key of its own, the purpose named as the page. So whoever reads a click URL in a log cannot make an
unsubscribe of it. The clauses: ``docs/spec/tokens.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgtrack.model import HostedPage, LinkType, TrackedLink

__all__ = ["HOSTED_LINK_ID", "HOSTED_PARTS", "LINK_TYPES", "PAGES", "hosted_link"]

HOSTED_PARTS: Mapping[HostedPage, str] = {
    HostedPage.OPT_OUT: "u",
    HostedPage.MIRROR: "m",
    HostedPage.PREFERENCES: "p",
}
"""The link part that stands for a page; no link's own is that short."""

PAGES: Mapping[str, HostedPage] = {part: page for page, part in HOSTED_PARTS.items()}
"""The page that a link part stands for."""

HOSTED_LINK_ID = "0"
"""The link id that formats write where they write one; no link has it, and no event names it."""

LINK_TYPES: Mapping[HostedPage, LinkType] = {
    HostedPage.OPT_OUT: LinkType.OPT_OUT,
    HostedPage.MIRROR: LinkType.MIRROR_PAGE,
    HostedPage.PREFERENCES: LinkType.OTHER,
}
"""What a hit on a page counts as."""


def hosted_link(page: HostedPage, delivery_id: str, variant: str) -> TrackedLink:
    """A page as the link that URL formats are shown."""
    return TrackedLink(delivery_id=delivery_id, id=HOSTED_LINK_ID, url="", type=LINK_TYPES[page], variant=variant)
