"""Where a document is SVG or MathML: there ``<style>`` and ``<title>`` hold markup, and ``<![CDATA[`` means something.

After the HTML standard, section 13.2.6.5, as far as the tokenizer depends on it. Elements of HTML are not followed. So
inside ``<foreignObject>`` and its kind everything counts as HTML until that element ends, and the end tag of an HTML
element around an unclosed ``<svg>`` does not end the ``<svg>``: there, more is read as markup than a browser reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define, field

from msgtrack.links.tags import Attribute

__all__ = ["ROOTS", "ForeignContent"]

ROOTS = frozenset(("svg", "math"))
"""The elements that foreign content begins with."""

_POINTS = {
    "svg": frozenset(("foreignobject", "desc", "title")),
    "math": frozenset(("mi", "mo", "mn", "ms", "mtext")),
}
_NOT_HTML = frozenset(("mglyph", "malignmark"))
"""What stays MathML although it stands in a text of MathML, where all else is HTML."""
_HTML_ANNOTATIONS = frozenset(("text/html", "application/xhtml+xml"))
_BREAK_OUT_NAMES = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
_BREAK_OUT = frozenset(_BREAK_OUT_NAMES.split())
_FONT_ATTRIBUTES = frozenset(("color", "face", "size"))


@define
class ForeignContent:
    """The open elements of foreign content, outermost first: ``svg``, ``math``, elements in them that hold HTML.

    Each with its kind: the namespace it has ("svg", "math"), or empty for an element that holds HTML.
    """

    _open: list[tuple[str, str]] = field(factory=list[tuple[str, str]])
    _count: Counter[str] = field(factory=Counter[str])

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def active(self) -> str:
        """The namespace that tags have just here, "svg" or "math"; empty where they are HTML."""
        return self._open[-1][1] if self._open else ""

    def start(self, name: str, attributes: Callable[[], Iterable[Attribute]], *, self_closing: bool) -> bool:
        """Take note of a start tag; True where the element is foreign, so that none of HTML's rules for it apply.

        ``attributes`` is asked for the tag's attributes where they decide.
        """
        namespace = self.active
        if namespace and (
            name in _BREAK_OUT or (name == "font" and any(each.name in _FONT_ATTRIBUTES for each in attributes()))
        ):
            self._break_out()
            return False
        if not namespace and name in _NOT_HTML and self._open and self._open[-1][0] in _POINTS["math"]:
            namespace = "math"
            if not self_closing:
                self._push(name, namespace)
        elif not self_closing and name in ROOTS:
            self._push(name, namespace or name)
        elif not self_closing and namespace and _holds_html(name, namespace, attributes):
            self._push(name, "")
        return bool(namespace) or name in ROOTS

    def end(self, name: str) -> None:
        """Take note of an end tag."""
        if self.active and name in ("p", "br"):
            self._break_out()
        elif self._count[name] and (self.active or name == self._open[-1][0]):
            while self._pop() != name:
                pass

    def _break_out(self) -> None:
        while self.active:
            self._pop()

    def _push(self, name: str, kind: str) -> None:
        self._open.append((name, kind))
        self._count[name] += 1

    def _pop(self) -> str:
        name, _ = self._open.pop()
        self._count[name] -= 1
        return name


def _holds_html(name: str, namespace: str, attributes: Callable[[], Iterable[Attribute]]) -> bool:
    if name == "annotation-xml" and namespace == "math":
        return next((each.value for each in attributes() if each.name == "encoding"), "").lower() in _HTML_ANNOTATIONS
    return name in _POINTS[namespace]
