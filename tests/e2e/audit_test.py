"""The audit log with real processes: entries, proofs, exports that another reader takes, witnesses, and stores that were rolled back."""

import json
import os
import shutil
import sys
import unittest

import fabric
from fabric import FabricTest, guest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tlog"))
import reader  # noqa: E402  (shares no code with Selvedge)


class Audit(FabricTest):
    def second_device(self, first, name):
        """Another device of the same owner, enrolled where the owner's key is."""
        node = fabric.Device(self.path(name), first.owner, name)
        self.nodes.append(node)
        answer = first.run("--json", "device", "enroll", node.request)
        self.expect(answer, 0)
        self.expect(node.run("device", "accept", json.loads(answer.stdout)["answer"]), 0)
        node.start()
        self.assertEqual(node.ask("status")["owner"], first.owner)
        return node

    def meet(self, node, *others):
        for other in others:
            node.ask("peer.add", ticket=other.ask("ticket")["ticket"])
        self.until("the nodes know each other", lambda: self.connected(node) >= len(others))

    def cosigned(self, node, by):
        head = node.ask("audit.head")
        return len(head["cosigners"]) == by and head["size"] > 0

    def entries(self, node, *words):
        done = node.run("--json", "audit", "list", "--all", *words)
        self.expect(done, 0)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def give_and_take(self, origin, host):
        """A task and a revocation on `host`, so that its log has something of everything."""
        self.expect(origin.run("run", guest("hello")), 0)
        lease = next(lease for lease in host.ask("lease.list")["leases"] if lease["state"] == "active")
        host.ask("lease.change", lease=lease["id"], action="revoke")
        return lease["id"]

    def test_what_happens_is_listed_proved_and_exported(self):
        origin, (host, _) = self.fabric(hosts=2)
        lease = self.give_and_take(origin, host)
        kinds = [(entry["kind"], entry["detail"]) for entry in self.entries(host)]
        for wanted in [("grant", "given to " + origin.owner), ("lease", "active"), ("receipt", "ok"), ("revocation", "made: lease " + lease), ("lease", "revoked")]:
            self.assertEqual(kinds.count(wanted), 1, wanted)
        self.assertEqual(kinds[-1], ("node", "the log of this node begins"))
        self.assertEqual({entry["kind"] for entry in self.entries(host, "--kind", "receipt")}, {"receipt"})
        self.assertEqual(self.entries(host, "--kind", "secret"), [])
        self.expect(host.run("audit", "list", "--kind", "none"), fabric.INVALID, "there are node, grant")

        head = json.loads(host.run("--json", "audit", "head").stdout)
        self.assertEqual((head["node"], head["size"], head["alerts"]), (host.key, len(kinds), []))
        grant = next(entry for entry in self.entries(host) if entry["kind"] == "grant")
        proof = self.path("grant.tlog-proof")
        self.expect(host.run("audit", "prove", grant["subject"][:12], "-o", proof), 0)
        newest = next(entry for entry in self.entries(host) if entry["subject"] == grant["subject"])
        self.assertEqual(json.loads(host.run("--json", "audit", "verify", proof).stdout)["index"], newest["index"], "the newest about it")
        self.expect(host.run("audit", "prove", str(grant["index"]), "-o", proof), 0)
        host.stop()
        checked = host.run("--json", "audit", "verify", proof, "--log", host.key)  # no node runs there
        self.expect(checked, 0)
        record = json.loads(checked.stdout)
        self.assertEqual((record["index"], record["entry"]["kind"], record["entry"]["subject"]), (grant["index"], "grant", grant["subject"]))
        with open(proof, encoding="utf-8") as file:
            text = file.read()
        extra = reader.strict_base64(text.split("\n")[1].split(" ")[1])
        self.assertEqual(reader.check_proof(text, [head["vkey"]], extra)["index"], grant["index"])

    def test_another_reader_takes_the_export_and_no_byte_of_it_can_change(self):
        origin, (host, _) = self.fabric(hosts=2)
        lease = self.give_and_take(origin, host)
        log = self.path("log")
        self.expect(host.run("audit", "export", log), 0)
        with open(os.path.join(log, "checkpoint"), "rb") as file:
            old_checkpoint = file.read()
        vkey = host.ask("audit.head")["vkey"]
        found = reader.check_directory(log, [vkey])
        self.assertEqual(found["size"], len(self.entries(host)))
        self.assertIn(bytes.fromhex(lease), b"".join(found["entries"]))

        # More than one full tile, into the same folder.
        host.ask("grant.give", origin=origin.owner, cpu_permille=100, storage_bytes=1 << 20, seconds=3600, memory_bytes=1 << 26)
        lease = next(lease for lease in host.ask("lease.list")["leases"] if lease["state"] == "active")["id"]
        for action in ["pause", "resume"] * 140:
            host.ask("lease.change", lease=lease, action=action)
        host.kill()
        host.start()
        self.expect(host.run("audit", "export", log), 0)
        found = reader.check_directory(log, [vkey])
        self.assertGreater(found["size"], 256)
        self.assertEqual(sum(b"paused" in entry for entry in found["entries"]), 140)
        since = self.path("old", old_checkpoint)
        self.expect(host.run("audit", "verify", log, "--since", since, "--log", host.key, "--vkey", vkey), 0)
        self.expect(host.run("audit", "verify", log, "--log", origin.key), fabric.UNAUTHORIZED, "not of the node you named")
        self.expect(host.run("audit", "verify", log, "--vkey", origin.ask("audit.head")["vkey"]), fabric.UNAVAILABLE, "0 of the 1")
        self.path("other/file", b"x")
        refused = host.run("audit", "export", self.path("other"))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"not empty", refused.stderr)
        self.tamper(host, log, vkey)

    def tamper(self, host, log, vkey):
        for base, _, names in os.walk(log):
            for name in names:
                path = os.path.join(base, name)
                with open(path, "rb") as file:
                    genuine = file.read()
                for at in sorted({0, len(genuine) // 3, len(genuine) // 2, len(genuine) - 1}):
                    changed = bytearray(genuine)
                    changed[at] ^= 1
                    with open(path, "wb") as file:
                        file.write(changed)
                    self.assertNotEqual(host.run("audit", "verify", log).returncode, 0, f"{path} at {at}")
                    with self.assertRaises((reader.Bad, ValueError)):
                        reader.check_directory(log, [vkey])
                os.remove(path)
                self.expect(host.run("audit", "verify", log), fabric.NOT_FOUND)
                with open(path, "wb") as file:
                    file.write(genuine)
        self.expect(host.run("audit", "verify", log), 0)
        extra = os.path.join(log, "tile", "0", "999")
        with open(extra, "wb") as file:
            file.write(b"x")
        self.expect(host.run("audit", "verify", log), fabric.INTEGRITY, "belongs to no log")
        os.remove(extra)

    def test_the_owners_devices_cosign_and_complete_a_head(self):
        first = self.node("first")
        second = self.second_device(first, "second")
        policy = self.path("policy.toml")
        with open(policy, "w", encoding="utf-8") as file:
            file.write('[zone.private]\naudit_cosigners = 2\n')
        self.expect(first.run("policy", "apply", policy), 0)
        self.meet(first, second)
        self.until("one witness", lambda: self.cosigned(first, 1))
        head = first.ask("audit.head")
        self.assertEqual(head["quorum"], 2)
        self.assertLess(head["complete_size"], head["size"], "what came before the policy needed nobody")
        third = self.second_device(first, "third")
        self.meet(first, third)
        self.until("both witnesses", lambda: self.cosigned(first, 2))
        head = first.ask("audit.head")
        self.assertEqual(head["complete_size"], head["size"])
        self.assertEqual({each["node"] for each in head["cosigners"]}, {second.key, third.key})
        shown = first.run("audit", "head")
        self.expect(shown, 0)
        self.assertIn(b"quorum     2 of 2; complete", shown.stdout)
        proof = self.path("proof")
        self.expect(first.run("audit", "prove", "0", "-o", proof), 0)
        checked = first.run("--json", "audit", "verify", proof)
        self.assertEqual({signer["name"] for signer in json.loads(checked.stdout)["signers"]}, {"selvedge/" + n.key for n in (first, second, third)})

    def test_a_node_rolled_back_to_an_older_store_is_caught(self):
        first = self.node("first")
        second = self.second_device(first, "second")
        other = self.node("other")
        self.meet(first, second)
        self.until("a witness", lambda: self.cosigned(first, 1))
        first.end(15)
        old = self.path("old-store")
        shutil.copytree(os.path.join(first.home, "store"), old)
        first.start()
        first.ask("grant.give", origin=other.owner, cpu_permille=100, storage_bytes=1 << 20, seconds=3600, memory_bytes=1 << 26)
        self.until("the witness again", lambda: self.cosigned(first, 1) and first.ask("audit.head")["size"] > 2)
        seen = first.ask("audit.head")["size"]
        first.end(15)
        shutil.rmtree(os.path.join(first.home, "store"))
        shutil.copytree(old, os.path.join(first.home, "store"))
        first.start()
        self.until("the rolled back node knows", lambda: first.ask("audit.head")["alerts"])
        self.assertIn(f"with {seen} entries", first.ask("audit.head")["alerts"][0])
        self.until("its witness says so", lambda: second.ask("audit.head")["alerts"])
        shown = second.run("audit", "head")
        self.expect(shown, fabric.CHECK_FAILED)
        self.assertIn(b"ALERT      the audit log of node " + first.key.encode(), shown.stdout)
        self.assertEqual(len(self.entries(second, "--kind", "witness")), 1)


if __name__ == "__main__":
    unittest.main()
