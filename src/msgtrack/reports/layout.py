"""Which indicators stand where: the blocks of the report "Tracking indicators" (reference 7.3 and 7.4)."""

from __future__ import annotations

from attrs import frozen

__all__ = ["DOMAIN_COLUMNS", "LINK_FIGURES", "SECTIONS", "TILES", "LineSpec", "SectionSpec"]


@frozen
class LineSpec:
    """A line: the key of its figure, the key of its rate ("" for none), its title ("" for the indicator's label)."""

    key: str
    rate: str = ""
    title: str = ""


@frozen
class SectionSpec:
    """A block of lines; see :class:`msgtrack.reports.data.Section`."""

    name: str
    title: str
    lines: tuple[LineSpec, ...]
    is_optional: bool = False


SECTIONS = (
    SectionSpec(
        "population",
        "Delivered population",
        (
            LineSpec("to_deliver"),
            LineSpec("success", title="Delivered with success"),
            LineSpec("complaints"),
        ),
    ),
    SectionSpec(
        "opens",
        "Opens",
        (
            LineSpec("estimated_recipient_open", "distinct_open_rate"),
            LineSpec("estimated_total_recipient_open", "total_open_rate"),
            LineSpec("recipient_open", title="Recipients who opened, as counted"),
            LineSpec("total_recipient_open", title="Sum of opens, as counted"),
        ),
    ),
    SectionSpec(
        "clicks",
        "Clicks",
        (
            LineSpec("person_click", "person_click_rate"),
            LineSpec("total_recipient_click", "total_click_rate"),
            LineSpec("recipient_click", "recipient_click_rate", title="Recipients who clicked"),
            LineSpec("opt_out", "opt_out_rate"),
            LineSpec("mirror_page", "mirror_page_rate"),
        ),
    ),
    SectionSpec(
        "reactivity",
        "Reactivity and forwards",
        (
            LineSpec("estimated_reactivity"),
            LineSpec("raw_reactivity"),
            LineSpec("forward_estimate", "forward_rate"),
        ),
    ),
    SectionSpec(
        "web",
        "Web pages and transactions",
        (
            LineSpec("total_web_page"),
            LineSpec("transaction"),
            LineSpec("amount"),
            LineSpec("average_transaction_amount"),
            LineSpec("article", title="Items"),
            LineSpec("average_article_per_transaction"),
            LineSpec("average_amount_per_message"),
        ),
        is_optional=True,
    ),
    SectionSpec(
        "sharing",
        "Sharing to social networks",
        tuple(
            LineSpec(f"share_{network}")
            for network in ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
        ),
        is_optional=True,
    ),
)

TILES = (
    LineSpec("success", title="Delivered"),
    LineSpec("estimated_recipient_open", "distinct_open_rate", title="Distinct opens"),
    LineSpec("recipient_click", "recipient_click_rate", title="Recipient clicks"),
    LineSpec("total_recipient_click", "total_click_rate", title="Cumulated clicks"),
    LineSpec("estimated_reactivity", title="Reactivity"),
    LineSpec("opt_out", "opt_out_rate", title="Opt-out clicks"),
)
"""The headline row: lines of the sections above, under shorter titles."""

DOMAIN_COLUMNS = (
    LineSpec("sends", title="Sent"),
    LineSpec("complaints", "domain_complaint_rate", title="Complaints"),
    LineSpec("recipient_open", "domain_open_rate", title="Opens"),
    LineSpec("recipient_click", "domain_click_rate", title="Clicks"),
    LineSpec("raw_reactivity", title="Raw reactivity"),
)
"""The columns of the table by Internet domain, each with the rate that stands under it."""

LINK_FIGURES = ("url_clicks", "url_clicks_percent")
"""Clicks of a link, and their share of the clicks on all links."""
