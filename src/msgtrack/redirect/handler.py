"""The handler: what each request is answered with, and what is kept of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Never, Protocol, TypeVar

from attrs import evolve

from msgtrack._borders import shown
from msgtrack._options import refuse_unknown, switch
from msgtrack._trusted import trusted
from msgtrack.decide import Meaning, Reason, meaning_of
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import PURPOSE_HEADERS, Hit, header_text, prefetch_purpose
from msgtrack.model import Delivery, HostedPage, LinkType, PeoplePolicy, Resolution, ResolutionOutcome
from msgtrack.protocols import Resolver, Sessions
from msgtrack.redirect.exchange import Failure, Outcome, Request, Response
from msgtrack.redirect.guarding import tried
from msgtrack.redirect.locations import location
from msgtrack.redirect.opting_out import asks_to_leave
from msgtrack.redirect.pages import COMMON, PIXEL, ask_page, authors_page, done_page, lost_page, plain_page
from msgtrack.redirect.proxies import TrustedProxies
from msgtrack.redirect.service import AppLinks, ServicePages
from msgtrack.redirect.shortcut import made_response, shortcut_of
from msgtrack.redirect.texts import PageTexts, languages_of, texts_for
from msgtrack.redirect.visitors import Visitors, made_hit, random_source_id
from msgtrack.webtags import WebTags

__all__ = ["RedirectHandler"]

_T = TypeVar("_T")
_MAX_URL = 16_384
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:\S*\s*")
_UNREAD = Meaning(reason=Reason.UNAVAILABLE, resolution=Resolution(outcome=ResolutionOutcome.UNKNOWN))
# As in ``decide``: each request is held against these.
_VALID, _ANONYMOUS = ResolutionOutcome.VALID, ResolutionOutcome.ANONYMOUS
_UNKNOWN, _UNAVAILABLE = Reason.UNKNOWN, Reason.UNAVAILABLE
_OPEN, _OPT_OUT = LinkType.OPEN, HostedPage.OPT_OUT
_IMAGE = Response(status=200, headers=(*COMMON, ("content-type", "image/gif")), body=PIXEL)
_LOST_IMAGE = evolve(_IMAGE, status=404)
_WORDS = {reason: reason.value for reason in Reason}
_outcome = trusted(Outcome)


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
        fallback_url: where expired links lead when their delivery names no page, and links that cannot be looked up.
        new_source_id: makes person keys; random by default.
        check: asked before a reader is led on: False, and the link is answered by a page that says it was switched off.
        block_unsigned: whether links whose identity does not hold lead nowhere, instead of on without a name.
        tags: web tags that this server answers.
        texts: what our own pages say, in one language or several; the first is for whoever wants another.
        language: the language of a message, such as ``pt-BR``, or None; it wins over that of the browser.
        proxies: whose word on the client's address is taken; None takes that of the connection.
        health: what is wrong with the server, empty text for nothing; shown by ``/r/test``.
        app_links: apps that may open tracked links.
        favicon: the bytes of an icon.

    Raises:
        InvalidOption: ``fallback_url`` is not http(s), or ``block_unsigned`` is neither True nor False.
        InvalidValue: another argument is not what it must be.
        UnknownOption: there is no argument of this name.
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
        *,
        check: Callable[[Resolution], bool] | None = None,
        block_unsigned: bool = False,
        tags: WebTags | None = None,
        texts: PageTexts | Iterable[PageTexts] | None = None,
        language: Callable[[Resolution], str | None] | None = None,
        proxies: TrustedProxies | None = None,
        health: Callable[[], str] | None = None,
        app_links: AppLinks | None = None,
        favicon: bytes | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown("RedirectHandler", unknown)
        # A class has the methods too, and none of them can be called.
        if isinstance(tracker, type) or not isinstance(tracker, Resolver):
            raise InvalidValue(
                f"tracker must be a Tracker, or resolve and person_salt as it does, not {shown(tracker)}",
                hint="Tracker(base_url, keyring)",
            )
        if links is not None:
            tracker = _with_links(tracker, links)
        if deliveries is not None and not callable(getattr(deliveries, "get", None)):
            raise InvalidValue(f"deliveries must give deliveries by id (get), not {shown(deliveries)}")
        if not callable(new_source_id):
            raise InvalidValue(f"new_source_id must be a function without arguments, not {shown(new_source_id)}")
        hooks = {"mirror": mirror, "preferences": preferences, "check": check, "language": language}
        for name, hook in hooks.items():
            if hook is not None and not callable(hook):
                raise InvalidValue(f"{name} must be a function of a Resolution, not {shown(hook)}")
        for name, value, kind in (
            ("people", people, PeoplePolicy),
            ("tags", tags, WebTags),
            ("proxies", proxies, TrustedProxies),
        ):
            if value is not None and not isinstance(value, kind):
                raise InvalidValue(f"{name} must be a {kind.__name__}, not {shown(value)}")
        if tags is not None and not isinstance(tracker, Sessions):
            raise InvalidValue("tags need a tracker that signs sessions: session_token and read_session")
        self._fallback = None
        if fallback_url is not None:
            self._fallback = location(fallback_url) if isinstance(fallback_url, str) else None
            if self._fallback is None:
                raise InvalidOption(f"fallback_url={fallback_url!r:.120} is no http(s) URL")
        self._resolver = tracker
        self._deliveries = deliveries if deliveries is not None else {}
        self._hooks = {HostedPage.MIRROR: mirror, HostedPage.PREFERENCES: preferences}
        self._check = check
        self._blocks_unsigned = switch("block_unsigned", block_unsigned)
        self._tags = tags
        self._languages = languages_of(PageTexts() if texts is None else texts)
        self._language = language
        self._service = ServicePages(health, app_links, favicon)
        self._visitors = Visitors(
            people if people is not None else PeoplePolicy(),
            tracker,
            new_source_id,
            tags,
            proxies,
            is_secure=getattr(tracker, "base_url", "https://").startswith("https://"),
        )
        # A check is asked about each request, and a web tag may be of each.
        self.shortcut = shortcut_of(tracker, self._visitors) if check is None and tags is None else None

    def handle(self, request: Request) -> Outcome:
        """The outcome of one request. Any request gives one; nothing is raised for what a client sends, nor for what
        a function of the application raises: that is told in ``outcome.failures``.

        Raises:
            InvalidValue: ``request`` is no Request.
        """
        if not isinstance(request, Request):
            raise InvalidValue(f"handle takes a Request, not {type(request).__name__}")
        shortcut = self.shortcut
        if shortcut is not None:
            found = shortcut.find(request.method, request.url, request.headers, request.received_at)
            if found is not None:
                settled, hit, cookie = found
                return _outcome(settled.answer(cookie), hit, settled.reason)
        service = self._service.answer(request)
        if service is not None:
            return service
        return _Exchange(self, request).outcome()


class _Exchange:
    """One request on its way to an answer: what is asked of functions that may fail is asked here."""

    def __init__(self, handler: RedirectHandler, request: Request) -> None:
        self._handler = handler
        self._request = request
        self._failures: tuple[Failure, ...] = ()

    def outcome(self) -> Outcome:
        hit = self._hit()
        meaning = self._meaning(hit)
        response = self._response(hit, meaning)
        if response.status >= 400 and (
            meaning.kind is not None or meaning.resolution.hosted is not None or meaning.reason is _UNAVAILABLE
        ):
            # What was refused is no event, live and read from the log: the hit says so.
            hit = evolve(hit, status=response.status)
            meaning = meaning if meaning.reason is _UNAVAILABLE else self._meaning(hit)
        shortcut = self._handler.shortcut
        if shortcut is not None and not self._failures:
            shortcut.learn(hit, meaning, response)
        hit, cookies, failed = self._handler._visitors.known(self._request, hit, meaning)
        self._failures += failed
        if cookies:
            response = made_response(response.status, response.headers + cookies, response.body)
        if hit.method == "HEAD":
            response = evolve(response, body=b"")
        return _outcome(response, hit, _WORDS[meaning.reason], self._failures)

    def _got(self, result: _T | Failure) -> _T | None:
        """A result, or None where there was a failure, which is kept."""
        if isinstance(result, Failure):
            self._failures += (result,)
            return None
        return result

    def _hit(self) -> Hit:
        request, visitors = self._request, self._handler._visitors
        headers = request.headers
        purpose = headers.first_of(PURPOSE_HEADERS)
        # What is put in was made fit by the request; the words of ``purpose`` and ``privacy`` are ours.
        hit = made_hit(
            method=request.method[:16],
            url=request.url[:_MAX_URL],
            received_at=request.received_at,
            user_agent=header_text(headers.first("user-agent")),
            referrer=header_text(headers.first("referer")),
            purpose=prefetch_purpose(purpose) if purpose else "",
            privacy=visitors.privacy(headers),
        )
        return hit if self._handler._tags is None else visitors.with_sessions(hit, headers)

    def _meaning(self, hit: Hit) -> Meaning:
        # With a registry that is away or damaged, what the URL says is not known now, and may be when the log is read.
        handler, tags = self._handler, self._handler._tags
        meaning = self._got(tried("resolver", meaning_of, hit, handler._resolver, tags))
        if meaning is not None:
            return meaning
        return evolve(_UNREAD, is_tag=tags is not None and tags.read(hit.url) is not None)

    def _response(self, hit: Hit, meaning: Meaning) -> Response:
        resolution, reason = meaning.resolution, meaning.reason
        page = resolution.hosted
        allowed = ("GET", "HEAD", "POST") if page is _OPT_OUT else ("GET", "HEAD")
        if reason is not _UNKNOWN and hit.method not in allowed:
            texts = self._texts(resolution)
            refused = plain_page(405, texts.method_title, texts.method_text, texts)
            return evolve(refused, headers=(*refused.headers, ("allow", ", ".join(allowed))))
        if page is _OPT_OUT:
            return self._opt_out(meaning)
        if page is not None and resolution.outcome is _VALID:
            return self._authors_page(page, resolution)
        if meaning.is_tag or (resolution.link_type is _OPEN and resolution.destination is None):
            # The image is drawn whatever the token says: a broken picture helps nobody.
            return _LOST_IMAGE if reason is _UNKNOWN else _IMAGE
        if reason is _UNAVAILABLE:
            return self._elsewhere(resolution)
        if resolution.destination is not None:
            return self._led_on(resolution.destination, resolution)
        substitute = self._substitute(resolution)
        if substitute is not None:
            return _found(substitute)
        texts = self._texts(resolution)
        if resolution.expires_at is not None:
            return plain_page(410, texts.expired_title, texts.expired_text, texts)
        return self._nowhere(resolution)

    def _led_on(self, destination: str, resolution: Resolution) -> Response:
        """To where a link leads, unless somebody has a word against it."""
        led_on = _leading_to(destination)
        if led_on is None or (self._handler._blocks_unsigned and resolution.outcome is _ANONYMOUS):
            return self._nowhere(resolution)
        check = self._handler._check
        if check is None:
            return led_on
        is_admitted = self._got(tried("check", _admitted, check, resolution))
        if is_admitted is None:
            return self._elsewhere(resolution)
        if is_admitted:
            return led_on
        texts = self._texts(resolution)
        return plain_page(403, texts.blocked_title, texts.blocked_text, texts)

    def _opt_out(self, meaning: Meaning) -> Response:
        """The page asks, whatever the token; only a ``POST`` acts, and one that says nothing else than that."""
        texts = self._texts(meaning.resolution)
        if self._request.method != "POST":
            return ask_page(texts)
        if not asks_to_leave(self._request):
            return ask_page(texts, 400)
        if meaning.reason is _UNKNOWN:
            return lost_page(texts)
        return done_page(texts) if meaning.kind is not None else ask_page(texts)

    def _authors_page(self, page: HostedPage, resolution: Resolution) -> Response:
        hook = self._handler._hooks[page]
        if hook is None:
            return self._nowhere(resolution)
        made = tried(page.value, _made, hook, page, resolution)
        if made is None:
            return self._nowhere(resolution)
        return self._got(made) or self._later(resolution)

    def _substitute(self, resolution: Resolution) -> str | None:
        """Where an expired link leads instead, fit for a header."""
        if resolution.delivery_id is None:
            return None
        target = self._got(tried("deliveries", _expired_target, self._handler._deliveries, resolution.delivery_id))
        return target or self._handler._fallback

    def _elsewhere(self, resolution: Resolution) -> Response:
        """To the page for such cases, if there is one: what the link says is not to be had, or not to be trusted now."""
        fallback = self._handler._fallback
        return self._later(resolution) if fallback is None else _found(fallback)

    def _later(self, resolution: Resolution) -> Response:
        texts = self._texts(resolution)
        return plain_page(404, texts.later_title, texts.later_text, texts)

    def _nowhere(self, resolution: Resolution) -> Response:
        texts = self._texts(resolution)
        return plain_page(404, texts.nowhere_title, texts.nowhere_text, texts)

    def _texts(self, resolution: Resolution) -> PageTexts:
        handler = self._handler
        wanted = None
        if handler._language is not None and resolution.delivery_id is not None:
            wanted = self._got(tried("language", _language, handler._language, resolution))
        return texts_for(handler._languages, wanted, self._request.header("accept-language"))


def _with_links(tracker: Resolver, links: object) -> Resolver:
    """A resolver like this one, with a registry that is not its own."""
    if isinstance(links, type) or not callable(getattr(links, "find", None)):
        raise InvalidValue(f"links must be a registry that finds links by key (find), not {shown(links)}")
    if not hasattr(tracker, "registry"):
        raise InvalidValue(f"links cannot be given to a {type(tracker).__name__}: it has no registry")
    tracker = copy.copy(tracker)
    tracker.registry = links
    return tracker


def _admitted(check: Callable[[Resolution], bool], resolution: Resolution) -> bool:
    said: object = check(resolution)
    if not isinstance(said, bool):
        raise InvalidValue(f"check must give True or False, not {type(said).__name__}")
    return said


def _language(language: Callable[[Resolution], str | None], resolution: Resolution) -> str | None:
    said: object = language(resolution)
    if said is not None and not isinstance(said, str):
        raise InvalidValue(f"language must give text or None, not {type(said).__name__}")
    return said


def _made(hook: Callable[[Resolution], str | None], page: HostedPage, resolution: Resolution) -> Response | None:
    """The answer that an author's function makes of a page; None when it says that there is none."""
    made: object = hook(resolution)
    if made is None:
        return None
    if not isinstance(made, str):
        raise InvalidValue(f"the {page.value} page must be text or None, not {type(made).__name__}")
    if page is not HostedPage.PREFERENCES or not _ADDRESS.fullmatch(made):
        return authors_page(made)
    target = location(made.strip())
    if target is None:
        raise InvalidValue("the preferences page is neither HTML nor an http(s) URL")
    return _found(target)


def _expired_target(deliveries: Mapping[str, Delivery], delivery_id: str) -> str | None:
    delivery = deliveries.get(delivery_id)
    return None if delivery is None or not delivery.expired_url else location(delivery.expired_url)


@lru_cache(maxsize=1_024)
def _leading_to(destination: str) -> Response | None:
    """The answer that leads to where a link does, made once for all who follow it; None when it is not http(s)."""
    target = location(destination)
    return None if target is None else _found(target)


def _found(target: str) -> Response:
    return Response(status=302, headers=(*COMMON, ("location", target)))
