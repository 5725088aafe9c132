"""Indicators of the reference beside the first ones, by report: the catalogue refuses by name those that it has not."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFERENCE_KEYS"]

_KEYS = {
    "URLs and click streams": """
        url_clicks_others clicks_per_day platform_average_reactivity platform_average_distinct_clicks
        platform_average_cumulated_clicks
    """,
    "Delivery summary": """
        total_target reject reject_rate exclusion_by_cause summary_to_deliver summary_success
        summary_success_rate error error_rate new_quarantine new_quarantine_rate
    """,
    "Delivery statistics (Broadcast statistics)": """
        processed delivered hard_bounce soft_bounce hard_bounce_rate soft_bounce_rate stats_opens
        stats_clicks stats_unsubscriptions
    """,
    "Non-deliverables and bounces": """
        total_processed unknown_user unreachable refused invalid_domain disabled mailbox_full not_connected
        total_errors error_value error_contribution error_breakdown domain_error_value
        domain_error_contribution domain_error_breakdown
    """,
    "User activities": "user_activities_opens user_activities_clicks user_activities_transactions",
    "Tracking statistics": "pareto_opens pareto_clicks pareto_transactions",
    "Hot clicks": "hot_click_percent hot_click_offer_percent",
    "Delivery throughput": "throughput_messages_per_hour throughput_bits_per_second",
    "Breakdown of opens": "opens_by_os opens_by_device opens_by_browser",
    "Browsers": """
        browser_visitors browser_pages browser_usage_rate browser_history_rate browser_version_global_rate
        browser_version_relative_rate
    """,
    "Operating systems": """
        os_visitors os_pages os_usage_rate os_history_rate os_version_global_rate os_version_relative_rate
    """,
    "Sharing to social networks": """
        sharing_total_target sharing_success share_count share_breakdown share_rate share_open_count
        share_open_breakdown share_open_rate
    """,
    "Statistics on sharing activities": "sharing_new_contacts sharing_opens sharing_shares",
    "Subscription tracking": """
        subscribed_to_date subscriber subscription unsubscription evolution evolution_rate loyalty
    """,
    "Delivery (indicators node)": "sent_sms",
    "Web application tracking (v7)": "webapp_conversion_rate webapp_bounce_rate webapp_funnel_loss",
    "Web UI home KPIs": """
        kpi_delivered kpi_delivered_rate kpi_opens kpi_open_rate kpi_clicks kpi_click_rate kpi_subscriptions
        kpi_subscription_rate kpi_unsubscriptions kpi_unsubscription_rate kpi_errors kpi_error_rate
        kpi_sent_direct_mail
    """,
    "Dynamic reporting (web UI)": """
        dr_disabled dr_denylisted dr_denylist_rate dr_bounces dr_bounce_rate dr_clicks dr_click_through_rate
        dr_delivered dr_delivered_rate dr_hard_bounces dr_hard_bounce_rate dr_invalid_domain dr_mailbox_full
        dr_mirror_page dr_mirror_page_rate dr_not_connected dr_opens dr_open_rate dr_quarantine
        dr_quarantine_rate dr_rejected dr_rejected_rate dr_sent dr_soft_bounces dr_soft_bounce_rate
        dr_unique_clicks dr_unique_opens dr_unreachable dr_unsubscribes dr_unsubscribe_rate dr_unknown_user
        dr_unique_unsubscribes dr_offer_clicks dr_offer_click_rate
    """,
    "Web UI SMS report": "sms_click_rate",
    "Web UI push report": "push_clicks",
    "Web UI URLs and click streams": "top10_links",
}

REFERENCE_KEYS: Mapping[str, tuple[str, ...]] = {report: tuple(keys.split()) for report, keys in _KEYS.items()}
"""Keys by report."""
