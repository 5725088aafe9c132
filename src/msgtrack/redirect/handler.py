"""The handler: what each request is answered with, and what is kept of it."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from attrs import evolve

from msgtrack.decide import Decision, Reason, decide, person_key
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit, header_text
from msgtrack.model import Consent, Delivery, HostedPage, LinkType, PeoplePolicy, Resolution, ResolutionOutcome
from msgtrack.protocols import Resolver
from msgtrack.redirect.exchange import Outcome, Request, Response
from msgtrack.redirect.opting_out import asks_to_leave
from msgtrack.redirect.pages import COMMON, PIXEL, ask_page, authors_page, done_page, lost_page, plain_page

__all__ = ["RedirectHandler", "random_source_id"]

_MAX_URL = 16_384
# IDNA 2003, which Python knows, maps these to others; the rules of today keep them.
_DEVIATING = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
_SOURCE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_PURPOSE_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH = ("prefetch", "prerender", "preview")
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:\S*\s*")


def random_source_id() -> str:
    """A fresh person key: 32 random hexadecimal digits."""
    return uuid.uuid4().hex


class _Links(Protocol):
    def find(self, key: str) -> Any: ...


class RedirectHandler:
    """Answers requests for tracked URLs.

    Args:
        tracker: who reads tracked URLs.
        links: a registry for registered links, when the tracker has none of its own.
        deliveries: deliveries by id, for their substitution URLs.
        mirror: makes the mirror page of a message, HTML and complete, of what its URL says; None where there is none.
            Without it mirror URLs lead nowhere.
        preferences: the same for the preferences page; it may also give the http(s) URL of a page elsewhere.
        people: how browsers are told apart.
        fallback_url: where expired links lead when their delivery names no page.
        new_source_id: makes person keys; random by default.

    Raises:
        InvalidOption: ``fallback_url`` is not http(s).
        InvalidValue: ``mirror`` or ``preferences`` cannot be called, or ``people`` is no PeoplePolicy.
    """

    def __init__(
        self,
        tracker: Resolver,
        links: _Links | None = None,
        deliveries: Mapping[str, Delivery] | None = None,
        mirror: Callable[[Resolution], str | None] | None = None,
        preferences: Callable[[Resolution], str | None] | None = None,
        people: PeoplePolicy | None = None,
        fallback_url: str | None = None,
        new_source_id: Callable[[], str] = random_source_id,
    ) -> None:
        for name, hook in (("mirror", mirror), ("preferences", preferences)):
            if hook is not None and not callable(hook):
                raise InvalidValue(f"{name} must be a function of a Resolution, not {hook!r:.80}")
        if people is not None and not isinstance(people, PeoplePolicy):
            raise InvalidValue(f"people must be a PeoplePolicy, not {people!r:.80}")
        if fallback_url is not None and (not isinstance(fallback_url, str) or _location(fallback_url) is None):
            raise InvalidOption(f"fallback_url={fallback_url!r:.120} is no http(s) URL")
        if links is not None:
            tracker = copy.copy(tracker)
            tracker.registry = links  # type: ignore[attr-defined]  # every tracker has one; the Resolver protocol need not
        self._resolver = tracker
        self._deliveries = deliveries if deliveries is not None else {}
        self._people = people if people is not None else PeoplePolicy()
        self._fallback = fallback_url
        self._new_source_id = new_source_id
        self._hooks = {HostedPage.MIRROR: mirror, HostedPage.PREFERENCES: preferences}
        base = getattr(tracker, "base_url", "https://")
        self._secure = base.startswith("https://")

    def handle(self, request: Request) -> Outcome:
        """The outcome of one request. Any request gives one; nothing is raised for what a client sends.

        Raises:
            InvalidValue: ``request`` is no Request, or ``mirror`` or ``preferences`` gave something that is no text.
        """
        if not isinstance(request, Request):
            raise InvalidValue(f"handle takes a Request, not {type(request).__name__}")
        service = _service_page(request)
        if service is not None:
            return service
        hit = self._hit(request)
        decision = decide(hit, self._resolver)
        response = self._response(request, hit, decision)
        if decision.resolution.hosted is not None and response.status >= 400:
            # A page that was refused is no event, live and read from the log: the hit says so.
            hit = evolve(hit, status=response.status)
            decision = decide(hit, self._resolver)
        hit, cookie = self._person(request, hit, decision)
        if cookie:
            response = evolve(response, headers=(*response.headers, ("set-cookie", cookie)))
        if request.method == "HEAD":
            response = evolve(response, body=b"")
        return Outcome(response=response, hit=hit, reason=decision.reason.value)

    def _hit(self, request: Request) -> Hit:
        purpose = next((value for name in _PURPOSE_HEADERS if (value := request.header(name).lower())), "")
        return Hit(
            method=request.method[:16],
            url=request.url[:_MAX_URL],
            received_at=request.received_at,
            user_agent=header_text(request.header("user-agent")),
            referrer=header_text(request.header("referer")),
            purpose="prefetch" if any(word in purpose for word in _PREFETCH) else "",
        )

    def _person(self, request: Request, hit: Hit, decision: Decision) -> tuple[Hit, str]:
        people = self._people
        if decision.consent is not Consent.IDENTIFIED or people.key == "none":
            return hit, ""
        # Whoever leaves is not told apart from others on the way out.
        if decision.resolution.hosted is HostedPage.OPT_OUT:
            return hit, ""
        if people.key == "hash":
            key = person_key(evolve(hit, client_ip=request.client_ip), self._resolver)
            return evolve(hit, source_id=key), ""
        known = _cookie(request, people.cookie_name)
        if known is not None:
            return evolve(hit, source_id=known), ""
        # Images in mail are loaded in a third party's context, often by a proxy for many people: no key is given out there.
        if decision.resolution.link_type is LinkType.OPEN:
            return hit, ""
        fresh = self._new_source_id()
        return evolve(hit, source_id=fresh), self._set_cookie(fresh)

    def _set_cookie(self, value: str) -> str:
        people = self._people
        parts = [f"{people.cookie_name}={value}", f"Max-Age={people.cookie_days * 86_400}", "Path=/"]
        if people.cookie_domain:
            parts.append(f"Domain={people.cookie_domain}")
        if self._secure:
            parts.append("Secure")
        return "; ".join([*parts, "HttpOnly", "SameSite=Lax"])

    def _response(self, request: Request, hit: Hit, decision: Decision) -> Response:
        resolution, reason = decision.resolution, decision.reason
        page = resolution.hosted
        allowed = ("GET", "HEAD", "POST") if page is HostedPage.OPT_OUT else ("GET", "HEAD")
        if reason is not Reason.UNKNOWN and hit.method not in allowed:
            refused = plain_page(405, "Not possible", "This address can only be looked at.")
            return evolve(refused, headers=(*refused.headers, ("allow", ", ".join(allowed))))
        if page is HostedPage.OPT_OUT:
            return _opt_out(request, decision)
        if page is not None and resolution.outcome is ResolutionOutcome.VALID:
            return self._authors_page(page, resolution)
        if resolution.link_type is LinkType.OPEN and resolution.destination is None:
            # The image is drawn whatever the token says: a broken picture helps nobody.
            status = 404 if reason is Reason.UNKNOWN else 200
            return Response(status=status, headers=(*COMMON, ("content-type", "image/gif")), body=PIXEL)
        target = resolution.destination or self._substitute(decision)
        location = None if target is None else _location(target)
        if location is not None:
            return Response(status=302, headers=(*COMMON, ("location", location)))
        if resolution.expires_at is not None and resolution.destination is None:
            return plain_page(410, "This link has expired", "The page it led to is no longer offered.")
        return _nowhere()

    def _authors_page(self, page: HostedPage, resolution: Resolution) -> Response:
        hook = self._hooks[page]
        made = None if hook is None else hook(resolution)
        if made is None:
            return _nowhere()
        if not isinstance(made, str):
            raise InvalidValue(f"the {page.value} page must be text or None, not {type(made).__name__}")
        if page is not HostedPage.PREFERENCES or not _ADDRESS.fullmatch(made):
            return authors_page(made)
        location = _location(made.strip())
        if location is None:
            raise InvalidValue(f"the preferences page {made!r:.120} is neither HTML nor an http(s) URL")
        return Response(status=302, headers=(*COMMON, ("location", location)))

    def _substitute(self, decision: Decision) -> str | None:
        resolution = decision.resolution
        if resolution.delivery_id is None:
            return None
        delivery = self._deliveries.get(resolution.delivery_id)
        return (delivery.expired_url if delivery is not None else "") or self._fallback


def _service_page(request: Request) -> Outcome | None:
    path = request.url.partition("?")[0]
    if request.method not in ("GET", "HEAD"):
        return None
    if path.endswith("/r/test"):
        stamp = request.received_at.strftime("%Y-%m-%d %H:%M:%S.") + f"{request.received_at.microsecond // 1000:03d}Z"
        body = f"<redir status='OK' date='{stamp}'/>\n".encode()
        response = Response(status=200, headers=(*COMMON, ("content-type", "application/xml")), body=body)
        return Outcome(response=response, hit=None, reason="health")
    if path.endswith("/robots.txt"):
        headers = (("cache-control", "max-age=86400"), ("content-type", "text/plain; charset=utf-8"))
        return Outcome(
            response=Response(status=200, headers=headers, body=b"User-agent: *\nDisallow: /\n"),
            hit=None,
            reason="robots",
        )
    return None


def _nowhere() -> Response:
    return plain_page(404, "Page not found", "This address leads nowhere. It may have been damaged on its way to you.")


def _opt_out(request: Request, decision: Decision) -> Response:
    """The page asks, whatever the token; only a ``POST`` acts, and one that says nothing else than that."""
    if request.method != "POST":
        return ask_page()
    if not asks_to_leave(request):
        return ask_page(400)
    if decision.reason is Reason.UNKNOWN:
        return lost_page()
    return done_page() if decision.event is not None else ask_page()


def _cookie(request: Request, name: str) -> str | None:
    for known, header in request.headers:
        if known == "cookie":
            for pair in header.split(";"):
                key, _, value = pair.strip().partition("=")
                if key == name and _SOURCE_ID.fullmatch(value):
                    return value
    return None


def _location(url: str) -> str | None:
    """A destination fit for a Location header: ASCII, percent-encoded where it must be, IDN as punycode; None if it
    is not http(s).
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host:
            return None
        if not host.isascii():
            url = url.replace(parts.netloc, _with_ascii_host(parts.netloc), 1)
        return quote(url, safe="/%:=&?~#+!$,;'@()*[]")
    except ValueError:  # UnicodeError is one
        return None


def _with_ascii_host(netloc: str) -> str:
    """The authority with its host in punycode; as it is where Python's rules and those of browsers differ.

    Browsers read a percent-encoded host, so nothing is lost by leaving the work to them (URL standard, host parser).
    """
    user, at, place = netloc.rpartition("@")
    host, colon, port = place.partition(":")
    if _DEVIATING.search(host):
        return netloc
    try:
        return f"{user}{at}{host.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        return netloc
