"""The closed lists of the field: link types, modes, statuses, reasons, audiences. Numbers are those of the tracking
reference.

Each comes with its converter, a named function that takes a member, its value, or its name as text in any case,
with ``-`` or ``_``; it raises ``InvalidOption`` for anything else. Fields of values use them, so ``status="sent"``
is as good as ``MessageStatus.SENT``.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgtrack._borders import enum_of

__all__ = [
    "AddressStatus",
    "Audience",
    "Consent",
    "FailureReason",
    "FailureType",
    "HostedPage",
    "LinkType",
    "MessageStatus",
    "Part",
    "ResolutionOutcome",
    "SubscriptionAction",
    "TrackingMode",
    "audience",
    "consent",
    "failure_reason",
    "failure_type",
    "hosted_page",
    "link_type",
    "message_status",
    "part",
    "resolution_outcome",
    "tracking_mode",
]


class LinkType(IntEnum):
    """What a tracked link is; the numbers are those of the reference, 2.3."""

    OTHER = 0
    CLICK = 1
    OPEN = 2
    OPT_OUT = 3
    WEB = 4
    TRANSACTION = 5
    MIRROR_PAGE = 6
    OFFER_CLICK = 10
    OFFER_INTERESTED = 11
    MOBILE_CLICK = 100


class TrackingMode(StrEnum):
    """What to do with a link; ``ALWAYS`` and ``NEVER`` are remembered for the next deliveries (reference 2.2)."""

    ENABLED = "enabled"
    NOT_TRACKED = "not-tracked"
    ALWAYS = "always"
    NEVER = "never"
    OPT_OUT = "opt-out"
    MIRROR_PAGE = "mirror-page"


class MessageStatus(IntEnum):
    """Where a message stands (reference 8.1)."""

    IGNORED = 0
    SENT = 1
    FAILED = 2
    TAKEN_INTO_ACCOUNT = 3
    RECEIVED_ON_MOBILE = 4
    SENT_TO_PROVIDER = 5
    PENDING = 6
    CANCELLED = 7
    PREPARED = 8
    NOT_APPLICABLE = 9


class FailureType(IntEnum):
    """How lasting a failure is (reference 8.3)."""

    UNDEFINED = 0
    SOFT = 1
    HARD = 2
    IGNORED = 3


class FailureReason(IntEnum):
    """Why a message failed or was left out (reference 8.3)."""

    NOT_DEFINED = 0
    UNKNOWN_USER = 1
    INVALID_DOMAIN = 2
    UNREACHABLE = 3
    DISABLED = 4
    MAILBOX_FULL = 5
    NOT_CONNECTED = 6
    NO_ADDRESS = 7
    DENYLISTED = 8
    QUARANTINED = 9
    DOUBLE = 10
    SQL_RULE = 11
    ARBITRATION = 12
    BAD_QUALITY = 14
    UNQUALIFIED = 15
    NOT_ELIGIBLE = 16
    TARGET_LIMITED = 17
    REFUSED = 20
    ERROR_IGNORED = 25
    CONTROL_ADDRESS = 127


class AddressStatus(StrEnum):
    """Where an address stands (reference 8.5); those of the last two are left out of targets."""

    VALID = "valid"
    WITH_ERRORS = "with-errors"
    QUARANTINE = "quarantine"
    DENYLISTED = "denylisted"


class SubscriptionAction(IntEnum):
    """What a row of the subscription history says (reference 1.4)."""

    UNSUBSCRIBE = 0
    SUBSCRIBE = 1


class Audience(StrEnum):
    """Who is behind an event."""

    HUMAN = "human"
    PROXY = "proxy"
    UNSURE = "unsure"
    MACHINE = "machine"


class Part(StrEnum):
    """The part of a message that a link stands in."""

    HTML = "html"
    TEXT = "text"


class Consent(StrEnum):
    """How far a recipient may be followed, per purpose."""

    IDENTIFIED = "identified"
    PSEUDONYMOUS = "pseudonymous"
    AGGREGATE = "aggregate"
    NONE = "none"


class HostedPage(StrEnum):
    """A page that our own server shows to the reader of one message.

    ``OPT_OUT``: asks whether to stop, and takes the answer (RFC 8058). ``MIRROR``: the web copy of the message.
    ``PREFERENCES``: what the reader wishes to receive.
    """

    OPT_OUT = "opt-out"
    MIRROR = "mirror"
    PREFERENCES = "preferences"


class ResolutionOutcome(StrEnum):
    """What a tracked URL turned out to be.

    ``VALID``: link and identity hold. ``ANONYMOUS``: the link holds, the identity does not. ``EXPIRED``: it was good
    once. ``UNKNOWN``: nothing of ours, or nothing we can read.
    """

    VALID = "valid"
    ANONYMOUS = "anonymous"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_link_type = enum_of(
    LinkType, aliases={"email_click": "CLICK", "unsubscription": "OPT_OUT"}, other_numbers=LinkType.OTHER
)
# What the console writes out, and the web interface, which has four of them (reference 2.2 and 7.9, C25).
_tracking_mode = enum_of(
    TrackingMode, aliases={"tracked": "ENABLED", "always_enabled": "ALWAYS", "never_tracked": "NEVER"}
)
_message_status = enum_of(MessageStatus)
_failure_type = enum_of(FailureType)
_failure_reason = enum_of(FailureReason)
_audience = enum_of(Audience)
_part = enum_of(Part, aliases={"h": "HTML", "t": "TEXT"})
_consent = enum_of(Consent)
_hosted_page = enum_of(HostedPage)
_resolution_outcome = enum_of(ResolutionOutcome)


def link_type(value: object) -> LinkType:
    """A member of :class:`LinkType`; a number that the reference does not name is ``OTHER``, as there."""
    return _link_type(value)


def tracking_mode(value: object) -> TrackingMode:
    """A member of :class:`TrackingMode`."""
    return _tracking_mode(value)


def message_status(value: object) -> MessageStatus:
    """A member of :class:`MessageStatus`."""
    return _message_status(value)


def failure_type(value: object) -> FailureType:
    """A member of :class:`FailureType`."""
    return _failure_type(value)


def failure_reason(value: object) -> FailureReason:
    """A member of :class:`FailureReason`."""
    return _failure_reason(value)


def audience(value: object) -> Audience:
    """A member of :class:`Audience`."""
    return _audience(value)


def part(value: object) -> Part:
    """A member of :class:`Part`."""
    return _part(value)


def consent(value: object) -> Consent:
    """A member of :class:`Consent`."""
    return _consent(value)


def hosted_page(value: object) -> HostedPage:
    """A member of :class:`HostedPage`."""
    return _hosted_page(value)


def resolution_outcome(value: object) -> ResolutionOutcome:
    """A member of :class:`ResolutionOutcome`."""
    return _resolution_outcome(value)
