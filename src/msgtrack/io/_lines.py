"""From the bytes of a log to its lines, whatever the bytes: every line comes out as text or with a reason, and memory
does not grow with the file or with a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from itertools import islice

from msgtrack.io._streams import ByteStream

__all__ = ["MARK_BYTES", "MAX_LINE_BYTES", "LogLines", "encoding_of", "fingerprint", "first_line", "first_lines"]

MAX_LINE_BYTES = 1 << 20
"""A line of more bytes is rejected, and not held."""

MARK_BYTES = 4_096
"""How much of a file's start, and of its last line read, makes it known again."""

_CHUNK = 1 << 18
_SHOWN_BYTES = 4_096
_TELLING_BYTES = 4
_NEWLINES = {"utf-16-le": b"\n\x00", "utf-16-be": b"\x00\n"}


def fingerprint(data: bytes) -> str:
    """Sixteen characters that stand for some bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def first_line(head: bytes) -> bytes:
    """The first line of a file's start, or all of it where that is cut."""
    return head[: head.find(b"\n") + 1] or head


def encoding_of(start: bytes) -> str:
    """``utf-16-le`` or ``utf-16-be`` where the first four bytes say so, by a mark or by their zeros; else ``utf-8``,
    which other bytes do not break.
    """
    if start.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if start.startswith(b"\xfe\xff"):
        return "utf-16-be"
    zeros = [not byte for byte in start[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8"


class LogLines:
    """The lines of a stream, as pairs of text (without its end) and reason: empty for a line that was read well,
    ``line-too-long``, or ``nul-bytes``.

    Between two lines ``offset``, ``number`` and ``encoding`` say how far reading came, and :meth:`marks` by what the
    file is known again. A last line without its end stays away, unless ``finish`` is set.

    Args:
        stream: where the bytes come from, ``offset`` bytes into the file.
        offset: of the first byte to come.
        number: of the line before it.
        head: the file's first bytes, as many as lie before ``offset`` and up to :data:`MARK_BYTES`.
        encoding: as :func:`encoding_of`; empty at the start of a file, where it is told by the bytes.
        finish: whether what stands behind the last end of a line is a line.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        offset: int = 0,
        number: int = 0,
        head: bytes = b"",
        encoding: str = "",
        finish: bool = False,
    ) -> None:
        self.offset, self.number, self.encoding = offset, number, encoding
        self._stream, self._finish = stream, finish
        self._head = bytearray(head)
        self._data, self._end, self._size = b"", 0, 0
        # A line that is too long, as far as it was passed over; and zeros before a line.
        self._long_start, self._long_size, self._long_end = b"", 0, b""
        self._hole = 0

    def marks(self) -> tuple[str, str, int, str]:
        """Fingerprints of the file's start and of its first line, then size and fingerprint of the end of its last line."""
        size = min(self._size, MARK_BYTES, self._end)
        tail = self._data[self._end - size : self._end]
        head = bytes(self._head[: self.offset])
        return fingerprint(head), fingerprint(first_line(head)), size, fingerprint(tail)

    @property
    def unfinished(self) -> bytes:
        """The start of the file, where no line of it has an end."""
        return b"" if self.offset else bytes(self._head)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Line by line; once."""
        held = b""
        for chunk in self._chunks():
            data = held + chunk if held else chunk
            if not self.encoding:
                if len(data) < _TELLING_BYTES:
                    held = data
                    continue
                self.encoding = encoding_of(data)
            held = yield from self._fed(data)
        if not self.encoding and held:
            self.encoding = encoding_of(held)
            held = yield from self._fed(held)
        if not self._finish:
            return
        if self._long_size:
            half = self._passed_over(held)
            self._long_size, self._long_end = self._long_size + len(half), self._long_end + half
            yield self._long_line()
        elif held or self._hole:
            yield from self._pieces(held, [held], 0)

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._stream.read1(_CHUNK):
            if (room := MARK_BYTES - len(self._head)) > 0:
                self._head += chunk[:room]
            yield chunk

    def _fed(self, data: bytes) -> Generator[tuple[str, str], None, bytes]:
        """The lines that end in some bytes; what is left is the start of the next."""
        if self._long_size:
            end = _end_of_line(data, self.encoding)
            if not end:
                return self._passed_over(data)
            self._passed_over(data[:end])
            yield self._long_line()
            data = data[end:]
        cut = _end_of_lines(data, self.encoding)
        if cut:
            yield from self._whole(data[:cut])
            data = data[cut:]
        # Half a character may be half an end of line, which is none of the line's bytes.
        most = MAX_LINE_BYTES + (self.encoding in _NEWLINES and len(data) % 2)
        if len(data) <= most:
            return data
        if self.encoding == "utf-8":
            # Whoever writes without appending goes on behind a hole of zeros when the file was cut to nothing.
            body = data.lstrip(b"\x00")
            self._hole += len(data) - len(body)
            data = body
        if len(data) <= most:
            return data
        self._long_start = data[:_SHOWN_BYTES]
        return self._passed_over(data)

    def _passed_over(self, data: bytes) -> bytes:
        """Count bytes of a line that is too long, and forget all but the last; half a character is left."""
        whole = len(data) - len(data) % 2 if self.encoding in _NEWLINES else len(data)
        self._long_size += whole
        self._long_end = (self._long_end + data[:whole])[-MARK_BYTES:]
        return data[whole:]

    def _long_line(self) -> tuple[str, str]:
        self._data, self._end = self._long_end, 0
        self._moved(self._hole + self._long_size, len(self._long_end))
        self._hole, self._long_size, self._long_end = 0, 0, b""
        return self._text(self._long_start), "line-too-long"

    def _whole(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The lines of bytes that end with one."""
        if self.encoding in _NEWLINES:
            yield from self._pieces(data, list(_lines_of_pairs(data, self.encoding)), 2)
            return
        if self._hole or not data.isascii() or b"\x00" in data:
            yield from self._pieces(data, data.split(b"\n")[:-1], 1)
            return
        self._data, self._end = data, 0
        texts = data.decode("ascii").split("\n")
        texts.pop()
        for text in texts:
            self._moved(len(text) + 1, len(text) + 1)
            if len(text) > MAX_LINE_BYTES:
                yield text[:_SHOWN_BYTES], "line-too-long"
            else:
                yield text.rstrip("\r"), ""

    def _pieces(self, data: bytes, pieces: list[bytes], end: int) -> Iterator[tuple[str, str]]:
        self._data, self._end = data, 0
        for raw in pieces:
            hole, self._hole = self._hole, 0
            self._moved(hole + len(raw) + end, len(raw) + end)
            if len(raw) > MAX_LINE_BYTES and (
                self.encoding != "utf-8" or len(body := raw.lstrip(b"\x00")) > MAX_LINE_BYTES
            ):
                yield (
                    self._text(raw[:_SHOWN_BYTES] if self.encoding != "utf-8" else body[:_SHOWN_BYTES]),
                    "line-too-long",
                )
            elif self.encoding == "utf-8" and _is_hole(raw, hole):
                yield f"{hole + len(raw)} bytes that are zero", "nul-bytes"
            else:
                yield self._text(raw), ""

    def _moved(self, size: int, held: int) -> None:
        self.offset += size
        self.number += 1
        self._end += held
        self._size = held

    def _text(self, raw: bytes) -> str:
        if self.encoding == "utf-8" and b"\x00" in raw:
            raw = raw.lstrip(b"\x00")
            # Some shells append UTF-16 to a file that is none. Such a line begins with a mark, or with half an end of line.
            pairs = raw.removeprefix(b"\xff\xfe")
            if len(pairs) > 1 and len(pairs) % 2 == 0 and not any(pairs[1::2]):
                raw = pairs[::2]
        return raw.decode(self.encoding, "backslashreplace").removeprefix("\ufeff").rstrip("\r\n")


def _is_hole(raw: bytes, hole: int) -> bool:
    # Up to two zeros are what UTF-16 leaves of an empty line.
    return (hole > 0 or b"\x00\x00\x00" in raw) and not raw.strip(b"\x00\r")


def _end_of_line(data: bytes, encoding: str) -> int:
    """Where the first line ends, 0 when none does."""
    newline = _NEWLINES.get(encoding)
    if newline is None:
        return data.find(b"\n") + 1
    at = data.find(newline)
    while at >= 0 and at % 2:
        at = data.find(newline, at + 1)
    return at + 2 if at >= 0 else 0


def _end_of_lines(data: bytes, encoding: str) -> int:
    """Where the last line that ends does so, 0 when none does."""
    newline = _NEWLINES.get(encoding)
    if newline is None:
        return data.rfind(b"\n") + 1
    at = data.rfind(newline)
    while at >= 0 and at % 2:
        at = data.rfind(newline, 0, at + 1)
    return at + 2 if at >= 0 else 0


def _lines_of_pairs(data: bytes, encoding: str) -> Iterator[bytes]:
    newline, start = _NEWLINES[encoding], 0
    at = data.find(newline)
    while at >= 0:
        if at % 2:
            at = data.find(newline, at + 1)
            continue
        yield data[start:at]
        start = at + 2
        at = data.find(newline, start)


def first_lines(stream: ByteStream, most: int = 200) -> list[str]:
    """The first lines of a stream, to tell its format by; those that could not be read are left out."""
    return [text for text, reason in islice(LogLines(stream, finish=True), most) if not reason]
