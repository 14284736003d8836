"""The command and a single node: homes, sockets, tickets, ports, the API's own errors."""

import json
import os
import signal
import socket
import stat
import subprocess
import unittest

import fabric
from fabric import FabricTest, run


class Command(FabricTest):
    def test_help_teaches_and_usage_errors_are_1(self):
        top = run("--help")
        self.expect(top, 0)
        for word in (b"selvedge demo", b"Exit codes:", b"grant give", b"70  internal"):
            self.assertIn(word, top.stdout)
        verb = run("grant", "give", "--help")
        self.expect(verb, 0)
        self.assertIn(b"Usage: selvedge grant give", verb.stdout)
        self.assertIn(b"Examples:", verb.stdout)
        self.expect(run("frobnicate"), fabric.USAGE, "--help")
        self.expect(run("get", "bafkrei"), fabric.USAGE, "selvedge get --help")
        self.expect(run("peer"), fabric.USAGE, "selvedge peer --help")
        self.assertEqual(json.loads(run("--json", "version").stdout).keys(), {"version"})

    def test_without_a_node_it_says_how_to_start_one(self):
        home = self.path("nowhere")
        self.expect(run("status", home=home), fabric.UNAVAILABLE, "selvedge --home " + home + " init")
        run("init", home=home)
        text = self.expect(run("status", home=home), fabric.UNAVAILABLE, "selvedge --home " + home + " up")
        self.assertNotIn("\r", text)
        failed = run("--json", "status", home=home)
        self.assertEqual(json.loads(failed.stderr)["error"]["code"], "unavailable")
        self.assertEqual(failed.stdout, b"")
        self.expect(run("doctor", home=home), fabric.CHECK_FAILED)

    def test_amounts_that_make_no_sense(self):
        node = self.node("a")
        other = self.node("b").owner
        self.expect(node.run("grant", "give", other, "--cpu", "150%"), fabric.INVALID, "100%")
        self.expect(node.run("grant", "give", other, "--storage", "much"), fabric.INVALID, "256M")
        self.expect(node.run("grant", "give", other, "--for", "60"), fabric.INVALID, "90s")
        self.expect(node.run("grant", "give", "me"), fabric.INVALID, "key")
        self.expect(node.run("grant", "give", node.owner), fabric.INVALID, "no grant")
        self.assertEqual(node.ask("grant.list")["grants"], [])


