"""Signing secrets, and the keys made of them: one per secret, purpose and realm, derived once.

Signatures are HMAC-SHA256 cut to 80 bits, written as 16 characters of our alphabet, so that an edge in another
language can check them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable

from itsdangerous import Signer

from msgtrack.errors import InvalidValue, WeakSecret
from msgtrack.links.alphabet import LOW_BITS

__all__ = ["MAC_LENGTH", "Copies", "Keyring", "SigningKey"]

MAC_LENGTH = 16
"""Characters of a signature, five bits each."""

Copies = tuple["Callable[[], hashlib._Hash]", "Callable[[], hashlib._Hash]"]
"""What makes the inner and the outer hash of an HMAC that have taken in their halves of the key, for whoever checks many in a row."""

MIN_SECRET_BYTES = 32
_BLOCK = 64


class _PreparedHmac:
    """HMAC-SHA256 of one fixed key.

    The two padded blocks are hashed once; a digest copies both states (RFC 2104), half the time of ``hmac.digest``.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK, b"\0")
        self.inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block)).copy
        self.outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy

    def digest(self, value: bytes) -> bytes:
        inner = self.inner()
        inner.update(value)
        outer = self.outer()
        outer.update(inner.digest())
        return outer.digest()


class SigningKey:
    """One derived key: signs and verifies for one purpose and realm; ``place`` is that of its secret in the keyring."""

    def __init__(self, secret: bytes, purpose: str, realm: str, place: int = 0) -> None:
        self.place = place
        salt = b"\0".join((b"msgtrack/1", purpose.encode(), realm.encode()))
        self.key = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256).derive_key()
        prepared = _PreparedHmac(self.key)
        self._digest = prepared.digest
        self.copies: Copies = prepared.inner, prepared.outer

    def sign(self, text: str) -> str:
        """The 16 characters that sign ``text``."""
        # As digest_text does it; each message asks for this once.
        return self._digest(text.encode())[:MAC_LENGTH].translate(LOW_BITS).decode()

    def verify(self, text: str, signature: str, length: int = MAC_LENGTH) -> bool:
        """Whether ``signature``, of ``length`` characters of ASCII, signs ``text``; compared in constant time."""
        # As digest_text does it, here too.
        return hmac.compare_digest(self._digest(text.encode())[:length].translate(LOW_BITS).decode(), signature)

    def digest(self, text: str) -> bytes:
        """The whole 32 bytes of HMAC-SHA256, for keys and pseudonyms."""
        return self._digest(text.encode())


class Keyring:
    """One secret that signs and any number that only verify.

    A key id of seven bits follows from each secret, so a key keeps its id whatever its place; where ids collide,
    all that match are tried.
    """

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets
        self._ids = tuple(_key_id(secret) for secret in secrets)
        self._keys: dict[tuple[int, str, str], SigningKey] = {}
        self._verifying: dict[tuple[int, str, str], list[SigningKey]] = {}

    @classmethod
    def from_secrets(cls, sign_secret: str | bytes, *, verify_only: Iterable[str | bytes] = ()) -> Keyring:
        """A keyring of secrets, text or bytes, of at least 32 bytes each.

        Args:
            sign_secret: signs everything new, and verifies.
            verify_only: earlier secrets whose tokens are still in people's mail.

        Raises:
            WeakSecret: a secret is empty or shorter than 32 bytes; the message says which.
            InvalidValue: a secret is neither text nor bytes.
        """
        if isinstance(verify_only, str | bytes):
            raise InvalidValue("verify_only must be a sequence of secrets, not one secret")
        named = [("sign_secret", sign_secret)]
        named += [(f"verify_only[{index}]", secret) for index, secret in enumerate(verify_only)]
        secrets = dict.fromkeys(_secret_bytes(name, secret) for name, secret in named)
        return cls(tuple(secrets))

    @property
    def key_id(self) -> int:
        """The id, from 0 to 127, of the secret that signs."""
        return self._ids[0]

    def signing_key(self, purpose: str, realm: str = "") -> SigningKey:
        """The key that signs for a purpose in a realm."""
        return self.key_at(0, purpose, realm)

    def verifying_keys(self, key_id: int, purpose: str, realm: str = "") -> list[SigningKey]:
        """All keys whose secret has this id, the signing one first."""
        name = (key_id, purpose, realm)
        keys = self._verifying.get(name)
        if keys is None:
            found = [self.key_at(place, purpose, realm) for place, known in enumerate(self._ids) if known == key_id]
            keys = self._verifying[name] = found
        return keys

    def all_keys(self, purpose: str, realm: str = "") -> list[SigningKey]:
        """The keys of all secrets, the signing one first."""
        return [self.key_at(place, purpose, realm) for place in range(len(self._secrets))]

    def key_at(self, place: int, purpose: str, realm: str = "") -> SigningKey:
        """The key of the secret at a place, which a key that verified tells."""
        name = (place, purpose, realm)
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = SigningKey(self._secrets[place], purpose, realm, place)
        return key

    def __reduce__(self) -> tuple[type[Keyring], tuple[tuple[bytes, ...]]]:
        # Derived keys hold states of hash functions, which do not travel; they are derived again.
        return type(self), (self._secrets,)

    def __repr__(self) -> str:
        ids = ", ".join(str(key_id) for key_id in self._ids)
        return f"<Keyring of {len(self._ids)} secrets, key ids {ids}>"


def _key_id(secret: bytes) -> int:
    return SigningKey(secret, "key-id", "").digest("")[0] & 127


def _secret_bytes(name: str, secret: object) -> bytes:
    if isinstance(secret, str):
        data = secret.encode("utf-8", "surrogatepass")
    elif isinstance(secret, bytes):
        data = secret
    else:
        raise InvalidValue(f"{name} must be text or bytes, not {type(secret).__name__}")
    if len(data) < MIN_SECRET_BYTES:
        raise WeakSecret(
            f"{name} has {len(data)} bytes, a secret needs at least {MIN_SECRET_BYTES}",
            hint="make one with: msgtrack keys new",
        )
    return data
