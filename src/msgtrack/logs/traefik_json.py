"""Traefik's access log with ``format: json``."""

from __future__ import annotations

from msgtrack.logs import json_lines

__all__ = ["FORMAT"]

FORMAT = json_lines.compile_format(
    {
        "at": ("StartUTC", "StartLocal", "time"),
        "method": "RequestMethod",
        "url": "RequestPath",
        "status": ("DownstreamStatus", "OriginStatus"),
        "user_agent": "request_User-Agent",
        "referrer": "request_Referer",
        "client_ip": "ClientHost",
        "purpose": ("request_Sec-Purpose", "request_Purpose"),
        "privacy": "request_Sec-Gpc",
        "request_id": "request_X-Request-Id",
    },
    name="traefik-json",
    description="Traefik's access log, in JSON",
)
