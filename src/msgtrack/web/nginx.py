"""What nginx needs to redirect stateless links by itself, with its module njs: a script, and the keys that verify links.

The keys are those of links alone. Who has them can make links under your name, and no message's identity, opt-out or
page: keep them as you keep the secrets. How to set nginx up: ``docs/how-to/deploy.md``.
"""

from __future__ import annotations

import json
from importlib.resources import files

from msgtrack._borders import shown
from msgtrack.errors import InvalidValue
from msgtrack.links import Keyring

__all__ = ["KEYS_FILE", "SCRIPT_FILE", "keys_module", "script"]

SCRIPT_FILE = "msgtrack.js"
"""What ``js_import`` names."""

KEYS_FILE = "msgtrack_keys.js"
"""What the script imports: it lies where ``js_path`` points."""


def script() -> str:
    """The script. Its function ``redirect`` answers a link that holds by 302, and hands all else to ``@msgtrack``."""
    return files("msgtrack.web").joinpath("nginx.js").read_text(encoding="utf-8")


def keys_module(keyring: Keyring, realm: str = "") -> str:
    """The module of keys for the script: by key id, the keys in hexadecimal that verify links of a realm.

    Raises:
        InvalidValue: ``keyring`` is no Keyring, or ``realm`` no text.
    """
    if not isinstance(keyring, Keyring):
        raise InvalidValue(f"keyring must be a Keyring, not {shown(keyring)}", hint="Keyring.from_secrets(...)")
    if not isinstance(realm, str):
        raise InvalidValue(f"realm must be text, not {shown(realm)}")
    by_id = {key_id: keyring.verifying_keys(key_id, "link", realm) for key_id in range(128)}
    keys = {key_id: [key.key.hex() for key in found] for key_id, found in by_id.items() if found}
    return f"export default {json.dumps(keys, indent=4)};\n"
