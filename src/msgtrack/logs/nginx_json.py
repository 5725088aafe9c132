"""JSON that nginx writes by a ``log_format`` with ``escape=json``, under the names that most people give its fields."""

from __future__ import annotations

from msgtrack.logs import json_lines

__all__ = ["FORMAT"]

FORMAT = json_lines.compile_format(
    {
        "at": ("time_iso8601", "time_local", "msec", "timestamp", "@timestamp", "time", "date"),
        "request": "request",
        "method": ("request_method", "method"),
        "url": ("request_uri", "uri", "path", "url"),
        "query": ("args", "query_string"),
        "status": ("status", "response"),
        "user_agent": ("http_user_agent", "user_agent", "agent"),
        "referrer": ("http_referer", "http_referrer", "referrer", "referer"),
        "client_ip": ("remote_addr", "remote_ip", "clientip", "ip"),
        "purpose": ("http_sec_purpose", "http_purpose", "http_x_purpose", "http_x_moz"),
        "privacy": "http_sec_gpc",
        "request_id": "request_id",
    },
    name="nginx-json",
    description="nginx writing JSON with the names of its variables, or those that most people give them",
)
