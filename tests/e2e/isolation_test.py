"""What stands between programs and the machines that run them: a breach, and a demand for more than there is."""

import json
import os
import shutil
import unittest

import fabric
from fabric import FabricTest, guest


class Isolation(FabricTest):
    def taken_over(self):
        """An installation whose runner does what a guest that broke out of the engine would do."""
        folder = self.path("taken-over")
        os.makedirs(folder)
        shutil.copy(fabric.COMMAND, folder)
        os.symlink(os.path.join(fabric.BIN, "selvedge-domain-escape"), os.path.join(folder, "selvedge-domain"))
        return os.path.join(folder, "selvedge")

    def test_a_breach_ends_in_a_receipt_and_the_node_goes_on(self):
        origin, hosts = self.fabric(hosts=2)
        for host in hosts:
            host.stop()
            host.start(command=self.taken_over() if host is hosts[0] else os.path.join(self.dir, "taken-over", "selvedge"))
        self.until("the hosts", lambda: self.connected(origin) == 2)
        for attack in (["tripwire", "execve"], ["hellos"], ["oversized"]):
            self.expect(origin.run("run", guest("hello"), "--", *attack), fabric.GUEST, "trap")
        for host in hosts:
            receipts = [json.loads(line) for line in host.run("--json", "receipts").stdout.splitlines()]
            self.assertEqual([receipt["receipt"]["outcome"] for receipt in receipts], ["trap"] * 3)
            self.assertEqual(host.ask("status")["node"], host.key)
        done = origin.run("run", guest("hello"))
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"fine")

    def test_who_asks_for_a_machine_gets_no_process(self):
        origin, hosts = self.fabric(hosts=2)
        self.assertEqual(hosts[0].ask("status")["isolation"], "process")
        refused = origin.run("run", guest("hello"), "--isolation", "microvm")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"selvedge up --isolation microvm", refused.stderr)
        self.assertEqual(hosts[0].ask("receipts")["receipts"], [])


if __name__ == "__main__":
    unittest.main()
