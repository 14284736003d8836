"""The packages of web/, fetched by `npm ci` into a folder of their own, once for each lock file, which pins them by hash."""

import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEB = os.path.join(ROOT, "web")
FETCH_SECONDS_MAX = 180
STAMP = "fetched-lock.json"


class Unavailable(Exception):
    """Why this machine cannot have them; nobody's fault in the tree."""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def fetch(folder):
    """Makes FOLDER/node_modules. Raises Unavailable; RuntimeError where the lock file and what it names do not fit, which is our fault and no machine's."""
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(WEB, name), folder)
    lock = read(os.path.join(folder, "package-lock.json"))
    if read(os.path.join(folder, STAMP)) == lock:
        return
    try:
        fetched = subprocess.run(["npm", "ci", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=20000"], cwd=folder, capture_output=True, text=True,
                                 timeout=FETCH_SECONDS_MAX)
    except FileNotFoundError:
        raise Unavailable("npm is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unavailable("npm cannot fetch packages") from None
    if fetched.returncode != 0:
        if "EINTEGRITY" in fetched.stderr or "EUSAGE" in fetched.stderr:
            raise RuntimeError("npm ci refuses web/package-lock.json:\n" + fetched.stderr)
        raise Unavailable("npm cannot fetch packages")
    with open(os.path.join(folder, STAMP), "wb") as stamp:
        stamp.write(lock)
