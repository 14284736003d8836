"""Node processes for the end-to-end tests: start them, talk to them, end them.

A test talks to a node as a program would: through the command (`run`), or over the socket (`ask`). Nothing waits for a
time to pass: it waits for an event, with a deadline that only a failure reaches.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BIN = os.environ["SELVEDGE_BIN"]
GUESTS = os.environ["SELVEDGE_GUESTS"]
COMMAND = os.path.join(BIN, "selvedge")
START_SECONDS_MAX = 30
DEADLINE_SECONDS = 60

# The exit codes of docs/api.md that the tests expect.
USAGE, INVALID, UNAUTHORIZED, NOT_FOUND, INTEGRITY, BUSY, LIMIT, UNAVAILABLE = 1, 2, 3, 4, 5, 6, 7, 8
IO, CANCELLED, GUEST, CHECK_FAILED = 10, 11, 12, 15


def guest(name):
    return os.path.join(GUESTS, name + ".wasm")


def key_bytes(text):
    """The 32 bytes of a key as people read it (z-base-32)."""
    number = 0
    for letter in text:
        number = number << 5 | "ybndrfg8ejkmcpqxot1uwisza345h769".index(letter)
    return (number >> (5 * len(text) - 256)).to_bytes(32, "big")


def run(*words, home=None, stdin=b"", timeout=DEADLINE_SECONDS, env=None):
    """Runs the command to its end. Output is bytes."""
    head = [COMMAND] + (["--home", home] if home else [])
    environment = dict(os.environ, **(env or {}))
    environment.pop("SELVEDGE_HOME", None)
    return subprocess.run(head + list(words), input=stdin, capture_output=True, timeout=timeout, env=environment)


class ApiError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["data"]["errc"]


class Connection:
    """A connection to a node's socket that can have several requests open."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.last_id = 0

    def send(self, method, **params):
        self.last_id += 1
        self.send_raw(json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        return self.last_id

    def send_raw(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def receive(self):
        line = self.lines.readline()
        if not line:
            raise EOFError("the node closed the connection")
        return json.loads(line)

    def ask(self, method, on_progress=None, **params):
        wanted = self.send(method, **params)
        while True:
            message = self.receive()
            if message.get("method") == "progress":
                if on_progress and message["params"]["id"] == wanted:
                    on_progress(message["params"]["progress"])
            elif message["id"] == wanted:
                if "error" in message:
                    raise ApiError(message["error"])
                return message["result"]

    def close(self):
        self.lines.close()
        self.socket.close()


class Node:
    """A home, and the process that runs in it."""

    def __init__(self, home, preexec=None):
        self.home = home
        self.process = None
        self.connection = None
        self.address = "127.0.0.1:0"
        self.preexec = preexec
        made = run("--json", "init", home=home)
        assert made.returncode == 0, made.stderr
        keys = json.loads(made.stdout)
        self.owner, self.key = keys["owner"], keys["node"]

    def start(self, *options, command=COMMAND, within=START_SECONDS_MAX):
        with open(self.home + ".stderr", "ab") as errors:
            self.process = subprocess.Popen([command, "--home", self.home, "--json", "up", "--listen", self.address, *options],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, preexec_fn=self.preexec)
        readable, _, _ = select.select([self.process.stdout], [], [], within)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            with open(self.home + ".stderr", encoding="utf-8", errors="replace") as errors:
                raise AssertionError(f"{self.home} did not start: {errors.read()[-2000:]}")
        self.ready = json.loads(line)
        self.address = self.ready["addresses"][0]
        self.connection = Connection(self.ready["socket"])
        return self

    def ask(self, method, **params):
        return self.connection.ask(method, **params)

    def reconnect(self):
        """Withdraws what is still asked, by closing the connection, and opens a new one."""
        self.connection.close()
        self.connection = Connection(self.ready["socket"])

    def run(self, *words, **options):
        return run(*words, home=self.home, **options)

    def kill(self):
        """kill -9."""
        self.end(signal.SIGKILL)

    def stop(self):
        """As the owner would; returns the exit status."""
        self.ask("shutdown")
        return self.end(None)

    def end(self, number):
        """Waits for the process, after sending it the signal; returns its exit status."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=DEADLINE_SECONDS)
        self.process.stdout.close()
        if self.connection:
            self.connection.close()
        self.process = self.connection = None
        return status


def children(pid):
    """{process: name} of the living children of a process."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                head, tail = stat.read().rsplit(")", 1)
        except OSError:
            continue
        state, parent = tail.split()[:2]
        if int(parent) == pid and state != "Z":
            found[int(entry)] = head.split("(", 1)[1]
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def domains_of(node):
    """How many processes run guests for a node."""
    return list(children(node.process.pid).values()).count("selvedge-domain")


class Device(Node):
    """A further device of an owner whose key stays on another one. `request` is what that one is to enrol."""

    def __init__(self, home, owner, label):  # pylint: disable=super-init-not-called
        self.home, self.process, self.connection, self.preexec = home, None, None, None
        self.address = "127.0.0.1:0"
        made = run("--json", "init", "--owner", owner, "--label", label, home=home)
        assert made.returncode == 0, made.stderr
        keys = json.loads(made.stdout)
        self.owner, self.key, self.request = keys["owner"], keys["node"], keys["request"]


class FabricTest(unittest.TestCase):
    """A test with a folder of its own, whose nodes are gone when it ends."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="selvedge-e2e-")
        self.nodes = []
        self.proxies = []

    def tearDown(self):
        for process in self.proxies:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        for node in self.nodes:
            if node.process:
                node.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name, content=None):
        path = os.path.join(self.dir, name)
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                out.write(content)
        return path

    def node(self, name, *options, preexec=None):
        node = Node(os.path.join(self.dir, name), preexec)
        self.nodes.append(node)
        return node.start(*options)

    def proxy(self, node, address, *words):
        """HOST:PORT of a listener of `selvedge proxy`, which leads to the service."""
        process = subprocess.Popen([COMMAND, "--home", node.home, "--json", "proxy", address, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.proxies.append(process)
        return json.loads(process.stdout.readline())["listening"]

    def until(self, what, holds):
        """Looks again until `holds()`; what it looks at is asked over a socket, so looking is itself the pause."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, what + " did not come true in time")
            select.select([], [], [], 0.02)

    def fabric(self, hosts=2, cpu_permille=1000, storage_bytes=1 << 30, seconds=3600, options=()):
        """An origin with so many connected hosts, each of which granted it what is named; the first ones started with `options`."""
        origin = self.node("origin")
        lenders = [self.node(f"host{i}", *(options[i] if i < len(options) else ())) for i in range(hosts)]
        for host in lenders:
            host.ask("grant.give", origin=origin.owner, cpu_permille=cpu_permille, storage_bytes=storage_bytes, seconds=seconds,
                     memory_bytes=256 << 20)
            origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the fabric", lambda: self.granted(origin) == hosts and self.connected(origin) == hosts)
        return origin, lenders

    @staticmethod
    def granted(origin):
        return sum(1 for grant in origin.ask("grant.list")["grants"] if not grant["given"] and grant["state"] == "active")

    @staticmethod
    def connected(node):
        return sum(1 for peer in node.ask("peer.list")["peers"] if peer["connected"])

    def expect(self, done, code, *words):
        """The command ended with this code, and says these words on standard error."""
        text = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, f"stdout: {done.stdout[:500]!r}\nstderr: {text}")
        for word in words:
            self.assertIn(word, text)
        return text
