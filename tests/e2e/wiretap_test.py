"""What somebody on the wire learns: every byte between two nodes is kept while they store, compute and serve, and searched for what is nobody's business."""

import json
import unittest

from fabric import FabricTest, guest, key_bytes
from service_test import Web
from wiretap import Wiretap, aes128, open_initial

SENTENCE = b"The seamstress keeps the ledger under the third floorboard. "
NAME, SERVICE = "floorboard-ledger.txt", "seamstress-wiki"


class Eavesdropper(FabricTest):
    def setUp(self):
        super().setUp()
        self.web, self.tap = Web(), None

    def tearDown(self):
        super().tearDown()
        self.web.close()
        if self.tap:
            self.tap.close()

    def test_the_cipher_is_the_standard_one(self):
        # FIPS 197, appendix C.1
        sealed = aes128(bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff"))
        self.assertEqual(sealed.hex(), "69c4e0d86a7b0430d8cdb78070b4c55a")

    def tapped(self, name, *options):
        """A node that is reached through the tap alone."""
        node = self.node(name)
        self.tap = Wiretap(node.address)
        node.stop()
        return node.start("--advertise", self.tap.address, *options)

    def ticket(self, node, *options):
        return json.loads(node.run("--json", "ticket", *options).stdout)["ticket"]

    def scenario(self, host, ticket):
        """What a host and its origin do together; what was stored, and what of all that nobody else should know."""
        origin = self.node("origin")
        host.ask("grant.give", origin=origin.owner, cpu_permille=1000, storage_bytes=1 << 30, seconds=3600, memory_bytes=256 << 20)
        origin.ask("peer.add", ticket=ticket)
        self.until("the fabric", lambda: self.granted(origin) == 1 and self.connected(origin) == 1)
        content = SENTENCE * 20000
        stored = origin.run("--json", "put", self.path(NAME, content))
        self.expect(stored, 0)
        cid = json.loads(stored.stdout.splitlines()[0])["cid"]
        self.expect(origin.run("get", cid, "--output", self.path("back")), 0)
        with open(self.path("back"), "rb") as back:
            self.assertEqual(back.read(), content)
        self.expect(origin.run("run", guest("textstats"), "--input", self.path(NAME), "--verify", "1"), 0)
        address = host.ask("service.expose", name=SERVICE, target=self.web.at, access="public")["address"]
        answered = origin.run("curl", address + "/file", "--at", ticket)
        self.assertEqual(answered.returncode, 0, answered.stderr)
        service = address.split("//")[-1].strip("/")
        secrets = {"the content": SENTENCE, "a file's name": NAME.encode(), "a service's name": SERVICE.encode(), "a request": b"GET /file",
                   "a blob's name": cid.encode(), "a service's answer": self.web.file[1000:1032]}
        for what, key in (("the host", host.key), ("its owner", host.owner), ("the origin's node", origin.key), ("the origin", origin.owner), ("the service", service)):
            secrets[what + ", as bytes"], secrets[what + ", as text"] = key_bytes(key), key.encode()
        return origin, content, secrets

    def heard(self, content, secrets):
        with self.tap.lock:
            packets = list(self.tap.packets)
        # It heard it all: more than what was stored passed, and the first words of the client are open to it.
        self.assertGreater(sum(len(packet) for _, packet in packets), len(content))
        opened = [words for words in (open_initial(packet) for from_client, packet in packets if from_client) if words]
        self.assertTrue(any(b"selvedge" in words for words in opened), "the protocol's name is in no Initial packet: the tap is deaf")
        wire = b"\n".join(packet for _, packet in packets) + b"\n".join(opened)
        for what, secret in secrets.items():
            self.assertFalse(secret in wire or secret[::-1] in wire, what + " is on the wire")

    # req: C13
    def test_no_content_name_or_identity_is_on_the_wire(self):
        host = self.tapped("host")
        _, content, secrets = self.scenario(host, self.ticket(host))
        self.heard(content, secrets)

    # req: C13
    def test_nor_on_the_wires_of_a_relay(self):
        relay = self.tapped("relay", "--role", "relay")
        host = self.node("host")
        self.expect(host.run("relay", "use", self.ticket(relay)), 0)
        origin, content, secrets = self.scenario(host, self.ticket(host, "--relay-only"))
        self.assertEqual([peer["path"] for peer in origin.ask("peer.list")["peers"] if peer["connected"]], ["relay"])
        self.heard(content, secrets)


if __name__ == "__main__":
    unittest.main(verbosity=2)
