"""What a hit means: the one place where a request, live or read from a log, gets its meaning.

The redirect handler and the log parsers both call :func:`decide`, so live and replayed agree by construction.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from attrs import evolve, frozen

from msgtrack._trusted import trusted
from msgtrack.errors import HookError
from msgtrack.events import (
    Click,
    Event,
    MirrorPageView,
    Open,
    OptOutClick,
    PageVisit,
    Transaction,
    Unknown,
    Unsubscribed,
)
from msgtrack.hits import Hit
from msgtrack.model import (
    OPEN_LINK_ID,
    Client,
    Consent,
    HostedPage,
    LinkType,
    PeoplePolicy,
    Resolution,
    ResolutionOutcome,
)
from msgtrack.protocols import Resolver, Sessions
from msgtrack.webtags import TagRequest, WebMode, WebTag, WebTags

__all__ = ["Decision", "Meaning", "Reason", "decide", "meaning_of", "person_key", "salted_key"]


class Reason(StrEnum):
    """Why a hit became what it became; a closed list.

    ``click``, ``open``, ``mirror-page``, ``web``: a reaction of a message. ``opt-out``: an unsubscription link of the
    author's was followed, or the recipient left by our own opt-out (``POST``). ``opt-out-page``, ``preferences``: our own
    page was looked at. ``other``: a link of a type that no indicator counts. ``anonymous-link``: a good link whose
    identity does not hold. ``expired``, ``unknown``: see :class:`~msgtrack.model.ResolutionOutcome`. ``head``,
    ``prefetch``, ``method``: no reader asked. ``refused``: the answer was an error. ``not-followed``: the recipient does
    not wish to be counted. ``visitor``: a tagged page was seen by somebody whom the mode of web tags does not keep.
    ``unavailable``: what the URL says could not be looked up just now (of the redirect handler only).
    """

    CLICK = "click"
    OPEN = "open"
    MIRROR_PAGE = "mirror-page"
    OPT_OUT = "opt-out"
    OPT_OUT_PAGE = "opt-out-page"
    PREFERENCES = "preferences"
    WEB = "web"
    OTHER = "other"
    ANONYMOUS_LINK = "anonymous-link"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    HEAD = "head"
    PREFETCH = "prefetch"
    METHOD = "method"
    REFUSED = "refused"
    NOT_FOLLOWED = "not-followed"
    VISITOR = "visitor"
    UNAVAILABLE = "unavailable"


@frozen(kw_only=True, weakref_slot=False)  # so that its layout is that of its fields alone: see _trusted
class Decision:
    """The meaning of one hit: why, what its URL says, and the event it makes (None when it makes none).

    ``consent`` is how far the reader may be followed; where nobody asked or nobody is known, not at all. ``is_tag``: the
    URL is that of a web tag. ``may_key``: a person key may be read and kept with the hit.
    """

    reason: Reason
    resolution: Resolution
    consent: Consent = Consent.NONE
    event: Event | None = None
    is_tag: bool = False
    may_key: bool = False


_decision = trusted(Decision)

_REACTIONS: dict[LinkType, tuple[type[Event], Reason]] = {
    LinkType.OPEN: (Open, Reason.OPEN),
    LinkType.OTHER: (Unknown, Reason.OTHER),
    LinkType.OPT_OUT: (OptOutClick, Reason.OPT_OUT),
    LinkType.MIRROR_PAGE: (MirrorPageView, Reason.MIRROR_PAGE),
    LinkType.WEB: (PageVisit, Reason.WEB),
    LinkType.TRANSACTION: (Transaction, Reason.WEB),
}
_CLICK = (Click, Reason.CLICK)
_PAGES: dict[HostedPage | None, Reason] = {
    HostedPage.OPT_OUT: Reason.OPT_OUT_PAGE,
    HostedPage.PREFERENCES: Reason.PREFERENCES,
}
# Each hit is held against these, and to ask an enumeration for a member takes as long as to call a function.
_VALID, _ANONYMOUS = ResolutionOutcome.VALID, ResolutionOutcome.ANONYMOUS
_EXPIRED, _UNKNOWN = ResolutionOutcome.EXPIRED, ResolutionOutcome.UNKNOWN
_IDENTIFIED, _AGGREGATE, _NOBODY = Consent.IDENTIFIED, Consent.AGGREGATE, Consent.NONE
_OPEN, _OPT_OUT = LinkType.OPEN, HostedPage.OPT_OUT
# nginx's word for a reader who did not wait for the answer; the request was made all the same.
_CLIENT_CLOSED = 499


@frozen(kw_only=True, weakref_slot=False)  # see Decision
class Meaning:
    """What a hit means before its event is made, for those who need none: see :class:`Decision`, whose words these are.

    ``kind`` is the class of the event, None where there is none. ``who`` is whose reaction it is, ``asked`` what the URL of
    a web tag said beside.
    """

    reason: Reason
    resolution: Resolution
    consent: Consent = Consent.NONE
    kind: type[Event] | None = None
    may_key: bool = False
    is_tag: bool = False
    who: Resolution | None = None
    asked: TagRequest | None = None


_meaning = trusted(Meaning)


def decide(
    hit: Hit,
    resolver: Resolver,
    *,
    people: PeoplePolicy | None = None,
    source: str = "",
    tags: WebTags | None = None,
) -> Decision:
    """What ``hit`` means, given who knows the tracked URLs.

    Args:
        hit: one request.
        resolver: who reads tracked URLs; a ``Tracker`` is one.
        people: with ``key="hash"``, hits without a person key get one by :func:`person_key`. Other policies, and
            None, add none.
        source: the name of the source, kept in the event.
        tags: the web tags there are, and whose visits are kept; None knows no tags.

    Any hit gives a decision, whatever a client sent. A hit means an event only when a reader asked (``GET``, no
    prefetch), the URL is ours and not expired, the server that took it did not answer with an error, and the
    recipient's policy admits it. A ``POST`` means one on our own opt-out alone: ``Unsubscribed``, which names the
    message whatever the policy, because it is the recipient's own wish.

    Raises:
        HookError: ``identify`` of the web tags raised, or gave what is no Resolution.
    """
    found = meaning_of(hit, resolver, tags)
    event = None
    if found.kind is not None:
        source_id = None
        if found.may_key:
            source_id = hit.source_id
            if source_id is None and people is not None and people.key == "hash":
                source_id = person_key(hit, resolver)
        event = _event(found.kind, hit, found, source_id, source)
    return _decision(found.reason, found.resolution, found.consent, event, found.is_tag, found.may_key)


def meaning_of(hit: Hit, resolver: Resolver, tags: WebTags | None = None) -> Meaning:
    """What :func:`decide` makes its decision of, in less time."""
    if tags is not None and (asked := tags.read(hit.url)) is not None:
        return _visited(hit, resolver, tags, asked)
    resolution = resolver.resolve(hit.url, at=hit.received_at)
    outcome = resolution.outcome
    is_wish = hit.method == "POST" and resolution.hosted is _OPT_OUT
    reason = None
    if outcome is _UNKNOWN:
        reason = Reason.UNKNOWN
    elif hit.method != "GET" and not is_wish:
        reason = Reason.HEAD if hit.method == "HEAD" else Reason.METHOD
    elif hit.purpose:
        reason = Reason.PREFETCH
    elif outcome is _EXPIRED:
        reason = Reason.EXPIRED
    elif hit.status is not None and hit.status >= 400 and hit.status != _CLIENT_CLOSED:
        reason = Reason.REFUSED
    if reason is not None:
        return _meaning(reason, resolution)
    consent = _consent(resolution, hit)
    if is_wish:
        return _meaning(Reason.OPT_OUT, resolution, consent, Unsubscribed)
    kind, reason = _REACTIONS.get(resolution.link_type, _CLICK)
    if outcome is _ANONYMOUS:
        reason = Reason.ANONYMOUS_LINK
    reason = _PAGES.get(resolution.hosted, reason)
    if consent is _NOBODY:
        return _meaning(Reason.NOT_FOLLOWED, resolution)
    # Whoever leaves is not told apart from others on the way out.
    may_key = consent is _IDENTIFIED and resolution.hosted is not _OPT_OUT and not hit.privacy
    return _meaning(reason, resolution, consent, kind, may_key)


def _visited(hit: Hit, resolver: Resolver, tags: WebTags, asked: TagRequest) -> Meaning:
    """What a request for a web tag means, under the mode that is asked for."""
    tag = tags.tag_of(asked)
    if tag is None:
        nothing = Resolution(outcome=_UNKNOWN, link_type=LinkType.WEB)
        return Meaning(reason=Reason.UNKNOWN, resolution=nothing, is_tag=True)
    said = Resolution(outcome=_VALID, link_type=tag.type, link_id=tag.link_id, expires_at=tag.expires_at)
    reason = _unasked(hit, tag)
    if reason is not None:
        return Meaning(reason=reason, resolution=said, is_tag=True)
    who = _visitor(hit, resolver, tags, asked)
    if who is None and not tags.mode.is_anonymous:
        return Meaning(reason=Reason.VISITOR, resolution=said, is_tag=True)
    if who is None:
        # Whoever it is, nobody asked: the page was seen, by a browser that others of its visits may name one day.
        consent, may_key = _AGGREGATE, not hit.privacy
        who = Resolution(outcome=_ANONYMOUS, delivery_id=asked.delivery_id if tags.mode.is_forced else None)
    else:
        consent = _consent(who, hit)
        may_key = consent is _IDENTIFIED and not hit.privacy
    if consent is _NOBODY:
        return Meaning(reason=Reason.NOT_FOLLOWED, resolution=said, is_tag=True)
    kind = Transaction if tag.type is LinkType.TRANSACTION else PageVisit
    return Meaning(
        reason=Reason.WEB,
        resolution=said,
        consent=consent,
        kind=kind,
        may_key=may_key,
        is_tag=True,
        who=who,
        asked=asked,
    )


def _event(kind: type[Event], hit: Hit, found: Meaning, source_id: str | None, source: str) -> Event:
    """The event of a class that a hit means."""
    said, consent = found.resolution, found.consent
    who = said if found.who is None else found.who
    is_wish = kind is Unsubscribed
    more: dict[str, Any] = {}
    if found.is_tag:
        more["link_id"] = said.link_id
        if kind is Transaction and found.asked is not None:
            more |= {"amount": found.asked.amount, "article": found.asked.article}
    elif not is_wish:
        more = {"link_id": OPEN_LINK_ID if kind is Open else said.link_id, "part": said.part}
    return kind(
        occurred_at=hit.received_at,
        delivery_id=who.delivery_id,
        # To leave is the recipient's own wish, and names the message whatever the policy.
        message_id=who.message_id if is_wish else _named(who, consent),
        source_id=source_id,
        client=Client(user_agent=hit.user_agent) if consent is _IDENTIFIED and hit.user_agent else None,
        is_seed=who.is_seed,
        is_proof=who.is_proof,
        source=source,
        request_id=hit.request_id,
        **more,
    )


def _unasked(hit: Hit, tag: WebTag) -> Reason | None:
    """Why a request for a tag is none of a reader's; None where it is."""
    if hit.method != "GET":
        return Reason.HEAD if hit.method == "HEAD" else Reason.METHOD
    if hit.purpose:
        return Reason.PREFETCH
    if tag.expires_at is not None and hit.received_at >= tag.expires_at:
        return Reason.EXPIRED
    is_refused = hit.status is not None and hit.status >= 400 and hit.status != _CLIENT_CLOSED
    return Reason.REFUSED if is_refused else None


