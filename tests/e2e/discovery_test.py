"""Finding a node by its key: PKARR relays, then DNS, then a failure that says what was tried. Sources may lie."""

import http.client
import json
import unittest
import urllib.parse

from fabric import INVALID, NOT_FOUND, UNAVAILABLE, FabricTest
from sources import Names, Network, Relay
from spaces import SpacedTest, enter, inside


class Discovery(FabricTest):
    def setUp(self):
        super().setUp()
        self.sources = []

    def tearDown(self):
        super().tearDown()
        for source in self.sources:
            source.close()

    def relay(self):
        self.sources.append(Relay())
        return self.sources[-1]

    def names(self):
        self.sources.append(Names())
        return self.sources[-1]

    def network(self):
        self.sources.append(Network())
        return self.sources[-1]

    def announced(self, node, *words):
        done = node.run("--json", "announce", "on", "--addresses", *words)
        self.expect(done, 0)
        return json.loads(done.stdout)

    # req: C5
    def test_a_node_is_found_and_joined_by_its_key_alone(self):
        relay, silent = self.relay(), self.relay()
        home = self.node("home")
        told = self.announced(home, "--to", relay.source)
        self.assertEqual([each["said"] for each in told["to"]], ["keeps it"])
        ada = self.node("ada", "--find", silent.source, "--find", relay.source)
        found = json.loads(ada.run("--json", "peer", "find", home.key).stdout)
        self.assertEqual(found["addresses"], [home.address])
        self.assertEqual({each["said"] for each in found["asked"]}, {"knows it", "does not know it"})
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)

    # req: C5
    def test_a_node_that_moved_is_found_again(self):
        relay = self.relay()
        home = self.node("home")
        self.announced(home, "--to", relay.source)
        ada = self.node("ada", "--find", relay.source)
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)
        before = home.address
        home.kill()
        home.address = "127.0.0.1:0"
        puts = relay.puts
        home.start()
        self.assertNotEqual(home.address, before)
        self.until("it says where it is now", lambda: relay.puts > puts)
        self.until("the session", lambda: self.connected(ada) == 1)

    # req: C5
    def test_the_dht_leads_to_a_node_and_to_where_it_moved(self):
        network = self.network()
        home = self.node("home")
        told = self.announced(home, "--to", network.source)
        self.assertEqual([each["said"] for each in told["to"]], ["keeps it"])
        ada = self.node("ada", "--find", network.source)
        found = json.loads(ada.run("--json", "peer", "find", home.key).stdout)
        self.assertEqual(found["addresses"], [home.address])
        self.assertEqual([each["said"] for each in found["asked"]], ["knows it"])
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)
        before = home.address
        home.kill()
        home.address = "127.0.0.1:0"
        home.start()
        self.assertNotEqual(home.address, before)
        self.until("the session", lambda: self.connected(ada) == 1)
        # A node that was never told of is not there, and a network in which nobody answers says so.
        self.expect(ada.run("peer", "find", self.node("other").key), NOT_FOUND, network.source + ": does not know it", "ticket")
        ben = self.node("ben", "--find", "dht:127.0.0.1:9")
        self.expect(ben.run("peer", "find", home.key), NOT_FOUND, "dht:127.0.0.1:9: nobody of the network answers")
        unkept = ben.run("announce", "on", "--addresses", "--to", "dht:127.0.0.1:9")
        self.assertIn(b"nobody of the network answers", unkept.stdout)
        self.expect(unkept, 0, "Nobody keeps it yet")
        self.expect(ben.run("announce", "on", "--addresses", "--to", "dht:nowhere"), INVALID, "HOST:PORT")

    def say(self, relay, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(urllib.parse.urlparse(relay.ready["pkarr_relay"]).netloc, timeout=20)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    # req: C5
    def test_any_node_is_a_pkarr_relay_if_its_owner_wants(self):
        network = self.network()
        meeting = self.node("meeting", "--pkarr-relay", "127.0.0.1:0", "--find", network.source)
        source = "pkarr:" + meeting.ready["pkarr_relay"]
        self.assertIn("pkarr-relay", meeting.ask("status")["roles"])
        home = self.node("home")
        told = self.announced(home, "--to", source)
        self.assertEqual([each["said"] for each in told["to"]], ["keeps it"])
        ada = self.node("ada", "--find", source)
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)
        # What it is told it passes on to the DHT, and what it does not know it looks for there.
        ben = self.node("ben", "--find", network.source)
        self.until("the DHT knows it", lambda: ben.run("peer", "find", home.key).returncode == 0)
        cleo = self.node("cleo")
        self.announced(cleo, "--to", network.source)
        self.assertEqual(json.loads(ada.run("--json", "peer", "find", cleo.key).stdout)["addresses"], [cleo.address])
        self.expect(ada.run("peer", "find", meeting.key), NOT_FOUND, "does not know it")

    # req: C5, C11
    def test_a_relay_keeps_only_what_the_key_signed_and_makes_haste_wait(self):
        meeting = self.node("meeting", "--pkarr-relay", "127.0.0.1:0")
        home = self.node("home")
        self.announced(home, "--to", "pkarr:" + meeting.ready["pkarr_relay"])
        answer, packet = self.say(meeting, "GET", "/" + home.key)
        self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (200, "*"))
        self.assertEqual(answer.headers["Content-Type"], "application/pkarr.org/relays#payload")
        self.assertRegex(answer.headers["Cache-Control"], "max-age=[0-9]+")
        self.assertEqual(self.say(meeting, "GET", "/" + home.key, If_Modified_Since=answer.headers["Last-Modified"])[0].status, 304)
        self.assertEqual(self.say(meeting, "PUT", "/" + home.key, packet)[0].status, 204)
        self.assertEqual(self.say(meeting, "PUT", "/" + meeting.key, packet)[0].status, 400)
        self.assertEqual(self.say(meeting, "PUT", "/" + home.key, packet[:-1] + bytes([packet[-1] ^ 1]))[0].status, 400)
        self.assertEqual(self.say(meeting, "PUT", "/" + home.key, bytes(1073))[0].status, 413)
        self.assertEqual(self.say(meeting, "GET", "/%2e%2e/etc/passwd")[0].status, 400)
        self.assertEqual(self.say(meeting, "DELETE", "/" + home.key)[0].status, 405)
        self.assertEqual(self.say(meeting, "GET", "/" + meeting.key)[0].status, 404)
        self.announced(home, "--to", "pkarr:" + meeting.ready["pkarr_relay"])
        self.assertEqual(self.say(meeting, "PUT", "/" + home.key, packet)[0].status, 409)
        statuses = [self.say(meeting, "PUT", "/" + home.key, packet)[0].status for _ in range(30)]
        self.assertEqual(set(statuses), {409, 429})
        self.assertEqual(self.say(meeting, "GET", "/" + home.key)[0].status, 200)
        with self.assertRaisesRegex(AssertionError, "cannot listen at " + meeting.ready["pkarr_relay"][7:]):
            self.node("other", "--pkarr-relay", meeting.ready["pkarr_relay"][7:])

    # req: C5
    def test_dns_is_asked_when_no_relay_knows(self):
        relay, names = self.relay(), self.names()
        home = self.node("home")
        told = self.announced(home, "--dns", "example.test")
        names.records[told["name"] + ".example.test"] = [each.encode() for each in told["texts"]]
        ada = self.node("ada", "--find", relay.source, "--find", "dns:example.test@" + names.at)
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)
        text = home.run("announce", "show", "--dns", "example.test").stdout.decode()
        self.assertIn(told["name"] + ".example.test. 300 IN TXT \"p=", text)

    # req: C5, C15
    def test_sources_that_lie_change_nothing_but_the_time(self):
        honest, false, stale, names = self.relay(), self.relay(), self.relay(), self.names()
        home, evil = self.node("home"), self.node("evil")
        self.announced(home, "--to", honest.source, "--to", stale.source)
        old = dict(stale.packets)
        stale.lie = lambda _: old[home.key]
        self.announced(home, "--to", honest.source)
        told = self.announced(evil, "--to", honest.source)
        false.lie = lambda _: honest.packets[evil.key]
        names.records["_selvedge." + home.key + ".example.test"] = [each.encode() for each in told["texts"]]
        ada = self.node("ada", *[word for source in (false.source, stale.source, honest.source, "dns:example.test@" + names.at) for word in ("--find", source)])
        found = json.loads(ada.run("--json", "peer", "find", home.key).stdout)
        self.assertEqual(found["addresses"], [home.address])
        self.assertIn("not signed by the key", [each["said"] for each in found["asked"] if each["source"] == false.source][0])
        honest.lie = stale.lie = lambda body: body[:-1] + b"x" if body else None
        # What was seen stays true for as long as it says, whoever lies now; somebody who has not seen it fails, and says why.
        self.assertEqual(json.loads(ada.run("--json", "peer", "find", home.key).stdout)["addresses"], [home.address])
        ben = self.node("ben", "--find", honest.source, "--find", "dns:example.test@" + names.at)
        self.expect(ben.run("peer", "find", home.key), NOT_FOUND, honest.source, "not signed by the key", "dns:example.test", "ticket")

    # req: C5, C13
    def test_nothing_is_said_unless_the_owner_wants_it(self):
        relay = self.relay()
        home = self.node("home", "--find", relay.source)
        self.expect(home.run("announce", "on", "--to", relay.source), UNAVAILABLE, "uses no relay", "--addresses")
        self.expect(home.run("announce", "on", "--addresses", "--to", "dns:example.test"), INVALID, "zone file")
        self.expect(home.run("announce", "on", "--addresses", "--to", "https://x"), INVALID, "pkarr:https://RELAY")
        self.assertEqual(relay.packets, {})
        meeting = self.node("meeting", "--role", "relay")
        self.expect(home.run("relay", "use", meeting.ask("ticket")["ticket"]), 0)
        self.expect(home.run("announce", "on", "--to", relay.source), 0)
        self.assertEqual(list(relay.packets), [home.key])
        self.assertNotIn(home.address.encode(), relay.packets[home.key])
        ada = self.node("ada", "--find", relay.source)
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("a session through the relay", lambda: any(peer["path"] == "relay" for peer in ada.ask("peer.list")["peers"]))
        self.expect(home.run("announce", "off"), 0)
        puts = relay.puts
        home.stop()
        home.start()
        self.assertEqual(json.loads(home.run("--json", "announce", "show").stdout)["on"], False)
        self.assertEqual(relay.puts, puts)

    # req: C5
    def test_a_failure_says_what_was_tried(self):
        ada = self.node("ada")
        other = self.node("other")
        self.expect(ada.run("peer", "add", other.key), UNAVAILABLE, "--find", "ticket")
        ben = self.node("ben", "--find", "pkarr:http://127.0.0.1:9", "--find", "dns:example.test@127.0.0.1:9")
        self.expect(ben.run("peer", "find", other.key), NOT_FOUND, "pkarr:http://127.0.0.1:9", "dns:example.test@127.0.0.1:9")
        self.expect(ben.run("peer", "find", "nonsense"), INVALID)


