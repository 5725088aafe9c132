"""All the file input and output: hit segments, access-log files, link manifests."""

from __future__ import annotations

from msgtrack.io.access_logs import AccessLogFile, AccessLogStream, find_logs, sample_lines
from msgtrack.io.manifests import ManifestRegistry
from msgtrack.io.rejects import RejectWriter, read_rejects
from msgtrack.io.segments import SegmentFolder, SegmentWriter

__all__ = [
    "AccessLogFile",
    "AccessLogStream",
    "ManifestRegistry",
    "RejectWriter",
    "SegmentFolder",
    "SegmentWriter",
    "find_logs",
    "read_rejects",
    "sample_lines",
]
