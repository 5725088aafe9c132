"""The report "Tracking indicators": delivery, opens, clicks, forwards, rates, web pages and transactions."""

from __future__ import annotations

from functools import partial

from msgtrack.events import Click
from msgtrack.metrics._indicator import METRICS_PAGE, REPORTS_PAGE, Indicator
from msgtrack.metrics._messages import (
    all_of,
    derived,
    partly_estimated,
    unbrowsed,
    unmeasured,
    unnamed,
    unobserved,
    untagged,
)
from msgtrack.metrics._sums import Sums

__all__ = ["INDICATORS"]

_PEOPLE_PAGE = "v7 reporting/person-people-recipients"
_OPENS = ("image-loads",)
_PEOPLE = ("browsers",)
_TYPE = "Event.kind"


def _clipped(sums: Sums) -> tuple[str, ...]:
    return ("clipped",) if sums.clip and sums.unclipped_forwards < 0 else ()


# What a class of domains or a variant can tell comes by both; persons and estimates need whole deliveries.
_ROWS = ("domain", "variant", "delivery")
_indicator = partial(Indicator, report="Tracking indicators", groupings=("delivery",))
_count = partial(_indicator, unit="count")
_by_domain = partial(_count, groupings=_ROWS)
_share = partial(_indicator, unit="ratio", is_share=True)
_share_of_success = partial(_share, over=lambda s: s.success, sources=(REPORTS_PAGE,))
_share_by_row = partial(_share_of_success, groupings=_ROWS)
_share_by_domain = partial(_share, groupings=("domain",), sources=(REPORTS_PAGE,))

_DELIVERED = (
    _count(
        key="to_deliver",
        label="Messages to deliver",
        field="properties/@toDeliver",
        formula="sum(d.to_deliver for d in deliveries)",
        measure=lambda s: s.to_deliver,
        doubts=derived("to_deliver"),
        inputs=("Delivery.to_deliver", "Message.status", "Message.is_seed"),
        notes="What the delivery says of itself; else its messages are counted, seeds and ignored ones apart.",
    ),
    _by_domain(
        key="success",
        label="Success",
        field="@successWithoutSeeds = indicators/@success",
        formula="count(B, not is_seed and status in SUCCESS)",
        measure=lambda s: s.success,
        doubts=unmeasured,
        inputs=("Message.status", "Message.is_seed"),
        notes="Messages delivered, seeds left out. It may fall for some days, while bounces come back.",
    ),
    _by_domain(
        key="sends",
        label="Sends / Sent",
        field="@successWithoutSeeds",
        formula="success (grouped by domain in table 3)",
        measure=lambda s: s.success,
        doubts=unmeasured,
        inputs=("success",),
        notes="The success again, under the name it bears in the table by domain.",
    ),
    _by_domain(
        key="complaints",
        label="Complaints",
        field="@complaints",
        formula="count(B, status == FAILED and failure_reason == 8)",
        measure=lambda s: s.complaints,
        doubts=unmeasured,
        inputs=("Message.status", "Message.failure_reason"),
        notes="Failed messages whose reason is 8 (denylisted).",
    ),
)

_OPENED = (
    _by_domain(
        key="recipient_open",
        label="Opens (recipients who opened)",
        field="@recipientOpen",
        formula="count_distinct(L, broadlog_id)",
        measure=lambda s: s.recipient_open,
        doubts=all_of(unobserved, unnamed()),
        inputs=("Event.message_id",),
        notes="Distinct messages with any reaction: who clicked must have opened, image or not.",
        sources=(METRICS_PAGE, _PEOPLE_PAGE),
        caveats=_OPENS,
    ),
    _count(
        key="estimated_recipient_open",
        label="Distinct opens for the population reached",
        field="@estimatedRecipientOpen",
        formula="0 if to_deliver - text == 0 else round(recipient_open * to_deliver / (to_deliver - text))",
        measure=lambda s: s.estimated_recipient_open,
        doubts=all_of(partly_estimated, unnamed()),
        inputs=("recipient_open", "to_deliver", "Delivery.text", "Message.format"),
        estimated=True,
        notes="Opens scaled up to the text messages, which cannot show any. Made per delivery, then summed.",
        caveats=_OPENS,
    ),
    _count(
        key="estimated_total_recipient_open",
        label="Sum of opens for the population reached",
        field="@estimatedTotalRecipientOpen",
        formula="0 if to_deliver - text == 0 else round(total_recipient_open * to_deliver / (to_deliver - text))",
        measure=lambda s: s.estimated_total_recipient_open,
        doubts=partly_estimated,
        inputs=("total_recipient_open", "to_deliver", "Delivery.text", "Message.format"),
        estimated=True,
        notes="The same scaling for all opens.",
        caveats=_OPENS,
    ),
)

