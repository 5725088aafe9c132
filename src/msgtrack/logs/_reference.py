"""The page that lists every format and every field read, made from the table of formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


_OWN = """Whatever format the server was told to write is read by this, and of its fields those below; `roles` says what others become.
Any other field may stand in the format, and is passed over"""


def page_of(formats: Iterable[LogFormat], own: Mapping[str, Iterable[Reads]]) -> str:
    """The page as Markdown; ``own`` says what is read of formats made from a server's own text, by their function's name."""
    sections = [
        _section(log_format.name, log_format.description[:1].upper() + log_format.description[1:], log_format.reads)
        for log_format in sorted(formats, key=lambda one: one.name)
    ]
    return "\n".join([_HEAD, *sections, *(_section(f"formats.{name}", _OWN, reads) for name, reads in own.items())])


def _section(name: str, described: str, reads: Iterable[Reads]) -> str:
    rows = "\n".join(_row(one) for one in reads)
    return f"## `{name}`\n\n{described}.\n\n| Field | Becomes | |\n| --- | --- | --- |\n{rows}\n"


def _row(reads: Reads) -> str:
    note = reads.note.replace("|", "\\|")
    return f"| `{reads.field}` | `{reads.becomes}` | {note} |"
