"""Our values as plain mappings and lines of JSON, and back: the one written form, for segments, databases and reports.

A written value is a JSON object with a schema version under ``v`` and its fields by name, in a stable order; a field that holds its
default is left out. Events say what they are under ``kind``. Moments are ISO 8601 in UTC with microseconds and ``Z``, amounts
are text, enumeration members are written by name (:func:`msgtrack._borders.name_of`). Lines are ASCII, so any text fits in and no
character can break a line.

Reading is strict: an unknown field, a missing one or one of the wrong type is an error that names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args, get_origin

from attrs import NOTHING, fields, resolve_types
from attrs import has as is_attrs

from msgtrack._borders import enum_of, name_of, utc
from msgtrack.errors import InvalidValue, SchemaMismatch
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import FACT_KEYS, AddressStatus, SubscriptionAction
from msgtrack.hits import Hit, Rejected
from msgtrack.model import (
    Audience,
    Client,
    Consent,
    Delivery,
    FailureReason,
    FailureType,
    LinkType,
    Message,
    MessageStatus,
    Part,
    Policy,
    TrackedLink,
    TrackingMode,
    Verdict,
)
from msgtrack.protocols import AuditEntry, Checkpoint, FrozenCounts, WorkflowRun

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["SCHEMA_VERSION", "WRITTEN_KINDS", "from_dict", "from_json", "to_dict", "to_json"]

SCHEMA_VERSION = 1
"""The version of the written form; a reader refuses a newer one."""

WRITTEN_KINDS: tuple[type, ...] = (
    Delivery,
    Message,
    TrackedLink,
    WorkflowRun,
    Checkpoint,
    FrozenCounts,
    AuditEntry,
    Hit,
    Rejected,
    Verdict,
    Client,
    Policy,
    *FACT_KEYS,
    *EVENT_KINDS.values(),
)
"""Every class that has a written form."""

_WRITTEN = frozenset(WRITTEN_KINDS)

T = TypeVar("T")

_ENUMS = (
    *(AddressStatus, Audience, Consent, FailureReason, FailureType, LinkType, MessageStatus, Part),
    *(SubscriptionAction, TrackingMode),
)
_ALWAYS_WRITTEN: dict[type, tuple[str, ...]] = {Message: ("domain",)}
"""Fields whose default follows from a list that may change: what was said then must be read back later."""


def to_dict(value: object) -> dict[str, Any]:
    """A value of :data:`WRITTEN_KINDS` as a mapping of JSON's own types.

    An event's ``id`` is written when it has one of its own.

    >>> to_dict(Rejected(line=3, reason="garbled", text="?"))
    {'v': 1, 'line': 3, 'reason': 'garbled', 'text': '?'}

    Raises:
        InvalidValue: the value is of no class that has a written form.
    """
    kind: type = value.__class__
    if kind not in _WRITTEN:
        raise InvalidValue(f"{kind.__name__} has no written form: {_shown(value)}")
    head = {"v": SCHEMA_VERSION, "kind": value.kind} if isinstance(value, Event) else {"v": SCHEMA_VERSION}
    return head | _writer(kind)(value)


def from_dict(mapping: Mapping[str, Any], kind: type[T]) -> T:
    """The value that :func:`to_dict` wrote; ``kind`` is its class, or ``Event`` for any event.

    A mapping without ``v`` is taken to be of the present version.

    Raises:
        InvalidValue: a field is unknown, missing or of the wrong type; the message names it.
        SchemaMismatch: the mapping was written by a newer version.
    """
    cls, found = _opened(mapping, kind)
    try:
        return _reader(cls)(found, cls)  # type: ignore[no-any-return]  # cattrs' hooks are typed by Any
    except _bad_input():
        pass
    # The fast reader says little of what was wrong; the slow one reads again, field by field, and names it.
    return _explainer(cls)(found, cls)  # type: ignore[no-any-return]  # as above


def to_json(value: object) -> str:
    """A value as one line of compact JSON, in ASCII.

    >>> to_json(Client(browser="Firefox"))
    '{"v":1,"browser":"Firefox"}'

    Raises:
        InvalidValue: the value is of no class that has a written form.
    """
    return _hit_text(value) if value.__class__ is Hit else _encode(to_dict(value))


def from_json(text: str, kind: type[T]) -> T:
    """The value that :func:`to_json` wrote.

    Raises:
        InvalidValue: no JSON, no object, or a field is unknown, missing or of the wrong type; the message names it.
        SchemaMismatch: the text was written by a newer version.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"expected JSON text, not {type(text).__name__}")
    try:
        mapping = _decode(text)
    except RecursionError:
        raise InvalidValue("not JSON that we read: nested too deep") from None
    except ValueError as error:
        raise InvalidValue(f"not JSON: {error}: {text[:80]!r}") from None
    return from_dict(mapping, kind)


