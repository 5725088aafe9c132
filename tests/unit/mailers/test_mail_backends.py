"""The backends inside their frameworks; the pages in ``docs/how-to/`` send with them to a real mail server."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.mime.image import MIMEImage
from typing import Any

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.correlation import identify

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
# Longer than a line of mail may be, and with letters of many alphabets.
HTML = f'<p>Ærø, 日本 “{"x" * 1200}” <a href="https://shop.example/lamps?a=1&amp;b=2">lamps</a></p>'
TEXT = "Ærø, 日本: https://shop.example/lamps?a=1&b=2\nFrom here\n.\n"
IDS = {"delivery_id": "spring", "message_id": "1001"}
LONG = "https://shop.example/off/" + "y" * 200


@pytest.fixture
def office() -> Iterator[tuple[int, list[Any]]]:
    """A real mail server: its port, and what arrived."""
    controller = pytest.importorskip("aiosmtpd.controller", reason="there is no mail server to send to")
    arrived: list[Any] = []

    class Keeping:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            arrived.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    server = controller.Controller(Keeping(), hostname="127.0.0.1", port=port)
    server.start()
    yield port, arrived
    server.stop()


@pytest.fixture
def django_settings() -> Iterator[Any]:
    """Django's settings for one test, whoever gave others before; set what is needed on them."""
    conf = pytest.importorskip("django.conf", reason="the extra 'django' is not installed")
    before = conf.settings._wrapped
    holder = conf.UserSettingsHolder(conf.global_settings)
    conf.settings._wrapped = holder
    conf.settings.__dict__.clear()
    conf.settings._wrapped = holder
    holder.EMAIL_BACKEND = "msgtrack.mailers.django.EmailBackend"
    yield holder
    conf.settings.__dict__.clear()
    conf.settings._wrapped = before


def _django_message(**options: Any) -> Any:
    mail = pytest.importorskip("django.core.mail")
    message = mail.EmailMultiAlternatives("Spring", TEXT, "shop@shop.example", ["ann@a.example"], **options)
    message.attach_alternative(HTML, "text/html")
    message.msgtrack = dict(IDS)
    return message


def _check(arrived: Any) -> None:
    expected = TRACKER.compile(html=HTML, text=TEXT, delivery_id="spring").render(message_id="1001")
    plain, html = (arrived.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))
    assert (plain, html.rstrip("\n")) == (expected.text, expected.html)
    # Folded, as it is longer than a line; white space around an address means nothing.
    assert arrived["List-Unsubscribe"].strip() == f"<{LONG}>"
    assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in arrived.iter_attachments()] == ["image/png"]


def test_django_sends_what_rendering_makes(django_settings: Any, office: tuple[int, list[Any]]) -> None:
    port, arrived = office
    django_settings.EMAIL_HOST, django_settings.EMAIL_PORT = "127.0.0.1", port
    django_settings.MSGTRACK = {"TRACKER": TRACKER, "OPTIONS": {"unsubscribe": LONG}}
    message = _django_message()
    message.attach(MIMEImage(b"\x89PNG", "png"))
    assert message.send() == 1
    _check(arrived[0])
    assert message.body == TEXT


def test_flask_mailman_sends_what_rendering_makes(office: tuple[int, list[Any]]) -> None:
    flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed")
    flask_mailman = pytest.importorskip("flask_mailman", reason="Flask-Mailman is not installed")
    port, arrived = office
    app = flask.Flask("shop")
    app.config.update(
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=port,
        MAIL_BACKEND="msgtrack.mailers.flask.EmailBackend",
        MSGTRACK={"TRACKER": TRACKER, "OPTIONS": {"unsubscribe": LONG}},
    )
    flask_mailman.Mail(app)
    with app.app_context():
        message = flask_mailman.EmailMultiAlternatives("Spring", TEXT, "shop@shop.example", ["ann@a.example"])
        message.attach_alternative(HTML, "text/html")
        message.attach(MIMEImage(b"\x89PNG", "png"))
        message.msgtrack = dict(IDS)
        assert message.send() == 1
    _check(arrived[0])


