"""Internet domain classes: the rows of every report that goes by domain.

Reports know a short, editable list of classes and call everything else "Others" (reference 7.8). A message carries its
class as a field, read off its address when it is made, so no store and no indicator needs the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

__all__ = ["DEFAULT_DOMAIN_CLASSES", "OTHERS", "domain_class"]

OTHERS = "Others"
"""The class of every address that no pattern of the list takes."""

DEFAULT_DOMAIN_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "gmail.com": "Gmail",
        "googlemail.com": "Gmail",
        "hotmail.*": "Hotmail",
        "live.*": "Hotmail",
        "outlook.*": "Hotmail",
        "msn.com": "MSN",
        "yahoo.*": "Yahoo",
        "ymail.com": "Yahoo",
        "aol.*": "AOL",
    }
)
"""Patterns of domains and the class each belongs to, the first match wins; ``*`` stands for any text."""


def domain_class(address: str, classes: Mapping[str, str] = DEFAULT_DOMAIN_CLASSES) -> str:
    """The domain class of an address, such as ``Gmail``; ``Others`` when no pattern matches.

    >>> domain_class("Ann@GoogleMail.com"), domain_class("b@corp.example")
    ('Gmail', 'Others')

    Pass ``classes`` of your own and give the result to ``Message(domain=...)`` for other rows.
    """
    domain = address.rpartition("@")[2].strip().rstrip(".>").lower()
    exact = classes.get(domain)
    if exact is not None:
        return exact
    for pattern, name in classes.items():
        if "*" in pattern and fnmatchcase(domain, pattern):
            return name
    return OTHERS
