"""The demonstration's plan: who gets the newsletter, and what each of them will do with it. Made by one seeded
generator.
"""

from __future__ import annotations

from random import Random

from attrs import define, field, frozen

__all__ = ["Browser", "Recipient", "Step", "Visit", "plan_recipients", "plan_visits"]

# Domain, the class that reports put it in, and its share. Written out here on purpose: the ground truth must not ask the library.
DOMAINS = (
    ("gmail.com", "Gmail", 38),
    ("googlemail.com", "Gmail", 2),
    ("yahoo.com", "Yahoo", 14),
    ("outlook.com", "Hotmail", 12),
    ("hotmail.co.uk", "Hotmail", 6),
    ("aol.com", "AOL", 4),
    ("msn.com", "MSN", 2),
    ("firm.example", "Others", 12),
    ("school.example", "Others", 10),
)
HOUR = 3_600
CAMPAIGN_SECONDS = 72 * HOUR


@frozen(kw_only=True)
class Recipient:
    """One recipient: message id, address, expected domain class, format, and what the mail server and the reader
    make of the message.
    """

    message_id: str
    address: str
    domain: str
    format: str
    is_seed: bool = False
    is_refused: bool = False
    complains: bool = False


@define
class Browser:
    """One browser; ``cookie`` is what it was given, and stays empty where it takes none."""

    name: str
    agent: str
    takes_cookies: bool = True
    cookie: str = ""


@frozen
class Step:
    """One thing done: ``open``, ``click``, ``head``, ``prefetch``, ``damaged``, ``anonymous`` or ``forged``, and on
    which link (from 0).
    """

    what: str
    link: int = 0
    how: str = ""


@define
class Visit:
    """What one browser does in one go, ``at`` seconds after the start of the campaign."""

    at: float
    recipient: Recipient
    browser: Browser
    steps: list[Step] = field(factory=list)


_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
)
_PROXY_AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_SCANNER_AGENT = "Mozilla/5.0 (compatible; ExampleMailScanner/1.0)"


def plan_recipients(count: int, random: Random) -> list[Recipient]:
    """``count`` recipients; one in a hundred is a seed address (at least one where there are twenty)."""
    seeds = max(count // 100, 1) if count >= 20 else 0
    domains = random.choices(DOMAINS, weights=[share for _, _, share in DOMAINS], k=count)
    recipients = []
    for number, (domain, domain_class, _) in enumerate(domains):
        fate = random.random()
        recipients.append(
            Recipient(
                message_id=str(100_000 + number),
                address=f"reader{number}@{domain}",
                domain=domain_class,
                format="text" if random.random() < 0.08 else "html",
                is_seed=number < seeds,
                is_refused=fate < 0.015,
                complains=0.015 <= fate < 0.02,
            )
        )
    return recipients


def plan_visits(
    recipients: list[Recipient], html_links: list[str], text_links: list[str], random: Random
) -> list[Visit]:
    """What everybody does, in order of time.

    Args:
        recipients: those whose message arrived.
        html_links: the kinds of the HTML part's links in order: ``click``, ``opt-out`` or ``mirror-page``.
        text_links: the same for the text part.
    """
    planner = _Planner(random)
    for recipient in recipients:
        planner.plan(recipient, html_links if recipient.format == "html" else text_links)
    return sorted(planner.visits, key=lambda visit: visit.at)


class _Planner:
    def __init__(self, random: Random) -> None:
        self.visits: list[Visit] = []
        self._random = random
        self._browsers = 0

    def plan(self, recipient: Recipient, kinds: list[str]) -> None:
        random = self._random
        clicks = [index for index, kind in enumerate(kinds) if kind == "click"]
        mirrors = [index for index, kind in enumerate(kinds) if kind == "mirror-page"]
        opt_outs = [index for index, kind in enumerate(kinds) if kind == "opt-out"]
        everything = list(range(len(kinds)))
        if random.random() < 0.01:
            self._scanner(recipient, everything)
        if random.random() < 0.03:
            self._probe(recipient, everything)
        if random.random() >= 0.52:
            return
        at = self._delay()
        reader = self._browser()
        shows_images = recipient.format == "html" and random.random() < 0.85
        if shows_images:
            again = [at + random.expovariate(1 / (8 * HOUR)) for chance in (0.3, 0.1) if random.random() < chance]
            for moment in (at, *again):
                viewer = Browser("proxy", _PROXY_AGENT, takes_cookies=False) if recipient.domain == "Gmail" else reader
                self._visit(moment, recipient, viewer, [Step("open")])
        if mirrors and random.random() < 0.08:
            self._visit(at + 60, recipient, reader, [Step("click", random.choice(mirrors))])
        if clicks and random.random() < (0.3 if shows_images else 0.2):
            self._visit(
                at + 90, recipient, reader, [self._click(clicks) for _ in range(random.choice((1, 1, 1, 2, 3, 4)))]
            )
            if random.random() < 0.15:
                self._forward(recipient, clicks, at)
        if opt_outs and random.random() < 0.03:
            self._visit(at + 120, recipient, reader, [Step("click", random.choice(opt_outs))])

    def _click(self, clicks: list[int]) -> Step:
        random = self._random
        # Readers like what stands at the top.
        link = clicks[min(int(random.expovariate(0.6)), len(clicks) - 1)]
        chance = random.random()
        if chance < 0.06:
            return Step("damaged", link, random.choice(("upper-case", "bracket", "parameters", "ampersand", "encoded")))
        if chance < 0.09:
            return Step("anonymous", link, random.choice(("cut", "altered", "foreign")))
        return Step("click", link)

    def _forward(self, recipient: Recipient, clicks: list[int], at: float) -> None:
        for _ in range(self._random.choice((1, 1, 2, 3))):
            friend = self._browser()
            steps = [Step("open")] if recipient.format == "html" else []
            steps += [self._click(clicks) for _ in range(self._random.randrange(3))]
            self._visit(at + self._random.expovariate(1 / (12 * HOUR)), recipient, friend, steps)

    def _scanner(self, recipient: Recipient, links: list[int]) -> None:
        scanner = Browser("scanner", _SCANNER_AGENT, takes_cookies=False)
        steps = [Step("click", link) for link in links]
        self._visit(5, recipient, scanner, [Step("open"), *steps] if recipient.format == "html" else steps)

    def _probe(self, recipient: Recipient, links: list[int]) -> None:
        probe = Browser("probe", _SCANNER_AGENT, takes_cookies=False)
        steps = [Step(what, link) for link in links[:3] for what in ("head", "prefetch", "forged")]
        if recipient.format == "html":
            steps.append(Step("forged-open"))
        self._visit(self._delay(), recipient, probe, steps)

    def _browser(self) -> Browser:
        self._browsers += 1
        agent = self._random.choice(_AGENTS)
        return Browser(f"browser-{self._browsers}", agent, takes_cookies=self._random.random() < 0.85)

    def _delay(self) -> float:
        return min(self._random.lognormvariate(2.1, 0.8), 60) * HOUR

    def _visit(self, at: float, recipient: Recipient, browser: Browser, steps: list[Step]) -> None:
        if steps:
            self.visits.append(Visit(min(at, CAMPAIGN_SECONDS - HOUR), recipient, browser, steps))
