"""Checking links that were sent: an archive of them, read again with the keys and the registry of today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from msgtrack._borders import closed, optional_id, optional_utc, shown
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue, MsgtrackError
from msgtrack.links.alphabet import is_token_text
from msgtrack.links.formats import UrlFormat
from msgtrack.links.tokens import KEY_LENGTH
from msgtrack.model import OPEN_LINK_ID, HostedPage, Resolution, ResolutionOutcome

__all__ = ["CHECK_PROBLEMS", "LinkCheck", "SentLink", "check_links"]

CHECK_PROBLEMS = {
    "unregistered": "The registry does not know the link: its readers get a page that says so.",
    "unknown": "No key knows the URL: the secret that signed it is gone, or it is none of ours.",
    "unavailable": "The registry failed.",
    "anonymous": "The link leads on and names nobody: the secret that signed its message part is gone.",
    "expired": "The link is over.",
    "other-destination": "The link leads elsewhere than it did when it was sent.",
    "other-message": "The URL names another message or delivery than it was sent for.",
}
"""What a check finds: codes, and what they mean for a reader."""


@closed
@frozen(kw_only=True)
class SentLink:
    """A tracked URL as it was sent, and what is known of it; what is left out is not compared."""

    url: str = field(converter=as_text)
    destination: str = field(default="", converter=as_text)
    delivery_id: str | None = field(default=None, converter=optional_id)
    message_id: str | None = field(default=None, converter=optional_id)


@frozen(kw_only=True)
class LinkCheck:
    """What became of a sent link: ``problem`` is empty or one of ``CHECK_PROBLEMS``; ``resolution`` is None where it could
    not be looked up.
    """

    link: SentLink
    problem: str
    resolution: Resolution | None = None


class _Tracker(Protocol):
    @property
    def url_format(self) -> UrlFormat: ...

    def resolve(self, url: str, *, at: datetime | None = None) -> Resolution: ...


def check_links(
    links: Iterable[SentLink | str], *, tracker: _Tracker, at: datetime | None = None
) -> Iterator[LinkCheck]:
    """Resolve links that were sent, one after the other, and say what is wrong with each.

    Run it before a secret is retired, after a registry was moved, and over a sample of each sending.

    Args:
        links: the archive; a bare URL will do.
        tracker: the keys and the registry of today.
        at: the moment at which links may be over; None: none is.

    Raises:
        InvalidValue: the archive is none (one URL alone, too), or something in it is neither a SentLink nor text; ``tracker``
            is none.
    """
    # Looked at now, and not when the first link is asked for.
    if isinstance(links, str | bytes | bytearray) or not isinstance(links, Iterable):
        raise InvalidValue(f"an archive is a sequence of SentLinks and URLs, not {shown(links)}")
    if (
        isinstance(tracker, type)
        or not callable(getattr(tracker, "resolve", None))
        or not hasattr(tracker, "url_format")
    ):
        raise InvalidValue(f"tracker must be a Tracker, not {shown(tracker)}", hint="Tracker(base_url, keyring)")
    return _checks(links, tracker, optional_utc(at))


def _checks(links: Iterable[SentLink | str], tracker: _Tracker, moment: datetime | None) -> Iterator[LinkCheck]:
    for one in links:
        if not isinstance(one, SentLink | str):
            raise InvalidValue(f"an archive holds SentLinks and URLs, not {shown(one)}")
        yield _checked(SentLink(url=one) if isinstance(one, str) else one, tracker, moment)


def _checked(link: SentLink, tracker: _Tracker, at: datetime | None) -> LinkCheck:
    try:
        said = tracker.resolve(link.url, at=at)
    except (MsgtrackError, OSError, RuntimeError, ValueError, LookupError):
        return LinkCheck(link=link, problem="unavailable")
    return LinkCheck(link=link, problem=_problem(link, said, tracker), resolution=said)


def _problem(link: SentLink, said: Resolution, tracker: _Tracker) -> str:
    if said.outcome is ResolutionOutcome.UNKNOWN:
        parsed = tracker.url_format.parse(link.url)
        is_key = parsed is not None and len(parsed.link) == KEY_LENGTH and is_token_text(parsed.link)
        return "unregistered" if is_key else "unknown"
    if said.outcome is ResolutionOutcome.ANONYMOUS:
        return "anonymous"
    if said.outcome is ResolutionOutcome.EXPIRED:
        return "expired"
    has_target = said.link_id != OPEN_LINK_ID and said.hosted not in tuple(HostedPage)
    if link.destination and has_target and said.destination != link.destination:
        return "other-destination"
    is_other = (link.delivery_id is not None and said.delivery_id != link.delivery_id) or (
        link.message_id is not None and said.message_id != link.message_id
    )
    return "other-message" if is_other else ""
