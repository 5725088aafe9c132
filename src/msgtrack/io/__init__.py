"""All the file input and output: hit segments, access-log files, link manifests; and the links of a store."""

from __future__ import annotations

from msgtrack.io.access_logs import AccessLogFile, AccessLogStream, find_logs, sample_lines
from msgtrack.io.manifests import ManifestRegistry
from msgtrack.io.rejects import RejectWriter, read_rejects
from msgtrack.io.segments import SegmentFolder, SegmentHealth, SegmentWriter, compress_segments
from msgtrack.io.store_registry import StoreRegistry

__all__ = [
    "AccessLogFile",
    "AccessLogStream",
    "ManifestRegistry",
    "RejectWriter",
    "SegmentFolder",
    "SegmentHealth",
    "SegmentWriter",
    "StoreRegistry",
    "compress_segments",
    "find_logs",
    "read_rejects",
    "sample_lines",
]
