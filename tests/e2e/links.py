"""Slow, lossy and dead paths over loopback: selvedge-link processes, and a host that is reached through them alone."""

import json
import os
import shutil
import subprocess

from fabric import BIN, FabricTest


class Link:
    """One path to `address`, which `self.address` stands for."""

    def __init__(self, address, *options):
        self.process = subprocess.Popen([os.path.join(BIN, "selvedge-link"), "--to", address, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = self.process.stdout.readline().decode().strip()

    def say(self, what):
        self.process.stdin.write(what.encode() + b"\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class LinkedTest(FabricTest):
    def setUp(self):
        super().setUp()
        self.links = []

    def tearDown(self):
        self.end_all()
        super().tearDown()

    def end_all(self):
        for node in self.nodes:
            if node.process:
                node.kill()
            shutil.rmtree(node.home, ignore_errors=True)
        for link in self.links:
            link.close()
        self.nodes, self.links = [], []

    def linked(self, *options_of_links):
        """An origin, and a host that it reaches through so many links only."""
        host = self.node("host")
        self.links = [Link(host.address, *options) for options in options_of_links]
        host.stop()
        host.start(*[word for link in self.links for word in ("--advertise", link.address)])
        origin = self.node("origin")
        host.ask("grant.give", origin=origin.owner, cpu_permille=1000, storage_bytes=1 << 30, seconds=3600, memory_bytes=256 << 20)
        origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the fabric", lambda: self.granted(origin) == 1 and self.connected(origin) == 1)
        return origin, host

    def put(self, origin, content):
        done = origin.run("--json", "put", self.path("in", content))
        self.expect(done, 0)
        return json.loads(done.stdout.splitlines()[0])["cid"]

    @staticmethod
    def ways(node):
        return max([peer["ways"] for peer in node.ask("peer.list")["peers"]], default=0)
