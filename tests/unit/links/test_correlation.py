"""What travels with a message, and what comes back of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.errors import InvalidId, InvalidOption, InvalidValue
from msgtrack.links.correlation import PROVIDERS, identify

SECRET = "a secret that is long enough to sign with"
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
UUID = "0190f5a2-7f3e-7c11-9a55-2f1d3c4b5a69"
IDS = st.one_of(
    st.sampled_from(
        ["spring", "1001", UUID, "_x", "a b", "é", "x@y.example", '"', "\r\nBcc: x@y.example", ",", "=", "1-2", "~"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.integers(min_value=-(2**40), max_value=2**63),
)

# Where each provider hands back what it was given, after the samples of its webhooks.
EVENTS: dict[str, Any] = {
    "anymail": lambda meta: {"order": 7, **meta},
    "brevo": lambda meta: {"event": "delivered", "X-Mailin-custom": json.dumps(meta), "tags": ["x"]},
    "elasticemail": lambda meta: {"status": "Sent", **meta},
    "mailgun": lambda meta: {"signature": {}, "event-data": {"event": "opened", "user-variables": meta}},
    "mailjet": lambda meta: {"event": "open", "Payload": "", **meta},
    "mailtrap": lambda meta: {"event": "open", "category": "x", "custom_variables": meta},
    "mandrill": lambda meta: {"event": "open", "msg": {"tags": [], "metadata": meta}},
    "postmark": lambda meta: {"RecordType": "Open", "Metadata": meta},
    "resend": lambda meta: {"type": "email.opened", "data": {"tags": meta}},
    "sendgrid": lambda meta: {"event": "open", "email": "a@b.example", **meta},
    "ses": lambda meta: {
        "Type": "Notification",
        "Message": json.dumps({"eventType": "Open", "mail": {"tags": {key: [value] for key, value in meta.items()}}}),
    },
    "sparkpost": lambda meta: {"msys": {"track_event": {"type": "open", "rcpt_meta": meta}}},
    "unisender_go": lambda meta: {"event_name": "transactional_email_status", "event_data": {"metadata": meta}},
}


def carried(provider: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What a provider makes of its header, by its documentation."""
    if provider == "postmark":
        return {name.removeprefix("X-PM-Metadata-"): value for name, value in headers.items()}
    (value,) = headers.values()
    if provider == "ses":
        return dict(tag.split("=", 1) for tag in value.split(", "))
    if provider in ("mailjet", "elasticemail"):
        return {{"mailjet": "CustomID", "elasticemail": "postback"}[provider]: value}
    found = json.loads(value)
    return found.get("unique_args") or found.get("metadata") or found  # type: ignore[no-any-return]


def test_every_provider_has_an_event_here() -> None:
    assert EVENTS.keys() == PROVIDERS.keys()


@given(provider=st.sampled_from(sorted(PROVIDERS)), delivery=IDS, message=IDS)
def test_what_is_sent_along_comes_back(provider: str, delivery: str | int, message: str | int) -> None:
    ids = {"delivery_id": delivery, "message_id": message}
    try:
        meta = TRACKER.correlation(provider, **ids, form="metadata")
        headers = TRACKER.correlation(provider, **ids)
    except InvalidId:
        assume(False)
    expected = (str(delivery), str(message))
    event = EVENTS[provider]
    assert identify(provider, event(meta)) == expected
    if PROVIDERS[provider].headers is None:
        assert headers == meta
        return
    assert identify(provider, event(carried(provider, headers))) == expected
    sent = EmailMessage(policy=SMTP)
    for name, value in headers.items():
        assert value.isascii()
        assert value.isprintable()
        sent[name] = value
    read = json.loads(json.dumps(dict(headers)))
    assert read == headers
    names = [line.split(":")[0] for line in sent.as_bytes().decode().split("\r\n") if line[:1].isalpha()]
    assert names == list(headers)


def test_headers_as_the_providers_write_them() -> None:
    ids = {"delivery_id": "spring", "message_id": 1001}
    pairs = {"msgtrack_delivery": "spring", "msgtrack_message": "1001"}
    assert {
        name: TRACKER.correlation(name, **ids) for name in ("sendgrid", "ses", "postmark", "mailjet", "resend")
    } == {
        "sendgrid": {"X-SMTPAPI": json.dumps({"unique_args": pairs})},
        "ses": {"X-SES-MESSAGE-TAGS": "msgtrack_delivery=spring, msgtrack_message=1001"},
        "postmark": {"X-PM-Metadata-msgtrack-delivery": "spring", "X-PM-Metadata-msgtrack-message": "1001"},
        "mailjet": {"X-MJ-CustomID": "msgtrack_delivery=spring msgtrack_message=1001"},
        "resend": pairs,
    }
    assert TRACKER.correlation("Amazon SES", **ids) == TRACKER.correlation("ses", **ids)