def _visitor(hit: Hit, resolver: Resolver, tags: WebTags, asked: TagRequest) -> Resolution | None:
    """The message whose recipient visits, if it is known: by the page's own word, by the session, or by an earlier one."""
    if asked.recipient is not None and tags.identify is not None:
        return _identified_by(tags.identify, asked)
    if hit.privacy or not isinstance(resolver, Sessions):
        return None
    if hit.session and (who := resolver.read_session(hit.session)).outcome is _VALID:
        return who
    if tags.mode is WebMode.SESSION or not hit.earlier:
        return None
    who = resolver.read_session(hit.earlier)
    if who.outcome is not _VALID:
        return None
    if tags.mode.is_forced and asked.delivery_id not in (None, who.delivery_id):
        # The visit is of another delivery, of which no message of this recipient is known.
        return evolve(who, delivery_id=asked.delivery_id, message_id=None, pseudonym=None)
    return who


def _identified_by(identify: Callable[[TagRequest], Resolution | None], asked: TagRequest) -> Resolution | None:
    """What the application knows of whom a page names; None where that is nobody."""
    try:
        said: object = identify(asked)
    except Exception as error:
        raise HookError(
            f"identify, of the web tags, raised {type(error).__name__}", hint="None is for those whom it does not know"
        ) from error
    if said is None:
        return None
    if not isinstance(said, Resolution):
        raise HookError(f"identify, of the web tags, must give a Resolution or None, not {type(said).__name__}")
    is_somebody = any(each is not None for each in (said.delivery_id, said.message_id, said.pseudonym))
    return said if is_somebody and said.outcome in (_VALID, _ANONYMOUS) else None


