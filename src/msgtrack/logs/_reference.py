"""The page that lists every format and every field read, made from the table of formats."""

from __future__ import annotations

from collections.abc import Iterable

from msgtrack.logs._lines import LogFormat, Reads

__all__ = ["page_of"]

_HEAD = """# Log formats

This page is made from `msgtrack.logs.formats`; do not edit it by hand. [How to read an access log](../how-to/read-an-access-log.md)
shows how formats are used, and [how to add one](../how-to/add-a-log-format.md) what a format promises.

Every format is named in `parse(lines, format="…")` and on the command line. Those of nginx, Apache, HAProxy and of JSON lines can also be
made from what the server was told: `formats.nginx`, `formats.apache`, `formats.haproxy`, `formats.json_lines`.

Lines may have the head of syslog (RFC 3164, RFC 5424), of a container's log or of Docker Compose in front, in every format but `w3c` and
`cloudfront`. Of several fields that become the same, the first that holds something counts.
Where a format lists no `user_agent`, its server writes none unless it is told to.
"""


def page_of(formats: Iterable[LogFormat]) -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *(_section(log_format) for log_format in sorted(formats, key=lambda one: one.name))])


def _section(log_format: LogFormat) -> str:
    rows = "\n".join(_row(reads) for reads in log_format.reads)
    described = log_format.description[:1].upper() + log_format.description[1:]
    return f"## `{log_format.name}`\n\n{described}.\n\n| Field | Becomes | |\n| --- | --- | --- |\n{rows}\n"


def _row(reads: Reads) -> str:
    note = reads.note.replace("|", "\\|")
    return f"| `{reads.field}` | `{reads.becomes}` | {note} |"
