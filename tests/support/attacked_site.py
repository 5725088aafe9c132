"""A site with every door that might lead somewhere: run as a program, it serves on a free port until its input ends.

Whoever attacks it imports it too, and so knows its addresses. What it may lead to is in ``ALLOWED``.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from html import unescape

from attacks import NO_DESTINATIONS
from attrs import evolve, field, frozen
from forgeries import OTHER_SECRET

from msgtrack import Delivery, Keyring, TrackedLink, Tracker
from msgtrack.io import ManifestRegistry
from msgtrack.links import MemoryRegistry
from msgtrack.links.tokens import LinkTexts
from msgtrack.model import LinkType, Part, Resolution
from msgtrack.redirect import RedirectHandler
from msgtrack.webtags import WebTags

__all__ = [
    "ALLOWED",
    "BASE",
    "BLANK",
    "DESTINATION",
    "FALLBACK",
    "HTML",
    "PAGES",
    "SECRET",
    "TAG",
    "Site",
    "paths_of",
    "tokens_of",
]

BASE = "https://t.example.com"
SECRET = "a secret that is long enough to sign with"
DESTINATION = "https://shop.example/x?a=1&b=2"
FALLBACK = "https://late.example/"
EXPIRED = "https://over.example/"
PREFERENCES = "https://shop.example/wishes"
BLANK = "https://a.example/"
"""What the function for preferences gives with a blank before it, which says nothing."""
ALLOWED = frozenset((DESTINATION, FALLBACK, EXPIRED, PREFERENCES, BLANK))
PAGES = frozenset(map(str.encode, NO_DESTINATIONS))
"""What its function for preferences gives that is no address is shown as a page, for it says so."""
LABELS = '_label="&#13;&#10;X-Evil: label" _category="a&#10;X-Evil: category"'
HTML = f'<a href="https://shop.example/x?a=1&amp;b=2" {LABELS}>x</a>'
BREAK = "26\r\nX-Evil: delivery"
BAD = 4_000
"""The first of the deliveries whose things lead where no browser should go."""

OVER = datetime(2020, 1, 1, tzinfo=UTC)
TAG = "/r/1?tagid=home%7Cw&jobid=26&rcpid=email%3Da&amount=1.5&article=2&url=x"


def paths_of(html: str | None) -> list[str]:
    """The targets of a message's links and images, without the host."""
    found = re.findall(r'(?:href|src)="' + re.escape(BASE) + r'([^"]+)"', html or "")
    return [unescape(path) for path in found]


def tokens_of(paths: list[str]) -> set[str]:
    """What in them is worth being kept from others: whoever has it can ask for what it says."""
    return {part for path in paths for part in re.findall(r"[a-z0-9.-]{16,}", path)}


@frozen
class _Changed:
    """Links as somebody wrote them into a registry who did not ask us."""

    links: list[TrackedLink]


