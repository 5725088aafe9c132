"""The pages of the redirect itself: complete, without script, and without anything from outside."""

from __future__ import annotations

import base64
import hashlib
import html

from msgtrack.redirect.exchange import Response
from msgtrack.redirect.opting_out import FIELD, VALUE
from msgtrack.redirect.texts import PageTexts

__all__ = ["COMMON", "PIXEL", "ask_page", "authors_page", "done_page", "lost_page", "plain_page"]

PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of one pixel, 43 bytes."""

COMMON = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex"),
    ("x-content-type-options", "nosniff"),
)
"""Headers of every answer to a tracked URL."""

_HTML = ("content-type", "text/html; charset=utf-8")
_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --ground: #f3f4f6; --act: #1f5fbf; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceff3; --soft: #a8b1bc; --paper: #1d2127; --ground: #121519; --act: #8ab8ff; }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; padding: 1.25rem; display: grid; place-items: center;
  background: var(--ground); color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif;
}
main { width: 100%; max-width: 30rem; padding: 2rem; background: var(--paper); border-radius: 0.75rem; }
h1 { margin: 0 0 0.5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1.5rem; color: var(--soft); }
p:last-child { margin-bottom: 0; }
button {
  width: 100%; min-height: 3rem; padding: 0.6rem 1.5rem; border: 0; border-radius: 0.5rem; cursor: pointer;
  background: var(--act); color: var(--paper); font: inherit; font-weight: 600;
}
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 3px; }
"""
_PAGE = (
    '<!doctype html>\n<html lang="{language}" dir="{direction}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n{form}"
    "</main>\n</body>\n</html>\n"
)
_FORM = (
    f'<form method="post">\n<input type="hidden" name="{FIELD}" value="{VALUE}">\n'
    '<button type="submit">{button}</button>\n</form>\n'
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Mail brings its styles, images and fonts along or loads them from anywhere; it has no scripts, and gets none.
_AUTHORS_POLICY = (
    "default-src 'none'; img-src http: https: data:; media-src http: https:; font-src http: https: data:; "
    "style-src 'unsafe-inline' http: https:; form-action http: https:; frame-ancestors 'none'"
)


def plain_page(status: int, title: str, text: str, texts: PageTexts) -> Response:
    """A page that says one thing; ``texts`` tells its language."""
    return _page(status, title, text, texts)


def ask_page(texts: PageTexts, status: int = 200) -> Response:
    """The page that asks whether to unsubscribe; its form is posted to where it came from."""
    return _page(status, texts.ask_title, texts.ask_text, texts, _FORM.format(button=html.escape(texts.ask_button)))


def done_page(texts: PageTexts) -> Response:
    """The answer to a wish that was understood."""
    return _page(200, texts.done_title, texts.done_text, texts)


def lost_page(texts: PageTexts) -> Response:
    """The answer to a wish of nobody we know."""
    return _page(200, texts.lost_title, texts.lost_text, texts)


def authors_page(page: str) -> Response:
    """A page that the author made, HTML and complete; its scripts do not run."""
    policy = ("content-security-policy", _AUTHORS_POLICY)
    return Response(status=200, headers=(*COMMON, _HTML, policy), body=page.encode("utf-8", "replace"))


def _page(status: int, title: str, text: str, texts: PageTexts, form: str = "") -> Response:
    body = _PAGE.format(
        # Language and direction hold letters, digits and hyphens alone.
        language=texts.language,
        direction=texts.direction,
        title=html.escape(title),
        text=html.escape(text),
        style=_STYLE,
        form=form,
    )
    headers = (*COMMON, _HTML, ("content-security-policy", _POLICY))
    return Response(status=status, headers=headers, body=body.encode("utf-8", "replace"))
