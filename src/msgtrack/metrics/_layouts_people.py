"""Layouts of the reports on people: their programs, what they share and subscribe to, and how far they come."""

from __future__ import annotations

from msgtrack.metrics._layout import Layout
from msgtrack.metrics._layout import LineLayout as Line
from msgtrack.metrics._layout import LinesLayout as Lines
from msgtrack.metrics._layout import RowsLayout as Rows

__all__ = ["LAYOUTS"]


def _programs(*, prefix: str, name: str, title: str) -> Layout:
    """The reports of browsers and of systems have one form."""
    seen = (f"{prefix}_visitors", f"{prefix}_pages")
    return Layout(
        name=name,
        title=title,
        blocks=(
            Rows(name="families", title=title, by=prefix, columns=(*seen, f"{prefix}_usage_rate"), has_total=True),
            Rows(
                name="versions",
                title="By version",
                by="version",
                columns=(*seen, f"{prefix}_version_global_rate", f"{prefix}_version_relative_rate"),
                has_total=True,
            ),
            Rows(name="days", title="By day", by="day", columns=(*seen, f"{prefix}_history_rate")),
            Rows(
                name="history",
                title=f"{title} by day",
                by=f"{prefix}-day",
                columns=(*seen, f"{prefix}_history_rate"),
            ),
        ),
    )


_SHARING = Layout(
    name="social-sharing",
    title="Sharing to social networks",
    blocks=(
        Lines(
            name="delivery",
            title="Delivery",
            lines=(Line(keys=("sharing_total_target",)), Line(keys=("sharing_success",))),
        ),
        Rows(
            name="networks",
            title="By network",
            by="network",
            columns=(
                "share_count",
                "share_breakdown",
                "share_rate",
                "share_open_count",
                "share_open_breakdown",
                "share_open_rate",
            ),
            has_total=True,
        ),
        Lines(
            name="shares",
            title="Shares, as the tracking indicators list them",
            lines=tuple(
                Line(keys=(f"share_{network}",))
                for network in ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
            ),
        ),
    ),
)

_ACTIVITIES = Layout(
    name="sharing-activities",
    title="Statistics on sharing activities",
    blocks=(
        Rows(
            name="months",
            title="By month",
            by="month",
            columns=("sharing_new_contacts", "sharing_opens", "sharing_shares"),
            has_total=True,
        ),
    ),
)

_CHANGES = ("subscriber", "subscription", "unsubscription", "evolution", "evolution_rate", "loyalty")

_SUBSCRIPTIONS = Layout(
    name="subscriptions",
    title="Subscription tracking",
    blocks=(
        Rows(name="services", title="By service", by="service", columns=("subscribed_to_date",), has_total=True),
        Rows(name="periods", title="All services, by period", by="period", columns=_CHANGES),
        Rows(name="services-24h", title="By service, 24 h", by="service", columns=_CHANGES, has_total=True),
        Rows(name="services-by-period", title="By service and period", by="service-period", columns=_CHANGES),
    ),
)

_APPLICATIONS = Layout(
    name="web-applications",
    title="Web applications",
    blocks=(
        Rows(
            name="applications",
            title="By application",
            by="application",
            columns=("webapp_conversion_rate", "webapp_bounce_rate", "webapp_funnel_loss"),
            has_total=True,
        ),
        Rows(name="steps", title="Lost after each step", by="step", columns=("webapp_funnel_loss",)),
    ),
)

LAYOUTS: tuple[Layout, ...] = (
    _programs(prefix="browser", name="browsers", title="Browsers"),
    _programs(prefix="os", name="operating-systems", title="Operating systems"),
    _SHARING,
    _ACTIVITIES,
    _SUBSCRIPTIONS,
    _APPLICATIONS,
)
"""In the order of the reference."""
