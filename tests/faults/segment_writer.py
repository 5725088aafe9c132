"""A program that writes hits from several threads and says of each that it is answered, until it is killed or told to end.

``python segment_writer.py FOLDER FIRST THREADS [LIMIT]``: hits are numbered from FIRST on; no file may grow past LIMIT bytes. A line on
standard input makes it say its health; the end of the input ends it.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from datetime import UTC, datetime

from msgtrack.hits import Hit
from msgtrack.io import SegmentWriter


def main(folder: str, first: str, threads: str, limit: str = "0") -> None:
    if int(limit):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    writer = SegmentWriter(folder, max_bytes=20_000, compress=True)
    numbers = itertools.count(int(first))
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            number = next(numbers)
            is_kept = writer.write(Hit(method="GET", url=f"/a/{number}", received_at=datetime.now(UTC)))
            os.write(1, f"{'answered' if is_kept else 'lost'} {number}\n".encode())
            if not is_kept:
                time.sleep(0.001)

    at_work = [threading.Thread(target=write) for _ in range(int(threads))]
    for thread in at_work:
        thread.start()
    for _ in sys.stdin:
        health = writer.health()
        os.write(1, f"health {health.lost} {health.removed} {health.error}\n".encode())
    over.set()
    for thread in at_work:
        thread.join()
    writer.close()
    health = writer.health()
    os.write(1, f"end {health.written} {health.lost} {health.removed} {health.error}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
