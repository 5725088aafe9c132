"""Templates as people write them: the audit finds what a plain search for the forbidden patterns finds, and compiling agrees."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.cli import main
from msgtrack.links.auditing import audit

TRACKER = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets("k" * 32))
FOLDERS = {
    "postmark-templates": "handlebars",
    "sendgrid-email-templates": "handlebars",
    "mailtrain-mails": "handlebars",
    "mailchimp-email-blueprints": "merge",
    "keila-templates": "liquid",
    "listmonk-static": "jinja",
    "mautic-themes": "jinja",
    "sendwithus-templates": "jinja",
    "openmage-locale-mails": "jinja",
    "dcondrey-html-email": "jinja",
    "maizzle-starter": "handlebars",
}
VALUES = {
    "handlebars": r"\{\{(?![#/!^>])",
    "merge": r"\*\|(?!IF|ELSE|END|INTERESTED|FEED|RSS)",
    "liquid": r"\{\{",
    "jinja": r"\{\{",
}


def texts(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_audit_finds_what_a_search_finds(corpora: Path, name: str) -> None:
    syntax = FOLDERS[name]
    # The audit query of the reference: what begins with a tag, or with a scheme and a tag.
    pattern = re.compile(rf"(?<![\w-])(href|src|background)=([\"'])(?:https?:)?(?://)?{VALUES[syntax]}")
    by_audit: Counter[str] = Counter()
    by_search: Counter[str] = Counter()
    for source in texts(corpora / "email_html" / name):
        problems = audit(source, syntax=syntax)
        assert {each.code for each in problems} <= {"personalized-host"}
        by_audit.update(each.attribute for each in problems if each.attribute != "style")
        shown = re.sub(r"<!--(?!\[if|>|<!\[).*?-->", "", source, flags=re.DOTALL)
        by_search.update(found[1] for found in pattern.finditer(shown))
    assert by_audit == by_search


@pytest.mark.parametrize("name", FOLDERS)
def test_compiling_leaves_alone_what_the_audit_finds(corpora: Path, name: str) -> None:
    for source in texts(corpora / "email_html" / name):
        if "<mj-" in source:
            # No message yet: MJML makes links of its elements.
            continue
        found = {(each.line, each.column) for each in audit(source, syntax=FOLDERS[name]) if each.attribute == "href"}
        compiled = TRACKER.compile(
            html=source, delivery_id="1", syntax=FOLDERS[name], rules=LinkRules(unfit_links="skip")
        )
        assert {(each.line, each.column) for each in compiled.findings if each.code == "unfit-link"} == found


@pytest.mark.parametrize("syntax", ["jinja", "django", "liquid", "handlebars", "merge", "percent", "campaign"])
def test_every_file_can_be_audited_under_every_syntax(corpora: Path, syntax: str) -> None:
    files = [path for path in sorted((corpora / "email_html").rglob("*")) if path.is_file()][::5]
    assert len(files) > 100
    for path in files:
        source = path.read_bytes().decode("latin-1")
        for problem in audit(source, syntax=syntax, url_format="campaign"):
            line = re.split(r"\r\n|\n|\r", source)[problem.line - 1]
            assert 1 <= problem.column <= len(line) + 1


def test_the_command_reads_a_whole_folder(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corpora / "email_html" / "postmark-templates"
    assert main(["audit", str(folder), "--syntax", "handlebars"]) == 1
    assert re.search(r"^\d+ problems in \d+ of 32 templates$", capsys.readouterr().out, re.MULTILINE)
