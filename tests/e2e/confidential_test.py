"""What a task reads and writes is seen by its executors while it runs, and by nobody else: not on any disk, in any log, or on the wire."""

import os
import socket
import threading
import unittest

import fabric
from fabric import FabricTest, guest
from identity_test import Chip

EVERYTHING = 3  # ETH_P_ALL, in network byte order below


class Wire:
    """All that crosses the loopback interface while it is open."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self.socket.bind(("lo", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.socket.settimeout(0.2)
        self.packets, self.open = [], True
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while self.open:
            try:
                self.packets.append(self.socket.recv(1 << 17))
            except TimeoutError:
                pass

    def close(self):
        self.open = False
        self.thread.join()
        self.socket.close()
        return b"\0".join(self.packets)


class Confidential(FabricTest):
    def wire(self):
        try:
            return Wire()
        except PermissionError:
            print("SKIP packets can be looked at by root only", flush=True)
            raise unittest.SkipTest("packets can be looked at by root only") from None

    def on_disk(self, node):
        for base, _, names in os.walk(node.home):
            for name in names:
                path = os.path.join(base, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        yield path, file.read()

    # req: D12
    def test_neither_disks_nor_logs_nor_the_wire_hold_what_a_task_reads_or_writes(self):
        wire = self.wire()
        secret = os.urandom(32).hex().encode()  # one that no compression makes shorter than a search would find
        origin, hosts = self.fabric(hosts=3)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.1", 0))
        stranger.sendto(b"control", stranger.getsockname())
        whole = b"\n".join([secret] * 2000)
        # One that travels whole, one that is coded, and that with its keys among others.
        for content, options in ((secret, ()), (whole, ()), (whole, ("--keys", "2/3", "--keys-tier", "software"))):
            done = origin.run("run", guest("cat"), "--input", self.path("in", content), "--verify", "2", *options)
            self.expect(done, 0)
            self.assertIn(secret, done.stdout)
        for node in (origin, *hosts):
            node.stop()
        stranger.close()
        packets = wire.close()
        self.assertIn(b"control", packets, "the wire is really looked at")
        self.assertGreater(len(packets), len(whole))
        self.assertNotIn(secret, packets)
        seen = 0
        for node in (origin, *hosts):
            for path, content in self.on_disk(node):
                seen += len(content)
                self.assertNotIn(secret, content, path)
        self.assertGreater(seen, 2 * len(whole), "the disks are really looked at")

    # req: D12
    def test_no_machine_opens_an_input_that_others_do_not_let_it(self):
        origin, _ = self.fabric(hosts=4)
        content = self.path("in", b"to be kept")
        run = ("run", guest("cat"), "--input", content, "--verify", "2", "--keys-tier", "software")
        done = origin.run(*run, "--keys", "2/4")
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"to be kept")
        self.assertEqual(origin.ask("secret.list")["secrets"], [], "the secret of a run ends with it")
        self.expect(origin.run(*run, "--keys", "4/3"), fabric.INVALID, "K/N")
        self.expect(origin.run(*run, "--keys", "2/5"), fabric.UNAVAILABLE, "4 are here")

    # req: D12
    def test_keys_go_among_machines_that_prove_what_they_run_on(self):
        chips = []
        for name in ("chip0", "chip1", "chip2"):
            chips.append(Chip(self.path(name)))
            self.addCleanup(chips[-1].stop)
        for chip in chips:
            self.until("the chip", chip.listens)
        origin, _ = self.fabric(hosts=4, options=[("--tpm", chip.tcti) for chip in chips])
        content = self.path("in", b"to be kept")
        run = ("run", guest("cat"), "--input", content, "--verify", "2", "--believe-unendorsed")
        done = origin.run(*run, "--keys", "2/3")
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"to be kept")
        self.expect(origin.run(*run, "--keys", "2/4"), fabric.UNAVAILABLE, "3 are here")
        self.expect(origin.run(*run[:-1], "--keys", "2/3"), fabric.UNAVAILABLE, "0 are here")


if __name__ == "__main__":
    unittest.main(verbosity=2)