class Home(FabricTest):
    def test_is_private(self):
        node = self.node("a")
        mode = lambda name: stat.S_IMODE(os.stat(os.path.join(node.home, name)).st_mode)
        self.assertEqual(mode(""), 0o700)
        self.assertEqual(mode("owner.key"), 0o600)
        self.assertEqual(mode("node.key"), 0o600)
        self.assertEqual(mode("node.sock"), 0o600)
        self.assertEqual(node.stop(), 0)
        for name in ("owner.key", "node.key"):
            path = os.path.join(node.home, name)
            os.chmod(path, 0o644)
            self.expect(node.run("up"), fabric.INVALID, "chmod 600 " + path)
            os.chmod(path, 0o600)

    def test_init_never_overwrites_keys(self):
        home = self.path("a")
        first = json.loads(run("--json", "init", home=home).stdout)

        def read():
            content = []
            for name in ("owner.key", "node.key"):
                with open(os.path.join(home, name), "rb") as keys:
                    content.append(keys.read())
            return content

        before = read()
        self.expect(run("init", home=home), fabric.BUSY, "already")
        self.assertEqual(read(), before)
        self.assertNotEqual(json.loads(run("--json", "init", home=self.path("b")).stdout)["owner"], first["owner"])

    def test_is_used_by_one_process(self):
        node = self.node("a")
        second = node.run("up")
        self.expect(second, fabric.BUSY, "another selvedge node", str(node.process.pid))
        self.assertEqual(second.stdout, b"")
        self.assertEqual(node.ask("status")["node"], node.key)
        node.kill()
        node.start()  # what a killed node left behind does not lock it out
        self.assertEqual(node.ask("status")["node"], node.key)

    def test_keeps_identity_peers_and_grants_when_restarted(self):
        host, origin = self.node("host"), self.node("origin")
        grant = host.ask("grant.give", origin=origin.owner)
        host.ask("peer.add", ticket=origin.ask("ticket")["ticket"])
        self.assertEqual(host.stop(), 0)
        host.start()
        self.assertEqual(host.ask("status")["owner"], host.owner)
        self.assertEqual([g["id"] for g in host.ask("grant.list")["grants"]], [grant["id"]])
        self.until("the peer", lambda: self.connected(host) == 1)

    def test_a_damaged_key_file_is_named(self):
        home = self.path("a")
        run("init", home=home)
        for name in ("owner.key", "node.key"):
            path = os.path.join(home, name)
            with open(path, "r+b") as keys:
                whole = keys.read()
                keys.truncate(len(whole) - 1)
            self.expect(run("up", home=home), fabric.INVALID, path, "damaged", "backup")
            with open(path, "wb") as keys:
                keys.write(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
            self.expect(run("up", home=home), fabric.INVALID, path, "damaged")
            with open(path, "wb") as keys:
                keys.write(whole)
        self.assertEqual(run("key", "show", home=home).returncode, 0)

    def test_a_port_in_use_is_named(self):
        first = self.node("a")
        home = self.path("b")
        run("init", home=home)
        done = run("up", "--listen", first.address, home=home)
        self.assertIn(done.returncode, (fabric.BUSY, fabric.IO))
        self.expect(done, done.returncode, first.address.split(":")[1], "use")
        self.assertEqual(first.ask("status")["addresses"], [first.address])
        self.expect(run("up", "--listen", "nonsense", home=home), fabric.INVALID, "nonsense")


class Ticket(FabricTest):
    def test_says_what_is_wrong_with_it(self):
        one, other = self.node("a"), self.node("b")
        ticket = json.loads(other.run("--json", "ticket").stdout)["ticket"]
        swapped = ticket[:40] + ("q" if ticket[40] != "q" else "p") + ticket[41:]
        self.expect(one.run("peer", "add", swapped), fabric.INTEGRITY, "damaged", "copied")
        self.expect(one.run("peer", "add", ticket[:-5]), fabric.INTEGRITY)
        self.expect(one.run("peer", "add", "hello"), fabric.INVALID, "ticket")
        self.expect(one.run("peer", "add", one.ask("ticket")["ticket"]), fabric.INVALID, "own ticket")
        self.assertEqual(one.ask("peer.list")["peers"], [])
        # Upper case is what a QR code holds, and white space is what a chat window adds.
        self.expect(one.run("peer", "add", " " + ticket.upper() + "\n"), 0)
        self.until("the peer", lambda: self.connected(one) == 1)

    def test_shows_a_qr_code(self):
        node = self.node("a")
        shown = node.run("ticket", "--qr").stdout.decode()
        self.assertIn("█▀", shown)
        self.assertIn(node.ask("ticket")["ticket"], shown)

    def test_a_peer_that_is_away_is_named_with_the_reason(self):
        one, other = self.node("a"), self.node("b")
        one.ask("peer.add", ticket=other.ask("ticket")["ticket"])
        self.until("the peer", lambda: self.connected(one) == 1)
        other.stop()
        self.until("its absence", lambda: self.connected(one) == 0)
        peer = one.ask("peer.list")["peers"][0]
        self.assertNotEqual(peer["error"], "")
        shown = one.run("peer", "list")
        self.assertIn(b"away", shown.stdout)
        records = [json.loads(line) for line in one.run("--json", "doctor").stdout.splitlines()]
        self.assertIn("warn", [record["state"] for record in records if record["check"] == "peers"])
        other.start()
        self.until("its return", lambda: self.connected(one) == 1)


class Api(FabricTest):
    def refused(self, connection, line, errc):
        connection.send_raw(line)
        answer = connection.receive()
        self.assertEqual(answer["error"]["data"]["errc"], errc, answer)
        return answer

    def test_refuses_what_it_does_not_understand(self):
        node = self.node("a")
        connection = node.connection
        self.assertIsNone(self.refused(connection, "{", "invalid")["id"])
        self.refused(connection, "[]", "invalid")
        self.refused(connection, '{"jsonrpc":"2.0","method":"status"}', "invalid")
        self.assertEqual(self.refused(connection, '{"jsonrpc":"2.0","id":"x","method":"fly"}', "unsupported")["id"], "x")
        self.assertIn("tikket", self.refused(connection, '{"id":1,"method":"peer.add","params":{"tikket":""}}', "invalid")["error"]["message"])
        self.refused(connection, '{"id":1,"method":"run","params":{"verify":-1}}', "invalid")
        self.refused(connection, '{"id":1,"method":"run","params":{"verify":4294967296}}', "invalid")
        self.refused(connection, '{"id":1,"method":"lease.change","params":{"lease":"","action":"burn"}}', "invalid")
        self.refused(connection, '{"id":1,"method":"put","params":{"files":{}}}', "invalid")
        self.refused(connection, '{"id":1,"method":"put","params":{"files":[{"path":"/x","colour":1}]}}', "invalid")
        self.refused(connection, '{"id":1,"method":"get","params":{"cid":"' + "b" * 100_000 + '"}}', "invalid")
        self.refused(connection, "[" * 100_000, "invalid")
        self.assertEqual(node.ask("status")["node"], node.key)

    def test_cuts_off_a_line_that_never_ends(self):
        node = self.node("a")
        flood = fabric.Connection(node.ready["socket"])
        with self.assertRaises(OSError):
            for _ in range(2 << 10):
                flood.socket.sendall(b"x" * (64 << 10))
        flood.close()
        self.assertEqual(node.ask("status")["node"], node.key)

    def test_answers_overlapping_requests_each_once(self):
        node = self.node("a")
        wanted = {node.connection.send("status") for _ in range(50)}
        self.assertEqual({node.connection.receive()["id"] for _ in range(50)}, wanted)

    def test_bounds_its_connections(self):
        node = self.node("a")
        many = []
        for _ in range(200):
            many.append(socket.socket(socket.AF_UNIX))
            many[-1].connect(node.ready["socket"])
        for connection in many:
            connection.close()
        self.until("room again", lambda: node.run("status").returncode == 0)


class Signals(FabricTest):
    def test_a_node_stops_cleanly_when_told(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.node(f"n{number}")
            self.assertEqual(node.end(number), 0)
            self.assertFalse(os.path.exists(node.ready["socket"]))

    def test_a_full_standard_output_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([fabric.COMMAND, "version"], stdout=full, stderr=subprocess.PIPE, timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(done.returncode, fabric.IO, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
