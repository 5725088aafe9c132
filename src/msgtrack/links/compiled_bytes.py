"""Compiled messages as bytes: four bytes of magic, a version, a key id, 32 bytes of signature, and compressed JSON.

Keys are not in the bytes. The signature tells the reader that its own keys wrote them and that nobody changed them
since. Values come back by their fields, checked as at any border; nothing is ever executed.
"""

from __future__ import annotations

import hmac
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from msgtrack.errors import InvalidValue, NotOurs

if TYPE_CHECKING:
    from cattrs import Converter

    from msgtrack.links.keyring import SigningKey

__all__ = ["VERSION", "pack", "unpack"]

VERSION = 1
"""Of the written form; it moves when an older reader would read something wrong."""

_MAGIC = b"mtcm"
_HEAD = len(_MAGIC) + 2
_SIGNED = _HEAD + 32
_MAX_JSON = 256 * 2**20


def pack(values: Mapping[str, object], key: SigningKey, key_id: int) -> bytes:
    """Named values (attrs classes, tuples, text, numbers) as bytes, signed under ``key``."""
    plain = _converter().unstructure(dict(values))
    head = _MAGIC + bytes((VERSION, key_id))
    body = zlib.compress(json.dumps(plain, separators=(",", ":")).encode())
    return head + _mac(key, head, body) + body


def unpack(
    data: bytes, kinds: Mapping[str, Any], verifying_keys: Callable[[int], Iterable[SigningKey]] | None
) -> dict[str, Any]:
    """The values that :func:`pack` wrote, as the kinds given by name.

    ``verifying_keys`` gives the keys of a key id; without it the signature is not looked at.

    Raises:
        InvalidValue: these are no such bytes, they are damaged, or a newer version wrote them.
        NotOurs: none of the keys wrote them, or somebody changed them since.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidValue(f"a compiled message is read from bytes, not {type(data).__name__}")
    data = bytes(data)
    if len(data) < _SIGNED or not data.startswith(_MAGIC):
        raise InvalidValue(f"these {len(data)} bytes are no compiled message")
    version, key_id = data[len(_MAGIC)], data[len(_MAGIC) + 1]
    if version != VERSION:
        raise InvalidValue(
            f"the compiled message was written in version {version}, this reads version {VERSION}",
            hint="upgrade msgtrack, or compile again" if version > VERSION else "compile again",
        )
    head, mac, body = data[:_HEAD], data[_HEAD:_SIGNED], data[_SIGNED:]
    if verifying_keys is not None and not any(
        hmac.compare_digest(_mac(key, head, body), mac) for key in verifying_keys(key_id)
    ):
        raise NotOurs(
            "this compiled message was not written under the tracker's keys and realm, or was changed since",
            hint="read it with the keys that wrote it, or compile again",
        )
    try:
        plain = json.loads(_inflated(body))
        return {name: _converter().structure(plain[name], kind) for name, kind in kinds.items()}
    except _bad_input() as error:
        raise InvalidValue(f"the compiled message is damaged: {type(error).__name__}: {error!s:.120}") from None


def _mac(key: SigningKey, head: bytes, body: bytes) -> bytes:
    return key.digest((head + body).decode("latin-1"))


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(body, _MAX_JSON)
    if not inflater.eof or inflater.unused_data:
        raise zlib.error("the text does not end where it should")
    return text


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    # Their members are texts and numbers too, and would stay what JSON makes of them.
    converter.register_structure_hook(StrEnum, lambda value, kind: kind(_exactly(str)(value, kind)))
    converter.register_structure_hook(IntEnum, lambda value, kind: kind(_exactly(int)(value, kind)))
    return converter


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> Any:
        if type(value) is kind:
            return value
        raise InvalidValue(f"expected {kind.__name__}, got {type(value).__name__}")

    return read


@cache
def _bad_input() -> tuple[type[Exception], ...]:
    from cattrs.errors import ForbiddenExtraKeysError, StructureHandlerNotFoundError

    return (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        zlib.error,
        ForbiddenExtraKeysError,
        StructureHandlerNotFoundError,
    )