def test_a_connection_of_django_is_opened_and_closed_once(
    django_settings: Any, office: tuple[int, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = pytest.importorskip("django.core.mail")
    made = []
    original = smtplib.SMTP.connect
    monkeypatch.setattr(smtplib.SMTP, "connect", lambda self, *a, **k: made.append(1) or original(self, *a, **k))
    port, arrived = office
    django_settings.EMAIL_HOST = "127.0.0.1"
    django_settings.MSGTRACK = {"TRACKER": TRACKER}
    # What the backend is made with goes to the one that sends.
    with mail.get_connection(port=port, timeout=20) as connection:
        assert connection.send_messages([]) == 0
        assert connection.send_messages([_django_message(), _django_message()]) == 2
        assert connection.send_messages(iter([_django_message()])) == 1
    assert (len(made), len(arrived)) == (1, 3)
    assert connection.backend.connection is None


def test_failing_silently_is_about_sending(django_settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    django_settings.EMAIL_HOST, django_settings.EMAIL_PORT = "127.0.0.1", port
    django_settings.MSGTRACK = {"TRACKER": TRACKER}
    assert _django_message().send(fail_silently=True) == 0
    message = _django_message()
    message.msgtrack = {"delivery_id": "spring"}
    with pytest.raises(InvalidValue, match="message_id"):
        message.send(fail_silently=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (None, "TRACKER"),
        ({"TRACKER": TRACKER, "BACKEND": "no.such.Backend"}, "leads nowhere"),
        ({"TRACKER": TRACKER, "BACKEND": "msgtrack.mailers.django.EmailBackend"}, "tracks, not one that sends"),
    ],
)
def test_unfit_settings_of_django_are_refused(django_settings: Any, settings: Any, words: str) -> None:
    mail = pytest.importorskip("django.core.mail")
    django_settings.MSGTRACK = settings
    with pytest.raises(InvalidOption, match=words):
        mail.get_connection()


@pytest.mark.parametrize("backend", ["no.such.Backend", "locmem.Nothing", "msgtrack.mailers.flask.EmailBackend"])
def test_unfit_settings_of_flask_are_refused(backend: str) -> None:
    flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed")
    flask_mailman = pytest.importorskip("flask_mailman", reason="Flask-Mailman is not installed")
    app = flask.Flask("shop")
    app.config.update(
        MAIL_BACKEND="msgtrack.mailers.flask.EmailBackend", MSGTRACK={"TRACKER": TRACKER, "BACKEND": backend}
    )
    mail = flask_mailman.Mail(app)
    with app.app_context(), pytest.raises(InvalidOption, match=r"leads nowhere|tracks, not"):
        mail.get_connection()


ANYMAIL_SETTINGS = {
    "resend": {"RESEND_API_KEY": "x"},
    "postmark": {"POSTMARK_SERVER_TOKEN": "x"},
    "sparkpost": {"SPARKPOST_API_KEY": "x"},
    "mandrill": {"MANDRILL_API_KEY": "x"},
    "brevo": {"BREVO_API_KEY": "x"},
    "mailgun": {"MAILGUN_API_KEY": "x", "MAILGUN_SENDER_DOMAIN": "shop.example"},
    "mailjet": {"MAILJET_API_KEY": "x", "MAILJET_SECRET_KEY": "x"},
    "unisender_go": {"UNISENDER_GO_API_KEY": "x", "UNISENDER_GO_API_URL": "https://api.example/"},
}


@pytest.mark.parametrize("name", ANYMAIL_SETTINGS)
def test_anymail_puts_the_tracked_parts_and_the_ids_into_what_it_would_post(django_settings: Any, name: str) -> None:
    """With the payload that Anymail really builds for each provider; nothing is posted."""
    pytest.importorskip("anymail", reason="Django Anymail is not installed")
    module = pytest.importorskip("django.utils.module_loading")
    django_settings.ANYMAIL = {**ANYMAIL_SETTINGS[name], "IGNORE_UNSUPPORTED_FEATURES": True}
    posted: list[str] = []

    class Recording(module.import_string(f"anymail.backends.{name}.EmailBackend")):  # type: ignore[misc]
        def open(self) -> bool:
            self.session = "none is needed"
            return False

        def post_to_esp(self, payload: Any, message: Any) -> None:
            posted.append(str(payload.get_request_params("https://api.example/")["data"]))

        def parse_recipient_status(self, response: Any, payload: Any, message: Any) -> Any:
            return {"ann@a.example": pytest.importorskip("anymail.message").AnymailRecipientStatus("7", "sent")}

    django_settings.MSGTRACK = {"TRACKER": TRACKER, "BACKEND": Recording, "PROVIDER": "anymail"}
    message = _django_message()
    message.send()
    assert message.anymail_status.status == {"sent"}
    (data,) = posted
    rendered = TRACKER.compile(html=HTML, text=TEXT, delivery_id="spring").render(message_id="1001")
    link = str(rendered.html).partition('href="')[2].partition('"')[0]
    assert link in data
    assert "msgtrack_delivery" in data
    assert "msgtrack_message" in data


def test_what_anymail_gives_back_names_the_message() -> None:
    assert identify("anymail", {"order": "7", "msgtrack_delivery": "spring", "msgtrack_message": "1001"}) == (
        "spring",
        "1001",
    )
    assert identify("anymail", {"order": "7"}) is None
