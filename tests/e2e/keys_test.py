"""Keys of a home: apart, in a backup, and back."""

import json
import os
import pty
import select
import stat
import subprocess
import unittest

import fabric
from fabric import FabricTest, run


class Keys(FabricTest):
    def setUp(self):
        super().setUp()
        self.passphrase = self.path("passphrase", b"correct horse battery staple\n")

    def init(self, name):
        home = self.path(name)
        made = run("--json", "init", home=home)
        self.expect(made, 0)
        return home, json.loads(made.stdout)

    def export(self, home, *options, name="backup"):
        backup = self.path(name)
        self.expect(run("key", "export", "-o", backup, "--passphrase-file", self.passphrase, *options, home=home), 0)
        return backup

    def restore(self, name, backup):
        home = self.path(name)
        done = run("--json", "key", "import", backup, "--passphrase-file", self.passphrase, home=home)
        self.expect(done, 0)
        return home, json.loads(done.stdout)

    # req: A1
    def test_a_backup_brings_owner_and_node_back(self):
        home, made = self.init("a")
        backup = self.export(home)
        self.assertEqual(stat.S_IMODE(os.stat(backup).st_mode), 0o600)
        _, restored = self.restore("b", backup)
        self.assertEqual((restored["owner"], restored["node"], restored["owner_key_here"]), (made["owner"], made["node"], True))
        self.expect(run("key", "export", "-o", backup, "--passphrase-file", self.passphrase, home=home), fabric.BUSY, backup)

    def test_the_owners_key_alone_makes_a_new_node(self):
        home, made = self.init("a")
        _, restored = self.restore("b", self.export(home, "--owner"))
        self.assertEqual(restored["owner"], made["owner"])
        self.assertNotEqual(restored["node"], made["node"])

    def test_the_nodes_keys_alone_hold_no_owners_key(self):
        home, made = self.init("a")
        node_home, restored = self.restore("b", self.export(home, "--node"))
        self.assertEqual((restored["owner"], restored["node"], restored["owner_key_here"]), (made["owner"], made["node"], False))
        self.assertFalse(os.path.exists(os.path.join(node_home, "owner.key")))
        self.expect(run("key", "export", "--owner", "-o", self.path("x"), "--passphrase-file", self.passphrase, home=node_home), fabric.NOT_FOUND, "on the one that does")

    def test_what_goes_wrong_is_said_and_changes_nothing(self):
        home, _ = self.init("a")
        backup = self.export(home)
        wrong = self.path("wrong", b"another passphrase\n")
        self.expect(run("key", "import", backup, "--passphrase-file", wrong, home=self.path("b")), fabric.UNAUTHORIZED, "passphrase")
        with open(backup, "rb") as text:
            content = text.read()
        damaged = self.path("damaged", content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        self.expect(run("key", "import", damaged, "--passphrase-file", self.passphrase, home=self.path("b")), fabric.INTEGRITY, "copied")
        self.expect(run("key", "import", self.passphrase, "--passphrase-file", self.passphrase, home=self.path("b")), fabric.INVALID, "not a backup")
        self.assertFalse(os.path.exists(self.path("b")))
        other, _ = self.init("c")
        self.expect(run("key", "import", backup, "--passphrase-file", self.passphrase, home=other), fabric.BUSY, "another owner")
        self.expect(run("key", "export", "-o", self.path("x"), "--passphrase-file", self.path("short", b"abc\n"), home=home), fabric.INVALID, "8 characters")
        self.assertFalse(os.path.exists(self.path("x")))

    def test_a_terminal_is_asked_and_shows_nothing(self):
        home, _ = self.init("a")

        def ask(words, answers):
            """Types the answers as they are asked for, at a terminal of its own; returns the exit status and what it showed."""
            child, terminal = pty.fork()
            if child == 0:
                os.execv(fabric.COMMAND, [fabric.COMMAND, "--home", home, *words])
            shown, left = b"", list(answers)
            while select.select([terminal], [], [], fabric.DEADLINE_SECONDS)[0]:
                try:
                    part = os.read(terminal, 4096)
                except OSError:
                    break  # the other end is closed
                shown += part
                if left and shown.count(b": ") > len(answers) - len(left):
                    os.write(terminal, left.pop(0) + b"\n")
            os.close(terminal)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown

        backup = self.path("backup")
        status, shown = ask(["key", "export", "-o", backup], [b"a long secret", b"a long secrer"])
        self.assertEqual(status, fabric.INVALID, shown)
        self.assertFalse(os.path.exists(backup))
        status, shown = ask(["key", "export", "-o", backup], [b"a long secret", b"a long secret"])
        self.assertEqual(status, 0, shown)
        self.assertNotIn(b"a long", shown)
        status, shown = ask(["key", "export", "-o", self.path("x")], [b"\x03"])
        self.assertEqual(status, fabric.CANCELLED, shown)
        again = run("key", "import", backup, "--passphrase-file", self.path("typed", b"a long secret"), home=self.path("b"))
        self.expect(again, 0)
        # Without a terminal it says what to do instead of waiting.
        without = subprocess.run([fabric.COMMAND, "--home", home, "key", "export", "-o", self.path("y")], stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=fabric.DEADLINE_SECONDS, start_new_session=True)
        self.expect(without, fabric.UNAVAILABLE, "--passphrase-file")


if __name__ == "__main__":
    unittest.main(verbosity=2)
