"""Who is behind a request, as far as its policy lets anybody know: person keys, sessions, addresses."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from functools import partial

from attrs import evolve

from msgtrack._trusted import trusted
from msgtrack.decide import Meaning, Reason, person_key
from msgtrack.errors import InvalidValue
from msgtrack.hits import Hit, wants_privacy
from msgtrack.model import Consent, LinkType, PeoplePolicy, ResolutionOutcome
from msgtrack.protocols import Resolver, Sessions
from msgtrack.redirect.cookies import SOURCE_ID, TOKEN, attributes, cookie_of
from msgtrack.redirect.exchange import Failure, Headers, Request
from msgtrack.redirect.guarding import tried
from msgtrack.redirect.proxies import TrustedProxies, truncated_address
from msgtrack.webtags import WebMode, WebTags

__all__ = ["Visitors", "random_source_id"]

# One of less than eight is given out all the same; it is not known again when it comes back, as anybody could guess it.
_GIVEN = re.compile(r"[A-Za-z0-9-]{1,64}")

_DRAWN = 64

# A hit of fields that hold already: each click makes two.
made_hit = trusted(Hit)

_OPEN = LinkType.OPEN

Cookies = tuple[tuple[str, str], ...]


def random_source_id() -> str:
    """A fresh person key: 32 random hexadecimal digits."""
    return secrets.token_hex(16)


class _FreshKeys:
    """Makes keys as :func:`random_source_id` does, of bytes drawn for many: whoever asks the system lets other threads have the
    interpreter, and may wait longer for it than all of a click takes.
    """

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._process = 0

    def __call__(self) -> str:
        process = os.getpid()
        if process != self._process:
            # What was drawn before a fork is the other process's, too.
            self._keys, self._process = [], process
        try:
            return self._keys.pop()
        except IndexError:
            drawn = secrets.token_hex(16 * _DRAWN)
            self._keys = keys = [drawn[at : at + 32] for at in range(0, len(drawn), 32)]
            return keys.pop()


def _keyed(hit: Hit, source_id: str) -> Hit:
    # In the order of the fields, as evolve would do it with every converter.
    return made_hit(
        hit.method, hit.url, hit.received_at, hit.user_agent, hit.referrer, hit.purpose, hit.client_ip, source_id, hit.status,
        hit.request_id, hit.privacy, hit.session, hit.earlier,
    )  # fmt: skip


def _checked(new_source_id: Callable[[], str]) -> str:
    made: object = new_source_id()
    if not isinstance(made, str) or not _GIVEN.fullmatch(made):
        raise InvalidValue("new_source_id must give letters, digits and hyphens, at most 64")
    return made


class Visitors:
    """Puts into a hit what may be known of its reader, and says which cookies to set."""

    def __init__(
        self,
        people: PeoplePolicy,
        resolver: Resolver,
        new_source_id: Callable[[], str],
        tags: WebTags | None,
        proxies: TrustedProxies | None,
        *,
        is_secure: bool,
    ) -> None:
        self.people = people
        self._resolver = resolver
        self._sessions = resolver if tags is not None and isinstance(resolver, Sessions) else None
        # Our own are what they must be.
        is_own = new_source_id is random_source_id
        self.fresh_key: Callable[[], str | Failure] = (
            _FreshKeys() if is_own else partial(tried, "new-source-id", _checked, new_source_id)
        )
        self._tags = tags
        self._proxies = proxies
        self._lasting = attributes(people, is_lasting=True, is_secure=is_secure)
        self._passing = attributes(people, is_lasting=False, is_secure=is_secure)

    def privacy(self, headers: Headers) -> str:
        """What the browser's wish comes to; see ``Hit.privacy``."""
        if not wants_privacy(headers.first("sec-gpc")) or self.people.gpc == "ignore":
            return ""
        return self.people.gpc

    def with_sessions(self, hit: Hit, headers: Headers) -> Hit:
        """The hit of a web tag with the tokens of its browser, those that hold and are needed."""
        tags = self._tags
        if tags is None or self.people.key != "cookie" or hit.privacy or tags.read(hit.url) is None:
            return hit
        session = self._token(headers, self.people.session_cookie)
        earlier = "" if session or tags.mode is WebMode.SESSION else self._token(headers, self.people.earlier_cookie)
        return evolve(hit, session=session, earlier=earlier) if session or earlier else hit

    def known(self, request: Request, hit: Hit, meaning: Meaning) -> tuple[Hit, Cookies, tuple[Failure, ...]]:
        """The hit with what is known of its reader, the cookies to set, and what failed on the way."""
        if not meaning.may_key:
            return hit, (), ()
        people = self.people
        if people.client_ip == "truncated" and meaning.consent is Consent.IDENTIFIED:
            hit = evolve(hit, client_ip=truncated_address(self._address(request)))
        if people.key == "none":
            return hit, (), ()
        if people.key == "hash":
            key = person_key(evolve(hit, client_ip=self._address(request)), self._resolver)
            return evolve(hit, source_id=key), (), ()
        hit, cookies, failures = self._by_cookie(request.headers, hit, meaning)
        if self._sessions is not None and meaning.reason is Reason.CLICK:
            cookies += self._session_cookies(self._sessions.session_token(meaning.resolution))
        return hit, cookies, failures

    def _by_cookie(self, headers: Headers, hit: Hit, meaning: Meaning) -> tuple[Hit, Cookies, tuple[Failure, ...]]:
        known = self.key_of(headers)
        if known is not None:
            return _keyed(hit, known), (), ()
        tags = self._tags
        is_new = tags is not None and tags.track_visitors and tags.mode.is_anonymous
        # Images in mail are loaded in a third party's context, often by a proxy for many people: no key is given out there.
        if meaning.resolution.link_type is _OPEN or (meaning.is_tag and not is_new):
            return hit, (), ()
        fresh = self.fresh_key()
        if isinstance(fresh, Failure):
            return hit, (), (fresh,)
        return _keyed(hit, fresh), (("set-cookie", self.cookie(fresh)),), ()

    def key_of(self, headers: Headers) -> str | None:
        """The person key that a browser brings, if it brings a fit one."""
        return cookie_of(headers, self.people.cookie_name, SOURCE_ID)

    def cookie(self, source_id: str) -> str:
        """The cookie that holds a person key for the next time."""
        return f"{self.people.cookie_name}={source_id}{self._lasting}"

    def _session_cookies(self, token: str) -> Cookies:
        people, tags = self.people, self._tags
        if not TOKEN.fullmatch(token) or tags is None:
            return ()
        cookies: Cookies = (("set-cookie", f"{people.session_cookie}={token}{self._passing}"),)
        if tags.mode is not WebMode.SESSION:
            cookies = (*cookies, ("set-cookie", f"{people.earlier_cookie}={token}{self._lasting}"))
        return cookies

    def _token(self, headers: Headers, name: str) -> str:
        token = cookie_of(headers, name, TOKEN)
        if token is None or self._sessions is None:
            return ""
        # What does not hold is not kept: a log of it would be a log of other people's cookies.
        return token if self._sessions.read_session(token).outcome is ResolutionOutcome.VALID else ""

    def _address(self, request: Request) -> str:
        return request.client_ip if self._proxies is None else self._proxies.client_of(request)
