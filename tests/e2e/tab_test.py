"""A browser's tab as a node: what its visitor is asked, what it lends, and what it works out, against nodes on machines."""

import base64
import gzip
import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request

import browser
import fabric
from fabric import FabricTest, guest

FETCHED_MAX = 520_000   # of all that a page needs, gzipped (docs/performance.md)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A site</title>
<main><h1>A site</h1><p>Something to read.</p></main>
<script type="module">
import {{ EdgeNet }} from "{sdk}/sdk/edge.js";
window.said = []; window.tasks = []; window.began = performance.now();
try {{
  window.node = await EdgeNet.init({options});
  window.readyAt = performance.now();
  window.state = "lent";
}} catch (error) {{ window.state = error.name + ": " + error.message; }}
</script></html>"""


CLASSIC = PAGE.replace('<script type="module">\nimport {{ EdgeNet }} from "{sdk}/sdk/edge.js";', '<script src="{sdk}/sdk/edge.classic.js"></script><script>(async () => {{').replace(
    "</script></html>", "}})();</script></html>")


class Site:
    """A page on a server of its own, which is another origin than the nodes'. `falsify`: (pattern, with what) in the runner, which then is the site's own copy."""

    def __init__(self, owner, doors, contribution="{}", falsify=None, page=PAGE):
        options = (f'{{ siteId: "{owner}", siteName: "A site", relays: {json.dumps(doors)}, contribution: {contribution}, '
                   'onTask: (t) => { tasks.push({ ...t, fuel: String(t.fuel) }); if (t.state === "done") window.firstDone ??= performance.now(); }, onError: (e) => said.push(e.message), onLog: (t) => window.log?.push(t) }')
        page = page.format(sdk="" if falsify else doors[0], options=options).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                body, kind = page, "text/html; charset=utf-8"
                if self.path.startswith("/sdk/"):
                    with urllib.request.urlopen(doors[0] + self.path) as answer:
                        body, kind = gzip.decompress(answer.read()), answer.headers["Content-Type"]
                    if self.path == "/sdk/runner.js":
                        body, found = re.subn(*falsify, body)
                        assert found, falsify
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Door(FabricTest):
    """What the door lets in, byte by byte."""

    def setUp(self):
        super().setUp()
        self.node_ = self.node("host", "--web", "127.0.0.1:0")
        self.netloc = urllib.parse.urlparse(self.node_.ready["web"]).netloc

    def say(self, method, path, **headers):
        connection = http.client.HTTPConnection(self.netloc, timeout=20)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def socket(self, *, key=None, lines=()):
        """A raw connection on which a WebSocket was asked for; and the head of the answer."""
        host, port = self.netloc.rsplit(":", 1)
        raw = socket.create_connection((host, int(port)), timeout=20)
        named = key or base64.b64encode(os.urandom(16)).decode()
        head = ["GET /selvedge HTTP/1.1", f"Host: {self.netloc}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {named}", "Sec-WebSocket-Version: 13", *lines]
        raw.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        got = b""
        while b"\r\n\r\n" not in got:
            piece = raw.recv(4096)
            if not piece:
                break
            got += piece
        return raw, got

    @staticmethod
    def frame(payload, opcode=2, masked=True):
        """RFC 6455 5.2"""
        size = len(payload)
        head = bytes([0x80 | opcode])
        mask = 0x80 if masked else 0
        head += bytes([mask | size]) if size < 126 else bytes([mask | 126]) + size.to_bytes(2, "big") if size < 65536 else bytes([mask | 127]) + size.to_bytes(8, "big")
        return head + (b"\0\0\0\0" if masked else b"") + payload

    def ends(self, raw):
        """The other side closes, in its own good time; whatever comes before."""
        raw.settimeout(fabric.DEADLINE_SECONDS)
        got = b""
        try:
            while True:
                piece = raw.recv(65536)
                if not piece:
                    return got
                got += piece
        except ConnectionError:
            return got
        finally:
            raw.close()

    # req: C1
    def test_what_pages_are_given(self):
        about = json.loads(self.say("GET", "/node").content)
        self.assertEqual((about["node"], about["owner"]), (self.node_.key, self.node_.owner))
        fetched = 0
        for name in ("edge.js", "core.js", "runner.js", "node.wasm", "runner.wasm", "edge.classic.js"):
            answer = self.say("GET", "/sdk/" + name)
            fetched += len(answer.content) if name != "edge.classic.js" else 0
            self.assertEqual(answer.status, 200, name)
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
            self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        print(f"a page fetches {fetched} bytes, gzipped")
        self.assertLess(fetched, FETCHED_MAX)
        self.assertIn("text/html", self.say("GET", "/").headers["Content-Type"])
        self.assertEqual(self.say("GET", "/other").status, 404)
        self.assertEqual(self.say("GET", "/sdk/../node").status, 404)
        self.assertEqual(self.say("POST", "/node").status, 405)

    def test_a_handshake_as_the_standard_has_it(self):
        raw, head = self.socket(key="dGhlIHNhbXBsZSBub25jZQ==")   # RFC 6455 1.3
        self.assertIn(b"101 Switching Protocols", head)
        self.assertIn(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
        raw.close()
        for wrong in ({"Sec_WebSocket_Version": "13"}, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "12", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="},
                      {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "c2hvcnQ="}):
            self.assertEqual(self.say("GET", "/selvedge", **wrong).status, 426, wrong)

    # req: C1
    def test_strangers_are_let_go_and_nobody_else_is_troubled(self):
        for packets in ([self.frame(b"x" * 32)], [self.frame(b"x" * 31)], [self.frame(b"")], [self.frame(b"text", opcode=1)], [self.frame(b"y" * 32, masked=False)],
                        [self.frame(b"z" * 200_000)], [b"\xff" * 64], [self.frame(b"a" * 32), self.frame(b"b" * 112)]):
            raw, head = self.socket()
            self.assertIn(b" 101 ", head)
            for packet in packets:
                raw.sendall(packet)
            if packets[0] == self.frame(b"x" * 32):   # a good beginning: it waits for a proof, and not for long
                began = time.monotonic()
                self.ends(raw)
                self.assertLess(time.monotonic() - began, 20)
            else:
                self.ends(raw)
        # Bytes that come together with the request count too.
        raw, head = self.socket()
        raw.close()
        self.assertEqual(self.node_.ask("status")["node"], self.node_.key)
        self.assertEqual(self.node_.ask("peer.list")["peers"], [])


class Tab(FabricTest):
    def setUp(self):
        super().setUp()
        self.browser = browser.Browser()
        self.sites = []

    def tearDown(self):
        self.browser.close()
        for site in self.sites:
            site.close()
        super().tearDown()

    def site(self, *doors, **options):
        site = Site(self.origin.owner, [node.ready["web"] for node in doors], **options)
        self.sites.append(site)
        return site

    def fabric_with_door(self, hosts=1):
        self.origin = self.node("origin", "--web", "127.0.0.1:0")
        self.hosts = [self.node(f"host{i}", "--web", "127.0.0.1:0") for i in range(hosts)]
        for host in self.hosts:
            host.ask("grant.give", origin=self.origin.owner, cpu_permille=1000, storage_bytes=1 << 30, seconds=3600, memory_bytes=256 << 20)
            self.origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the fabric", lambda: self.granted(self.origin) == hosts)

    def lend(self, site, granted):
        self.browser.go(url=site.url)
        self.browser.click(name="Yes, lend it")
        self.until("the tab's grant", lambda: self.granted(self.origin) == granted)
        self.until("the tab's connections", lambda: self.js("node.stats().doors") == 1 + len(self.hosts))

    def js(self, script):
        return self.browser.evaluate(script=script)

    # req: G2
    def test_nothing_happens_before_a_yes(self):
        self.fabric_with_door(hosts=0)
        site = self.site(self.origin)
        self.browser.fresh()
        self.browser.go(url=site.url)
        self.browser.sees(text="May A site use a part of this device?")
        self.browser.sees(text="at most 30 % of one processor core")
        self.assertEqual([urllib.parse.urlparse(url).path for url in self.browser.requests()], ["/", "/sdk/edge.js"])
        self.assertEqual(self.origin.ask("peer.list")["peers"], [])
        self.assertEqual(self.js("indexedDB.databases().then((all) => all.length)"), 0)
        self.assertEqual(self.browser.axe(), [])
        self.browser.press(key="Escape")
        self.until("the no", lambda: self.js("window.state ?? ''") == "ConsentDenied: the visitor does not lend this device")
        # A no is remembered, and nobody is asked again.
        self.browser.go(url=site.url)
        self.until("the no", lambda: self.js("window.state ?? ''").startswith("ConsentDenied"))
        self.assertEqual([urllib.parse.urlparse(url).path for url in self.browser.requests()], ["/", "/sdk/edge.js"] * 2)
        self.assertEqual(self.origin.ask("grant.list")["grants"], [])

    def test_a_node_that_is_not_there_is_said(self):
        self.fabric_with_door(hosts=0)
        site = Site(self.origin.owner, [self.origin.ready["web"], "http://127.0.0.1:9"])
        self.sites.append(site)
        self.browser.fresh()
        self.browser.go(url=site.url)
        self.browser.click(name="Yes, lend it")
        self.until("the failure", lambda: self.js("window.state ?? ''") == "Error: there is no node at http://127.0.0.1:9: it is the address of selvedge up --web")
        self.assertEqual(self.origin.ask("grant.list")["grants"], [])

    # req: G2
    def test_a_yes_lends_and_stop_takes_back(self):
        self.fabric_with_door(hosts=0)
        self.browser.fresh()
        self.lend(self.site(self.origin), granted=1)
        grant = self.origin.ask("grant.list")["grants"][0]
        self.assertEqual((grant["cpu_permille"], grant["memory_bytes"], grant["storage_bytes"]), (300, 256 << 20, 0))
        self.browser.sees(text="Lending 30 %")
        self.assertEqual(self.browser.axe(), [])
        self.assertEqual(self.browser.troubles(), [])
        # The owner's key is the browser's, and no script reads it.
        self.assertEqual(self.js("""new Promise((resolve) => { const open = indexedDB.open("selvedge"); open.onsuccess = () => {
            open.result.transaction("keys").objectStore("keys").get("owner").onsuccess = ({ target }) => resolve(target.result.privateKey.extractable); }; })"""), False)
        self.browser.click(name="Stop")
        self.until("the end of the grant", lambda: self.granted(self.origin) == 0)
        self.until("the end", lambda: self.connected(self.origin) == 0)
        self.assertEqual(self.origin.ask("grant.list")["grants"][0]["state"], "revoked")

    def test_a_page_without_modules(self):
        self.fabric_with_door(hosts=0)
        self.browser.fresh()
        self.lend(self.site(self.origin, page=CLASSIC), granted=1)
        self.js("node.disconnect()")
        self.until("the end", lambda: self.granted(self.origin) == 0)
        self.assertEqual(self.browser.troubles(), [])

    # req: G2
    def test_a_page_for_newcomers(self):
        self.fabric_with_door()
        self.browser.fresh()
        self.browser.go(url=f"{self.origin.ready['web']}/?relay={self.hosts[0].ready['web']}")
        self.browser.click(name="Yes, lend it")
        self.until("the tab's connections", lambda: self.js("window.node?.stats().doors ?? 0") == 2)
        self.until("the grants", lambda: self.granted(self.origin) == 2)
        self.expect(self.origin.run("run", guest("hello"), "--", "you"), 0, "2 owners agree")
        self.browser.sees(text="exited")
        self.assertEqual(self.browser.axe(), [])
        self.browser.click(name="Pause")
        self.until("the pause", lambda: self.js("node.stats().share") == 0)
        self.browser.sees(text="0 %: paused")
        self.browser.click(name="Resume")
        self.until("the resumption", lambda: self.js("node.stats().share") > 0)
        # Each thing that ends it does: here the panel's button, of the two that say so.
        self.js("document.querySelector('selvedge-widget').shadowRoot.querySelector('#end').click()")
        self.browser.sees(text="Ended. Nothing runs here any more.")
        self.until("the end", lambda: self.granted(self.origin) == 1)
        self.assertEqual(self.browser.troubles(), [])

    # req: G2
    def test_a_tab_and_a_machine_check_each_other(self):
        self.fabric_with_door()
        self.browser.fresh()
        self.lend(self.site(self.origin, *self.hosts), granted=2)
        text = self.path("words.txt", b"one two two three three three\n" * 2000)
        for name, words in (("textstats", []), ("hello", ["from", "a", "tab"]), ("words", []), ("worldly", [])):
            done = self.origin.run("run", guest(name), "--input", text, "--", *words)
            self.expect(done, 0, "2 owners agree")
        alone = self.hosts[0]
        self.assertEqual(self.js("node.stats().tasksCompleted"), 4)
        receipts = {each["receipt"]["executor"] for each in self.origin.ask("receipts")["receipts"]}
        self.assertEqual(receipts, {alone.key, self.js("node.stats().node")})

    def test_a_tab_that_lies_is_caught(self):
        self.fabric_with_door(hosts=2)
        self.browser.fresh()
        self.lend(self.site(self.origin, *self.hosts, falsify=(rb",output:\w+\.output", b",output:new Uint8Array([33])")), granted=3)
        judge = self.hosts[1]
        lease = judge.ask("lease.list")["leases"][0]["id"]
        judge.ask("lease.change", lease=lease, action="pause")
        job = subprocess.Popen([fabric.COMMAND, "--home", self.origin.home, "run", guest("hello"), "--", "truth"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.until("the lie", lambda: self.js("node.stats().tasksCompleted") == 1)
        judge.ask("lease.change", lease=lease, action="resume")   # two owners differ: a third one decides
        output, errors = job.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual((job.returncode, output), (0, b"hello truth\n"), errors)
        self.assertEqual([each["node"] for each in self.origin.ask("peer.list")["peers"] if each["banned"]], [self.js("node.stats().node")])

    def test_a_tab_that_is_closed_in_the_middle_loses_nothing(self):
        self.fabric_with_door(hosts=2)
        self.browser.fresh()
        self.lend(self.site(self.origin, *self.hosts, contribution="{ cpuLimit: 0.02 }"), granted=3)
        for i in range(12):
            self.path(f"in/part{i:02}", b"some words, some more\n" * 100_000 + b"%d" % i)
        out = self.path("out")
        job = subprocess.Popen([fabric.COMMAND, "--home", self.origin.home, "map", guest("textstats"), self.path("in"), "-o", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.until("work in the tab", lambda: job.poll() is not None or self.js("node.stats().tasksRunning") > 0)
        self.assertIsNone(job.poll(), "the tab was to be in the middle of it")
        self.browser.shut()
        _, errors = job.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(job.returncode, 0, errors)
        self.assertEqual(len(os.listdir(out)), 12)


if __name__ == "__main__":
    why = browser.missing_node()
    if why:
        print("SKIP " + why)
    else:
        unittest.main(verbosity=2)
