r"""Apache's formats, made from the text of its directive ``LogFormat``; those of Varnish and lighttpd are written alike.

Values have ``\"``, ``\\``, ``\n``, ``\t`` and ``\xhh`` for what is odd, and a dash for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.logs import _texts, _times
from msgtrack.logs._lines import FIELDS, LogFormat, Reads
from msgtrack.logs._template import MOMENT, PARTS, QUOTED, WORD, Slot, line_parser, reads_of

__all__ = ["DIRECTIVES", "READS", "compile_format", "pieces_of", "text_of"]

DIRECTIVES: dict[str, str] = {
    "%h": "client_ip",
    "%a": "client_ip",
    "%r": "request",
    "%m": "method",
    "%U": "path",
    "%q": "query",
    "%s": "status",
    "%{user-agent}i": "user_agent",
    "%{referer}i": "referrer",
    "%{sec-purpose}i": "purpose",
    "%{purpose}i": "purpose",
    "%{x-purpose}i": "purpose",
    "%{x-moz}i": "purpose",
    "%{sec-gpc}i": "privacy",
    "%{unique_id}e": "request_id",
    "%{unique_id}i": "request_id",
    "%L": "request_id",
}
"""What a directive becomes, if its format names nothing else; names in braces without regard to case."""

READS = (
    Reads(field="%t", becomes="received_at"),
    Reads(
        field="%{…}t",
        becomes="received_at",
        note="`sec`, `msec`, `usec`, `msec_frac`, `usec_frac`, and the letters of strftime",
    ),
    *(Reads(field=directive, becomes=becomes) for directive, becomes in DIRECTIVES.items()),
)
"""What is read of a format that holds it, for the reference."""

_SHAPES = {
    "%h": WORD,
    "%a": WORD,
    "%A": WORD,
    "%b": r"\d++|-",
    "%B": r"\d++|-",
    "%D": r"\d++|-",
    "%H": WORD,
    "%I": r"\d++|-",
    "%k": r"\d++|-",
    "%l": WORD,
    "%L": WORD,
    "%m": WORD,
    "%O": r"\d++|-",
    "%p": r"\d++|-",
    "%P": r"\d++|-",
    "%q": r"(?:\?(?:[^\s\"\\]|\\.)*)?",
    "%s": r"\d{3}|-",
    "%S": r"\d++|-",
    "%T": r"(?>\d+(?:\.\d+)?)|-",
    "%U": r"(?:[^\s\"\\?]|\\.)*",
    "%v": WORD,
    "%V": WORD,
    "%X": r"[X+-]",
}
_UNSHAPED = {"%f", "%R", "%r", "%u", "%c", "%C", "%e", "%i", "%n", "%o", "%x", "%^ti", "%^to"}
_TIMES = {
    "sec": (r"\d{1,12}", 1),
    "msec": (r"\d{1,15}", 10**3),
    "usec": (r"\d{1,18}", 10**6),
}
_FRACTIONS = {"msec_frac": 3, "usec_frac": 6}

_DIRECTIVE = re.compile(r"%(?:(%)|(?:!?[0-9,]*|[<>])*(?:\{([^}]*)\})?(?:!?[0-9,]*|[<>])*(\^t[io]|[A-Za-z]))")
_QUOTED_TEXT = re.compile(
    r'\s*(?:LogFormat|CustomLog|accesslog\.format\s*=|GlobalLog)?\s*(?:[^\s"]+\s+)?"((?:[^"\\]|\\.)*)"\s*([\w.-]*)\s*',
    re.DOTALL,
)
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_LITERAL_BACKSLASH = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def compile_format(log_format: str, *, roles: Mapping[str, str] | None = None, zone: tzinfo = UTC) -> LogFormat:
    r"""The format of Apache's ``LogFormat``: the whole line as the configuration has it, or the text alone.

    Args:
        log_format: such as ``LogFormat "%h %t \"%r\" %>s" short`` or ``%{%FT%T%z}t %m %U%q %s``.
        roles: what other directives become, such as ``{"%{id}C": "source_id"}``; see :data:`DIRECTIVES` for those that are known.
        zone: of times that name none.

    Raises:
        InvalidValue: the text does not tell when a request came or what it asked for, or where one value ends, or holds what Apache does
            not know.
        InvalidOption: there is nothing of that name for a directive to become.
    """
    text, name = text_of(log_format)
    pieces = pieces_of(text, roles=roles)
    return LogFormat(
        name=name or "apache",
        description=f"Apache's own: {text:.200}",
        parse_line=line_parser(name or "apache", pieces, zone=zone),
        reads=reads_of(pieces),
    )


def text_of(log_format: str) -> tuple[str, str]:
    """The text of a format and its nickname, from a line of a configuration or from the text itself.

    Raises:
        InvalidValue: it is no text.
    """
    if not isinstance(log_format, str) or not log_format.strip():
        raise InvalidValue(f"a LogFormat must be text, not {shown(log_format)}")
    quoted = _QUOTED_TEXT.fullmatch(log_format)
    if quoted is None:
        return log_format, ""
    # What the configuration's reader leaves over is for the format itself: \n stays \n.
    return re.sub(r'\\(["\\])', lambda found: '"' if found[1] == '"' else "\\\\", quoted[1]), quoted[2]


def pieces_of(text: str, *, roles: Mapping[str, str] | None = None) -> list[str | Slot]:
    """The pieces of the text of a format.

    Raises:
        InvalidValue: it holds a directive that Apache does not know.
        InvalidOption: there is nothing of that name for a directive to become.
    """
    named = {_key(name): becomes for name, becomes in {**DIRECTIVES, **(roles or {})}.items()}
    unknown = sorted({*named.values()} - {*FIELDS})
    if unknown:
        raise InvalidOption(f"no directive becomes {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    pieces: list[str | Slot] = []
    end = 0
    while (start := text.find("%", end)) >= 0:
        match = _DIRECTIVE.match(text, start)
        if match is None:
            raise InvalidValue(f"no directive of Apache: {text[start : start + 20]!r}")
        pieces.append(_literal(text[end:start]))
        end = match.end()
        if match[1]:
            pieces.append("%")
            continue
        in_quotes = text[:start].endswith('"') and text[end:].startswith('"')
        pieces += _slots(match[0], match[2], match[3], named, in_quotes=in_quotes)
    pieces.append(_literal(text[end:]))
    return pieces


def _literal(text: str) -> str:
    return _BACKSLASH.sub(lambda found: _LITERAL_BACKSLASH.get(found[1], found[0]), text)


def _key(directive: str) -> str:
    match = _DIRECTIVE.fullmatch(directive)
    if match is None or match[3] is None:
        raise InvalidOption(f"no directive of Apache: {directive!r:.80}")
    # The remote address may be that of the connection ({c}); the port of the server or the client ({remote}).
    return f"%{match[3]}" if match[2] is None else f"%{{{match[2].lower()}}}{match[3]}"


def _slots(
    directive: str, inside: str | None, letter: str, named: Mapping[str, str], *, in_quotes: bool
) -> list[str | Slot]:
    if letter == "t":
        return _time(directive, inside)
    key = _key(directive)
    plain_key = f"%{letter}"
    if plain_key not in _SHAPES and plain_key not in _UNSHAPED:
        raise InvalidValue(f"no directive of Apache: {directive!r:.80}")
    becomes = named.get(key, named.get(plain_key, "") if inside is None or letter == "a" else "")
    pattern = QUOTED if in_quotes else _SHAPES.get(plain_key, "")
    return [Slot(name=directive, becomes=becomes, pattern=pattern, read=_texts.escaped)]


def _time(directive: str, inside: str | None) -> list[str | Slot]:
    if not inside:
        # As it is by itself: in brackets.
        clf = Slot(name=directive, becomes=MOMENT, pattern=r"[^\]\"]{20,40}", moment=_times.clf)
        return ["[", clf, "]"]
    written = inside.removeprefix("begin:").removeprefix("end:")
    if written in _TIMES:
        pattern, per_second = _TIMES[written]
        return [
            Slot(
                name=directive,
                becomes=MOMENT,
                pattern=pattern,
                moment=lambda text: _times.epoch(text, per_second),
            )
        ]
    if written in _FRACTIONS:
        return [Slot(name=directive, becomes=PARTS, pattern=rf"(?P<f>\d{{{_FRACTIONS[written]}}})")]
    found = _times.strftime_pattern(written)
    if found is None:
        raise InvalidValue(f"a time that cannot be read back: {directive!r:.80}")
    return [Slot(name=directive, becomes=PARTS, pattern=found)]
