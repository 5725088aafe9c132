"""Flask-Mailman: a backend that tracks messages and has another one send them.

In the configuration::

    MAIL_BACKEND = "msgtrack.mailers.flask.EmailBackend"
    MSGTRACK = {"TRACKER": "shop.tracking.tracker"}

Needs the extra ``flask``, and the package ``flask-mailman``. For Flask-Mail no backend is needed:
``docs/how-to/send-with-flask.md`` says how.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgtrack.errors import InvalidOption, MissingExtra
from msgtrack.mailers.tracking import MailTracking

try:
    from flask import current_app
    from flask_mailman.backends.base import BaseEmailBackend
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.mailers.flask needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[flask]' flask-mailman",
    ) from error

__all__ = ["EmailBackend"]


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Flask-Mailman says nothing of its types
    """Tracks the messages that say who they are, and hands all of them to the backend that sends.

    The configuration's ``MSGTRACK`` is a mapping with the keys of ``MailTracking.from_settings``, and perhaps
    ``BACKEND``, the backend that sends, as ``MAIL_BACKEND`` would name it (``smtp`` unless it says otherwise).

    Raises:
        InvalidOption, UnknownOption: the configuration is unfit.
    """

    def __init__(self, mailman: Any = None, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(mailman=mailman, fail_silently=fail_silently)
        said = current_app.config.get("MSGTRACK")
        self.tracking = MailTracking.from_settings(said)
        name = (said or {}).get("BACKEND") or "smtp"
        try:
            backend = mailman.import_backend(name)
        except (AttributeError, ImportError) as error:
            raise InvalidOption(f"BACKEND={name!r:.120} leads nowhere: {error}") from error
        if backend is EmailBackend:
            raise InvalidOption("BACKEND names the backend that tracks, not one that sends")
        self.backend = backend(mailman=mailman, fail_silently=fail_silently, **options)

    def open(self) -> Any:
        """Open the connection of the backend that sends."""
        return self.backend.open()

    def close(self) -> None:
        """Close the connection of the backend that sends."""
        self.backend.close()

    def send_messages(self, email_messages: Iterable[Any]) -> Any:
        """Track the messages and send them; gives how many were sent, as the backend says.

        Raises:
            MsgtrackError: a message cannot be tracked; none of them was sent then.
        """
        messages = list(email_messages)
        return self.tracking.send_through(self.backend, messages) if messages else 0
