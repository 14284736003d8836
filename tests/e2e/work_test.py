"""Programs in the fabric: run and map, agreement, bad modules and guests, leases, withdrawal."""

import json
import os
import signal
import subprocess
import time
import unittest

import fabric
from fabric import FabricTest, guest


class Work(FabricTest):
    def alive(self, origin, hosts):
        """After something bad: every node answers, and a good program still runs."""
        for node in [origin, *hosts]:
            self.assertEqual(node.ask("status")["node"], node.key)
        done = origin.run("run", guest("hello"), "--", "again")
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"hello again\n")

    def test_standard_input_to_standard_output_exactly(self):
        origin, _ = self.fabric(hosts=2)
        content = os.urandom(300_000) + b"\0\r\n\xff"
        done = origin.run("run", guest("cat"), stdin=content)
        self.expect(done, 0, "2 owners agree")
        self.assertEqual(done.stdout, content)
        self.assertNotIn(b"\r", done.stderr)
        empty = origin.run("run", guest("cat"))
        self.expect(empty, 0)
        self.assertEqual(empty.stdout, b"")
        self.assertEqual(os.listdir(os.path.join(origin.home, "tmp")), [])

    def test_input_from_a_file_and_from_a_content_id(self):
        origin, _ = self.fabric(hosts=2)
        path = self.path("in.txt", b"some words, some more words\n")
        by_file = origin.run("run", guest("textstats"), "--input", path)
        self.expect(by_file, 0)
        cid = origin.run("put", path).stdout.split()[0].decode()
        by_cid = origin.run("run", guest("textstats"), "--input", cid)
        self.assertEqual(by_cid.stdout, by_file.stdout)
        native = subprocess.run([os.path.join(fabric.BIN, "textstats-native")], input=b"some words, some more words\n", capture_output=True, check=True)
        self.assertEqual(by_file.stdout, native.stdout)
        self.expect(origin.run("run", guest("cat"), "--input", self.path("none")), fabric.NOT_FOUND, "neither")

    def test_files_go_in_and_come_back(self):
        origin, _ = self.fabric(hosts=2)
        one = self.path("one.txt", b"first file\n")
        for name, content in {"x": b"1", "deep/er/y": b"22"}.items():
            self.path("folder/" + name, content)
        done = origin.run("run", guest("files"), "--file", one, "--file", self.path("folder"), "--file", "as/z.txt=" + one, "--env", "COLOUR=blue", "--",
                          "list", "/", "read", "one.txt", "read", "folder/deep/er/y", "read", "as/z.txt", "env", "COLOUR", "write", "one.txt", "x")
        self.expect(done, 0, "2 owners agree")
        self.assertEqual(done.stdout.decode(), "/: ./ ../ as/ folder/ one.txt out/ tmp/\none.txt: first file\n\nfolder/deep/er/y: 22\nas/z.txt: first file\n\n"
                         "COLOUR=blue\none.txt: EROFS\n")
        # What is left in /out comes as files, standard output where it always comes.
        out = self.path("results")
        words = ["mkdir", "/out/d", "write", "/out/d/a", "made", "write", "/tmp/b", "forgotten"]
        done = origin.run("run", guest("files"), "--out", out, "--", *words)
        self.expect(done, 0)
        self.assertEqual(done.stdout, b"/out/d: ok\n/out/d/a: ok\n/tmp/b: ok\n")
        with open(os.path.join(out, "d/a"), "rb") as made:
            self.assertEqual(made.read(), b"made")
        self.assertEqual(os.listdir(out), ["d"])
        # Without --out the archive itself comes out, and as an input it is a tree again.
        archive = origin.run("run", guest("files"), "--", *words).stdout
        cid = origin.run("put", self.path("result.tar", archive)).stdout.split()[0].decode()
        done = origin.run("run", guest("files"), "--file", f"before/={cid}", "--", "read", "before/out/d/a")
        self.assertEqual(done.stdout, b"before/out/d/a: made\n")
        # map gives the files to each of its tasks.
        done = origin.run("map", guest("words"), self.path("folder"), "-o", self.path("mapped"), "--file", one, "--", "one.txt")
        self.expect(done, 0)
        self.assertEqual(len(os.listdir(self.path("mapped"))), 2)

    def test_files_that_make_no_sense_are_refused(self):
        origin, hosts = self.fabric(hosts=2)
        one = self.path("one.txt", b"x")
        self.expect(origin.run("run", guest("files"), "--file", self.path("none")), fabric.NOT_FOUND, "there is no file")
        self.expect(origin.run("run", guest("files"), "--file", "../x=" + one), fabric.INVALID, "path of a file")
        self.expect(origin.run("run", guest("files"), "--file", "a=" + one, "--file", "a/=" + one), fabric.INVALID, "at one place")
        self.expect(origin.run("run", guest("files"), "--env", "NOTHING"), fabric.INVALID, "NAME=value")
        self.alive(origin, hosts)

    def test_programs_learn_nothing_but_what_the_task_says(self):
        origin, _ = self.fabric(hosts=2)
        outputs = {seed: origin.run("run", guest("worldly"), "--seed", seed).stdout for seed in ("1", "1 ", "2")}
        self.assertNotEqual(outputs["1"], b"")
        self.assertNotEqual(outputs["1"], outputs["2"])
        self.assertEqual(origin.run("run", guest("worldly"), "--seed", "1").stdout, outputs["1"])

    def test_map_writes_an_output_for_each_input_and_merges(self):
        origin, _ = self.fabric(hosts=2)
        texts = {"b/x": b"one two\n", "b/y": b"two three", "b_x": b"four\n"}
        for name, text in texts.items():
            self.path("in/" + name, text)
        out = self.path("out")
        done = origin.run("--json", "map", guest("textstats"), self.path("in"), "-o", out, "--merge")
        self.expect(done, 0)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(records[-1]["tasks"], 4)
        self.assertEqual(len(os.listdir(out)), 4, "no output overwrites another")
        for record in records[:-1]:
            self.assertEqual(len(set(record["agreed"])), 2)
        native = subprocess.run([os.path.join(fabric.BIN, "textstats-native")], input=b"".join(texts.values()), capture_output=True, check=True)
        with open(records[-1]["merged"], "rb") as merged:
            self.assertEqual(merged.read(), native.stdout)

    def test_receipts_say_what_ran_and_for_whom(self):
        origin, hosts = self.fabric(hosts=2)
        origin.run("run", guest("hello"))
        mine = [json.loads(line) for line in origin.run("--json", "receipts").stdout.splitlines()]
        self.assertEqual(len(mine), 2)
        self.assertEqual({r["receipt"]["owner"] for r in mine}, {host.owner for host in hosts})
        for host in hosts:
            theirs = [json.loads(line) for line in host.run("--json", "receipts").stdout.splitlines()]
            self.assertEqual([r["receipt"] for r in theirs], [r["receipt"] for r in mine if r["receipt"]["executor"] == host.key])
            self.assertEqual(theirs[0]["receipt"]["origin"], origin.owner)
            self.assertGreater(theirs[0]["receipt"]["fuel"], 0)
            self.assertEqual(host.ask("lease.list")["leases"][0]["tasks"], 1)

    def test_modules_that_cannot_run_are_refused(self):
        origin, hosts = self.fabric(hosts=2)
        with open(guest("hello"), "rb") as module:
            good = module.read()
        bad = {"text": b"this is not WebAssembly", "empty": b"", "cut": good[: len(good) // 2], "flipped": good[:40] + b"\xff" * 8 + good[48:]}
        for name, content in bad.items():
            path = self.path(name + ".wasm", content)
            self.expect(origin.run("run", path), fabric.INVALID, name + ".wasm cannot run")
            with self.assertRaises(fabric.ApiError) as refused:  # by the hosts, when a program asks without looking first
                origin.ask("run", module={"path": path, "name": name, "size": len(content)})
            self.assertEqual(refused.exception.code, "guest", name)
        self.expect(origin.run("run", self.path("large.wasm", good + os.urandom(17 << 20))), fabric.LIMIT, "large.wasm")
        self.expect(origin.run("run", guest("outside")), fabric.INVALID, "not provided to tasks")
        self.expect(origin.run("run", self.path("none.wasm")), fabric.NOT_FOUND, "none.wasm")
        self.expect(origin.run("run", self.dir), fabric.INVALID, "not a file")
        self.alive(origin, hosts)

    def test_guests_that_misbehave_are_stopped(self):
        origin, hosts = self.fabric(hosts=2)
        self.expect(origin.run("run", guest("spin"), "--fuel", "50000000"), fabric.GUEST, "fuel")
        self.expect(origin.run("run", guest("recurse")), fabric.GUEST, "trap")
        self.expect(origin.run("run", guest("trap")), fabric.GUEST, "trap")
        self.expect(origin.run("run", guest("flood"), "--", "100"), fabric.GUEST, "output")
        hog = origin.run("run", guest("hog"), "--memory", "4M", "--", "keep")
        self.expect(hog, 0)
        self.assertIn(b"have 64\n", hog.stdout, "4 MiB are 64 pages, and no more were given")
        self.expect(origin.run("run", guest("hello"), "--memory", "64K"), fabric.GUEST, "memory")
        self.alive(origin, hosts)

    def test_agreement_by_one_to_seven_owners(self):
        origin, _ = self.fabric(hosts=2)
        self.expect(origin.run("run", guest("hello"), "--verify", "9"), fabric.USAGE)
        self.expect(origin.run("run", guest("hello"), "--verify", "1"), 0)

    def test_nothing_runs_without_a_grant(self):
        origin, host = self.node("origin"), self.node("host")
        origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the peer", lambda: self.connected(origin) == 1)
        self.expect(origin.run("run", guest("hello"), "--verify", "1"), fabric.UNAVAILABLE, "grant")
        self.assertEqual(host.ask("receipts")["receipts"], [])

    def test_a_paused_lease_waits_and_a_revoked_one_is_over(self):
        origin, hosts = self.fabric(hosts=1)
        host = hosts[0]
        lease = host.ask("lease.list")["leases"][0]["id"]
        self.expect(host.run("lease", "pause", lease[:8]), 0)
        self.assertEqual(host.ask("lease.list")["leases"][0]["state"], "paused")
        size = os.path.getsize(guest("hello"))
        wanted = origin.connection.send("run", module={"path": guest("hello"), "name": "hello.wasm", "size": size}, verify=1)
        other = fabric.Connection(origin.ready["socket"])
        self.until("the job", lambda: other.ask("status")["jobs_running"] == 1)
        self.assertEqual(host.ask("lease.list")["leases"][0]["tasks"], 0)
        self.expect(host.run("lease", "resume", lease[:8]), 0)
        answer = origin.connection.receive()
        while answer.get("id") != wanted:
            answer = origin.connection.receive()
        self.assertEqual(answer["result"]["text"], "hello\n")
        other.close()
        self.expect(host.run("lease", "revoke", "zz"), fabric.NOT_FOUND, "lease list")
        revoked = json.loads(host.run("--json", "lease", "revoke", lease).stdout)
        self.assertEqual(revoked["state"], "revoked")
        self.until("word of it", lambda: self.granted(origin) == 0)
        self.assertNotEqual(host.run("lease", "resume", lease).returncode, 0, "a revocation is for good")
        self.expect(origin.run("run", guest("hello"), "--verify", "1"), fabric.UNAVAILABLE, "grant")
        host.stop()
        host.start()
        self.assertEqual([g["state"] for g in host.ask("grant.list")["grants"]], ["revoked"])

    def start_spinning(self, origin, host):
        """A command that runs an endless program, once it is running."""
        command = subprocess.Popen([fabric.COMMAND, "--home", origin.home, "run", guest("spin"), "--verify", "1", "--fuel", str(10**15)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.until("the guest", lambda: fabric.domains_of(host) > 0)
        return command

    def test_a_revocation_stops_a_running_program(self):
        origin, hosts = self.fabric(hosts=1)
        command = self.start_spinning(origin, hosts[0])
        lease = hosts[0].ask("lease.list")["leases"][0]["id"]
        changed = hosts[0].ask("lease.change", lease=lease, action="revoke")
        self.assertEqual(fabric.domains_of(hosts[0]), 0)
        self.assertLess(changed["stopped_us"], 1_000_000)
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=fabric.DEADLINE_SECONDS)

    def test_interrupting_the_command_withdraws_the_job(self):
        origin, hosts = self.fabric(hosts=1)
        command = self.start_spinning(origin, hosts[0])
        self.assertEqual(origin.ask("status")["jobs_running"], 1)
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(command.returncode, fabric.CANCELLED)
        self.until("the withdrawal", lambda: origin.ask("status")["jobs_running"] == 0)
        self.assertEqual(os.listdir(os.path.join(origin.home, "tmp")), [])

    # req: D4 D11
    def test_anybody_checks_a_trace_alone(self):
        origin, hosts = self.fabric(hosts=2)
        book = self.path("book", b"one two three " * 1000)
        self.expect(origin.run("run", guest("textstats"), "--input", book), 0)
        trace = origin.ask("receipts")["receipts"][-1]["receipt"]["trace"]
        for node in (origin, *hosts):
            node.stop()
        done = origin.run("--json", "trace", "verify", trace, guest("textstats"), "--input", book)
        self.expect(done, 0)
        self.assertEqual(json.loads(done.stdout)["trace"], trace)
        other = origin.run("trace", "verify", trace[:10], guest("textstats"), "--input", self.path("other", b"one two four"))
        self.assertEqual(other.returncode, fabric.CHECK_FAILED)
        self.assertIn(b"NOT the trace", other.stdout)
        self.expect(origin.run("trace", "verify", "6b", guest("textstats")), fabric.INVALID, "eight")

    # req: D11
    def test_anybody_checks_one_segment_alone(self):
        node = self.node("alone")
        states = self.path("states")
        run = (guest("longrun-resumable"), "--fuel", "1000000000000")
        chain = json.loads(node.run("--json", "trace", "segments", *run, "--keep", states, "--", "250").stdout)
        self.assertGreater(len(chain["segments"]), 2)
        last = chain["segments"][-2]
        named = f"{last['fuel']}:{last['digest']}"
        whole = node.run("--json", "trace", "verify", named, *run, "--", "250")
        self.expect(whole, 0)
        self.assertLess(json.loads(whole.stdout)["replayed_fuel"], chain["fuel"], "no further than it must")
        self.expect(node.run("trace", "verify", f"{last['fuel']}:{'0' * 64}", *run, "--", "250"), fabric.CHECK_FAILED)
        self.expect(node.run("trace", "verify", f"{last['fuel'] + 1}:{last['digest']}", *run, "--", "250"), fabric.CHECK_FAILED)
        self.expect(node.run("trace", "verify", named, *run, "--", "251"), fabric.CHECK_FAILED)
        self.expect(node.run("trace", "verify", "12:34", *run), fabric.INVALID, "FUEL:DIGEST")
        # From a state it runs only what came after it, and what was done to that state shows.
        kept = sorted(int(name.split(".")[0]) for name in os.listdir(states))
        state = os.path.join(states, f"{max(fuel for fuel in kept if fuel < last['fuel'])}.state")
        after = node.run("--json", "trace", "verify", named, *run, "--from", state, "--", "250")
        self.expect(after, 0)
        self.assertLess(json.loads(after.stdout)["replayed_fuel"], json.loads(whole.stdout)["replayed_fuel"])
        with open(state, "rb") as file:
            changed = bytearray(file.read())
        changed[-200000] ^= 1
        self.expect(node.run("trace", "verify", named, *run, "--from", self.path("changed.state", bytes(changed)), "--", "250"), fabric.CHECK_FAILED)

    # req: D5
    def test_oracles_are_asked_once_and_found_as_files(self):
        origin, (host, other) = self.fabric(hosts=2)
        before = int(time.time())
        done = origin.run("run", guest("files"), "--oracle", "beacon@" + host.key[:8], "--oracle", "height@" + other.key[:8] + "|height", "--oracle", "time",
                          "--", "read", "/oracle/beacon", "read", "/oracle/height", "read", "/oracle/time", "size", "/oracle/beacon.signed")
        self.expect(done, 0)
        beacon, height, asked = [line for line in done.stdout.decode().split("\n") if line][:3]
        self.assertRegex(beacon, r"[0-9a-f]{128}")
        self.assertRegex(height, r"\d+ [0-9a-f]{64}")
        self.assertTrue(before <= int(asked.split()[-1]) <= time.time())
        self.expect(origin.run("run", guest("hello"), "--oracle", "weather"), fabric.UNAVAILABLE, "weather", "time, height and beacon")
        self.expect(origin.run("run", guest("hello"), "--oracle", "time@nobodyatall1"), fabric.NOT_FOUND, "no node is known")
        host.kill()
        self.until("the host's absence", lambda: self.connected(origin) == 1)
        refused = origin.run("run", guest("hello"), "--verify", "1", "--oracle", "beacon@" + host.key[:8])
        self.expect(refused, fabric.UNAVAILABLE, "no source answered", "beacon")
        self.expect(origin.run("run", guest("hello"), "--verify", "1", "--oracle", "beacon@" + host.key[:8] + "|beacon@" + other.key[:8]), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
