"""The demonstration, as a newcomer runs it, on a few small files; and interrupted."""

import json
import os
import signal
import subprocess
import unittest

import fabric
from fabric import FabricTest

DEMO_SECONDS_MAX = 240


class Demo(FabricTest):
    def inputs(self):
        for i in range(6):
            self.path(f"in/{i}.txt", b"".join(b"line %d of file %d\n" % (line, i) for line in range(100 * (i + 1))))
        return self.path("in")

    def environment(self):
        os.mkdir(self.path("scratch"))
        return {"TMPDIR": self.path("scratch")}

    def test_every_check_holds(self):
        done = fabric.run("--json", "demo", self.inputs(), env=self.environment(), timeout=DEMO_SECONDS_MAX)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        broken = [record for record in records if record.get("ok") is False]
        self.assertEqual(broken, [], done.stderr.decode(errors="replace"))
        self.expect(done, 0)
        last = records[-1]
        self.assertEqual(last["demo"], "ok", last)
        self.assertEqual(last["files"], 6)
        self.assertGreaterEqual(last["checks"], 20)
        self.assertGreaterEqual(last["rejected"], 1)
        self.assertLess(last["revoke_stopped_us"], 1_000_000)
        self.assertEqual([record["step"] for record in records if "step" in record], list(range(8)))
        self.assertEqual(os.listdir(self.path("scratch")), [], "it cleans up")

    def test_interrupted_it_leaves_nothing_behind(self):
        inputs, environment = self.inputs(), dict(os.environ, **self.environment())
        demo = subprocess.Popen([fabric.COMMAND, "--json", "demo", inputs], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in demo.stdout:
            if json.loads(line).get("step") == 1:
                break
        nodes = fabric.children(demo.pid)
        self.assertEqual(len(nodes), 5, nodes)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(demo.returncode, fabric.CANCELLED)
        self.assertEqual([pid for pid in nodes if os.path.exists(f"/proc/{pid}")], [])
        self.assertEqual(os.listdir(self.path("scratch")), [])

    def test_killed_it_takes_its_nodes_along(self):
        inputs, environment = self.inputs(), dict(os.environ, **self.environment())
        demo = subprocess.Popen([fabric.COMMAND, "--json", "demo", inputs], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in demo.stdout:
            if json.loads(line).get("step") == 1:
                break
        nodes = fabric.children(demo.pid)
        demo.kill()
        demo.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.until("their end", lambda: not any(fabric.alive(pid) for pid in nodes))

    def test_without_a_file_it_says_so(self):
        os.mkdir(self.path("empty"))
        done = fabric.run("--json", "demo", self.path("empty"), env=self.environment())
        self.assertEqual(done.returncode, fabric.CHECK_FAILED)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["demo"], "failed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
