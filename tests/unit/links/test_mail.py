"""Whole messages: what is tracked, what is left alone, and what the result looks like as bytes."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP, compat32, default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Tracker
from msgtrack.errors import (
    InvalidId,
    InvalidOption,
    InvalidValue,
    MsgtrackError,
    NotPublished,
    RenderError,
    UnknownOption,
)
from msgtrack.links import FINDINGS, CompactFormat, MemoryRegistry
from msgtrack.links.mail import MAIL_FINDINGS, CompiledMail
from msgtrack.links.mail_parts import parts_of

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
HTML = '<body><a href="https://shop.example/?a=1&amp;b=2">Shöp</a></body>'
TEXT = "Shop: https://shop.example/\n"
LINK = re.compile(r"https://t\.example\.com/[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]")


def newsletter(**more: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Spring – früh"
    message["From"] = "Shop <shop@shop.example>"
    message["To"] = "ann@a.example"
    message.set_content(TEXT)
    message.add_alternative(HTML, subtype="html")
    message.set_boundary("edge")
    for name, value in more.items():
        message[name.replace("_", "-")] = value
    return message


def track(message: Message, **options: object) -> Message:
    return TRACKER.track(message, delivery_id="spring", message_id="1001", **options)  # type: ignore[arg-type]


def codes(mail: CompiledMail[Message]) -> list[tuple[str, str]]:
    for finding in mail.findings:
        severity = (MAIL_FINDINGS.get(finding.code) or FINDINGS[finding.code])[0]
        assert finding.severity == severity
        assert finding.message
    return [(finding.code, finding.section) for finding in mail.findings if finding.code in MAIL_FINDINGS]


def compiled(source: Message | str, **options: object) -> CompiledMail[Message]:
    message = email.message_from_string(source, policy=default) if isinstance(source, str) else source
    return TRACKER.compile_message(message, delivery_id="spring", **options)


def leaves(message: Message) -> list[bytes]:
    return [part.as_bytes() for part in parts_of(message) if not part.is_multipart()]


def test_an_alternative_is_tracked_and_the_given_one_is_not_changed() -> None:
    message = newsletter()
    before = message.as_bytes()
    out = TRACKER.track(message, delivery_id="spring", message_id="1001")
    assert message.as_bytes() == before
    assert type(out) is EmailMessage
    html = out.get_body(("html",)).get_content()  # type: ignore[union-attr]
    text = out.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Shöp" in html
    same = TRACKER.compile(html=HTML + "\n", text=TEXT, delivery_id="spring").render(message_id="1001")
    assert (html, text) == (same.html, same.text)
    for url in LINK.findall(html + text):
        said = TRACKER.resolve(url)
        assert (said.outcome, said.delivery_id, said.message_id) == ("valid", "spring", "1001")
    assert [(name, str(value)) for name, value in out.items()] == [
        (name, str(value)) for name, value in message.items()
    ]


def test_what_stands_beside_the_bodies_stays_byte_for_byte() -> None:
    message = newsletter()
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(b"\x89PNG\r\n\n\r", "image", "png", cid="<logo>")
    message.add_attachment(HTML, subtype="html", filename="offer.html")
    message.add_attachment("https://shop.example/ in a file\n", filename="ünïcode.txt")
    inner = newsletter()
    message.add_attachment(inner)
    message.add_attachment("BEGIN:VCALENDAR\nURL:https://shop.example/\n", subtype="calendar")
    mail = compiled(message)
    assert [(body.section, body.part) for body in mail.bodies] == [("1.1", "text"), ("1.2.1", "html")]
    out = mail.render(message_id="1001")
    changed = [one == other for one, other in zip(leaves(message), leaves(out), strict=True)]
    assert changed == [False, False, *[True] * (len(changed) - 2)]
    assert codes(mail) == [("attachment", "2"), ("attachment", "3"), ("attached-message", "4"), ("calendar", "5")]


SIGNED = """\
MIME-Version: 1.0
Subject:  =?iso-8859-1?q?odd?= =?utf-8?b?eA==?=
DKIM-Signature: v=1; a=rsa-sha256;
\td=shop.example; b=abc
Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=sig

--sig
Content-Type: text/html

<a href="https://shop.example/">x</a>
--sig
Content-Type: application/pgp-signature

iQ
--sig--

--out
Content-Type: text/plain; charset*=us-ascii'en'utf-8

