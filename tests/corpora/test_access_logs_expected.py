"""What others read in the lines of access logs, and what we do: the same, or a rule says why not."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from access_logs import FILES, format_of, lines_in, samples_in
from dateutil.parser import isoparse

from msgtrack.hits import Hit, Rejected

Fields = dict[str, Any]
"""Fields of a hit as somebody else has them; a field that they do not tell is not there, and none at all is no request."""

ALSO = {
    "crowdsec-hub/envoy-logs/envoy.log": ("envoy",),
    "crowdsec-hub/nginx-proxy-manager-logs/nginx-proxy-manager-logs.log": ("proxy-manager-standard", "combined"),
    "filebeat-modules/2018/traefik/access/test.log": ("traefik",),
    "filebeat-modules/2019/traefik/access/test.log": ("common",),
    "filebeat-modules/2019/apache/access/test.log": ("ssl-request",),
}
"""Formats of the other lines of files that hold several."""


RULES: dict[str, tuple[str, Callable[[str, Any, Any, str], bool]]] = {
    "dash": (
        "a dash says that there is nothing, and nothing is the empty text",
        lambda name, ours, theirs, line: ours == "" and theirs in ("-", "", None),
    ),
    "plus": (
        "logs of the W3C's format have a plus for a blank, which is read back",
        lambda name, ours, theirs, line: name == "user_agent" and "+" in theirs and theirs.replace("+", " ") == ours,
    ),
    "first": (
        "of a list of addresses the first is that of the client; they take the first that is no private one",
        lambda name, ours, theirs, line: name == "client_ip" and f"{ours}, " in line and f", {theirs}" in line,
    ),
    "markdown": (
        "somebody's editor made a link of an address; they take it out",
        lambda name, ours, theirs, line: name == "client_ip" and ours == f"[{theirs}](http://{theirs})",
    ),
}
"""Why a field may differ: by the name of the rule what it says, and whether it holds for a field, our value, theirs and the line."""


def explained(name: str, ours: Any, theirs: Any, line: str) -> str:
    """The rule by which two values are the same, or the empty text."""
    return next((rule for rule, (_, holds) in RULES.items() if holds(name, ours, theirs, line)), "")


def compare(file: str, lines: list[str], expected: list[tuple[str, Fields]]) -> Counter[str]:
    """How often each rule was needed, and how many hits were compared.

    ``expected`` holds lines, and what they read as; the lines before them are read first, as some formats need.
    """
    names = (FILES[file][0], *ALSO.get(file, ()))
    readers = [format_of(name).reader() for name in names]
    records: dict[str, Hit | Rejected | None] = {}
    for number, line in enumerate(lines, 1):
        found = [read(line, number) for read in readers]
        records[line] = next((record for record in found if isinstance(record, Hit)), found[0])
    used: Counter[str] = Counter()
    for line, fields in expected:
        hit = records[line]
        if not fields:
            assert not isinstance(hit, Hit), f"they read no request here: {hit}"
            continue
        if isinstance(hit, Rejected) and hit.reason == "not-w3c":
            # They read no heads, and their grammar fits this line, which the head above it does not fit.
            used["head"] += 1
            continue
        assert isinstance(hit, Hit), f"{hit}, and they read {fields}"
        used["hits"] += 1
        for name, theirs in fields.items():
            ours = getattr(hit, name)
            if ours != theirs:
                rule = explained(name, ours, theirs, line)
                assert rule, f"{name}: ours {ours!r}, theirs {theirs!r}: {line}"
                used[rule] += 1
    return used


def picked(record: dict[str, Any], names: dict[str, str]) -> Fields:
    """The fields of a record that stand there, by the names that they have there."""
    found: Fields = {ours: record[theirs] for theirs, ours in names.items() if theirs in record}
    if "status" in found:
        found["status"] = None if found["status"] == "-" else int(found["status"])
    return found


FILEBEAT = {
    "method": "method",
    "url": "url",
    "remote_ip": "client_ip",
    "response_code": "status",
    "referrer": "referrer",
    "user_agent.original": "user_agent",
    "user_agent": "user_agent",
}
ECS = {
    "http.request.method": "method",
    "url.original": "url",
    "source.address": "client_ip",
    "http.response.status_code": "status",
    "http.request.referrer": "referrer",
    "user_agent.original": "user_agent",
}


UNTOLD = {"filebeat-modules/2019/apache/access/darwin-2.4.23.log", "filebeat-modules/2019/nginx/access/access.log"}
"""Those of its files beside which nothing stands."""


@pytest.mark.parametrize("file", [file for file in sorted({*FILES} - UNTOLD) if "filebeat" in file and FILES[file][0]])
def test_filebeat(corpora: Path, file: str) -> None:
    log = corpora / "access_logs" / file
    beside = log.with_name(log.name + "-expected.json")
    data, expected = log.read_bytes(), []
    for record in json.loads(beside.read_text(encoding="utf-8")):
        line = data[record["log.offset"] :].partition(b"\n")[0].decode().removesuffix("\r")
        short = {re.sub(r"^\w+\.access\.", "", key): value for key, value in record.items()}
        fields = picked(record, ECS) | picked(short, FILEBEAT)
        if "url.path" in record:
            query = record.get("url.query", "-")
            fields["url"] = record["url.path"] + ("" if query == "-" else f"?{query}")
        if fields.get("method") and fields.get("url"):
            fields["received_at"] = isoparse(record["@timestamp"])
        else:
            fields = {}
        expected.append((line, fields))
    assert compare(file, lines_in(log), expected)


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith(".yaml")])
def test_datadog(corpora: Path, file: str) -> None:
    path = corpora / "access_logs" / file
    expected = []
    for test in samples_in(path):
        custom = test["result"].get("custom", {})
        http = custom.get("http", {})
        names = {
            "method": "method",
            "url": "url",
            "status_code": "status",
            "referer": "referrer",
            "useragent": "user_agent",
        }
        fields = picked(http, names) if "method" in http and "status_code" in http else {}
        if fields:
            at = custom.get("date_access", custom.get("timestamp"))
            fields |= {
                "client_ip": custom["network"]["client"]["ip"],
                "received_at": datetime.fromtimestamp(at / 1000, UTC),
            }
            if "iis" in custom:
                fields["url"] += "?toto=tata"  # which they leave to another of their fields
        expected.append((test["sample"], fields))
    assert compare(file, lines_in(path), expected)["hits"] >= 1


VECTOR = {
    "host": "client_ip",
    "client": "client_ip",
    "remote_addr": "client_ip",
    "method": "method",
    "request_method": "method",
    "path": "url",
    "request_url": "url",
    "status": "status",
    "elb_status_code": "status",
    "http_referer": "referrer",
    "referer": "referrer",
    "http_user_agent": "user_agent",
    "agent": "user_agent",
    "user_agent": "user_agent",
    "trace_id": "request_id",
}


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("vector-vrl/")])
def test_vector(corpora: Path, file: str) -> None:
    path = corpora / "access_logs" / file
    expected = []
    for test in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        told = test["expected"]
        if test.get("format") == "error":
            told = {}
        request = re.fullmatch(r"([A-Z]+) (\S+) HTTP/\S+", told.get("request", ""))
        fields = picked(told, VECTOR)
        if request is not None:
            fields |= {"method": request[1], "url": request[2]}
        if "client_host" in told:
            fields["client_ip"] = told["client_host"].rpartition(":")[0]
        expected.append(
            (test["line"], fields | {"received_at": isoparse(told["timestamp"])} if fields.get("method") else {})
        )
    assert compare(file, lines_in(path), expected)["hits"] >= 1


MATOMO = {"ip": "client_ip", "status": "status", "path": "url", "referrer": "referrer", "user_agent": "user_agent"}


@pytest.mark.parametrize(
    "file",
    [
        f"matomo-log-analytics/{name}.log"
        for name in ("caddy_json", "common_vhost", "gandi", "icecast2", "ncsa_extended", "s3")
    ],
)
def test_matomo(corpora: Path, file: str) -> None:
    path = corpora / "access_logs" / file
    told = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))["fields"]
    at = f"{told['date']} {told['timezone']}"
    moment = datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z") if "/" in at else isoparse(at.replace(" ", ""))
    lines = lines_in(path)
    assert compare(file, lines, [(lines[0], picked(told, MATOMO) | {"received_at": moment})])["hits"] == 1


CROWDSEC = {
    "http_path": "url",
    "http_status": "status",
    "http_user_agent": "user_agent",
    "http_verb": "method",
    "source_ip": "client_ip",
}


@pytest.mark.parametrize(
    "file",
    [
        "crowdsec-hub/apache2-logs/apache2-logs.log",
        "crowdsec-hub/apache2-malformed/apache2-logs.log",
        "crowdsec-hub/envoy-logs/envoy.log",
        "crowdsec-hub/haproxy-logs/haproxy-logs.log",
        "crowdsec-hub/haproxy-nextcloud-whitelist/haproxy-logs.log",
        "crowdsec-hub/litespeed-logs/litespeed-logs.log",
        "crowdsec-hub/nginx-proxy-manager-logs/nginx-proxy-manager-logs.log",
        "crowdsec-hub/nginx-proxy-manager-malformed/nginx_http-logs.log",
        "crowdsec-hub/traefik_clf/traefik_clf.log",
    ],
)
def test_crowdsec(corpora: Path, file: str) -> None:
    path = corpora / "access_logs" / file
    lines = lines_in(path)
    expected = []
    for step in json.loads((path.parent / "expected.json").read_text(encoding="utf-8")):
        if step["stage"] != "s01-parse" or not step["success"]:
            continue
        told, parsed = step["meta"], step["parsed"]
        line = next((line for line in lines if line.endswith(parsed["message"])), "")
        # What they took for a request that is none has no verb.
        fields = picked(told, CROWDSEC) if told.get("log_type") == "http_access-log" and "http_verb" in told else {}
        if fields and "http_referer" in parsed:
            fields["referrer"] = parsed["http_referer"]
        assert line or not fields
        expected += [(line, fields)] if line else []
    used = compare(file, lines, expected)
    assert used["hits"] or "malformed" in file


@pytest.mark.parametrize("file", ["opensearch-catalog/nginx.log"])
def test_opensearch(corpora: Path, file: str) -> None:
    """Of its structured events those of nginx hold the line they are made of, and its fields; the others are made up."""
    folder = corpora / "access_logs" / "opensearch-catalog" / "structured"
    expected = []
    for event in map(json.loads, (folder / "nginx.jsonl").read_text(encoding="utf-8").splitlines()):
        http = event["http"]
        fields = {
            "method": http["request"]["method"],
            "url": http["url"],
            "status": int(http["response"]["status_code"]),
            "client_ip": event["communication"]["source"]["ip"],
            "received_at": isoparse(event["@timestamp"]),
        }
        expected.append((event["body"], fields))
    used = compare(file, [line for line, _ in expected], expected)
    assert used["hits"] == len(expected) > 50


FAIL_JSON = re.compile(r"# failJSON: (\{.*\})\s*")


@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if file.startswith("fail2ban/") and name])
def test_fail2ban(corpora: Path, file: str) -> None:
    """The host, and the moment by a clock of Zurich; but where the line began with syslog, they take its moment, which has no year."""
    lines = lines_in(corpora / "access_logs" / file)
    reads = format_of(FILES[file][0]).reader()
    compared = 0
    for comment, line in pairwise(lines):
        match = FAIL_JSON.fullmatch(comment)
        told = {} if match is None else json.loads(match[1])
        hit = reads(line, 1)
        if "host" not in told or not isinstance(hit, Hit):
            continue
        assert hit.client_ip.removeprefix("::ffff:") == told["host"]
        if FILES[file][0] != "haproxy":
            assert hit.received_at.astimezone(ZoneInfo("Europe/Zurich")).isoformat()[:19] == told["time"]
        compared += 1
    assert compared


@pytest.mark.parametrize("file", ["mtail/apache-combined.log", "mtail/apache-common.log"])
def test_mtail(corpora: Path, file: str) -> None:
    """Its counters of requests, by method and status."""
    path = corpora / "access_logs" / file
    counted: Counter[tuple[str, int]] = Counter()
    golden = path.with_suffix(".golden.txt").read_text(encoding="utf-8")
    for method, status, count in re.findall(
        r"counter apache_http_requests_total \{request_method=(\w+),http_version=\S+?,\w+=(\d+)\} (\d+)", golden
    ):
        counted[method, int(status)] += int(count)
    reads = format_of(FILES[file][0]).reader()
    hits = [hit for line in lines_in(path) if isinstance(hit := reads(line, 1), Hit)]
    assert Counter((hit.method, hit.status) for hit in hits) == counted


def test_every_rule_is_needed(corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that explains nothing here might hide what it should not."""
    used: Counter[str] = Counter()
    plain = compare

    def counted(*args: Any) -> Counter[str]:
        found = plain(*args)
        used.update(found)
        return found

    monkeypatch.setitem(globals(), "compare", counted)
    for test in (test_filebeat, test_datadog, test_vector, test_matomo, test_crowdsec, test_opensearch):
        for file in test.pytestmark[0].args[1]:  # type: ignore[attr-defined]  # what parametrize left there
            test(corpora, file)
    assert {*RULES, "head", "hits"} == {*used}
