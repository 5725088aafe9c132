"""The values that travel: deliveries, messages, tracked links, policies, verdicts, and what a tracked URL resolves to.

All are frozen, keyword-only attrs classes. Ids are text (integers become their decimal text), moments are aware and
UTC, enumerations accept their value or their name as text. Field names follow section 1.4 of the tracking
reference.
"""

from __future__ import annotations

import re
from datetime import datetime

from attrs import Factory, field, frozen

from msgtrack import vocabulary
from msgtrack._borders import (
    closed,
    flag,
    one_of,
    optional_count,
    optional_flag,
    optional_id,
    optional_text,
    optional_utc,
    shown,
    text_id,
    texts,
)
from msgtrack._borders import text as as_text
from msgtrack.domains import domain_class
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.vocabulary import (
    Audience,
    Consent,
    FailureReason,
    FailureType,
    HostedPage,
    LinkType,
    MessageStatus,
    Part,
    ResolutionOutcome,
    TrackingMode,
)

__all__ = [
    "OPEN_LINK_ID",
    "UNJUDGED",
    "Audience",
    "Client",
    "Consent",
    "Delivery",
    "FailureReason",
    "FailureType",
    "HostedPage",
    "LinkType",
    "Message",
    "MessageStatus",
    "Part",
    "PeoplePolicy",
    "Policy",
    "Resolution",
    "ResolutionOutcome",
    "TrackedLink",
    "TrackingMode",
    "Verdict",
]

OPEN_LINK_ID = "1"
"""The link id of every open, in every delivery; tracked links count from "2"."""


_COOKIE_TOKEN = re.compile(r"[A-Za-z0-9._-]+")
_MAX_COOKIE_DAYS = 395


def _people_key(value: object) -> str:
    return one_of("key", ("cookie", "hash", "none"))(value)


def _kept_address(value: object) -> str:
    return one_of("client_ip", ("none", "truncated"))(value)


def _gpc(value: object) -> str:
    return one_of("gpc", ("no-key", "aggregate", "ignore"))(value)


def _cookie_days(value: object) -> int:
    # A cookie of no days is a browser's word for deleting it: every click would be another person's.
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_COOKIE_DAYS:
        hint = "key='none' knows no persons, and sets no cookie"
        raise InvalidOption(
            f"cookie_days={shown(value)} is no number of days from 1 to {_MAX_COOKIE_DAYS} (thirteen months)", hint=hint
        )
    return value


@closed
@frozen(kw_only=True)
class Policy:
    """How far the recipient of one message may be followed; it travels inside the message's tokens.

    ``identified``: events name the message. ``pseudonymous``: a keyed pseudonym stands for it, the browser is left out.
    ``aggregate``: events name the delivery and the link only. ``none``: no event at all; links still redirect.
    """

    opens: Consent = field(default=Consent.IDENTIFIED, converter=vocabulary.consent)
    clicks: Consent = field(default=Consent.IDENTIFIED, converter=vocabulary.consent)


def _optional_hosted(value: object) -> HostedPage | None:
    return None if value is None else vocabulary.hosted_page(value)


def _policy(value: Policy) -> Policy:
    found: object = value
    if not isinstance(found, Policy):
        raise InvalidValue(f"expected a Policy, got {shown(found)}")
    return value


