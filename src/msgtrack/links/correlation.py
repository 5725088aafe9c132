"""What to send along with a message so that a provider's webhooks say which message they speak of.

Each provider has a header (and a field of its API) whose content comes back with every event. ``PROVIDERS`` says which,
what it takes, and where it comes back; :func:`identify` reads it again. Ids are written as they are where the provider
takes their characters, and as ``_`` and URL-safe base64 where it does not.

The provider can read them; whoever gets the message can, too, where the provider leaves the header in.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen

from msgtrack._borders import one_of, text_id
from msgtrack.errors import InvalidId, InvalidOption

__all__ = ["DELIVERY", "MESSAGE", "PROVIDERS", "Provider", "correlation", "identify"]

DELIVERY = "msgtrack_delivery"
"""The name by which a delivery's id travels."""

MESSAGE = "msgtrack_message"
"""The name by which a message's id travels."""

_form = one_of("form", ("headers", "metadata"))
_TAG = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]*")
# Printable ASCII that needs no escaping in JSON, in a header, or in a list of pairs.
_PLAIN = re.compile(r"[A-Za-z0-9.@+:/=~-][A-Za-z0-9.@+:/=~_-]*")
_B64 = re.compile(r"[A-Za-z0-9_-]*")
_MAX_TEXT = 1_000

Pairs = Mapping[str, str]
Headers = Callable[[Pairs], dict[str, str]]


@frozen(kw_only=True)
class Provider:
    """How one provider carries metadata.

    ``headers`` makes the header of two pairs, None where the provider takes none; ``names`` are the pairs' names as it
    takes them. ``value_length`` and ``total_length`` are its limits in characters, of a value and of all pairs as JSON.
    ``paths`` lead through an event to the field that holds the pairs, or (``field``) the one text of both; ``*`` is any
    one name. A text on the way is JSON.
    """

    headers: Headers | None
    paths: tuple[tuple[str, ...], ...]
    names: tuple[str, str] = (DELIVERY, MESSAGE)
    allowed: re.Pattern[str] = _PLAIN
    value_length: int = 256
    total_length: int = 1_000
    field: str = ""


def _json(pairs: object) -> str:
    # With spaces, so that a header can be folded between values.
    return json.dumps(pairs, ensure_ascii=True)


def _in_json(header: str, *path: str) -> Headers:
    def made(pairs: Pairs) -> dict[str, str]:
        value: object = dict(pairs)
        for name in reversed(path):
            value = {name: value}
        return {header: _json(value)}

    return made


def _in_tags(header: str) -> Headers:
    return lambda pairs: {header: ", ".join(f"{name}={value}" for name, value in pairs.items())}


def _in_a_header_each(prefix: str) -> Headers:
    return lambda pairs: {prefix + name: value for name, value in pairs.items()}


def _in_one_text(header: str) -> Headers:
    return lambda pairs: {header: _one_text(pairs)}


def _one_text(pairs: Pairs) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs.items())


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        # Django Anymail's metadata, which it hands back as such whoever the provider is; the limits are the narrowest of all.
        "anymail": Provider(headers=None, paths=((),), value_length=80, total_length=200),
        "brevo": Provider(headers=_in_json("X-Mailin-custom"), paths=(("X-Mailin-custom",),)),
        "elasticemail": Provider(headers=_in_one_text("X-PostBack"), paths=(("postback",),), field="postback"),
        "mailgun": Provider(
            headers=_in_json("X-Mailgun-Variables"),
            # The oldest webhooks are forms, with the variables among their fields.
            paths=(("event-data", "user-variables"), ("user-variables",), ()),
            total_length=4_000,
        ),
        "mailjet": Provider(headers=_in_one_text("X-MJ-CustomID"), paths=(("CustomID",),), field="CustomID"),
        "mailtrap": Provider(headers=_in_json("X-MT-Custom-Variables"), paths=(("custom_variables",),)),
        # 250 octets of JSON in all, and names without hyphens.
        "mandrill": Provider(
            headers=_in_json("X-MC-Metadata"), paths=(("msg", "metadata"), ("metadata",)), total_length=250
        ),
        # Names of 20 characters, values of 80; a header's name is better off without an underscore.
        "postmark": Provider(
            headers=_in_a_header_each("X-PM-Metadata-"),
            paths=(("Metadata",),),
            names=("msgtrack-delivery", "msgtrack-message"),
            value_length=80,
        ),
        # Its API takes tags, its SMTP relay no header for them.
        "resend": Provider(headers=None, paths=(("data", "tags"), ("tags",)), allowed=_TAG),
        # Unique arguments come back among the event's own fields.
        "sendgrid": Provider(headers=_in_json("X-SMTPAPI", "unique_args"), paths=((),), total_length=10_000),
        # As it is, within a notification of SNS, and within an event of EventBridge.
        "ses": Provider(
            headers=_in_tags("X-SES-MESSAGE-TAGS"),
            paths=(("mail", "tags"), ("Message", "mail", "tags"), ("detail", "mail", "tags")),
            allowed=_TAG,
        ),
        # 200 octets are all that comes back with clicks and opens.
        "sparkpost": Provider(
            headers=_in_json("X-MSYS-API", "metadata"),
            paths=(("msys", "*", "rcpt_meta"), ("rcpt_meta",)),
            total_length=200,
        ),
        "unisender_go": Provider(
            headers=_in_json("X-UNIONE", "metadata"), paths=(("event_data", "metadata"), ("metadata",))
        ),
    }
)
"""By name, every provider whose webhooks can find a message again."""

