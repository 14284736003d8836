"""An owner with several devices and zones: what one puts the other gets, one is lost, everything is lost but a backup."""

import json
import os
import shutil
import unittest

import fabric
from fabric import Device, FabricTest, Node, run

KIB = 1 << 10


class Devices(FabricTest):
    def setUp(self):
        super().setUp()
        self.laptop, self.hosts = self.fabric(hosts=2, seconds=86400)

    def enroll(self, *options, label="phone"):
        phone = Device(self.path(label), self.laptop.owner, label)
        self.nodes.append(phone)
        answer = self.laptop.run("--json", "device", "enroll", phone.request, *options)
        self.expect(answer, 0)
        self.expect(phone.run("device", "accept", json.loads(answer.stdout)["answer"]), 0)
        phone.start()
        self.until("the devices' meeting", lambda: self.states(phone) == {"here", "connected"} and len(self.zones(phone)) >= 5)
        return phone

    def states(self, node):
        return {device["state"] for device in node.ask("device.list")["devices"]}

    def zones(self, node):
        return {zone["zone"]: zone for zone in node.ask("zone.list")["zones"]}

    def put(self, node, name, content, zone="private"):
        done = node.run("--json", "put", "--zone", zone, self.path("in/" + name, content))
        self.expect(done, 0)
        return json.loads(done.stdout.splitlines()[0])["cid"]

    def get(self, node, cid):
        target = self.path("got")
        if os.path.exists(target):
            os.remove(target)
        done = node.run("get", cid, "-o", target)
        if done.returncode != 0:
            return done.returncode
        with open(target, "rb") as got:
            return got.read()

    def knows(self, node, cid):
        return any(blob["cid"] == cid for blob in node.ask("blob.list")["blobs"])

    # req: A6, A17
    def test_put_on_one_get_on_the_other_then_lose_it(self):
        phone = self.enroll()
        content = os.urandom(300 * KIB)
        cid = self.put(self.laptop, "plan", content, "work")
        self.until("the index", lambda: self.knows(phone, cid))
        self.until("the phone's hosts", lambda: self.connected(phone) == 3)
        self.assertEqual(self.get(phone, cid), content)
        back = self.put(phone, "photo", b"from the phone", "private")
        self.until("the index", lambda: self.knows(self.laptop, back))
        self.assertEqual(self.get(self.laptop, back), b"from the phone")
        self.expect(phone.run("grant", "give", self.hosts[0].owner), fabric.UNAUTHORIZED, "does not hold the owner's key", "on the one that does")
        self.expect(phone.run("zone", "rotate", "work", "--reason", "x"), fabric.UNAUTHORIZED, "selvedge zone rotate")

        lost = self.laptop.run("--json", "device", "lost", "phone")
        self.expect(lost, 0)
        records = [json.loads(line) for line in lost.stdout.splitlines()]
        self.assertEqual([record["step"] for record in records[:-1]], ["revoked"] + ["rotated"] * 5 + ["withdrawn", "placed", "alerted"])
        self.assertEqual((records[-1]["devices_told"], records[-1]["hosts_told"]), (0, 2))
        self.assertEqual(self.zones(self.laptop)["work"]["epoch"], 2)
        new_content = os.urandom(50 * KIB)
        new_cid = self.put(self.laptop, "later", new_content, "work")
        # The lost phone is still running and connected. It is told nothing new, and given nothing old.
        self.assertEqual(self.get(phone, new_cid), fabric.NOT_FOUND)
        self.assertEqual(self.get(phone, cid), fabric.UNAVAILABLE)
        self.assertEqual(self.zones(phone)["work"]["epoch"], 1)
        self.assertTrue(phone.ask("status")["revoked"])
        for cid_here, content_here in ((cid, content), (new_cid, new_content), (back, b"from the phone")):
            self.assertEqual(self.get(self.laptop, cid_here), content_here)
        shown = self.laptop.run("status").stdout.decode()
        self.assertIn("ALERT", shown)
        self.assertIn("device phone was lost", shown)
        kinds = [json.loads(line) for line in self.laptop.run("--json", "audit", "list", "--all").stdout.splitlines()]
        self.assertGreaterEqual(sum(1 for entry in kinds if "lost, " in json.dumps(entry)), 5, "each step is in the audit log")

    # req: A17
    def test_what_a_lost_device_held_is_placed_anew(self):
        phone = self.enroll()
        self.expect(self.laptop.run("grant", "give", self.laptop.owner, "--device", "phone", "--cpu", "0", "--storage", "1G", "--for", "1d"), 0)
        self.until("the phone's lease", lambda: self.granted(self.laptop) == 3)
        contents = {self.put(self.laptop, f"f{i}", os.urandom(40 * KIB)): i for i in range(5)}
        self.assertGreater(phone.ask("status")["objects_held"], 0)
        phone.kill()
        lost = self.laptop.run("--json", "device", "lost", "phone")
        self.expect(lost, 0)
        answer = json.loads(lost.stdout.splitlines()[-1])
        self.assertGreater(answer["objects_held"], 0)
        self.assertEqual(answer["objects_waiting"], 0)
        self.assertEqual(answer["grants_withdrawn"], 1)
        self.hosts[0].kill()
        self.until("the host's absence", lambda: self.connected(self.laptop) == 1)
        for cid, number in contents.items():
            with open(self.path(f"in/f{number}"), "rb") as wanted:
                self.assertEqual(self.get(self.laptop, cid), wanted.read(), "one more may vanish")

    # req: A1, A6
    def test_everything_is_lost_but_a_backup(self):
        self.expect(self.laptop.run("policy", "apply", self.path("policy.toml", b'[zone.work]\ndeny = ["storage.delete"]\n')), 0)
        passphrase = self.path("passphrase", b"a passphrase of several words\n")
        backup = self.path("backup")
        self.expect(self.laptop.run("key", "export", "--owner", "-o", backup, "--passphrase-file", passphrase), 0)
        # What is put after the backup was made is found as well.
        contents = {self.put(self.laptop, f"f{i}", os.urandom(1000 * (i * 20 + 1)), "work" if i % 2 else "private"): i for i in range(6)}
        self.expect(self.laptop.run("zone", "rotate", "work", "--reason", "before the fire"), 0)
        contents[self.put(self.laptop, "f6", os.urandom(3000), "work")] = 6
        self.until("the index's copy", lambda: self.laptop.ask("status")["index_pending"] == 0)
        self.laptop.kill()
        shutil.rmtree(self.laptop.home)

        imported = run("--json", "key", "import", backup, "--passphrase-file", passphrase, home=self.path("new"))
        self.expect(imported, 0)
        fresh = Node.__new__(Node)
        fresh.home, fresh.process, fresh.connection, fresh.preexec, fresh.address = self.path("new"), None, None, None, "127.0.0.1:0"
        keys = json.loads(imported.stdout)
        fresh.owner, fresh.key = keys["owner"], keys["node"]
        self.assertEqual((fresh.owner, keys["hosts"]), (self.laptop.owner, 2))
        self.assertNotEqual(fresh.key, self.laptop.key)
        self.nodes.append(fresh)
        fresh.start()
        self.until("the index", lambda: not fresh.ask("status")["awaiting_index"] and len(fresh.ask("blob.list")["blobs"]) == 7)
        for cid, number in contents.items():
            with open(self.path(f"in/f{number}"), "rb") as wanted:
                self.assertEqual(self.get(fresh, cid), wanted.read())
        self.assertEqual(self.zones(fresh)["work"]["epoch"], 2)
        self.assertEqual(fresh.ask("zone.show", zone="work")["policy"]["deny"], ["storage.delete"], "a policy that was written comes back with it")
        self.until("the hosts", lambda: self.granted(fresh) == 2)
        later = self.put(fresh, "later", b"life goes on", "work")
        self.assertEqual(self.get(fresh, later), b"life goes on")

    # req: A7
    def test_content_crosses_by_rule_and_with_a_past(self):
        content = os.urandom(20 * KIB)
        cid = self.put(self.laptop, "a", content, "private")
        refused = self.laptop.run("zone", "bridge", cid, "--from", "private", "--to", "work")
        self.expect(refused, fabric.UNAUTHORIZED, "no flow rule of zone private lets this leave for work", "[[flow]]")
        rules = b'[zone.private]\n[[zone.private.flow]]\nto = "work"\n[zone.work]\n[[zone.work.flow]]\nfrom = "private"\n'
        self.expect(self.laptop.run("policy", "apply", self.path("policy.toml", rules)), 0)
        crossed = self.laptop.run("--json", "zone", "bridge", cid, "--from", "private", "--to", "work")
        self.expect(crossed, 0)
        answer = json.loads(crossed.stdout)
        self.assertEqual((answer["taint"], answer["path"]), (1, ["private", "work"]))
        listed = sorted(blob["zone"] for blob in self.laptop.ask("blob.list")["blobs"] if blob["cid"] == cid)
        self.assertEqual(listed, ["private", "work"])
        target = self.path("crossed")
        self.expect(self.laptop.run("get", cid, "--zone", "work", "-o", target), 0)
        with open(target, "rb") as got:
            self.assertEqual(got.read(), content)

    # req: A1
    def test_a_host_changes_its_key_and_goes_on(self):
        content = os.urandom(200 * KIB)
        cid = self.put(self.laptop, "a", content)
        host, other = self.hosts
        self.expect(host.run("key", "rotate"), fabric.BUSY, "selvedge stop")
        host.stop()
        rotated = host.run("--json", "key", "rotate")
        self.expect(rotated, 0)
        keys = json.loads(rotated.stdout)
        self.assertEqual(keys["old"], host.key)
        host.start()  # at the address it had: whoever dials the old key there meets the new one
        self.assertEqual(host.ask("status")["node"], keys["node"])

        def known():
            return {grant["node"]: grant["state"] for grant in self.laptop.ask("grant.list")["grants"] if not grant["given"]}

        self.until("the new key's grant", lambda: known().get(keys["node"]) == "active")
        self.assertEqual(known()[host.key], "revoked")
        other.kill()
        self.until("the other's absence", lambda: self.connected(self.laptop) == 1)
        self.assertEqual(self.get(self.laptop, cid), content, "what it held is found under its new key")

    # req: A1
    def test_a_device_changes_its_key_by_enrolment(self):
        phone = self.enroll()
        self.expect(phone.run("key", "rotate"), fabric.BUSY, "selvedge stop")
        phone.stop()
        asked = phone.run("--json", "key", "rotate")
        self.expect(asked, 0)
        request = json.loads(asked.stdout)
        phone.start()
        self.assertEqual(phone.ask("status")["node"], request["old"], "until it is answered the old key serves")
        answer = self.laptop.run("--json", "device", "enroll", request["request"])
        self.expect(answer, 0)
        self.expect(phone.run("device", "accept", json.loads(answer.stdout)["answer"]), fabric.BUSY, "stop")
        phone.stop()
        self.expect(phone.run("device", "accept", json.loads(answer.stdout)["answer"]), 0)
        phone.start()
        self.assertEqual(phone.ask("status")["node"], request["node"])
        self.until("its return", lambda: "connected" in self.states(self.laptop))
        states = {device["node"]: device["state"] for device in self.laptop.ask("device.list")["devices"]}
        self.assertEqual((states[request["old"]], states[request["node"]]), ("replaced", "connected"))
        cid = self.put(self.laptop, "a", b"for the new key", "work")
        self.until("the index", lambda: self.knows(phone, cid))
        self.until("the phone's hosts", lambda: self.connected(phone) == 3)
        self.assertEqual(self.get(phone, cid), b"for the new key")

    def test_what_goes_wrong_with_an_enrolment_is_said(self):
        phone = Device(self.path("phone"), self.laptop.owner, "phone")
        self.expect(phone.run("up"), fabric.UNAUTHORIZED, "not enrolled yet", "selvedge device enroll")
        self.assertEqual(json.loads(phone.run("--json", "device", "request").stdout)["node"], phone.key)
        self.expect(self.laptop.run("device", "enroll", phone.request[:-3]), fabric.INTEGRITY, "copied")
        self.expect(self.laptop.run("device", "enroll", "hello"), fabric.INVALID, "selvedgerequest1")
        self.expect(self.hosts[0].run("device", "enroll", phone.request), fabric.UNAUTHORIZED, "another owner")
        self.expect(self.laptop.run("device", "enroll", phone.request, "--zone", "nowhere"), fabric.NOT_FOUND, "nowhere", "private")
        self.expect(self.laptop.run("device", "request"), fabric.INVALID, "owner's key is on this device")
        other = Device(self.path("other"), self.laptop.owner, "other")
        answer = json.loads(self.laptop.run("--json", "device", "enroll", other.request).stdout)["answer"]
        self.expect(phone.run("device", "accept", answer), fabric.UNAUTHORIZED, "another device")
        self.expect(self.laptop.run("device", "lost", "nobody"), fabric.NOT_FOUND, "selvedge device list")


if __name__ == "__main__":
    unittest.main(verbosity=2)
