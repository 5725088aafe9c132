"""People who mean harm, at real servers over real HTTP: nothing they send leads anywhere that was not signed or registered, breaks a
server, names anybody who did not ask, or has it say whose token or address came by.

Bytes go over the line as they are, for clients refuse to send most of this. Clauses of redirect.md: R1, R4, R5, R7, R22, R24, R50.
"""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attacks import BYTES, HEADERS, HOSTILE, HOSTS, places
from forgeries import (
    OTHER_SECRET,
    changed,
    of_version,
    rearranged,
    shifted,
    signed_by_others,
    spliced,
    with_the_same_key_id,
)

from msgtrack import Keyring, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.io import ManifestRegistry, SegmentFolder
from msgtrack.testing._frontend_http import Answer, Line

site = pytest.importorskip("attacked_site", reason="the servers of the tests are not installed")

OURS = {
    "allow", "cache-control", "connection", "content-length", "content-security-policy", "content-type", "date", "keep-alive", "location",
    "referrer-policy", "server", "set-cookie", "transfer-encoding", "vary", "via", "x-content-type-options", "x-robots-tag",
}  # fmt: skip
"""Every header that an answer of ours or of a server may have."""

# What a proxy would say of a reader, and the address that readers of these tests have.
READER = "203.0.113.77"
ADDRESSES = (READER, "127.0.0.1")
HOST = b"Host: t.example.com\r\n"
ANYWHERE = f"X-Forwarded-For: {READER}\r\nForwarded: for={READER}\r\n".encode()


class Attacked:
    """A server that runs, and what came of all that it was asked."""

    def __init__(self, port: int, made: Any, segments: Path) -> None:
        self.port = port
        self.site = made
        self.segments = segments
        self.sent: set[str] = set(site.tokens_of(made.honest + made.bad))
        self.asked = self.silent = 0

    def ask(
        self, target: bytes | str, *, head: bytes = HOST, method: bytes = b"GET", body: bytes = b""
    ) -> list[Answer]:
        """The answers to one request; none where the server closes without a word. Each is looked at."""
        target = target.encode("utf-8", "surrogatepass") if isinstance(target, str) else target
        return self.send(method + b" " + target + b" HTTP/1.1\r\n" + head + ANYWHERE + b"\r\n" + body)

    def send(self, data: bytes) -> list[Answer]:
        answers: list[Answer] = []
        with Line(self.port) as line:
            line.send(data)
            line.end()
            with suppress(OSError, http.client.HTTPException):
                while True:
                    answers.append(line.receive(data.partition(b" ")[0].decode("latin-1")))
                    if answers[-1].closes:
                        break
        for answer in answers:
            harmless(answer, data)
        self.asked += 1
        self.silent += not answers
        return answers

    def location(self, target: bytes | str, **options: Any) -> str | None:
        """Where the one answer leads."""
        (answer,) = self.ask(target, **options)
        return answer.header("location")

    def hits(self) -> list[Hit]:
        records = (record for batch in SegmentFolder(self.segments).read(None) for record in batch.records)
        return [record for record in records if isinstance(record, Hit)]


def harmless(answer: Answer, data: bytes) -> None:
    shown = data[:200]
    # That is what a server says itself of codings that it does not know (RFC 9112 6.1).
    assert answer.status < 500 or (answer.status == 501 and b"Transfer-Encoding" in data), shown
    for name, value in answer.headers:
        assert name in OURS, (name, shown)
        assert value.isascii(), shown
        assert value.isprintable(), shown
        assert name != "set-cookie" or value.startswith(("uuid230=", "nlid=", "nllast=")), shown
    assert answer.header("location") in {None, *site.ALLOWED}, shown
    assert (answer.status == 302) == (answer.header("location") is not None), shown
    assert b"evil" not in answer.body or answer.body in site.PAGES, shown
    assert not any(address.encode() in answer.body for address in ADDRESSES), shown


@pytest.fixture(params=["serve", "asgi", "wsgi"])
def attacked(request: pytest.FixtureRequest, serve: Callable[..., Any], tmp_path: Path) -> Iterator[Attacked]:
    """``msgtrack serve`` with its links signed and registered; and servers with every door open, in both formats of URLs."""
    heard = tmp_path / "heard"
    with heard.open("w") as log:
        if request.param == "serve":
            made = site.Site("compact", ManifestRegistry(tmp_path / "links"))
            server = serve(f"--registry={tmp_path / 'links'}", stderr=log)
            process, port = server.process, server.port
        else:
            url_format = {"asgi": "compact", "wsgi": "campaign"}[request.param]
            command = [sys.executable, str(Path(site.__file__)), request.param, url_format, str(tmp_path / "segments")]
            path = os.pathsep.join([str(Path(site.__file__).parent), *filter(None, sys.path)])
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
            )
            made, port = site.Site(url_format), int(process.stdout.readline())
        found = Attacked(port, made, tmp_path / "segments")
        try:
            yield found
            # It is still there, and well.
            assert found.location(found.site.click) == site.DESTINATION
        finally:
            if process.stdin is not None:
                process.stdin.close()
            else:
                process.terminate()
            said = process.stdout.read()
            process.wait(20)
            process.stdout.close()
    # What breaks waitress's own reading of a head never comes to us.
    said += "".join(line for line in heard.read_text().splitlines(True) if "/waitress/parser.py" not in line)
    assert process.returncode == 0
    # A server may close without a word, as on bytes that it has not read; if many did, nothing would have been looked at.
    assert found.silent * 50 <= found.asked
    assert "Traceback" not in said
    assert not [address for address in ADDRESSES if address in said], said
    assert not [token for token in found.sent if token in said], said
    hits = found.hits()
    assert not [hit for hit in hits if hit.client_ip]
    named = {event.message_id for hit in hits if (event := decide(hit, found.site.tracker).event) is not None}
    assert named <= {None, "7"}