class Lan(SpacedTest):
    """Three machines on one network."""

    def setUp(self):
        super().setUp()
        self.space("switch")
        inside("switch", "ip", "link", "add", "dev", "bridge", "type", "bridge")
        inside("switch", "ip", "link", "set", "dev", "bridge", "up")

    def machine(self, number, *options):
        name = f"m{number}"
        self.space(name)
        self.wire(name, "switch", f"l{number}", f"192.168.7.{number}/24", None)
        inside("switch", "ip", "link", "set", "dev", f"vl{number}", "master", "bridge")
        return self.start_in(name, f"192.168.7.{number}:7443", *options)

    # req: C5, C13
    def test_machines_of_one_network_find_each_other_where_they_want_to_be_found(self):
        home, ada, quiet = self.machine(1), self.machine(2, "--find", "lan"), self.machine(3)
        self.expect(home.run("announce", "on", "--to", "lan"), 0)
        found = json.loads(ada.run("--json", "peer", "find", home.key).stdout)
        self.assertEqual(found["addresses"], ["192.168.7.1:7443"])
        self.expect(ada.run("peer", "add", home.key), 0)
        self.until("the session", lambda: self.connected(ada) == 1)
        self.expect(ada.run("peer", "find", quiet.key), NOT_FOUND, "nobody on this network answers")
        # Two nodes of one machine share the port.
        self.expect(quiet.run("announce", "on", "--to", "lan"), 0)
        self.expect(ada.run("announce", "on", "--to", "lan"), 0)
        self.expect(ada.run("peer", "find", quiet.key), 0)
        self.expect(quiet.run("announce", "off"), 0)
        other = self.node("other", "--find", "lan", preexec=enter("m1"))
        self.expect(other.run("peer", "find", quiet.key), NOT_FOUND)
        self.expect(other.run("announce", "on", "--to", "lan"), 0)
        self.assertEqual(len(json.loads(ada.run("--json", "peer", "find", other.key).stdout)["addresses"]), 1)
        self.assertEqual(len(json.loads(ada.run("--json", "peer", "find", home.key).stdout)["addresses"]), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
