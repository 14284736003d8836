"""Nodes that reach each other through a relay which knows neither, and services found by their key."""

import json
import os
import unittest

import fabric
from fabric import FabricTest, guest


class Relay(FabricTest):
    def setUp(self):
        super().setUp()
        self.relay = self.node("relay", "--role", "relay", "--role", "rendezvous")
        self.home = self.node("home")
        self.ada = self.node("ada")

    def ticket(self, node, *options):
        return json.loads(node.run("--json", "ticket", *options).stdout)["ticket"]

    def connect(self):
        """Ada gets to know the home by a ticket that names the relay alone, and may use it."""
        self.expect(self.home.run("relay", "use", self.ticket(self.relay)), 0)
        self.expect(self.ada.run("peer", "add", self.ticket(self.home, "--relay-only")), 0)
        self.until("a session through the relay", lambda: self.ada.ask("status")["peers_connected"] == 1)
        self.home.ask("grant.give", origin=self.ada.owner)
        self.until("the grant", self.granted)

    def granted(self):
        return any(grant["state"] == "active" for grant in self.ada.ask("grant.list")["grants"])

    # req: C3, C13
    def test_work_goes_through_a_relay_that_learns_nothing(self):
        self.expect(self.home.run("ticket", "--relay-only"), fabric.UNAVAILABLE, "selvedge relay use")
        self.connect()
        self.assertTrue(all(each["addresses"][0].startswith("relay:") for each in self.ada.ask("peer.list")["peers"]))
        big = self.path("big", os.urandom(3_000_000))
        put = self.ada.run("--json", "put", big)
        self.expect(put, 0)
        cid = json.loads(put.stdout.splitlines()[0])["cid"]
        self.expect(self.ada.run("get", cid, "-o", self.path("back")), 0)
        with open(big, "rb") as one, open(self.path("back"), "rb") as other:
            self.assertEqual(one.read(), other.read())
        ran = self.ada.run("run", guest("textstats"), "--input", self.path("text", b"one two two"), "--verify", "1")
        self.expect(ran, 0)
        self.assertIn(b"two", ran.stdout)
        listed = self.relay.ask("relay.list")
        self.assertGreater(listed["bytes_carried"], 6_000_000, "the file went there and back through it")
        self.assertEqual(self.relay.ask("peer.list")["peers"], [], "nobody it carried for is known to it")
        # What passed is accounted for when the circuit closes.
        self.ada.stop()
        self.until("the account", lambda: any("relayed" in entry["detail"] for entry in self.relay.ask("audit.list")["entries"]))
        self.relay.stop()
        kept = b""
        for folder, _, names in os.walk(self.relay.home):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    kept += file.read()
        for node in (self.ada, self.home):
            for key in (node.key, node.owner):
                self.assertNotIn(key.encode(), kept)
                self.assertNotIn(fabric.key_bytes(key), kept)

    # req: C1, C3
    def test_two_who_both_want_it_leave_the_relay(self):
        for node in (self.home, self.ada):
            node.stop()
            node.start("--paths", "prefer-direct")
        self.connect()
        self.until("a direct way", lambda: self.ada.ask("peer.list")["peers"][0]["path"] == "direct")
        self.assertIn(b"direct", self.ada.run("peer", "list").stdout)
        self.until("the grant again", self.granted)
        before = self.relay.ask("relay.list")["bytes_carried"]
        self.expect(self.ada.run("put", self.path("big", os.urandom(1_000_000))), 0)
        self.assertLess(self.relay.ask("relay.list")["bytes_carried"] - before, 100_000, "the file went past the relay")

    # req: C13
    def test_one_who_does_not_want_it_stays_unfound(self):
        self.ada.stop()
        self.ada.start("--paths", "prefer-direct")
        self.connect()
        self.expect(self.ada.run("put", self.path("small", b"hello")), 0)
        self.assertEqual(self.ada.ask("peer.list")["peers"][0]["path"], "relay")
        self.assertEqual(self.home.ask("peer.list")["peers"][0]["at"], "")
        bob = self.node("bob", "--paths", "direct-only")
        self.expect(bob.run("peer", "add", self.ticket(self.home, "--relay-only")), 0)
        self.until("the refusal", lambda: "no relay" in bob.ask("peer.list")["peers"][0]["error"])

    # req: C3
    def test_a_relay_that_comes_back_is_used_again(self):
        self.connect()
        self.relay.kill()
        self.until("the loss", lambda: self.ada.ask("status")["peers_connected"] == 0)
        self.relay.start("--role", "relay")
        self.until("a session again", lambda: self.ada.ask("status")["peers_connected"] == 1)
        self.home.stop()
        self.until("its goodbye", lambda: self.ada.ask("status")["peers_connected"] == 0)
        self.home.start()
        self.until("the home, which remembers its relay", self.granted)
        self.expect(self.ada.run("put", self.path("small", b"hello")), 0)

    def test_who_gives_nothing_to_visitors_says_so(self):
        self.expect(self.home.run("relay", "use", self.ticket(self.ada)), fabric.UNAVAILABLE, "--role relay")
        self.expect(self.home.run("relay", "use", "nonsense"), fabric.NOT_FOUND, "ticket")
        self.expect(self.home.run("relay", "use", self.ticket(self.home)), fabric.INVALID, "itself")
        self.assertEqual(self.home.ask("relay.list")["used"], [])

    # req: C6, C13
    def test_a_service_is_found_by_its_key_through_any_of_several(self):
        other = self.node("other", "--role", "rendezvous")
        relay, second = self.ticket(self.relay), self.ticket(other)
        published = json.loads(self.home.run("--json", "rendezvous", "publish", "shop", "--relay", relay, "--at", relay, "--at", second).stdout)
        self.assertEqual([each["said"] for each in published["at"]], ["keeps it"] * 2)
        address = published["address"]
        again = json.loads(self.home.run("--json", "rendezvous", "publish", "shop", "--relay", relay, "--at", relay, "--at", second).stdout)
        self.assertEqual(again["address"], address, "a service keeps its key")
        self.assertGreater(again["epoch"], published["epoch"])
        agreed = json.loads(self.ada.run("--json", "resolve", address, "--via", relay, "--via", second, "--quorum", "2").stdout)
        self.assertEqual((agreed["name"], agreed["epoch"], agreed["endpoints"][0]["relay"]), ("shop", again["epoch"], self.relay.key))
        self.assertNotIn("127.0.0.1", json.dumps(agreed), "what is resolved has no address in it")
        # With one of them gone the other does, for who had not asked before.
        other.kill()
        bob = self.node("bob")
        self.expect(bob.run("resolve", address, "--via", second), fabric.UNAVAILABLE, "did not answer")
        found = bob.run("resolve", address, "--via", second, "--via", relay)
        self.expect(found, 0)
        self.assertIn(b"shop", found.stdout)
        self.expect(bob.run("resolve", "fabric://" + self.ada.key, "--via", relay), fabric.UNAVAILABLE, "does not know it")
        self.expect(bob.run("resolve", "http://example", "--via", relay), fabric.INVALID, "fabric://KEY")
        self.expect(bob.run("resolve", "fabric://" + self.ada.key), fabric.INVALID, "--via")
        self.assertEqual(self.relay.ask("peer.list")["peers"], [], "who asked and who told stayed nobody")


if __name__ == "__main__":
    unittest.main(verbosity=2)