footer https://list.example/
--out--
"""


@pytest.mark.parametrize("policy", [default, compat32])
def test_a_signed_part_is_never_touched_and_the_footer_beside_it_is(policy: email.policy.Policy) -> None:
    message = email.message_from_string(SIGNED, policy=policy)
    mail = compiled(message)
    assert codes(mail) == [("dkim-signed", ""), ("signed", "1")]
    written = mail.render(message_id="1001").as_bytes().decode()
    assert LINK.sub("https://list.example/", written) == SIGNED.replace("Subject:  ", "Subject: ")
    assert len(LINK.findall(written)) == 1


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("multipart/encrypted; boundary=b", "encrypted"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "encrypted"),
        ("application/x-pkcs7-mime; smime-type=signed-data", "signed"),
        ("message/rfc822", "attached-message"),
        ("text/x-amp-html", "amp"),
        ("text/calendar; method=REQUEST", "calendar"),
        ("text/html\nContent-Disposition: attachment", "attachment"),
        ("text/plain\nContent-Disposition: inline; filename=a.txt", "attachment"),
    ],
)
def test_what_is_left_alone_says_so(kind: str, code: str) -> None:
    source = f"MIME-Version: 1.0\nContent-Type: {kind}\n\n--b\n\nhttps://shop.example/\n--b--\n"
    mail = compiled(source)
    assert codes(mail) == [(code, ""), ("no-body", "")]
    out = mail.render(message_id="7", unsubscribe="mailto:off@shop.example")
    assert out["List-Unsubscribe"] == "<mailto:off@shop.example>"
    del out["List-Unsubscribe"]
    assert out.as_bytes() == email.message_from_string(source, policy=default).as_bytes()
    with pytest.raises(InvalidId):
        mail.render(message_id="")


@pytest.mark.parametrize(("line", "code"), [("SIGNED MESSAGE", "signed"), ("MESSAGE", "encrypted")])
def test_armor_within_a_text_counts_as_a_signature(line: str, code: str) -> None:
    assert codes(compiled(f"\n-----BEGIN PGP {line}-----\nhttps://a.example/\n")) == [(code, ""), ("no-body", "")]
    assert codes(compiled(f"\n> -----BEGIN PGP {line}-----\nhttps://a.example/\n")) == []


def test_several_bodies_share_one_pixel_and_one_count() -> None:
    message = newsletter()
    message.make_mixed()
    for part in (MIMEText(HTML, "html"), MIMEText("Footer https://list.example/\n")):
        message.attach(part)  # type: ignore[arg-type]
    mail = compiled(message, rules=LinkRules(trap="https://shop.example/trap"))
    assert [body.section for body in mail.bodies] == ["1.1", "1.2", "2", "3"]
    assert [link.id for link in mail.links] == ["2", "3", "4", "5", "6"]
    assert [decision.link_id for decision in mail.decisions if decision.tracked] == ["2", "4", "5", "6"]
    assert len({link.key for link in mail.links}) == 5
    assert "missing-text-part" not in [finding.code for finding in mail.findings]
    out = mail.render(message_id="1001")
    texts = [part.get_content() for part in out.walk() if not part.is_multipart() and isinstance(part, EmailMessage)]
    texts += [part.get_payload(decode=True).decode() for part in out.walk() if type(part) is MIMEText]  # type: ignore[union-attr]
    assert sum(text.count("/1/") for text in texts) == 1
    assert sum(text.count("display:none") for text in texts) == 1
    assert sorted(TRACKER.resolve(url).link_id or "" for text in texts for url in LINK.findall(text)) == list("123456")


def test_resources_of_a_page_are_no_bodies() -> None:
    parts = "".join(
        f"--r\nContent-Type: text/html\nContent-ID: <{name}>\n\n<a href='https://{name}.example/'>x</a>\n"
        for name in "abc"
    )
    head = "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=r"
    assert [body.section for body in compiled(f"{head}\n\n{parts}--r--\n").bodies] == ["1"]
    assert [body.section for body in compiled(f'{head}; start="<b>"\n\n{parts}--r--\n').bodies] == ["2"]


def test_older_messages_stay_what_they_are() -> None:
    message = MIMEMultipart("alternative")
    message["Subject"] = "x"
    message.attach(MIMEText(TEXT, "plain", "iso-8859-1"))
    message.attach(MIMEText(HTML, "html", "utf-8"))
    out = track(message)
    assert type(out) is MIMEMultipart
    text, html = out.get_payload()
    assert type(html) is MIMEText
    assert html["Content-Transfer-Encoding"] == "base64"
    assert "Shöp" in html.get_payload(decode=True).decode()
    assert len(LINK.findall(text.get_payload(decode=True).decode())) == 1


def test_headers_are_written_as_they_were_read() -> None:
    long = "X-Long: " + "word " * 60 + "end"
    source = f"{long}\nX-Odd: =?utf-8?q?a?=  =?bad\nX-Tail: a; \n\tb\nx-raw: caf\udce9\n\nhttps://a.example/\n"
    data = source.encode("ascii", "surrogateescape")
    for policy in (default, compat32):
        written = track(email.message_from_bytes(data, policy=policy)).as_bytes()
        assert LINK.sub("https://a.example/", written.decode("ascii", "surrogateescape")) == source
        broken = data.replace(b"\n", b"\r\n")
        written = track(email.message_from_bytes(broken, policy=policy)).as_bytes()
        assert (
            LINK.sub("https://a.example/", written.decode("ascii", "surrogateescape")).encode(
                "ascii", "surrogateescape"
            )
            == broken
        )
    assert track(email.message_from_bytes(data, policy=SMTP)).as_bytes().count(b"\r\n") == source.count("\n")


def test_unsubscribe_headers_take_the_place_of_the_old_ones() -> None:
    message = newsletter()
    message["List-Unsubscribe"] = "<mailto:old@shop.example>"
    message["list-unsubscribe-post"] = "List-Unsubscribe=One-Click"
    message["X-Last"] = "1"
    long = "https://shop.example/off/" + "x" * 200
    names = [name.lower() for name in message]
    out = track(message, unsubscribe=(long, "mailto:off@shop.example"))
    assert [name.lower() for name in out] == names
    written = out.as_bytes().decode()
    assert f"List-Unsubscribe: <{long}>,\n <mailto:off@shop.example>\n" in written
    assert "old@" not in written
    assert out["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    out = track(message, unsubscribe="mailto:off@shop.example")
    assert out["List-Unsubscribe-Post"] is None
    assert track(message)["List-Unsubscribe"] == "<mailto:old@shop.example>"


@pytest.mark.parametrize(
    "address", ["https://a.example/\r\nBcc: x@y.example", "https://a.example/>, <x", "ftp://a", "a b"]
)
def test_no_header_is_injected(address: str) -> None:
    with pytest.raises(InvalidOption):
        track(newsletter(), unsubscribe=address)


def test_options_reach_the_compiler() -> None:
    quiet = Policy(opens="none")
    html = track(newsletter(), policy=quiet).get_payload()[1]
    assert "/1/" not in html.get_content()
    assert "/1/" not in track(newsletter(), pixel="none").get_payload()[1].get_content()
    links = compiled(newsletter(), variant="b", rules=LinkRules(utm={"source": "x"})).links
    assert links[0].variant == "b"
    assert links[0].url.endswith("utm_source=x")
    for message in (newsletter(), EmailMessage()):
        with pytest.raises(UnknownOption, match="ruels"):
            track(message, ruels=LinkRules())
    with pytest.raises(InvalidValue, match="EmailMessage"):
        track(b"Subject: x\n\n")  # type: ignore[arg-type]


def test_registered_links_are_published_by_track_and_asked_for_by_render() -> None:
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry, "registered")
    mail = tracker.compile_message(newsletter(), delivery_id="spring")
    with pytest.raises(NotPublished):
        mail.render(message_id="1001")
    registry.publish(mail)
    assert mail.render(message_id="1001").as_bytes() == track_with(tracker)
    assert track_with(Tracker("https://t.example.com", KEYS, MemoryRegistry(), "registered")) == track_with(tracker)


def track_with(tracker: Tracker) -> bytes:
    return tracker.track(newsletter(), delivery_id="spring", message_id="1001").as_bytes()


def test_what_was_compiled_does_not_follow_later_changes() -> None:
    message = newsletter()
    mail = compiled(message)
    first = mail.render(message_id="1").as_bytes()
    message.replace_header("Subject", "other")
    message.get_payload()[0].set_content("other")  # type: ignore[union-attr]
    out = mail.render(message_id="1")
    out.replace_header("Subject", "other")
    out.get_payload()[0].set_payload("other")
    assert mail.render(message_id="1").as_bytes() == first
    assert mail.render(message_id="2").as_bytes() != first


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Content-Type",
                "Content-Transfer-Encoding",
                "Content-Disposition",
                "Content-ID",
                "MIME-Version",
                "X-A",
                "ARC-Seal",
            ]
        ),
        st.one_of(
            st.sampled_from(
                [
                    "text/html",
                    "text/html; charset=utf-16",
                    "text/plain; charset=\x00; name*=x",
                    "multipart/mixed; boundary=b",
                    "multipart/related; boundary=b; start=<a>",
                    "multipart/digest; boundary=b",
                    "message/rfc822",
                    "base64",
                    "quoted-printable",
                    "8bit",
                    "attachment; filename*0=a; filename*=b",
                ]
            ),
            st.text(max_size=30).map(lambda text: re.sub(r"[\r\n]", "", text)),
        ),
    ),
    max_size=6,
)
BODY = st.lists(
    st.sampled_from(
        [
            b"--b\n",
            b"--b--\n",
            b"\n",
            b"\r\n",
            b"\r",
            b"Content-Type: text/html\n\n",
            b"Content-Type: multipart/alternative; boundary=c\n\n--c\n\n",
            b'<a href="https://a.example/\xff">x</a>',
            b"https://a.example/ ",
            b"=3D=\n",
            b"\xff\x00",
            b"From x\n",
            b"<body>",
            b"x" * 1_200,
        ]
    ),
    max_size=12,
).map(b"".join)


@given(headers=HEADERS, body=st.one_of(BODY, st.binary(max_size=200)), is_new=st.booleans())
def test_any_bytes_give_a_message_or_our_own_error(headers: list[tuple[str, str]], body: bytes, is_new: bool) -> None:
    head = b"".join(f"{name}: {value}\n".encode("utf-8", "replace") for name, value in headers)
    try:
        message = email.message_from_bytes(head + b"\n" + body, policy=default if is_new else compat32)
    except (ValueError, IndexError, AttributeError, TypeError, KeyError):
        return  # the standard library's own reader
    before = [(list(part.raw_items()), part.preamble, part.epilogue) for part in parts_of(message)]
    try:
        mail = compiled(message)
    except MsgtrackError:
        return
    out = mail.render(message_id="1001", unsubscribe="https://u.example/")
    assert [(list(part.raw_items()), part.preamble, part.epilogue) for part in parts_of(message)] == before
    kept = [
        item for item in out.raw_items() if not item[0].lower().startswith(("list-unsub", "content-transfer", "mime-v"))
    ]
    given_items = [
        item for item in message.raw_items() if not item[0].lower().startswith(("content-transfer", "mime-v"))
    ]
    assert kept == given_items


def test_parameters_that_break_the_reader_break_nothing() -> None:
    message = EmailMessage()
    message.set_raw("Content-Type", "text/html; charset*" + "9" * 5_000 + "=x")
    message.set_raw("Content-Disposition", "inline; filename*=a; filename*0=b")
    message.set_payload('<a href="https://a.example/">x</a>')
    assert codes(compiled(message)) == [("attachment", ""), ("no-body", "")]
    del message["Content-Disposition"]
    assert len(compiled(message).links) == 1


def test_deep_nesting_is_walked_without_recursion() -> None:
    message = inner = MIMEMultipart()
    for _ in range(3_000):
        child = MIMEMultipart()
        inner.attach(child)
        inner = child
    inner.attach(MIMEText("https://a.example/"))
    out = track(message)
    *_, last = parts_of(out)
    assert len(LINK.findall(last.get_payload())) == 1


def test_the_page_lists_every_finding(root: Path) -> None:
    page = (root / "docs" / "how-to" / "whole-messages.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (info|warning) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(code, *said) for code, said in MAIL_FINDINGS.items()]


def test_a_second_page_has_no_pixel_of_its_own() -> None:
    parts = "".join(f"--m\nContent-Type: text/html\n\n<body>{number}</body>\n" for number in (1, 2))
    out = track(
        email.message_from_string(f"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n{parts}--m--\n")
    )
    assert ["<img" in part.get_payload() for part in out.get_payload()] == [True, False]


class OddFormat(CompactFormat):
    def prepare(self, link: str) -> tuple[str, ...]:
        before, after = super().prepare(link)
        return before + "✓/", after


def test_letters_that_a_charset_lacks_are_an_error_of_ours() -> None:
    tracker = Tracker("https://t.example.com", KEYS, url_format=OddFormat("https://t.example.com"))
    source = "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n\nhttps://a.example/ \udce9\n"
    message = email.message_from_bytes(source.encode("ascii", "surrogateescape"), policy=default)
    with pytest.raises(RenderError, match="iso8859-1 cannot write"):
        tracker.track(message, delivery_id="1", message_id="7")