def test_values_keep_to_what_a_provider_takes() -> None:
    tags = TRACKER.correlation("ses", delivery_id="frühling", message_id="a.b", form="metadata")
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value) for value in tags.values())
    with pytest.raises(InvalidId, match="80 characters"):
        TRACKER.correlation("postmark", delivery_id="é" * 32, message_id="1")
    with pytest.raises(InvalidId, match="200 of all"):
        TRACKER.correlation("sparkpost", delivery_id="é" * 32, message_id="ü" * 32)
    longest = TRACKER.correlation("mandrill", delivery_id="d" * 64, message_id="m" * 64)
    assert len(longest["X-MC-Metadata"]) <= 250


def test_ids_of_usual_length_survive_folding() -> None:
    for provider in PROVIDERS:
        message = EmailMessage(policy=SMTP)
        for name, value in TRACKER.correlation(provider, delivery_id=UUID, message_id=UUID).items():
            message[name] = value
        assert "=?" not in message.as_bytes().decode()


@pytest.mark.parametrize("provider", ["", "sendgrind", None])
def test_an_unknown_provider_is_an_error(provider: Any) -> None:
    with pytest.raises(InvalidOption, match="sendgrid"):
        TRACKER.correlation(provider, delivery_id="1", message_id="7")
    with pytest.raises(InvalidOption, match="sendgrid"):
        identify(provider, {})
    with pytest.raises(InvalidOption, match="form"):
        TRACKER.correlation("ses", delivery_id="1", message_id="7", form="x")


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.just("_"),
        st.just('{"a":'),
        st.just("[" * 5_000),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "mail",
                    "tags",
                    "Message",
                    "event-data",
                    "user-variables",
                    "msys",
                    "rcpt_meta",
                    "data",
                    "CustomID",
                    "name",
                    "msgtrack_delivery",
                    "msgtrack_message",
                    "value",
                    "metadata",
                    "msg",
                    "X-Mailin-custom",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    provider=st.sampled_from(sorted(PROVIDERS)),
    event=st.dictionaries(st.sampled_from(["mail", "data", "msys", "msg"]), JSON),
)
def test_any_event_names_a_message_or_none(provider: str, event: dict[str, Any]) -> None:
    found = identify(provider, event)
    assert found is None or (len(found) == 2 and all(found))


def test_only_the_providers_own_field_is_believed() -> None:
    forged = json.dumps({"msgtrack_delivery": "1", "msgtrack_message": "7"})
    for provider in PROVIDERS:
        for name in ("user-agent", "useragent", "subject", "url"):
            assert identify(provider, {name: forged, "msg": {name: forged}, "mail": {name: forged}}) is None


def test_samples_of_webhooks_carry_none_of_ours(corpora: Path) -> None:
    count = 0
    for path in sorted((corpora / "esp_webhooks").rglob("*.json")):
        if "expected" in path.name or "request" in path.name:
            continue
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        for event in body if isinstance(body, list) else [body]:
            if isinstance(event, dict):
                count += 1
                assert all(identify(provider, event) is None for provider in PROVIDERS)
    assert count > 100


PATHS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mailgun": ("MailgunTestCase.test_opened_event.body.json", ("event-data", "user-variables")),
    "brevo": ("BrevoDeliveryTestCase.test_sent_event.body.json", ("X-Mailin-custom",)),
    "mailtrap": ("MailtrapDeliveryTestCase.test_click_event.body.json", ("events", "0", "custom_variables")),
    "sparkpost": (
        "SparkPostDeliveryTestCase.test_delivery_event.body.json",
        ("0", "msys", "message_event", "rcpt_meta"),
    ),
}


@pytest.mark.parametrize("provider", PATHS)
def test_real_events_hold_metadata_where_it_is_looked_for(corpora: Path, provider: str) -> None:
    name, path = PATHS[provider]
    body = json.loads(next((corpora / "esp_webhooks").rglob(name)).read_text(encoding="utf-8"))
    pairs = TRACKER.correlation(provider, delivery_id="spring", message_id="1001", form="metadata")
    value = event = body
    for step in path[:-1]:
        value = value[int(step) if step.isdigit() else step]
        if isinstance(value, dict) and not (isinstance(event, dict) and step not in ("0", "events")):
            event = value
    assert path[-1] in value
    value[path[-1]] = json.dumps(pairs) if provider == "brevo" else pairs
    assert identify(provider, event) == ("spring", "1001")


