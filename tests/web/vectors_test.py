#!/usr/bin/env python3
"""The TypeScript reader in web/ against the published vectors: vectors_test.py BUILD_DIR.

Copies web/ into BUILD_DIR, fetches its packages there by `npm ci` (once for each lock file, which pins them by hash), compiles and runs its tests,
so that the checkout stays as it is. Prints SKIP where npm cannot fetch; a package that differs from the lock file is a failure."""

import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEB = os.path.join(ROOT, "web")
FETCH_SECONDS_MAX = 120
STAMP = "fetched-lock.json"


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def copy_sources(folder):
    os.makedirs(folder, exist_ok=True)
    for name in ("src", "test", "out"):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for name in ("src", "test"):
        shutil.copytree(os.path.join(WEB, name), os.path.join(folder, name))
    for name in ("package.json", "package-lock.json", "tsconfig.json", ".npmrc"):
        shutil.copy(os.path.join(WEB, name), folder)


def fetch(folder):
    """Whether the packages of the lock file are there; prints SKIP when npm could not fetch them."""
    lock = read(os.path.join(folder, "package-lock.json"))
    if read(os.path.join(folder, STAMP)) == lock:
        return True
    try:
        fetched = subprocess.run(["npm", "ci", "--fetch-retries=1", "--fetch-timeout=20000"], cwd=folder, capture_output=True, text=True,
                                 timeout=FETCH_SECONDS_MAX)
    except FileNotFoundError:
        print("SKIP npm is not installed")
        return False
    except subprocess.TimeoutExpired:
        print("SKIP npm cannot fetch packages")
        return False
    if fetched.returncode != 0:
        # A lock file that does not fit package.json, or a package that does not fit the lock file, is our fault and no machine's.
        if "EINTEGRITY" in fetched.stderr or "EUSAGE" in fetched.stderr:
            sys.exit("npm ci refuses web/package-lock.json:\n" + fetched.stderr)
        print("SKIP npm cannot fetch packages")
        return False
    with open(os.path.join(folder, STAMP), "wb") as stamp:
        stamp.write(lock)
    return True


def run(folder, *command):
    environment = dict(os.environ, SELVEDGE_VECTORS=os.path.join(ROOT, "docs", "spec", "vectors"))
    status = subprocess.run(command, cwd=folder, env=environment).returncode
    if status != 0:
        sys.exit(status)


def main():
    folder = sys.argv[1]
    copy_sources(folder)
    if not fetch(folder):
        return
    run(folder, "node", os.path.join("node_modules", "typescript", "bin", "tsc"), "-p", ".")
    tests = sorted(glob.glob(os.path.join(folder, "out", "test", "*.test.js")))
    if not tests:
        sys.exit("web/test has no tests: they end in .test.ts")
    run(folder, "node", "--test", *tests)


main()