@frozen
class Site:
    """What the site signs and registers, in one format of URLs."""

    url_format: str
    registry: MemoryRegistry | ManifestRegistry = field(factory=MemoryRegistry)
    tracker: Tracker = field(init=False)
    click: str = field(init=False)
    """A click that leads to ``DESTINATION``; where the format can, without a registry."""
    opt_out: str = field(init=False)
    honest: list[str] = field(factory=list, init=False)
    """One address of each kind."""
    bad: list[str] = field(factory=list, init=False)
    """Addresses of things that were signed or registered, and lead where no browser should go."""

    @tracker.default
    def _made(self) -> Tracker:
        return _tracker(SECRET, self.url_format, self.registry)

    @click.default
    def _clicked(self) -> str:
        is_compact = self.url_format == "compact"
        return self._click(Tracker(BASE, Keyring.from_secrets(SECRET)) if is_compact else self.tracker, "26")[0]

    @opt_out.default
    def _left(self) -> str:
        return self.tracker.opt_out_url(delivery_id="26", message_id="7").removeprefix(BASE)

    def __attrs_post_init__(self) -> None:
        stateless = Tracker(BASE, Keyring.from_secrets(SECRET))
        for tracker, delivery_id in ((self.tracker, "26"), (stateless, "27"), (stateless, BREAK)):
            self.honest.extend(self._click(tracker, delivery_id))
        if self.url_format == "compact":
            self.honest.extend(self._click(self.tracker, BREAK))
        self.honest.extend(self._click(self.tracker, "28", over=True))
        hosted = (self.tracker.mirror_url, self.tracker.preferences_url)
        self.honest.extend(make(delivery_id="26", message_id="7").removeprefix(BASE) for make in hosted)
        self.honest.extend((self.click, self.opt_out, TAG))
        for number, destination in enumerate(NO_DESTINATIONS):
            self._open_doors(number, destination)
        self.bad.extend(self._unsigned())

    def _click(self, tracker: Tracker, delivery_id: str, *, over: bool = False) -> list[str]:
        compiled = tracker.compile(html=HTML, delivery_id=delivery_id, expires_at=OVER if over else None)
        self.registry.publish(compiled)
        return paths_of(compiled.render(message_id="7").html)

    def _open_doors(self, number: int, destination: str) -> None:
        """A registered link, one that was led elsewhere, a signed one, an expired one, and preferences."""
        delivery_id = str(BAD + number)
        for door, where in ((1_000, {"url": destination}), (2_000, {"target_url": destination})):
            compiled = self.tracker.compile(html=HTML, delivery_id=str(BAD + number + door))
            links = [evolve(link, **where) for link in compiled.links if link.url == DESTINATION]
            self.registry.publish(_Changed(links))
            self.bad.append(paths_of(compiled.render(message_id="7").html)[0])
        signed = LinkTexts(Keyring.from_secrets(SECRET), "", delivery_id=delivery_id, variant="", expires_at=None)
        self.bad.append("/" + signed.text(Part.HTML, "2", destination, LinkType.CLICK) + "/x")
        self.bad.extend(self._click(self.tracker, delivery_id, over=True))
        self.bad.append(self.tracker.preferences_url(delivery_id=delivery_id, message_id="7").removeprefix(BASE))

    def _unsigned(self) -> list[str]:
        """Of another's secret, of nobody's, and what looks like a link of other programs."""
        theirs = MemoryRegistry()
        foreign = _tracker(OTHER_SECRET, self.url_format, theirs)
        compiled = foreign.compile(html='<a href="https://evil.example/">x</a>', delivery_id="26")
        theirs.publish(compiled)
        other = Tracker(BASE, Keyring.from_secrets(OTHER_SECRET))
        signed = other.compile(html='<a href="https://evil.example/">x</a>', delivery_id="26")
        found = [*paths_of(compiled.render(message_id="7").html), *paths_of(signed.render(message_id="7").html)]
        hosted = (other.opt_out_url, other.mirror_url, other.preferences_url)
        found += [make(delivery_id="26", message_id="7").removeprefix(BASE) for make in hosted]
        for start in (
            "/redirect?url=",
            "/r?u=",
            "/r/?u=",
            "/r/1?tagid=new%7Cw&url=",
            "/r/1?tagid=home&rcpid=",
            "/?",
            "//",
            "/00000000/",
        ):
            found.extend(
                start + where
                for where in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "data:text/html,x")
            )
        return found

    def handler(self) -> RedirectHandler:
        """What answers."""
        bad = {str(BAD + number): destination for number, destination in enumerate(NO_DESTINATIONS)}
        deliveries = {name: Delivery(id=name, expired_url=destination) for name, destination in bad.items()}

        def preferences(said: Resolution) -> str:
            return bad.get(said.delivery_id or "", PREFERENCES)

        return RedirectHandler(
            self.tracker,
            deliveries={**deliveries, "28": Delivery(id="28", expired_url=EXPIRED)},
            mirror=lambda said: f"<p>{said.message_id}",
            preferences=preferences,
            fallback_url=FALLBACK,
            tags=WebTags(mode="anonymous-last", track_visitors=True),
        )


def _tracker(secret: str, url_format: str, registry: MemoryRegistry | ManifestRegistry) -> Tracker:
    keys = Keyring.from_secrets(secret)
    return Tracker(BASE, keys, registry=registry, link_style="registered", url_format=url_format)


def main(edge: str, url_format: str, segments: str) -> None:
    from frontend_servers import uvicorn_serving, waitress_serving

    from msgtrack.io import SegmentWriter
    from msgtrack.web import asgi, wsgi

    with SegmentWriter(segments) as writer:
        handler = Site(url_format).handler()
        if edge == "asgi":
            serving = uvicorn_serving(asgi.TrackingApp(handler, record=writer.write))
        else:
            serving = waitress_serving(wsgi.TrackingApp(handler, record=writer.write))
        with serving as port:
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()
            sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
