"""Programs in virtual machines of their own, where any boots."""

import unittest

from fabric import FabricTest, guest


class MicroVm(FabricTest):
    def test_a_task_that_asks_for_a_machine_runs_in_one(self):
        origin, hosts = self.fabric(hosts=1)
        hosts[0].stop()
        try:
            hosts[0].start("--isolation", "microvm", within=90)
        except AssertionError as error:
            if "no microVM boots here" not in str(error):
                raise
            print("SKIP no microVM boots here", flush=True)
            self.skipTest("no microVM boots here")
        self.until("the host", lambda: self.connected(origin) == 1)
        self.assertIn("microvm", hosts[0].ask("status")["isolation"])
        done = origin.run("run", guest("hello"), "--verify", "1", "--isolation", "microvm", "--", "inside", timeout=300)
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"hello inside\n")


if __name__ == "__main__":
    unittest.main()
