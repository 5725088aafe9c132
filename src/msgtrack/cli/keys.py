"""``msgtrack keys``: signing secrets."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

from msgtrack.cli._common import command, make_folder, print_json, read_keys
from msgtrack.errors import InvalidOption, UnreadableInput
from msgtrack.links import Keyring

__all__ = ["NAME", "add", "run", "write_secret"]

NAME = "keys"


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="make signing secrets, and what is derived of them",
        example="msgtrack keys new --out msgtrack.keys",
        json_help="print the secret and its key id, or the files written, as JSON",
    )
    parser.add_argument(
        "action",
        choices=("new", "nginx"),
        help="new: a fresh secret of 256 random bits; nginx: what nginx needs to redirect stateless links by itself",
    )
    parser.add_argument(
        "--out", metavar="PATH", help="new: a new file that only you can read, never overwritten; nginx: a folder"
    )
    parser.add_argument("--keys", metavar="FILE", help="nginx: secrets, one a line")
    parser.add_argument("--realm", default="", metavar="NAME", help="nginx: the tenant, bound in the keys")


def run(args: argparse.Namespace) -> int:
    """Make a secret, and print it or keep it in a file; or write what nginx needs."""
    if args.action == "nginx":
        return _nginx(args)
    secret = secrets.token_urlsafe(32)
    key_id = Keyring.from_secrets(secret).key_id
    if args.out:
        write_secret(args.out, secret)
    if args.json:
        print_json({"key_id": key_id, "file": args.out} if args.out else {"key_id": key_id, "secret": secret})
    else:
        print(args.out or secret)
    return 0


def _nginx(args: argparse.Namespace) -> int:
    from msgtrack.web.nginx import KEYS_FILE, SCRIPT_FILE, keys_module, script

    if not args.keys or not args.out:
        raise InvalidOption("keys nginx needs --keys FILE and --out FOLDER")
    folder = make_folder(args.out)
    keys = keys_module(read_keys(args.keys), args.realm)
    written = [folder / SCRIPT_FILE, folder / KEYS_FILE]
    try:
        written[0].write_text(script(), encoding="utf-8")
        # Replaced as a whole: nginx may read it at any moment, and others never.
        fresh = written[1].with_name(f".{KEYS_FILE}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(keys)
        fresh.replace(written[1])
    except OSError as error:
        raise UnreadableInput(f"cannot write into the folder {folder}: {error.strerror or error}") from error
    if args.json:
        print_json({"files": [str(path) for path in written]})
    else:
        print("\n".join(str(path) for path in written))
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
