"""The demonstration's post office: a real SMTP server on this machine that keeps, of each message, the tracked URLs
it holds.
"""

from __future__ import annotations

import re
import smtplib
import socket
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from attrs import define, field

from msgtrack.cli.demo.campaign import Recipient
from msgtrack.errors import MissingExtra, ServerError
from msgtrack.links import CompiledMessage

__all__ = ["Inbox", "PostOffice", "free_port", "send_all"]

_MAX_LINE = 990


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@define
class Inbox:
    """The tracked URLs of one received message, in order: open images, links of the HTML part, links of the text
    part.
    """

    opens: list[str] = field(factory=list)
    html: list[str] = field(factory=list)
    text: list[str] = field(factory=list)


class PostOffice:
    """An SMTP server in a thread; ``inboxes`` holds what arrived, by address. Use it in a ``with`` block.

    Raises:
        MissingExtra: aiosmtpd is not installed.
        ServerError: the server does not start.
    """

    def __init__(self, base_url: str, refused: set[str]) -> None:
        self.inboxes: dict[str, Inbox] = {}
        self._refused = refused
        self._url = re.compile(re.escape(base_url) + r"[a-z0-9.-]+/[a-z0-9.-]+")
        self._open = base_url + "1/"
        self.port = free_port()
        try:
            from aiosmtpd.controller import Controller
        except ImportError as error:
            raise MissingExtra("the demo needs the package 'aiosmtpd'", hint="pip install 'msgtrack[demo]'") from error
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, data_size_limit=64 << 20)

    def __enter__(self) -> Self:
        try:
            self._controller.start()
        except (OSError, RuntimeError) as error:
            raise ServerError(f"the SMTP server does not start on port {self.port}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Take or refuse a recipient; the name is aiosmtpd's."""
        if address in self._refused:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep the tracked URLs of a message; the name is aiosmtpd's."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        inbox = Inbox()
        for part in message.walk():
            if part.get_content_type() == "text/html":
                urls = self._url.findall(part.get_content())
                inbox.opens = [url for url in urls if url.startswith(self._open)]
                inbox.html = [url for url in urls if not url.startswith(self._open)]
            elif part.get_content_type() == "text/plain":
                inbox.text = self._url.findall(part.get_content())
        self.inboxes[envelope.rcpt_tos[0]] = inbox
        return "250 OK"


def send_all(
    compiled: CompiledMessage,
    recipients: list[Recipient],
    office: PostOffice,
    subject: str,
    step: Callable[[int], None],
) -> list[Recipient]:
    """Render and send every message over SMTP; gives those that arrived."""
    arrived = []
    with smtplib.SMTP("127.0.0.1", office.port, timeout=60) as smtp:
        smtp.ehlo()
        for recipient in recipients:
            rendered = compiled.render(message_id=recipient.message_id, seed=recipient.is_seed)
            message = _message(recipient, rendered.html, rendered.text, subject)
            try:
                smtp.sendmail("news@sender.example", [recipient.address], message, mail_options=["BODY=8BITMIME"])
                arrived.append(recipient)
            except smtplib.SMTPRecipientsRefused:
                pass
            step(1)
    return arrived


def _message(recipient: Recipient, html: str | None, text: str | None, subject: str) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "News <news@sender.example>"
    message["To"] = recipient.address
    message["Subject"] = subject
    message["Message-ID"] = f"<{recipient.message_id}@sender.example>"
    message.set_content(text or "", cte=_encoding(text or ""))
    if recipient.format == "html" and html is not None:
        message.add_alternative(html, subtype="html", cte=_encoding(html))
    return message.as_bytes()


def _encoding(text: str) -> str:
    longest = max((len(line.encode("utf-8", "replace")) for line in text.splitlines()), default=0)
    return "8bit" if longest <= _MAX_LINE else "base64"
