"""What a tracker writes into envelopes and headers so that whatever comes back finds its message.

Signed addresses: return paths that a bounce comes back to (VERP), and Message-IDs that replies and reports quote.

Both hold a message part of ``docs/spec/tokens.md`` under a purpose of its own, so neither can be made of a tracked URL
nor of the other. A full stop of the token is written as an underscore, because two in a row are no address (RFC 5321,
section 4.1.2), and case does not matter, because mail servers fold it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgtrack._borders import shown, text_id
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue
from msgtrack.links.correlation import correlation
from msgtrack.links.keyring import Keyring
from msgtrack.links.tokens import concealed_text, encode_id, message_head, message_text, read_message
from msgtrack.model import Policy

__all__ = ["MAX_LOCAL_PART", "MailAddresses", "MessageIds"]

MAX_LOCAL_PART = 64
"""Octets before the ``@`` of an address (RFC 5321, section 4.5.3.1.1)."""

_MAX_DOMAIN = 255
_MAX_TEXT = 65_536
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOM = r"[A-Za-z0-9!#$%&'*/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_TOKEN = re.compile(r"(?<![0-9A-Za-z_.-])[0-9A-Za-z_.-]{22,400}(?=@)")
_PLAIN = Policy()


class MessageIds(NamedTuple):
    """Which message of which delivery something is about."""

    delivery_id: str
    message_id: str


class MailAddresses:
    """What a tracker can write into envelopes and headers, and read back from what returns."""

    keyring: Keyring
    realm: str
    conceal_ids: bool

    def correlation(
        self, provider: str, *, delivery_id: str | int, message_id: str | int, form: str = "headers"
    ) -> dict[str, str]:
        """What to send along so that a provider's webhooks find the message again.

        Args:
            provider: its name, such as ``sendgrid``; ``msgtrack.links.correlation.PROVIDERS`` lists them.
            delivery_id: the delivery's id.
            message_id: the message's id.
            form: ``headers`` for a message handed over by SMTP, ``metadata`` for the field of the provider's API that
                comes back in its webhooks. A provider without such a header gives its metadata for both.

        Raises:
            InvalidOption: no provider has this name.
            InvalidId: an id is unfit, or longer than the provider takes.
        """
        return correlation(provider, text_id(delivery_id), text_id(message_id), form=form)

    def return_path(self, address: str, *, delivery_id: str | int, message_id: str | int) -> str:
        """The envelope sender of one message, ``bounce+<token>@<domain>``, which its bounces come back to.

        Args:
            address: a domain, or an address whose local part stands before the ``+`` instead of ``bounce``.
            delivery_id: the delivery's id.
            message_id: the message's id.

        Raises:
            InvalidOption: the address is unfit.
            InvalidId: an id is unfit, or the local part would be over 64 octets.
        """
        local, _, domain = address.rpartition("@") if isinstance(address, str) else ("", "", "")
        local = local or "bounce"
        if not _LOCAL_PART.fullmatch(local) or not _is_domain(domain):
            raise InvalidOption(f"{shown(address)} is no domain and no plain address", hint="such as mail.example.com")
        local = f"{local}+{self._token('bounce', delivery_id, message_id)}"
        if len(local) > MAX_LOCAL_PART:
            raise InvalidId(
                f"the return path of message {shown(message_id)} of delivery {shown(delivery_id)} needs {len(local)} "
                f"characters before the @, and {MAX_LOCAL_PART} are allowed",
                hint="numbers and a short word before the + take the least room",
            )
        return f"{local}@{domain}"

    def read_return_path(self, address: str) -> MessageIds | None:
        """Which message a bounce is about, by the address it was sent to; None when that is none of ours.

        Any text may be asked for. What forwarders put before it (``SRS0=…=bounce+<token>``) does not matter.
        """
        return self._read("bounce", address)

    def message_id_header(self, domain: str, *, delivery_id: str | int, message_id: str | int) -> str:
        """The value of the header ``Message-ID`` of one message, ``<token@domain>``; the same whenever it is made.

        Raises:
            InvalidOption: the domain is unfit.
            InvalidId: an id is unfit.
        """
        if not _is_domain(domain):
            raise InvalidOption(f"{shown(domain)} is no domain", hint="such as mail.example.com")
        return f"<{self._token('message-id', delivery_id, message_id)}@{domain}>"

    def read_message_id_header(self, value: str) -> MessageIds | None:
        """Which message of ours a header names; None when it names none.

        ``value`` is that of ``Message-ID``, ``In-Reply-To``, ``References`` (the last of ours counts, as the nearest)
        or ``Original-Message-ID``. Any text may be asked for.
        """
        return self._read("message-id", value)

    def _token(self, purpose: str, delivery_id: str | int, message_id: str | int) -> str:
        keyring, realm = self.keyring, self.realm
        head = message_head(keyring.key_id, _PLAIN, is_seed=False, is_proof=False, conceal=self.conceal_ids)
        delivery = encode_id(text_id(delivery_id))
        token = message_text(head, delivery, text_id(message_id), "", keyring.signing_key(purpose, realm))
        if self.conceal_ids:
            token = concealed_text(token, keyring.signing_key("conceal", realm))
        return token.replace(".", "_")

    def _read(self, purpose: str, text: str) -> MessageIds | None:
        if not isinstance(text, str):
            raise InvalidValue(f"an address or a header must be text, not {type(text).__name__}")
        for found in reversed(_TOKEN.findall(text[-_MAX_TEXT:])):
            token = found.lower()
            # A full stop is not how we write it, and a token has one spelling.
            said = None if "." in token else read_message(token.replace("_", "."), self.keyring, self.realm, purpose)
            if said is not None:
                return MessageIds(said.delivery_id, said.message_id)
        return None


def _is_domain(domain: object) -> bool:
    return isinstance(domain, str) and len(domain) <= _MAX_DOMAIN and _DOMAIN.fullmatch(domain) is not None