def kinds(attacked: Attacked) -> list[str]:
    """A click of each sort, the image, the opt-out and the tag: where a text may stand."""
    made = attacked.site
    return [*made.honest[:2], made.click, made.opt_out, site.TAG]


def test_hostile_text_in_every_place_of_a_url(attacked: Attacked) -> None:
    """Traversal, breaks of lines, other schemes, markup, oversized: in paths, in each parameter, and as the whole target."""
    for bad in HOSTILE:
        for url in kinds(attacked):
            for target in places(url, bad):
                attacked.ask(target)
                if len(bad) > 1_000:
                    break


def test_hostile_bytes_in_paths_queries_and_bodies(attacked: Attacked) -> None:
    for bad in BYTES:
        for url in map(str.encode, kinds(attacked)):
            for target in (url + bad, b"/" + bad, url + b"?u=" + bad, url + b"&tagid=" + bad, bad + url, bad):
                attacked.ask(target)
            kind = b"Content-Type: multipart/form-data; boundary=" + bad[:2_000] + b"\r\n"
            for said in (kind, b"Content-Type: application/x-www-form-urlencoded\r\n"):
                head = HOST + said + b"Content-Length: %d\r\n" % len(bad)
                attacked.ask(url, head=head, method=b"POST", body=bad)


def test_hostile_text_in_every_header(attacked: Attacked) -> None:
    wanted = attacked.location(attacked.site.click)
    for name, bad in itertools.product(HEADERS, [*map(_encoded, HOSTILE), *BYTES]):
        head = (b"" if name == "host" else HOST) + name.encode()
        for value in (bad, b"uuid230=" + bad + b"; nlid=" + bad + b"; nllast=" + bad):
            answers = attacked.ask(attacked.site.click, head=head + b": " + value + b"\r\n")
            assert {answer.header("location") for answer in answers} <= {None, wanted}


def test_games_with_hosts(attacked: Attacked) -> None:
    """R50: as a header, before the path, twice, or not at all: an answer is the same, or a refusal."""
    for url in [*kinds(attacked), "/nothing/here", "/robots.txt", "/r/test"]:
        (plain,) = attacked.ask(url)
        target = url.encode()
        for host in HOSTS:
            said = b"Host: " + host + b"\r\n"
            games = [
                attacked.ask(target, head=said),
                attacked.ask(target, head=HOST + said),
                attacked.ask(target, head=said + HOST),
                attacked.ask(b"http://" + host + target),
                attacked.ask(b"https://" + host + target, head=said),
                attacked.ask(b"//" + host + target),
                attacked.ask(target, head=HOST + b"X-Forwarded-" + said + b"X-Original-" + said),
                attacked.ask(target, head=HOST + b"Forwarded: host=" + host + b"\r\n"),
                attacked.ask(host + b":443", method=b"CONNECT"),
            ]
            for answer in itertools.chain(*games):
                assert answer.header("location") in {None, plain.header("location")}
        for head, version in (
            (b"", b"1.1"),
            (b"", b"1.0"),
            (HOST, b"1.0"),
            (b"Host\r\n", b"1.1"),
            (b"Host:\r\n", b"1.1"),
        ):
            for answer in attacked.send(b"GET " + target + b" HTTP/" + version + b"\r\n" + head + b"\r\n"):
                assert answer.header("location") in {None, plain.header("location")}


def test_destinations_that_no_browser_should_follow(attacked: Attacked) -> None:
    """R4, R6, R7, R19, R50: registered, led elsewhere, signed, expired, as preferences, of a tag, of another's secret, and of nobody."""
    for url, method in itertools.product(attacked.site.bad, (b"GET", b"HEAD", b"POST")):
        head = HOST + b"Content-Length: 0\r\n" if method == b"POST" else HOST
        (answer,) = attacked.ask(url.replace(" ", "%20"), head=head, method=method)
        assert answer.header("location") in {None, site.DESTINATION, site.FALLBACK, site.BLANK}


def test_labels_and_ids_stand_in_no_answer(attacked: Attacked) -> None:
    """R50: what mailers wrote around a link may break lines too."""
    for url in attacked.site.honest:
        (answer,) = attacked.ask(url)
        assert b"X-Evil" not in answer.body
        assert "Evil" not in str(answer.headers)
    assert attacked.location(attacked.site.honest[0]) == site.DESTINATION


