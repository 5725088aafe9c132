"""The mail that the benchmarks share: 41 KB of HTML with 30 links, and its text part; and the peers, where they are installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["BASE", "HTML", "LINKS", "SECRET", "TEXT", "adapt_html", "corpus_files", "lxml_parse"]

LINKS = 30
BASE = "https://t.example.com"
SECRET = b"a secret of thirty-two bytes or so"

_ROW = (
    '<tr><td style="padding:8px 16px;font:16px/24px Helvetica,Arial,sans-serif;color:#333"><p>{filler}</p>'
    '<a href="https://shop.example/item/{number}?a=1&amp;b=2" style="color:#06c">Item {number}</a></td></tr>\n'
)
_CELL = '<p style="margin:0;padding:0"><b>The quick</b> brown <span class="fox">fox</span>.</p>'
HTML = (
    "<!doctype html><html><head><title>News</title><style>a { color: red }</style></head><body>\n"
    "<!--[if mso]><table><tr><td width=600><![endif]-->\n<table>\n"
    + "".join(_ROW.format(number=number, filler=_CELL * 6 + "The quick brown fox. " * 33) for number in range(LINKS))
    + "</table>\n<!--[if mso]></td></tr></table><![endif]-->\n</body></html>\n"
)
TEXT = "News\n\n" + "".join(
    f"Item {number}: the quick brown fox.\nhttps://shop.example/item/{number}?a=1&b=2\n\n" for number in range(LINKS)
)


def lxml_parse(html: str) -> dict[str, Callable[[], object]]:
    """Parsing alone by lxml, which is what adapt_html begins with."""
    if importlib.util.find_spec("lxml") is None:
        return {}
    from lxml.html import fromstring

    data = html.encode()
    return {"lxml, parsing alone": lambda: fromstring(data)}


def adapt_html(html: str) -> dict[str, Callable[[], object]]:
    """Pytracking's whole work for one recipient: parse, rewrite, write."""
    if importlib.util.find_spec("pytracking") is None or importlib.util.find_spec("lxml") is None:
        return {}
    import pytracking
    from pytracking.html import adapt_html as adapt

    settings = pytracking.Configuration(
        base_open_tracking_url=f"{BASE}/o/", base_click_tracking_url=f"{BASE}/c/", include_webhook_url=False
    )
    said = {"delivery": 4711, "message": 1234567}
    return {"pytracking adapt_html": lambda: adapt(html, extra_metadata=said, configuration=settings)}


def corpus_files() -> list[str]:
    """The HTML files of the samples, from 2 to 200 KB; none when the samples are not there."""
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("MSGTRACK_CORPORA") or root.parent / "shared" / "corpora") / "email_html"
    files = sorted(
        path for path in folder.rglob("*.htm*") if path.is_file() and 2_000 <= path.stat().st_size <= 200_000
    )
    return [path.read_bytes().decode("utf-8", "replace") for path in files]
