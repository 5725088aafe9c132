"""What nginx is given: keys of a keyring alone."""

from __future__ import annotations

import pytest

from msgtrack.errors import InvalidValue
from msgtrack.links import Keyring
from msgtrack.web.nginx import keys_module


def test_keys_are_those_of_a_keyring() -> None:
    keyring = Keyring.from_secrets("a secret that is long enough to sign with")
    assert keys_module(keyring) != keys_module(keyring, "shop")
    for bad in (None, 5, "a secret that is long enough to sign with", Keyring):
        with pytest.raises(InvalidValue, match="keyring must be"):
            keys_module(bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="realm must be"):
        keys_module(keyring, None)  # type: ignore[arg-type]