def _consent(resolution: Resolution, hit: Hit) -> Consent:
    # Whose policy it was cannot be known any more: whoever it was may have refused to be followed.
    if resolution.outcome is _ANONYMOUS:
        return _AGGREGATE
    policy = resolution.policy
    consent = policy.opens if resolution.link_type is _OPEN else policy.clicks
    return _AGGREGATE if hit.privacy == "aggregate" and consent is not _NOBODY else consent


def _named(resolution: Resolution, consent: Consent) -> str | None:
    if consent is _IDENTIFIED:
        return resolution.message_id
    return resolution.pseudonym if consent is Consent.PSEUDONYMOUS else None


def person_key(hit: Hit, resolver: Resolver) -> str | None:
    """A key for the browser behind a hit that lasts one UTC day: 32 hexadecimal digits of HMAC-SHA256 over address
    and agent.

    Two browsers behind one address with one user agent share it. None when the hit tells neither address nor agent.
    """
    if not hit.client_ip and not hit.user_agent:
        return None
    return salted_key(resolver.person_salt(hit.received_at.date().isoformat()), hit.client_ip, hit.user_agent)


def salted_key(salt: bytes, client_ip: str, user_agent: str) -> str:
    """The key of :func:`person_key` under the salt of the day."""
    text = f"{len(client_ip)}:{client_ip}{user_agent}".encode("utf-8", "surrogatepass")
    return hmac.digest(salt, text, hashlib.sha256).hex()[:32]
