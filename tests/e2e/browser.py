"""A headless Chromium that the tests steer (browser.mjs)."""

import glob
import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGES = os.path.join(ROOT, "build", "web-packages", "node_modules")


def missing():
    """Why there is no browser here; None where there is one."""
    if not shutil.which("chromium"):
        return "chromium is not installed"
    if not glob.glob(os.path.join(PACKAGES, "playwright-core")):
        return "npm cannot fetch packages"
    return None


def missing_node():
    """Why there is no browser here, or no node for it; None where there are both."""
    why = missing()
    reason = os.path.join(ROOT, "build", "tab", "missing")
    if why is None and os.path.exists(reason):
        with open(reason, encoding="utf-8") as file:
            return file.readline().strip()
    return why


class Browser:
    """Each command of browser.mjs is a method: browser.click(name="Pause")."""

    def __init__(self):
        environment = dict(os.environ, SELVEDGE_WEB_PACKAGES=PACKAGES, SELVEDGE_CHROMIUM=shutil.which("chromium"))
        self.process = subprocess.Popen(["node", os.path.join(HERE, "browser.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)

    def __getattr__(self, command):
        def run(**options):
            self.process.stdin.write(json.dumps({"command": command, **options}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            assert line, "the browser is gone"
            answer = json.loads(line)
            if "error" in answer:
                raise AssertionError(f"{command} {options}: {answer['error']}")
            return answer["value"]
        return run

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()
