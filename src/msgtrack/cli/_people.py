"""What ``serve`` is told of people: ``--people``, ``--cookie-domain``, ``--gpc`` and ``--client-ip``."""

from __future__ import annotations

import argparse

from attrs import evolve

from msgtrack.cli._common import named
from msgtrack.errors import InvalidOption
from msgtrack.model import PeoplePolicy

__all__ = ["add_people", "people_of"]

_FIELDS = {"people": "key", "cookie_domain": "cookie_domain", "gpc": "gpc", "client_ip": "client_ip"}


def add_people(parser: argparse.ArgumentParser) -> None:
    """The arguments that say how people are told apart, and what is kept of them."""
    parser.add_argument("--people", default="cookie", metavar="KEY", help="cookie, hash or none (default: cookie)")
    parser.add_argument(
        "--cookie-domain",
        metavar="NAME",
        help="the domain whose hosts all get the cookie, such as example.com (default: the one that sets it)",
    )
    parser.add_argument(
        "--gpc",
        default="no-key",
        metavar="WORD",
        help="browsers that ask not to be followed: no-key, aggregate or ignore (default: no-key)",
    )
    parser.add_argument(
        "--client-ip",
        default="none",
        metavar="WORD",
        help="what hits keep of addresses: none, or truncated to the network (default: none)",
    )


def people_of(args: argparse.Namespace) -> PeoplePolicy:
    """The policy that the arguments describe.

    Raises:
        InvalidOption: a word is none of those, or there is a domain and no cookie.
    """
    people = PeoplePolicy()
    for option, name in _FIELDS.items():
        given = getattr(args, option)
        if given is not None:
            with named(option):
                people = evolve(people, **{name: given})
    if args.cookie_domain is not None and (people.key != "cookie" or not people.cookie_domain):
        why = "names no domain" if not args.cookie_domain else f"does nothing with --people {people.key}"
        raise InvalidOption(f"--cookie-domain {why}")
    return people
