"""``Forwarded`` (RFC 7239): chains of hops are read as they were built, whatever else stands in them and before them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.redirect import Request, TrustedProxies

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
PEER = "10.0.0.9"
PROXIES = TrustedProxies(networks=["10.0.0.0/8", "fd00::/8"], header="forwarded")
JUNK = st.lists(
    st.sampled_from(["for=6.6.6.6", ";", ",", "=", '"', "\\", " ", "for", "6.6.6.6", "x", '";for=6.6.6.6', "\t", "é"]),
    max_size=8,
).map("".join)
SPACE = st.sampled_from(["", " ", "\t", "  "])


def client(*values: str) -> str:
    sent = [("Forwarded", value) for value in values]
    return PROXIES.client_of(Request(method="GET", url="/", headers=sent, client_ip=PEER, received_at=AT))


@st.composite
def quoted(draw: st.DrawFn, text: str) -> str:
    """A quoted string, with the escapes that it needs and perhaps some more."""
    letters = [f"\\{letter}" if letter in '"\\' or draw(st.integers(0, 9)) == 0 else letter for letter in text]
    return f'"{"".join(letters)}"'


@st.composite
def hops(draw: st.DrawFn) -> tuple[str, str | None]:
    """An element, and the address that it is for; None where it says none."""
    address = draw(
        st.sampled_from(["10.1.2.3", "10.9.9.9", "fd00::7", "198.51.100.7", "203.0.113.5", "2001:db8::1"])
        | st.sampled_from(["unknown", "_hidden", None])
    )
    pairs = []
    if address is not None:
        node = f"[{address}]" if ":" in address else address
        if draw(st.booleans()):
            node += ":4711"
        is_plain = ":" not in node and draw(st.booleans())
        pairs.append(f"{draw(st.sampled_from(['for', 'For', 'FOR']))}={node if is_plain else draw(quoted(node))}")
    names = draw(st.lists(st.sampled_from(["host", "by", "proto", "x-for", "ext"]), unique=True, min_size=not pairs))
    pairs += [f"{name}={draw(quoted(draw(JUNK)))}" for name in names]
    apart = draw(SPACE) + ";" + draw(SPACE)
    known = None if address in (None, "unknown", "_hidden") else address
    return apart.join(draw(st.permutations(pairs))), known


def client_of(chain: list[str | None]) -> tuple[str, bool]:
    """The client of a chain, and whether what stands before the chain has a say in it."""
    found = PEER
    for address in reversed(chain):
        if address is None:
            return found, False
        found = address
        if not found.startswith(("10.", "fd00:")):
            return found, False
    return found, True


@given(st.data(), st.lists(hops(), min_size=1, max_size=6), JUNK | st.text(max_size=40))
def test_a_chain_is_read_as_it_was_built(data: st.DataObject, built: list[tuple[str, str | None]], before: str) -> None:
    """R32."""
    chain = [address for _, address in built]
    lines = [built[0][0]]
    for element, _ in built[1:]:
        if data.draw(st.booleans()):
            lines.append(element)
        else:
            lines[-1] += data.draw(SPACE) + "," + data.draw(SPACE) + element
    expected, is_open = client_of(chain)
    assert client(*lines) == expected
    if not is_open:
        # What the client sent itself stands before what the proxies add, in the same line or one of its own.
        assert client(before, *lines) == expected
        assert client(f"{before}, {lines[0]}", *lines[1:]) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['for=198.51.100.7;host="x;for=6.6.6.6"'], "198.51.100.7"),
        (['for=198.51.100.7;by="a,for=6.6.6.6"'], "198.51.100.7"),
        (['for=198.51.100.7;by="\\",for=6.6.6.6;\\\\"'], "198.51.100.7"),
        (['for="', "for=198.51.100.7"], "198.51.100.7"),
        (['by="a', 'for=6.6.6.6"'], PEER),
        (["for=6.6.6.6;for=198.51.100.7"], PEER),
        (["for=6.6.6.6, proto=https"], PEER),
        (["for=6.6.6.6, for"], PEER),
        (["for=6.6.6.6, for="], PEER),
        (['for=6.6.6.6, for="10.0.0.2'], PEER),
        (['for=6.6.6.6, for="10.0.0.2\\"'], PEER),
        (['for=6.6.6.6, for=10.0.0.2"x"'], PEER),
        (["for=6.6.6.6, for=10.0.0.2 x"], PEER),
        (["for=6.6.6.6, xfor=10.0.0.2"], PEER),
        (["x-for=6.6.6.6"], PEER),
        (["for=6.6.6.6, what is this, for=10.0.0.2"], "10.0.0.2"),
        (["for=198.51.100.7, ,", "", ";, for=10.0.0.2;"], "198.51.100.7"),
    ],
)
def test_an_element_that_cannot_be_read_ends_the_search(values: list[str], expected: str) -> None:
    """R32."""
    assert client(*values) == expected


@pytest.mark.parametrize("cut", range(1, 10))
def test_what_is_cut_in_two_is_no_address(cut: int) -> None:
    """R32."""
    start, rest = "for=196.6.6.6", ',for=10.0.0.2;x="'
    assert client(start + rest + "y" * (4_095 + cut - len(start + rest)) + '"') == "10.0.0.2"
    older = TrustedProxies(networks=["10.0.0.0/8"])
    sent = [("X-Forwarded-For", "196.6.6.6" + " " * (4_096 + cut - 18) + ",10.0.0.2")]
    asked = Request(method="GET", url="/", headers=sent, client_ip=PEER, received_at=AT)
    assert older.client_of(asked) == "10.0.0.2"


@pytest.mark.parametrize("hostile", ['"', "\\", '\\"', '"\\', '="', 'a=b;"', "a=b;", ",", " ", "=", 'a="\\', '"\\\\'])
def test_any_length_of_it_takes_no_time(hostile: str) -> None:
    """R32."""
    assert client(hostile * 40_000, "for=198.51.100.7") == "198.51.100.7"
    assert client("for=6.6.6.6", hostile * 40_000 + "x") == PEER