_CLICKED = (
    _by_domain(
        key="opt_out",
        label="Clicks on the opt-out link",
        field="@optOut",
        formula="count(L, url.type == OPT_OUT)",
        measure=lambda s: s.opt_out,
        doubts=unobserved,
        inputs=(_TYPE,),
        notes="Clicks, not people who unsubscribed: the link only leads there.",
    ),
    _by_domain(
        key="mirror_page",
        label="Clicks on the mirror page link",
        field="@mirrorPage",
        formula="count(L, url.type == MIRROR_PAGE)",
        measure=lambda s: s.mirror_page,
        doubts=unobserved,
        inputs=(_TYPE,),
        sources=(METRICS_PAGE, REPORTS_PAGE),
    ),
    _by_domain(
        key="recipient_click",
        label="Clicks / Recipient clicks",
        field="@recipientClick",
        formula="count_distinct(L, broadlog_id, url.type == EMAIL_CLICK)",
        measure=lambda s: s.recipient_click,
        doubts=all_of(unobserved, unnamed(Click.kind)),
        inputs=(_TYPE, "Event.message_id"),
        notes="Distinct recipients who clicked; what happens on a forwarded message counts for the first recipient.",
        sources=(METRICS_PAGE, "v8 start/release-notes-2025"),
    ),
    _count(
        key="person_click",
        label="Distinct clicks for the population reached",
        field="@personClick",
        formula="count_distinct(L, source_id, url.type == EMAIL_CLICK)",
        measure=lambda s: s.person_click,
        doubts=all_of(unobserved, unbrowsed),
        inputs=(_TYPE, "Event.source_id"),
        notes="Distinct browsers that clicked, over all deliveries asked for together; no source id is no person.",
        sources=(METRICS_PAGE, _PEOPLE_PAGE),
        caveats=_PEOPLE,
    ),
    _by_domain(
        key="total_recipient_click",
        label="Cumulated clicks",
        field="@totalRecipientClick",
        formula="count(L, url.type == EMAIL_CLICK)",
        measure=lambda s: s.total_recipient_click,
        doubts=unobserved,
        inputs=(_TYPE,),
        notes="Every click, also on offers and notifications: the class of an event is its type. Opt-outs, mirror pages and web "
        "pages are events of other classes.",
        sources=(METRICS_PAGE, REPORTS_PAGE),
    ),
    _count(
        key="forward_estimate",
        label="Estimation of forwards",
        field="@forward",
        formula="person_click - recipient_click",
        measure=lambda s: s.forwards,
        doubts=all_of(_clipped, unbrowsed, unnamed(Click.kind)),
        inputs=("person_click", "recipient_click"),
        estimated=True,
        notes="Below zero when recipients share a browser; `clip=True` shows 0 instead.",
        sources=(METRICS_PAGE, _PEOPLE_PAGE),
        caveats=_PEOPLE,
    ),
)

