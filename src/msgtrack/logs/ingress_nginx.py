"""What Kubernetes' ingress-nginx writes by default: combined, then what it knows of the service behind it, and an id."""

from __future__ import annotations

from attrs import evolve

from msgtrack.logs import nginx

__all__ = ["FORMAT"]

FORMAT = evolve(
    nginx.compile_format(
        'log_format ingress-nginx \'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
        "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time "
        "$upstream_status $req_id';",
        roles={"req_id": "request_id"},
    ),
    description="ingress-nginx's default, upstreaminfo: combined, then the service behind it and an id of the request",
)
