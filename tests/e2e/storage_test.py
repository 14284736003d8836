"""Putting and getting over real connections: spread, loss, crashes, full disks."""

import json
import os
import resource
import signal
import unittest

import fabric
from fabric import FabricTest

MIB = 1 << 20


def file_limit(size):
    """Before exec: no file of this process grows beyond `size`, and writing more is an error instead of a signal. To the
    node this looks like a disk that is full."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


class Storage(FabricTest):
    def put(self, origin, name, content):
        """Puts a file by the command; returns its content id."""
        done = origin.run("--json", "put", self.path(name, content))
        self.expect(done, 0)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(records[-1]["bytes"], len(content))
        return records[0]["cid"]

    def get(self, origin, cid):
        target = self.path("got")
        self.expect(origin.run("get", cid, "-o", target), 0)
        with open(target, "rb") as got:
            return got.read()

    def test_every_size_reads_back_bit_for_bit(self):
        origin, _ = self.fabric(hosts=2)
        for size in (0, 1, 1023, 1024, 1025, 8192, 8193, 100_000, 8 * MIB, 8 * MIB + 1, 20 * MIB):
            content = os.urandom(size)
            self.assertEqual(self.get(origin, self.put(origin, f"in/{size}", content)), content, size)
        listed = [json.loads(line) for line in origin.run("--json", "blob", "list").stdout.splitlines()]
        self.assertEqual(len(listed), 11)

    def test_hosts_hold_nothing_readable(self):
        origin, hosts = self.fabric(hosts=2)
        secret = b"the quick brown fox jumps over the lazy dog " * 1000
        self.put(origin, "secret-name.txt", secret)
        for host in hosts:
            host.stop()
            for folder, _, names in os.walk(host.home):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as held:
                        content = held.read()
                    self.assertNotIn(b"quick brown fox", content, name)
                    self.assertNotIn(b"secret-name", content, name)

    def test_a_folder_is_walked_and_got_into_a_folder(self):
        origin, _ = self.fabric(hosts=2)
        self.path("in/b/z", b"zz")
        self.path("in/a", b"a" * 5000)
        os.symlink("/etc/passwd", self.path("in/link"))
        done = origin.run("--json", "put", self.path("in"))
        self.expect(done, 0)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([os.path.basename(r["name"]) for r in records[:-1]], ["a", "z"])
        out = self.path("out")
        os.mkdir(out)
        self.expect(origin.run("get", records[0]["cid"], "-o", out), 0)
        self.assertEqual(os.listdir(out), [records[0]["cid"]])
        piped = origin.run("get", records[0]["cid"], "-o", "-")
        self.assertEqual(piped.stdout, b"a" * 5000)
        self.assertEqual(os.listdir(os.path.join(origin.home, "tmp")), [])

    def test_what_cannot_be_put_or_got_is_named(self):
        origin, _ = self.fabric(hosts=2)
        self.expect(origin.run("put", self.path("none")), fabric.NOT_FOUND, "none")
        os.mkdir(self.path("empty"))
        self.expect(origin.run("put", self.path("empty")), fabric.NOT_FOUND, "no file")
        self.expect(origin.run("put", "/dev/null"), fabric.INVALID, "neither")
        unknown = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
        self.expect(origin.run("get", unknown, "-o", self.path("x")), fabric.NOT_FOUND, unknown)
        self.expect(origin.run("get", "hello", "-o", self.path("x")), fabric.INVALID, "hello")
        cid = self.put(origin, "a", b"content")
        self.expect(origin.run("get", cid, "-o", self.path("no/such/folder/x")), fabric.NOT_FOUND, "no/such/folder")
        self.assertEqual(self.get(origin, cid), b"content")

    def test_content_nobody_has_says_how_much_is_missing(self):
        origin, hosts = self.fabric(hosts=2)
        content = os.urandom(300_000)
        cid = self.put(origin, "a", content)
        for host in hosts:
            host.stop()
        self.until("their absence", lambda: self.connected(origin) == 0)
        target = self.path("x")
        text = self.expect(origin.run("get", cid, "-o", target), fabric.UNAVAILABLE, "symbols", "peer list")
        self.assertRegex(text, r"\b29[3-5]\b")  # 300,000 bytes are 293 symbols, and up to two more make decoding sure
        self.assertFalse(os.path.exists(target))
        hosts[0].start()
        self.until("one host", lambda: self.connected(origin) == 1)
        self.assertEqual(self.get(origin, cid), content, "one of two hosts is enough")

    def test_a_host_killed_in_the_middle_of_a_put(self):
        origin, hosts = self.fabric(hosts=3)
        before = os.urandom(3 * MIB)
        cid_before = self.put(origin, "before", before)
        content = os.urandom(96 * MIB)
        path = self.path("large", content)
        seen = []

        def kill_once(progress):
            if not seen and progress["bytes_done"] > 0:
                seen.append(progress["bytes_done"])
                hosts[0].kill()

        put = origin.connection.ask("put", kill_once, files=[{"path": path, "name": "large", "size": len(content)}])
        self.assertLess(seen[0], len(content), "it was killed too late to show anything")
        cid = put["files"][0]["cid"]
        self.assertEqual(self.get(origin, cid), content)
        hosts[0].start()
        self.until("its return", lambda: self.connected(origin) == 3)
        self.assertEqual(self.get(origin, cid), content)
        self.assertEqual(self.get(origin, cid_before), before)
        hosts[1].kill()
        self.until("its absence", lambda: self.connected(origin) == 2)
        self.assertEqual(self.get(origin, cid_before), before, "what was acknowledged before survives the loss of another")

    def test_killed_again_and_again_a_host_loses_nothing_acknowledged(self):
        origin, hosts = self.fabric(hosts=1)
        host = hosts[0]
        known = {}
        for round_number in range(3):
            names = [f"r{round_number}/{i}" for i in range(8)]
            contents = [os.urandom(200_000 + i) for i in range(8)]
            files = [{"path": self.path(name, content), "name": name, "size": len(content)} for name, content in zip(names, contents)]
            cids = [file["cid"] for file in origin.ask("put", files=files)["files"]]
            known.update(zip(cids, contents))
            # More is on its way when it dies; nobody was told that it is safe.
            origin.connection.send("put", files=[{"path": self.path("rest", os.urandom(30 * MIB)), "name": "rest", "size": 30 * MIB}])
            host.kill()
            origin.reconnect()
            host.start()
            for cid, content in known.items():
                self.assertEqual(self.get(origin, cid), content)

    def test_the_origin_killed_keeps_what_it_owns(self):
        origin, _ = self.fabric(hosts=2)
        content = os.urandom(2 * MIB)
        cid = self.put(origin, "a", content)
        origin.kill()
        origin.start()
        self.until("the hosts", lambda: self.connected(origin) == 2)
        self.assertEqual(self.get(origin, cid), content)

    def test_full_disks_are_an_error_and_lose_nothing(self):
        origin = self.node("origin")
        hosts = [self.node(f"host{i}", preexec=file_limit(12 * MIB)) for i in range(2)]
        for host in hosts:
            host.ask("grant.give", origin=origin.owner)
            origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the fabric", lambda: self.granted(origin) == 2 and self.connected(origin) == 2)
        small = os.urandom(1 * MIB)
        cid = self.put(origin, "small", small)
        refused = origin.run("put", self.path("large", os.urandom(64 * MIB)))
        self.assertIn(refused.returncode, (fabric.IO, fabric.UNAVAILABLE), refused.stderr)
        self.assertEqual(refused.stdout, b"")
        self.assertNotEqual(refused.stderr, b"")
        self.assertEqual(self.get(origin, cid), small)
        for host in hosts:
            self.assertEqual(host.ask("status")["node"], host.key, "a full disk ends no node")
            host.preexec = None
            host.stop()
            host.start()
        self.until("their return", lambda: self.connected(origin) == 2)
        self.assertEqual(self.get(origin, cid), small)
        content = os.urandom(64 * MIB)
        self.assertEqual(self.get(origin, self.put(origin, "again", content)), content, "with space again it works again")

    def test_a_full_disk_here_leaves_no_half_file(self):
        origin, _ = self.fabric(hosts=2)
        content = os.urandom(4 * MIB)
        cid = self.put(origin, "a", content)
        origin.stop()
        origin.preexec = file_limit(2 * MIB)
        origin.start()
        self.until("the hosts", lambda: self.connected(origin) == 2)
        out = self.path("out")
        os.mkdir(out)
        self.expect(origin.run("get", cid, "-o", out + "/x"), fabric.IO)
        self.assertEqual(os.listdir(out), [])

    def test_a_quota_is_kept(self):
        origin, hosts = self.fabric(hosts=2, storage_bytes=4 * MIB)
        kept = os.urandom(1 * MIB)
        cid = self.put(origin, "a", kept)
        self.expect(origin.run("put", self.path("large", os.urandom(16 * MIB))), fabric.LIMIT)
        self.assertEqual(self.get(origin, cid), kept)
        for host in hosts:
            self.assertLessEqual(host.ask("status")["bytes_held"], 4 * MIB)

    def test_without_a_grant_nothing_is_stored(self):
        origin, host = self.node("origin"), self.node("host")
        origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the peer", lambda: self.connected(origin) == 1)
        self.expect(origin.run("put", self.path("a", b"x")), fabric.UNAVAILABLE, "grant")
        host.ask("grant.give", origin=origin.owner, seconds=3)
        self.until("the grant", lambda: self.granted(origin) == 1)
        self.put(origin, "b", b"y")
        self.until("its end", lambda: [g["state"] for g in host.ask("grant.list")["grants"]] == ["expired"] and self.granted(origin) == 0)
        self.expect(origin.run("put", self.path("c", b"z")), fabric.UNAVAILABLE, "grant")


if __name__ == "__main__":
    unittest.main(verbosity=2)
