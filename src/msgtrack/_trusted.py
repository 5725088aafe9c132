"""Values made without their converters, for the few places that make them by the million out of what they checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import attrs

_T = TypeVar("_T")


def trusted(cls: type[_T], /, **defaults: object) -> Callable[..., _T]:
    """What makes a ``cls`` of values that are known to hold; a tenth of the time that ``cls(...)`` takes.

    The values go in by place or by name, in the order of the fields; those left out are as in ``defaults``, else as
    the class has it. A mutable class of the same layout takes them, and then becomes ``cls``: so the fields are set
    in C, and what comes out is as frozen as ever. ``cls`` must be ``frozen(weakref_slot=False)``, because a slot for
    weak references would make the layouts differ.
    """

    def become(self: object) -> None:
        self.__class__ = cls

    given = {a.name: attrs.field(default=defaults.get(a.name, _default(a))) for a in attrs.fields(cast(Any, cls))}
    twin = attrs.make_class(
        f"_{cls.__name__}",
        given,
        slots=True,
        weakref_slot=False,
        eq=False,
        repr=False,
        class_body={"__attrs_post_init__": become},
    )
    return cast(Callable[..., _T], twin)


def _default(attribute: attrs.Attribute[Any]) -> object:
    # What a factory would make anew each time is shared: all our values are frozen.
    default: Any = attribute.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # a class
