"""Tracking the fields of messages as Django and Flask-Mailman have them, without either."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Tracker
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, UnknownOption
from msgtrack.links import MemoryRegistry
from msgtrack.links.correlation import PROVIDERS
from msgtrack.mailers import MailTracking, identify_by_attribute
from msgtrack.mailers.tracking import ANYMAIL

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
HTML = '<p>See <a href="https://shop.example/lamps">the lamps</a></p>'
TEXT = "See https://shop.example/lamps\n"
IDS = {"delivery_id": "spring", "message_id": "1001"}


class Mail:
    """A message as far as it is looked at."""

    content_subtype = "plain"

    def __init__(
        self,
        body: Any = "",
        alternatives: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
        said: Any = None,
    ) -> None:
        self.body = body
        self.alternatives = list(alternatives)
        self.attachments = ["a file"]
        self.extra_headers = dict(headers or {})
        if said is not None:
            self.msgtrack = said


class Counting(Tracker):
    """Counts what it compiles."""

    count = 0

    def compile(self, **options: Any) -> Any:  # type: ignore[override]
        self.count += 1
        return super().compile(**options)


def _one(mail: Mail, **settings: Any) -> Mail:
    (out,) = MailTracking(tracker=settings.pop("tracker", TRACKER), **settings).prepare([mail])
    return out


def test_text_and_html_are_what_compile_and_render_make_of_them() -> None:
    mail = Mail(TEXT, [(HTML, "text/html")], {"X-Own": "1"}, {**IDS, "unsubscribe": "hosted", "policy": Policy()})
    out = _one(mail)
    rendered = TRACKER.compile(html=HTML, text=TEXT, delivery_id="spring").render(
        message_id="1001", unsubscribe="hosted"
    )
    assert (out.body, out.alternatives) == (rendered.text, [(rendered.html, "text/html")])
    assert out.extra_headers == {"X-Own": "1", **rendered.headers}
    # The message that was given stays as it was.
    assert (mail.body, mail.alternatives, mail.extra_headers) == (TEXT, [(HTML, "text/html")], {"X-Own": "1"})
    assert out.attachments is mail.attachments


def test_a_message_that_says_nothing_is_sent_as_it_is() -> None:
    mail = Mail(TEXT)
    assert _one(mail, options={"unsubscribe": "hosted"}, provider="sendgrid") is mail


def test_an_html_body_is_html() -> None:
    mail = Mail(HTML, said=IDS)
    mail.content_subtype = "html"
    assert _one(mail).body == TRACKER.compile(html=HTML, delivery_id="spring").render(message_id="1001").html


def test_other_kinds_of_text_are_left_alone() -> None:
    amp = '<html amp4email><a href="https://shop.example/">x</a></html>'
    others = [
        (amp, "text/x-amp-html"),
        ("BEGIN:VCALENDAR https://shop.example/", "text/calendar"),
        (b"\x00", "text/html"),
    ]
    mail = Mail("https://shop.example/", others, said=IDS)
    mail.content_subtype = "markdown"
    out = _one(mail)
    assert (out.body, out.alternatives) == (mail.body, others)


def test_an_empty_body_stays_empty() -> None:
    assert _one(Mail("", [(HTML, "text/html")], said=IDS)).body == ""


def test_a_message_without_a_body_has_headers_all_the_same() -> None:
    out = _one(Mail("", said={**IDS, "unsubscribe": "https://shop.example/off"}))
    assert out.extra_headers["List-Unsubscribe"] == "<https://shop.example/off>"
    with pytest.raises(UnknownOption, match="polizy"):
        _one(Mail("", said={**IDS, "polizy": 1}))


def test_further_bodies_are_tracked_with_numbers_of_their_own_and_one_pixel() -> None:
    mail = Mail(TEXT, [(HTML, "text/html"), (HTML, "text/html"), (TEXT, "text/plain")], said=IDS)
    out = _one(mail, options={"rules": LinkRules(trap="https://shop.example/trap")})
    texts = [out.body, *(content for content, _ in out.alternatives)]
    urls = [word.strip('"') for text in texts for word in text.replace('href="', " ").replace('">', " ").split()]
    ids = [TRACKER.resolve(url).link_id for url in urls if url.startswith("https://t.example.com/")]
    assert len(ids) == len(set(ids)) == 5  # four links, and one trap
    assert [text.count("<img") for text in texts] == [0, 1, 0, 0]


def test_the_old_unsubscribe_headers_give_way_only_to_new_ones() -> None:
    old = {"list-unsubscribe": "<mailto:a@b.example>", "LIST-UNSUBSCRIBE-POST": "x", "List-Id": "x"}
    assert _one(Mail(TEXT, headers=old, said=IDS)).extra_headers == old
    out = _one(Mail(TEXT, headers=old, said={**IDS, "unsubscribe": "mailto:off@shop.example"}))
    assert out.extra_headers == {"List-Id": "x", "List-Unsubscribe": "<mailto:off@shop.example>"}


@pytest.mark.parametrize("provider", sorted(set(PROVIDERS) - {"anymail", "resend"}))
def test_ids_go_along_in_the_headers_of_a_provider(provider: str) -> None:
    out = _one(Mail(TEXT, said=IDS), provider=provider)
    assert out.extra_headers == TRACKER.correlation(provider, delivery_id="spring", message_id="1001")


def test_ids_go_along_in_the_metadata_of_anymail() -> None:
    mail: Any = Mail(TEXT, said=IDS)
    pairs = {"msgtrack_delivery": "spring", "msgtrack_message": "1001"}
    out: Any = _one(mail, provider=ANYMAIL)
    assert (out.metadata, out.extra_headers) == (pairs, {})
    mail.metadata = {"order": 7}
    out = _one(mail, provider=ANYMAIL)
    assert (out.metadata, mail.metadata) == ({"order": 7, **pairs}, {"order": 7})


def test_a_header_of_the_authors_is_not_thrown_away() -> None:
    with pytest.raises(InvalidValue, match="x-smtpapi"):
        _one(Mail(TEXT, headers={"x-smtpapi": "{}"}, said=IDS), provider="sendgrid")


def test_the_same_content_is_compiled_once() -> None:
    tracker = Counting("https://t.example.com", KEYS)
    tracking = MailTracking(tracker=tracker)
    mails = [Mail(TEXT, [(HTML, "text/html")], said={**IDS, "message_id": number}) for number in range(20)]
    out = tracking.prepare(mails)
    assert tracker.count == 1
    assert [tracker.resolve(mail.body.split()[-1]).message_id for mail in out] == [str(number) for number in range(20)]


def test_other_contents_deliveries_variants_and_options_are_compiled_apart() -> None:
    tracker = Counting("https://t.example.com", KEYS)
    mails = [
        Mail(TEXT, said=IDS),
        Mail(TEXT + "x", said=IDS),
        Mail(TEXT + "x", said={**IDS, "delivery_id": "summer"}),
        Mail(TEXT + "x", said={**IDS, "variant": "b"}),
        Mail(TEXT + "x", said={**IDS, "kind": "proof"}),
        Mail(TEXT + "x", said={**IDS, "kind": "proof", "seed": True}),
    ]
    out = MailTracking(tracker=tracker).prepare(mails)
    assert tracker.count == 5
    said = [tracker.resolve(mail.body.split()[1].removesuffix("x")) for mail in out]
    assert [(each.delivery_id, each.variant, each.is_proof, each.is_seed) for each in said] == [
        ("spring", "", False, False),
        ("spring", "", False, False),
        ("summer", "", False, False),
        ("spring", "b", False, False),
        ("spring", "", True, False),
        ("spring", "", True, True),
    ]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y"])), max_size=12))
def test_together_or_one_by_one_messages_are_the_same(drawn: list[tuple[str, str]]) -> None:
    mails = [
        Mail(TEXT + more, [(HTML + more, "text/html")], said={"delivery_id": delivery, "message_id": number})
        for number, (delivery, more) in enumerate(drawn)
    ]
    together = MailTracking(tracker=TRACKER).prepare(mails)
    assert [vars(mail) for mail in together] == [vars(_one(mail)) for mail in mails]


def test_registered_links_are_published_on_the_way() -> None:
    registry = MemoryRegistry()
    tracker = Tracker("https://t.example.com", KEYS, registry, link_style="registered")
    out = _one(Mail(TEXT, said=IDS), tracker=tracker)
    assert tracker.resolve(out.body.split()[-1]).destination == "https://shop.example/lamps"


def test_options_hold_for_messages_that_say_nothing_else() -> None:
    options = {"unsubscribe": "hosted", "policy": Policy(clicks="none")}
    out = _one(Mail(TEXT, said={**IDS, "unsubscribe": "mailto:off@shop.example"}), options=options)
    assert out.extra_headers == {"List-Unsubscribe": "<mailto:off@shop.example>"}
    assert TRACKER.resolve(out.body.split()[-1]).policy == Policy(clicks="none")


def test_whoever_identifies_is_asked() -> None:
    out = _one(Mail(TEXT), identify=lambda mail: IDS if "lamps" in mail.body else None)
    assert TRACKER.resolve(out.body.split()[-1]).message_id == "1001"


class Sending:
    """Keeps what it is given, and writes something down on each."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[Any] = []
        self.error = error

    def send_messages(self, email_messages: Sequence[Any], /) -> int:
        for message in email_messages:
            message.status = f"sent {len(self.sent)}"
            self.sent.append(message)
            if self.error is not None:
                raise self.error
        return len(self.sent)