_ALIASES = {
    "amazon_ses": "ses",
    "amazonses": "ses",
    "mailchimp": "mandrill",
    "elastic_email": "elasticemail",
    "sendinblue": "brevo",
    "unisendergo": "unisender_go",
}


def correlation(provider: str, delivery_id: str, message_id: str, *, form: str = "headers") -> dict[str, str]:
    """The headers, or the metadata of the API, that carry two ids to a provider and back.

    Raises:
        InvalidOption: no provider has this name; the message lists them.
        InvalidId: an id is longer than the provider takes.
    """
    found = _provider(provider)
    form = _form(form)
    ids = (_written(delivery_id, found.allowed), _written(message_id, found.allowed))
    pairs = dict(zip(found.names, ids, strict=True))
    longest, total = max(map(len, ids)), len(_json(pairs))
    if longest > found.value_length or total > found.total_length:
        raise InvalidId(
            f"{provider} takes {found.value_length} characters of a value and {found.total_length} of all together; "
            f"message {message_id!r} of delivery {delivery_id!r} needs {longest} and {total}",
            hint="use shorter ids, or ids of ASCII",
        )
    if form == "headers" and found.headers is not None:
        return found.headers(pairs)
    return {found.field: _one_text(pairs)} if found.field else pairs


def identify(provider: str, event: Mapping[str, object]) -> tuple[str, str] | None:
    """Delivery id and message id of one event of a provider's webhook, or None when it carries none of ours.

    ``event`` is one event as parsed: what a webhook that sends many holds in its list. Only the field in which the
    provider hands metadata back is looked at, because others, a user agent for one, are written by strangers. It is
    believed as far as the webhook is: check the provider's signature first.

    Raises:
        InvalidOption: no provider has this name.
    """
    found = _provider(provider)
    for path in found.paths:
        pair = _pair(_at(event, path), found)
        if pair is not None:
            return pair
    return None


def _provider(name: str) -> Provider:
    plain = name.lower().replace("-", "_").replace(" ", "_") if isinstance(name, str) else ""
    found = PROVIDERS.get(_ALIASES.get(plain, plain))
    if found is None:
        raise InvalidOption(f"there is no provider {name!r:.80}; there are: {', '.join(PROVIDERS)}")
    return found


def _written(value: str, allowed: re.Pattern[str]) -> str:
    if allowed.fullmatch(value):
        return value
    return "_" + base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def _read(value: object) -> str | None:
    # Some providers hand a tag back as a list of its values.
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 256 else ""
    if not isinstance(value, str):
        return None
    try:
        if value.startswith("_"):
            if not _B64.fullmatch(value):
                return None
            data = value[1:]
            value = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode()
        return text_id(value)
    except ValueError:
        return None


def _pair(value: object, provider: Provider) -> tuple[str, str] | None:
    if isinstance(value, str):
        value = _words(value) if provider.field else _parsed(value)
    if isinstance(value, list):
        # A list of tags, each with its name and its value.
        value = {str(tag.get("name")): tag.get("value") for tag in value if isinstance(tag, dict)}
    if not isinstance(value, Mapping):
        return None
    delivery, message = (_read(value.get(name)) for name in provider.names)
    return (delivery, message) if delivery is not None and message is not None else None


def _at(event: object, path: tuple[str, ...]) -> object:
    """What stands at a path of an event, or None."""
    value = event
    for name in path:
        if isinstance(value, str):
            value = _parsed(value)
        if not isinstance(value, Mapping):
            return None
        value = next(iter(value.values()), None) if name == "*" else value.get(name)
    return value


def _words(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in text[:_MAX_TEXT].split(" "))
    return {name: value for name, _, value in pairs}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
