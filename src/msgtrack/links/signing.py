"""Who signs the message parts of one compiled message, and knows them again."""

from __future__ import annotations

from collections.abc import Sequence

from msgtrack._options import switch
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.formats import UrlFormat
from msgtrack.links.headers import ADDRESS, unsubscribe_headers
from msgtrack.links.hosted import HOSTED_PARTS, hosted_link
from msgtrack.links.keyring import MAC_LENGTH, Keyring, SigningKey
from msgtrack.links.personal import PersonalLink, carried, parted, read_values, signed_fields
from msgtrack.links.registry import LinkRegistry
from msgtrack.links.repair import MAX_LENGTH
from msgtrack.links.tokens import (
    MessageToken,
    concealed_text,
    encode_id,
    message_head,
    message_text,
    read_message,
    tail_text,
)
from msgtrack.links.writing import Texts, fill, spread_of, texts_of
from msgtrack.model import HostedPage, Policy

__all__ = ["PLAIN_POLICY", "MessageSigner"]

PLAIN_POLICY = Policy()
"""The policy that rendering takes for granted; known by identity, so that its head is made once."""


class MessageSigner:
    """Makes the message parts of one delivery and variant.

    ``opened`` holds the fixed texts of the open's URL; ``registry`` is where the links must have been published
    (None: nowhere); ``spread`` how the format writes a message part (None: as it is).
    """

    def __init__(
        self,
        keyring: Keyring,
        realm: str,
        url_format: UrlFormat,
        registry: LinkRegistry | None,
        *,
        delivery_id: str,
        variant: str,
        is_proof: bool,
        conceal: bool,
        opened: Texts,
    ) -> None:
        self.registry = registry
        self.opened = opened
        self.conceal = conceal
        self.spread = spread_of(url_format)
        self.key = keyring.signing_key("compiled", realm)
        self.key_id = keyring.key_id
        self._keyring = keyring
        self._realm = realm
        self._format = url_format
        self._is_proof = is_proof
        self._said = (delivery_id, variant)
        self._delivery = encode_id(delivery_id)
        self._tail = tail_text(None, variant)
        self._values_key = keyring.signing_key("values", realm)
        self._signing = keyring.signing_key("message", realm)
        self._hiding = keyring.signing_key("conceal", realm) if conceal else None
        self._default_head = self._head(PLAIN_POLICY, is_seed=False)
        self._pages: dict[HostedPage, tuple[SigningKey, Texts]] = {}

    def part(self, message_id: str, policy: Policy, *, is_seed: bool) -> str:
        """The message part of one message.

        Raises:
            InvalidValue: ``policy`` is no Policy, or ``is_seed`` neither True nor False.
        """
        head = self._default_head if policy is PLAIN_POLICY and not is_seed else self._head(policy, is_seed=is_seed)
        token = message_text(head, self._delivery, message_id, self._tail, self._signing)
        return token if self._hiding is None else concealed_text(token, self._hiding)

    def hosted_url(self, page: HostedPage, part: str) -> str:
        """The URL of a page of ours for the message of a message part: the same text, signed by the page's own key.

        Raises:
            InvalidId: the format cannot write an id.
            InvalidOption: what the format wrote does not fit into a header.
        """
        key, texts = self._pages.get(page) or self._prepared(page)
        hiding = self._hiding
        text = (part if hiding is None else concealed_text(part, hiding))[:-MAC_LENGTH]
        token = text + key.sign(text)
        if hiding is not None:
            token = concealed_text(token, hiding)
        if self.spread is None:
            return token.join(texts)
        return _checked(fill(texts, self.texts(token)))

    def headers(self, unsubscribe: str | Sequence[str], part: str) -> dict[str, str]:
        """The headers that take a recipient out; see ``unsubscribe_headers``, whose errors are raised."""
        return unsubscribe_headers(unsubscribe, lambda: self.hosted_url(HostedPage.OPT_OUT, part))

    def _prepared(self, page: HostedPage) -> tuple[SigningKey, Texts]:
        link = hosted_link(page, *self._said)
        texts = texts_of(self._format, link, HOSTED_PARTS[page])
        _checked("".join(texts))
        made = self._pages[page] = self._keyring.signing_key(page.value, self._realm), texts
        return made

    def texts(self, part: str) -> Texts:
        """The texts by which the format writes a message part.

        Raises:
            InvalidId: the format cannot write the message's id.
            InvalidOption: the format gave another number of texts than there are gaps.
        """
        texts = (part,) if self.spread is None else tuple(self.spread(part))
        if len(texts) != len(self.opened) - 1:
            raise InvalidOption(
                f"url_format gave {len(texts)} texts for a message part, and its URLs have {len(self.opened) - 1} gaps"
            )
        return texts

    def personal_url(self, link: PersonalLink, part: str, values: Sequence[str]) -> str:
        """The whole URL of a personalised link.

        Raises:
            InvalidValue: it is longer than what is read again.
            InvalidId, InvalidOption: see :meth:`texts`.
        """
        url = self._personal_url(link, part, values, self._values_key)
        if len(url) > MAX_LENGTH:
            raise InvalidValue(
                f"with the values of {', '.join(dict.fromkeys(link.names))} a link has {len(url)} characters, and "
                f"{MAX_LENGTH} are read back at most",
                hint="shorten them, or put a short id into the link",
            )
        return url

    def _personal_url(self, link: PersonalLink, part: str, values: Sequence[str], key: SigningKey) -> str:
        fields, signature = signed_fields(key, part, link.part, values)
        own = getattr(self._format, "with_values", None)
        if own is not None:
            return str(own(link.texts, self.texts(part), values, signature))
        return fill(link.texts, self.texts(carried(part, fields, signature)))

    def made(self, text: str, pieces: Sequence[str]) -> bool:
        """Whether ``text`` is these pieces, with a message part of this delivery in the gaps."""
        if len(pieces) == 1:
            return text == pieces[0]
        texts = _between(text, pieces, len(self.opened) - 1)
        if texts is None or fill(pieces, texts) != text:
            return False
        said = self._read(texts)
        return said is not None and (said.delivery_id, said.variant) == self._said

    def made_personal(
        self, text: str, pieces: Sequence[str], fills: Sequence[int], links: Sequence[PersonalLink]
    ) -> bool:
        """Whether ``text`` is these pieces, with a message part of this delivery and values signed by us in the gaps."""
        gaps = _gaps(text, pieces)
        if gaps is None:
            return False
        texts: dict[int, str] = {}
        tokens = set()
        for fill_, found in zip(fills, gaps, strict=True):
            if fill_ >= 0:
                if texts.setdefault(fill_, found) != found:
                    return False
                continue
            read = self._read_personal(links[~fill_], found)
            if read is None or self._personal_url(links[~fill_], *read) != found:
                return False
            tokens.add(read[0])
        said = [read_message(token, self._keyring, self._realm) for token in tokens]
        if texts:
            said.append(self._read([texts[place] for place in sorted(texts)]))
        return (
            len(tokens) < 2
            and None not in said
            and len({each.message_id for each in said if each}) == 1
            and all((each.delivery_id, each.variant) == self._said for each in said if each)
        )

    def _read_personal(self, link: PersonalLink, url: str) -> tuple[str, list[str], SigningKey] | None:
        parsed = self._format.parse(url)
        if parsed is None or parsed.repairs:
            return None
        message, tail = parted(parsed)
        said = read_message(message, self._keyring, self._realm)
        if said is None:
            return None
        key = self._keyring.key_at(said.place, "values", self._realm)
        found = (read_values(text, key, message, link.part, len(link.names)) for text in tail)
        return next(((message, values, key) for values in found if values is not None), None)

    def _read(self, texts: Sequence[str]) -> MessageToken | None:
        if self.spread is None:
            return read_message(texts[0], self._keyring, self._realm)
        parsed = self._format.parse(fill(self.opened, texts))
        if parsed is None or parsed.repairs:
            return None
        return read_message(parsed.message, self._keyring, self._realm)

    def _head(self, policy: Policy, *, is_seed: bool) -> str:
        if not isinstance(policy, Policy):
            raise InvalidValue(f"policy must be a Policy, not {policy!r:.80}")
        # Anything else would be written over the bits beside it.
        is_seed = switch("seed", is_seed)
        return message_head(
            self._keyring.key_id, policy, is_seed=is_seed, is_proof=self._is_proof, conceal=self.conceal
        )


