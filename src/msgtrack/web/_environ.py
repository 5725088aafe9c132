"""A request out of a WSGI environ, for the edges whose servers speak it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

from msgtrack.redirect import Failure, Headers, Response
from msgtrack.redirect.guarding import tried
from msgtrack.web._edge import GONE, MAX_BODY, NO_LENGTH, TOO_MUCH, Edge, made_request, promised

__all__ = ["answer"]

# What a path may hold as it is (RFC 3986 3.3); a percent sign is none of it.
_PATH = "/!$&'(*+),;=:@~"
_IS_PLAIN = re.compile(f"[A-Za-z0-9_.{re.escape(_PATH)}-]*").fullmatch
_RAW = ("RAW_URI", "REQUEST_URI")
_PLAIN_HEADERS = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
_PLAIN_NAMES = {said: name for name, said in _PLAIN_HEADERS.items()}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def answer(edge: Edge, environ: Mapping[str, Any], body: _Readable | None = None) -> tuple[Response, int]:
    """The answer to a request, and the number for its ``Content-Length``.

    Args:
        edge: who answers.
        environ: the request.
        body: where its body is read; ``wsgi.input`` when not given.
    """
    # The moment of the request is when it came, however slowly its body follows.
    received_at = edge.now()
    method, headers = environ["REQUEST_METHOD"], _EnvironHeaders(environ)
    posted: bytes | None = b""
    if method == "GET":
        short = edge.short(method, _url(environ), headers, received_at)
        if short is not None:
            settled, cookie = short
            return settled.answer(cookie), len(settled.response.body)
    elif method == "POST":
        length, ended = promised(environ.get("CONTENT_LENGTH") or ""), bool(environ.get("wsgi.input_terminated"))
        if length is None and not ended and environ.get("HTTP_TRANSFER_ENCODING"):
            return NO_LENGTH, len(NO_LENGTH.body)
        # Each server has errors of its own for a body that breaks off, and not all of them are an OSError.
        came = tried("body", _body, environ["wsgi.input"] if body is None else body, length, ended=ended)
        if isinstance(came, Failure):
            return GONE, len(GONE.body)
        posted = came
    if posted is None:
        refused = edge.refuse(TOO_MUCH)
        return refused, len(refused.body)
    client_ip = environ.get("REMOTE_ADDR") or ""
    return edge.answer(made_request(method, _url(environ), headers, posted, client_ip, received_at))


def _body(stream: _Readable, length: int | None, *, ended: bool) -> bytes | None:
    """The whole body; None when there is too much of it. Without a length there is one only if the stream has an end.

    Raises:
        EOFError: the client left before it had said everything.
        Exception: as the server has it, for the same.
    """
    if length is None and not ended:
        return b""
    wanted = MAX_BODY + 1 if length is None else length
    if length is not None and length > MAX_BODY:
        return None
    body = b""
    while len(body) < wanted and (part := stream.read(wanted - len(body))):
        body += part
    if length is None:
        return None if len(body) > MAX_BODY else body
    if len(body) < length:
        raise EOFError
    return body


class _EnvironHeaders(Headers):
    """Headers that stay in the environ until they are asked for: a browser sends a dozen, and few matter."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def pairs(self) -> tuple[tuple[str, str], ...]:
        environ = self._environ
        found = [(name[5:].replace("_", "-").lower(), environ[name]) for name in environ if name.startswith("HTTP_")]
        found += [(said, environ[name]) for name, said in _PLAIN_HEADERS.items() if environ.get(name)]
        return tuple(found)

    def first(self, name: str) -> str:
        value: str | None = self._environ.get(_key(name))
        return (self._plain(name) if name in _PLAIN_NAMES else "") if value is None else value

    def every(self, name: str) -> list[str]:
        value = self._environ.get(_key(name))
        found = [] if value is None else [value]
        if name in _PLAIN_NAMES and (plain := self._plain(name)):
            found.append(plain)
        return found

    def has_any(self, names: frozenset[str]) -> bool:
        keys, plain = _keys(names)
        return not self._environ.keys().isdisjoint(keys) or any(map(self._plain, plain))

    def _plain(self, name: str) -> str:
        return self._environ.get(_PLAIN_NAMES[name]) or ""


@lru_cache(maxsize=64)
def _key(name: str) -> str:
    """How a header is called in an environ."""
    return "HTTP_" + name.replace("-", "_").upper()


@lru_cache(maxsize=16)
def _keys(names: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """How headers are called in an environ, and those of them that it may have by another name too."""
    return frozenset(map(_key, names)), names & _PLAIN_NAMES.keys()


def _url(environ: Mapping[str, Any]) -> str:
    """Path and query as they were sent where the server tells, else the decoded path, encoded again."""
    for name in _RAW:
        raw: str = environ.get(name) or ""
        if raw.startswith("/"):
            return raw
    path = (environ.get("SCRIPT_NAME") or "") + (environ.get("PATH_INFO") or "")
    url = path if _IS_PLAIN(path) else quote(path.encode("latin-1", "replace"), safe=_PATH)
    query = environ.get("QUERY_STRING")
    return f"{url}?{query}" if query else url
