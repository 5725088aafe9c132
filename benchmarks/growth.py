"""Does time grow with the input and no faster, and does memory stay where it is? ``python -m benchmarks.growth`` shows it.

Takes an hour or more at full size, so it runs when it is asked for. Every kind of hostile markup and text is scanned, and at a
smaller size compiled, at growing sizes, each in a process of its own that may take so much memory and no more; then messages are
rendered in a loop, and the memory of the process is looked at as it goes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.queues
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

from benchmarks._mail import BASE, HTML, SECRET, TEXT
from benchmarks._memory import resident
from msgtrack import Keyring, Tracker
from msgtrack.links.html import scan_html
from msgtrack.links.text import scan_text

__all__ = ["HTML_KINDS", "TEXT_KINDS", "Kind", "main"]

MEGABYTE = 1_000_000
BYTES_FOR_ONE = 100
"""Memory of the whole process for one character of input, past which something is kept that should not be."""
MOST_MEMORY = 10_000 * MEGABYTE
"""What one process may take at all; where it wants more, its row says that it was not done."""


@frozen
class Kind:
    """A kind of hostile input: ``start``, then ``piece`` as often as it fits, ``halfway`` as often again, then ``end``."""

    piece: str
    start: str = ""
    end: str = ""
    halfway: str = ""

    def __call__(self, size: int) -> str:
        """About ``size`` characters of it."""
        times = size // len(self.piece + self.halfway)
        return self.start + self.piece * times + self.halfway * times + self.end


COMMENTS = {
    "comments that do not end": Kind("<!-- "),
    "one comment that does not end": Kind("a", start="<!--"),
    "comments that nearly end": Kind("<!--a--a--!a->"),
    "the shortest comments": Kind("<!-->"),
    "declarations": Kind("<!a><?b></ c>"),
    "conditionals": Kind("<!--[if mso]><a href=x><![endif]-->"),
    "conditionals inside one another": Kind("<!--[if mso]>", end="<![endif]-->"),
    "conditionals inside one another, all closed": Kind("<!--[if mso]>", halfway="<![endif]-->"),
    "conditionals that do not end": Kind("<!--[if mso]><a href=x>"),
    "openings of conditionals that do not end": Kind("<!--[if mso "),
    "the same inside a conditional": Kind("<!--[if mso ", start="<!--[if mso]><a href=x>"),
    "conditionals that only others see": Kind("<!--[if !mso]><!--><a href=x><!--<![endif]-->"),
    "markup inside one conditional": Kind("<!--a<b x=y>", start="<!--[if mso]><a href=x>", end="-->"),
}
TAGS = {
    "quotes": Kind("\"'", start="<a href=", end=">"),
    "quotes outside tags": Kind('"'),
    "quotes that do not end": Kind('<b x="'),
    "quotes of either kind": Kind("""<b x='"' y="'" z=\"'\"'>"""),
    "quotes without a sign": Kind(""" "x" 'y' =""", start="<b", end=">"),
    "signs without a quote": Kind("=  ", start="<b ", end=">"),
    "one attribute that does not end": Kind("x", start='<a href="'),
    "attributes": Kind("x=1 ", start="<a ", end=">"),
    "attributes without a value": Kind("x ", start="<a ", end=">"),
    "attributes in quotes": Kind('x="1" ', start="<a ", end="href=x>"),
    "attributes of a tag that does not end": Kind('x="1" ', start="<b "),
    "addresses in one tag": Kind(' href="x"', start="<a", end=">"),
    "one name": Kind("a", start="<b", end=">"),
    "slashes": Kind("/", start="<a ", end="href=x>"),
    "white space": Kind(" \n", start="<a ", end="href=x>"),
    "white space in an address": Kind(" \n", start='<a href="', end='">'),
    "links": Kind('<a href="https://a.example/">a</a>'),
    "links that are not closed": Kind('<a href="https://a.example/">'),
    "the shortest links": Kind("<a href>"),
    "images in a link": Kind("<img alt=a>", start="<a href=x>", end="</a>"),
    "VML": Kind("<v:a href=x>"),
    "VML that is closed at the end": Kind("<v:a href=x>", halfway="</v:a>"),
    "opening brackets": Kind("<"),
    "end tags": Kind("</a>"),
    "end tags that do not end": Kind("</a "),
    "ends of bodies": Kind("<body></body>"),
    "ends of bodies in templates": Kind("<template></body>"),
    "tags that do not end": Kind("<a href=https://a.example/ "),
    "bases": Kind('<base href="x">'),
    "dull tags": Kind("<p><br>"),
    "dull tags with quotes": Kind("""<td x="'>" y='">'>"""),
    "declarations before an AMP mail": Kind("<!-- --><!a>", end="<html amp4email>"),
    "astral characters": Kind("\U0001f600<a href=\U0001f600>"),
}
ADDRESSES = {
    "ampersands": Kind("&amp;&", start='<a href="https://a.example/?', end='">'),
    "references without a semicolon": Kind("&copy=&amp&", start='<a href="https://a.example/?', end='">'),
    "one name of a reference": Kind("a", start='<a href="&', end=';">'),
    "one number of a reference": Kind("1", start='<a href="&#', end=';">'),
    "references in the text of a link": Kind("&ampx;", start="<a href=x>", end="</a>"),
}
RAW_TEXT = {
    "raw text": Kind("<style>a</style><title>b</title>"),
    "raw text that does not end": Kind("<script>"),
    "scripts that nearly end": Kind("<!--<script></script>-->", start="<script>", end="</script>"),
    "scripts that hold scripts": Kind("<!--<script>", start="<script>"),
    "titles": Kind("<title></titl"),
    "end tags of raw text that do not end": Kind("</style ", start="<style>"),
    "plain text": Kind("<a href=x>", start="<plaintext>"),
    "foreign content": Kind("<svg><![CDATA["),
    "foreign content inside itself": Kind("<svg><title>"),
    "foreign content, all closed": Kind("<svg><title>", halfway="</title></svg>"),
    "foreign content that is broken out of": Kind("<svg><math><p>"),
    "end tags of what is not open": Kind("</desc>", start="<svg><title>"),
    "sections": Kind("<![CDATA[a]]>", start="<svg>"),
}
_SYNTAXES = (
    ("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("{$", "}"), ("{if ", "}"), ("<%", "%>"), ("<?php", "?>"), ("<?=", "?>"), ("*|", "|*"),
    ("${", "}"), ("#{", "}"), ("[[", "]]"), ("[%", "%]"), ("<#a", ">"), ("<@a", ">"), ("</#a", ">"),
)  # fmt: skip
TEMPLATES = {
    "template tags": Kind("{% if a > b %}<a href=x>"),
    "template tags that do not end": Kind("{% {{ <%"),
    "all openers of template tags": Kind("".join(opener for opener, _ in _SYNTAXES)),
    "quotes in an instruction": Kind("""<#a "<#a" '<#a' ("<#a) """),
    "long quotes in an instruction": Kind('<#a "' + "x" * 490 + '"'),
    "brackets in an instruction": Kind("(", start="<#a "),
}
for _opener, _closer in _SYNTAXES:
    TEMPLATES |= {
        f"template tags: {_opener} {_closer}": Kind(f'{_opener}"x"{_closer}'),
        f"template tags: {_opener} alone": Kind(f"{_opener} "),
        f"template tags: {_opener} and much text": Kind("a ", start=_opener),
        f"template tags: {_opener} in an address": Kind(f'<a href="{_opener}x{_closer}{_opener}">'),
        f"template tags: {_opener} with stops": Kind(f"{_opener}" + "a" * 1_900),
    }
TEXT_KINDS = {
    "text: one address": Kind("a", start="https://a.example/"),
    "text: brackets": Kind("(", start="https://a.example/"),
    "text: brackets, all closed": Kind("(", start="https://a.example/", halfway=")"),
    "text: closing brackets": Kind(")", start="https://a.example/", end="a"),
    "text: schemes": Kind("https://"),
    "text: schemes in upper case": Kind("hTTps://A"),
    "text: beginnings of schemes": Kind("https:/"),
    "text: addresses": Kind("https://a.example/b\n"),
    "text: addresses in brackets": Kind("(https://a.example/b)[https://a.example/c]<https://a.example/d>"),
    "text: punctuation": Kind(".", start="https://a.example/", end=" "),
    "text: punctuation and addresses": Kind("https://a....,,,,"),
    "text: wrapped addresses": Kind("<https://a.example/\nb\nc\n"),
    "text: one wrapped address": Kind("b\n", start="<https://a.example/"),
    "text: wrapped addresses that end": Kind("<https://a.example/\nb\nc\n>"),
    "text: quotes": Kind("\"https://a'", start="'"),
    "text: template tags": Kind("https://{{a b}}{% c %}\n"),
    "text: full width": Kind("\uff08https://a.example/\uff09"),
    "text: astral characters": Kind("https://\U0001f600a\U0001f600 "),
}
for _opener in ("{{", "{%", "<%", "*|", "${", "[["):
    TEXT_KINDS |= {
        f"text: {_opener} alone": Kind(f"https://a{_opener}"),
        f"text: {_opener} in one address": Kind(_opener, start="https://a"),
    }


def _read_html(text: str) -> None:
    """The links with all that is asked of them when a mail is compiled."""
    for site in scan_html(text).sites:
        len(site.text)
        len(site.attributes)


def _compile_html(text: str) -> None:
    Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET)).compile(html=text, delivery_id="4711")


