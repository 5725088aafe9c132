"""The combined format as another library reads it, ``apachelogs``, on every line of the samples.

It is strict: a line holds what Apache writes and nothing else. Where it reads a line only when rewritten, the rewriting is a
rule of ``RULES``, and then it must read the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apachelogs
from access_logs import FILES, lines_in

from msgtrack.hits import MAX_HEADER, Hit, Rejected
from msgtrack.logs._heads import behind_head
from msgtrack.logs.combined import parse_line

PARSER = apachelogs.LogParser(apachelogs.COMBINED)
QUOTED = r'"(?:[^"\\]|\\.)*"'
BEGINNING = rf"\S+ \S+ .*?\[[^\]]+\] {QUOTED} (?:\d{{3}}|-) (?:\d+|-)"


def escaped(line: str) -> str:
    raw = line.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in raw)


RULES: dict[str, tuple[str, Callable[[str], str]]] = {
    "head": ("syslog wrote something in front", lambda line: behind_head(line) or line),
    "first": (
        "of a list of addresses the first is the client's",
        lambda line: re.sub(r'^"?([0-9a-fA-F.:]+),.*?(?= - - \[)', r"\1", line),
    ),
    "host": (
        "the host that was asked stands in front of the client's address",
        lambda line: re.sub(r"^[\w.:-]+ ([0-9.]+ \S+ .+? \[)", r"\1", line),
    ),
    "bytes": ("bytes stand there that Apache would have escaped", escaped),
    "more": (
        "more stands behind the agent, as many servers are told",
        lambda line: re.sub(rf"^({BEGINNING} {QUOTED} {QUOTED}) .*$", r"\1", line),
    ),
    "common": (
        "a line of the common format is read as well",
        lambda line: re.sub(rf"^({BEGINNING})$", r'\1 "-" "-"', line),
    ),
}
"""By its name what a rule says, and how it rewrites a line."""


ALWAYS = ("head", "first", "host")
"""Their expression takes the whole of what stands in front for an address."""


def theirs(line: str) -> tuple[apachelogs.LogEntry | None, list[str]]:
    """What the other library reads, and the rules that it took."""
    used: list[str] = []
    for name, (_, rewrite) in RULES.items():
        if name not in ALWAYS:
            try:
                return PARSER.parse(line), used
            except (apachelogs.InvalidEntryError, ValueError):
                pass
        rewritten = rewrite(line)
        if rewritten != line:
            line, used = rewritten, [*used, name]
    try:
        return PARSER.parse(line), used
    except (apachelogs.InvalidEntryError, ValueError):
        return None, used


def same_text(ours: str, other: str, most: int | None = MAX_HEADER) -> bool:
    # They read bytes that are no UTF-8 as Latin-1, and we keep them as they were escaped.
    return ours in (other[:most], other.encode("latin-1", "replace").decode("utf-8", "backslashreplace")[:most])


def test_every_line_reads_the_same(corpora: Path) -> None:
    used: Counter[str] = Counter()
    seen: set[str] = set()
    for file in FILES:
        for line in lines_in(corpora / "access_logs" / file):
            ours = parse_line(line, 1)
            # Other lines take their expression time without end.
            is_none = isinstance(ours, Rejected) and ours.reason == "not-combined"
            if line in seen or (is_none and ('] "' not in line or len(line) > 400)):
                continue
            seen.add(line)
            entry, rules = theirs(line)
            used.update(rules)
            if isinstance(ours, Rejected) and ours.reason == "bad-request":
                # To them a request is whatever stands in quotes; to us it is a method and a URL.
                assert entry is not None
                assert re.fullmatch(r"[A-Z][A-Z0-9_-]* \S+(?: HTTP/[0-9.]+)?", entry.request_line or "") is None, line
                used["no request"] += 1
                continue
            if not isinstance(ours, Hit):
                assert entry is None, line
                continue
            assert entry is not None, (file, line)
            used["read"] += 1
            assert ours.client_ip == (entry.remote_host or ""), line
            assert ours.received_at == entry.request_time, line
            assert ours.status == entry.final_status, line
            assert same_text(ours.user_agent, entry.headers_in["User-Agent"] or ""), line
            assert same_text(ours.referrer, entry.headers_in["Referer"] or ""), line
            method, _, rest = (entry.request_line or "").partition(" ")
            assert ours.method == method
            assert same_text(ours.url, rest.partition(" ")[0], None), line
    assert {*used} == {*RULES, "read", "no request"}
    assert used["read"] > 9_000
