"""All the file input and output: hit segments, access-log files, link manifests."""

from __future__ import annotations

from msgtrack.io.access_logs import AccessLogFile
from msgtrack.io.manifests import ManifestRegistry
from msgtrack.io.segments import SegmentFolder, SegmentHealth, SegmentWriter, compress_segments

__all__ = [
    "AccessLogFile",
    "ManifestRegistry",
    "SegmentFolder",
    "SegmentHealth",
    "SegmentWriter",
    "compress_segments",
]
