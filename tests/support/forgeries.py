"""Tokens that nobody signed, made of some that were signed: shared by the tests of links and of what a server says of them.

What is honest may be among them, as where two equal letters change places; whoever asks takes that out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from msgtrack import Keyring
from msgtrack.links.alphabet import ALPHABET, decode_int, encode_int
from msgtrack.links.keyring import MAC_LENGTH

__all__ = [
    "CHARACTERS",
    "OTHER_SECRET",
    "PURPOSES",
    "changed",
    "of_version",
    "rearranged",
    "shifted",
    "signed_by_others",
    "spliced",
    "with_the_same_key_id",
]

OTHER_SECRET = "another secret that is long enough to sign"
PURPOSES = ("message", "link", "link-key", "people", "pseudonym", "key-id", "opt-out", "mirror", "preferences", "")
# The alphabet, its look-alikes, what separates, what is escaped, what folds to a letter, and what no URL holds.
CHARACTERS = (
    *ALPHABET, *"ilouILOUAZ", *"-./_~=+", *"%&?#;:@!$'\"()<>[]{}\\^`|*,", *" \t\n\0\x7f", *"\u00e9\u00ad\u0130\u0131\u017f\u200b\u212a",
    *"\u0660\uff11\ufeff\ud800\U0001d7ce",
)  # fmt: skip


def changed(url: str, start: int) -> Iterator[tuple[int, str, str]]:
    """Every change of one character from a place on: its place, the character, the forgery.

    A change of case alone is damage that is undone, and no forgery.
    """
    for place in range(start, len(url)):
        for character in CHARACTERS:
            if character == url[place] or (character.isascii() and character.lower() == url[place].lower()):
                continue
            yield place, character, url[:place] + character + url[place + 1 :]


def rearranged(token: str) -> set[str]:
    """Every character left out, doubled, put in, or changed with another."""
    forged = {token[:place] + token[place + 1 :] for place in range(len(token))}
    forged |= {token[:place] + token[place] + token[place:] for place in range(len(token))}
    forged |= {
        token[:place] + character + token[place:] for place in range(len(token) + 1) for character in ALPHABET + ".-"
    }
    forged |= {
        token[:a] + token[b] + token[a + 1 : b] + token[a] + token[b + 1 :]
        for a, b in itertools.combinations(range(len(token)), 2)
    }
    # A full stop or hyphen behind a link is punctuation of the sentence around it.
    return forged - {token, token + ".", token + "-"}


def spliced(one: str, other: str) -> set[str]:
    """The head of one and the tail of another, cut at all pairs of places in their first ids and at equal places throughout."""
    cuts = {(place, place) for place in range(min(len(one), len(other)))}
    cuts |= {(len(one) - MAC_LENGTH, len(other) - MAC_LENGTH)}
    cuts |= set(itertools.product(range(3, 20, 2), range(3, 20, 2)))
    return {one[:left] + other[right:] for left, right in cuts}


def shifted(token: str) -> set[str]:
    """Each hyphen taken out and put everywhere else, taken away, and doubled; and the boundary to the signature moved."""
    forged = set()
    for found in re.finditer("-", token):
        rest = token[: found.start()] + token[found.end() :]
        forged |= {rest} | {rest[:place] + "-" + rest[place:] for place in range(len(rest) + 1)}
        forged.add(rest[: found.start()] + "--" + rest[found.start() :])
        forged |= {rest[: found.start()] + mark + rest[found.start() :] for mark in (".", "0", "..", "-.", "-..")}
    body, mac = token[:-MAC_LENGTH], token[-MAC_LENGTH:]
    forged |= {f"{body}-{mac}", f"{body}0{mac}", f"{mac}{body}", f"{body}{mac}{mac}", f"{body}{body}{mac}", mac, body}
    return forged - {token, token + "-"}


def signed_by_others(token: str, secret: str, purpose: str) -> Iterator[str]:
    """The same text, signed by every key that is not the one."""
    text = token[:-MAC_LENGTH]
    for other in itertools.product((secret, OTHER_SECRET), PURPOSES, ("", "north", "message")):
        if other != (secret, purpose, ""):
            yield text + Keyring.from_secrets(other[0]).signing_key(other[1], other[2]).sign(text)


def of_version(token: str, secret: str, purpose: str, version: int) -> str:
    """A token that says another version, and is signed all the same."""
    head = encode_int(decode_int(token[:3]) & 0x1FFF | version << 13).rjust(3, "0")
    text = head + token[3:-MAC_LENGTH]
    return text + Keyring.from_secrets(secret).signing_key(purpose).sign(text)


def with_the_same_key_id(secret: str) -> str:
    """A secret whose tokens say the same key."""
    wanted = Keyring.from_secrets(secret).key_id
    tried = (f"secret number {number:06d} that is long enough" for number in range(5_000))
    return next(text for text in tried if Keyring.from_secrets(text).key_id == wanted)
