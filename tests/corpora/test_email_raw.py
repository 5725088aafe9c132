"""Real whole messages, tracked: they parse again, and what is not ours comes out byte for byte."""

from __future__ import annotations

import email
import re
from email.message import Message
from email.policy import SMTP, Policy, compat32, default
from pathlib import Path
from typing import Any

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.links.mail import CompiledMail
from msgtrack.links.mail_parts import parts_of

TRACKER = Tracker(
    base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret that is long enough to sign with")
)
POLICIES = {"default": default, "compat32": compat32, "smtp": SMTP}
ENDS = re.compile(r"\r\n|\r|\n")


def messages(corpora: Path) -> list[Path]:
    found = sorted(path for path in (corpora / "email_raw").rglob("*") if path.is_file())
    assert len(found) > 200
    return found


def places(mail: CompiledMail[Any]) -> set[int]:
    return {part.place for unit in mail._units for part in (unit.html, unit.text) if part is not None}


def raw(part: Message) -> Any:
    return vars(part)["_payload"]


def headers(part: Message) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in part.raw_items()]


def same_lines(one: Any, other: Any) -> bool:
    """Equal but for the way lines end, which the standard library makes one for a whole message."""
    if isinstance(one, list):
        return isinstance(other, list)
    return ENDS.sub("\n", one) == ENDS.sub("\n", other)


def snapshot(message: Message) -> list[tuple[Any, ...]]:
    return [
        (
            headers(part),
            raw(part) if isinstance(raw(part), str) else len(raw(part)),
            part.preamble,
            part.epilogue,
            part.policy,
        )
        for part in parts_of(message)
    ]


@pytest.mark.parametrize("name", POLICIES)
def test_every_message_comes_back_with_only_its_bodies_changed(corpora: Path, name: str) -> None:
    policy: Policy = POLICIES[name]
    exact = bodies = 0
    for path in messages(corpora):
        data = path.read_bytes()
        message = email.message_from_bytes(data, policy=policy)
        before = snapshot(message)
        mail = TRACKER.compile_message(message, delivery_id="spring")
        out = mail.render(message_id="1001")
        assert snapshot(message) == before, path
        written = out.as_bytes()
        again = list(parts_of(email.message_from_bytes(written, policy=policy)))
        # What the standard library does to the very same message without us: it closes what nobody closed.
        untracked = email.message_from_bytes(data, policy=out.policy).as_bytes(unixfrom=bool(message.get_unixfrom()))
        parts = list(parts_of(email.message_from_bytes(untracked, policy=policy)))
        assert len(parts) == len(again) == len(before), path
        ours = places(mail)
        bodies += len(ours)
        for place, (part, copy) in enumerate(zip(parts, again, strict=True)):
            if place not in ours:
                assert headers(part) == headers(copy), path
                assert same_lines(raw(part), raw(copy)), path
        if untracked == data:
            exact += 1
            for place, part in enumerate(parts_of(email.message_from_bytes(data, policy=policy))):
                assert place in ours or isinstance(raw(part), list) or raw(part) == raw(again[place]), path
    assert bodies > 300
    assert exact > (30 if name == "smtp" else 180)


@pytest.mark.parametrize("name", ["default", "compat32"])
def test_the_text_of_each_body_differs_within_edits_alone(corpora: Path, name: str) -> None:
    links = 0
    rules = LinkRules(utm={"source": "news"})
    for path in messages(corpora):
        message = email.message_from_bytes(path.read_bytes(), policy=POLICIES[name])
        mail = TRACKER.compile_message(message, delivery_id="spring", rules=rules)
        out = mail.render(message_id="1001")
        again = email.message_from_bytes(out.as_bytes(), policy=compat32)
        parts = list(parts_of(again))
        for unit in mail._units:
            for body in (unit.html, unit.text):
                if body is None:
                    continue
                part = parts[body.place]
                encoding = str(part.get("Content-Transfer-Encoding", "7bit"))
                del part["Content-Transfer-Encoding"]
                part["Content-Transfer-Encoding"] = encoding.partition(";")[0]
                data = part.get_payload(decode=True)
                assert isinstance(data, bytes)
                text = data.decode(body.body.charset, "strict" if body.body.exact else "surrogateescape")
                rendered = unit.compiled.render(message_id="1001")
                expected = rendered.html if body is unit.html else rendered.text
                assert ENDS.sub("\n", text).rstrip("\n") == ENDS.sub("\n", expected or "").rstrip("\n"), path
                assert unit.compiled.restore(expected or "") == body.body.text
        ids = [link.id for link in mail.links]
        assert ids == [str(number) for number in range(2, len(ids) + 2)]
        for part in parts:
            if part.get_content_type() == "text/html" and "attachment" not in str(part.get("content-disposition")):
                html = part.get_payload(decode=True)
                assert isinstance(html, bytes)
                said = [
                    TRACKER.resolve(url.decode()) for url in re.findall(rb'"(https://t\.example\.com/[^"]+)"', html)
                ]
                assert all(one.outcome == "valid" and one.message_id == "1001" for one in said), path
                links += len(said)
        assert written_pixels(out) <= 1, path
    assert links > 1_000


def written_pixels(message: Message) -> int:
    count = 0
    for part in parts_of(message):
        data = None if part.is_multipart() or not isinstance(raw(part), str) else part.get_payload(decode=True)
        if isinstance(data, bytes):
            count += data.replace(b"=\n", b"").replace(b"=\r\n", b"").count(b'src="https://t.example.com/1/')
    return count


def test_damaged_messages_are_still_messages(corpora: Path) -> None:
    """Cut, doubled and sprinkled with odd bytes: a message comes out, whatever came in."""
    for path in messages(corpora)[::4]:
        data = path.read_bytes()[:20_000]
        middle = len(data) // 2
        for damaged in (
            data[:middle],
            data[middle:],
            data.replace(b"\n", b"\r"),
            data.replace(b"charset=", b"charset*9=x;charset*0*=").replace(b"filename=", b"filename*=x;filename*0="),
            data.replace(b"boundary", b"b\xff"),
            data[:300] + bytes(range(256)) + data[300:],
        ):
            for policy in (default, compat32):
                message = email.message_from_bytes(damaged, policy=policy)
                out = TRACKER.track(message, delivery_id="1", message_id="7", unsubscribe="https://u.example/x")
                assert out["List-Unsubscribe"] == "<https://u.example/x>"
