"""Envoy's access log in JSON, with the names that Istio and Envoy Gateway give the fields."""

from __future__ import annotations

from msgtrack.logs import json_lines

__all__ = ["FORMAT"]

FORMAT = json_lines.compile_format(
    {
        "at": "start_time",
        "method": "method",
        "url": ("x-envoy-origin-path", "x-envoy-original-path", "path"),
        "status": "response_code",
        "user_agent": ("user-agent", "user_agent"),
        "referrer": ("referer", "referrer"),
        "client_ip": ("downstream_remote_address", "x-forwarded-for", "x_forwarded_for"),
        "purpose": ("sec-purpose", "sec_purpose", "purpose"),
        "privacy": ("sec-gpc", "sec_gpc"),
        "request_id": ("x-request-id", "request_id"),
    },
    name="envoy-json",
    description="Envoy's access log in JSON, by Istio, Envoy Gateway and their like",
)
