"""Layouts of the reports of the web interface: key figures, links, dynamic reporting, and variants side by side."""

from __future__ import annotations

from msgtrack.metrics._layout import DifferencesLayout as Differences
from msgtrack.metrics._layout import Layout
from msgtrack.metrics._layout import LineLayout as Line
from msgtrack.metrics._layout import LinesLayout as Lines
from msgtrack.metrics._layout import RowsLayout as Rows
from msgtrack.metrics._layout import SharesLayout as Shares

__all__ = ["LAYOUTS"]

_KPIS = Layout(
    name="home-kpis",
    title="Key figures",
    blocks=(
        Rows(
            name="channels",
            title="By channel",
            by="channel",
            columns=(
                "kpi_delivered",
                "kpi_delivered_rate",
                "kpi_opens",
                "kpi_open_rate",
                "kpi_clicks",
                "kpi_click_rate",
                "kpi_subscriptions",
                "kpi_subscription_rate",
                "kpi_unsubscriptions",
                "kpi_unsubscription_rate",
                "kpi_errors",
                "kpi_error_rate",
            ),
            has_total=True,
        ),
    ),
)

_LINKS = Layout(
    name="top-links",
    title="Most visited links",
    blocks=tuple(
        Rows(name=f"by-{by}", title=f"By {shown}", by=by, columns=("top10_links",))
        for by, shown in (("label", "label"), ("link", "link"), ("url", "URL"), ("category", "category"))
    ),
)

_SENDING = (
    Line(keys=("dr_sent",)),
    Line(keys=("dr_delivered", "dr_delivered_rate")),
    Line(keys=("dr_bounces", "dr_bounce_rate")),
    Line(keys=("dr_hard_bounces", "dr_hard_bounce_rate")),
    Line(keys=("dr_soft_bounces", "dr_soft_bounce_rate")),
    Line(keys=("dr_rejected", "dr_rejected_rate")),
    Line(keys=("dr_denylisted", "dr_denylist_rate")),
    Line(keys=("dr_quarantine", "dr_quarantine_rate")),
)
_REASONS = (
    "dr_unknown_user",
    "dr_invalid_domain",
    "dr_unreachable",
    "dr_disabled",
    "dr_mailbox_full",
    "dr_not_connected",
)
_REACTIONS = (
    Line(keys=("dr_opens", "dr_open_rate")),
    Line(keys=("dr_unique_opens",)),
    Line(keys=("dr_clicks",)),
    Line(keys=("dr_unique_clicks", "dr_click_through_rate")),
    Line(keys=("dr_mirror_page", "dr_mirror_page_rate")),
    Line(keys=("dr_unsubscribes", "dr_unsubscribe_rate")),
    Line(keys=("dr_unique_unsubscribes",)),
)
_OFFERS = (Line(keys=("dr_offer_clicks", "dr_offer_click_rate")),)
_COLUMNS = tuple(key for line in (*_SENDING, *_REACTIONS) for key in line.keys)
_OF_DAYS = (
    "dr_opens",
    "dr_unique_opens",
    "dr_clicks",
    "dr_unique_clicks",
    "dr_mirror_page",
    "dr_unsubscribes",
    "dr_unique_unsubscribes",
)

_DYNAMIC = Layout(
    name="dynamic-reporting",
    title="Dynamic reporting",
    blocks=(
        Lines(name="sending", title="Sending", lines=_SENDING),
        Lines(name="errors", title="Causes of errors", lines=tuple(Line(keys=(key,)) for key in _REASONS)),
        Lines(name="reactions", title="Reactions", lines=_REACTIONS),
        Lines(name="offers", title="Offers", lines=_OFFERS),
        *(
            Rows(name=name, title=title, by=by, columns=_COLUMNS, has_total=True)
            for name, title, by in (
                ("domains", "By Internet domain", "domain"),
                ("deliveries", "By delivery", "delivery"),
                ("variants", "By variant", "variant"),
            )
        ),
        Rows(name="days", title="By day", by="day", columns=_OF_DAYS, has_total=True),
        *(
            Rows(
                name=f"by-{by}",
                title=f"By {shown}",
                by=by,
                columns=("dr_clicks", "dr_unique_clicks"),
                has_total=True,
            )
            for by, shown in (("link", "link"), ("label", "label"), ("url", "URL"), ("category", "category"))
        ),
        Rows(
            name="recipients",
            title="Distinct recipients",
            by="recipient",
            columns=("dr_unique_opens", "dr_unique_clicks", "dr_unique_unsubscribes"),
        ),
    ),
)

_KINDS = (("open", "opens"), ("click", "clicks"), ("opt-out-click", "opt-outs"))

_VARIANTS = Layout(
    name="variants",
    title="Variants compared",
    blocks=(
        Rows(name="variants", title="By variant", by="variant", columns=_COLUMNS, has_total=True),
        *(
            block
            for kind, name in _KINDS
            for block in (
                Shares(name=f"{name}-shares", title=f"Share of messages with {name}", kind=kind),
                Differences(name=f"{name}-differences", title=f"Differences in {name}", kind=kind),
            )
        ),
    ),
)

LAYOUTS: tuple[Layout, ...] = (_KPIS, _LINKS, _DYNAMIC, _VARIANTS)
"""In the order of the reference."""