@closed
@frozen(kw_only=True)
class PeoplePolicy:
    """How a person (a browser) is told from another.

    ``key``: ``cookie`` sets a first-party cookie of ``cookie_days`` (1 to 395, thirteen months); ``hash`` makes
    a key of address and user agent under a secret of the day, so it lasts a day and also works for access logs,
    which hold no cookies; ``none`` knows no persons.

    ``gpc`` is what the signal ``Sec-GPC: 1`` of a browser comes to: no key and no cookie (``no-key``), and no message
    named either (``aggregate``), or nothing (``ignore``). ``client_ip`` is what a hit keeps of the address of who may
    be identified: nothing, or its network (``truncated``: 24 bits of IPv4, 48 of IPv6). ``session_cookie`` and
    ``earlier_cookie`` are set where pages are tagged; see ``msgtrack.webtags``.
    """

    key: str = field(default="cookie", converter=_people_key)
    cookie_name: str = field(default="uuid230", converter=as_text)
    cookie_days: int = field(default=395, converter=_cookie_days)
    cookie_domain: str = field(default="", converter=as_text)
    gpc: str = field(default="no-key", converter=_gpc)
    client_ip: str = field(default="none", converter=_kept_address)
    session_cookie: str = field(default="nlid", converter=as_text)
    earlier_cookie: str = field(default="nllast", converter=as_text)

    def __attrs_post_init__(self) -> None:
        """Refuse what no cookie may be."""
        for name in ("cookie_name", "session_cookie", "earlier_cookie", "cookie_domain"):
            value: str = getattr(self, name)
            if not _COOKIE_TOKEN.fullmatch(value) and (name != "cookie_domain" or value):
                raise InvalidOption(f"{name}={shown(value)} may hold letters, digits, '.', '_' and '-' only")
        if len({self.cookie_name, self.session_cookie, self.earlier_cookie}) < 3:
            raise InvalidOption("cookie_name, session_cookie and earlier_cookie must be three names")


@closed
@frozen(kw_only=True)
class Verdict:
    """Who is behind an event, why, and by which version of the rules.

    ``reasons`` are rule codes, the weightiest first. An event that no judge saw is ``unsure`` for the reason
    ``unjudged``.
    """

    audience: Audience = field(default=Audience.UNSURE, converter=vocabulary.audience)
    reasons: tuple[str, ...] = field(default=(), converter=texts)
    rules_version: str = field(default="", converter=as_text)


UNJUDGED = Verdict(reasons=("unjudged",))


@closed
@frozen(kw_only=True)
class Client:
    """The program that made a request: its user agent as sent, and what was read out of it (empty when nobody did)."""

    user_agent: str = field(default="", converter=as_text)
    browser: str = field(default="", converter=as_text)
    browser_version: str = field(default="", converter=as_text)
    os: str = field(default="", converter=as_text)
    os_version: str = field(default="", converter=as_text)
    device: str = field(default="", converter=as_text)
    is_mobile: bool | None = field(default=None, converter=optional_flag)


@closed
@frozen(kw_only=True)
class Delivery:
    """One sending.

    ``to_deliver`` (messages after analysis) and ``text`` (messages sent as text only) are counts kept by whoever sent;
    left at None, indicators count the messages instead (seeds left out).
    """

    id: str = field(converter=text_id)
    internal_name: str = field(default="", converter=as_text)
    label: str = field(default="", converter=as_text)
    channel: str = field(default="email", converter=as_text)
    state: int | None = field(default=None, converter=optional_count)
    is_template: bool = field(default=False, converter=flag)
    is_proof: bool = field(default=False, converter=flag)
    typology: str = field(default="", converter=as_text)
    contact_at: datetime | None = field(default=None, converter=optional_utc)
    validity_end_at: datetime | None = field(default=None, converter=optional_utc)
    web_validity_end_at: datetime | None = field(default=None, converter=optional_utc)
    tracking_validity_end_at: datetime | None = field(default=None, converter=optional_utc)
    expired_url: str = field(default="", converter=as_text)
    tracking_enabled: bool = field(default=True, converter=flag)
    open_tracking_enabled: bool = field(default=True, converter=flag)
    total_target: int | None = field(default=None, converter=optional_count)
    reject: int | None = field(default=None, converter=optional_count)
    to_deliver: int | None = field(default=None, converter=optional_count)
    text: int | None = field(default=None, converter=optional_count)
    service_id: str | None = field(default=None, converter=optional_id)
    email_type: str = field(default="", converter=as_text)