def _opened(mapping: Mapping[str, Any], kind: type) -> tuple[type, dict[str, Any]]:
    """The class that a mapping holds, and its fields without the head."""
    if kind is not Event and kind not in _WRITTEN:
        raise InvalidValue(f"{getattr(kind, '__name__', kind)} has no written form")
    name = kind.__name__
    if not isinstance(mapping, Mapping):
        raise InvalidValue(f"{name}: expected an object, got {_shown(mapping)}")
    found = dict(mapping)
    version = found.pop("v", SCHEMA_VERSION)
    if type(version) is not int or version < 1:
        raise InvalidValue(f"{name}.v: expected a schema version (1 to {SCHEMA_VERSION}), got {_shown(version)}")
    if version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{name} was written by schema version {version}, this reads up to {SCHEMA_VERSION}",
            hint="upgrade msgtrack",
        )
    if not issubclass(kind, Event):
        return kind, found
    said = found.pop("kind", NOTHING if kind is Event else kind.kind)
    if said is NOTHING:
        raise InvalidValue("Event.kind is missing")
    cls = EVENT_KINDS.get(said) if isinstance(said, str) else None
    if cls is None:
        raise InvalidValue(f"Event.kind: no event has the kind {_shown(said)}; kinds are: {', '.join(EVENT_KINDS)}")
    if not issubclass(cls, kind):
        raise InvalidValue(f"{name}.kind: expected {kind.kind!r}, got {said!r}")
    return cls, found


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except (RecursionError, ValueError):
        # Python refuses to print integers of thousands of digits.
        return f"a {type(value).__name__} too long to show"


# JSON text


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_no_number).decode
_quoted = json.encoder.encode_basestring_ascii


def _hit_text(hit: Hit) -> str:
    """The same JSON in a third of the time: a hit is written while its reader waits."""
    return (
        f'{{"v":{SCHEMA_VERSION},"method":{_quoted(hit.method)},"url":{_quoted(hit.url)},'
        f'"received_at":"{_moment_text(hit.received_at)}"'
        + (f',"user_agent":{_quoted(hit.user_agent)}' if hit.user_agent else "")
        + (f',"referrer":{_quoted(hit.referrer)}' if hit.referrer else "")
        + (f',"purpose":{_quoted(hit.purpose)}' if hit.purpose else "")
        + (f',"client_ip":{_quoted(hit.client_ip)}' if hit.client_ip else "")
        + ("" if hit.source_id is None else f',"source_id":{_quoted(hit.source_id)}')
        + ("" if hit.status is None else f',"status":{hit.status:d}')
        + (f',"request_id":{_quoted(hit.request_id)}' if hit.request_id else "")
        + (f',"privacy":{_quoted(hit.privacy)}' if hit.privacy else "")
        + (f',"session":{_quoted(hit.session)}' if hit.session else "")
        + (f',"earlier":{_quoted(hit.earlier)}' if hit.earlier else "")
        + "}"
    )


# Writing and reading by field. cattrs is imported at first use, so that importing msgtrack stays light.

_Hook = Callable[[Any, Any], Any]


