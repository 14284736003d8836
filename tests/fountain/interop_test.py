#!/usr/bin/env python3
"""Interoperation with npm's raptorq, both ways: interop_test.py BUILD_DIR PACKETS_PROGRAM.

Fetches the package into BUILD_DIR by `npm ci` (once; the lock file pins it by its hash) and runs interop.mjs. Prints
SKIP where npm cannot fetch; a package that differs from the lock file is a failure."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS_MAX = 60


def fetch(folder):
    """Where raptorq.js lies as a module of Node, or None when npm could not fetch it."""
    codec = os.path.join(folder, "codec")
    if os.path.exists(os.path.join(codec, "package.json")):
        return codec
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, name), folder)
    shutil.copy(os.path.join(HERE, "..", "..", ".npmrc"), folder)
    try:
        fetched = subprocess.run(["npm", "ci", "--fetch-retries=1", "--fetch-timeout=20000"], cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX)
    except FileNotFoundError:
        print("SKIP npm is not installed")
        return None
    except subprocess.TimeoutExpired:
        print("SKIP npm cannot fetch packages")
        return None
    if fetched.returncode != 0:
        if "EINTEGRITY" in fetched.stderr:
            sys.exit("the package is not the one that the lock file names:\n" + fetched.stderr)
        print("SKIP npm cannot fetch packages")
        return None
    # The package has an ES module and no "type" that says so.
    package = os.path.join(folder, "node_modules", "raptorq")
    os.makedirs(codec, exist_ok=True)
    for name in ("raptorq.js", "raptorq_bg.wasm"):
        shutil.copy(os.path.join(package, name), codec)
    with open(os.path.join(codec, "package.json"), "w") as out:
        out.write('{"type":"module"}\n')
    return codec


def main():
    build, packets = sys.argv[1:]
    codec = fetch(build)
    if codec is not None:
        sys.exit(subprocess.run(["node", os.path.join(HERE, "interop.mjs"), codec, packets]).returncode)


main()