def test_what_the_backend_writes_down_is_on_the_original() -> None:
    mails: list[Any] = [Mail(TEXT, said=IDS), Mail(TEXT)]
    mails[0].status = "new"
    backend = Sending()
    assert MailTracking(tracker=TRACKER).send_through(backend, iter(mails)) == 2
    assert [mail.status for mail in mails] == ["sent 0", "sent 1"]
    assert (mails[0].body, mails[0].alternatives) == (TEXT, [])
    assert backend.sent[0].body != TEXT


def test_an_error_of_the_backend_is_passed_on_with_what_it_wrote_down() -> None:
    mail: Any = Mail(TEXT, said=IDS)
    with pytest.raises(OSError, match="gone"):
        MailTracking(tracker=TRACKER).send_through(Sending(OSError("gone")), [mail])
    assert mail.status == "sent 0"


def test_nothing_is_sent_when_one_cannot_be_tracked() -> None:
    backend = Sending()
    with pytest.raises(InvalidId):
        MailTracking(tracker=TRACKER).send_through(
            backend, [Mail(TEXT, said=IDS), Mail(TEXT, said={**IDS, "message_id": ""})]
        )
    assert backend.sent == []


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("spring", InvalidValue, "by a mapping"),
        ({}, InvalidValue, "delivery_id and message_id"),
        ({"delivery_id": "spring"}, InvalidValue, "needs message_id"),
        ({"delivery_id": "spring", "message_id": None}, InvalidValue, "needs message_id"),
        ({**IDS, "html": "<p>"}, UnknownOption, "html"),
        ({**IDS, "links_before": 3}, UnknownOption, "links_before"),
        ({**IDS, "mesage": 1}, UnknownOption, "mesage"),
    ],
)
def test_what_a_message_says_wrong_is_said(said: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _one(Mail(TEXT, said=said))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (None, InvalidOption, "TRACKER"),
        ({}, InvalidOption, "TRACKER"),
        ({"TRACKER": 7}, InvalidValue, "TRACKER must be a Tracker"),
        ({"TRACKER": "msgtrack.nowhere"}, InvalidOption, "leads nowhere"),
        ({"TRACKER": "not a name"}, InvalidOption, "leads nowhere"),
        ({"TRACKER": TRACKER, "TRAKCER": 1, "A": 2}, UnknownOption, "has no A, TRAKCER"),
        ({"TRACKER": TRACKER, "IDENTIFY": 7}, InvalidValue, "IDENTIFY"),
        ({"TRACKER": TRACKER, "OPTIONS": "x"}, InvalidValue, "OPTIONS"),
        ({"TRACKER": TRACKER, "PROVIDER": "nobody"}, InvalidOption, "no provider"),
        ({"TRACKER": TRACKER, "PROVIDER": "resend"}, InvalidOption, "API alone"),
    ],
)
def test_unfit_settings_are_refused(settings: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        MailTracking.from_settings(settings)


def test_names_in_settings_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    shop: Any = ModuleType("shop_for_tests")
    shop.tracker = TRACKER
    shop.make = lambda: TRACKER
    shop.identify = lambda mail: None
    monkeypatch.setitem(sys.modules, "shop_for_tests", shop)
    by_name = MailTracking.from_settings({"TRACKER": "shop_for_tests.tracker", "IDENTIFY": "shop_for_tests.identify"})
    assert (by_name.tracker, by_name.identify) == (TRACKER, shop.identify)
    for made in ("shop_for_tests.make", shop.make, TRACKER):
        tracking = MailTracking.from_settings({"TRACKER": made, "PROVIDER": None, "OPTIONS": None})
        assert (tracking.tracker, tracking.identify) == (TRACKER, identify_by_attribute)
        assert (tracking.options, tracking.provider) == ({}, "")
