"""Link manifests: a registry in a folder, for mailers and redirect servers that share a disk and no database.

Publishing writes one JSON file for each delivery and content, once, whole (a temporary file, made durable, then
renamed), and never again; and it appends a line for each link to an index by the first two characters of its key::

    manifests/<32 hex digits>.json      the links of one publication, named by a hash of what is in it
    keys/<two characters>.txt           lines "<key> <32 hex digits>", and "<key>><JSON>" for links led elsewhere since

A look-up reads one index file and one manifest, both kept in memory as long as they are in use. An index file is a
thousandth of all keys: with 10,000 deliveries of 30 links some 300 lines, 13 KB; all of them together 13 MB. That a
key is unknown is found in the same kept bytes, and costs one look at the size of the file: it grows by each
publication, so what is published later is found at once, by other processes too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from attrs import evolve

from msgtrack._options import switch
from msgtrack.errors import InvalidOption, InvalidValue, MsgtrackError, UnreadableInput
from msgtrack.io._paths import path_of
from msgtrack.links.alphabet import ALPHABET, is_token_text
from msgtrack.links.registry import HasLinks, links_of, refuse_other
from msgtrack.links.retargeting import retargeted
from msgtrack.links.tokens import KEY_LENGTH
from msgtrack.model import TrackedLink
from msgtrack.records import from_dict, from_json, to_dict, to_json
from msgtrack.upkeep import AuditEntry

__all__ = ["ManifestRegistry"]

_VERSION = 1
_PREFIX = 2
_NAME = 32
_ValueT = TypeVar("_ValueT")


class ManifestRegistry:
    """Registered links in a folder: any number of processes may publish and look up at the same time.

    Args:
        folder: where the files are; made when there is none. Its whole content is this registry's.
        keep: how many manifests stay in memory (those last used); each takes some 30 KB with 30 links.
        make: False for who only looks up. The folder may then be away from the start: nothing is made where a share is
            about to be mounted, which would look like a registry without links.

    Raises:
        InvalidOption: ``keep`` is below 1, or ``make`` is neither True nor False.
        InvalidValue: ``folder`` is no path.
        UnreadableInput: the folder cannot be made.

    A file name is a hash, whatever a delivery is called. While the folder is away, links that are in memory are found
    as they were, and all other look-ups raise. Safe to use from any number of threads.
    """

    def __init__(self, folder: str | os.PathLike[str], *, keep: int = 256, make: bool = True) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise InvalidOption(f"keep={keep!r:.80} must be a whole number of at least 1")
        self._folder = path_of("folder", folder)
        self._manifests = self._folder / "manifests"
        self._keys = self._folder / "keys"
        if switch("make", make):
            with _readable(self._folder):
                self._manifests.mkdir(parents=True, exist_ok=True)
                self._keys.mkdir(exist_ok=True)
        self._links: _Kept[Mapping[str, TrackedLink]] = _Kept(keep)
        self._index: _Kept[tuple[int, bytes]] = _Kept(len(ALPHABET) ** _PREFIX)
        self._publishing = threading.Lock()
        self._keep = keep

    def __reduce__(self) -> tuple[Callable[[], ManifestRegistry], tuple[()]]:
        # Another process, or another machine that sees the folder, reads it for itself; it was made long ago.
        return partial(type(self), self._folder, keep=self._keep, make=False), ()

    def publish(self, compiled: HasLinks) -> None:
        """Make the links of a compiled message known; publishing it again changes nothing, and mends what a crash
        left half done.

        Raises:
            InvalidValue: a key is taken by another link (of another delivery, or with another destination), or is no
                key; or it is no compiled message.
            UnreadableInput: a file cannot be written, or is damaged.
        """
        links = {link.key: link for link in links_of(compiled)}
        if not links:
            return
        for key in links:
            if not _is_key(key):
                raise InvalidValue(f"{key!r:.80} is no key of a link: eight characters of our alphabet")
        with self._publishing:
            self._must_be_there()
            known = {key: self.find(key) for key in links}
            for key, link in links.items():
                refuse_other(known[key] or link, link)
            if all(known[key] is not None for key in links):
                return
            text = _manifest(links)
            name = hashlib.sha256(text).hexdigest()[:_NAME]
            with _readable(self._folder):
                if not (path := self._path(name)).exists():
                    _write_once(path, text)
                for key in links:
                    if known[key] is None:
                        _append(self._keys / f"{key[:_PREFIX]}.txt", f"\n{key} {name}\n".encode())

    def find(self, key: str) -> TrackedLink | None:
        """The link of a key, or None. Any text may be asked for.

        Raises:
            UnreadableInput: the files of this key are damaged or cannot be read, or the folder is away and what is in
                memory does not tell.
        """
        if not _is_key(key):
            return None
        lines = self._lines(key)
        name = _name_in(lines, key)
        if name is None:
            return None
        links = self._links.get(name, lambda: self._read(name))
        link = links.get(key)
        if link is None:
            raise UnreadableInput(f"{self._path(name)} does not hold the key {key!r} that the index finds there")
        entry = _last_entry(lines, key)
        return link if entry is None else evolve(link, target_url=_target(entry, link))

    def retarget(self, key: str, url: str, *, at: datetime, by: str = "") -> AuditEntry:
        """Lead the link of a key to ``url`` from now on (empty: to its own again), in every process that shares the folder.

        What was done is an entry of the audit trail, and a line of the index that nothing ever changes.

        Raises:
            InvalidValue: there is no such link, or ``url`` is no http(s) URL without placeholders.
            UnreadableInput: a file is damaged, or cannot be read or written.
        """
        with self._publishing:
            self._must_be_there()
            _, entry = retargeted(self.find(key), key, url, at=at, by=by)
            with _readable(self._folder):
                _append(self._keys / f"{key[:_PREFIX]}.txt", f"\n{key}>{to_json(entry)}\n".encode())
            return entry

    def audits(self) -> tuple[AuditEntry, ...]:
        """What was led elsewhere, by the moment it was done.

        Raises:
            UnreadableInput: a file cannot be read.
        """
        found = []
        with _readable(self._keys):
            for path in sorted(path for path in self._keys.iterdir() if path.suffix == ".txt"):
                found += [entry for line in path.read_bytes().split(b"\n") if (entry := _entry(line[9:])) is not None]
        return tuple(sorted(found, key=lambda entry: (str(entry.started_at), entry.id)))

    def _must_be_there(self) -> None:
        # Memory answers look-ups while the folder is away; what is to be written needs the folder itself.
        with _readable(self._keys):
            self._keys.stat()

    def _lines(self, key: str) -> bytes:
        """What the index file of a key holds; nothing where there is none."""
        path = self._keys / f"{key[:_PREFIX]}.txt"
        try:
            return self._lines_of(path)
        except OSError as error:
            # What was published once stays so: while the folder is away memory will do, but not to say what is unknown.
            kept = self._index.peek(path.name)
            if kept is not None and _name_in(kept[1], key) is not None:
                return kept[1]
            raise UnreadableInput(f"{path}: {error.strerror or error}") from error

    def _lines_of(self, path: Path) -> bytes:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            # That the file is missing says something only while its folder is there, and it may have come back by now.
            self._keys.stat()
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                return b""
        kept = self._index.get(path.name, lambda: (size, path.read_bytes()))
        if kept[0] != size:
            kept = (size, path.read_bytes())
            self._index.put(path.name, kept)
        return kept[1]

    def _path(self, name: str) -> Path:
        return self._manifests / f"{name}.json"

    def _read(self, name: str) -> Mapping[str, TrackedLink]:
        path = self._path(name)
        with _readable(path):
            text = path.read_bytes()
        try:
            plain = json.loads(text)
            if plain["version"] != _VERSION:
                raise InvalidValue(f"version {plain['version']!r:.20} is not {_VERSION}")
            found = [from_dict(row, TrackedLink) for row in plain["links"]]
        except (InvalidValue, LookupError, RecursionError, TypeError, ValueError) as error:
            raise UnreadableInput(
                f"{path} is no link manifest: {error!s:.200}", hint="publish the message again"
            ) from None
        return {link.key: link for link in found}


class _Kept(Generic[_ValueT]):
    """The values last used, at most ``size`` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, _ValueT] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], _ValueT]) -> _ValueT:
        with self._lock:
            found = self._values.get(name)
            if found is not None:
                self._values.move_to_end(name)
                return found
        # Made outside the lock: two threads may read one file at once, and nobody waits for a third.
        made = make()
        self.put(name, made)
        return made

    def peek(self, name: str) -> _ValueT | None:
        with self._lock:
            return self._values.get(name)

    def put(self, name: str, value: _ValueT) -> None:
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            while len(self._values) > self._size:
                self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)


