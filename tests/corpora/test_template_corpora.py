"""Real template files under their own syntax: links found, placeholders kept, and real engines fill what we give back."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.links import CompiledMessage
from msgtrack.links.html import scan_html
from msgtrack.links.syntaxes import TagKind, by_name

TRACKER = Tracker(
    base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret that is long enough to sign with")
)
RULES = LinkRules(unfit_links="skip", markers="keep")
SYNTAX_OF = {
    "dcondrey-html-email": "merge",
    "mailchimp-email-blueprints": "merge",
    "keila-templates": "liquid",
    "konsav": "handlebars",
    "mailtrain-mails": "handlebars",
    "mjmlio-email-templates-compiled": "handlebars",
    "postmark-templates": "handlebars",
    "sendgrid-email-templates": "handlebars",
    "mautic-themes": "jinja",
    "sendwithus-templates": "jinja",
    "symfony-twig-mails": "jinja",
    "maizzle-starter": "jinja",
}
_MARKS = re.compile(r"\{\{|\{%|<%|\*\|")
_PIXEL = re.compile(r'<img src="https://t\.example\.com/1/[^"]*"[^>]*>')


def templates(corpora: Path) -> list[tuple[Path, str, str]]:
    """Every template file of a source whose syntax is known: path, syntax, text."""
    found = []
    for folder, name in SYNTAX_OF.items():
        for path in sorted((corpora / "email_html" / folder).rglob("*")):
            text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
            if _MARKS.search(text):
                syntax = "handlebars" if name == "merge" and "*|" not in text else name
                found.append((path, syntax, text))
    return found


def values_of(syntax: str, text: str) -> dict[str, str]:
    """A value for each plain name that the file asks for."""
    names = {tag.name for tag in by_name(syntax).tags(text) if tag.kind is TagKind.VALUE}
    return {name: f"v{place}" for place, name in enumerate(sorted(names))}


def outside(source: str, message: CompiledMessage) -> list[str]:
    """The author's text between two edits."""
    done, kept = 0, []
    for edit in message.edits:
        kept.append(source[done : edit.start])
        done = edit.end
    return [*kept, source[done:]]


def test_every_template_file_compiles_under_its_own_syntax(corpora: Path) -> None:
    files = templates(corpora)
    assert len(files) > 100
    tracked = left = 0
    for path, syntax, source in files:
        message = TRACKER.compile(html=source, delivery_id="corpora", syntax=syntax, rules=RULES)
        rendered = message.render(message_id="1001", values=values_of(syntax, source)).html or ""
        assert message.restore(rendered) == source, path
        place = 0
        for kept in outside(source, message):
            place = rendered.find(kept, place)
            assert place >= 0, path
            place += len(kept)
        tags = [source[tag.start : tag.end] for tag in by_name(syntax).tags(source) if tag.kind is TagKind.VALUE]
        assert sum(map(rendered.count, set(tags))) >= len(tags) - len(message.placeholders), path
        for link in message.links:
            assert link.url[:8].lower().startswith(("http://", "https://"))
        tracked += len(message.links)
        left += sum(finding.code == "unfit-link" for finding in message.findings)
        again = TRACKER.load(message.to_bytes())
        assert again.render(message_id="1001", values=values_of(syntax, source)).html == rendered
    assert tracked > 250
    assert left > 200, "most templates of the wild put the whole address into one placeholder"


Engine = Callable[[str, dict[str, Any]], str]


def _jinja(text: str, context: dict[str, Any]) -> str:
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined, autoescape=True, keep_trailing_newline=True)
    return str(environment.from_string(text).render(context))


def _django(text: str, context: dict[str, Any]) -> str:
    engine = pytest.importorskip("django.template.engine")
    template = pytest.importorskip("django.template")
    return str(engine.Engine().from_string(text).render(template.Context(context)))


def _liquid(text: str, context: dict[str, Any]) -> str:
    liquid = pytest.importorskip("liquid")
    return str(liquid.Environment(autoescape=True).from_string(text).render(**context))


def _pybars(text: str, context: dict[str, Any]) -> str:
    pybars = pytest.importorskip("pybars")
    helpers = {"translate": lambda this, options, *rest: options["fn"](this)}
    return str(pybars.Compiler().compile(text)(context, helpers=helpers))


def _chevron(text: str, context: dict[str, Any]) -> str:
    chevron = pytest.importorskip("chevron")
    return str(chevron.render(text, context))


def _list_mailer(text: str, context: dict[str, Any]) -> str:
    """What a list mailer does with ``*|NAME|*``; its conditions are left as they are."""
    return re.sub(r"\*\|([A-Z0-9_:]+|msgtrack_\w+)\|\*", lambda found: str(context.get(found[1], found[0])), text)


