"""Which answered hits were kept, and who is told of the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from msgtrack.cli._common import complain

if TYPE_CHECKING:
    from msgtrack.hits import Hit
    from msgtrack.io import SegmentWriter
    from msgtrack.web.metrics import RequestMetrics

__all__ = ["Ledger"]


class Ledger:
    """Writes hits, and tells of those that were lost: of the first at once, of their numbers at the end, and of each to
    the metrics, as of those that were removed or are in doubt. A disk that is not well at the start is told of, too.
    """

    def __init__(self, writer: SegmentWriter, metrics: RequestMetrics | None) -> None:
        self._writer = writer
        self._metrics = metrics
        self._said = False
        self._closed = False
        self._counted = (0, 0, 0)
        """Hits lost, removed and in doubt that the metrics know of."""
        self._counting = threading.Lock()
        if error := writer.health().error:
            complain(
                f"hits cannot be written to {writer.folder} now: {error}; redirects go on, and each hit tries again"
            )

    def record(self, hit: Hit) -> None:
        """Keep a hit, or tell that it is lost."""
        is_kept = self._writer.write(hit)
        # Hits that were written before may be gone, or in doubt, since the last look.
        if self._now() != self._counted:
            self._count()
        if not is_kept and not self._said:
            self._said = True
            complain(f"a hit was answered but could not be written to {self._writer.folder}; redirects go on")

    def alarm(self) -> str:
        """What somebody should know, empty for nothing."""
        said = self._writer.health().alarm
        self._count()
        return said

    def close(self) -> None:
        """Close the writer, and say what was lost; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._count()
        health = self._writer.health()
        for count, what in (
            (health.lost, "hits that were answered but could not be written"),
            (health.removed, "hits that stood in a segment which was removed or cut while it was written"),
            (health.in_doubt, "hits that were written to a disk which could not be synced"),
        ):
            if count:
                complain(f"{what}: {count}")

    @property
    def is_whole(self) -> bool:
        """Whether all that was answered is in files."""
        health = self._writer.health()
        return not (health.lost or health.removed or health.in_doubt)

    def _now(self) -> tuple[int, int, int]:
        # By the writer's own numbers: it may lose several at once, and some when nobody writes.
        writer = self._writer
        return writer.lost, writer.removed, writer.in_doubt

    def _count(self) -> None:
        with self._counting:
            before, self._counted = self._counted, self._now()
            more = [now - then for now, then in zip(self._counted, before, strict=True)]
        if (metrics := self._metrics) is not None:
            for hits, count in zip(more, (metrics.lost, metrics.removed, metrics.in_doubt), strict=True):
                if hits:
                    count(hits)
