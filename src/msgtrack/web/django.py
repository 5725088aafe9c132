"""The redirect server as a URLconf of Django.

In ``urls.py``::

    urlpatterns = [path("t/", include(tracking_urls(handler, record=writer.write)))]

Needs the extra ``django``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgtrack.errors import MissingExtra
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web._edge import Edge, Observer, utc_now
from msgtrack.web._environ import answer

try:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern, re_path
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.web.django needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[django]'",
    ) from error

__all__ = ["tracking_urls", "tracking_view"]


class _Answer(HttpResponse):  # type: ignore[misc]  # Django has no types
    """A response whose headers may come twice, which Django's own mapping does not know."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[str, str]]) -> None:
        super().__init__(body, status=status)
        del self["Content-Type"]
        self._more: list[tuple[str, str]] = []
        for name, value in headers:
            if name in self:
                self._more.append((name, value))
            else:
                self[name] = value

    def items(self) -> Sequence[tuple[str, str]]:
        return [*super().items(), *self._more]


def tracking_view(
    handler: RedirectHandler,
    *,
    record: Callable[[Hit], object] | None = None,
    clock: Callable[[], datetime] = utc_now,
    observe: Observer | None = None,
) -> Callable[..., HttpResponse]:
    """A view that answers every request it is given; no CSRF token is asked for, because mail programs have none.

    Its arguments are those of :class:`msgtrack.web.wsgi.TrackingApp`.
    """
    edge = Edge(handler, record=record, clock=clock, observe=observe)

    def view(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
        response, length = answer(edge, *_environ(request))
        return _Answer(response.body, response.status, [*response.headers, ("content-length", str(length))])

    view.csrf_exempt = True  # type: ignore[attr-defined]  # what the decorator of this name does
    return view


def tracking_urls(
    handler: RedirectHandler,
    *,
    record: Callable[[Hit], object] | None = None,
    clock: Callable[[], datetime] = utc_now,
    observe: Observer | None = None,
) -> list[URLPattern]:
    """URL patterns that answer every path behind those above them; the tracker's ``base_url`` ends with their prefix.

    Its arguments are those of :func:`tracking_view`.
    """
    view = tracking_view(handler, record=record, clock=clock, observe=observe)
    return [re_path(r"", view, name="msgtrack")]


def _environ(request: HttpRequest) -> tuple[dict[str, Any], HttpRequest | None]:
    """The request as WSGI would have it, and where its body is read if not at ``wsgi.input``."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        query = scope.get("query_string") or b""
        uri = (raw + b"?" + query if query else raw).decode("latin-1")
        # Under ASGI Django has read the whole body before it asks.
        return {**request.META, "RAW_URI": uri, "wsgi.input_terminated": True, "wsgi.input": request}, request
    # Django has read the path as UTF-8, where WSGI has each byte as a character.
    path = request.path.encode("utf-8", "surrogateescape").decode("latin-1")
    environ = {**request.META, "SCRIPT_NAME": "", "PATH_INFO": path}
    # Its own stream knows when another has read the body, but ends at once where no length was said.
    return environ, request if request.META.get("CONTENT_LENGTH") else None
