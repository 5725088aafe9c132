"""Mailers: what tracks the messages that a framework sends, while it sends them.

``msgtrack.mailers.django.EmailBackend`` is for Django's mail, ``msgtrack.mailers.flask.EmailBackend`` for Flask-Mailman.
Both are a :class:`MailTracking` before another backend, which sends.
"""

from __future__ import annotations

from msgtrack.mailers.tracking import MailTracking, SendsMessages, identify_by_attribute

__all__ = ["MailTracking", "SendsMessages", "identify_by_attribute"]
