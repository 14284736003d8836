"""A service that exists gets a key, and ordinary clients reach it by that key and by nothing else."""

import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

from fabric import COMMAND, INVALID, NOT_FOUND, UNAVAILABLE, FabricTest

MIB = 1 << 20


class Web:
    """An ordinary web server, with one large file and an echo."""

    def __init__(self):
        self.file = os.urandom(8 * MIB)
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):  # pylint: disable=invalid-name
                self.answer(*{"/": (200, b"hello"), "/file": (200, web.file)}.get(self.path, (404, b"no")))

            def do_POST(self):  # pylint: disable=invalid-name
                self.answer(200, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # connections that the tests break
        self.at = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Service(FabricTest):
    def setUp(self):
        super().setUp()
        self.web = Web()

    def tearDown(self):
        super().tearDown()
        self.web.close()

    def exposed(self, home, *words, name="wiki", target=None):
        done = home.run("--json", "service", "expose", name, "--target", target or self.web.at, *words)
        self.expect(done, 0)
        return json.loads(done.stdout)["address"]

    @staticmethod
    def http(at, path="/", data=None):
        with urllib.request.urlopen(f"http://{at}{path}", data=data, timeout=20) as answer:
            return answer.read()

    # req: F4
    def test_ordinary_clients_reach_it_by_its_key(self):
        home, ada = self.node("home"), self.node("ada")
        address = self.exposed(home, "--for", "public")
        ticket = home.ask("ticket")["ticket"]
        at = self.proxy(ada, address, "--at", ticket)
        self.assertEqual(self.http(at), b"hello")
        self.assertEqual(self.http(at, "/file"), self.web.file)
        sent = os.urandom(3 * MIB)
        self.assertEqual(self.http(at, "/", data=sent), sent)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.http(at, "/file") == self.web.file)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [True] * 8)
        self.assertEqual(ada.run("curl", address + "/", "--at", ticket).stdout, b"hello")
        self.expect(ada.run("curl", address + "/file", "--at", home.key[:8], "-o", self.path("file")), 0)
        with open(self.path("file"), "rb") as got:
            self.assertEqual(got.read(), self.web.file)
        self.expect(ada.run("curl", address + "/none", "--at", ticket), NOT_FOUND, "404")
        used = json.loads(home.run("--json", "service", "list").stdout)
        self.assertGreaterEqual(used["connections_ever"], 11)
        self.assertGreater(used["bytes_out"], 10 * 8 * MIB)

    # req: F4, A6
    def test_only_who_may_connects(self):
        home, ada, eve = self.node("home"), self.node("ada"), self.node("eve")
        ticket = home.ask("ticket")["ticket"]
        address = self.exposed(home, "--for", ada.owner)
        self.assertEqual(ada.run("curl", address, "--at", ticket).stdout, b"hello")
        self.expect(eve.run("curl", address, "--at", ticket), UNAVAILABLE, "not for this owner's machines")
        self.assertEqual(self.exposed(home), address, "the key is the name's")
        self.expect(ada.run("curl", address, "--at", ticket), UNAVAILABLE)
        self.assertEqual(home.run("curl", address, "--at", ticket).stdout, b"hello", "the owner's own")
        self.assertEqual(json.loads(home.run("--json", "service", "list").stdout)["refused"], 2)

    # req: F4, C15
    def test_a_node_that_the_service_did_not_name_gets_not_a_byte(self):
        home, evil, ada = self.node("home"), self.node("evil"), self.node("ada")
        address = self.exposed(home, "--for", "public")
        # Of the same name, and another owner: another key. It has nothing under the one that is asked for.
        self.assertNotEqual(self.exposed(evil, "--for", "public"), address)
        self.expect(ada.run("curl", address, "--at", evil.ask("ticket")["ticket"]), UNAVAILABLE)
        self.assertEqual(evil.ask("service.list")["services"][0]["connections_ever"], 0)

    # req: F4, C6, R22
    def test_it_is_found_by_its_key_and_reached_through_a_relay(self):
        meeting, home, ada = self.node("meeting", "--role", "relay", "--role", "rendezvous"), self.node("home"), self.node("ada")
        ticket = meeting.ask("ticket")["ticket"]
        address = self.exposed(home, "--for", "public")
        self.expect(home.run("rendezvous", "publish", "wiki", "--relay", ticket, "--at", ticket), 0)
        at = self.proxy(ada, address, "--via", ticket)
        self.assertEqual(self.http(at, "/file"), self.web.file)
        peers = ada.ask("peer.list")["peers"]
        self.assertEqual([peer["path"] for peer in peers if peer["node"] == home.key], ["relay"])
        self.assertNotIn(home.address, json.dumps(peers), "no address of the one that has it")

    # req: F5
    def test_taking_it_back_ends_open_connections(self):
        home, ada = self.node("home"), self.node("ada")
        address = self.exposed(home, "--for", "public")
        at = self.proxy(ada, address, "--at", home.ask("ticket")["ticket"])
        host, port = at.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as open_one:
            open_one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b"hello" not in got:
                got += open_one.recv(65536)
            start = time.monotonic()
            self.expect(home.run("service", "unexpose", "wiki"), 0)
            with self.assertRaises(ConnectionResetError):
                while open_one.recv(65536):
                    pass
            self.assertLess(time.monotonic() - start, 1)
        self.expect(ada.run("curl", address, "--at", home.key[:8]), UNAVAILABLE)
        self.expect(home.run("service", "unexpose", "wiki"), NOT_FOUND, "service list")

    # req: F4
    def test_it_is_there_again_after_a_restart_and_an_answer_is_whole_or_broken(self):
        home, ada = self.node("home"), self.node("ada")
        address = self.exposed(home, "--for", "public")
        at = self.proxy(ada, address, "--at", home.ask("ticket")["ticket"])
        self.assertEqual(self.http(at), b"hello")
        host, port = at.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as open_one:
            open_one.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
            open_one.recv(1000)
            home.kill()
            with self.assertRaises(ConnectionResetError):
                while open_one.recv(65536):
                    pass
        home.start()
        self.until("the session", lambda: self.connected(ada) == 1)
        self.assertEqual(self.http(at), b"hello")

    # req: F4
    def test_errors_say_what_to_do(self):
        home, ada = self.node("home"), self.node("ada")
        self.expect(ada.run("proxy", "fabric://" + home.key), INVALID, "--at")
        self.expect(ada.run("proxy", "http://x", "--at", home.ask("ticket")["ticket"]), INVALID, "fabric://KEY")
        self.expect(home.run("service", "expose", "Wiki", "--target", self.web.at), INVALID, "a-z")
        self.expect(home.run("service", "expose", "wiki", "--target", "nowhere"), INVALID, "127.0.0.1:3000")
        self.expect(home.run("service", "expose", "wiki", "--target", "service:nobody"), INVALID, "127.0.0.1:3000")
        self.assertIn(b"selvedge service expose", home.run("service", "list").stdout)
        address = self.exposed(home, "--for", "public", target="127.0.0.1:9")
        self.expect(ada.run("curl", address, "--at", home.ask("ticket")["ticket"]), UNAVAILABLE, "what stands behind the service does not answer")
        process = subprocess.Popen([COMMAND, "--home", ada.home, "proxy", "--listen", self.web.at, address, "--at", home.key[:8]], stderr=subprocess.PIPE)
        self.assertIn(b"cannot listen at", process.communicate(timeout=20)[1])
        at = self.proxy(ada, address, "--at", home.key[:8])
        self.proxies[-1].send_signal(signal.SIGINT)
        self.assertEqual(self.proxies[-1].wait(timeout=20), 0)
        with self.assertRaises(OSError):
            self.http(at)


if __name__ == "__main__":
    unittest.main(verbosity=2)
