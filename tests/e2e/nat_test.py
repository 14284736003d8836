"""Two nodes behind routers of different kinds, in network namespaces that this test makes: what ways they find to each other.

A router that maps a port alike for all destinations lets both dial at once and leave the relay; one that maps it anew for each destination does
not, and the relay goes on carrying. spec: WF 9.7
"""

import json
import os
import subprocess
import sys
import unittest

from fabric import INVALID
from spaces import SpacedTest, enter, inside


class Nat(SpacedTest):
    translates = True

    def router(self, name, number, rule):
        """A router with a private network behind it, on the public one."""
        self.space(name)
        self.wire(name, "public", "up" + str(number), f"198.51.100.{number}/24", None)
        inside("public", "ip", "link", "set", "dev", f"vup{number}", "master", "bridge")
        inside(name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        # What nobody inside asked for is dropped, as routers do; otherwise it would take the place of the mapping that is about to be made.
        inside(name, "nft", f"add table ip nat; add chain ip nat post {{ type nat hook postrouting priority 100; }}; add rule ip nat post oifname vup{number} {rule}; "
                            f"add chain ip nat guard {{ type filter hook input priority 0; }}; add rule ip nat guard iifname vup{number} drop")

    def host(self, name, router, number, place):
        self.space(name)
        self.wire(name, router, f"h{number}{place}", f"10.{number}.{place}.2/24", f"10.{number}.{place}.1/24")
        inside(name, "ip", "route", "add", "default", "via", f"10.{number}.{place}.1")

    def ticket(self, node, *options):
        return json.loads(node.run("--json", "ticket", *options).stdout)["ticket"]

    def public(self):
        self.space("public")
        inside("public", "ip", "link", "add", "dev", "bridge", "type", "bridge")
        inside("public", "ip", "addr", "add", "198.51.100.9/24", "dev", "bridge")
        inside("public", "ip", "link", "set", "dev", "bridge", "up")
        return self.start_in("public", "198.51.100.9:7000", "--role", "relay")

    def meet(self, relay, home, ada):
        """Ada reaches the home through the relay, and uses it."""
        self.expect(home.run("relay", "use", self.ticket(relay)), 0)
        self.expect(ada.run("peer", "add", self.ticket(home, "--relay-only")), 0)
        self.until("a session", lambda: ada.ask("status")["peers_connected"] == 1)
        home.ask("grant.give", origin=ada.owner)

    def way(self, node):
        peers = [peer for peer in node.ask("peer.list")["peers"] if peer["connected"]]
        return peers[0]["path"] if peers else ""

    def works(self, ada):
        self.until("the grant", lambda: any(grant["state"] == "active" for grant in ada.ask("grant.list")["grants"]))
        self.expect(ada.run("put", self.path("file", os.urandom(200_000))), 0)

    def pair(self, rule_a, rule_b, *more_b):
        """Ada behind one router, the home behind another, which has these rules besides; they met through a relay."""
        relay = self.public()
        self.router("routerA", 1, rule_a)
        self.router("routerB", 2, rule_b)
        for rule in more_b:
            inside("routerB", "nft", rule)
        self.host("a", "routerA", 1, 1)
        self.host("b", "routerB", 2, 1)
        ada = self.start_in("a", "0.0.0.0:7000", "--paths", "prefer-direct")
        home = self.start_in("b", "0.0.0.0:7000", "--paths", "prefer-direct")
        self.meet(relay, home, ada)
        return ada

    # req: C1, C3
    def test_routers_that_map_alike_are_passed_directly(self):
        ada = self.pair("masquerade", "masquerade")
        self.until("a direct way", lambda: self.way(ada) == "direct")
        at = [peer["at"] for peer in ada.ask("peer.list")["peers"]][0]
        self.assertTrue(at.startswith("198.51.100.2:"), at)
        self.works(ada)

    # req: C1, C3
    def test_routers_that_map_anew_leave_the_relay_in_between(self):
        ada = self.pair("masquerade fully-random", "masquerade fully-random")
        self.works(ada)
        self.assertEqual(self.way(ada), "relay")

    def mapped(self, kind):
        """A node behind a router that maps ports if asked so, another one outside, and what the router says."""
        self.public()
        self.router("routerA", 1, "masquerade")
        self.host("a", "routerA", 1, 1)
        gateway = subprocess.Popen([sys.executable, "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "gateway.py"), kind, "10.1.1.1", "198.51.100.1", "vup1"],
                                   stdout=subprocess.PIPE, text=True, preexec_fn=enter("routerA"))
        self.addCleanup(lambda: (gateway.kill(), gateway.wait(), gateway.stdout.close()))
        self.assertEqual(gateway.stdout.readline(), "ready\n")
        return self.start_in("a", "0.0.0.0:7000", "--map-port"), self.nodes[0], gateway

    def reached(self, kind, port):
        home, ada, gateway = self.mapped(kind)
        self.until("the mapping", lambda: f"198.51.100.1:{port}" in home.ask("status")["addresses"])
        self.assertEqual(gateway.stdout.readline(), f"mapped {port} to 10.1.1.2:7000\n")
        self.expect(ada.run("peer", "add", self.ticket(home)), 0)
        self.until("a session", lambda: self.way(ada) == "direct")
        self.assertEqual([peer["at"] for peer in ada.ask("peer.list")["peers"]], [f"198.51.100.1:{port}"])
        home.stop()
        self.assertEqual(gateway.stdout.readline(), "unmapped\n")

    # req: C1, C3
    def test_a_router_leads_here_by_nat_pmp(self):
        self.reached("nat-pmp", 8000)

    # req: C1, C3
    def test_a_router_leads_here_by_upnp_by_another_port_where_one_is_taken(self):
        self.reached("upnp", 7001)

    # req: C1, C3
    def test_a_router_that_refuses_is_named_and_harms_nothing(self):
        home, _, _ = self.mapped("refuses")
        log = os.path.join(home.home, "node.log")

        def said():
            with open(log, encoding="utf-8") as lines:
                return [line for line in lines if "port mapping is turned off there" in line and "UPnP: no router answers" in line]
        self.until("the log says so", said)
        self.assertEqual(home.ask("status")["addresses"], ["10.1.1.2:7000"])
        self.expect(self.nodes[0].run("up", "--map-port"), INVALID, "--listen 0.0.0.0:7443")

    # req: C1, C3
    def test_a_router_that_lets_anybody_in_is_enough(self):
        # Full cone: what comes to the port goes in, whoever sent it; so the other side may map anew as it likes.
        ada = self.pair("masquerade fully-random", "masquerade", "add chain ip nat pre { type nat hook prerouting priority -100; }",
                        "add rule ip nat pre iifname vup2 udp dport 7000 dnat to 10.2.1.2:7000")
        self.until("a direct way", lambda: self.way(ada) == "direct")
        self.works(ada)

    # req: C1, C3
    def test_one_router_that_maps_anew_is_enough_for_the_relay_to_stay(self):
        ada = self.pair("masquerade fully-random", "masquerade")
        self.works(ada)
        self.assertEqual(self.way(ada), "relay")

    # req: C1, C3
    def test_two_behind_one_router_meet_inside(self):
        relay = self.public()
        self.router("routerA", 1, "masquerade")
        self.host("a", "routerA", 1, 1)
        self.host("b", "routerA", 1, 2)
        home = self.start_in("a", "10.1.1.2:7000", "--paths", "prefer-direct")
        ada = self.start_in("b", "10.1.2.2:7000", "--paths", "prefer-direct")
        self.meet(relay, home, ada)
        self.until("a direct way", lambda: self.way(ada) == "direct")
        self.works(ada)


if __name__ == "__main__":
    unittest.main(verbosity=2)
