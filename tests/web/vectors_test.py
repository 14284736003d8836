#!/usr/bin/env python3
"""The TypeScript reader in web/ against the published vectors, the browser's runner against the machine's, and the types of the pages: vectors_test.py BUILD_DIR.

Copies web/ into BUILD_DIR, fetches its packages there by `npm ci` (once for each lock file, which pins them by hash), compiles and runs its tests,
so that the checkout stays as it is. Prints SKIP where npm cannot fetch; a package that differs from the lock file is a failure."""

import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import web_packages  # pylint: disable=wrong-import-position

WEB = web_packages.WEB


def copy_sources(folder):
    os.makedirs(folder, exist_ok=True)
    for name in ("src", "test", "dash", "sdk", "fabric", "examples", "out"):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for name in ("src", "test", "dash", "sdk", "fabric", "examples"):
        shutil.copytree(os.path.join(WEB, name), os.path.join(folder, name))
    shutil.copy(os.path.join(WEB, "tsconfig.json"), folder)


def run(folder, *command):
    environment = dict(os.environ, SELVEDGE_VECTORS=os.path.join(ROOT, "docs", "spec", "vectors"),
                       SELVEDGE_RUNNER_WASM=os.path.join(ROOT, "build", "tab", "runner.wasm"))
    status = subprocess.run(command, cwd=folder, env=environment).returncode
    if status != 0:
        sys.exit(status)


def main():
    folder = sys.argv[1]
    copy_sources(folder)
    try:
        web_packages.fetch(folder)
    except web_packages.Unavailable as why:
        print(f"SKIP {why}")
        return
    for project in (".", "dash", "sdk", "fabric", "examples"):
        run(folder, "node", os.path.join("node_modules", "typescript", "bin", "tsc"), "-p", project)
    tests = sorted(glob.glob(os.path.join(folder, "out", "test", "*.test.js")))
    if not tests:
        sys.exit("web/test has no tests: they end in .test.ts")
    run(folder, "node", "--test", *tests)


main()
