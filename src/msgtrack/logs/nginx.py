r"""nginx's formats, made from the text of its directive ``log_format``.

``escape=default`` writes quotes, backslashes and control bytes as ``\xhh`` and a dash for nothing; ``escape=json`` writes as JSON
does; ``escape=none`` writes what came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.logs import _texts, _times
from msgtrack.logs._lines import FIELDS, LogFormat, Reads
from msgtrack.logs._template import LIST, MOMENT, QUOTED, WORD, Slot, line_parser, reads_of

__all__ = ["READS", "VARIABLES", "compile_format"]

VARIABLES: dict[str, str] = {
    "remote_addr": "client_ip",
    "request": "request",
    "request_method": "method",
    "request_uri": "url",
    "uri": "path",
    "document_uri": "path",
    "args": "query",
    "query_string": "query",
    "status": "status",
    "http_user_agent": "user_agent",
    "http_referer": "referrer",
    "http_sec_purpose": "purpose",
    "http_purpose": "purpose",
    "http_x_purpose": "purpose",
    "http_x_moz": "purpose",
    "http_sec_gpc": "privacy",
    "request_id": "request_id",
}
"""What a variable becomes, if its format names nothing else."""

_MOMENTS: dict[str, tuple[str, Callable[[str], datetime | None]]] = {
    "time_local": (r"[^\]\"]{20,40}?", _times.clf),
    "time_iso8601": (r"[0-9T:+.Z-]{19,40}", _times.iso),
    "msec": (r"\d{1,12}\.\d{3}", _times.epoch),
}
READS = (
    *(Reads(field=f"${variable}", becomes="received_at") for variable in _MOMENTS),
    *(Reads(field=f"${variable}", becomes=becomes) for variable, becomes in VARIABLES.items()),
)
"""What is read of a format that holds it, for the reference."""
_SHAPES = {
    "status": r"\d{3}|-|",
    "remote_addr": WORD,
    "request_method": WORD,
    "request_time": r"(?>\d+(?:\.\d+)?)|-|",
    "body_bytes_sent": r"\d++|-|",
    "bytes_sent": r"\d++|-|",
    "request_length": r"\d++|-|",
    "is_args": r"\??",
}
_LIST = re.compile(r"upstream_\w+")

_ESCAPES = ("default", "json", "none")
_DIRECTIVE = re.compile(r"\s*log_format\s+(?P<name>\S+)\s+(?:escape=(?P<escape>\w+)\s+)?(?P<rest>.*?);?\s*", re.DOTALL)
_PART = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\";]+)", re.DOTALL)
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_WRITTEN = {"t": "\t", "r": "\r", "n": "\n", "'": "'", '"': '"', "\\": "\\"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def compile_format(log_format: str, *, escape: str = "default", roles: Mapping[str, str] | None = None) -> LogFormat:
    """The format of nginx's ``log_format``: the whole directive as the configuration has it, or the text alone.

    Args:
        log_format: such as ``log_format main '$remote_addr [$time_local] "$request" $status';`` or ``$msec $request_method $request_uri``.
        escape: how values are escaped, where the text is not a directive that says it: ``default``, ``json`` or ``none``.
        roles: what other variables become, such as ``{"cookie_id": "source_id"}``; see :data:`VARIABLES` for those that are known.

    Raises:
        InvalidValue: the text does not tell when a request came or what it asked for, or where one value ends.
        InvalidOption: there is no such escaping, or nothing of that name for a variable to become.
    """
    text, escape, name = _text_of(log_format, escape)
    if escape not in _ESCAPES:
        raise InvalidOption(f"escape={shown(escape)} is not one of: {', '.join(_ESCAPES)}")
    named = {**VARIABLES, **(roles or {})}
    unknown = sorted({*named.values()} - {*FIELDS})
    if unknown:
        raise InvalidOption(f"no variable becomes {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    pieces: list[str | Slot] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        variable = match[1] or match[2]
        pieces.append(text[end : match.start()])
        end = match.end()
        in_quotes = text[: match.start()].endswith('"') and text[end:].startswith('"')
        pieces.append(_slot(variable, named.get(variable, ""), escape, in_quotes=in_quotes))
    pieces.append(text[end:])
    return LogFormat(
        name=name,
        description=f"nginx's own: {text:.200}",
        parse_line=line_parser(name, pieces),
        reads=reads_of(pieces),
    )


def _text_of(log_format: str, escape: str) -> tuple[str, str, str]:
    if not isinstance(log_format, str) or not log_format.strip():
        raise InvalidValue(f"a log_format must be text, not {shown(log_format)}")
    directive = _DIRECTIVE.fullmatch(log_format)
    if directive is None:
        return log_format, escape, "nginx"
    parts = "".join(
        _BACKSLASH.sub(lambda found: _WRITTEN.get(found[1], found[0]), next(part for part in found if part is not None))
        for found in (match.groups() for match in _PART.finditer(directive["rest"]))
    )
    return parts, directive["escape"] or escape, directive["name"]


def _slot(variable: str, becomes: str, escape: str, *, in_quotes: bool) -> Slot:
    name = f"${variable}"
    if variable in _MOMENTS and becomes == "":
        pattern, read = _MOMENTS[variable]
        return Slot(name=name, becomes=MOMENT, pattern=pattern, moment=read)
    pattern = QUOTED if in_quotes and escape != "none" else _SHAPES.get(variable, "")
    if not pattern and _LIST.fullmatch(variable):
        pattern = LIST
    return Slot(name=name, becomes=becomes, pattern=pattern, read=_READS[escape])


def _json(text: str) -> str:
    try:
        return _texts.plain(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return _texts.plain(text)


_READS: dict[str, Callable[[str], str]] = {"default": _texts.escaped, "json": _json, "none": _texts.plain}
