"""One fuzzing target, run by atheris for a given time: ``_fuzz.py TARGET SECONDS FOLDER``.

Each target says one thing: any bytes give a value or an error of our own, and the value keeps its promises. Anything else
ends the run with the input in a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["msgtrack"]):
    from msgtrack import Keyring, Tracker
    from msgtrack.errors import MsgtrackError
    from msgtrack.events import Click
    from msgtrack.hits import Hit
    from msgtrack.links.html import scan_html
    from msgtrack.links.repair import MAX_LENGTH, REPAIRS, canonical_path
    from msgtrack.links.text import scan_text
    from msgtrack.logs import parse
    from msgtrack.model import Delivery, Message, TrackedLink
    from msgtrack.records import from_json, to_json

TRACKER = Tracker(
    base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret for fuzzing of 32 bytes or more")
)
HTML = '<p><a href="https://shop.example/?a=1&amp;b=2">Shop</a></p>'
RENDERED = TRACKER.compile(html=HTML, delivery_id="4711").render(message_id="1001").html or ""
URL = RENDERED.split('"')[1]
LINE = f'203.0.113.7 - - [02/Mar/2026:10:00:00 +0000] "GET {URL[21:]} HTTP/1.1" 302 0 "-" "Mozilla/5.0"'
KINDS = (Click, Hit, Delivery, Message, TrackedLink)


class Broken(Exception):
    """A value that does not keep its promise."""


def hold(promise: str, *, kept: bool) -> None:
    """Break off when a promise is not kept."""
    if not kept:
        raise Broken(promise)


def html(text: str) -> None:
    """Spans lie in the text, in order, and do not overlap."""
    done = 0
    for site in scan_html(text).sites:
        hold("spans are ordered", kept=done <= site.start <= site.end <= len(text))
        hold("the raw text is what stands there", kept=site.raw == text[site.start : site.end])
        done = site.end


def text(text: str) -> None:
    """The same for plain text."""
    done = 0
    for site in scan_text(text):
        hold("spans are ordered", kept=done <= site.start <= site.end <= len(text))
        done = site.end


def path(text: str) -> None:
    """Repairs are of the list, each named once, and nothing grows."""
    found, repairs = canonical_path(text)
    hold("nothing grows", kept=len(found) <= min(len(text), MAX_LENGTH))
    hold("repairs are known", kept=set(repairs) <= set(REPAIRS) and len(set(repairs)) == len(repairs))


def resolve(text: str) -> None:
    """Nobody is named but whom the one signed URL names, and nothing is led to but its destination."""
    said = TRACKER.resolve(text)
    hold("only what was signed is believed", kept=said.message_id in (None, "1001"))
    hold("only what was signed is followed", kept=said.destination in (None, "https://shop.example/?a=1&b=2"))


def compile(text: str) -> None:
    """What was made of a part can be unmade."""
    compiled = TRACKER.compile(html=text, delivery_id="4711")
    hold("restore undoes render", kept=compiled.restore(compiled.render(message_id="1001").html or "") == text)


def log(text: str) -> None:
    """A line is a hit, an event, or rejected with a reason; never an exception."""
    for tracker in (None, TRACKER):
        list(parse([text], tracker=tracker))


def record(text: str) -> None:
    """What is read can be written and read again, the same."""
    for kind in KINDS:
        try:
            value = from_json(text, kind)
        except MsgtrackError:
            continue
        hold("written and read again", kept=from_json(to_json(value), kind) == value)


RECORDS = (Delivery(id="1"), TrackedLink(id="2", delivery_id="1", url="https://a.example/"))
TARGETS: dict[str, tuple[Callable[[str], None], tuple[str, ...]]] = {
    "html": (html, (HTML, "<!--[if mso]><v:rect href='x'><![endif]-->", "<svg><![CDATA[<a>]]>", "{% if a > b %}<a href=<%= f(1) %>>")),
    "text": (text, ("see <https://a.example/(b)>, or", "https://a.example/b\r\n c")),
    "path": (path, (URL, f"https://x.example/?u={URL}", "https://x.example/v2/url?u=https-3A__a_b&d=")),
    "resolve": (resolve, (URL, URL.upper(), URL.replace("-", "%252D"), f"https://x.example/v3/__{URL}__;!!a$")),
    "compile": (compile, (HTML, "<base href=//a.example><area href=b>")),
    "log": (log, (LINE,)),
    "record": (record, tuple(map(to_json, RECORDS))),
}  # fmt: skip


def main() -> None:
    """Run one target, or print their names."""
    if len(sys.argv) != 4:
        print(" ".join(TARGETS))
        return
    name, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    target, seeds = TARGETS[name]
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed.encode())

    def once(data: bytes) -> None:
        target(data.decode("utf-8", "surrogateescape"))

    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-timeout=10",
        f"-artifact_prefix={folder.parent}/{name}-",
    ]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", "-print_final_stats=1", str(folder)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
