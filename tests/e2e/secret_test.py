"""Secrets among real nodes and in files: split, combine, use, refresh, reshare, and who is refused."""

import json
import os
import shutil
import stat
import unittest

import fabric

PLAIN = b"correct horse battery staple \x00\xff\n"


class SecretTest(fabric.FabricTest):
    def split(self, origin, holders, name="deploy", threshold=2, *more):
        words = ["secret", "split", "-", "--name", name, "-k", str(threshold)]
        for holder in holders:
            words += ["--holder", holder.key[:12]]
        done = origin.run(*words, *more, stdin=PLAIN)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def combine(self, node, name="deploy"):
        done = node.run("secret", "combine", name, "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def listed(self, node, name="deploy"):
        for secret in node.ask("secret.list")["secrets"]:
            if secret["name"].split("/")[-1] == name:
                return secret
        return None

    # req: A14, R5
    def test_two_of_three_give_the_secret_when_one_is_dead(self):
        origin, holders = self.fabric(hosts=3)
        done = self.split(origin, holders)
        self.assertIn(b"2 of 3", done.stdout)
        self.assertEqual(self.combine(origin), PLAIN)
        holders[0].kill()
        self.assertEqual(self.combine(origin), PLAIN)
        holders[1].kill()
        refused = origin.run("secret", "combine", "deploy", "-o", "-")
        self.expect(refused, fabric.UNAVAILABLE, "it takes 2 shares, and 1 came", "not connected")
        self.assertEqual(refused.stdout, b"")
        holders[1].start()
        self.until("the holder is back", lambda: self.connected(origin) == 2)
        self.assertEqual(self.combine(origin), PLAIN)

    # req: A14
    def test_a_file_of_the_secret_is_its_users_alone_and_no_home_holds_it(self):
        origin, holders = self.fabric(hosts=2)
        self.split(origin, holders)
        out = self.path("out.key")
        self.assertEqual(origin.run("secret", "combine", "deploy", "-o", out).returncode, 0)
        self.assertEqual(stat.S_IMODE(os.stat(out).st_mode), 0o600)
        with open(out, "rb") as file:
            self.assertEqual(file.read(), PLAIN)
        again = origin.run("secret", "combine", "deploy", "-o", out)
        self.assertNotEqual(again.returncode, 0, "a file that is there is not overwritten")
        for node in (origin, *holders):
            node.stop()
            for folder, _, files in os.walk(node.home):
                for name in files:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(PLAIN, file.read(), os.path.join(folder, name))

    # req: A14
    def test_a_command_gets_the_secret_by_a_pipe_and_nowhere_else(self):
        origin, holders = self.fabric(hosts=2)
        self.split(origin, holders)
        # The command looks at its own arguments and environment, and prints what it reads.
        script = "tr '\\0' '\\n' < /proc/$$/cmdline > $1.seen; tr '\\0' '\\n' < /proc/$$/environ >> $1.seen; cat \"$0\" > $1"
        out = self.path("out")
        done = origin.run("secret", "use", "deploy", "--", "sh", "-c", script, "{}", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(out, "rb") as file:
            self.assertEqual(file.read(), PLAIN)
        with open(out + ".seen", "rb") as file:
            seen = file.read()
        self.assertIn(b"/dev/fd/3", seen)
        self.assertNotIn(b"battery", seen)
        self.assertEqual(origin.run("secret", "use", "deploy", "--stdin", "--", "cat").stdout, PLAIN)
        self.assertEqual(origin.run("secret", "use", "deploy", "--", "sh", "-c", "exit 42").returncode, 42)
        self.expect(origin.run("secret", "use", "deploy", "--", "no-such-command"), fabric.NOT_FOUND, "no-such-command")
        self.expect(origin.run("secret", "use", "deploy"), fabric.INVALID, "after --")
        self.expect(origin.run("secret", "use", "nothing", "--", "cat"), fabric.NOT_FOUND, "selvedge secret list")

    # req: A14
    def test_whoever_lost_their_leave_is_refused(self):
        origin, holders = self.fabric(hosts=2)
        self.split(origin, holders)
        friend = self.node("friend")
        for holder in holders:
            friend.ask("peer.add", ticket=holder.ask("ticket")["ticket"])
        friend.ask("peer.add", ticket=origin.ask("ticket")["ticket"])
        self.until("the friend knows all", lambda: self.connected(friend) == 3 and self.connected(origin) == 3)
        name = origin.owner[:12] + "/deploy"
        self.expect(friend.run("secret", "combine", name, "-o", "-"), fabric.NOT_FOUND)
        self.assertEqual(origin.run("secret", "allow", "deploy", friend.key, "--for", "1h").returncode, 0)
        self.until("the offer arrived", lambda: self.listed(friend) is not None)
        self.assertEqual(self.combine(friend, name), PLAIN)
        denied = origin.run("secret", "deny", "deploy", friend.key)
        self.assertEqual(denied.returncode, 0, denied.stderr)
        refused = friend.run("secret", "combine", name, "-o", "-")
        self.expect(refused, fabric.UNAUTHORIZED, "revoked")
        self.assertEqual(refused.stdout, b"")
        self.assertEqual(self.combine(origin), PLAIN)

    # req: A14
    def test_asking_too_often_is_refused(self):
        origin, holders = self.fabric(hosts=2)
        self.split(origin, holders)
        for _ in range(8):
            self.assertEqual(self.combine(origin), PLAIN)
        self.expect(origin.run("secret", "combine", "deploy", "-o", "-"), fabric.LIMIT, "too often", "seconds")

    # req: A14
    def test_a_refresh_makes_an_old_share_useless(self):
        origin, holders = self.fabric(hosts=3)
        self.split(origin, holders)
        # Somebody copies a holder's whole disk, and its keys.
        holders[0].stop()
        stolen = self.path("stolen")
        shutil.copytree(holders[0].home, stolen, ignore=shutil.ignore_patterns("node.sock"))
        holders[0].start()
        self.until("all are back", lambda: self.connected(origin) == 3)
        done = origin.run("secret", "refresh", "deploy")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.until("the old shares are erased", lambda: self.listed(origin)["unsettled"] == 0)
        self.assertEqual(self.listed(origin)["generation"], 2)
        self.assertEqual(self.combine(origin), PLAIN)
        # The copy comes up in the holder's place, with a genuine share of generation 1, and another holder is gone.
        holders[0].stop()
        holders[1].kill()
        os.rename(holders[0].home, holders[0].home + ".new")
        os.rename(stolen, holders[0].home)
        holders[0].start()
        self.until("the copy and one holder are here", lambda: self.connected(origin) == 2)
        refused = origin.run("secret", "combine", "deploy", "-o", "-")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("generation 2", refused.stderr.decode())
        self.assertEqual(refused.stdout, b"")

    # req: A14
    def test_a_secret_moves_to_other_holders(self):
        origin, hosts = self.fabric(hosts=4)
        self.split(origin, hosts[:3])
        hosts[0].kill()
        self.until("one is gone", lambda: self.connected(origin) == 3)
        words = ["--json", "secret", "reshare", "deploy", "-k", "3"]
        for host in hosts[1:]:
            words += ["--holder", host.key]
        done = origin.run(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        info = json.loads(done.stdout)
        self.assertEqual((info["threshold"], info["generation"]), (3, 2))
        self.assertEqual(self.combine(origin), PLAIN)
        hosts[0].start()
        self.until("the one that left has erased its share", lambda: self.listed(origin)["unsettled"] == 0)
        self.assertEqual(origin.run("secret", "remove", "deploy").returncode, 0)
        self.assertIsNone(self.listed(origin))
        self.expect(origin.run("secret", "combine", "deploy", "-o", "-"), fabric.NOT_FOUND)

    def test_what_cannot_be_split_says_why(self):
        origin, holders = self.fabric(hosts=2)
        keys = [word for holder in holders for word in ("--holder", holder.key)]
        split = lambda *words, stdin=PLAIN: origin.run("secret", "split", "-", *words, stdin=stdin)
        self.expect(split("--name", "a", *keys), fabric.INVALID, "-k")
        self.expect(split("--name", "a", "-k", "2"), fabric.INVALID, "--holder", "--local")
        self.expect(split("--name", "a", "-k", "1", *keys), fabric.INVALID, "between 2 and 2")
        self.expect(split("--name", "a", "-k", "2", *keys, stdin=bytes(64 * 1024 + 1)), fabric.LIMIT, "64 KiB")
        self.expect(split("--name", "a", "-k", "2", *keys, "--holder", "yyyyyyyy"), fabric.NOT_FOUND, "peer add")
        self.assertEqual(split("--name", "a", "-k", "2", *keys, stdin=bytes(64 * 1024)).returncode, 0)
        self.expect(split("--name", "a", "-k", "2", *keys), fabric.BUSY, "already")
        plain = split("--name", "b", "-k", "2", "--scheme", "shamir", *keys)
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertEqual(self.combine(origin, "b"), PLAIN)
        self.expect(origin.run("secret", "refresh", "b"), fabric.INVALID, "plain scheme")


class ShareFileTest(fabric.FabricTest):
    # req: A14, R5
    def test_share_files_need_no_node(self):
        secret = self.path("secret.key", PLAIN)
        shares = self.path("shares")
        done = fabric.run("secret", "split", secret, "--local", shares, "-k", "2", "-n", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        files = sorted(os.path.join(shares, name) for name in os.listdir(shares))
        self.assertEqual(len(files), 3)
        for file in files:
            self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
            with open(file, "rb") as content:
                self.assertNotIn(b"horse", content.read())
        for pair in ((0, 1), (2, 0), (1, 2)):
            done = fabric.run("secret", "combine", "--local", files[pair[0]], files[pair[1]], "-o", "-")
            self.assertEqual(done.stdout, PLAIN, done.stderr)
        self.expect(fabric.run("secret", "combine", "--local", files[0], "-o", "-"), fabric.UNAVAILABLE, "it takes 2 shares")
        with open(files[1], "rb") as content:
            text = bytearray(content.read())
        text[-10] = ord("a") if text[-10] != ord("a") else ord("b")
        broken = self.path("broken.txt", bytes(text))
        self.assertNotEqual(fabric.run("secret", "combine", "--local", files[0], broken, "-o", "-").returncode, 0)
        again = fabric.run("secret", "split", secret, "--local", shares, "-k", "2", "-n", "3")
        self.assertNotEqual(again.returncode, 0, "share files that are there are not overwritten")


if __name__ == "__main__":
    unittest.main(verbosity=2)
