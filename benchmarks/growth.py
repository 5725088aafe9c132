"""Does time grow with the input and no faster, and does memory stay where it is? ``python -m benchmarks.growth`` shows it.

Takes minutes, so it runs when it is asked for. Every kind of hostile markup is scanned at growing sizes, each in a process of
its own; then messages are rendered in a loop, and the memory of the process is looked at as it goes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.queues
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarks._mail import BASE, HTML, SECRET, TEXT
from msgtrack import Keyring, Tracker
from msgtrack.links.html import scan_html
from msgtrack.links.text import scan_text

__all__ = ["HOSTILE", "main"]

MEGABYTE = 1_000_000
BYTES_FOR_ONE = 50
"""Memory of the whole process for one character of input, past which something is kept that should not be."""

HOSTILE: dict[str, tuple[str, str, str]] = {
    "comments that do not end": ("", "<!-- ", ""),
    "one comment that does not end": ("<!--", "a", ""),
    "conditionals inside one another": ("", "<!--[if mso]>", "<![endif]-->"),
    "conditionals that do not end": ("", "<!--[if mso]><a href=x>", ""),
    "quotes": ("<a href=", "\"'", ">"),
    "quotes outside tags": ("", '"', ""),
    "one attribute that does not end": ('<a href="', "x", ""),
    "attributes": ("<a ", "x=1 ", ">"),
    "attributes without a value": ("<a ", "x ", ">"),
    "links": ("", '<a href="https://a.example/">a</a>', ""),
    "links that are not closed": ("", '<a href="https://a.example/">', ""),
    "opening brackets": ("", "<", ""),
    "tags that do not end": ("", "<a href=https://a.example/ ", ""),
    "ampersands": ('<a href="https://a.example/?', "&amp;&", '">'),
    "template tags": ("", "{% if a > b %}<a href=x>", ""),
    "template tags that do not end": ("", "{% {{ <%", ""),
    "raw text that does not end": ("", "<script>", ""),
    "titles": ("", "<title></titl", ""),
    "foreign content": ("", "<svg><![CDATA[", ""),
    "white space": ("<a ", " \n", "href=x>"),
}
HOSTILE_TEXT: dict[str, tuple[str, str, str]] = {
    "text: one address": ("https://a.example/", "a", ""),
    "text: brackets": ("https://a.example/", "(", ""),
    "text: closing brackets": ("https://a.example/", ")", "a"),
    "text: schemes": ("", "https://", ""),
    "text: addresses": ("", "https://a.example/b\n", ""),
}


_Said: TypeAlias = "multiprocessing.queues.SimpleQueue[tuple[float, int]]"


def _scan(scan: Callable[[str], object], pattern: tuple[str, str, str], size: int, said: _Said) -> None:
    start, piece, end = pattern
    text = start + piece * (size // len(piece)) + end
    before = time.process_time()
    scan(text)
    said.put((time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def _measure(
    scan: Callable[[str], object], pattern: tuple[str, str, str], size: int, patience: float
) -> tuple[float, int] | None:
    said: _Said = multiprocessing.SimpleQueue()
    process = multiprocessing.Process(target=_scan, args=(scan, pattern, size, said))
    process.start()
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return None if said.empty() else said.get()


def scanning(largest: float, patience: float, only: str) -> bool:
    """Print a row per kind; whether every kind was done in time and none grew much faster than its input."""
    sizes = [int(largest * MEGABYTE / 4**step) for step in (2, 1, 0)]
    print(
        f"{'seconds for a megabyte':<34}"
        + "".join(f"{size / MEGABYTE:>9.3g} MB" for size in sizes)
        + "   bytes of memory for one of input"
    )
    fine = True
    for scan, kinds in ((scan_html, HOSTILE), (scan_text, HOSTILE_TEXT)):
        for name, pattern in kinds.items():
            if only not in name:
                continue
            rates: list[float] = []
            memory = 0
            for size in sizes:
                found = _measure(scan, pattern, size, patience)
                if found is None:
                    break
                rates.append(found[0] * MEGABYTE / size)
                memory = found[1]
            done = len(rates) == len(sizes) and rates[-1] < 4 * max(rates[0], 0.002)
            if sizes[-1] >= 4 * MEGABYTE:
                # Below that, the memory of Python itself outweighs that of the input.
                done = done and memory < BYTES_FOR_ONE * sizes[-1]
            fine = fine and done
            cells = "".join(f"{rate:>12.4f}" for rate in rates) + "     not done" * (len(sizes) - len(rates))
            print(
                f"{name:<34}{cells}   {memory / sizes[-1]:>8.1f}{'' if done else '   <- grows too fast'}",
                flush=True,
            )
    return fine


def _resident() -> int:
    """Bytes this process holds now, where the system tells; else the most it ever held."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rendering(messages: int) -> bool:
    """Print the memory held while rendering; whether it stayed where it was after the first tenth."""
    tracker = Tracker(base_url=BASE, keyring=Keyring.from_secrets(SECRET))
    compiled = tracker.compile(html=HTML, text=TEXT, delivery_id="4711")
    tenth = max(1, messages // 10)
    held = []
    for number in range(messages):
        compiled.render(message_id=number)
        if (number + 1) % tenth == 0:
            held.append(_resident())
    print(
        f"memory over {messages:,} messages, a tenth each, in MB: "
        + " ".join(f"{size / MEGABYTE:.1f}" for size in held)
    )
    return held[-1] - held[0] < 2 * MEGABYTE


def main(argv: Sequence[str] | None = None) -> int:
    """Run both; 1 when something grew."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description="Growth of time and memory.")
    parser.add_argument("--megabytes", type=float, default=50, help="size of the largest input (default: 50)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many to render (default: 1,000,000)")
    parser.add_argument("--seconds", type=float, default=120, help="patience with one input (default: 120)")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    args = parser.parse_args(argv)
    fine = scanning(args.megabytes, args.seconds, args.only)
    return 0 if rendering(args.messages) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
