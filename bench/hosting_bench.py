#!/usr/bin/env python3
"""Requests to a hosted service over loopback: client -> proxy -> fabric -> machine -> program and back; and what the hops cost.

hosting_bench.py [--quick]. Beside it, in the same run: the same program's answer as static bytes from a native server behind `service expose` (what is not the
program), and that server asked directly; and the program that stays with state, read and written. Interleaved rounds, medians. SELVEDGE_BIN and SELVEDGE_GUESTS as for the end-to-end tests."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from fabric import FabricTest

QUICK = "--quick" in sys.argv
ROUNDS, SECONDS = (1, 0.5) if QUICK else (5, 2.0)
GUESTS = os.environ.get("SELVEDGE_GUESTS", "")
BODY = b"hello from a service\n"


class Fabric(FabricTest):
    def runTest(self):  # pylint: disable=invalid-name
        pass


async def native(reader, writer):
    """A handler that is no program: fixed bytes, kept alive."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def one_client(host, port, path, until, times):
    reader, writer = await asyncio.open_connection(host, port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n" % path)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
        await reader.readexactly(length)
        times.append(time.perf_counter() - began)
    writer.close()


async def load(at, path, clients):
    host, port = at.rsplit(":", 1)
    times = []
    began = time.perf_counter()
    await asyncio.gather(*(one_client(host, int(port), path, began + SECONDS, times) for _ in range(clients)))
    times.sort()
    return len(times) / (time.perf_counter() - began), times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


def cpu_seconds(node):
    total = 0
    for pid in [node.process.pid] + [int(child) for child in subprocess.run(["pgrep", "-P", str(node.process.pid)], capture_output=True, text=True, check=False).stdout.split()]:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    return total


async def measure(fabrics):
    # Each on a machine of its own: a lease has one process, and the two programs would take turns in it.
    shops = {}
    programs = {"a program each": ("site",), "an instance that stays": ("counter",), "with state": ("counter", "--state")}
    for (name, (program, *words)), fabric in zip(programs.items(), fabrics):
        origin, (host,) = fabric.fabric(hosts=1)
        shops[name] = (json.loads(origin.run("--json", "deploy", program, os.path.join(GUESTS, program + ".wasm"), *words).stdout), host, origin)
    server = await asyncio.start_server(native, "127.0.0.1", 0)
    target = "%s:%d" % server.sockets[0].getsockname()[:2]
    plain = json.loads(host.run("--json", "service", "expose", "plain", "--target", target, "--for", "public").stdout)
    at = {"native, directly": target}
    at["native, exposed"] = fabric.proxy(origin, plain["address"], "--at", host.key)
    for name, (shop, _, owner) in shops.items():
        at[name] = fabric.proxy(owner, shop["address"])
    at = {name: (where, b"/") for name, where in at.items()}
    # The machine's and the origin's disk have each of these writes before its response leaves.
    at["with state, a write each"] = (at["with state"][0], b"/kept")
    shops["with state, a write each"] = shops["with state"]
    results = {}
    try:
        for _ in range(ROUNDS):
            for clients in (1, 8):
                for name, (where, path) in at.items():
                    machine = shops[name][1] if name in shops else host
                    before = cpu_seconds(machine)
                    rate, median, last = await load(where, path, clients)
                    spent = (cpu_seconds(machine) - before) / max(rate * SECONDS, 1) * 1e6
                    results.setdefault((clients, name), []).append((rate, median, last, spent))
    finally:
        server.close()
    print(f"{'clients':>7}  {'what answers':25} {'requests/s':>11} {'median ms':>10} {'p99 ms':>8} {'host CPU us/request':>20}")
    for (clients, name), rows in results.items():
        rate, median, last, spent = (statistics.median(column) for column in zip(*rows))
        print(f"{clients:>7}  {name:25} {rate:>11.0f} {median:>10.2f} {last:>8.2f} {spent:>20.0f}")


def main():
    fabrics = [Fabric(), Fabric(), Fabric()]
    for fabric in fabrics:
        fabric.setUp()
    try:
        asyncio.run(measure(fabrics))
    finally:
        for fabric in fabrics:
            fabric.tearDown()


main()
