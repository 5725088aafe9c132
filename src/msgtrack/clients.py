"""What a user agent says of a program: browser, operating system, device; for the breakdowns of the reference.

Image proxies and mail programs are told first, by the ordered table :data:`PROGRAMS` of this file, because general tables take
them for robots or for the browser that they pretend to be. What is left is read by ``ua-parser`` with its compiled
matcher (``pip install "msgtrack[agents]"``). What was read is remembered, in bounds.

An image proxy hides its client: whatever else its user agent pretends, system and device stay empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from attrs import evolve, field, frozen

from msgtrack._borders import closed, count
from msgtrack.errors import InvalidValue, MissingExtra
from msgtrack.events import Event
from msgtrack.model import Client

__all__ = ["PROGRAMS", "ClientReader", "Program"]


def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(value)


@closed
@frozen(kw_only=True)
class Program:
    """A row of the table: a regular expression that is searched for, whose group, if there is one, is the version; and the name.

    With ``hides`` the program asks for somebody else, of whom nothing is known.
    """

    name: str
    pattern: re.Pattern[str] = field(converter=_pattern)
    hides: bool = False


def _row(name: str, pattern: str, *, hides: bool = False) -> Program:
    return Program(name=name, pattern=pattern, hides=hides)


PROGRAMS: tuple[Program, ...] = (
    # Gmail's proxy says "Firefox/11.0" of Windows XP, or Chrome of Windows 10, whoever reads.
    _row("Gmail image proxy", r"GoogleImageProxy|via ggpht\.com", hides=True),
    _row("Yahoo Mail image proxy", r"YahooMailProxy", hides=True),
    # Apple's relay says no more than this; nobody else does.
    _row("Apple Mail privacy relay", r"\AMozilla/5\.0\Z", hides=True),
    _row("Outlook Express", r"Outlook-Express/([0-9]+)"),
    _row("Outlook", r"MacOutlook/([0-9]+)"),
    _row("Outlook", r"Microsoft Outlook (?:Mail )?([0-9]+)"),
    _row("Outlook", r"ms-office; MSOffice ([0-9]+)"),
    # The version in brackets is the program's, the number before it that of a build.
    _row("Outlook mobile", r"Outlook-(?:iOS|Android)/[^ ]{1,80} \(([0-9]+)"),
    _row("Outlook mobile", r"Outlook-(?:iOS|Android)"),
    _row("Exchange", r"\AMicrosoft Exchange/([0-9]+)"),
    _row("Thunderbird", r"Thunderbird/([0-9]+)"),
    _row("Lotus Notes", r"Lotus-Notes/([0-9]+)"),
    _row("Airmail", r"\AAirmail ([0-9]+)"),
    _row("Postbox", r"Postbox(?:App)?/([0-9]+)"),
    _row("eM Client", r"\beM ?Client/([0-9]+)"),
    _row("KMail", r"\b[Kk][Mm]ail2?/([0-9]+)"),
    _row("Evolution", r"\AEvolution/([0-9]+)"),
    _row("Yahoo Mail", r"YahooMobileMail/([0-9]+)|\AYahooMobile/[0-9.]{1,20} \(mail"),
    _row("Apple Mail", r"\A(?:Mac OS X/.{0,80}|)\bMail/([0-9]+)"),
    # WebKit on a device of Apple's that names no browser: Apple Mail shows messages so, and so do other programs that
    # show pages inside.
    _row(
        "Apple Mail",
        r"\((?:Macintosh|iPhone|iPad|iPod)[^)]{0,120}\) AppleWebKit/[0-9.]{1,20} \(KHTML, like Gecko\)(?: Mobile/\w{1,12})? ?\Z",
    ),
)
"""Programs by what their user agents hold, the first that fits."""

_MOBILE_SYSTEMS = frozenset(
    {
        "Android", "BlackBerry OS", "BlackBerry Tablet OS", "Firefox OS", "HarmonyOS", "KaiOS", "Symbian OS", "Tizen",
        "Windows Mobile", "Windows Phone", "iOS", "webOS",
    }
)  # fmt: skip
_APPLE_DEVICES = ("iPhone", "iPad", "iPod")
_COMPUTERS = {
    "Windows": "PC", "Linux": "PC", "Ubuntu": "PC", "Fedora": "PC", "Debian": "PC", "Chrome OS": "PC", "FreeBSD": "PC", "OpenBSD": "PC",
    "Mac OS X": "Mac",
}  # fmt: skip
_ROBOT = "Spider"
_MAX_AGENT = 2_000
"""Characters of a user agent that are looked at; hits keep fewer."""


class ClientReader:
    """Reads user agents; calling it gives the :class:`~msgtrack.model.Client` of one.

    ``browser`` is the family (mobile editions of a browser are families of their own), ``browser_version`` its first number;
    ``os`` the family, ``os_version`` its first two numbers; ``device`` is ``iPhone``, ``iPad``, ``iPod``, ``Android``, ``PC``,
    ``Mac``, ``robot``, or empty. ``is_mobile`` is None where neither system nor agent tells; tablets are mobile.
    What cannot be told is empty. The same text gives the same client, whatever came before.

    Args:
        remembered: how many user agents are remembered at most.

    Raises:
        MissingExtra: ``ua-parser`` is not installed, or comes without a compiled matcher.
        InvalidValue: ``remembered`` is no count.

    >>> read = ClientReader()
    >>> read("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)").browser
    'Gmail image proxy'
    """

    def __init__(self, *, remembered: int = 10_000) -> None:
        parse = _parser()
        self._remembered = count(remembered)
        self._read: Callable[[str], Client] = lru_cache(maxsize=self._remembered)(lambda agent: _client(agent, parse))

    def __reduce__(self) -> tuple[Callable[[], ClientReader], tuple[()]]:
        # What was read stays here: another process reads anew.
        return partial(ClientReader, remembered=self._remembered), ()

    def __call__(self, user_agent: str) -> Client:
        """The client of a user agent.

        Raises:
            InvalidValue: it is not text.
        """
        if not isinstance(user_agent, str):
            raise InvalidValue(f"a user agent must be text, not {type(user_agent).__name__}")
        return self._read(user_agent)

    def event(self, event: Event) -> Event:
        """The event with what its user agent says; one without, and one whose client was read already, as it is.

        Its id stays: what is read out of a user agent is no part of it.
        """
        client = event.client
        if client is None or not client.user_agent or client != Client(user_agent=client.user_agent):
            return event
        return evolve(event, client=self(client.user_agent))


def _parser() -> Callable[[str], Any]:
    try:
        from ua_parser import Parser
        from ua_parser.loaders import load_builtins
        from ua_parser.regex import Resolver
    except ImportError as error:
        raise MissingExtra(
            "reading user agents needs ua-parser with its compiled matcher", hint='pip install "msgtrack[agents]"'
        ) from error
    parse: Callable[[str], Any] = Parser(Resolver(load_builtins())).parse
    return parse


def _client(user_agent: str, parse: Callable[[str], Any]) -> Client:
    agent = user_agent[:_MAX_AGENT]
    found = ((program, match) for program in PROGRAMS if (match := program.pattern.search(agent)))
    program, match = next(found, (None, None))
    browser = version = ""
    if program is not None and match is not None:
        browser = program.name
        version = (match[1] or "") if program.pattern.groups else ""
        if program.hides:
            return Client(user_agent=user_agent, browser=browser, browser_version=version)
    said = parse(agent)
    if program is None and said.user_agent is not None:
        browser, version = said.user_agent.family, said.user_agent.major or ""
    system = "" if said.os is None else said.os.family
    numbers = () if said.os is None else (said.os.major, said.os.minor)
    device = "" if said.device is None else said.device.family
    return Client(
        user_agent=user_agent,
        browser=browser,
        browser_version=version,
        os=system,
        os_version=".".join(_leading(numbers)),
        device=_device(system, device),
        is_mobile=_is_mobile(agent, system, device),
    )


def _leading(numbers: tuple[str | None, ...]) -> list[str]:
    found: list[str] = []
    for number in numbers:
        if not number:
            break
        found.append(number)
    return found


def _device(system: str, device: str) -> str:
    if device == _ROBOT:
        return "robot"
    for name in _APPLE_DEVICES:
        if device.startswith(name):
            return name
    return "Android" if system == "Android" else _COMPUTERS.get(system, "")


def _is_mobile(agent: str, system: str, device: str) -> bool | None:
    if device == _ROBOT:
        return None
    if system in _MOBILE_SYSTEMS or "Mobi" in agent:
        return True
    return False if system in _COMPUTERS else None
