"""Long runs that go on: after kill -9 of their machine, and when a person moves them."""

import shutil
import subprocess
import unittest

import fabric
from fabric import COMMAND, FabricTest, guest

ROUNDS = "1500"  # some seconds
BUNDLE = '''
name = "longrun"
version = "1"
[needs]
permissions = ["compute", "storage"]
[[entry]]
name = "queens"
module = "longrun.wasm"
'''


class Resume(FabricTest):
    def setUp(self):
        super().setUp()
        self.origin, self.hosts = self.fabric(hosts=2)
        self.path("bundle/bundle.toml", BUNDLE.encode())
        shutil.copy(guest("longrun"), self.path("bundle/longrun.wasm"))
        self.bundle = self.path("longrun.bundle")
        self.expect(self.origin.run("bundle", "build", self.path("bundle/bundle.toml"), "--resumable", "-o", self.bundle), 0)

    def begin(self, bundle=None, words=(ROUNDS,)):
        return subprocess.Popen([COMMAND, "--home", self.origin.home, "run", bundle or self.bundle, "--verify", "1", "--fuel", "1000000000000", "--", *words],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, process):
        """Its output, and what the receipt says of it. The fuel is that of the whole run, wherever it was used."""
        out, errors = process.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(process.returncode, 0, errors.decode())
        receipt = self.origin.ask("receipts")["receipts"][-1]["receipt"]
        receipt["fuel"] += receipt["fuel_before"]
        return out, {part: receipt[part] for part in ("fuel", "trace", "output", "outcome")}

    def task(self):
        tasks = self.origin.ask("task.list")["tasks"]
        return tasks[0] if tasks else None

    def kept(self):
        task = self.task()
        return task is not None and task["state_bytes"] > 0

    def receipts_of(self, key, task):
        kept = [each["receipt"] for each in self.machine(key).ask("receipts")["receipts"]]
        return [receipt for receipt in kept if receipt["task"] == task["task"]]

    def machine(self, key):
        return next(host for host in self.hosts if host.key == key)

    # req: D6
    def test_a_killed_machine_costs_what_came_since_the_last_state(self):
        whole, first = self.end(self.begin())
        self.assertIn(b"queens", whole)
        running = self.begin()
        self.until("a state", self.kept)
        task = self.task()
        self.machine(task["node"]).kill()
        self.until("its return", lambda: self.task() is None or self.task()["node"] != task["node"])
        again = self.task()
        self.assertIsNotNone(again, "it went on and did not begin anew")
        self.assertEqual(again["moves"], 1)
        self.assertGreaterEqual(again["fuel"], task["fuel"])
        self.assertEqual(self.end(running), (whole, first), "as if nothing had happened")

    # req: D6
    def test_a_large_state_goes_in_parts(self):
        bundle = self.path("ballast.bundle")
        self.path("ballast/bundle.toml", BUNDLE.replace("longrun", "ballast").encode())
        shutil.copy(guest("ballast"), self.path("ballast/ballast.wasm"))
        self.expect(self.origin.run("bundle", "build", self.path("ballast/bundle.toml"), "--resumable", "-o", bundle), 0)
        running = self.begin(bundle, ("20", "150"))
        self.until("a state", self.kept)
        task = self.task()
        self.assertGreater(task["state_bytes"], 20 << 20)
        self.machine(task["node"]).kill()
        self.until("its return", lambda: self.task() is None or self.task()["node"] != task["node"])
        self.assertIsNotNone(self.task(), "it went on and did not begin anew")
        self.end(running)
        receipt = self.origin.ask("receipts")["receipts"][-1]["receipt"]
        self.assertGreaterEqual(receipt["fuel_before"], task["fuel"])

    # req: D6
    def test_a_person_moves_a_task(self):
        running = self.begin()
        self.until("a state", self.kept)
        task = self.task()
        here, there = task["node"], next(host.key for host in self.hosts if host.key != task["node"])
        self.expect(self.origin.run("task", "move", task["task"][:8], here[:8]), fabric.INVALID, "runs there already")
        self.expect(self.origin.run("task", "move", "ffff", there[:8]), fabric.NOT_FOUND, "selvedge task list")
        self.expect(self.origin.run("task", "move", task["task"][:8], self.origin.key[:8]), fabric.NOT_FOUND, "selvedge grant list")
        moved = self.origin.run("task", "move", task["task"][:8], there[:8])
        self.expect(moved, 0)
        self.assertEqual((self.task()["node"], self.task()["moves"]), (there, 1))
        shown = self.origin.run("task", "list").stdout.decode()
        self.assertIn(there[:6], shown)
        # The machine that was left stopped at once, and says in a receipt of its own what it had used by then.
        self.until("its receipt", lambda: self.receipts_of(here, task))
        left = self.receipts_of(here, task)[-1]
        self.assertEqual(left["outcome"], "inconclusive")
        self.assertGreater(left["fuel"], 0)
        self.assertGreater(left["cpu_ns"], 0)
        output, whole = self.end(running)
        self.assertIn(b"queens", output)
        arrived = self.receipts_of(there, task)[-1]
        self.assertGreater(arrived["fuel_before"], 0)
        self.assertEqual(arrived["fuel"] + arrived["fuel_before"], whole["fuel"])
        self.assertIn(b"Nothing is under way", self.origin.run("task", "list").stdout)

    def test_what_cannot_be_made_resumable_is_said(self):
        shutil.copy(guest("hello"), self.path("bundle/longrun.wasm"))
        refused = self.origin.run("bundle", "build", self.path("bundle/bundle.toml"), "--resumable", "-o", self.path("other.bundle"))
        self.expect(refused, fabric.INVALID, "selvedge_checkpoint()")


if __name__ == "__main__":
    unittest.main(verbosity=2)
