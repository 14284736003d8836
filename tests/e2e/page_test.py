"""What a page has done: by machines of others, under the authority of the site's owner, checked in the page."""

import http.server
import itertools
import json
import subprocess
import threading
import unittest

import browser
import fabric
from fabric import FabricTest, guest

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A site</title><main><h1>A site</h1></main>
<script type="module">
import {{ EdgeNet }} from "{sdk}/sdk/edge.js";
window.said = []; window.jobs = []; window.tasks = [];
try {{
  window.node = await EdgeNet.init({{ siteId: "{owner}", relays: {relays}, contribution: {contribution}, onJob: (j) => jobs.push(j.state), onTask: (t) => tasks.push(t.state), onError: (e) => said.push(e.message) }});
  window.EdgeNet = EdgeNet;
  window.state = "ready";
}} catch (error) {{ window.state = error.name + ": " + error.message; }}
window.ask = async (request) => {{
  try {{
    const r = await node.submit(request);
    return {{ text: r.text(), agreements: r.agreements, verified: r.verified, workers: r.workers.map((w) => w.node), owners: r.workers.map((w) => w.owner), mismatches: r.mismatches,
      module: r.module, cost: r.cost, executions: r.executions, fuel: String(r.fuel), receipts: r.receipts.length }};
  }} catch (error) {{ return {{ name: error.name, code: error.code, message: error.message }}; }}
}};
</script></html>"""


class Page(FabricTest):
    def setUp(self):
        super().setUp()
        self.browser = browser.Browser()
        self.server = None

    def tearDown(self):
        self.browser.close()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        super().tearDown()

    def site(self, hosts=2, lies=()):
        self.origin = self.node("origin", "--web", "127.0.0.1:0")
        self.hosts = [self.node(f"host{i}", "--web", "127.0.0.1:0", *(("--misbehave", "wrong-results") if i in lies else ())) for i in range(hosts)]
        for host in self.hosts:
            host.ask("grant.give", origin=self.origin.owner, cpu_permille=1000, storage_bytes=1 << 30, seconds=3600, memory_bytes=256 << 20)
            self.origin.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the fabric", lambda: self.granted(self.origin) == hosts)

    def open(self, contribution="false", relays=None):
        doors = relays or [node.ready["web"] for node in (self.origin, *self.hosts)]
        page = PAGE.format(sdk=doors[0], owner=self.origin.owner, relays=json.dumps(doors), contribution=contribution).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.browser.fresh()
        self.browser.go(url=f"http://127.0.0.1:{self.server.server_address[1]}/")
        if contribution != "false":
            self.browser.click(name="Yes, lend it")
        self.until("the page's node", lambda: self.js("window.state ?? ''") != "")
        self.assertEqual(self.js("window.state"), "ready")

    def js(self, script):
        return self.browser.evaluate(script=script)

    def submit(self, **request):
        return self.js(f"ask({json.dumps(request)})")

    def publish(self, name, program, *options):
        done = self.origin.run("--json", "web", "publish", name, guest(program), *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    # req: G2
    def test_a_page_has_something_done_and_sees_who_did_it(self):
        self.site(hosts=3)
        self.open()
        self.assertNotIn("selvedge-consent", self.js("document.documentElement.outerHTML"))   # it lends nothing, and asks for nothing
        refused = self.submit(type="textstats", payload="a b")
        self.assertEqual((refused["name"], refused["code"]), ("JobRefused", "not_found"))
        published = self.publish("textstats", "textstats", "--input", "64K")
        text = "one two two three three three\n" * 50
        native = subprocess.run([fabric.BIN + "/textstats-native"], input=text.encode(), capture_output=True).stdout.decode()
        done = self.submit(type="textstats", payload=text)
        self.assertEqual(done.get("text"), native, done)
        self.assertEqual((done["agreements"], done["verified"], done["cost"], done["mismatches"]), (2, True, 0, []))
        self.assertEqual(done["module"], published["module"])
        self.assertLessEqual(set(done["workers"]), {host.key for host in self.hosts})
        # It waits for its session with the site first, if that is not up yet.
        states = [state for state, _ in itertools.groupby(self.js("jobs"))]
        self.assertEqual(states[states.index("refused") - len(states):], ["refused", "waiting", "running", "done"])
        self.assertIn(states[:states.index("refused")], ([], ["waiting"]))
        three = self.submit(type="textstats", payload=text, options={"redundancy": 3, "priority": "high"})
        self.assertEqual((three["agreements"], set(three["workers"])), (3, {host.key for host in self.hosts}))
        one = self.submit(type="textstats", payload=text, options={"redundancy": 1})
        self.assertEqual((one["agreements"], one["verified"]), (1, False))
        batch = self.js("EdgeNet.submitBatch(['a', 'a b', 'a b c'].map((payload) => ({ type: 'textstats', payload }))).then((all) => all.map((r) => r.text().match(/words (\\d+)/)[1]))")
        self.assertEqual(batch, ["1", "2", "3"])
        self.assertEqual(self.submit(type="textstats", payload="x" * 70_000)["code"], "limit")
        self.assertEqual(self.submit(type="textstats", payload="a", options={"redundancy": 9})["code"], "limit")
        listed = json.loads(self.origin.run("--json", "web", "list").stdout)
        self.assertEqual((listed["programs"][0]["done"], listed["waiting"], listed["running"]), (6, 0, 0))
        self.assertEqual(self.origin.run("web", "withdraw", "textstats").returncode, 0)
        self.assertEqual(self.submit(type="textstats", payload="a")["code"], "not_found")

    # req: G2
    def test_who_gives_a_wrong_result_is_named(self):
        self.site(hosts=3, lies=(0,))
        self.publish("textstats", "textstats", "--input", "64K", "--verify", "2")
        self.open()
        seen = []
        for i in range(6):
            done = self.submit(type="textstats", payload=f"words of round {i}")
            self.assertTrue(done.get("verified"), done)
            seen += [each["node"] for each in done["mismatches"]]
            self.assertNotIn(self.hosts[0].key, done["workers"])
            if seen:
                break
        self.assertEqual(seen, [self.hosts[0].key])

    def test_a_visitor_has_so_many_in_a_minute(self):
        self.site()
        self.publish("hello", "hello", "--per-visitor", "2")
        self.open()
        # A minute may begin in between, and then there are two more.
        codes = [self.submit(type="hello", args=[str(i)]).get("code") for i in range(5)]
        self.assertIn("limit", codes)
        self.assertEqual(codes[:2], [None, None])

    def test_what_the_page_wants_no_longer_ends(self):
        self.site()
        self.publish("spin", "spin", "--fuel", "2000000000000")
        self.open()
        self.js("window.stop = new AbortController(), window.end = node.submit({ type: 'spin', options: { signal: stop.signal } }).catch((error) => error.code), 0")
        self.until("the program", lambda: json.loads(self.origin.run("--json", "web", "list").stdout)["running"] == 1)
        self.js("stop.abort()")
        self.assertEqual(self.js("end"), "cancelled")
        self.until("its end", lambda: json.loads(self.origin.run("--json", "web", "list").stdout)["running"] == 0)
        late = self.submit(type="spin", options={"timeout": 300})
        self.assertEqual(late["code"], "timeout")
        self.browser.shut()

    # req: G2
    def test_a_tab_runs_the_kinds_that_its_page_names(self):
        self.site(hosts=1)
        self.publish("textstats", "textstats", "--input", "64K")
        self.publish("hello", "hello")
        self.open(contribution="{ tasks: ['textstats'], cpuLimit: 1 }")
        self.until("the tab's grant", lambda: self.granted(self.origin) == 2)
        done = self.submit(type="textstats", payload="a b c")
        self.assertEqual(set(done.get("workers", [])), {self.hosts[0].key, self.js("node.stats().node")}, done)
        other = self.submit(type="hello", args=["you"], options={"timeout": 3000})
        self.assertIn(other.get("code"), ("timeout", "unavailable", "unsupported"), other)
        self.assertEqual(self.js("node.stats().tasksCompleted"), 1)

    def test_a_page_whose_site_has_no_door_is_told(self):
        self.site(hosts=1)
        self.open(relays=[self.hosts[0].ready["web"]])
        self.assertEqual(self.submit(type="hello")["code"], "unavailable")


if __name__ == "__main__":
    why = browser.missing_node()
    if why:
        print("SKIP " + why)
    else:
        unittest.main(verbosity=2)
