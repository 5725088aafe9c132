"""Instructions carried out: one text, with everything that it includes, repeats and quotes put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from attrs import frozen

from msgtrack._borders import count, shown
from msgtrack.errors import CompileError, InvalidValue, UnknownOption
from msgtrack.links.instructions.origins import Expanded, Frame
from msgtrack.links.instructions.reading import (
    INCLUDES,
    MAX_DEPTH,
    Include,
    Loop,
    Plain,
    Plan,
    Value,
    read_plan,
)
from msgtrack.links.instructions.values import Path, PathError, is_array, select, text_of
from msgtrack.model import Part
from msgtrack.vocabulary import part as part_of

__all__ = ["MAX_SIZE", "MAX_STEPS", "expand"]

MAX_SIZE = 50_000_000
"""Characters that a text may have when all is expanded, unless the caller says otherwise."""

MAX_STEPS = 2_000_000
"""Instructions and stretches of text that one expansion goes through at most; loops in loops may yield nothing."""

_BLOCKS = {
    "MirrorPage": "a sentence with the mirror link",
    "MirrorPageUrl": "the bare address of the mirror page",
    "UnsubscriptionLink": "a sentence with the unsubscription link",
    "ViralLinks": "links for sharing",
}
_Items = dict[str, object]


def expand(
    source: str, loaders: Mapping[str, object] | None = None, *, part: Part | str, max_size: int = MAX_SIZE
) -> Expanded:
    """Carry out the ``<%@ … %>`` instructions of a text: ``include``, ``value``, ``foreach`` and ``end``.

    What is included is expanded in its turn. Values are put in as they are, like a copy and paste, and never looked
    through for instructions. Scripts and expressions stay for the stages after.

    Args:
        source: the text as its author wrote it.
        loaders: ``view``, ``option``, ``url`` and ``file`` give the text for a name: a mapping, or a callable that
            raises LookupError or OSError, or returns None, for a name it does not know. Each name is asked once. A
            text that differs between the parts is a mapping with ``html`` and ``text``. ``objects`` is a mapping
            from names to objects for ``value`` and ``foreach``.
        part: the part that the text is, ``html`` or ``text``.
        max_size: characters that the result may have.

    Raises:
        CompileError: an instruction cannot be read or carried out; ``code`` is one of ``INSTRUCTION_ERRORS``, line and
            column count in the text where it stands, and the message names what included that.
        UnknownOption: a loader of another name.
        InvalidValue: the source is no text, or a loader neither a callable nor a mapping.
    """
    if not isinstance(source, str):
        raise InvalidValue(f"expected text, not {type(source).__name__}: {shown(source)}")
    expansion = _Expansion(_checked(loaders), part_of(part), count(max_size))
    root = Frame(source, f"the {expansion.part.value} part")
    expansion.run(read_plan(source, root.complain), root, {}, 0)
    return expansion.expanded(root)


def _checked(loaders: Mapping[str, object] | None) -> Mapping[str, object]:
    if loaders is None:
        return {}
    if not isinstance(loaders, Mapping):
        raise InvalidValue(f"loaders must be a mapping, not {type(loaders).__name__}")
    for name, loader in loaders.items():
        if name not in (*INCLUDES, "objects"):
            raise UnknownOption(f"there is no loader {shown(name)}; there are {', '.join(INCLUDES)}, objects")
        if not isinstance(loader, Mapping) and (name == "objects" or not callable(loader)):
            wanted = "a mapping" if name == "objects" else "a callable or a mapping"
            raise InvalidValue(f"the loader {name!r} must be {wanted}, not {type(loader).__name__}")
    return loaders


@frozen
class _Loaded:
    text: str
    plan: Plan


class _Expansion:
    """The state of one call of ``expand``: what is loaded, and what is written."""

    def __init__(self, loaders: Mapping[str, object], part: Part, max_size: int) -> None:
        self.loaders = loaders
        self.part = part
        self.max_size = max_size
        self.size = 0
        self.steps = 0
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.frames: list[Frame] = []
        self.offsets: list[int] = []
        self.loaded: dict[tuple[str, str], _Loaded] = {}

    def expanded(self, root: Frame) -> Expanded:
        return Expanded("".join(self.texts), root, self.starts, self.frames, self.offsets)

    def run(self, plan: Plan, frame: Frame, items: _Items, depth: int) -> None:
        for node in plan:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise frame.complain(node.start, "expansion-limit", f"the expansion takes over {MAX_STEPS:,} steps")
            if isinstance(node, Plain):
                self.write(frame.text[node.start : node.end], frame, node.start, is_copy=True)
            elif isinstance(node, Value):
                self.write(self.value(node, frame, items), frame, node.start)
            elif isinstance(node, Loop):
                self.loop(node, frame, items, depth)
            elif isinstance(node, Include):
                self.include(node, frame, items, depth)
            else:
                self.write(node.text, frame, node.start)

    def write(self, text: str, frame: Frame, offset: int, *, is_copy: bool = False) -> None:
        if not text:
            return
        self.starts.append(self.size)
        self.frames.append(frame)
        # What was put in has one place, that of its instruction; what was copied has a place for each character.
        self.offsets.append(offset if is_copy else ~offset)
        self.texts.append(text)
        self.size += len(text)
        if self.size > self.max_size:
            raise frame.complain(offset, "expansion-limit", f"the text grows past {self.max_size:,} characters")

    def value(self, node: Value, frame: Frame, items: _Items) -> str:
        found = self.select(node, node.path, frame, items)
        where = f"{node.object} {node.path.written}"
        if len(found) > 1:
            hint = "name one by index" if node.path.is_self else "say which, by a test: a[@name='x']"
            raise frame.complain(node.start, "no-value", f"there are {len(found)} values for {where}", hint=hint)
        if not found or found[0] is None:
            raise frame.complain(node.start, "no-value", f"there is no value for {where}")
        text = text_of(found[0])
        if text is None:
            raise frame.complain(node.start, "not-text", f"{where} is {shown(found[0])}, which has no text")
        return text

    def loop(self, node: Loop, frame: Frame, items: _Items, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise frame.complain(node.start, "expansion-limit", f"loops and includes go over {MAX_DEPTH} deep")
        if node.path.is_self and not is_array(self.object(node, frame, items)):
            raise frame.complain(node.start, "no-value", f"{node.object} is no array", hint="name one in it by xpath")
        found = self.select(node, node.path, frame, items)
        if len(found) == 1 and found[0] is None:
            raise frame.complain(node.start, "no-value", f"{node.object} {node.path.written} is None")
        for item in found:
            self.steps += 1
            self.run(node.body, frame, {**items, node.item: item}, depth + 1)

    def select(self, node: Value | Loop, path: Path, frame: Frame, items: _Items) -> list[object]:
        item = self.object(node, frame, items)
        if node.index is not None:
            if not is_array(item):
                raise frame.complain(node.start, "bad-index", f"{node.object} is no array, it takes no index")
            array = cast("list[object]", item)
            if node.index >= len(array):
                raise frame.complain(
                    node.start, "bad-index", f"{node.object} has {len(array)} items, there is no index {node.index}"
                )
            item = array[node.index]
        try:
            return select(item, path)
        except PathError as error:
            raise frame.complain(node.start, "no-value", f"{node.object}: {error}") from None

    def object(self, node: Value | Loop, frame: Frame, items: _Items) -> object:
        if node.object in items:
            return items[node.object]
        objects = self.loaders.get("objects")
        if not isinstance(objects, Mapping):
            raise frame.complain(
                node.start,
                "missing-loader",
                f"there are no objects, so there is no {shown(node.object)}",
                hint="pass them in: loaders={'objects': {...}}",
            )
        if node.object not in objects:
            known = ", ".join([*items, *map(str, objects)][:20]) or "none"
            raise frame.complain(
                node.start, "unknown-object", f"there is no object {shown(node.object)}", hint=f"there are: {known}"
            )
        return objects[node.object]

    def include(self, node: Include, frame: Frame, items: _Items, depth: int) -> None:
        label = f"{node.kind} {shown(node.name)}"
        key = (node.kind, node.name)
        if frame.is_inside(key):
            raise frame.complain(node.start, "include-cycle", f"{label} includes itself")
        if depth >= MAX_DEPTH:
            raise frame.complain(node.start, "expansion-limit", f"loops and includes go over {MAX_DEPTH} deep")
        loaded = self.loaded.get(key)
        if loaded is None:
            text = self.load(node, label, frame)
            inner = Frame(text, label, key=key, parent=frame, offset=node.start)
            loaded = self.loaded[key] = _Loaded(text, read_plan(text, inner.complain))
        self.run(loaded.plan, Frame(loaded.text, label, key=key, parent=frame, offset=node.start), items, depth + 1)

    def load(self, node: Include, label: str, frame: Frame) -> str:
        loader = self.loaders.get(node.kind)
        needed = f"the message needs {_BLOCKS[node.name]}: " if node.kind == "view" and node.name in _BLOCKS else ""
        if loader is None:
            hint = f"{needed}loaders={{{node.kind!r}: ...}}, a mapping or a callable from names to texts"
            raise frame.complain(node.start, "missing-loader", f"nothing loads {label}", hint=hint)
        try:
            if isinstance(loader, Mapping):
                found: object = loader[node.name]
            else:
                found = cast("Callable[[str], object]", loader)(node.name)
        except (LookupError, OSError) as error:
            raise self.unknown(node, label, frame, needed) from error
        if isinstance(found, Mapping):
            found = found.get(self.part.value)
        if found is None:
            raise self.unknown(node, label, frame, needed)
        if not isinstance(found, str):
            raise frame.complain(
                node.start, "not-text", f"{label} is no text but {type(found).__name__}", hint="decode it first"
            )
        return str(found)

    def unknown(self, node: Include, label: str, frame: Frame, needed: str) -> CompileError:
        return frame.complain(
            node.start,
            "unknown-include",
            f"the loader knows no {label} for the {self.part.value} part",
            hint=f"{needed}give its text in loaders[{node.kind!r}]" if needed else "",
        )