_RATES = (
    _share(
        key="raw_reactivity",
        label="Raw reactivity",
        formula="pct(recipient_click, recipient_open)",
        measure=lambda s: s.recipient_click,
        over=lambda s: s.recipient_open,
        doubts=unnamed(Click.kind),
        inputs=("recipient_click", "recipient_open"),
        groupings=_ROWS,
        notes="The total is computed anew from the totals, never averaged over rows.",
        caveats=_OPENS,
    ),
    _share(
        key="estimated_reactivity",
        label="Estimated recipient reactivity",
        formula="pct(recipient_click, estimated_recipient_open)",
        measure=lambda s: s.recipient_click,
        over=lambda s: s.estimated_recipient_open,
        doubts=all_of(partly_estimated, unnamed(Click.kind)),
        inputs=("recipient_click", "estimated_recipient_open"),
        estimated=True,
        sources=(METRICS_PAGE, REPORTS_PAGE),
        caveats=_OPENS,
    ),
    _share_of_success(
        key="distinct_open_rate",
        label="Distinct opens %",
        formula="pct(estimated_recipient_open, success)",
        measure=lambda s: s.estimated_recipient_open,
        doubts=all_of(partly_estimated, unnamed()),
        inputs=("estimated_recipient_open", "success"),
        estimated=True,
        notes="May pass 1: opens are scaled to the messages to deliver, of which only some were delivered.",
        caveats=_OPENS,
    ),
    _share_of_success(
        key="total_open_rate",
        label="Sum of opens %",
        formula="pct(estimated_total_recipient_open, success)",
        measure=lambda s: s.estimated_total_recipient_open,
        doubts=partly_estimated,
        inputs=("estimated_total_recipient_open", "success"),
        estimated=True,
        notes="May pass 1: one message may be opened often.",
        caveats=_OPENS,
    ),
    _share_by_row(
        key="opt_out_rate",
        label="Opt-out clicks %",
        formula="pct(opt_out, success)",
        measure=lambda s: s.opt_out,
        inputs=("opt_out", "success"),
    ),
    _share_by_row(
        key="mirror_page_rate",
        label="Mirror page clicks %",
        formula="pct(mirror_page, success)",
        measure=lambda s: s.mirror_page,
        inputs=("mirror_page", "success"),
    ),
    _share_of_success(
        key="forward_rate",
        label="Forwards %",
        formula="pct(forward_estimate, success)",
        measure=lambda s: s.forwards,
        doubts=all_of(_clipped, unbrowsed, unnamed(Click.kind)),
        inputs=("forward_estimate", "success"),
        estimated=True,
        caveats=_PEOPLE,
    ),
    _share_of_success(
        key="person_click_rate",
        label="Distinct clicks %",
        formula="pct(person_click, success)",
        measure=lambda s: s.person_click,
        doubts=unbrowsed,
        inputs=("person_click", "success"),
        notes="May pass 1: a forwarded message may be clicked by many.",
        sources=(REPORTS_PAGE, _PEOPLE_PAGE),
        caveats=_PEOPLE,
    ),
    _share_by_row(
        key="total_click_rate",
        label="Cumulated clicks %",
        formula="pct(total_recipient_click, success)",
        measure=lambda s: s.total_recipient_click,
        inputs=("total_recipient_click", "success"),
        notes="May pass 1: one message may be clicked often.",
        sources=(REPORTS_PAGE, _PEOPLE_PAGE),
    ),
    _share_by_row(
        key="recipient_click_rate",
        label="Recipient clicks %",
        formula="pct(recipient_click, success)",
        measure=lambda s: s.recipient_click,
        doubts=unnamed(Click.kind),
        inputs=("recipient_click", "success"),
    ),
    _share_by_domain(
        key="domain_complaint_rate",
        label="Complaints % per domain",
        formula="pct(complaints[domain], sends[domain])",
        measure=lambda s: s.complaints,
        over=lambda s: s.success,
        inputs=("complaints", "sends", "Message.domain"),
    ),
    _share_by_domain(
        key="domain_open_rate",
        label="Opens % per domain",
        formula="pct(recipient_open[domain], sends[domain])",
        measure=lambda s: s.recipient_open,
        over=lambda s: s.success,
        doubts=unnamed(),
        inputs=("recipient_open", "sends", "Message.domain"),
        notes="Over the opens as counted, not as estimated.",
        caveats=_OPENS,
    ),
    _share_by_domain(
        key="domain_click_rate",
        label="Clicks % per domain",
        formula="pct(recipient_click[domain], sends[domain])",
        measure=lambda s: s.recipient_click,
        over=lambda s: s.success,
        doubts=unnamed(Click.kind),
        inputs=("recipient_click", "sends", "Message.domain"),
    ),
)

_BOUGHT = (
    _count(
        key="total_web_page",
        label="Visited pages",
        field="@totalWebPage",
        formula="count(L, url.type in (WEB, TRANSACTION))",
        measure=lambda s: s.total_web_page,
        doubts=untagged,
        inputs=(_TYPE,),
        notes="Needs tagged web pages.",
    ),
    _count(
        key="transaction",
        label="Transactions",
        field="@transaction",
        formula="count(L, url.type == TRANSACTION)",
        measure=lambda s: s.transaction,
        doubts=untagged,
        inputs=(_TYPE,),
        notes="Needs tagged web pages.",
    ),
    _indicator(
        key="amount",
        label="Total amount",
        field="@amount",
        unit="amount",
        formula="sum(w.amount for W, url.type == TRANSACTION)",
        measure=lambda s: s.amount,
        doubts=untagged,
        inputs=("Transaction.amount",),
    ),
    _indicator(
        key="average_transaction_amount",
        label="Average transaction amount",
        unit="amount",
        formula="div(amount, transaction)",
        measure=lambda s: s.amount,
        over=lambda s: s.transaction,
        inputs=("amount", "transaction"),
        notes="To 28 digits; transactions without an amount count in the denominator.",
    ),
    _count(
        key="article",
        label="Items / Articles",
        field="@article",
        formula="sum(w.article for W, url.type == TRANSACTION)",
        measure=lambda s: s.article,
        doubts=untagged,
        inputs=("Transaction.article",),
    ),
    _indicator(
        key="average_article_per_transaction",
        label="Average number of items per transaction",
        unit="ratio",
        formula="div(article, transaction)",
        measure=lambda s: s.article,
        over=lambda s: s.transaction,
        inputs=("article", "transaction"),
        notes="A mean number of items and no share.",
    ),
    _indicator(
        key="average_amount_per_message",
        label="Average amount per message",
        unit="amount",
        formula="div(amount, to_deliver)",
        measure=lambda s: s.amount,
        over=lambda s: s.to_deliver,
        doubts=all_of(untagged, derived("to_deliver")),
        inputs=("amount", "to_deliver"),
        notes="Over the messages to deliver, not over those delivered.",
    ),
)

INDICATORS: tuple[Indicator, ...] = (*_DELIVERED, *_OPENED, *_CLICKED, *_RATES, *_BOUGHT)
