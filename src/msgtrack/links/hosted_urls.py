"""The URLs of our own server's pages for one message: opt-out, mirror, preferences."""

from __future__ import annotations

from msgtrack._borders import one_of, text_id
from msgtrack._options import switch
from msgtrack.errors import InvalidValue
from msgtrack.links.formats import UrlFormat
from msgtrack.links.hosted import HOSTED_PARTS, hosted_link
from msgtrack.links.keyring import Keyring
from msgtrack.links.signing import PLAIN_POLICY, MessageSigner
from msgtrack.links.writing import texts_of
from msgtrack.model import HostedPage, Policy

__all__ = ["HostedUrls", "read_kind"]


def read_kind(value: object) -> str:
    """What a compiled message may be: ``normal`` or ``proof``.

    Raises:
        InvalidOption: it is neither.
    """
    return one_of("kind", ("normal", "proof"))(value)


class HostedUrls:
    """What a tracker writes of the pages of our own server."""

    keyring: Keyring
    realm: str
    url_format: UrlFormat
    conceal_ids: bool

    def opt_out_url(
        self,
        *,
        delivery_id: str | int,
        message_id: str | int,
        variant: str = "",
        policy: Policy = PLAIN_POLICY,
        seed: bool = False,
        kind: str = "normal",
    ) -> str:
        """The URL of our own opt-out page for one message, as ``render(unsubscribe="hosted")`` puts it into the headers.

        Whoever holds it can take the recipient out: it belongs into that recipient's message alone. It never expires,
        and names the message whatever the policy, because leaving is the recipient's own wish.

        Args:
            delivery_id: the delivery's id.
            message_id: the message's id.
            variant: the content variant that the message has.
            policy: how far this recipient may be followed; a visit of the page that changes nothing follows it.
            seed: whether the recipient is a seed address.
            kind: ``normal`` or ``proof``, as for :meth:`compile`.

        Raises:
            InvalidId: an id is unfit, or the URL format cannot write it.
            InvalidOption: ``kind`` is neither.
        """
        return self._page_url(HostedPage.OPT_OUT, delivery_id, message_id, variant, policy, seed, kind)

    def mirror_url(
        self,
        *,
        delivery_id: str | int,
        message_id: str | int,
        variant: str = "",
        policy: Policy = PLAIN_POLICY,
        seed: bool = False,
        kind: str = "normal",
    ) -> str:
        """The URL of the mirror page that ``RedirectHandler(mirror=...)`` makes; otherwise as :meth:`opt_out_url`."""
        return self._page_url(HostedPage.MIRROR, delivery_id, message_id, variant, policy, seed, kind)

    def preferences_url(
        self,
        *,
        delivery_id: str | int,
        message_id: str | int,
        variant: str = "",
        policy: Policy = PLAIN_POLICY,
        seed: bool = False,
        kind: str = "normal",
    ) -> str:
        """The URL of the page that ``RedirectHandler(preferences=...)`` makes or names; otherwise as
        :meth:`opt_out_url`.
        """
        return self._page_url(HostedPage.PREFERENCES, delivery_id, message_id, variant, policy, seed, kind)

    def _page_url(
        self,
        page: HostedPage,
        delivery_id: str | int,
        message_id: str | int,
        variant: str,
        policy: Policy,
        seed: bool,
        kind: str,
    ) -> str:
        if not isinstance(policy, Policy):
            raise InvalidValue(f"policy must be a Policy, not {policy!r:.80}")
        delivery, variant = text_id(delivery_id), text_id(variant) if variant else ""
        signer = MessageSigner(
            self.keyring,
            self.realm,
            self.url_format,
            None,
            delivery_id=delivery,
            variant=variant,
            is_proof=read_kind(kind) == "proof",
            conceal=self.conceal_ids,
            opened=texts_of(self.url_format, hosted_link(page, delivery, variant), HOSTED_PARTS[page]),
        )
        return signer.hosted_url(page, signer.part(text_id(message_id), policy, is_seed=switch("seed", seed)))
