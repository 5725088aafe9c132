"""The demonstration's audience: plays its visits over real HTTP, and notes each deed that the server answered."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import count
from random import Random
from typing import Any

from attrs import define, field, frozen

from msgtrack.cli.demo.campaign import Browser, Recipient, Step, Visit
from msgtrack.cli.demo.mailing import Inbox
from msgtrack.errors import MissingExtra, ServerError

__all__ = ["Deed", "Played", "play"]

_PARALLEL = 24
_TIMEOUT_SECONDS = 30.0
# Opens of one message within one campaign minute count once; a real audience cannot aim at minutes of a fast clock, so it keeps them apart.
_OPEN_GAP_CAMPAIGN_SECONDS = 150.0


@frozen
class Deed:
    """Something a reader did that must be counted: ``open`` or ``click``; by whom (None: unknown), on which link,
    in which browser.
    """

    what: str
    recipient: Recipient | None
    part: str
    link: int
    browser: str


@define
class Played:
    """All that happened: the deeds, and how many requests got which answer that was not as it should be."""

    deeds: list[Deed] = field(factory=list)
    requests: int = 0
    wrong: list[str] = field(factory=list)


def play(
    visits: list[Visit],
    inboxes: dict[str, Inbox],
    destinations: dict[str, list[str]],
    *,
    foreign_message: str,
    campaign_per_second: float,
    random: Random,
    step: Callable[[int], None],
) -> Played:
    """Play every visit at its time.

    Args:
        visits: in order of time.
        inboxes: the tracked URLs that arrived, by address; nothing else is known of them.
        destinations: where the links of ``html`` and ``text`` must lead.
        foreign_message: the message part of another delivery, for links put together from two mails.
        campaign_per_second: campaign seconds in one of ours.
        random: for damage and forgery.
        step: called once a visit.

    Raises:
        MissingExtra: httpx is not installed.
        ServerError: the server went away.
    """
    try:
        import httpx
    except ImportError as error:
        raise MissingExtra("the demo needs the package 'httpx'", hint="pip install 'msgtrack[demo]'") from error
    stage = _Stage(inboxes, destinations, foreign_message, campaign_per_second, random)

    async def run() -> None:
        limits = httpx.Limits(max_connections=_PARALLEL, max_keepalive_connections=_PARALLEL)
        # Each browser keeps its own cookies; the client that they all share takes none.
        jar = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        async with httpx.AsyncClient(limits=limits, timeout=_TIMEOUT_SECONDS, cookies=jar, trust_env=False) as client:
            await stage.play(client, visits, step)

    lost: BaseException | None = None
    try:
        asyncio.run(run())
    except* httpx.TransportError as errors:
        lost = errors
        while isinstance(lost, BaseExceptionGroup):
            lost = lost.exceptions[0]
    # Raised outside of the block above, which would put it in a group again.
    if lost is not None:
        raise ServerError(f"the redirect server went away: {str(lost) or type(lost).__name__}") from lost
    return stage.played


class _Stage:
    def __init__(
        self, inboxes: dict[str, Inbox], destinations: dict[str, list[str]], foreign: str, rate: float, random: Random
    ) -> None:
        self.played = Played()
        self._inboxes = inboxes
        self._destinations = destinations
        self._foreign = foreign
        self._rate = rate
        self._random = random
        self._strangers = count()
        self._browsers: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._messages: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last_open: dict[str, float] = {}

    async def play(self, client: Any, visits: list[Visit], step: Callable[[int], None]) -> None:
        gate = asyncio.Semaphore(_PARALLEL)
        start = time.monotonic()

        async def go(visit: Visit) -> None:
            try:
                async with self._browsers[id(visit.browser)]:
                    for one in visit.steps:
                        await self._step(client, visit.recipient, visit.browser, one)
            finally:
                gate.release()
                step(1)

        async with asyncio.TaskGroup() as group:
            for visit in visits:
                wait = start + visit.at / self._rate - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await gate.acquire()
                group.create_task(go(visit))

    async def _step(self, client: Any, recipient: Recipient, browser: Browser, step: Step) -> None:
        inbox = self._inboxes[recipient.address]
        if step.what == "open":
            await self._open(client, recipient, browser, inbox.opens[0])
            return
        if step.what == "forged-open":
            await self._ask(client, browser, _altered(inbox.opens[0], self._random), expect=404)
            return
        part = recipient.format
        url = (inbox.html if part == "html" else inbox.text)[step.link]
        target = self._destinations[part][step.link]
        if step.what == "head":
            await self._ask(client, browser, url, method="HEAD", expect=302, target=target)
        elif step.what == "prefetch":
            await self._ask(client, browser, url, headers={"sec-purpose": "prefetch"}, expect=302, target=target)
        elif step.what == "forged":
            await self._ask(client, browser, _forged(url, self._random), expect=404)
        else:
            named: Recipient | None = recipient
            if step.what == "damaged":
                url = _damaged(url, step.how)
            elif step.what == "anonymous":
                url, named = self._without_identity(url, step.how), None
            if await self._ask(client, browser, url, expect=302, target=target):
                person = browser.name if browser.takes_cookies else f"stranger-{next(self._strangers)}"
                self.played.deeds.append(Deed("click", named, part, step.link, person))

    async def _open(self, client: Any, recipient: Recipient, browser: Browser, url: str) -> None:
        async with self._messages[recipient.message_id]:
            last = self._last_open.get(recipient.message_id)
            if last is not None:
                rest = last + _OPEN_GAP_CAMPAIGN_SECONDS / self._rate - time.monotonic()
                await asyncio.sleep(max(rest, 0))
            if await self._ask(client, browser, url, expect=200):
                self.played.deeds.append(Deed("open", recipient, "html", -1, browser.name))
            self._last_open[recipient.message_id] = time.monotonic()

    async def _ask(
        self,
        client: Any,
        browser: Browser,
        url: str,
        *,
        expect: int,
        method: str = "GET",
        target: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> bool:
        sent = {"user-agent": browser.agent, **(headers or {})}
        if browser.cookie:
            sent["cookie"] = browser.cookie
        answer = await client.request(method, url, headers=sent, follow_redirects=False)
        self.played.requests += 1
        given = answer.headers.get("set-cookie")
        if given and browser.takes_cookies:
            browser.cookie = given.partition(";")[0]
        if answer.status_code != expect:
            self.played.wrong.append(f"{method} {url}: {answer.status_code} instead of {expect}")
            return False
        if target is not None and target.isascii() and " " not in target and answer.headers["location"] != target:
            self.played.wrong.append(f"{url} leads to {answer.headers['location']} instead of {target}")
        return True

    def _without_identity(self, url: str, how: str) -> str:
        head, _, message = url.rpartition("/")
        if how == "cut":
            return f"{head}/{message[: len(message) // 2].rstrip('.-')}"
        return f"{head}/{self._foreign}" if how == "foreign" else _altered(url, self._random)


def _other(character: str) -> str:
    return "x" if character != "x" else "y"


def _altered(url: str, random: Random) -> str:
    """One character of the signature at the end is another one."""
    place = len(url) - 1 - random.randrange(16)
    return url[:place] + _other(url[place]) + url[place + 1 :]


def _forged(url: str, random: Random) -> str:
    """The link part says something that nobody signed."""
    head, _, message = url.rpartition("/")
    return f"{_altered(head, random)}/{message}"


def _damaged(url: str, how: str) -> str:
    """What gateways do to links; every one of these must still be understood."""
    head, _, message = url.rpartition("/")
    place, _, link = head.rpartition("/")
    return {
        "upper-case": f"{place}/{link.upper()}/{message.upper()}",
        "bracket": f"{url})",
        "parameters": f"{url}?source=newsletter",
        "ampersand": f"{url}&amp;x=1",
        "encoded": f"{place}/{link}%2F{message.replace('-', '%252D')}",
    }[how]
