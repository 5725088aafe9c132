"""What is remembered of links from one delivery to the next: which are always tracked, and which never (reference 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import evolve, field, frozen

from msgtrack import vocabulary
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.compiled import CompiledMessage
from msgtrack.model import TrackingMode

__all__ = ["LinkMemory"]

_REMEMBERED = (TrackingMode.ALWAYS, TrackingMode.NEVER)


def _modes(value: Any) -> Mapping[str, TrackingMode]:
    if not isinstance(value, Mapping):
        raise InvalidValue(f"a memory is a mapping of source URLs to modes, not {type(value).__name__}")
    modes: dict[str, TrackingMode] = {}
    for url, mode in value.items():
        if not isinstance(url, str):
            raise InvalidValue(f"a memory knows links by their source URL, not by {url!r:.80}")
        modes[url] = vocabulary.tracking_mode(mode)
        if modes[url] not in _REMEMBERED:
            raise InvalidOption(f"the mode {modes[url].value!r} of {url!r:.80} is not remembered; always and never are")
    return MappingProxyType(modes)


@frozen(kw_only=True)
class LinkMemory:
    """The modes ``always`` and ``never`` of links seen before, by their exact source URL.

    It is a value: the caller gives it to ``LinkRules(memory=...)``, takes ``memory.updated(compiled)`` from each
    compilation, and stores it. ``modes`` goes into JSON as it is, and comes back the same way.

    >>> LinkMemory(modes={"https://shop.example/": "never"}).mode_of("https://shop.example/")
    <TrackingMode.NEVER: 'never'>

    Raises:
        InvalidOption: a mode is neither ``always`` nor ``never``.
        InvalidValue: ``modes`` is no mapping of text.
    """

    modes: Mapping[str, TrackingMode] = field(factory=dict, converter=_modes)

    def mode_of(self, url: str) -> TrackingMode | None:
        """``always``, ``never``, or None for a URL that nothing is remembered of."""
        return self.modes.get(url)

    def updated(self, compiled: CompiledMessage) -> LinkMemory:
        """The memory with what the rules of a compiled message said ``always`` or ``never`` of.

        Where they said both of one URL, the later link counts. Any other mode holds for its delivery alone, and
        changes nothing here.
        """
        said = {one.url: one.mode for one in compiled.decisions if one.mode in _REMEMBERED}
        return evolve(self, modes={**self.modes, **said})

    def without(self, *urls: str) -> LinkMemory:
        """The memory with some URLs forgotten; those it does not know are passed over."""
        return evolve(self, modes={url: mode for url, mode in self.modes.items() if url not in urls})
