"""The Debian package: what is in it, what it asks for, and that a fabric runs from it."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp(prefix="selvedge-package-")
TREE = os.path.join(WORK, "tree")
HERE = shutil.which("dpkg-shlibdeps") is not None
made = subprocess.run([os.path.join(ROOT, "tools/package"), "--out", WORK] if HERE else ["false"], capture_output=True, text=True)
if made.returncode == 0:
    subprocess.run(["dpkg-deb", "-x", made.stdout.strip(), TREE], check=True)
    # What follows uses the package's own programs.
    os.environ["SELVEDGE_BIN"] = os.path.join(TREE, "usr/bin")
    os.environ["SELVEDGE_GUESTS"] = os.path.join(TREE, "usr/share/selvedge/guests")

from fabric import FabricTest, guest  # noqa: E402 pylint: disable=wrong-import-position


class Package(FabricTest):
    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(WORK)

    def field(self, name):
        return subprocess.run(["dpkg-deb", "-f", made.stdout.strip(), name], capture_output=True, text=True, check=True).stdout.strip()

    def test_it_says_what_it_needs_and_no_more(self):
        self.assertEqual(made.returncode, 0, made.stderr)
        needs = self.field("Depends")
        for name in ("libc6", "libngtcp2-16", "librocksdb7.8", "libjavascriptcoregtk-4.1-0", "libmicrohttpd12", "libwslay1"):
            self.assertIn(name, needs)
        for name in ("-dev", "node", "chromium", "gtest"):
            self.assertNotIn(name, needs)
        with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            self.assertIn(f"VERSION {self.field('Version')} ", file.read())
        files = subprocess.run(["dpkg-deb", "-c", made.stdout.strip()], capture_output=True, text=True, check=True).stdout
        self.assertNotIn(ROOT, files)
        for line in files.splitlines():
            self.assertIn("root/root", line)
            self.assertNotRegex(line.split()[0], "^-..s|^-.....s|^-.......w", line)   # nothing is set-user-id or writable by all

    def test_nothing_is_switched_on(self):
        scripts = subprocess.run(["dpkg-deb", "-I", made.stdout.strip(), "postinst"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("enable", scripts)
        self.assertNotIn("start", scripts)
        with open(os.path.join(TREE, "lib/systemd/system/selvedge.service"), encoding="utf-8") as unit:
            text = unit.read()
        for line in ("DynamicUser=yes", "StateDirectory=selvedge", "ExecStart=/usr/bin/selvedge"):
            self.assertIn(line, text)
        if shutil.which("systemd-analyze"):
            for path, kind in (("lib/systemd/system", "system"), ("usr/lib/systemd/user", "user")):
                unit = os.path.join(self.dir, f"{kind}-selvedge.service")
                with open(os.path.join(TREE, path, "selvedge.service"), encoding="utf-8") as file:
                    text = file.read().replace("/usr/bin/selvedge", os.path.join(TREE, "usr/bin/selvedge"))
                with open(unit, "w", encoding="utf-8") as file:
                    file.write(text)
                checked = subprocess.run(["systemd-analyze", f"--{kind}", "--man=no", "verify", unit], capture_output=True, text=True, env={**os.environ, "XDG_RUNTIME_DIR": self.dir})
                self.assertNotIn("selvedge.service", checked.stderr, checked.stderr)

    # req: G4
    def test_a_fabric_runs_from_it(self):
        origin, _ = self.fabric(hosts=2)
        done = origin.run("run", guest("hello"), "--", "from", "a", "package")
        self.expect(done, 0, "2 owners agree")
        self.assertEqual(done.stdout, b"hello from a package\n")


if __name__ == "__main__":
    if not HERE:
        print("SKIP dpkg-dev is not installed")
    else:
        unittest.main(verbosity=2)
