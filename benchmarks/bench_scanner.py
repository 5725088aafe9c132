"""Finding links in HTML and text, against lxml's parsing, on a mail made here and on the samples where they are."""

from __future__ import annotations

import re
from collections.abc import Callable

from benchmarks._mail import HTML, TEXT, corpus_files, lxml_parse
from benchmarks._runner import Benchmark
from msgtrack.links.html import scan_html
from msgtrack.links.text import scan_text

_HREF = re.compile(r'<a\s[^>]*?href="([^"]*)"', re.IGNORECASE)
_URL = re.compile(r"https?://\S+")
_files = corpus_files()


def _each(work: Callable[[str], object]) -> Callable[[], None]:
    def all_of_them() -> None:
        for text in _files:
            work(text)

    return all_of_them


def _parsers() -> dict[str, Callable[[], object]]:
    parsers = [lxml_parse(text) for text in _files]

    def all_of_them() -> None:
        for parser in parsers:
            for parse in parser.values():
                parse()

    return dict.fromkeys(parsers[0], all_of_them)


BENCHMARKS = [
    Benchmark(
        name=f"scan {len(HTML) // 1000} KB of HTML",
        ours=lambda: scan_html(HTML),
        limit=lambda: _HREF.findall(HTML),
        peers=lxml_parse(HTML),
    ),
    Benchmark(
        name=f"scan {len(TEXT) / 1000:.0f} KB of text", ours=lambda: scan_text(TEXT), limit=lambda: _URL.findall(TEXT)
    ),
]
if _files:
    BENCHMARKS.append(
        Benchmark(
            name=f"scan the samples: {len(_files)} files, {sum(map(len, _files)) // 1000} KB",
            ours=_each(scan_html),
            limit=_each(_HREF.findall),
            peers=_parsers(),
            items=len(_files),
        )
    )