@given(delivery=st.integers(0, 2**32), message=st.integers(0, 2**63))
def test_a_return_path_comes_back_whatever_mail_servers_do_to_its_case(delivery: int, message: int) -> None:
    address = TRACKER.return_path("bounces@Mail.example.com", delivery_id=delivery, message_id=message)
    local, _, domain = address.partition("@")
    assert len(local) <= 64
    assert domain == "Mail.example.com"
    assert local.startswith("bounces+")
    for form in (
        address,
        address.upper(),
        f"<{address}>",
        f"SRS0=x=y=a.example={local}@fwd.example",
        f"prvs=1={address}",
    ):
        assert TRACKER.read_return_path(form) == (str(delivery), str(message))
    assert TRACKER.read_return_path(address.replace(local[-1] + "@", "0@" if local[-1] != "0" else "1@")) is None


@pytest.mark.parametrize(
    ("delivery", "message"), [("spring", "1001"), ("spring", "é"), ("7", UUID), (".", "a@b.example")]
)
def test_return_paths_and_message_ids_are_plain_addresses(delivery: str, message: str) -> None:
    atoms = r"[a-z0-9_+-]+@mail\.example"
    for tracker in (TRACKER, Tracker("https://t.example.com", TRACKER.keyring, conceal_ids=True)):
        path = tracker.return_path("mail.example", delivery_id=delivery, message_id=message)
        header = tracker.message_id_header("mail.example", delivery_id=delivery, message_id=message)
        assert re.fullmatch(atoms, path)
        assert re.fullmatch(f"<{atoms}>", header)
        assert tracker.read_return_path(path) == (delivery, message)
        assert tracker.read_message_id_header(header) == (delivery, message)
        said = tracker.read_message_id_header(header)
        assert said is not None
        assert (said.delivery_id, said.message_id) == (delivery, message)
        parsed = EmailMessage(policy=default)
        parsed["Message-ID"] = header
        assert parsed.as_string().splitlines()[0] == f"Message-ID: {header}"


def test_each_address_is_good_for_one_purpose_realm_and_keyring() -> None:
    ids = {"delivery_id": "1", "message_id": "7"}
    path, header = TRACKER.return_path("m.example", **ids), TRACKER.message_id_header("m.example", **ids)
    assert TRACKER.read_return_path(header) is None
    assert TRACKER.read_message_id_header(path) is None
    html = TRACKER.compile(html="<body>", delivery_id="1").render(message_id="7").html or ""
    token = re.findall(r"/1/([a-z0-9.-]+)", html)[0]
    assert TRACKER.read_return_path(f"bounce+{token}@m.example") is None
    other = Tracker("https://t.example.com", Keyring.from_secrets("x" * 32))
    tenant = Tracker("https://t.example.com", TRACKER.keyring, realm="b")
    rotated = Tracker("https://t.example.com", Keyring.from_secrets("x" * 32, verify_only=[SECRET]))
    assert [one.read_return_path(path) for one in (other, tenant, rotated)] == [None, None, ("1", "7")]


def test_references_give_the_nearest_of_ours() -> None:
    first, last = (TRACKER.message_id_header("m.example", delivery_id="1", message_id=number) for number in (7, 8))
    found = TRACKER.read_message_id_header(f"<a@b.example> {first}\r\n {last} <{'x' * 40}@c.example>")
    assert found == ("1", "8")
    assert TRACKER.read_message_id_header(f"{first} " + "a" * 70_000 + f" {last}") == ("1", "8")
    assert TRACKER.read_message_id_header(first.replace("@", "@@")) == ("1", "7")


def test_what_does_not_fit_is_an_error_that_says_so() -> None:
    with pytest.raises(InvalidId, match="64 are allowed"):
        TRACKER.return_path("m.example", delivery_id=UUID, message_id=UUID)
    with pytest.raises(InvalidId):
        TRACKER.return_path("m.example", delivery_id="", message_id="7")
    for address in (
        "",
        "@",
        "a@",
        "a b.example",
        "a@b@c.example",
        "m.example\r\nBcc: x",
        "é.example",
        "-a.example",
        None,
        "x" * 256,
        ".a@b.example",
    ):
        with pytest.raises(InvalidOption):
            TRACKER.return_path(address, delivery_id="1", message_id="7")  # type: ignore[arg-type]
        with pytest.raises(InvalidOption):
            TRACKER.message_id_header(address, delivery_id="1", message_id="7")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        TRACKER.read_return_path(b"x")  # type: ignore[arg-type]


@given(st.text(max_size=200))
def test_any_text_can_be_asked_for(text: str) -> None:
    assert TRACKER.read_return_path(text) is None
    assert TRACKER.read_message_id_header(text) is None
