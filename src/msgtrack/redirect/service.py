"""What the server says of itself: health, robots, the icon, and which apps may open its links."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from msgtrack._borders import closed, shown, texts
from msgtrack.errors import InvalidValue
from msgtrack.redirect.exchange import Failure, Outcome, Request, Response
from msgtrack.redirect.guarding import tried
from msgtrack.redirect.pages import COMMON

__all__ = ["AppLinks", "ServicePages"]

_DAY = ("cache-control", "max-age=86400")
_NOSNIFF = ("x-content-type-options", "nosniff")
_APPLE_ID = re.compile(r"[A-Z0-9]{10}\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+")
_FINGERPRINT = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){31}")
_ICONS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\x00\x00\x01\x00", "image/x-icon"), (b"GIF8", "image/gif"))
_MAX_ALARM = 200


def _apple(value: Iterable[str]) -> tuple[str, ...]:
    ids = texts(value)
    for one in ids:
        if not _APPLE_ID.fullmatch(one):
            raise InvalidValue(
                f"an app of Apple's is named by team and bundle (ABCDE12345.example.app), not {shown(one)}"
            )
    return ids


def _android(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise InvalidValue(f"android maps names of packages to fingerprints, this is {shown(value)}")
    packages = {name: texts(prints) for name, prints in value.items()}
    for name, prints in packages.items():
        if not isinstance(name, str) or not _PACKAGE.fullmatch(name):
            raise InvalidValue(f"{shown(name)} is no name of an Android package")
        for one in prints:
            if not _FINGERPRINT.fullmatch(one):
                raise InvalidValue(
                    f"{shown(one)} is no SHA-256 fingerprint: 32 pairs of hex digits with colons between"
                )
    return packages


@closed
@frozen(kw_only=True)
class AppLinks:
    """Apps that may open tracked links by themselves.

    Args:
        apple: names of apps, team and bundle: ``ABCDE12345.example.shop``.
        android: fingerprints of the certificates (SHA-256, with colons) by the names of packages.

    An app that takes a link must load its URL, or the click is not known. The pages of our own server (opt-out, mirror,
    preferences), opens and web tags stay with the browser.

    Raises:
        InvalidValue: a name or a fingerprint is none.
    """

    apple: tuple[str, ...] = field(default=(), converter=_apple)
    android: Mapping[str, tuple[str, ...]] = field(factory=dict, converter=_android)

    def apple_file(self) -> bytes:
        """What ``/.well-known/apple-app-site-association`` holds."""
        left_out: list[dict[str, object]] = [{"/": f"*/{part}/*", "exclude": True} for part in ("1", "u", "m", "p")]
        left_out += [{"/": "*/r/*", "?": {"id": f"{letter}*"}, "exclude": True} for letter in ("u", "m", "p")]
        left_out.append({"/": "*/r/*", "?": {"tagid": "*"}, "exclude": True})
        details = [{"appIDs": list(self.apple), "components": [*left_out, {"/": "*"}]}] if self.apple else []
        return _json({"applinks": {"details": details}})

    def android_file(self) -> bytes:
        """What ``/.well-known/assetlinks.json`` holds."""
        return _json(
            [
                {
                    "relation": ["delegate_permission/common.handle_all_urls"],
                    "target": {
                        "namespace": "android_app",
                        "package_name": name,
                        "sha256_cert_fingerprints": list(prints),
                    },
                }
                for name, prints in self.android.items()
            ]
        )


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


class ServicePages:
    """Answers what is no tracked URL and still ours.

    ``health`` says what is wrong with the server, empty text for nothing; ``favicon`` is an image (PNG, ICO or GIF).

    Raises:
        InvalidValue: ``health`` cannot be called, ``app_links`` are none, or ``favicon`` is no such image.
    """

    def __init__(
        self, health: Callable[[], str] | None = None, app_links: AppLinks | None = None, favicon: bytes | None = None
    ) -> None:
        if health is not None and not callable(health):
            raise InvalidValue(f"health must be a function, not {shown(health)}")
        if app_links is not None and not isinstance(app_links, AppLinks):
            raise InvalidValue(f"app_links must be AppLinks, not {shown(app_links)}")
        self._health = health
        robots = Response(
            status=200,
            headers=(_DAY, ("content-type", "text/plain; charset=utf-8"), _NOSNIFF),
            body=b"User-agent: *\nDisallow: /\n",
        )
        self._files = {"/robots.txt": ("robots", robots), "/favicon.ico": ("favicon", _icon(favicon))}
        if app_links is not None:
            apple, android = _file(app_links.apple_file()), _file(app_links.android_file())
            self._files["/apple-app-site-association"] = ("app-links", apple)
            self._files["/.well-known/assetlinks.json"] = ("app-links", android)

    def answer(self, request: Request) -> Outcome | None:
        """The answer, or None where the request is for something else. Such requests are not kept."""
        path = request.url.partition("?")[0]
        name = path[path.rfind("/") :]
        if name == "/test":
            if not path.endswith("/r/test") or "tagid=" in request.url or request.method not in ("GET", "HEAD"):
                return None
            return self._healthy(request)
        if name == "/assetlinks.json":
            name = path[-len("/.well-known/assetlinks.json") :]
        found = self._files.get(name)
        if found is None or request.method not in ("GET", "HEAD"):
            return None
        reason, response = found
        if request.method == "HEAD":
            response = Response(status=response.status, headers=response.headers)
        return Outcome(response=response, hit=None, reason=reason)

    def _healthy(self, request: Request) -> Outcome:
        stamp = request.received_at.strftime("%Y-%m-%d %H:%M:%S.") + f"{request.received_at.microsecond // 1000:03d}Z"
        failures: tuple[Failure, ...] = ()
        alarm = ""
        if self._health is not None:
            said = tried("health", self._health)
            if isinstance(said, Failure):
                failures = (said,)
            alarm = str(said or "")[:_MAX_ALARM]
        told = f"status='OK' date='{stamp}'"
        if alarm:
            plain = "".join(letter if letter.isprintable() else " " for letter in alarm)
            told = f"status='ALARM' date='{stamp}' alarm='{html.escape(plain)}'"
        body = f"<redir {told}/>\n".encode("utf-8", "replace")
        headers = (*COMMON, ("content-type", "application/xml"))
        response = Response(status=200, headers=headers, body=b"" if request.method == "HEAD" else body)
        return Outcome(response=response, hit=None, reason="health", failures=failures)


def _file(body: bytes) -> Response:
    return Response(status=200, headers=(_DAY, ("content-type", "application/json"), _NOSNIFF), body=body)


def _icon(image: bytes | None) -> Response:
    if image is None:
        return Response(status=404, headers=(_DAY, ("content-type", "text/plain; charset=utf-8"), _NOSNIFF), body=b"")
    for start, kind in _ICONS:
        if isinstance(image, bytes) and image.startswith(start):
            return Response(status=200, headers=(_DAY, ("content-type", kind), _NOSNIFF), body=image)
    raise InvalidValue(f"favicon must be the bytes of a PNG, ICO or GIF image, not {shown(image)}")
