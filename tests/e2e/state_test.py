"""State of services on machines of others: what was answered is kept, whichever one machine is killed; with newer versions; and it ends with the service."""

import http.client
import json
import os
import threading
import time
import unittest

from fabric import DEADLINE_SECONDS, INVALID, NOT_FOUND, FabricTest

GUESTS = os.environ.get("SELVEDGE_GUESTS", "")
COUNTER = os.path.join(GUESTS, "counter.wasm")


class Hammer:
    """Clients that count, one request after the other each, and try again where they are told to."""

    def __init__(self, at, clients=3):
        self.at, self.stopping, self.lock = at, threading.Event(), threading.Lock()
        self.answered, self.refused, self.wrong, self.longest = [], 0, [], 0.0
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        last, connection, since = 0, None, time.monotonic()
        while not self.stopping.is_set():
            try:
                connection = connection or http.client.HTTPConnection(self.at, timeout=DEADLINE_SECONDS)
                connection.request("GET", "/kept")
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                connection = connection.close() if connection else None
                continue
            with self.lock:
                if answer.status == 200:
                    if int(body) <= last:
                        self.wrong.append((last, int(body)))
                    last = int(body)
                    self.answered.append(last)
                    self.longest, since = max(self.longest, time.monotonic() - since), time.monotonic()
                elif answer.status == 503 and answer.headers["Retry-After"]:
                    self.refused += 1
                elif answer.status not in (502, 504):   # of the machine that is killed, or of the proxy
                    self.wrong.append((answer.status, body))
        if connection:
            connection.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class State(FabricTest):
    def deploy(self, origin, *words):
        done = origin.run("--json", "deploy", "shop", COUNTER, "--state", *words)
        self.expect(done, 0)
        return json.loads(done.stdout)

    def say(self, at, method, path, body=None):
        connection = http.client.HTTPConnection(at, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answers(self, at):
        """Whether a request is answered; one that is refused, or finds nobody, is not."""
        try:
            status = self.say(at, "GET", "/kept")[0]
        except (OSError, http.client.HTTPException):
            return False
        self.assertIn(status, (200, 503))
        return status == 200

    def in_stage(self, hosts, stage):
        return [host for host in hosts if host.process and any(each["stage"] == stage for each in host.ask("service.list")["hosted"])]

    def settled(self, origin, serving):
        shop = origin.ask("service.list")["deployed"][0]
        return shop["why"] == "" and shop["serving"] == serving

    def hammered(self, at, lose, clients=3):
        """Counts while `lose()` takes something away; what was answered in the end, and how it went."""
        hammer = Hammer(at, clients)
        try:
            self.until("it is used", lambda: len(hammer.answered) > 50)
            lose()
            since = len(hammer.answered)
            self.until("it goes on", lambda: len(hammer.answered) > since + 50)
        finally:
            hammer.stop()
        self.assertEqual(hammer.wrong, [])
        self.assertEqual(len(set(hammer.answered)), len(hammer.answered), "a number was answered twice")
        print(f"{len(hammer.answered)} answered, {hammer.refused} asked to try again, {hammer.longest:.2f} s the longest without an answer", flush=True)
        return max(hammer.answered)

    # req: F3
    def test_nothing_that_was_answered_is_lost_with_its_machine(self):
        origin, hosts = self.fabric(hosts=3)
        shop = self.deploy(origin, "--replicas", "2")
        at = self.proxy(origin, shop["address"])
        first = self.in_stage(hosts, "serving")
        self.assertEqual(len(first), 1)
        counted = self.hammered(at, first[0].kill)
        self.assertGreaterEqual(int(self.say(at, "GET", "/kept")[1]), counted + 1)
        self.until("two hold it again", lambda: self.settled(origin, 2))
        self.assertEqual(len(self.in_stage(hosts, "serving") + self.in_stage(hosts, "standby")), 2)
        # And once more with the one that took over.
        counted = self.hammered(at, self.in_stage(hosts, "serving")[0].kill)
        self.assertGreaterEqual(int(self.say(at, "GET", "/kept")[1]), counted + 1)
        # The first one is back with an old copy: it deletes that, or is given the new one.
        first[0].address = "127.0.0.1:0"
        first[0].start()
        origin.ask("peer.add", ticket=first[0].ask("ticket")["ticket"])
        self.until("two hold it once more", lambda: self.settled(origin, 2))
        self.assertGreaterEqual(int(self.say(at, "GET", "/kept")[1]), counted + 2)

    # req: F3
    def test_it_goes_on_without_its_origin_and_not_alone(self):
        origin, hosts = self.fabric(hosts=2)
        shop = self.deploy(origin, "--replicas", "2", "--for", "public")
        client = self.node("client")
        for host in hosts:
            client.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        at = self.proxy(client, shop["address"], *[word for host in hosts for word in ("--at", host.key)])
        counted = self.hammered(at, origin.kill)
        status, body = self.say(at, "GET", "/kept")
        self.assertEqual((status, int(body) > counted), (200, True))
        # Two of three are gone: what is answered now could be lost.
        self.in_stage(hosts, "standby")[0].kill()
        self.until("it refuses", lambda: not self.answers(at))
        origin.address = "127.0.0.1:0"
        origin.start()
        for host in self.in_stage(hosts, "serving") + self.in_stage(hosts, "standby"):
            origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the origin has it", lambda: self.answers(at))
        self.assertGreater(int(self.say(at, "GET", "/kept")[1]), counted)

    # req: F3
    def test_everything_stops_and_starts_again(self):
        origin, hosts = self.fabric(hosts=1)
        shop = self.deploy(origin)
        at = self.proxy(origin, shop["address"])
        counts = [int(self.say(at, "GET", "/kept")[1]) for _ in range(10)]
        self.assertEqual(counts, list(range(1, 11)))
        for node in (hosts[0], origin):
            node.kill()
            node.address = "127.0.0.1:0"
        origin.start()
        hosts[0].start()
        origin.ask("peer.add", ticket=hosts[0].ask("ticket")["ticket"])
        self.until("it serves", lambda: self.settled(origin, 1))
        at = self.proxy(origin, shop["address"])
        self.assertEqual(self.say(at, "GET", "/kept"), (200, b"11\n"))

    # req: F2, F3
    def test_a_newer_version_finds_it_and_it_ends_with_the_service(self):
        origin, hosts = self.fabric(hosts=2)
        shop = self.deploy(origin, "--replicas", "2", "--env", "GREETING=one")
        at = self.proxy(origin, shop["address"])
        counted = self.hammered(at, lambda: self.deploy(origin, "--replicas", "2", "--env", "GREETING=two"))
        self.assertTrue(self.say(at, "GET", "/env")[1].endswith(b" two\n"))
        self.assertGreaterEqual(int(self.say(at, "GET", "/kept")[1]), counted + 1)
        self.expect(origin.run("deploy", "shop", COUNTER), INVALID, "--state")
        state = json.loads(origin.run("--json", "service", "state", "shop").stdout)
        self.assertEqual((state["keys"], sorted(each["role"] for each in state["holders"]), state["why"]), (1, ["origin", "standby", "writer"], ""))
        self.assertGreaterEqual(state["sequence"], counted)
        self.assertIn("writer", origin.run("service", "state", "shop").stdout.decode())
        self.expect(origin.run("service", "remove", "shop"), 0)
        self.until("nobody runs it", lambda: self.in_stage(hosts, "serving") + self.in_stage(hosts, "standby") == [])
        self.expect(origin.run("service", "state", "shop"), NOT_FOUND)
        # The same name again is the same key, and begins with nothing.
        again = self.deploy(origin)
        self.assertEqual(again["address"], shop["address"])
        self.assertEqual(self.say(self.proxy(origin, again["address"]), "GET", "/kept"), (200, b"1\n"))

    # req: F3
    def test_what_a_program_can_do_with_it(self):
        origin, _ = self.fabric(hosts=1)
        shop = self.deploy(origin, "--fuel", "200000000")
        at = self.proxy(origin, shop["address"])
        large = os.urandom(64 << 10)
        for key, value in (("b/2", b"two"), ("b/1", b"one"), ("a", b""), ("c", large)):
            self.assertEqual(self.say(at, "PUT", "/keys/" + key, value), (200, b""))
        self.assertEqual(self.say(at, "GET", "/keys/b/1"), (200, b"one"))
        self.assertEqual(self.say(at, "GET", "/keys/c"), (200, large))
        self.assertEqual(self.say(at, "GET", "/keys/a"), (200, b""))
        self.assertEqual(self.say(at, "GET", "/keys/nothing"), (404, b"-1\n"))
        self.assertEqual(self.say(at, "GET", "/keys/"), (200, b"a\nb/1\nb/2\nc\n"))
        self.assertEqual(self.say(at, "GET", "/keys/b/"), (200, b"b/1\nb/2\n"))
        self.assertEqual(self.say(at, "DELETE", "/keys/b/1"), (200, b""))
        self.assertEqual(self.say(at, "DELETE", "/keys/b/1"), (404, b"-1\n"))
        self.assertEqual(self.say(at, "GET", "/keys/b/"), (200, b"b/2\n"))
        self.assertEqual(self.say(at, "PUT", "/keys/d", large + b"x"), (507, b"-2\n"))
        self.assertEqual(self.say(at, "PUT", "/keys/" + "k" * 257, b""), (507, b"-2\n"))
        # A request that fails changes nothing, and the next one goes on from what there was.
        self.assertEqual(self.say(at, "GET", "/kept"), (200, b"1\n"))
        self.assertEqual(self.say(at, "GET", "/kept?trap")[0], 502)
        self.assertEqual(self.say(at, "GET", "/spin")[0], 504)
        self.assertEqual(self.say(at, "GET", "/kept"), (200, b"2\n"))
        # It is bounded: 8 MiB.
        statuses = [self.say(at, "PUT", f"/keys/full/{i}", large)[0] for i in range(130)]
        self.assertEqual((set(statuses), statuses[:120], statuses[-1]), ({200, 507}, [200] * 120, 507))
        self.assertEqual(self.say(at, "DELETE", "/keys/full/0"), (200, b""))
        self.assertEqual(self.say(at, "PUT", "/keys/again", large), (200, b""))

    # req: F3
    def test_a_service_without_state_is_told_so(self):
        origin, _ = self.fabric(hosts=1)
        done = origin.run("--json", "deploy", "shop", COUNTER)
        self.expect(done, 0)
        at = self.proxy(origin, json.loads(done.stdout)["address"])
        self.assertEqual(self.say(at, "GET", "/kept"), (500, b"-5\n"))
        self.expect(origin.run("service", "state", "shop"), NOT_FOUND, "--state")


if __name__ == "__main__":
    unittest.main(verbosity=2)
