"""Registries: what was published is found, by everybody and at once, and nothing else is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, TrackedLink, Tracker, open_store
from msgtrack.errors import InvalidOption, InvalidValue, NotPublished, UnreadableInput
from msgtrack.links import CompiledMessage, LinkRegistry, ManifestRegistry, MemoryRegistry, StoreRegistry
from msgtrack.links.alphabet import ALPHABET

KEYS = Keyring.from_secrets("k" * 32)
HTML = '<a href="https://a.example/">A</a> <a href="https://b.example/ü?x=1&amp;y=2" _label="B">B</a>'
HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a\nb",
    "C:x",
    "con",
    "x" * 64,
    "ü" * 32,
    "a\0b",
    "%2e%2e%2f",
]


class Links:
    """Whatever carries links."""

    def __init__(self, *links: TrackedLink) -> None:
        self.links = links


def link(key: str = "00000000", delivery_id: str = "1", url: str = "https://a.example/", **more: str) -> TrackedLink:
    return TrackedLink(key=key, delivery_id=delivery_id, id=more.pop("id", "2"), url=url, **more)  # type: ignore[arg-type]


def compile_with(registry: LinkRegistry, delivery_id: str = "spring", html: str = HTML) -> CompiledMessage:
    tracker = Tracker("https://t.example.com", KEYS, registry, link_style="registered")
    return tracker.compile(html=html, delivery_id=delivery_id)


@pytest.fixture(params=["memory", "manifests"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> LinkRegistry:
    return MemoryRegistry() if request.param == "memory" else ManifestRegistry(tmp_path / "links")  # type: ignore[no-any-return]


def test_what_is_published_is_found(registry: LinkRegistry) -> None:
    compiled = compile_with(registry)
    with pytest.raises(NotPublished):
        compiled.render(message_id="1")
    for _ in range(2):
        registry.publish(compiled)
    for one in compiled.links:
        assert registry.find(one.key) == one
    rendered = compiled.render(message_id="1").html or ""
    tracker = Tracker("https://t.example.com", KEYS, registry)
    assert tracker.resolve(rendered.split('"')[1]).destination == "https://a.example/"


def test_a_key_is_taken_once(registry: LinkRegistry) -> None:
    registry.publish(Links(link()))
    registry.publish(Links(link(label="another label")))
    for other in (link(delivery_id="2"), link(url="https://b.example/"), link(id="3"), link(variant="B")):
        with pytest.raises(InvalidValue, match=r"00000000.*taken"):
            registry.publish(Links(link(key="11111111"), other))
    assert registry.find("11111111") is None
    found = registry.find("00000000")
    assert found is not None
    assert (found.delivery_id, found.id, found.url) == ("1", "2", "https://a.example/")


@given(st.text(max_size=12))
def test_any_text_may_be_asked_for(text: str) -> None:
    assert MemoryRegistry().find(text) is None


@pytest.mark.parametrize(
    "key", ["", "0", "../../..", "0000000i", "00000000 ", "0000\n000", "￿" * 8, "00000000" * 9, "AAAAAAAA"]
)
def test_no_such_key(registry: LinkRegistry, key: str) -> None:
    registry.publish(Links(link()))
    assert registry.find(key) is None


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_publishing_writes_one_file_once(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path)
    compiled = compile_with(registry)
    registry.publish(compiled)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert len([name for name in before if name.startswith("manifests")]) == 1
    for again in (registry, ManifestRegistry(tmp_path)):
        again.publish(compiled)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)} == before


@pytest.mark.parametrize("delivery_id", HOSTILE)
def test_no_id_leaves_the_folder(tmp_path: Path, delivery_id: str) -> None:
    folder = tmp_path / "deep" / "links"
    registry = ManifestRegistry(folder)
    registry.publish(compile_with(registry, delivery_id))
    found = files(tmp_path)
    assert all(name.startswith("deep/links/") for name in found)
    assert all(part.isalnum() for name in found for part in Path(name).stem.split("."))
    assert {path.name for path in folder.iterdir()} == {"manifests", "keys"}
    assert ManifestRegistry(folder).find(compile_with(registry, delivery_id).links[0].key) is not None


def test_other_processes_see_it_at_once(tmp_path: Path) -> None:
    reader, writer = ManifestRegistry(tmp_path), ManifestRegistry(tmp_path)
    for number in range(50):
        one = link(key=f"00{number:06d}", delivery_id=str(number))
        assert reader.find(one.key) is None
        writer.publish(Links(one))
        assert reader.find(one.key) == one


def test_unknown_keys_read_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = ManifestRegistry(tmp_path)
    registry.publish(Links(link()))
    assert registry.find("00000000") is not None
    read: list[str] = []
    original: Callable[[Path], bytes] = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or original(path))
    for number in range(1, 500):
        assert registry.find(f"00{number:06d}") is None
        assert registry.find(f"zz{number:06d}") is None
    assert registry.find("00000000") is not None
    assert read == []


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path, keep=3)
    for number in range(20):
        registry.publish(Links(link(key=f"{number:08d}", delivery_id=str(number))))
    for number in range(20):
        found = registry.find(f"{number:08d}")
        assert found is not None
        assert found.delivery_id == str(number)
    assert len(registry._links) == 3


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "3"])
def test_keep_must_be_a_whole_number(tmp_path: Path, keep: int) -> None:
    with pytest.raises(InvalidOption, match="keep"):
        ManifestRegistry(tmp_path, keep=keep)


@pytest.mark.parametrize("folder", [None, 5, b"x", "x\0y", "\ud800"])
@pytest.mark.parametrize("make", [True, False])
def test_a_folder_must_be_a_path(folder: str, make: bool) -> None:
    with pytest.raises(InvalidValue, match="folder="):
        ManifestRegistry(folder, make=make)


class Odd:
    def __init__(self, links: object) -> None:
        self.links = links


@pytest.mark.parametrize("compiled", [None, 5, "x", b"x", {}, Odd(None), Odd("ab"), Odd([5]), Odd(5), Odd([None])])
def test_what_holds_no_links_is_not_published(registry: LinkRegistry, compiled: Links) -> None:
    in_store = StoreRegistry(open_store("memory:"))
    for each in (registry, in_store):
        with pytest.raises(InvalidValue, match="publish takes"):
            each.publish(compiled)
        each.publish(Links())
    for links in (5, "ab", [5], None):
        with pytest.raises(InvalidValue, match="holds TrackedLinks"):
            MemoryRegistry(links)  # type: ignore[arg-type]


def test_a_crash_half_way_is_mended_by_publishing_again(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path)
    compiled = compile_with(registry)
    registry.publish(compiled)
    for index in (tmp_path / "keys").iterdir():
        whole = index.read_bytes()
        for end in range(len(whole)):
            index.write_bytes(whole[:end])
            crashed = ManifestRegistry(tmp_path)
            crashed.publish(compiled)
            assert [crashed.find(one.key) for one in compiled.links] == list(compiled.links)
            assert [ManifestRegistry(tmp_path).find(one.key) for one in compiled.links] == list(compiled.links)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"{}", b'{"version":2,"links":[]}', b'{"version":1,"links":[]}', b'{"version":1,"links":[{}]}', b"\xff",
        b"[" * 99_999,
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_named(tmp_path: Path, text: bytes) -> None:
    ManifestRegistry(tmp_path).publish(Links(link()))
    (path,) = (tmp_path / "manifests").iterdir()
    path.write_bytes(text)
    with pytest.raises(UnreadableInput, match=path.name):
        ManifestRegistry(tmp_path).find("00000000")


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableInput):
        ManifestRegistry(tmp_path / "file")


def test_what_is_no_key_is_not_published(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path)
    for key in ("", "../../../x", "0000000O"):
        with pytest.raises(InvalidValue, match="no key"):
            registry.publish(Links(link(key=key)))
    registry.publish(Links())
    assert files(tmp_path) == set()


def test_many_may_publish_and_look_up_together(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def work(start: int) -> None:
        try:
            registry = shared if start % 2 else ManifestRegistry(tmp_path)
            for number in range(15):
                one = link(key=f"0{start}{number:06d}", delivery_id=f"{start}-{number}")
                registry.publish(Links(one, link(key="zzzzzzzz")))
                assert registry.find(one.key) == one
        except BaseException as error:  # noqa: BLE001 - a thread's failure is told by the test itself
            failed.append(error)

    shared = ManifestRegistry(tmp_path)
    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(shared.find(f"0{start}{number:06d}") for start in range(4) for number in range(15))
    assert not [path for path in (tmp_path / "manifests").iterdir() if path.name.startswith(".")]


def test_the_manifest_can_be_read_by_people(tmp_path: Path) -> None:
    registry = ManifestRegistry(tmp_path)
    compiled = compile_with(registry)
    registry.publish(compiled)
    (path,) = (tmp_path / "manifests").iterdir()
    plain = json.loads(path.read_text(encoding="utf-8"))
    assert {row["url"] for row in plain["links"]} == {one.url for one in compiled.links}
    assert {row["key"][0] for row in plain["links"]} <= set(ALPHABET)
