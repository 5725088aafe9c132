"""Cloudflare's Logpush, dataset ``http_requests``; all three ways of writing its timestamps."""

from __future__ import annotations

from msgtrack.logs import json_lines

__all__ = ["FORMAT"]

FORMAT = json_lines.compile_format(
    {
        "at": ("EdgeStartTimestamp", "EdgeEndTimestamp"),
        "method": "ClientRequestMethod",
        "url": ("ClientRequestURI", "ClientRequestPath"),
        "status": "EdgeResponseStatus",
        "user_agent": "ClientRequestUserAgent",
        "referrer": "ClientRequestReferer",
        "client_ip": "ClientIP",
        "purpose": ("RequestHeaders.sec-purpose", "RequestHeaders.purpose"),
        "privacy": "RequestHeaders.sec-gpc",
        "request_id": "RayID",
    },
    name="cloudflare",
    description="Cloudflare's Logpush of HTTP requests, in JSON",
)
