"""Caddy's access log, as its default encoder writes it."""

from __future__ import annotations

from msgtrack.logs import json_lines

__all__ = ["FORMAT"]

FORMAT = json_lines.compile_format(
    {
        "at": ("ts", "timestamp"),
        "method": "request.method",
        "url": "request.uri",
        "status": "status",
        "user_agent": "request.headers.User-Agent",
        "referrer": "request.headers.Referer",
        "client_ip": ("request.client_ip", "request.remote_ip", "request.remote_addr"),
        "purpose": (
            "request.headers.Sec-Purpose",
            "request.headers.Purpose",
            "request.headers.X-Purpose",
            "request.headers.X-Moz",
        ),
        "privacy": "request.headers.Sec-Gpc",
        "request_id": ("uuid", "request_id"),
    },
    name="caddy",
    description="Caddy's access log, in JSON",
)
