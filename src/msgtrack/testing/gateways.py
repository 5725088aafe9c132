"""What mail gateways, mail clients and people do to a link on its way: a simulator of named damages.

::

    from msgtrack.testing import gateways

    for damage in gateways.DAMAGES:
        assert tracker.resolve(damage(url)).message_id == "1001"

Each damage is a pure function from URL to URL, with a name, a sentence that says who does it, and the names of the
repairs that undo it. A tracked URL survives every one of them; what is not among them, a signature refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib import parse

from attrs import frozen

__all__ = ["DAMAGES", "Damage", "by_name", "table"]


@frozen(kw_only=True)
class Damage:
    """One thing that happens to links. Call it with a URL.

    ``repairs`` are the names by which ``Resolution.repairs`` tells that it was undone, in any order; empty for what
    leaves a URL of ours as it was.
    """

    name: str
    sentence: str
    apply: Callable[[str], str]
    repairs: tuple[str, ...]

    def __call__(self, url: str) -> str:
        """The URL as it looks afterwards."""
        return self.apply(url)


def _quote(text: str, safe: str) -> str:
    return parse.quote(text, safe, errors="surrogatepass")


_ORIGIN = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/?#]*")


def _on_path(change: Callable[[str], str]) -> Callable[[str], str]:
    def changed(url: str) -> str:
        # By hand: what an earlier damage has left need not be a URL any more, and splitting that one as a URL can fail.
        origin = _ORIGIN.match(url)
        start = origin.end() if origin else 0
        return url[:start] + change(url[start:])

    return changed


def _before(text: str) -> Callable[[str], str]:
    return lambda url: text + url


def _after(text: str) -> Callable[[str], str]:
    return lambda url: url + text


def _inside(text: str) -> Callable[[str], str]:
    """Put in the middle of the last segment, which is the message part where there is one."""

    def changed(url: str) -> str:
        start = url.rstrip("/").rfind("/") + 1
        middle = (start + len(url)) // 2
        return url[:middle] + text + url[middle:]

    return changed


def _wrapped_lines(ending: str, width: int = 40) -> Callable[[str], str]:
    return lambda url: ending.join(url[start : start + width] for start in range(0, len(url), width))


def _percent(text: str) -> str:
    return "".join(character if character.isalnum() else f"%{ord(character):02X}" for character in text)


def _every_percent(text: str) -> str:
    return "/".join("".join(f"%{ord(character):02x}" for character in part) for part in text.split("/"))


def _quoted_printable(text: str) -> str:
    return re.sub(r"[./-]", lambda found: f"={ord(found[0]):02X}", text)


def _numbered(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def _dashes(url: str) -> str:
    code = _quote(url, safe="/").replace("-", "%2D").replace("_", "%5F").replace("%", "-").replace("/", "_")
    return f"https://defense.example/v2/url?u={code}&d=AbCd&c=Ef-Gh_Ij&r=Kl&m=Mn&s=Op&e="


def _underscores(url: str) -> str:
    return f"https://defense.example/v3/__{url}__;!!AbCd!Ef-Gh_Ij$"


def _one_slash(url: str) -> str:
    return _underscores(url.replace("://", ":/", 1))


def _parameter(url: str) -> str:
    return f"https://eur01.safe.example/?url={_quote(url, safe='')}&data=05%7C01%7C%7Cab12%7C0%7C0&reserved=0"


def _plain_parameter(url: str) -> str:
    return f"https://check.example/click?from=https%3A%2F%2Fsender.example%2Fnews&q={url}&sa=D"


def _path(url: str) -> str:
    return f"https://secure.example/1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789/{_quote(url, safe='')}"


def _other_host(url: str) -> str:
    return re.sub("//[^/]+", "//proxy.example:8443", url, count=1)


def _damages() -> tuple[Damage, ...]:
    rows: list[tuple[str, str, Callable[[str], str], tuple[str, ...]]] = [
        ("upper-case", "An old gateway turns the whole address to upper case.", str.upper, ("case-folding",)),
        ("upper-case-path", "A filter turns the path to upper case.", _on_path(str.upper), ("case-folding",)),
        ("lower-case", "A log or a filter turns the whole address to lower case.", str.lower, ()),
        ("swapped-case", "A filter changes the case of some letters.", _on_path(str.swapcase), ("case-folding",)),
        ("percent-encoding", "A client encodes what needs no encoding.", _on_path(lambda path: "/" + _percent(path[1:])),
         ("percent-encoding",)),
        ("double-percent-encoding", "Two of them do so, one after the other.",
         _on_path(lambda path: "/" + _quote(_percent(path[1:]), safe="")), ("percent-encoding",)),
        ("percent-everything", "A filter hides every character from other filters.", _on_path(_every_percent),
         ("percent-encoding",)),
        ("whole-url-encoded", "A form takes the address as a value and gives it back encoded.", lambda url: _quote(url, safe=""),
         ("percent-encoding",)),
        ("entities", "An address is escaped for HTML, and read without undoing it.", _on_path(_numbered), ("entities",)),
        ("double-entities", "The same, twice over.", _on_path(lambda path: _numbered(path).replace("&", "&amp;")), ("entities",)),
        ("quoted-printable", "A part is read without undoing its transfer encoding.", _on_path(_quoted_printable),
         ("quoted-printable",)),
        ("quoted-printable-equals", "The equals sign before the quoted value comes along as quoted-printable writes it.",
         lambda url: f'3D"{url}"', ("leading-punctuation", "trailing-punctuation")),
        ("quoted-printable-tail", "So does one behind it.", _after("=3D"), ("quoted-printable", "trailing-punctuation")),
        ("soft-line-break", "Quoted-printable wraps a long line, and nobody joins it.", _wrapped_lines("=\r\n"), ("soft-line-break",)),
        ("soft-line-break-encoded", "The same, encoded by the browser.", _wrapped_lines("=%0D%0A"),
         ("percent-encoding", "soft-line-break")),
        ("soft-line-break-rest", "The same; the browser takes the break out and leaves the sign.", _inside("="), ("soft-line-break",)),
        ("line-break", "A client wraps a long line.", _wrapped_lines("\r\n"), ("white-space",)),
        ("line-break-and-indent", "The same, with the next line indented.", _wrapped_lines("\n    "), ("white-space",)),
        ("line-break-encoded", "The same, encoded by the browser.", _wrapped_lines("%0A"), ("percent-encoding", "white-space")),
        ("space", "A space comes in where a line was joined.", _inside(" "), ("white-space",)),
        ("space-encoded", "The same, encoded by the browser.", _inside("%20"), ("percent-encoding", "white-space")),
        ("spaces-around", "Somebody copies a little too much.", lambda url: f" \t{url}\r\n", ("white-space",)),
        ("zero-width-space", "An editor lets a long word break.", _inside("\u200b"), ("white-space",)),
        ("soft-hyphen", "The same, by a hyphen that shows only at the end of a line.", _inside("%C2%AD"),
         ("percent-encoding", "white-space")),
        ("angle-brackets", "Plain text sets addresses in angle brackets.", lambda url: f"<{url}>",
         ("leading-punctuation", "trailing-punctuation")),
        ("quotes", "Quotes around the address are taken for a part of it.", lambda url: f'"{url}"',
         ("leading-punctuation", "trailing-punctuation")),
        ("angle-bracket-entity", "The same bracket, escaped.", _after("&gt;"), ("appended-parameters",)),
        ("quote-encoded", "A closing typographic quote, encoded by the browser.", _after("%E2%80%9D"),
         ("percent-encoding", "trailing-punctuation")),
        ("appended-parameter", "A service adds a parameter of its own.", _after("?x=y"), ("appended-parameters",)),
        ("appended-click-id", "The same, and its value holds an address.", _after("?u=https://site.example/a/b&fbclid=AbC-_1"),
         ("appended-parameters",)),
        ("appended-ampersand", "The same, by one that believes there are parameters already.", _after("&x=y"),
         ("appended-parameters",)),
        ("appended-amp", "The same, escaped for HTML.", _after("&amp;x=y"), ("entities", "appended-parameters")),
        ("appended-fragment", "A client adds a fragment.", _after("#:~:text=a"), ("appended-parameters",)),
        ("trailing-slash", "A proxy ends every path with a slash.", _after("/"), ()),
        ("doubled-slashes", "A proxy joins paths carelessly.", _on_path(lambda path: path.replace("/", "//")),
         ("doubled-slashes",)),
        ("other-host", "A proxy stands in front under a name of its own.", _other_host,
         ()),
        ("other-scheme", "A proxy takes the encryption off.", lambda url: re.sub("^https", "http", url), ()),
        ("wrapped-parameter", "A service that checks links carries the original in a parameter, encoded.", _parameter,
         ("percent-encoding", "unwrapped")),
        ("wrapped-parameter-plain", "The same without encoding, behind another address.", _plain_parameter,
         ("percent-encoding", "unwrapped")),
        ("wrapped-path", "The same, in the path.", _path, ("percent-encoding", "unwrapped")),
        ("wrapped-dashes", "The same, with `-` for `%` and `_` for `/`.", _dashes, ("unwrapped-dashes",)),
        ("wrapped-underscores", "The same, in the path between two underscores each.", _underscores, ("unwrapped",)),
        ("wrapped-one-slash", "The same, and a proxy makes one slash of two.", _one_slash, ("unwrapped",)),
        ("wrapped-twice", "Two such services, of the sender's side and of the reader's.", lambda url: _parameter(_dashes(url)),
         ("percent-encoding", "unwrapped-dashes")),
        ("wrapped-twice-again", "The same, the other way round.", lambda url: _underscores(_parameter(url)),
         ("percent-encoding", "unwrapped")),
        ("wrapped-upper-case", "The same service, and everything in upper case.", lambda url: _parameter(url).upper(),
         ("percent-encoding", "unwrapped", "case-folding")),
    ]  # fmt: skip
    ends = {
        "bracket": ")", "square-bracket": "]", "angle-bracket": ">", "full-stop": ".", "comma": ",", "colon": ":", "semicolon": ";",
        "exclamation-mark": "!", "quote": '"', "apostrophe": "'", "asterisk": "*", "underscore": "_", "ellipsis": "...", "several": ').">',
    }  # fmt: skip
    rows += [
        (
            f"trailing-{name}",
            f"What follows in the text, `{end}`, is taken for a part of the address.",
            _after(end),
            ("trailing-punctuation",),
        )
        for name, end in ends.items()
    ]
    return tuple(Damage(name=name, sentence=said, apply=apply, repairs=repairs) for name, said, apply, repairs in rows)


DAMAGES = _damages()
"""All damages that a tracked URL survives."""


def by_name(name: str) -> Damage:
    """The damage of a name; KeyError when there is none."""
    return {damage.name: damage for damage in DAMAGES}[name]


def table(url: str) -> list[tuple[Damage, str]]:
    """Every damage with what it makes of ``url``, its control and invisible characters written as Python
    writes them in text.
    """
    return [(damage, _visible(damage(url))) for damage in DAMAGES]


def _visible(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
