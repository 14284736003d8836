"""The dashboard: who may open it and who may not, and every button of it in a real browser."""

import gzip
import http.client
import http.server
import json
import os
import statistics
import subprocess
import threading
import time
import unittest
import urllib.parse

import browser
import fabric
from fabric import COMMAND, UNAVAILABLE, FabricTest

GUESTS = os.environ.get("SELVEDGE_GUESTS", "")
PAINT_MS_MAX = 200
BUNDLE_GZIP_MAX = 150_000
PAGES = ("", "leases", "work", "storage", "network", "receipts", "audit", "health")


class Door(FabricTest):
    """What the server lets in, byte by byte."""

    def setUp(self):
        super().setUp()
        self.host = self.node("host")
        self.netloc = urllib.parse.urlparse(self.host.ready["dash"]).netloc
        self.origin = "http://" + self.netloc

    def say(self, method, path, body=None, netloc=None, **headers):
        connection = http.client.HTTPConnection(netloc or self.netloc, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        connection.request(method, path, body, {"Origin": self.origin, **named} if method == "POST" and "Origin" not in named else named)
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def token(self):
        return self.host.ask("dash.open")["link"].split("#open=")[1]

    def session(self):
        opened = self.say("POST", "/open", self.token())
        self.assertEqual(opened.status, 200)
        return {"Cookie": opened.headers["Set-Cookie"].split(";")[0], "X_Selvedge_Key": json.loads(opened.content)["key"]}

    def ask(self, method="status", **headers):
        return self.say("POST", "/api", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}), **headers)

    # req: G3
    def test_a_link_opens_once_and_gives_a_session_in_two_halves(self):
        token = self.token()
        opened = self.say("POST", "/open", token)
        self.assertEqual(opened.status, 200)
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, opened.headers["Set-Cookie"])
        self.assertEqual(self.say("POST", "/open", token).status, 401)
        cookie, key = opened.headers["Set-Cookie"].split(";")[0], json.loads(opened.content)["key"]
        self.assertNotIn(key, cookie)
        good = self.ask(Cookie=cookie, X_Selvedge_Key=key)
        self.assertEqual(json.loads(good.content)["result"]["node"], self.host.key)
        self.assertEqual(self.ask(Cookie=cookie).status, 401)
        self.assertEqual(self.ask(X_Selvedge_Key=key).status, 401)
        self.assertEqual(self.ask(Cookie=cookie, X_Selvedge_Key=key[:-1] + ("a" if key[-1] != "a" else "b")).status, 401)
        other = self.session()
        self.assertEqual(self.ask(Cookie=cookie, X_Selvedge_Key=other["X_Selvedge_Key"]).status, 401)
        self.assertEqual(self.say("POST", "/close", "", Cookie=cookie, X_Selvedge_Key=key).status, 200)
        self.assertEqual(self.ask(Cookie=cookie, X_Selvedge_Key=key).status, 401)
        self.assertEqual(self.ask(**other).status, 200)

    # req: G3
    def test_what_is_watched_ends_with_the_session(self):
        session = self.session()
        watching = http.client.HTTPConnection(self.netloc, timeout=20)
        self.addCleanup(watching.close)
        headers = {name.replace("_", "-"): value for name, value in session.items()}
        watching.request("POST", "/api", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "watch", "params": {"calls": [{"method": "status"}]}}), {"Origin": self.origin, **headers})
        lines = watching.getresponse()
        self.assertIn(b'"call":0', lines.readline())
        self.assertEqual(self.say("POST", "/close", "", **session).status, 200)
        while lines.readline():  # what was under way still comes, and then the end
            pass

    # req: G3
    def test_of_many_links_the_oldest_go_and_none_is_guessed(self):
        first = self.token()
        for _ in range(8):
            last = self.token()
        self.assertEqual(self.say("POST", "/open", first).status, 401)
        for wrong in ("", "a" * 52, last[:-1], last + "a", "x" * 5000):
            self.assertEqual(self.say("POST", "/open", wrong).status, 401)
        self.assertEqual(self.say("POST", "/open", last).status, 200)

    # req: G3
    def test_other_sites_and_other_names_reach_nothing(self):
        session = self.session()
        port = self.netloc.rsplit(":", 1)[1]
        for host in ("evil.test:" + port, "127.0.0.1.evil.test", "evil.test", "192.0.2.1:" + port, "[::2]:" + port, ""):
            for method, path in (("GET", "/"), ("GET", "/main.js"), ("POST", "/open"), ("POST", "/api")):
                with self.subTest(host=host, path=path):
                    self.assertEqual(self.say(method, path, "{}" if method == "POST" else None, Host=host, Origin="http://" + host, **session).status, 421)
        self.assertEqual(self.ask(Host="localhost:" + port, Origin="http://localhost:" + port, **session).status, 200)
        for origin in ("http://evil.test", "null", "https://" + self.netloc, "http://localhost:" + port, "http://127.0.0.1:1", ""):
            with self.subTest(origin=origin):
                self.assertEqual(self.ask(Origin=origin, **session).status, 403)
                self.assertEqual(self.say("POST", "/open", self.token(), Origin=origin).status, 403)
        self.assertEqual(self.ask(Sec_Fetch_Site="cross-site", **session).status, 403)
        self.assertEqual(self.ask(Sec_Fetch_Site="same-site", **session).status, 403)
        self.assertEqual(self.say("GET", "/api", **session).status, 404)
        self.assertEqual(self.say("PUT", "/api", "{}", **session).status, 405)
        self.assertEqual(self.say("POST", "/api", "x" * 70_000, **session).status, 413)
        for path in ("/../etc/passwd", "/%2e%2e/node.key", "//main.js", "/main.js/", "/index.html%00"):
            self.assertEqual(self.say("GET", path).status, 404, path)
        page = self.say("GET", "/")
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", page.headers["Content-Security-Policy"])
        self.assertIn("frame-ancestors 'none'", page.headers["Content-Security-Policy"])
        self.assertEqual(page.headers["X-Content-Type-Options"], "nosniff")
        self.assertIsNone(page.headers["Access-Control-Allow-Origin"])

    # req: G3
    def test_a_session_rules_leases_and_touches_no_file_or_key(self):
        session = self.session()
        for method in ("put", "get", "run", "shutdown", "dash.open", "secret.list", "device.enroll", "audit.export", "service.expose", "grant.give", "peer.add", "ticket"):
            answer = json.loads(self.ask(method, **session).content)
            self.assertEqual(answer["error"]["data"]["errc"], "unauthorized", method)
        self.assertIn("result", json.loads(self.ask("lease.list", **session).content))

    # req: G3
    def test_it_is_on_this_machine_only_and_can_be_off(self):
        with self.assertRaisesRegex(AssertionError, "on this machine only"):
            self.node("open", "--dash", "0.0.0.0:0")
        quiet = self.node("quiet", "--dash", "off")
        self.assertNotIn("dash", quiet.ready)
        self.expect(quiet.run("dash", "--show"), UNAVAILABLE, "--dash off")
        shown = self.host.run("dash", "--show")
        self.assertTrue(shown.stdout.startswith(self.host.ready["dash"].encode() + b"/#open="), shown.stdout)

    def test_the_bundle_is_small(self):
        size = sum(len(gzip.compress(self.say("GET", path).content, 6)) for path in ("/", "/main.js", "/app.css", "/icon.svg"))
        print(f"dashboard: {size} bytes gzipped, {BUNDLE_GZIP_MAX} allowed", flush=True)
        self.assertLess(size, BUNDLE_GZIP_MAX)