ENGINES: dict[str, tuple[str, Engine]] = {
    "jinja": ("jinja", _jinja),
    "django": ("django", _django),
    "liquid": ("liquid", _liquid),
    "pybars": ("handlebars", _pybars),
    "chevron": ("handlebars", _chevron),
    "list mailer": ("merge", _list_mailer),
}


MOST = {"pybars": 4_000}
"""Characters of a file, for the engine that takes seconds for a large one."""


def attempted(render: Engine, text: str, context: dict[str, Any]) -> str | None:
    """The rendering, or None where the engine cannot do this file, for whatever reason of its own."""
    try:
        return render(text, context)
    except pytest.skip.Exception:
        raise
    except Exception:  # noqa: BLE001 - engines raise what they like
        return None


def cut(html: str) -> tuple[list[str], list[str]]:
    """What stands around the destinations of a document, and these."""
    around, urls, done = [], [], 0
    for site in scan_html(html).sites:
        around.append(html[done : site.start])
        urls.append(unescape(site.url))
        done = site.end
    return [*around, html[done:]], urls


def check_engine(source: str, syntax: str, render: Engine) -> int:
    """How many tracked URLs an engine wrote that lead where the untracked rendering leads; -1 if it cannot do the file."""
    values: dict[str, Any] = values_of(syntax, source)
    plain = attempted(render, source, values)
    if plain is None:
        return -1
    message = TRACKER.compile(html=source, delivery_id="corpora", syntax=syntax, rules=RULES)
    template = message.source(syntax)
    # Tags of the author's that are not in tracked links are in the template as often as in the source.
    assert template.count("msgtrack_open") == 1
    tracked = render(template, values | message.slots(message_id="1001", values=values))
    assert "msgtrack_" not in tracked
    assert len(_PIXEL.findall(tracked)) == template.count("msgtrack_open")
    around, urls = cut(_PIXEL.sub("", tracked))
    expected_around, expected_urls = cut(plain)
    found = 0
    for url, expected in zip(urls, expected_urls, strict=True):
        if url.startswith("https://t.example.com/"):
            said = TRACKER.resolve(url)
            assert (said.outcome, said.message_id) == ("valid", "1001")
            whole = "https:" + expected if expected.startswith("//") else expected
            assert said.destination == whole
            found += 1
        else:
            assert url == expected
    assert [text.rstrip() for text in around] == [text.rstrip() for text in expected_around]
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_real_engines_render_the_template_files_that_we_give_back(corpora: Path, engine: str) -> None:
    syntax, render = ENGINES[engine]
    most = MOST.get(engine, 10**9)
    kin = {"django": {"jinja", "liquid"}}.get(engine, {syntax})
    counts = [
        check_engine(source, syntax, render)
        for _, own, source in templates(corpora)
        if own in kin and len(source) < most
    ]
    done = [count for count in counts if count >= 0]
    least = {"jinja": 8, "django": 8, "liquid": 6, "pybars": 10, "chevron": 15, "list mailer": 20}[engine]
    assert len(done) >= least, (engine, len(counts), len(done))
    assert sum(done) >= {"chevron": 50, "list mailer": 150, "liquid": 1}.get(engine, 0), (engine, sum(done))


SLOTTED = {
    "jinja": "{{ v|urlencode }}",
    "django": "{{ v|urlencode }}",
    "liquid": "{{ v | url_encode }}",
    "pybars": "{{v}}",
    "chevron": "{{v}}",
    "list mailer": "*|V|*",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_real_engines_render_real_mail_whose_links_are_made_personal(corpora: Path, engine: str) -> None:
    """Every link of a sample gets a placeholder at its end, as a mailer would put one in."""
    syntax, render = ENGINES[engine]
    files = sorted(path for path in (corpora / "email_html").rglob("*") if path.is_file())
    personal = 0
    for path in files[:: 5 if engine in MOST else 17]:
        source = path.read_bytes().decode("utf-8", "replace")
        if len(source) >= MOST.get(engine, 10**9) or re.search(r"\{[{%#]|\*\||<%|\\\{", source):
            continue
        pieces, done = [], 0
        for site in scan_html(source).sites:
            if re.match(r"https?://[A-Za-z0-9.-]+/[!-~]*\Z", site.raw) and site.quote:
                glue = "&amp;v=" if "?" in site.raw else "?v="
                if "#" not in site.raw and not site.raw.endswith("%"):
                    pieces += [source[done : site.end], glue + SLOTTED[engine]]
                    done = site.end
        made = "".join([*pieces, source[done:]])
        found = check_engine(made, syntax, render)
        assert found >= 0, path
        personal += len(pieces) // 2
    assert personal > (10 if engine in MOST else 150)
