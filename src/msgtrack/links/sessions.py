"""Sessions: signed tokens that stand in a cookie for the message whose link a browser followed.

They have a key of their own, so no part of a tracked URL passes for one, nor one for a part of a URL.
"""

from __future__ import annotations

from msgtrack.links.keyring import Keyring
from msgtrack.links.tokens import (
    concealed_text,
    encode_id,
    message_head,
    message_text,
    read_message,
    tail_text,
)
from msgtrack.model import Consent, Resolution, ResolutionOutcome

__all__ = ["SessionTokens"]

_PURPOSE = "session"
_MAX_LENGTH = 512


class SessionTokens:
    """What a tracker says of sessions; see :class:`msgtrack.protocols.Sessions`."""

    keyring: Keyring
    realm: str
    conceal_ids: bool

    def session_token(self, resolution: Resolution) -> str:
        """The token of the message of a click; empty for one whose recipient may not be identified."""
        policy, delivery_id, message_id = resolution.policy, resolution.delivery_id, resolution.message_id
        is_known = resolution.outcome is ResolutionOutcome.VALID and policy.clicks is Consent.IDENTIFIED
        if not is_known or delivery_id is None or message_id is None:
            return ""
        flags = {"is_seed": resolution.is_seed, "is_proof": resolution.is_proof}
        head = message_head(self.keyring.key_id, policy, **flags, conceal=self.conceal_ids)
        key = self.keyring.signing_key(_PURPOSE, self.realm)
        token = message_text(head, encode_id(delivery_id), message_id, tail_text(None, resolution.variant), key)
        return concealed_text(token, self.keyring.signing_key("conceal", self.realm)) if self.conceal_ids else token

    def read_session(self, token: str) -> Resolution:
        """What a token says; ``unknown`` when it is none of ours. Any text may be asked for."""
        said = read_message(token, self.keyring, self.realm, _PURPOSE) if len(token) <= _MAX_LENGTH else None
        if said is None:
            return Resolution(outcome=ResolutionOutcome.UNKNOWN)
        return Resolution(
            outcome=ResolutionOutcome.VALID,
            delivery_id=said.delivery_id,
            message_id=said.message_id,
            variant=said.variant,
            policy=said.policy,
            is_seed=said.is_seed,
            is_proof=said.is_proof,
        )
