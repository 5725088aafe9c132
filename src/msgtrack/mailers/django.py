"""Django's mail: a backend that tracks messages and has another one send them.

In the settings::

    EMAIL_BACKEND = "msgtrack.mailers.django.EmailBackend"
    MSGTRACK = {"TRACKER": "shop.tracking.tracker"}

Needs the extra ``django``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgtrack.errors import InvalidOption, MissingExtra
from msgtrack.mailers.tracking import MailTracking

try:
    from django.conf import settings
    from django.core.mail.backends.base import BaseEmailBackend
    from django.utils.module_loading import import_string
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.mailers.django needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[django]'",
    ) from error

__all__ = ["EmailBackend"]

_SMTP = "django.core.mail.backends.smtp.EmailBackend"


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django says nothing of its types
    """Tracks the messages that say who they are, and hands all of them to the backend that sends.

    The setting ``MSGTRACK`` is a mapping with the keys of ``MailTracking.from_settings``, and perhaps ``BACKEND``, the
    backend that sends (Django's SMTP unless it says otherwise). Whatever this backend is made with, that one is.

    ``fail_silently`` is about sending: a message that cannot be tracked is an error all the same, and nothing is sent.

    Raises:
        InvalidOption, UnknownOption: the setting is unfit.
    """

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        said = getattr(settings, "MSGTRACK", None)
        self.tracking = MailTracking.from_settings(said)
        name = (said or {}).get("BACKEND") or _SMTP
        try:
            backend = import_string(name) if isinstance(name, str) else name
        except ImportError as error:
            raise InvalidOption(f"BACKEND={name!r:.120} leads nowhere: {error}") from error
        if backend is EmailBackend:
            raise InvalidOption("BACKEND names the backend that tracks, not one that sends")
        self.backend = backend(fail_silently=fail_silently, **options)

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
