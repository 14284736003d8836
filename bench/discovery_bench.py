"""From a node's key, or its ticket, to a session with it: by ticket, PKARR relay, DHT and DNS, all on loopback.

    SELVEDGE_BIN=build/bin SELVEDGE_GUESTS=build/guests python3 bench/discovery_bench.py [ROUNDS]

A fresh node each time; interleaved. "found" is until the addresses are there, "session" until symbols could flow. Medians, and the worst.
"""

import os
import shutil
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from fabric import FabricTest  # pylint: disable=wrong-import-position
from sources import Names, Network, Relay  # pylint: disable=wrong-import-position


def millis(since):
    return (time.monotonic() - since) * 1000


def measure(bench, source, key, ticket):
    node = bench.node("asker", *(["--find", source] if source else []))
    try:
        begun = time.monotonic()
        if source:
            node.ask("peer.find", key=key)
        found = millis(begun)
        begun = time.monotonic()
        node.ask("peer.add", ticket=key if source else ticket)
        while bench.connected(node) == 0:
            pass
        return found, millis(begun)
    finally:
        node.kill()
        bench.nodes.remove(node)
        shutil.rmtree(node.home)


def main():
    rounds = int(sys.argv[1] if len(sys.argv) > 1 else 15)
    bench, relay, names, network = FabricTest(), Relay(), Names(), Network(8)
    bench.setUp()
    try:
        home = bench.node("home")
        ticket = home.ask("ticket")["ticket"]
        told = home.ask("announce.on", to=[relay.source, network.source], own_addresses=True)
        assert all(each["said"] == "keeps it" for each in told["to"]), told
        names.records[told["name"] + ".example.test"] = [each.encode() for each in told["texts"]]
        ways = {"ticket": "", "PKARR relay": relay.source, "DHT of 8 nodes": network.source, "DNS": "dns:example.test@" + names.at}
        took = {way: [] for way in ways}
        for _ in range(rounds):
            for way, source in ways.items():
                took[way].append(measure(bench, source, home.key, ticket))
        print(f"{'':16} {'found':>10} {'session':>10} {'worst':>10}")
        for way, rows in took.items():
            found, session = (statistics.median(column) for column in zip(*rows))
            print(f"{way:16} {found:7.1f} ms {session:7.1f} ms {max(session for _, session in rows):7.1f} ms")
    finally:
        bench.tearDown()
        for each in (relay, names, network):
            each.close()


if __name__ == "__main__":
    main()
