"""All the file input and output: hit segments, access-log files."""

from __future__ import annotations

from msgtrack.io.access_logs import AccessLogFile
from msgtrack.io.segments import SegmentFolder, SegmentWriter

__all__ = ["AccessLogFile", "SegmentFolder", "SegmentWriter"]
