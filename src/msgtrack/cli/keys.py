"""``msgtrack keys``: signing secrets."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

from msgtrack.cli._common import command, print_json
from msgtrack.errors import UnreadableInput
from msgtrack.links import Keyring

__all__ = ["NAME", "add", "run", "write_secret"]

NAME = "keys"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="make signing secrets",
        example="msgtrack keys new --out msgtrack.keys",
        json_help="print the secret and its key id as JSON",
    )
    parser.add_argument("action", choices=("new",), help="new: a fresh secret of 256 random bits")
    parser.add_argument("--out", metavar="FILE", help="write it to a new file that only you can read; never overwrites")


def run(args: argparse.Namespace) -> int:
    """Make a secret, and print it or keep it in a file."""
    secret = secrets.token_urlsafe(32)
    key_id = Keyring.from_secrets(secret).key_id
    if args.out:
        write_secret(args.out, secret)
    if args.json:
        print_json({"key_id": key_id, "file": args.out} if args.out else {"key_id": key_id, "secret": secret})
    else:
        print(args.out or secret)
    return 0


def write_secret(path: str, secret: str) -> Path:
    """A new key file that only its owner can read.

    Raises:
        UnreadableInput: it cannot be made, or is there already.
    """
    key_id = Keyring.from_secrets(secret).key_id
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(f"# The first secret signs; those after it only verify. Key id {key_id}.\n{secret}\n")
    except OSError as error:
        raise UnreadableInput(f"cannot make the key file {path}: {error.strerror or error}") from error
    return Path(path)
