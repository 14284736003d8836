"""A service reached by its key through two nodes on loopback, beside the service itself: throughput, requests a second, time to first byte.

    SELVEDGE_BIN=build/bin SELVEDGE_GUESTS=build/guests python3 bench/service_bench.py [MEGABYTES] [ROUNDS]

The server and the clients are the same threads in both cases; figures are medians, rounds interleaved.
"""

import os
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from fabric import COMMAND, FabricTest  # pylint: disable=wrong-import-position

REQUESTS = 2000


class Bench(FabricTest):
    """A raw server: a request is one line with a size, the answer that many bytes."""

    def serve(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        block = os.urandom(1 << 20)

        def client(sock):
            with sock, sock.makefile("rb") as lines:
                for line in lines:
                    left = int(line)
                    while left > 0:
                        left -= sock.send(block[:left])

        def accept():
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=client, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return "127.0.0.1:%d" % listener.getsockname()[1]


def dial(at):
    host, port = at.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(sock, size):
    sock.sendall(b"%d\n" % size)
    buffer, left = bytearray(1 << 20), size
    while left > 0:
        got = sock.recv_into(buffer, min(left, len(buffer)))
        if got == 0:
            raise EOFError("cut off")
        left -= got


def measure(at, size):
    start = time.monotonic()
    with dial(at) as sock:
        ask(sock, 1)
        first = time.monotonic() - start
        start = time.monotonic()
        ask(sock, size)
        bulk = size / (time.monotonic() - start) / 1e6
        start = time.monotonic()
        for _ in range(REQUESTS):
            ask(sock, 100)
        return first * 1000, bulk, REQUESTS / (time.monotonic() - start)


def main():
    size = int(sys.argv[1] if len(sys.argv) > 1 else 256) * 1000 * 1000
    rounds = int(sys.argv[2] if len(sys.argv) > 2 else 5)
    bench = Bench()
    bench.setUp()
    proxy = None
    try:
        target = bench.serve()
        home, ada = bench.node("home"), bench.node("ada")
        address = home.ask("service.expose", name="bench", target=target, access="public")["address"]
        proxy = subprocess.Popen([COMMAND, "--home", ada.home, "proxy", address, "--at", home.ask("ticket")["ticket"]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        at = proxy.stdout.readline().decode().strip()
        ask(dial(at), 1)
        took = {"itself": [], "by its key": []}
        for _ in range(rounds):
            took["itself"].append(measure(target, size))
            took["by its key"].append(measure(at, size))
        rows = {name: [statistics.median(column) for column in zip(*each)] for name, each in took.items()}
        print(f"{'':12} {'first byte':>12} {'bulk':>12} {'requests, one after the other':>30}")
        for name, (first, bulk, rate) in rows.items():
            print(f"{name:12} {first:9.2f} ms {bulk:7.0f} MB/s {rate:24.0f} /s")
        print(f"{'ratio':12} {rows['by its key'][0] / rows['itself'][0]:9.2f}    {rows['by its key'][1] / rows['itself'][1]:9.3f}     {rows['by its key'][2] / rows['itself'][2]:22.3f}")
    finally:
        if proxy:
            proxy.kill()
        bench.tearDown()


if __name__ == "__main__":
    main()
