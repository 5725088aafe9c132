"""The table of log formats. A format is one file of this folder with one ``FORMAT`` in it, and one row here.

Servers that are told what to log are read by the text that told them: :func:`nginx`, :func:`apache`, :func:`haproxy`, :func:`json_lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from itertools import islice

from attrs import frozen

from msgtrack._borders import closed, shown
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit
from msgtrack.logs import (
    alb,
    caddy,
    cloudflare,
    cloudfront,
    combined,
    common,
    elb,
    envoy,
    envoy_json,
    ingress_nginx,
    lighttpd,
    nginx_json,
    s3,
    traefik,
    traefik_json,
    varnish,
    vhost_combined,
    w3c,
)
from msgtrack.logs import apache as apache_log
from msgtrack.logs import haproxy as haproxy_log
from msgtrack.logs import nginx as nginx_log
from msgtrack.logs._lines import ODD_VALUES, LineReader, LogFormat, Reads
from msgtrack.logs._reference import page_of
from msgtrack.logs.apache import compile_format as apache
from msgtrack.logs.haproxy import compile_format as haproxy
from msgtrack.logs.json_lines import compile_format as json_lines
from msgtrack.logs.nginx import compile_format as nginx

__all__ = [
    "FORMATS",
    "Detection",
    "LineReader",
    "LogFormat",
    "Reads",
    "apache",
    "detect",
    "get",
    "haproxy",
    "json_lines",
    "names",
    "nginx",
    "reference_page",
]

# The more a format demands of a line the earlier it stands: of two that read the same lines the first is meant.
FORMATS: dict[str, LogFormat] = {
    module.FORMAT.name: module.FORMAT
    for module in (
        alb,
        elb,
        s3,
        cloudfront,
        w3c,
        haproxy_log,
        traefik,
        envoy,
        ingress_nginx,
        vhost_combined,
        combined,
        varnish,
        lighttpd,
        common,
        caddy,
        traefik_json,
        cloudflare,
        envoy_json,
        nginx_json,
    )
}
"""All formats with a name, by it."""

_SAMPLE_LINES = 200


@closed
@frozen(kw_only=True)
class Detection:
    """What a log seems to be.

    ``name`` is of the format that reads most of the lines looked at, at least half of them; None where none does, and ``reason`` says why.
    ``lines`` is how many lines were looked at (blank ones and comments aside), ``read`` how many of them
    had the shape of each format, if any.
    """

    name: str | None
    reason: str
    lines: int
    read: Mapping[str, int]


def names() -> tuple[str, ...]:
    """All formats there are, sorted."""
    return tuple(sorted(FORMATS))


def get(name: str | LogFormat) -> LogFormat:
    """The format of a name; a format is its own.

    Raises:
        InvalidOption: there is none; the message lists those there are.
    """
    wanted: object = name
    if isinstance(wanted, LogFormat):
        return wanted
    found = FORMATS.get(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise InvalidOption(
            f"format={shown(wanted)} is not one of: {', '.join(names())}",
            hint="formats.nginx(...), formats.apache(...) and formats.json_lines(...) make others",
        )
    return found


def reference_page() -> str:
    """The page that lists every format of the table and every field that it reads, and what is read of a server's own format, as
    Markdown.
    """
    return page_of(FORMATS.values(), {"nginx": nginx_log.READS, "apache": apache_log.READS})


def detect(lines: Iterable[str]) -> Detection:
    """Which format the first 200 lines of a log have.

    Raises:
        InvalidValue: one text is no lines; a line is no text.
    """
    given: object = lines
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Iterable):
        raise InvalidValue(f"lines={shown(given)} must be a sequence of lines of text", hint="text.splitlines()")
    sample = [_line(line) for line in islice(lines, _SAMPLE_LINES)]
    # Blank lines and comments are no format's.
    counted = sum(1 for line in sample if line.strip() and not line.startswith("#"))
    read: dict[str, int] = {}
    told: dict[str, int] = {}
    for name, log_format in FORMATS.items():
        reader = log_format.reader()
        records = [found for number, line in enumerate(sample, 1) if (found := reader(line, number)) is not None]
        # A line of the right shape whose request is rubbish tells the format all the same.
        shaped = sum(1 for found in records if isinstance(found, Hit) or found.reason in ODD_VALUES)
        if shaped:
            read[name] = shaped
            told[name] = sum(_tells(found) for found in records if isinstance(found, Hit))
    if not counted:
        return Detection(name=None, reason="there is no line to look at", lines=0, read=read)
    best = max(read, key=lambda name: (read[name], told[name]), default=None)
    if best is None:
        reason = f"no format reads any of {counted} lines; the first is {next(line for line in sample if line.strip())!r:.200}"
        return Detection(name=None, reason=reason, lines=counted, read=read)
    if read[best] * 2 < counted:
        reason = f"{best} reads most, and that is {read[best]} of {counted} lines"
        return Detection(name=None, reason=reason, lines=counted, read=read)
    return Detection(name=best, reason=f"{best} reads {read[best]} of {counted} lines", lines=counted, read=read)


def _tells(hit: Hit) -> int:
    """How much a hit holds; an address that is none was another column."""
    return bool(hit.user_agent) + bool(hit.referrer) + bool(hit.request_id) + _is_address(hit.client_ip)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _line(line: object) -> str:
    if not isinstance(line, str):
        raise InvalidValue(f"a line must be text, not {type(line).__name__}: {shown(line)}")
    return line.rstrip("\r\n")