@closed
@frozen(kw_only=True)
class Message:
    """One delivery to one recipient ("broadlog" in the reference).

    ``domain`` is the Internet domain class of reports; left out, it is read off the address
    (:func:`msgtrack.domains.domain_class`). ``format`` is what was sent: ``html`` (multipart included) or ``text``.
    ``event_at`` is when it was handled (sent, or given up), ``size_bytes`` what went over the wire.
    """

    id: str = field(converter=text_id)
    delivery_id: str = field(converter=text_id)
    recipient_id: str | None = field(default=None, converter=optional_id)
    address: str = field(default="", converter=as_text)
    domain: str = field(default=Factory(lambda self: domain_class(self.address), takes_self=True), converter=as_text)
    status: MessageStatus = field(default=MessageStatus.PENDING, converter=vocabulary.message_status)
    failure_type: FailureType = field(default=FailureType.UNDEFINED, converter=vocabulary.failure_type)
    failure_reason: FailureReason = field(default=FailureReason.NOT_DEFINED, converter=vocabulary.failure_reason)
    format: Part = field(default=Part.HTML, converter=vocabulary.part)
    is_seed: bool = field(default=False, converter=flag)
    is_quarantine: bool = field(default=False, converter=flag)
    variant: str = field(default="", converter=as_text)
    service_id: str | None = field(default=None, converter=optional_id)
    event_at: datetime | None = field(default=None, converter=optional_utc)
    last_modified_at: datetime | None = field(default=None, converter=optional_utc)
    size_bytes: int | None = field(default=None, converter=optional_count)


@closed
@frozen(kw_only=True, weakref_slot=False)
class TrackedLink:
    """One tracked link of one delivery and part.

    ``id`` counts from "2" within a delivery; ``key`` is its name in a registry; ``url`` the destination, entities
    decoded; ``variant`` the content variant it belongs to. ``target_url`` is where it leads instead, once a registry was
    told so after sending; empty otherwise.
    """

    delivery_id: str = field(converter=text_id)
    id: str = field(converter=text_id)
    url: str = field(converter=as_text)
    key: str = field(default="", converter=as_text)
    label: str = field(default="", converter=as_text)
    category: str = field(default="", converter=as_text)
    type: LinkType = field(default=LinkType.CLICK, converter=vocabulary.link_type)
    mode: TrackingMode = field(default=TrackingMode.ENABLED, converter=vocabulary.tracking_mode)
    part: Part = field(default=Part.HTML, converter=vocabulary.part)
    variant: str = field(default="", converter=as_text)
    expires_at: datetime | None = field(default=None, converter=optional_utc)
    target_url: str = field(default="", converter=as_text)


@closed
@frozen(kw_only=True, weakref_slot=False)  # so that its layout is that of its fields alone: see _trusted
class Resolution:
    """What a tracked URL says, as far as it can be believed.

    ``destination`` is a http(s) URL or None (opens have none). ``message_id``, ``policy``, ``is_seed`` and
    ``is_proof`` speak only when ``outcome`` is ``valid`` or ``expired``; ``pseudonym`` stands for the message under
    a pseudonymous policy. ``repairs`` names the gateway damage that was undone first.

    ``hosted`` is the page of our own server that the URL asks for, and None for links of the author's. So an opt-out
    link to the author's page and the hosted opt-out have the same ``link_type``, and differ here. It speaks whatever
    the ``outcome``: a hosted URL that no key knows still asks for its page.
    """

    outcome: ResolutionOutcome = field(converter=vocabulary.resolution_outcome)
    destination: str | None = field(default=None, converter=optional_text)
    delivery_id: str | None = field(default=None, converter=optional_id)
    message_id: str | None = field(default=None, converter=optional_id)
    link_id: str | None = field(default=None, converter=optional_id)
    link_type: LinkType = field(default=LinkType.OTHER, converter=vocabulary.link_type)
    part: Part = field(default=Part.HTML, converter=vocabulary.part)
    variant: str = field(default="", converter=as_text)
    policy: Policy = field(factory=Policy, converter=_policy)
    is_seed: bool = field(default=False, converter=flag)
    is_proof: bool = field(default=False, converter=flag)
    expires_at: datetime | None = field(default=None, converter=optional_utc)
    pseudonym: str | None = field(default=None, converter=optional_text)
    repairs: tuple[str, ...] = field(default=(), converter=texts)
    hosted: HostedPage | None = field(default=None, converter=_optional_hosted)
