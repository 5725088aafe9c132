"""Shares that are no proportions: what they count on top is no part of what stands below, so a sample's error says nothing of
them.
"""

from __future__ import annotations

__all__ = ["NO_PROPORTIONS"]

_KEYS = """
    opt_out_rate mirror_page_rate total_click_rate cumulated_clicks stats_unsubscriptions
    kpi_open_rate kpi_click_rate kpi_unsubscription_rate dr_open_rate dr_mirror_page_rate dr_unsubscribe_rate
    dr_offer_click_rate platform_average_cumulated_clicks
    person_click_rate distinct_clicks stats_clicks platform_average_distinct_clicks
    domain_complaint_rate kpi_subscription_rate share_rate share_open_rate loyalty
    browser_history_rate os_history_rate
"""
NO_PROPORTIONS = frozenset(_KEYS.split())
"""Keys: events over messages, of which one may bring several; persons over messages, who are no messages; then numbers from
two sides: failures over what was sent, subscriptions over deliveries, shares over a target, movements over a stock, one
day's visitors over another's.
"""
