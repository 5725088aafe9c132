"""A log as a web server in front of tracked links writes it: opens and clicks of one campaign, most of them by people seen once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgtrack import Keyring, Tracker

__all__ = ["TRACKER", "log_lines", "write_log"]

TRACKER = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret of thirty-two bytes or so"))

_BROWSERS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 {tail}"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 10; K")
    for version in range(110, 131)
    for tail in ("Safari/537.36", "Mobile Safari/537.36", "Safari/537.36 Edg/125.0.0.0")
]  # fmt: skip
_REFERRERS = ["-"] * 7 + [
    "https://mail.example.org/",
    "https://webmail.example.net/inbox",
    "https://outlook.live.example/",
]
_PER_SECOND = 80


def log_lines(number: int, *, distinct: float = 0.6) -> Iterator[str]:
    """So many lines; of a hundred, ``distinct`` times a hundred name a message that was not named before."""
    rng = random.Random(20_261_121)
    compiled = TRACKER.compile(
        html='<a href="https://shop.example/spring">Spring</a> <a href="https://shop.example/new?from=mail">New</a>',
        delivery_id="4711",
    )
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    shown = 0
    paths: list[list[str]] = []
    for line in range(number):
        if not paths or rng.random() < distinct or line % 1_000 == 0:
            shown += 1
            html = compiled.render(message_id=str(10_000_000 + shown * 7)).html or ""
            urls = [piece.partition('"')[0].removeprefix("https://t.example.com") for piece in html.split('="')[1:]]
            paths.append([url for url in urls if url.startswith("/")])
            path = paths[-1][-1]
        else:
            # Who clicks has opened a while ago, and some open again.
            path = rng.choice(paths[-min(len(paths), 20_000) :] if line % 50 == 0 else paths[-200:])[rng.randrange(3)]
        moment = (at + timedelta(seconds=line // _PER_SECOND)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        address = f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
        answer = "200 43" if "/1/" in path else "302 0"
        yield (
            f'{address} - - [{moment}] "GET {path} HTTP/1.1" {answer} "{rng.choice(_REFERRERS)}" "{rng.choice(_BROWSERS)}"\n'
        )


def write_log(path: Path, number: int, *, distinct: float = 0.6) -> Path:
    """The log as a file."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(log_lines(number, distinct=distinct))
    return path