class Pages(FabricTest):
    """A host with a tenant whose program runs, seen and ruled in Chromium."""

    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def open(self, node, **view):
        self.browser.fresh(**view)
        self.browser.go(url=node.ask("dash.open")["link"])
        self.browser.sees(text="Held for others")

    def page(self, name):
        self.browser.evaluate(script=f"location.hash = '#/{name}'")

    def tenant(self, hosts=1):
        origin, lenders = self.fabric(hosts=hosts, cpu_permille=500)
        self.addCleanup(self.end_jobs)
        self.jobs = []
        return origin, lenders

    def spin(self, origin, host, verify=1):
        self.jobs.append(subprocess.Popen([COMMAND, "--home", origin.home, "run", os.path.join(GUESTS, "spin.wasm"), "--verify", str(verify), "--fuel", str(10**15)],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.until("a program runs", lambda: any(each["stage"] == "running" for each in host.ask("domain.list")["domains"]))

    def end_jobs(self):
        for job in self.jobs:
            job.kill()
            job.wait()

    def lease(self, host):
        return host.ask("lease.list")["leases"][0]

    # req: G3, D1
    def test_pause_throttle_and_revoke_by_a_press(self):
        origin, (host,) = self.tenant()
        self.spin(origin, host)
        self.open(host)
        self.browser.sees(text="1 program of theirs runs now")
        self.page("leases")
        self.browser.sees(text="a bare module")
        self.until("what it uses is shown", lambda: self.lease(host)["cpu_ns"] > 0 and self.lease(host)["resident_bytes"] > 0)
        self.browser.slide(label="Throttle", value=100)
        self.browser.sees(text="has at most 10 % of a processor")
        self.assertEqual(self.lease(host)["throttle_permille"], 100)
        self.assertEqual(self.lease(host)["pace_permille"], 100)
        self.browser.sees(text="you throttled it")
        self.browser.click(name="Pause")
        self.browser.sees(text="is paused. Nothing of it ran any more after")
        self.assertEqual(self.lease(host)["state"], "paused")
        self.assertEqual(fabric.domains_of(host) - self.spares(host), 0)
        self.browser.click(name="Resume")
        self.browser.sees(text="goes on")
        self.browser.click(name="Revoke")
        self.browser.click(name="No")
        self.assertEqual(self.lease(host)["state"], "active")
        self.browser.click(name="Revoke")
        self.browser.click(name="Yes")
        self.browser.sees(text="is revoked. Nothing of it ran any more after")
        self.assertEqual(self.lease(host)["state"], "revoked")
        self.assertEqual(self.browser.troubles(), [])

    @staticmethod
    def spares(host):
        """A process that waits for a first task is nobody's."""
        return 1 if any(each["state"] == "active" for each in host.ask("lease.list")["leases"]) else 0

    # req: G3
    def test_a_throttle_outlives_a_restart_until_it_is_let_go(self):
        _, (host,) = self.tenant()
        lease = self.lease(host)["id"]
        self.expect(host.run("lease", "throttle", lease[:8], "5"), 0)
        host.stop()
        host.address = "127.0.0.1:0"
        host.start()
        self.assertEqual((self.lease(host)["throttle_permille"], self.lease(host)["pace_permille"], self.lease(host)["slowed"]), (50, 50, "owner"))
        self.expect(host.run("lease", "throttle", lease[:8], "100"), 0)
        self.assertEqual((self.lease(host)["throttle_permille"], self.lease(host)["slowed"]), (0, ""))
        host.ask("lease.change", lease=lease, action="revoke")
        self.expect(host.run("lease", "throttle", lease[:8], "5"), fabric.INVALID, "revoked")

    # req: G3, F4
    def test_ingress_is_revoked_without_the_leases(self):
        _, (host,) = self.tenant()
        self.expect(host.run("service", "expose", "shop", "--target", "127.0.0.1:9", "--for", "public"), 0)
        self.open(host)
        self.page("leases")
        self.browser.sees(text="shop")
        self.browser.click(name="Revoke ingress")
        self.browser.click(name="Yes")
        self.browser.sees(text="shop cannot be reached any more")
        self.assertEqual(host.ask("service.list")["services"], [])
        self.assertEqual(self.lease(host)["state"], "active")

    # req: A20, G3
    def test_consent_is_asked_for_and_given(self):
        _, (host,) = self.tenant()
        other = self.node("other")
        other.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the session", lambda: self.connected(other) == 1)
        for why in ("to fold proteins <script>alert(1)</script>", "again"):
            self.expect(other.run("grant", "ask", host.key, "--classes", "compute", "--why", why), 0)
            self.open(host)
            self.browser.sees(text=why)
            self.browser.click(name="Allow for an hour" if why == "again" else "Refuse now")
            self.browser.sees(text="Allowed." if why == "again" else "Refused.")
            self.browser.misses(text=why)
            self.until("a refusal of now is over", lambda: why == "again" or all(each["expires"] <= time.time() for each in host.ask("grant.requests")["decisions"]))
        self.assertEqual([each["origin"] for each in host.ask("lease.list")["leases"]].count(other.owner), 1)
        self.assertEqual(self.browser.troubles(), [])

    # req: G3
    def test_receipts_are_searched_exported_and_proved(self):
        origin, (host,) = self.tenant()
        self.expect(origin.run("run", os.path.join(GUESTS, "hello.wasm"), "--verify", "1"), 0)
        self.open(host)
        self.page("receipts")
        self.browser.sees(text="Export CSV")
        self.until("the receipt", lambda: "None" not in self.browser.text() and "Proof" in self.browser.text())
        receipts = json.loads(self.browser.download(name="Export JSON")["content"])
        self.assertEqual([each["receipt"]["origin"] for each in receipts], [origin.owner])
        table = self.browser.download(name="Export CSV")["content"].splitlines()
        self.assertEqual(len(table), 2)
        self.assertIn(receipts[0]["receipt"]["trace"], table[1])
        proof = self.browser.download(name="Proof")
        path = self.path(proof["name"], proof["content"].encode())
        verified = host.run("audit", "verify", path)
        self.expect(verified, 0)
        self.browser.fill(label="Search", text="no such thing")
        self.browser.sees(text="None fits.")
        self.browser.fill(label="Search", text=origin.owner[:20])
        self.browser.sees(text="Proof")
        self.browser.select(label="Ran", value="elsewhere")
        self.browser.sees(text="None fits.")

    # req: G3
    def test_everybody_can_read_and_press_it_at_any_width(self):
        origin, (host, _) = self.tenant(hosts=2)
        self.expect(origin.run("put", self.path("report.txt", b"figures" * 1000)), 0)
        self.expect(host.run("service", "expose", "shop", "--target", "127.0.0.1:9"), 0)
        self.spin(origin, host, verify=2)
        for node, view in ((host, {}), (host, {"width": 390, "height": 780, "dark": True}), (origin, {"width": 760, "dark": True}), (self.node("empty"), {})):
            self.open(node, **view)
            for name in PAGES:
                with self.subTest(page=name, view=view):
                    self.page(name)
                    self.browser.sees(text=name.capitalize() or "Now")
                    self.assertEqual(self.browser.axe(), [])
                    self.assertLessEqual(self.browser.evaluate(script="document.documentElement.scrollWidth - innerWidth"), 0)
            self.assertEqual(self.browser.troubles(), [])
            hosts = {urllib.parse.urlparse(url).netloc for url in self.browser.requests() if not url.startswith("blob:")}
            self.assertEqual(hosts, {urllib.parse.urlparse(node.ready["dash"]).netloc})

    # req: G3
    def test_the_keyboard_alone_is_enough(self):
        _, (host,) = self.tenant()
        self.open(host)
        self.page("leases")
        self.browser.sees(text="Throttle")
        self.browser.evaluate(script="document.activeElement?.blur()")
        for _ in range(60):
            self.browser.press(key="Tab")
            if self.browser.evaluate(script="document.activeElement.textContent") == "Pause":
                break
        self.browser.press(key="Enter")
        self.browser.sees(text="is paused.")
        self.assertEqual(self.lease(host)["state"], "paused")

    # req: G3
    def test_it_paints_at_once_and_says_when_the_node_is_gone(self):
        _, (host,) = self.tenant()
        times, empty = [], []
        for _ in range(5):
            self.browser.fresh()
            self.browser.go(url="data:text/html,<p>Nothing</p>")
            self.browser.sees(text="Nothing")
            empty.append(self.browser.paint()["paint"])
            self.open(host)
            times.append(self.browser.paint()["paint"])
        # How fast the browser itself is, is the machine's affair: what is judged is what the dashboard adds.
        ours, theirs = statistics.median(times), statistics.median(empty)
        print(f"dashboard: first paint {ours:.0f} ms, an empty page {theirs:.0f} ms (medians of {len(times)}), {PAINT_MS_MAX} allowed between them", flush=True)
        self.assertLess(ours - theirs, PAINT_MS_MAX)
        address = urllib.parse.urlparse(host.ready["dash"]).netloc
        host.kill()
        self.browser.sees(text="The node does not answer")
        host.address = "127.0.0.1:0"
        host.start("--dash", address)
        # Sessions end with the node: the page says how to open it again.
        self.browser.sees(text="selvedge dash")
        self.assertNotIn("Pause", self.browser.text())

    # req: G3
    def test_another_page_of_this_machine_cannot_use_an_open_session(self):
        _, (host,) = self.tenant()
        self.open(host)
        attacks = []
        target = host.ready["dash"]
        lease = self.lease(host)["id"]

        class Evil(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                attacks.append(self.headers["Cookie"] or "")
                body = ("<!doctype html><title>evil</title><script>const body = JSON.stringify({jsonrpc:'2.0',id:1,method:'lease.change',params:{lease:'" + lease + "',action:'revoke'}});"
                        "Promise.allSettled([fetch('" + target + "/api', {method:'POST',mode:'no-cors',credentials:'include',body}), fetch('" + target + "/api', {method:'POST',credentials:'include',body}),"
                        "fetch('" + target + "/main.js', {credentials:'include'})]).then((all) => { document.title = all.map((each) => each.status + (each.value?.type ?? '')).join(); });</script>").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        evil = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        self.addCleanup(evil.server_close)
        self.addCleanup(evil.shutdown)
        self.browser.tab()
        self.browser.go(url=f"http://127.0.0.1:{evil.server_address[1]}/")
        self.until("it tried", lambda: "," in self.browser.evaluate(script="document.title"))
        self.assertEqual(self.browser.evaluate(script="document.title"), "rejected,rejected,rejected")
        self.assertEqual(self.lease(host)["state"], "active")
        # The reason for the second half: the browser did send the cookie to that other port, whose server now has it.
        stolen = [cookie for cookie in attacks if "selvedge-" in cookie]
        self.assertTrue(stolen)
        connection = http.client.HTTPConnection(urllib.parse.urlparse(target).netloc, timeout=20)
        connection.request("POST", "/api", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status"}), {"Origin": target, "Cookie": stolen[0]})
        self.assertEqual(connection.getresponse().status, 401)
        connection.close()


if __name__ == "__main__":
    reason = browser.missing()
    if reason:
        print("SKIP " + reason)
    else:
        unittest.main(verbosity=2)