def _checked(url: str) -> str:
    if not ADDRESS.fullmatch(url):
        raise InvalidOption(f"url_format wrote {url!r:.120}, which is no https or http address fit for a header")
    return url


def _gaps(text: str, pieces: Sequence[str]) -> list[str] | None:
    """What stands between the pieces, in order."""
    first, *between, last = pieces
    if not text.startswith(first) or not text.endswith(last):
        return None
    gaps: list[str] = []
    place = len(first)
    for piece in between:
        end = text.find(piece, place + 1)
        if end < 0:
            return None
        gaps.append(text[place:end])
        place = end + len(piece)
    return [*gaps, text[place : len(text) - len(last)]]


def _between(text: str, pieces: Sequence[str], gaps: int) -> list[str] | None:
    """What stands in the first gaps of the pieces, if the lengths can come out."""
    length, rest = divmod(len(text) - sum(map(len, pieces)), (len(pieces) - 1) // gaps)
    if rest or length < gaps:
        return None
    found: list[str] = []
    place = len(pieces[0])
    for piece in pieces[1:gaps]:
        end = text.find(piece, place)
        if end < 0:
            return None
        found.append(text[place:end])
        place = end + len(piece)
    last = length - sum(map(len, found))
    return None if last < 0 else [*found, text[place : place + last]]