def test_methods_versions_and_framings_that_nobody_should_send(attacked: Attacked) -> None:
    url, opt_out = attacked.site.click.encode(), attacked.site.opt_out.encode()
    wish, form = b"List-Unsubscribe=One-Click", b"Content-Type: application/x-www-form-urlencoded\r\n"
    for method in (
        b"TRACE",
        b"TRACK",
        b"CONNECT",
        b"get",
        b"GET\t",
        b"\x00",
        b"A" * 9_000,
        b"GET /evil HTTP/1.1\r\n\r\nGET",
    ):
        attacked.ask(url, method=method)
    for version in (b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"http/1.1", b"HTTP/1.1 evil", b"", b"ICAP/1.0"):
        attacked.send(b"GET " + url + b" " + version + b"\r\n" + HOST + b"\r\n")
    lengths = (b"-1", b"+26", b"0x1a", b"26, 26", b"26\r\nContent-Length: 4", b"9" * 40, b"1e1", b"\xd9\xa1")
    codings = (b"chunked, identity", b"xchunked", b"chunked\r\nTransfer-Encoding: identity", b"\x0bchunked")
    before = len(attacked.hits())
    for framing in (
        *(b"Content-Length: " + length for length in lengths),
        *(b"Transfer-Encoding: " + coding for coding in codings),
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
    ):
        smuggled = wish + b"\r\n\r\nGET /evil HTTP/1.1\r\n" + HOST + b"\r\n"
        attacked.ask(opt_out, head=HOST + form + framing + b"\r\n", method=b"POST", body=smuggled)
    assert not [hit for hit in attacked.hits()[before:] if hit.method == "GET" and hit.url == "/evil"]


def test_forgeries_name_nobody_and_lead_where_their_link_does(attacked: Attacked) -> None:
    """R5, R7, R50: as the tests of tokens have them, and what is kept means no more than what is answered."""
    link, message, url, opened = _parts(attacked.site)
    for forged in _forged_messages(message):
        attacked.sent |= site.tokens_of([forged])
        answers = attacked.ask(url.format(link, forged))
        assert {answer.header("location") for answer in answers} <= {None, site.DESTINATION}, forged
        attacked.ask(opened.format(forged))
    # In the campaign format the two parts follow each other: what is put behind the one is damage of the other.
    asked_links = [
        forged for forged in _forged_links(link) if attacked.site.url_format == "compact" or not forged.startswith(link)
    ]
    for forged in asked_links:
        assert [answer for answer in attacked.ask(url.format(forged, message)) if answer.status == 302] == [], forged
    hits = attacked.hits()
    assert len(hits) > len(asked_links)
    for hit in hits:
        event = decide(hit, attacked.site.tracker).event
        assert event is None or event.message_id is None, hit.url


def _parts(made: Any) -> tuple[str, str, str, str]:
    """Link part and message part of the click, and how they make a click and an open."""
    if made.url_format == "compact":
        link, message = made.click.strip("/").split("/")
        return link, message, "/{}/{}", "/1/{}"
    start, _, signature = made.click.partition("&s=")
    return signature[:8], signature[8:], start + "&s={}{}", made.honest[1].partition("&s=")[0] + "&s={}"


def _forged_messages(message: str) -> Iterator[str]:
    others = [
        one
        for one in _tokens("26", "8") + _tokens("27", "9", OTHER_SECRET) + _tokens("27", "9", secret=SAME)
        if one != message
    ]
    forged: list[str] = [*sorted(rearranged(message))[::7], *sorted(shifted(message))[::3]]
    forged += [each for other in others for each in sorted(spliced(message, other) - {message, other})[::5]]
    forged += [each for _, _, each in itertools.islice(changed(message, 0), 0, None, 11)]
    forged += [*signed_by_others(message, site.SECRET, "message")]
    forged += [of_version(message, site.SECRET, "message", version) for version in (1, 2, 3)]
    forged += [message[:length] for length in range(len(message))]
    # What stands behind these is no path any more.
    yield from (each for each in forged if not set(each) & set(" \t\n\0?#/%"))


def _forged_links(link: str) -> Iterator[str]:
    forged: list[str] = [*sorted(rearranged(link))[::29], *sorted(shifted(link))[::3]]
    forged += [each for _, _, each in itertools.islice(changed(link, 0), 0, None, 29)]
    forged += [*signed_by_others(link, site.SECRET, "link")]
    forged += [of_version(link, site.SECRET, "link", version) for version in (1, 2, 3)]
    forged += [link[:length] for length in range(len(link))]
    yield from (each for each in forged if not set(each) & set(" \t\n\0?#/%"))


SAME = with_the_same_key_id(site.SECRET)


def _tokens(delivery_id: str, message_id: str, secret: str = site.SECRET) -> list[str]:
    """The message parts of another message, of another delivery, or of another secret."""
    compiled = Tracker(site.BASE, Keyring.from_secrets(secret)).compile(html=site.HTML, delivery_id=delivery_id)
    return [path.split("/")[-1] for path in site.paths_of(compiled.render(message_id=message_id).html)][:1]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