def _compile_text(text: str) -> None:
    Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET)).compile(text=text, delivery_id="4711")


Work: TypeAlias = "Callable[[str], object]"

HTML_KINDS = COMMENTS | TAGS | ADDRESSES | RAW_TEXT | TEMPLATES
WORKS: dict[str, tuple[Work, dict[str, Kind], float]] = {
    "scan": (_read_html, HTML_KINDS, 1),
    "scan text": (scan_text, TEXT_KINDS, 1),
    "compile": (_compile_html, HTML_KINDS, 1 / 16),
    "compile text": (_compile_text, TEXT_KINDS, 1 / 16),
}
"""What is done, to what, and up to which share of the largest size."""

_Said: TypeAlias = "multiprocessing.queues.SimpleQueue[tuple[float, int]]"


def _work(work: Work, kind: Kind, size: int, said: _Said) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    text = kind(size)
    before = time.process_time()
    work(text)
    said.put((time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def _measure(work: Work, kind: Kind, size: int, patience: float) -> tuple[float, int] | None:
    said: _Said = multiprocessing.SimpleQueue()
    process = multiprocessing.Process(target=_work, args=(work, kind, size, said))
    process.start()
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return None if said.empty() else said.get()


def working(largest: float, patience: float, only: str, names: Sequence[str]) -> bool:
    """Print a row per kind; whether every kind was done in time and none grew much faster than its input."""
    fine = True
    for name in names:
        work, kinds, share = WORKS[name]
        sizes = [int(share * largest * MEGABYTE / 4**step) for step in (2, 1, 0)]
        title = f"{name}: seconds for a megabyte"
        print(f"{title:<46}" + "".join(f"{size / MEGABYTE:>9.3g} MB" for size in sizes) + "   bytes for one")
        for kind_name, kind in kinds.items():
            if only in kind_name:
                fine = _row(work, kind_name, kind, sizes, patience) and fine
    return fine


def _row(work: Work, name: str, kind: Kind, sizes: Sequence[int], patience: float) -> bool:
    rates: list[float] = []
    memory = 0
    for size in sizes:
        found = _measure(work, kind, size, patience)
        if found is None:
            break
        rates.append(found[0] * MEGABYTE / size)
        memory = found[1]
    done = len(rates) == len(sizes) and rates[-1] < 4 * max(rates[0], 0.002)
    if work is _read_html or work is scan_text:
        # Where the largest is small, the memory of Python itself outweighs that of the input.
        done = done and (sizes[-1] < 4 * MEGABYTE or memory < BYTES_FOR_ONE * sizes[-1])
    cells = "".join(f"{rate:>12.4f}" for rate in rates) + "    not done" * (len(sizes) - len(rates))
    print(f"{name:<46}{cells}   {memory / sizes[-1]:>10.1f}{'' if done else '   <- grows too fast'}", flush=True)
    return done


def rendering(messages: int) -> bool:
    """Print the memory held while rendering; whether it stayed where it was after the first tenth."""
    tracker = Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET))
    compiled = tracker.compile(html=HTML, text=TEXT, delivery_id="4711")
    tenth = max(1, messages // 10)
    held = []
    for number in range(messages):
        compiled.render(message_id=number)
        if (number + 1) % tenth == 0:
            held.append(resident())
    print(
        f"memory over {messages:,} messages, a tenth each, in MB: "
        + " ".join(f"{size / MEGABYTE:.1f}" for size in held)
    )
    return held[-1] - held[0] < 2 * MEGABYTE


def main(argv: Sequence[str] | None = None) -> int:
    """Run both; 1 when something grew."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description="Growth of time and memory.")
    parser.add_argument("--megabytes", type=float, default=50, help="size of the largest input (default: 50)")
    parser.add_argument(
        "--messages", type=int, default=1_000_000, help="how many to render (default: 1,000,000; 0 for none)"
    )
    parser.add_argument("--seconds", type=float, default=120, help="patience with one input (default: 120)")
    parser.add_argument("--work", action="append", choices=WORKS, help="what to do (default: all of it)")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    args = parser.parse_args(argv)
    fine = working(args.megabytes, args.seconds, args.only, args.work or list(WORKS))
    return 0 if (not args.messages or rendering(args.messages)) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
