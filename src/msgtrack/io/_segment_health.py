"""What a writer of segments says of itself."""

from __future__ import annotations

from attrs import frozen

__all__ = ["SegmentCounts", "SegmentHealth"]


@frozen(kw_only=True)
class SegmentHealth:
    """What a :class:`SegmentWriter` counted since it began, and whether it is well now.

    ``written`` hits are in files, ``lost`` ones were answered and could not be written. ``removed`` stood in a
    segment that somebody took away or cut while it was written; what a collector had read of them is not lost.
    ``in_doubt`` were written, but the disk said that it could not keep them. ``unsynced`` wait for the next sync.
    ``error`` says why the last write or sync failed; it is empty when both went well.
    """

    written: int
    lost: int
    removed: int
    in_doubt: int
    unsynced: int
    error: str

    @property
    def alarm(self) -> str:
        """What somebody should know: answered hits that are not in files any more, for as long as the writer lives, and
        the trouble of this moment; empty text for nothing.
        """
        counts = {
            "answered hits lost": self.lost,
            "written hits removed": self.removed,
            "written hits in doubt": self.in_doubt,
        }
        said = [f"{count} {what}" for what, count in counts.items() if count]
        return "; ".join([*said, self.error] if self.error else said)


class SegmentCounts:
    """What a writer counts, from when it calls ``_begin_counting``. Whoever calls a method holds the writer's lock."""

    def _begin_counting(self) -> None:
        self.written = 0
        self.lost = 0
        self.removed = 0
        self.in_doubt = 0
        self._write_error = ""
        self._sync_error = ""

    def _lose(self, lines: list[bytes], error: OSError) -> None:
        """Count lines as lost that were counted as written."""
        self.written -= len(lines)
        self.lost += len(lines)
        self._write_error = error.strerror or str(error)

    def _note(self, hits: int, sync_error: str) -> None:
        """Note how a sync of so many hits went."""
        self._sync_error = sync_error
        if sync_error:
            self.in_doubt += hits

    def _health(self, unsynced: int) -> SegmentHealth:
        return SegmentHealth(
            written=self.written,
            lost=self.lost,
            removed=self.removed,
            in_doubt=self.in_doubt,
            unsynced=unsynced,
            error=self._write_error or self._sync_error,
        )
