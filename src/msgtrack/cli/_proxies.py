"""``--trust-proxy`` and ``--proxy-header``: whose word is taken for a client's address."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from msgtrack.cli._common import named
from msgtrack.errors import InvalidOption

if TYPE_CHECKING:
    from msgtrack.redirect import TrustedProxies

__all__ = ["add_proxies", "proxies_of"]

_HEADER = "x-forwarded-for"


def add_proxies(parser: argparse.ArgumentParser) -> None:
    """The arguments that name proxies."""
    parser.add_argument(
        "--trust-proxy",
        action="append",
        default=[],
        metavar="NETWORK",
        help="believe this proxy, or network of them, whom it speaks for; may be given again",
    )
    parser.add_argument(
        "--proxy-header", metavar="NAME", help=f"in which header; goes with --trust-proxy (default: {_HEADER})"
    )


def proxies_of(args: argparse.Namespace) -> TrustedProxies | None:
    """The proxies that are believed, None where there are none.

    Raises:
        InvalidOption: a network or the header is none, or there is a header and nobody to believe it of.
    """
    from msgtrack.redirect import TrustedProxies

    if args.trust_proxy:
        header = _HEADER if args.proxy_header is None else args.proxy_header
        with named("proxy_header"):
            TrustedProxies(header=header)
        with named("trust_proxy"):
            return TrustedProxies(networks=args.trust_proxy, header=header)
    if args.proxy_header is not None:
        raise InvalidOption(
            f"--proxy-header {args.proxy_header} does nothing without --trust-proxy: no proxy is believed",
            hint="name the proxies' addresses or networks by --trust-proxy",
        )
    return None
