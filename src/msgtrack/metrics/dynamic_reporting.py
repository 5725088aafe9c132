"""The report "Dynamic reporting (web UI)": the family of the web interface, with its own definitions.

Delivered is the status ``SENT`` alone, sent is delivered and failed together, bounces go by failure type, and a click, an
opt-out or a mirror page is an open too. Tagged web pages are no reactions here.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve

from msgtrack.counts import Reached
from msgtrack.events import Click, OptOutClick
from msgtrack.metrics import _dynamic as dynamic
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import all_of, together, unmeasured, unnamed, unobserved
from msgtrack.metrics._offers import no_offers, offer_rows
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_reached
from msgtrack.model import FailureReason

__all__ = ["INDICATORS"]

_CALCULATION = "web reporting/dynamic-reporting/indicator-calculation"
_COMPONENTS = "web reporting/dynamic-reporting/list-of-components"

_MESSAGES = ("domain", "delivery", "variant")
_ROWS = (*_MESSAGES, "day")
_LINKS = (*_ROWS, "link", "label", "url", "category")


def _by_recipient(scope: Scope) -> dict[str, Sums]:
    """One row: recipients, each once however many of the deliveries reached them (reference 7.9, C36)."""
    sums = of_reached((Reached(reach=scope.counts.recipients),), scope)
    return {"recipients": evolve(sums, numbers={"recipients": sums.recipient_open})}


def _recipients_apart(sums: Sums) -> tuple[str, ...]:
    """The caveat of recipients; messages belong to one delivery each and need none."""
    return together(sums) if "recipients" in sums.numbers else ()


_MESSAGE_ID = "Event.message_id"
_TYPE = "Event.kind"
_LINK_TYPE = "TrackedLink.type"
_REASON = "Message.failure_reason"
_FAILURE = "Message.failure_type"
_OPENS = ("image-loads",)
_DISTINCT = ("not-additive",)
_unclicked = unnamed(Click.kind, mobile=False)

_indicator = partial(Indicator, report="Dynamic reporting (web UI)", sources=(_CALCULATION,))
_count = partial(_indicator, unit="count", groupings=_MESSAGES, doubts=unmeasured)
_failures = partial(_count, inputs=(_REASON,))
_reactions = partial(_count, groupings=_ROWS, inputs=(_TYPE,), doubts=unobserved)
_PEOPLE = {"recipient": _by_recipient}
_share = partial(_indicator, unit="ratio", is_share=True, groupings=_MESSAGES)
_of_sent = partial(_share, over=dynamic.sent)
_of_delivered = partial(_share, over=dynamic.delivered)

_DELIVERED = (
    _failures(
        key="dr_disabled",
        label="Account disabled",
        field="@disabled",
        formula="count(B, failure_reason == 4)",
        measure=dynamic.of_reason(FailureReason.DISABLED),
        notes="Messages that bear the reason, whatever their status.",
    ),
    _failures(
        key="dr_denylisted",
        label="On denylist",
        field="@blacklisted",
        formula="count(B, failure_reason == 8 and failure_type == HARD)",
        measure=dynamic.denylisted,
        inputs=(_REASON, _FAILURE),
        notes="Reports of spam. The complaints of the console ask for the status failed and for no type.",
    ),
    _of_sent(
        key="dr_denylist_rate",
        label="Denylist rate",
        field="@rateBlacklisted",
        formula="pct(dr_denylisted, dr_sent)",
        measure=dynamic.denylisted,
        inputs=("dr_denylisted", "dr_sent"),
    ),
    _count(
        key="dr_bounces",
        label="Bounces + Errors",
        field="@bounces",
        formula="count(B, status == FAILED)",
        measure=dynamic.bounces,
        inputs=("Message.status",),
        notes="By status; the kinds of bounces go by the failure, so they need not add up to this.",
    ),
    _of_sent(
        key="dr_bounce_rate",
        label="Bounce + Error rate",
        field="@rateBounces",
        formula="pct(dr_bounces, dr_sent)",
        measure=dynamic.bounces,
        inputs=("dr_bounces", "dr_sent"),
    ),
    _reactions(
        key="dr_clicks",
        label="Click",
        field="@clicks",
        formula="count(L, url.type in (1, 10, 11))",
        measure=dynamic.clicks,
        groupings=_LINKS,
        inputs=(_TYPE, _LINK_TYPE),
        notes="Clicks on ordinary links and on offers; those on notifications (type 100) are not in, unlike in the console.",
    ),
    _of_delivered(
        key="dr_click_through_rate",
        label="Click through rate",
        field="@clickthrough",
        formula="pct(dr_unique_clicks, dr_delivered)",
        measure=dynamic.unique_clicks,
        doubts=_unclicked,
        inputs=("dr_unique_clicks", "dr_delivered"),
        notes="May pass 1: a message that was delivered and failed later keeps its clicks.",
    ),
    _count(
        key="dr_delivered",
        label="Delivered",
        field="@delivered",
        formula="count(B, status == 1)",
        measure=dynamic.delivered,
        inputs=("Message.status",),
        notes="The status sent alone: those taken into account or received on a mobile are not in, unlike in success.",
        caveats=("reading",),
    ),
    _of_sent(
        key="dr_delivered_rate",
        label="Delivered rate",
        field="@rateDelivered",
        formula="pct(dr_delivered, dr_sent)",
        measure=dynamic.delivered,
        inputs=("dr_delivered", "dr_sent"),
        notes="This and the rate of bounces and errors add up to 1.",
    ),
    _failures(
        key="dr_hard_bounces",
        label="Hard bounces",
        field="@hardBounces",
        formula="count(B, failure_type == HARD and failure_reason != 8)",
        measure=dynamic.hard,
        inputs=(_FAILURE, _REASON),
        notes="By type; printed with reason 8, which would be the denylisted.",
        caveats=("reading",),
    ),
    _of_sent(
        key="dr_hard_bounce_rate",
        label="Hard bounces rate",
        field="@rateHardBounces",
        formula="pct(dr_hard_bounces, dr_sent)",
        measure=dynamic.hard,
        inputs=("dr_hard_bounces", "dr_sent"),
        caveats=("reading",),
    ),
    _failures(
        key="dr_invalid_domain",
        label="Invalid domain",
        field="@invalidDomain",
        formula="count(B, failure_reason == 2)",
        measure=dynamic.of_reason(FailureReason.INVALID_DOMAIN),
    ),
    _failures(
        key="dr_mailbox_full",
        label="Mailbox full",
        field="@mailBoxFull",
        formula="count(B, failure_reason == 5)",
        measure=dynamic.of_reason(FailureReason.MAILBOX_FULL),
    ),
)

_REACTED = (
    _reactions(
        key="dr_mirror_page",
        label="Mirror page",
        field="@mirrorPage",
        formula="count(L, url.type == 6)",
        measure=lambda s: s.mirror_page,
    ),
    _of_delivered(
        key="dr_mirror_page_rate",
        label="Mirror page rate",
        field="@rateMirrorPage",
        formula="pct(dr_mirror_page, dr_delivered)",
        measure=lambda s: s.mirror_page,
        inputs=("dr_mirror_page", "dr_delivered"),
        notes="Over views, so it may pass 1.",
    ),
    _failures(
        key="dr_not_connected",
        label="Not connected",
        field="@notConnected",
        formula="count(B, failure_reason == 6)",
        measure=dynamic.of_reason(FailureReason.NOT_CONNECTED),
    ),
    _reactions(
        key="dr_opens",
        label="Open",
        field="@opens (printed @uniqueOpens)",
        formula="count(L, url.type == 2) + unique(broadlog_id, type in (1,2,3,6,10,11)) - unique(broadlog_id, type == 2)",
        measure=dynamic.opens,
        inputs=(_TYPE, _LINK_TYPE, _MESSAGE_ID),
        notes="Opens, and one more for each message that reacted without any; a day looks at its own rows alone.",
        caveats=(*_OPENS, *_DISTINCT, "reading"),
    ),
    _of_delivered(
        key="dr_open_rate",
        label="Open rate",
        field="@rateOpens",
        formula="pct(dr_opens, dr_delivered)",
        measure=dynamic.opens,
        inputs=("dr_opens", "dr_delivered"),
        notes="Over all opens, not over unique ones, so it may pass 1.",
        caveats=_OPENS,
    ),
    _count(
        key="dr_quarantine",
        label="Quarantine",
        field="@quarantine",
        formula="count(B, is_quarantine)",
        measure=dynamic.quarantined,
        inputs=("Message.is_quarantine",),
        notes="Messages whose error put their address in quarantine.",
    ),
    _of_sent(
        key="dr_quarantine_rate",
        label="Quarantine rate",
        field="@rateQuarantine",
        formula="pct(dr_quarantine, dr_sent)",
        measure=dynamic.quarantined,
        inputs=("dr_quarantine", "dr_sent"),
    ),
    _failures(
        key="dr_rejected",
        label="Rejected",
        field="@rejected",
        formula="count(B, failure_reason == 20 and failure_type == HARD)",
        measure=dynamic.rejected,
        inputs=(_REASON, _FAILURE),
        notes="Refused for good; a refusal that is soft is a soft bounce alone.",
    ),
    _of_sent(
        key="dr_rejected_rate",
        label="Rejected rate",
        field="@rateRejected",
        formula="pct(dr_rejected, dr_sent)",
        measure=dynamic.rejected,
        inputs=("dr_rejected", "dr_sent"),
    ),
    _count(
        key="dr_sent",
        label="Processed/sent",
        field="@sent",
        formula="dr_delivered + dr_bounces",
        measure=dynamic.sent,
        inputs=("dr_delivered", "dr_bounces"),
        notes="Delivered and failed; neither the processed nor the sent of the console.",
        caveats=("reading",),
    ),
    _failures(
        key="dr_soft_bounces",
        label="Soft bounce",
        field="@softBounces",
        formula="count(B, failure_type == SOFT)",
        measure=dynamic.soft,
        inputs=(_FAILURE,),
        notes="By type and whatever the status: one that is still being retried counts, unlike in the console.",
        caveats=("reading",),
    ),
    _of_sent(
        key="dr_soft_bounce_rate",
        label="Soft bounce rate",
        field="@rateSoftBounces",
        formula="pct(dr_soft_bounces, dr_sent)",
        measure=dynamic.soft,
        inputs=("dr_soft_bounces", "dr_sent"),
        caveats=("reading",),
    ),
    _reactions(
        key="dr_unique_clicks",
        label="Unique clicks",
        field="@uniqueclicks",
        formula="unique(broadlog_id, type in (1,10,11))",
        measure=dynamic.unique_clicks,
        doubts=all_of(unobserved, _unclicked, _recipients_apart),
        groupings=(*_LINKS, "recipient"),
        cuts=_PEOPLE,
        inputs=(_TYPE, _LINK_TYPE, _MESSAGE_ID, "Message.recipient_id"),
        notes="Distinct messages, exactly; who clicked three links stands in three rows and once in the total. Clicks on "
        "notifications are not in.",
        caveats=_DISTINCT,
    ),
    _reactions(
        key="dr_unique_opens",
        label="Unique opens",
        field="@uniqueopens",
        formula="unique(broadlog_id, type in (1,2,3,6,10,11))",
        measure=dynamic.unique_opens,
        doubts=all_of(unobserved, unnamed(*dynamic.REACHED, mobile=False), _recipients_apart),
        groupings=(*_ROWS, "recipient"),
        cuts=_PEOPLE,
        inputs=(_TYPE, _LINK_TYPE, _MESSAGE_ID, "Message.recipient_id"),
        notes="A click, an opt-out or a mirror page is an open too; a tagged web page or a notification is not.",
        caveats=(*_OPENS, *_DISTINCT),
    ),
    _failures(
        key="dr_unreachable",
        label="Unreachable",
        field="@unreachable",
        formula="count(B, failure_reason == 3)",
        measure=dynamic.of_reason(FailureReason.UNREACHABLE),
    ),
    _reactions(
        key="dr_unsubscribes",
        label="Unsubscribe",
        field="@unsubscribes",
        formula="count(L, url.type == 3)",
        measure=lambda s: s.opt_out,
        notes="Clicks on the link, not people who left.",
    ),
    _of_delivered(
        key="dr_unsubscribe_rate",
        label="Unsubscribe rate",
        field="@rateUnsubscribes",
        formula="pct(dr_unsubscribes, dr_delivered)",
        measure=lambda s: s.opt_out,
        inputs=("dr_unsubscribes", "dr_delivered"),
        notes="Over all clicks on the link, although a list of components says unique ones.",
        caveats=("reading",),
    ),
    _failures(
        key="dr_unknown_user",
        label="User unknown",
        field="@unknownUser",
        formula="count(B, failure_reason == 1)",
        measure=dynamic.of_reason(FailureReason.UNKNOWN_USER),
    ),
    _reactions(
        key="dr_unique_unsubscribes",
        label="Unique unsubscribed",
        formula="unique(broadlog_id, type == 3)",
        measure=lambda s: s.distinct(OptOutClick.kind),
        doubts=all_of(unobserved, unnamed(OptOutClick.kind), _recipients_apart),
        groupings=(*_ROWS, "recipient"),
        cuts=_PEOPLE,
        inputs=(_TYPE, _MESSAGE_ID, "Message.recipient_id"),
        sources=(_COMPONENTS,),
        notes="Distinct messages whose unsubscription link was clicked.",
        caveats=_DISTINCT,
    ),
    _count(
        key="dr_offer_clicks",
        label="Offer clicks",
        formula="count(L, url.type in (10, 11))",
        measure=lambda s: offer_rows(s, Click.kind),
        doubts=all_of(no_offers, unobserved),
        groupings=("delivery",),
        inputs=(_TYPE, _LINK_TYPE),
        sources=(_COMPONENTS,),
        notes="Clicks on links that are registered as those of offers.",
    ),
    _of_delivered(
        key="dr_offer_click_rate",
        label="Offer click rate",
        formula="pct(dr_offer_clicks, dr_delivered)",
        measure=lambda s: offer_rows(s, Click.kind),
        doubts=no_offers,
        groupings=("delivery",),
        inputs=("dr_offer_clicks", "dr_delivered"),
        sources=(_COMPONENTS,),
        caveats=("choice",),
    ),
)

INDICATORS: tuple[Indicator, ...] = (*_DELIVERED, *_REACTED)
