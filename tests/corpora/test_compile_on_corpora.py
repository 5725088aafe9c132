"""Real mail, compiled: outside the edits nothing changes, and what was changed can be undone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.errors import NotOurs
from msgtrack.links import CompiledMessage
from msgtrack.links.html import scan_html

TRACKER = Tracker(
    base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret that is long enough to sign with")
)


def html_files(corpora: Path) -> list[Path]:
    return sorted(path for path in (corpora / "email_html").rglob("*") if path.is_file())


def check_outside_edits(source: str, rendered: str, message: CompiledMessage, part: str) -> None:
    """The source between two edits stands in the rendered text, in order, with only edits between."""
    edits = [edit for edit in message.edits if edit.part == part]
    assert edits == sorted(edits, key=lambda edit: (edit.start, edit.end))
    done = place = 0
    for edit in edits:
        kept = source[done : edit.start]
        assert rendered.startswith(kept, place), (edit, kept[:80])
        place += len(kept)
        if edit.kind == "link":
            place += len(
                re.compile(r"https://t\.example\.com/[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]").match(rendered, place)[0]
            )  # type: ignore[index]
        elif edit.kind == "pixel":
            place += len(
                re.compile(r'<img src="https://t\.example\.com/1/[a-z0-9.-]+" [^>]*>').match(rendered, place)[0]
            )  # type: ignore[index]
        done = edit.end
    assert rendered[place:] == source[done:]


def test_every_html_file_of_the_corpora_comes_back_exactly(corpora: Path) -> None:
    files = html_files(corpora)
    assert len(files) > 500
    tracked = 0
    for path in files:
        # Any bytes, one character each: the scanner may not care what they mean.
        source = path.read_bytes().decode("latin-1")
        message = TRACKER.compile(html=source, delivery_id="corpora")
        rendered = message.render(message_id="1001").html
        assert rendered is not None
        check_outside_edits(source, rendered, message, "html")
        assert message.restore(rendered) == source, path
        with pytest.raises(NotOurs):
            message.restore(rendered + " ")
        tracked += len(message.links)
        for link in message.links:
            assert link.url[:8].lower().startswith(("http://", "https://"))
    assert tracked > 4_000


def test_every_tracked_link_of_the_corpora_leads_where_it_led(corpora: Path) -> None:
    for path in html_files(corpora)[::7]:
        source = path.read_bytes().decode("utf-8", "replace")
        message = TRACKER.compile(html=source, text=source, delivery_id="corpora")
        out = message.render(message_id="1001")
        for part, text in (("html", out.html), ("text", out.text)):
            urls = re.findall(r"https://t\.example\.com/[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]", text or "")
            said = [TRACKER.resolve(url) for url in urls]
            assert all(one.outcome == "valid" and one.message_id == "1001" for one in said)
            expected = [link.url for link in message.links if link.part == part]
            assert [one.destination for one in said if one.link_id != "1"] == expected
        assert message.restore(out.text or "") == source


@pytest.mark.parametrize("pixel", ["top", "none"])
@pytest.mark.parametrize("markers", ["keep", "emit:ses"])
def test_it_comes_back_with_every_option(corpora: Path, markers: str, pixel: str) -> None:
    rules = LinkRules(markers=markers, utm={"source": "x"}, trap="https://a.example/trap")
    for path in html_files(corpora)[::3]:
        source = path.read_bytes().decode("utf-8", "replace")
        message = TRACKER.compile(html=source, delivery_id="corpora", rules=rules, pixel=pixel)
        rendered = message.render(message_id="1001").html or ""
        assert message.restore(rendered) == source, path
        tracked = sum(edit.kind == "link" for edit in message.edits)
        if markers != "keep":
            assert rendered.count(" ses:no-track") >= tracked


QUOTES = {
    "double": ('"', re.compile('"')),
    "single": ("'", re.compile("'")),
    "none": ("", re.compile(r"""[\s"'=<>`]""")),
}


@pytest.mark.parametrize("quoting", QUOTES)
def test_it_comes_back_with_each_quoting(corpora: Path, quoting: str) -> None:
    """Every link whose value can stand in the other quotes is written in them; what it leads to stays the same."""
    quote, unfit = QUOTES[quoting]
    changed = 0
    for path in html_files(corpora)[::3]:
        source = path.read_bytes().decode("utf-8", "replace")
        pieces, done = [], 0
        for site in scan_html(source).sites:
            outer = len(site.quote)
            start, end = site.start - outer, site.end + outer
            whole = not outer or source[start] == source[end - 1] == site.quote
            if site.raw and site.quote != quote and whole and not unfit.search(site.raw):
                pieces += [source[done:start], quote, site.raw, quote, "" if quote or source[end] in " \t\n>" else " "]
                done = end
                changed += 1
        quoted = "".join((*pieces, source[done:]))
        message, before = (TRACKER.compile(html=html, delivery_id="corpora") for html in (quoted, source))
        assert [link.url for link in message.links] == [link.url for link in before.links], path
        rendered = message.render(message_id="1001").html or ""
        check_outside_edits(quoted, rendered, message, "html")
        assert message.restore(rendered) == quoted, path
    assert changed > 20