def _name_in(lines: bytes, key: str) -> str | None:
    # A line that was cut short by a crash is followed by a whole one: every line begins and ends with a break.
    start = f"\n{key} ".encode()
    place = lines.find(start)
    while place >= 0:
        name = lines[place + len(start) : place + len(start) + _NAME + 1]
        if len(name) == _NAME + 1 and name.endswith(b"\n") and name[:-1].isalnum():
            return name[:-1].decode()
        place = lines.find(start, place + 1)
    return None


def _last_entry(lines: bytes, key: str) -> AuditEntry | None:
    """The last whole entry that tells where the link of a key leads."""
    start = f"\n{key}>".encode()
    place = lines.rfind(start)
    while place >= 0:
        end = lines.find(b"\n", place + 1)
        entry = _entry(lines[place + len(start) : end]) if end >= 0 else None
        if entry is not None:
            return entry
        place = lines.rfind(start, 0, place)
    return None


def _entry(line: bytes) -> AuditEntry | None:
    if not line.startswith(b"{"):
        return None
    try:
        entry = from_json(line.decode(), AuditEntry)
    except (MsgtrackError, UnicodeDecodeError):
        return None
    return entry if entry.action == "retarget" else None


def _target(entry: AuditEntry, link: TrackedLink) -> str:
    try:
        target = json.loads(entry.detail)["to"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return target if isinstance(target, str) and target != link.url else ""


def _is_key(key: str) -> bool:
    return isinstance(key, str) and len(key) == KEY_LENGTH and is_token_text(key)


def _manifest(links: Mapping[str, TrackedLink]) -> bytes:
    rows = [to_dict(links[key]) for key in sorted(links)]
    return json.dumps({"version": _VERSION, "links": rows}, indent=1, sort_keys=True).encode() + b"\n"


def _write_once(path: Path, text: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _append(path: Path, line: bytes) -> None:
    is_new = not path.exists()
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(number, line) != len(line):
            raise OSError(f"{path} could not be written whole")
        os.fsync(number)
    finally:
        os.close(number)
    if is_new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Where folders cannot be opened, the system makes renames durable by itself or not at all.
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableInput:
        raise
    except OSError as error:
        raise UnreadableInput(f"{path}: {error.strerror or error}") from error
