"""Jobs that nobody may do: a node waits a minute for a host to turn up, and then says what is missing."""

import unittest

import fabric
from fabric import FabricTest, guest


class Patience(FabricTest):
    def test_more_owners_than_there_are_cannot_agree(self):
        origin, _ = self.fabric(hosts=2)
        done = origin.run("run", guest("hello"), "--verify", "3", timeout=3 * fabric.DEADLINE_SECONDS)
        self.expect(done, fabric.UNAVAILABLE, "owner")
        self.assertEqual(done.stdout, b"")

    def test_storage_alone_does_not_let_programs_run(self):
        origin, hosts = self.fabric(hosts=1, cpu_permille=0)
        done = origin.run("run", guest("hello"), "--verify", "1", timeout=3 * fabric.DEADLINE_SECONDS)
        self.expect(done, fabric.UNAVAILABLE)
        self.assertEqual(hosts[0].ask("receipts")["receipts"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