@cache
def _converter(*, explain: bool) -> Converter:
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

    converter = Converter(detailed_validation=False)

    def writes(cls: type) -> Callable[[Any], dict[str, Any]]:
        written: dict[str, Any] = {name: override(omit_if_default=False) for name in _ALWAYS_WRITTEN.get(cls, ())}
        return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, _cattrs_use_alias=True, **written)

    def reads(cls: type) -> _Hook:
        return make_dict_structure_fn(
            cls,
            converter,
            _cattrs_forbid_extra_keys=True,
            _cattrs_use_alias=True,
            _cattrs_detailed_validation=False,
        )

    converter.register_unstructure_hook_factory(is_attrs, writes)
    converter.register_structure_hook_factory(is_attrs, (lambda cls: _explaining(cls, converter)) if explain else reads)
    converter.register_unstructure_hook(datetime, _moment_text)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, _amount)
    for plain in (str, int, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    for kind in _ENUMS:
        converter.register_unstructure_hook(kind, name_of)
        converter.register_structure_hook(kind, _member_of(kind))
    converter.register_unstructure_hook_factory(
        _is_tuple, lambda _: lambda values: [*map(converter.unstructure, values)]
    )
    converter.register_structure_hook_factory(_is_tuple, lambda kind: _tuple_of(get_args(kind)[0], converter))
    converter.register_unstructure_hook_factory(_is_mapping, lambda _: lambda values: dict(sorted(values.items())))
    converter.register_structure_hook_factory(_is_mapping, lambda kind: _counts_of(get_args(kind)[1], converter))
    return converter


@cache
def _writer(kind: type) -> Callable[[Any], dict[str, Any]]:
    return _converter(explain=False).get_unstructure_hook(kind)


@cache
def _reader(kind: type) -> _Hook:
    return _converter(explain=False).get_structure_hook(kind)


@cache
def _explainer(kind: type) -> _Hook:
    return _converter(explain=True).get_structure_hook(kind)


@cache
def _bad_input() -> tuple[type[Exception], ...]:
    """What a converter may raise for input that is not ours; anything else is a fault of our own and passes."""
    from cattrs.errors import ForbiddenExtraKeysError

    ours = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
    return (*ours, ForbiddenExtraKeysError)


def _explaining(cls: type, converter: Converter) -> _Hook:
    """A reader that goes field by field, and says which one is wrong and why."""
    attributes = {attribute.alias: attribute for attribute in fields(resolve_types(cls))}

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise InvalidValue(f"{cls.__name__}: expected an object, got {_shown(value)}")
        for name in value:
            if name not in attributes:
                raise InvalidValue(
                    f"{cls.__name__} has no field {_shown(name)}; its fields are: {', '.join(attributes)}"
                )
        found = {}
        for name, attribute in attributes.items():
            if name not in value:
                if attribute.default is NOTHING:
                    raise InvalidValue(f"{cls.__name__}.{name} is missing")
                continue
            try:
                part = converter.structure(value[name], attribute.type)
                found[name] = attribute.converter(part) if attribute.converter else part
            except InvalidValue as error:
                raise type(error)(f"{cls.__name__}.{name}: {error.message}", hint=error.hint) from None
            except _bad_input() as error:
                raise InvalidValue(f"{cls.__name__}.{name}: {error}: {_shown(value[name])}") from None
        return cls(**found)

    return read


def _exactly(plain: type) -> _Hook:
    word = {str: "text", int: "a whole number", bool: "true or false"}[plain]

    def read(value: Any, _: Any) -> Any:
        if type(value) is plain:
            return value
        raise InvalidValue(f"expected {word}, got {_shown(value)}")

    return read


def _member_of(kind: type[Enum]) -> _Hook:
    convert = enum_of(kind)
    by_name = {name_of(member): member for member in kind}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise InvalidValue(f"expected the name of a {kind.__name__}, got {_shown(value)}")
        return by_name.get(value) or convert(value)

    return read


def _moment_text(at: datetime) -> str:
    # In halves, because asking for the whole asks for its zone, and that takes as long again.
    return f"{at.date().isoformat()}T{at.time().isoformat('microseconds')}Z"


def _moment(value: Any, _: Any) -> datetime:
    if type(value) is not str:
        raise InvalidValue(f"expected a moment as ISO 8601 text, got {_shown(value)}")
    try:
        return utc(datetime.fromisoformat(value))
    except InvalidValue:
        raise
    except (ValueError, OverflowError):
        raise InvalidValue(f"expected a moment as ISO 8601 text, got {_shown(value)}") from None


def _amount(value: Any, _: Any) -> Decimal:
    if type(value) is not str:
        raise InvalidValue(f"expected an amount as text, got {_shown(value)}")
    try:
        return Decimal(value)
    except ArithmeticError:
        raise InvalidValue(f"expected an amount as text, got {_shown(value)}") from None


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_of(item: Any, converter: Converter) -> _Hook:
    def read(value: Any, _: Any) -> tuple[Any, ...]:
        if type(value) not in (list, tuple):
            raise InvalidValue(f"expected a list, got {_shown(value)}")
        return tuple(converter.structure(part, item) for part in value)

    return read


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping


def _counts_of(item: Any, converter: Converter) -> _Hook:
    def read(value: Any, _: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise InvalidValue(f"expected an object, got {_shown(value)}")
        return {_text(name): converter.structure(part, item) for name, part in value.items()}

    return read


def _text(value: Any) -> str:
    if type(value) is not str:
        raise InvalidValue(f"expected text, got {_shown(value)}")
    return value
