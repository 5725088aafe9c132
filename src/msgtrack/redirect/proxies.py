"""Whose word is taken for a client's address: proxies that are known, and one header of theirs (RFC 7239 or the older one)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice

from attrs import field, frozen

from msgtrack._borders import closed, flag, one_of, shown, texts
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.redirect.exchange import Request

__all__ = ["TrustedProxies", "truncated_address"]

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
_MAX_HEADER = 4_096
_MAX_HOPS = 32
_V4_BITS, _V6_BITS = 24, 48
# One pair of RFC 7239, or none, up to what separates it from the one before: of text that is read backwards, where a quote is
# followed by the backslashes that escape it, if they are odd in number. There is one way to match any text, so it takes linear time.
_ESCAPED = r"\\(?:\\\\)*(?!\\)"
_PAIR = re.compile(
    rf"""[ \t]*+
    (?: (?P<value> "(?!{_ESCAPED}) (?: [^"\\]++ | \\ | "(?={_ESCAPED}) )* "(?!\\) | [^\s;,"\\=]++ )
        = (?P<name> [A-Za-z0-9!#$%&'*+.^_`|~-]++ )
    )?
    [ \t]*+ (?P<before> [;,] | \Z )""",
    re.VERBOSE,
)


def _networks(value: Iterable[str]) -> tuple[_Network, ...]:
    found = []
    for text in texts(value):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            raise InvalidOption(f"networks holds {shown(text)}, which is no address and no network") from None
    return tuple(found)


def _header(value: object) -> str:
    return one_of("header", ("x-forwarded-for", "forwarded"))(value)


@closed
@frozen(kw_only=True)
class TrustedProxies:
    """Proxies that are believed when they say whom they speak for.

    Args:
        networks: their addresses, or networks of them, such as ``10.0.0.0/8``.
        header: the one header that all of them set, ``x-forwarded-for`` or ``forwarded``. The other is never looked at,
            because anybody may send it through a proxy that does not know it.
        local: whether a peer without an address is one of them, as behind a Unix socket.

    >>> proxies = TrustedProxies(networks=["10.0.0.0/8"])

    Raises:
        InvalidOption: a network is none, or there is no such header.
    """

    networks: tuple[_Network, ...] = field(default=(), converter=_networks)
    header: str = field(default="x-forwarded-for", converter=_header)
    local: bool = field(default=False, converter=flag)

    def client_of(self, request: Request) -> str:
        """The client's address: that of the last hop that is no proxy of ours; empty where nobody knows one.

        A hop that is no address ends the search at the one before it, which vouched for nothing readable; so does an element
        of ``Forwarded`` that says none, or cannot be read.

        Raises:
            InvalidValue: ``request`` is no Request.
        """
        if not isinstance(request, Request):
            raise InvalidValue(f"client_of takes a Request, not {shown(request)}")
        peer = _address(request.client_ip)
        if not (self.local if peer is None and not request.client_ip else self._trusts(peer)):
            return "" if peer is None else str(peer)
        said = ",".join(request.headers.every(self.header))
        if len(said) > _MAX_HEADER:
            # What is cut in two may look like another address: this makes it none.
            said = "\0" + said[-_MAX_HEADER:]
        found = peer
        for hop in islice(_forwarded(said) if self.header == "forwarded" else reversed(said.split(",")), _MAX_HOPS):
            address = _address(hop)
            if address is None:
                break
            found = address
            if not self._trusts(address):
                break
        return "" if found is None else str(found)

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def truncated_address(address: str) -> str:
    """The network of an address: 24 bits of IPv4, 48 of IPv6; empty for what is none.

    >>> truncated_address("192.0.2.77"), truncated_address("2001:db8:1:2::3")
    ('192.0.2.0', '2001:db8:1::')

    Raises:
        InvalidValue: it is no text.
    """
    if not isinstance(address, str):
        raise InvalidValue(f"an address must be text, not {shown(address)}")
    found = _address(address)
    if found is None:
        return ""
    bits = _V4_BITS if found.version == 4 else _V6_BITS
    return str(ip_network((int(found), bits) if found.version == 4 else (found, bits), strict=False).network_address)


def _forwarded(said: str) -> Iterator[str]:
    """Whom each element of ``Forwarded`` is for, the last first; empty text, and the end, at one that says none or cannot be read.

    Backwards, because the end was written by who is believed: whatever quote was left open before it changes nothing there.
    """
    backwards = said[::-1]
    at = 0
    pairs: dict[str, str] = {}
    while (pair := _PAIR.match(backwards, at)) is not None:
        name, value, before = pair["name"], pair["value"], pair["before"]
        if name is not None:
            name = name[::-1].lower()
            if name in pairs:
                break
            pairs[name] = value[::-1]
        if before != ";" and pairs:
            if "for" not in pairs:
                break
            yield _unquoted(pairs["for"])
            pairs = {}
        if not before:
            return
        at = pair.end()
    yield ""


def _unquoted(value: str) -> str:
    return re.sub(r"(?s)\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _address(text: str) -> _Address | None:
    """An address, perhaps with a port or in brackets; IPv6 that holds an IPv4 is that."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
