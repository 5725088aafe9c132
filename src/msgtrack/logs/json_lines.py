"""JSON lines: an object a line, and a map that says which of its fields is what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit, Rejected
from msgtrack.logs import _texts, _times
from msgtrack.logs._heads import behind_head
from msgtrack.logs._lines import FIELDS, LogFormat, Reads, hit_of

__all__ = ["compile_format"]

_AT = "at"
_HEX = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")


def compile_format(
    fields: Mapping[str, str | Sequence[str]],
    *,
    name: str = "json",
    description: str = "",
    zone: tzinfo = UTC,
) -> LogFormat:
    """A format of JSON lines.

    Args:
        fields: by what a field becomes its name in the log, or several of which the first that is there counts. There are ``at`` for
            the moment, and ``request``, ``method``, ``url``, ``path``, ``query``, ``status``, ``user_agent``, ``referrer``, ``client_ip``,
            ``purpose``, ``privacy`` (of ``Sec-GPC``), ``source_id``, ``request_id``. A name with dots also leads into objects within
            objects, whose keys fit without regard to case: ``request.headers.User-Agent``. Of a list the first counts. An address may
            have its port behind it.
        name: of the format; a line that is no JSON object is rejected as ``not-`` and this name.
        description: a sentence.
        zone: of times that name none. Times are texts as in ISO 8601 or in the combined format, or numbers of seconds,
            milliseconds, microseconds or nanoseconds since 1970, told apart by their size.

    Raises:
        InvalidOption: a field becomes nothing that there is.
        InvalidValue: no field says when a request came, or none what it asked for.
    """
    unknown = sorted({*fields} - {*FIELDS, _AT})
    if unknown:
        raise InvalidOption(f"no field becomes {', '.join(unknown)}; there are: {_AT}, {', '.join(FIELDS)}")
    if _AT not in fields or not ("request" in fields or ("method" in fields and {"url", "path"} & {*fields})):
        raise InvalidValue(
            "the fields must say when a request came (at), and what it asked for: request, or method and url"
        )
    names = {becomes: (given,) if isinstance(given, str) else tuple(given) for becomes, given in fields.items()}
    moments = names.pop(_AT)
    reason = f"not-{name}"

    def parse_line(line: str, number: int) -> Hit | Rejected | None:
        if not line or line.isspace():
            return None
        said = _object(line if line.startswith("{") else behind_head(line) or line)
        if said is None:
            return Rejected(line=number, reason=reason, text=line)
        told = [value for one in moments if (value := _found(said, one)) is not None]
        values = {
            becomes: next((text for one in wanted if (text := _text(_found(said, one)))), "")
            for becomes, wanted in names.items()
        }
        # An object of something else, such as a message of the same program.
        if not told or not (
            values.get("request") or (values.get("method") and (values.get("url") or values.get("path")))
        ):
            return Rejected(line=number, reason=reason, text=line)
        if "client_ip" in values:
            values["client_ip"] = _texts.address(values["client_ip"])
        at = next((found for value in told if (found := _moment(value, zone)) is not None), None)
        return hit_of(values, at, line, number)

    return LogFormat(
        name=name,
        description=description or "an object of JSON a line",
        parse_line=parse_line,
        reads=tuple(
            Reads(field=one, becomes="received_at" if becomes == _AT else becomes)
            for becomes, wanted in {_AT: moments, **names}.items()
            for one in wanted
        ),
    )


def _object(text: str) -> dict[str, object] | None:
    try:
        said = json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        # A server that escapes by its own rules within what should be JSON.
        if "\\x" not in text:
            return None
        try:
            said = json.loads(_HEX.sub(_as_json, text))
        except (ValueError, RecursionError):
            return None
    return said if isinstance(said, dict) else None


def _as_json(match: re.Match[str]) -> str:
    raw = bytes.fromhex(match[0].replace("\\x", ""))
    return json.dumps(raw.decode("utf-8", "backslashreplace"))[1:-1]


def _found(said: object, name: str) -> object:
    if isinstance(said, dict) and name in said:
        value = said[name]
        return value[0] if isinstance(value, list) and value else value
    head, dot, rest = name.partition(".")
    if not dot or not isinstance(said, dict):
        return _regardless(said, name)
    return _found(_regardless(said, head), rest)


def _regardless(said: object, name: str) -> object:
    """The value of a key, whose letters may be of another case: names of headers are."""
    if not isinstance(said, dict):
        return None
    value = said.get(name)
    if value is None:
        lowered = name.lower()
        value = next((value for key, value in said.items() if key.lower() == lowered), None)
    return value[0] if isinstance(value, list) and value else value


def _text(value: object) -> str:
    if isinstance(value, str):
        return "" if value == "-" else _texts.plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return ""


def _moment(value: object, zone: tzinfo) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _times.epoch(str(value))
    if isinstance(value, float):
        return _times.epoch(f"{value:.6f}")
    if not isinstance(value, str):
        return None
    return _times.iso(value, zone) or _times.clf(value, zone) or _times.epoch(value)
