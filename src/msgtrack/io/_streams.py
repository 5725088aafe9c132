"""Files that may be compressed, read as if they were not. What they are is told by their first bytes, not by their name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Protocol

from msgtrack.errors import MissingExtra

__all__ = ["ByteStream", "DamagedError", "compression_of", "plain_stream"]

_PEEKED = 16
_ZSTD = b"\x28\xb5\x2f\xfd"


class DamagedError(Exception):
    """Compressed bytes are damaged, or end too early."""


class ByteStream(Protocol):
    """Bytes, one piece after the other."""

    def read1(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, after at most one reading of what lies below; none at the end."""
        ...

    def peek(self, size: int, /) -> bytes:
        """Some of the bytes that come next, without moving."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go to a byte, or to the end where there are not so many; says where that is."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def compression_of(start: bytes) -> str:
    """``gzip``, ``bzip2``, ``zstd``, ``xz``, or nothing for bytes that are none of these."""
    if start.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if start[:3] == b"BZh" and start[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bzip2"
    # zstd files may begin with a frame that holds none of the data.
    if start.startswith(_ZSTD) or (len(start) >= 4 and start[1:4] == b"\x2a\x4d\x18" and 0x50 <= start[0] <= 0x5F):
        return "zstd"
    if start.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    return ""


def plain_stream(raw: io.BufferedReader, *, name: str) -> tuple[ByteStream, str]:
    """The bytes of a file, and what it was compressed with. Reading them raises DamagedError where the compressed ones are damaged.

    Raises:
        MissingExtra: it is compressed with zstd, and nothing that reads it is installed.
    """
    compression = compression_of(raw.peek(_PEEKED)[:_PEEKED])
    if not compression:
        return raw, ""
    if compression == "zstd":
        return _zstd(raw, name), compression
    makers: dict[str, Callable[[io.BufferedReader], ByteStream]] = {
        "gzip": lambda raw: gzip.GzipFile(fileobj=raw, mode="rb"),
        "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
    }
    return _Unpacked(makers[compression](raw), (EOFError, OSError, zlib.error, lzma.LZMAError)), compression


def _zstd(raw: io.BufferedReader, name: str) -> ByteStream:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise MissingExtra(
            f"{name} is compressed with zstd, and nothing that reads it is installed",
            hint="pip install 'msgtrack[zstd]'",
        ) from None
    opened: Callable[[io.BufferedReader], ByteStream] = zstd.ZstdFile
    return _Unpacked(opened(raw), (EOFError, OSError, zstd.ZstdError))


class _Unpacked:
    """What decompresses, with one error for all that damage makes of it."""

    def __init__(self, stream: ByteStream, damages: tuple[type[Exception], ...]) -> None:
        self._stream, self._damages = stream, damages

    def read1(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read1(size)
        except self._damages as error:
            raise self._damaged(error) from error

    def peek(self, size: int, /) -> bytes:
        try:
            return self._stream.peek(size)
        except self._damages as error:
            raise self._damaged(error) from error

    def seek(self, offset: int, /) -> int:
        try:
            return self._stream.seek(offset)
        except self._damages as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        self._stream.close()

    @staticmethod
    def _damaged(error: Exception) -> Exception:
        # A disk in trouble gives a number; those who decompress give none.
        if isinstance(error, OSError) and error.errno is not None:
            return error
        return DamagedError(" ".join(str(error).split()) or "it cannot be read")
