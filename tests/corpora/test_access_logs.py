"""Access logs of others: every line is a hit or is rejected with a reason.

``tests/support/access_logs.py`` says what comes out of which file.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from access_logs import FILES, WHY_REJECTED, format_of, is_log, lines_in

from msgtrack.hits import Hit, Rejected
from msgtrack.logs import formats

# Files of which detection does not say what the table does.
DETECTED_OTHERWISE = {
    "crowdsec-hub/haproxy-logs/haproxy-logs.log": None,
    "crowdsec-hub/litespeed-logs/litespeed-logs.log": None,
    "crowdsec-hub/nginx-http-generic-bf/nginx-http-generic-bf.log": None,
    "crowdsec-hub/nginx-mail-logs/nginx-mail-logs.log": None,
    "datadog-integrations/lighttpd_tests.yaml": "combined",
    "datadog-integrations/tomcat_tests.yaml": None,
    "lnav/format-samples/haproxy_log.log": None,
    "lnav/logfile_caddy_log.0.log": None,
    "matomo-log-analytics/nginx_json.log": None,
    "vector-vrl/parse_apache_log.jsonl": None,
    "wazuh-ruleset/web_appsec.ini.txt": "varnish",
    "wazuh-ruleset/web_rules.ini.txt": None,
}


def test_the_table_knows_every_file(corpora: Path) -> None:
    folder = corpora / "access_logs"
    assert {*FILES} == {str(path.relative_to(folder)) for path in folder.rglob("*") if is_log(path)}
    assert {*WHY_REJECTED} <= {*FILES}


@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if name])
def test_every_line_is_a_hit_or_rejected_with_a_reason(corpora: Path, file: str) -> None:
    name, wanted = FILES[file]
    read = format_of(name).reader()
    found: Counter[str] = Counter()
    for number, line in enumerate(lines_in(corpora / "access_logs" / file), 1):
        record = read(line, number)
        if record is None:
            # Nothing but blank lines and what servers say about the log itself.
            assert not line.strip() or line.startswith("#"), line
        elif isinstance(record, Rejected):
            assert (record.line, record.text) == (number, line[:2_000])
            found[record.reason] += 1
        else:
            assert isinstance(record, Hit)
            assert datetime(1995, 1, 1, tzinfo=UTC) < record.received_at < datetime(2030, 1, 1, tzinfo=UTC)
            # What stands in a column was of that column; one line has its host in front, among others that have none.
            assert re.fullmatch(r"[0-9a-fA-F.:]*|[a-zA-Z][\w.-]*(?::443)?|\[.*\]\(.*\)", record.client_ip), record
            assert record.url.startswith(("/", "http", "*")) or record.method == "CONNECT", record
            found["hit" if found["hits"] == found["hit"] == 0 else "hits"] += 1
    total = found.pop("hit", 0) + found.pop("hits", 0)
    told = [f"{total} hit{'s' * (total > 1)}"] * bool(total) + [
        f"{count} {reason}" for reason, count in sorted(found.items())
    ]
    assert ", ".join(told) == wanted


@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if not name])
def test_no_format_claims_what_is_no_access_log(corpora: Path, file: str) -> None:
    assert formats.detect(lines_in(corpora / "access_logs" / file)).name is None


@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if name in formats.FORMATS])
def test_the_format_is_detected(corpora: Path, file: str) -> None:
    detection = formats.detect(lines_in(corpora / "access_logs" / file))
    assert detection.name == DETECTED_OTHERWISE.get(file, FILES[file][0]), detection
    if file in DETECTED_OTHERWISE and detection.name is None:
        # It says why.
        assert re.search(r"reads most|no format reads", detection.reason), detection
