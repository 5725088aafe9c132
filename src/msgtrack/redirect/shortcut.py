"""The short way: what was answered once is answered again without asking what it means.

All URLs of a family (see ``Tracker.message_reader``) mean the same but for the message. So the first click on a link, and the
first open of a delivery, go the long way, and what they came to is remembered; of the next ones a signature is checked,
and their hits are made. Whatever is out of the ordinary goes the long way each time: so nothing here decides what a request
means.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, field

from msgtrack._trusted import trusted
from msgtrack.decide import Meaning, Reason
from msgtrack.hits import PURPOSE_HEADERS, Hit, header_text
from msgtrack.model import LinkType, ResolutionOutcome
from msgtrack.protocols import MessageReader, Resolver, message_reader_of
from msgtrack.redirect.exchange import Failure, Headers, Response
from msgtrack.redirect.visitors import Visitors, made_hit

__all__ = ["Found", "Settled", "Shortcut", "shortcut_of"]

made_response = trusted(Response)
"""A response of fields that hold already."""

# Where one of these comes along, the answer or the hit may be another.
_TELLING = frozenset({*PURPOSE_HEADERS, "sec-gpc"})
_MAX_URL = 2_048
_ROOM = 4_096
_ORDINARY = frozenset({Reason.CLICK, Reason.OPEN, Reason.OPT_OUT, Reason.NOT_FOLLOWED})


@define(eq=False, kw_only=True)
class Settled:
    """What all requests have in common that were settled by one."""

    response: Response
    reason: str
    may_key: bool
    """Whether browsers are told apart here, as far as they bring a key."""
    is_open: bool
    """Whether they ask for the pixel: opens give no keys, and no registry is asked about them."""
    expires_at: datetime | None
    raw_headers: tuple[tuple[bytes, bytes], ...] = field(init=False)
    """The headers of the response as bytes, ``content-length`` among them."""

    def __attrs_post_init__(self) -> None:
        headers = (*self.response.headers, ("content-length", str(len(self.response.body))))
        self.raw_headers = tuple([(name.encode(), value.encode("latin-1")) for name, value in headers])

    def answer(self, cookie: str) -> Response:
        """The response, with a cookie where that is not empty."""
        response = self.response
        if not cookie:
            return response
        return made_response(response.status, (*response.headers, ("set-cookie", cookie)), response.body)


Found = tuple[Settled, Hit, str]
"""What a request comes to: what was settled before, its hit, and a cookie to set where that is not empty."""


def shortcut_of(resolver: Resolver, visitors: Visitors) -> Shortcut | None:
    """The short way of a handler; None where there is none, because all requests differ."""
    people = visitors.people
    reader = message_reader_of(resolver) if people.key != "hash" and people.client_ip == "none" else None
    return None if reader is None else Shortcut(resolver, reader, visitors)


class Shortcut:
    """What one handler has settled. May be used from any number of threads; what it holds is bounded."""

    def __init__(self, resolver: Resolver, read_message: MessageReader, visitors: Visitors) -> None:
        self._resolver = resolver
        self._read = read_message
        self._visitors = visitors
        self._settled: dict[str, dict[str, Settled]] = {}
        """By what stands before the message part, and by family."""
        self._count = 0

    def find(self, method: str, url: str, headers: Headers, received_at: datetime) -> Found | None:
        """What a request comes to; None where it has to go the long way."""
        front, _, message = url.rpartition("/")
        families = self._settled.get(front)
        if families is None or method != "GET" or headers.has_any(_TELLING):
            return None
        said = self._read(message)
        settled = None if said is None else families.get(said[0])
        if settled is None or (settled.expires_at is not None and received_at >= settled.expires_at):
            return None
        if not settled.is_open and self._has_registry():
            return None
        source_id, cookie = None, ""
        if settled.may_key:
            source_id = self._visitors.key_of(headers)
            if source_id is None and not settled.is_open:
                fresh = self._visitors.fresh_key()
                if isinstance(fresh, Failure):
                    return None
                source_id, cookie = fresh, self._visitors.cookie(fresh)
        hit = made_hit(
            method,
            url,
            received_at,
            header_text(headers.first("user-agent")),
            header_text(headers.first("referer")),
            "",
            "",
            source_id,
        )
        return settled, hit, cookie

    def learn(self, hit: Hit, meaning: Meaning, response: Response) -> None:
        """Remember what a request came to that went the long way without a failure, where all others like it come to the same."""
        resolution = meaning.resolution
        is_ordinary = hit.method == "GET" and not hit.purpose and not hit.privacy and len(hit.url) <= _MAX_URL
        if not is_ordinary or meaning.reason not in _ORDINARY or response.status >= 400:
            return
        if resolution.outcome is not ResolutionOutcome.VALID or resolution.repairs or resolution.hosted is not None:
            return
        is_open = resolution.link_type is LinkType.OPEN
        if not is_open and self._has_registry():
            return
        front, _, message = hit.url.rpartition("/")
        said = self._read(message)
        if said is None or said[1] != resolution.message_id or said[0] in self._settled.get(front, ()):
            return
        if self._count >= _ROOM:
            self._settled, self._count = {}, 0
        self._count += 1
        self._settled.setdefault(front, {})[said[0]] = Settled(
            response=response,
            reason=meaning.reason.value,
            may_key=meaning.may_key and self._visitors.people.key == "cookie",
            is_open=is_open,
            expires_at=resolution.expires_at,
        )

    def _has_registry(self) -> bool:
        """Whether links may mean something else the next time. Asked each time: a tracker may be given a registry while it is used."""
        return getattr(self._resolver, "registry", None) is not None
