"""What a writer of segments says of itself."""

from __future__ import annotations

from attrs import frozen

__all__ = ["SegmentHealth"]


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
